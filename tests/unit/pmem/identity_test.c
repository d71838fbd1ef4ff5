/* The identity of a storage: what was noted is there after any power loss, and who may read it. */
#include "pmem/identity.h"
#include "tests/sim/medium_sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PATH "/media/node.identity"

static const struct log_identity owner = {.cluster_id = 7, .node = 2, .shard = 1};
static char note[384];

static void make(void)
{
    assert_int_equal(identity_make(PATH, &owner, note, sizeof(note)), OK);
}

static int setup(void **state)
{
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_CACHE_LINE};
    *state = medium_sim_create(&options);
    medium_sim_use(*state);
    make();
    return 0;
}

static int teardown(void **state)
{
    medium_sim_destroy(*state);
    return 0;
}

static struct identity_births read_back(void)
{
    struct identity_births births;
    assert_int_equal(identity_read(PATH, &owner, &births, note, sizeof(note)), OK);
    return births;
}

static enum error read_error(void)
{
    struct identity_births births;
    return identity_read(PATH, &owner, &births, note, sizeof(note));
}

/* The file has its size, and nothing else. */
static void blank(void)
{
    const struct medium_options options = {.path = PATH, .size_bytes = 4096, .is_created = true};
    struct medium *medium;
    assert_int_equal(medium_open(&options, &medium, note, sizeof(note)), OK);
    medium_close(medium);
}

static void add(uint64_t birth)
{
    assert_int_equal(identity_note(PATH, &owner, birth, note, sizeof(note)), OK);
}

static void test_identity_is_made_empty_once(void **state)
{
    assert_true(read_back().births[0] == 0);
    make();
    medium_sim_flip_bit(*state, PATH, 33, 3);
    medium_sim_flip_bit(*state, PATH, 2048 + 33, 3);
    assert_int_equal(read_error(), ERR_CHECKSUM);
    medium_sim_remove(*state, PATH);
    blank(); /* a power loss came between */
    assert_int_equal(read_error(), ERR_CHECKSUM);
    make();
    assert_true(read_back().births[0] == 0);
    add(11);
    assert_int_equal(identity_make(PATH, &owner, note, sizeof(note)), ERR_EXISTS);
    assert_non_null(strstr(note, PATH));
    assert_true(read_back().births[0] == 11);
}

static void test_identity_that_is_missing_is_not_made_in_passing(void **state)
{
    struct identity_births births;
    medium_sim_remove(*state, PATH);
    assert_int_equal(identity_read(PATH, &owner, &births, note, sizeof(note)), ERR_NOT_FOUND);
    assert_non_null(strstr(note, "polluxd --init"));
    assert_int_equal(identity_note(PATH, &owner, 11, note, sizeof(note)), ERR_NOT_FOUND);
    assert_false(medium_sim_exists(*state, PATH));
}

static void test_identity_keeps_the_newest_births_first(void **state)
{
    (void)state;
    for (uint64_t birth = 1; birth <= IDENTITY_BIRTHS_MAX + 2; birth++)
        add(1000 + birth);
    struct identity_births births = read_back();
    for (uint32_t i = 0; i < IDENTITY_BIRTHS_MAX; i++)
        assert_true(births.births[i] == 1000 + IDENTITY_BIRTHS_MAX + 2 - i);
}

static void test_identity_survives_rot_in_one_copy(void **state)
{
    add(11);
    add(12);
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        medium_sim_flip_bit(*state, PATH, copy + 33, 3);
        assert_true(read_back().births[0] == 12);
        medium_sim_flip_bit(*state, PATH, copy + 33, 3);
    }
    medium_sim_flip_bit(*state, PATH, 33, 3);
    medium_sim_flip_bit(*state, PATH, 2048 + 33, 3);
    struct identity_births births = {.births = {99}};
    assert_int_equal(identity_read(PATH, &owner, &births, note, sizeof(note)), ERR_CHECKSUM);
    assert_non_null(strstr(note, PATH));
    assert_true(births.births[0] == 99);
}

static void test_identity_is_mended_from_its_other_copy(void **state)
{
    add(11);
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        bool is_mended = false;
        medium_sim_flip_bit(*state, PATH, copy + 33, 3);
        assert_int_equal(identity_mend(PATH, &owner, &is_mended, note, sizeof(note)), OK);
        assert_true(is_mended);
        assert_int_equal(identity_mend(PATH, &owner, &is_mended, note, sizeof(note)), OK);
        assert_false(is_mended);
        assert_true(read_back().births[0] == 11);
    }
    medium_sim_flip_bit(*state, PATH, 33, 3);
    medium_sim_flip_bit(*state, PATH, 2048 + 33, 3);
    bool is_mended;
    assert_int_equal(identity_mend(PATH, &owner, &is_mended, note, sizeof(note)), ERR_CHECKSUM);
}

static void test_identity_keeps_the_cluster(void **state)
{
    assert_true(read_back().formed == 0);
    add(11);
    assert_int_equal(identity_note_formed(PATH, &owner, 77, note, sizeof(note)), OK);
    assert_true(read_back().formed == 77 && read_back().births[0] == 11);
    add(12);
    assert_true(read_back().formed == 77 && read_back().births[0] == 12);
    for (size_t copy = 0; copy <= 2048; copy += 2048) {
        medium_sim_flip_bit(*state, PATH, copy + 1953, 3);
        assert_true(read_back().formed == 77);
        medium_sim_flip_bit(*state, PATH, copy + 1953, 3);
    }
}

/* Whatever a sync that fails lets through, the birth is the old or the new one. */
static void test_identity_is_whole_after_a_power_loss(void **state)
{
    struct medium_sim *origin = *state;
    const struct medium_sim_options options = {.seed = 5, .granularity = MEDIUM_PAGE};
    medium_sim_destroy(origin);
    *state = medium_sim_create(&options);
    medium_sim_use(*state);
    make();
    add(11);
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t before = read_back().births[0];
        medium_sim_fail_sync(*state, PATH);
        assert_int_equal(identity_note(PATH, &owner, 1000 + i, note, sizeof(note)), ERR_SYNC);
        medium_sim_lose_power(*state, PATH, 500000);
        uint64_t after = read_back().births[0];
        assert_true(after == before || after == 1000 + i);
    }
}

static void test_identity_of_others_is_refused(void **state)
{
    (void)state;
    add(11);
    const struct log_identity others[] = {{.cluster_id = 8, .node = 2, .shard = 1},
                                          {.cluster_id = 7, .node = 3, .shard = 1},
                                          {.cluster_id = 7, .node = 2, .shard = 0}};
    const enum error expected[] = {ERR_CLUSTER, ERR_NODE, ERR_SHARD};
    for (uint32_t i = 0; i < 3; i++) {
        struct identity_births births;
        assert_int_equal(identity_read(PATH, &others[i], &births, note, sizeof(note)), expected[i]);
        assert_int_equal(identity_note(PATH, &others[i], 5, note, sizeof(note)), expected[i]);
    }
    assert_true(read_back().births[0] == 11);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_identity_is_made_empty_once),
        TEST(test_identity_that_is_missing_is_not_made_in_passing),
        TEST(test_identity_keeps_the_newest_births_first),
        TEST(test_identity_survives_rot_in_one_copy),
        TEST(test_identity_is_mended_from_its_other_copy),
        TEST(test_identity_keeps_the_cluster),
        TEST(test_identity_is_whole_after_a_power_loss),
        TEST(test_identity_of_others_is_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
