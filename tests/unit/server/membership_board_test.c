/* What one lane writes another reads whole, or not at all. */
#include "server/membership_board.h"

#include <pthread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WRITES 20000u

static struct membership_board board;

/* All of it follows from one number. */
static struct raft_configuration configuration_new(uint32_t number)
{
    struct raft_configuration made = {
        .cluster = number + 1, .number = number, .slot_count = 1 + number % RAFT_MEMBERS_MAX};
    for (uint32_t slot = 0; slot < made.slot_count; slot++)
        made.members[slot] = (struct raft_member){
            .storage = {.birth = number + slot + 1, .id = (uint16_t)(slot + 1)},
            .membership = slot == 0 ? RAFT_VOTER : RAFT_LEARNER};
    return made;
}

static void test_board_is_read_once_for_each_write(void **state)
{
    (void)state;
    struct raft_configuration written = configuration_new(5);
    struct raft_configuration read;
    uint32_t sequence = 0;
    membership_board_init(&board, 3);
    assert_false(membership_board_read(&board, &sequence, &read));
    membership_board_write(&board, &written);
    assert_true(membership_board_read(&board, &sequence, &read));
    assert_int_equal(read.number, 5);
    assert_int_equal(read.slot_count, 6);
    assert_false(membership_board_read(&board, &sequence, &read));
    assert_false(membership_board_is_removed(&board));
    membership_board_remove(&board, true);
    assert_true(membership_board_is_removed(&board));
}

static void *write_all(void *context)
{
    for (uint32_t number = 1; number <= WRITES; number++) {
        struct raft_configuration written = configuration_new(number);
        membership_board_write(&board, &written);
    }
    return context;
}

static void test_board_is_never_read_in_halves(void **state)
{
    (void)state;
    pthread_t writer;
    struct raft_configuration read = {0};
    uint32_t sequence = 0;
    membership_board_init(&board, 3);
    assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
    while (read.number < WRITES) {
        uint32_t before = read.number;
        if (!membership_board_read(&board, &sequence, &read))
            continue;
        struct raft_configuration expected = configuration_new(read.number);
        assert_true(read.number > before);
        assert_int_equal(read.cluster, expected.cluster);
        assert_int_equal(read.slot_count, expected.slot_count);
        for (uint32_t slot = 0; slot < read.slot_count; slot++)
            assert_int_equal(read.members[slot].storage.birth,
                             expected.members[slot].storage.birth);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
}

static void test_board_is_drained_when_every_shard_is(void **state)
{
    (void)state;
    uint64_t pending;
    membership_board_init(&board, 3);
    assert_false(membership_board_is_drained(&board, 7, &pending)); /* none has said anything */
    membership_board_drain(&board, 0, 7, 0);
    membership_board_drain(&board, 1, 0, 4);
    membership_board_drain(&board, 2, 6, 0); /* by an earlier change: it may take more again */
    assert_false(membership_board_is_drained(&board, 7, &pending));
    assert_int_equal(pending, 4);
    membership_board_drain(&board, 1, 8, 0);
    assert_false(membership_board_is_drained(&board, 7, &pending));
    membership_board_drain(&board, 2, 7, 0);
    assert_true(membership_board_is_drained(&board, 7, &pending));
    assert_int_equal(pending, 0);
    assert_false(membership_board_is_drained(&board, 8, &pending));
    assert_false(membership_board_is_drained(&board, 0, &pending)); /* nobody has asked for it */
    assert_false(membership_board_leaves(&board));
    membership_board_leave(&board, true);
    assert_true(membership_board_leaves(&board));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_board_is_read_once_for_each_write),
        cmocka_unit_test(test_board_is_never_read_in_halves),
        cmocka_unit_test(test_board_is_drained_when_every_shard_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
