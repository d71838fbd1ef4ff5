/* Append requests that may be repeated: the same entries, of the same term, not too old. */
#include "server/sent_appends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LIFE_NS 1000000
#define PEERS   3
#define PIECES  10

static struct arena arena;
static struct sent_appends *appends;

static int setup(void **state)
{
    (void)state;
    if (arena_init(&arena, sent_appends_arena_bytes(PEERS)) != OK)
        return 1;
    appends = sent_appends_init(&arena, PEERS, LIFE_NS);
    arena_seal(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct raft_message request(uint64_t previous, uint64_t round)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST,
                                   .from = {.birth = 101, .id = 1},
                                   .to = {.birth = 102, .id = 2},
                                   .term = 5};
    message.append_request.previous_index = previous;
    message.append_request.entry_count = 1;
    message.append_request.round = round;
    return message;
}

static void keep(uint64_t id, const struct raft_message *message, uint64_t now_ns)
{
    struct sent_append append = {.message = *message, .message_id = id, .sent_ns = now_ns};
    sent_appends_keep(appends, 1, &append, PIECES);
}

static uint64_t same_id(const struct raft_message *message, uint64_t now_ns)
{
    struct sent_append *append = sent_appends_same(appends, 1, message, now_ns);
    return append == NULL ? 0 : append->message_id;
}

static struct sent_append *asked(uint64_t id, uint32_t age_us, uint64_t now_ns)
{
    struct wire_missing missing = {.message_id = id, .age_us = age_us, .range_count = 1};
    return sent_appends_asked(appends, 1, &missing, now_ns);
}

static void test_sent_appends_know_the_same_entries(void **state)
{
    (void)state;
    struct raft_message message = request(10, 1);
    assert_int_equal(same_id(&message, 0), 0);
    keep(77, &message, 0);
    message.append_request.round = 4; /* of a later round, with a later commit index */
    message.append_request.commit_index = 9;
    assert_int_equal(same_id(&message, 0), 77);
    assert_null(sent_appends_same(appends, 0, &message, 0)); /* another peer */
    struct raft_message other = message;
    other.append_request.previous_index = 11;
    assert_int_equal(same_id(&other, 0), 0);
    other = message;
    other.append_request.entry_count = 2;
    assert_int_equal(same_id(&other, 0), 0);
    other = message;
    other.term = 6;
    assert_int_equal(same_id(&other, 0), 0);
}

/* An answer to the old message would not count, or would lift no suspicion. */
static void test_sent_appends_repeat_nothing_that_counts_for_nothing(void **state)
{
    (void)state;
    struct raft_message message = request(10, 3);
    keep(77, &message, 0);
    message.append_request.round_min = 3;
    assert_int_equal(same_id(&message, 0), 77);
    message.append_request.round_min = 4;
    assert_int_equal(same_id(&message, 0), 0);
    message.append_request.round_min = 0;
    message.append_request.suspicion = 1;
    assert_int_equal(same_id(&message, 0), 0);
}

static void test_sent_appends_are_too_old_for_a_receiver_that_begins_late(void **state)
{
    (void)state;
    struct raft_message message = request(10, 1);
    keep(77, &message, 0);
    assert_non_null(asked(77, 0, LIFE_NS));
    assert_null(asked(77, 0, LIFE_NS + 1));
    assert_non_null(asked(77, 1000, LIFE_NS * 2)); /* it began in time */
    assert_non_null(asked(77, 1000 * 60, LIFE_NS * 2));
    assert_null(asked(78, 0, 0));
}

static void test_sent_appends_are_repeated_while_they_are_asked_for(void **state)
{
    (void)state;
    struct raft_message message = request(10, 1);
    keep(77, &message, 0);
    assert_int_equal(same_id(&message, LIFE_NS), 77);
    assert_int_equal(same_id(&message, LIFE_NS + 1), 0);
    assert_non_null(asked(77, 5000, 5 * LIFE_NS));
    assert_int_equal(same_id(&message, 6 * LIFE_NS), 77);
    assert_int_equal(same_id(&message, 6 * LIFE_NS + 1), 0);
}

static void test_sent_appends_have_an_end_of_repeats(void **state)
{
    (void)state;
    struct raft_message message = request(10, 1);
    keep(77, &message, 0);
    struct sent_append *append = asked(77, 0, 0);
    assert_non_null(append);
    assert_int_equal(append->pieces_left, SENT_APPEND_REPEATS * PIECES);
    append->pieces_left = 0;
    assert_null(asked(77, 0, 0));
    assert_int_equal(same_id(&message, 0), 0);
}

static void test_sent_appends_keep_the_newest(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= SENT_APPENDS_PER_PEER; i++) {
        struct raft_message message = request(i, 1);
        keep(100 + i, &message, 0);
    }
    assert_null(asked(100, 0, 0));
    assert_non_null(asked(101, 0, 0));
    struct raft_message message = request(7, 1);
    keep(999, &message, 0);
    assert_int_equal(same_id(&message, 0), 999); /* of two, the later */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent_appends_know_the_same_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_appends_repeat_nothing_that_counts_for_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_sent_appends_are_too_old_for_a_receiver_that_begins_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_appends_are_repeated_while_they_are_asked_for,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_appends_have_an_end_of_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_appends_keep_the_newest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
