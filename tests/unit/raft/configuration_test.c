/* The configuration: who votes, in which slot, and how many are a majority. */
#include "raft/configuration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_configuration_finds_its_voters(void **state)
{
    (void)state;
    static const uint16_t voters[] = {7, VOTER_ID_MAX, 1};
    struct raft_configuration configuration;
    assert_int_equal(raft_configuration_init(&configuration, voters, 3), OK);
    assert_int_equal(configuration.voter_count, 3);
    for (uint32_t slot = 0; slot < 3; slot++) {
        assert_int_equal(raft_configuration_slot(&configuration, voters[slot]), slot);
        assert_true(raft_configuration_contains(&configuration, voters[slot]));
    }
    assert_true(raft_configuration_slot(&configuration, 2) == RAFT_SLOT_NONE);
    assert_false(raft_configuration_contains(&configuration, 0));
}

static void test_configuration_majority_is_more_than_half(void **state)
{
    (void)state;
    static const uint16_t voters[NODES_MAX] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct raft_configuration configuration;
    for (uint32_t count = 1; count <= NODES_MAX; count++) {
        assert_int_equal(raft_configuration_init(&configuration, voters, count), OK);
        uint32_t majority = raft_configuration_majority(&configuration);
        assert_true(2 * majority > count && 2 * (majority - 1) <= count);
    }
}

static void test_configuration_refuses_what_is_none(void **state)
{
    (void)state;
    static const uint16_t good[NODES_MAX + 1] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static const uint16_t zero[] = {1, 0};
    static const uint16_t large[] = {1, VOTER_ID_MAX + 1};
    static const uint16_t twice[] = {1, 2, 1};
    struct raft_configuration configuration = {.voter_count = 99};
    assert_int_equal(raft_configuration_init(&configuration, good, 0), ERR_ARGUMENT);
    assert_int_equal(raft_configuration_init(&configuration, good, NODES_MAX + 1), ERR_ARGUMENT);
    assert_int_equal(raft_configuration_init(&configuration, zero, 2), ERR_ARGUMENT);
    assert_int_equal(raft_configuration_init(&configuration, large, 2), ERR_ARGUMENT);
    assert_int_equal(raft_configuration_init(&configuration, twice, 3), ERR_ARGUMENT);
    assert_int_equal(configuration.voter_count, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configuration_finds_its_voters),
        cmocka_unit_test(test_configuration_majority_is_more_than_half),
        cmocka_unit_test(test_configuration_refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
