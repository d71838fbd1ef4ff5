/* What a leader may admit: no more than a majority has room for. */
#include "server/majority_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct room_voters voters(uint32_t count)
{
    return (struct room_voters){.ids = {1, 2, 3, 4, 5}, .count = count, .self = 1};
}

static void begin(struct majority_room *majority, uint32_t count)
{
    const struct room_voters of = voters(count);
    majority_room_begin(majority, 7, &of);
}

/* Its log has room for `data` and a reserve of 100 behind record `match`. */
static void note(struct majority_room *majority, uint32_t count, uint16_t voter, uint64_t match,
                 uint64_t data)
{
    const struct room_voters of = voters(count);
    const struct room_report report = {
        .voter = voter,
        .match_index = match,
        .position = 1000 + match * 64,
        .room = {.data_bytes = data, .log_bytes = data + 100},
    };
    majority_room_note(majority, &report, &of);
}

static void expect(const struct majority_room *majority, uint64_t last, uint64_t data, uint64_t log)
{
    struct record_room room = majority_room_behind(majority, 1000 + last * 64);
    assert_int_equal(room.data_bytes, data);
    assert_int_equal(room.log_bytes, log);
}

static void test_majority_room_of_a_single_voter_is_its_own(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 1);
    assert_true(majority_room_behind(&majority, 1000).data_bytes == UINT64_MAX - 1000);
}

static void test_majority_room_is_none_before_a_majority_has_answered(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 5);
    expect(&majority, 0, 0, 0);
    note(&majority, 5, 2, 10, 5000);
    expect(&majority, 10, 0, 0);
    note(&majority, 5, 3, 10, 4000);
    expect(&majority, 10, 4000, 4100);
}

/* What is on its way takes room before anything else does. */
static void test_majority_room_counts_what_is_in_flight(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 3);
    note(&majority, 3, 2, 10, 640);
    expect(&majority, 10, 640, 740);
    expect(&majority, 15, 320, 420);
    expect(&majority, 20, 0, 100);
    expect(&majority, 21, 0, 36);
    expect(&majority, 22, 0, 0);
    note(&majority, 3, 2, 20, 640); /* a snapshot has made room */
    expect(&majority, 22, 512, 612);
}

static void test_majority_room_is_not_held_back_by_a_full_minority(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 5);
    for (uint16_t voter = 2; voter <= 5; voter++)
        note(&majority, 5, voter, 10, voter <= 3 ? 0 : 900);
    expect(&majority, 10, 900, 1000);
    /* One more is full: those with room are two of five, with the leader among them. */
    note(&majority, 5, 4, 10, 0);
    expect(&majority, 10, 0, 100);
}

static void test_majority_room_keeps_the_newer_of_two_replies(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 3);
    note(&majority, 3, 2, 20, 500);
    note(&majority, 3, 2, 10, 9000); /* overtaken */
    expect(&majority, 20, 500, 600);
    note(&majority, 3, 2, 20, 300); /* of the same record: the one that came last */
    expect(&majority, 20, 300, 400);
}

static void test_majority_room_forgets_what_raft_no_longer_counts_on(void **state)
{
    (void)state;
    struct majority_room majority;
    const struct room_voters of = voters(3);
    begin(&majority, 3);
    note(&majority, 3, 2, 20, 500);
    majority_room_trust(&majority, 2, 20, &of);
    expect(&majority, 20, 500, 600);
    majority_room_trust(&majority, 2, 19, &of);
    expect(&majority, 20, 0, 0);
    note(&majority, 3, 2, 5, 500); /* it starts again from less */
    expect(&majority, 5, 500, 600);
}

/* A leader learns of each term anew: the logs may be others. */
static void test_majority_room_begins_anew_with_a_term(void **state)
{
    (void)state;
    struct majority_room majority;
    begin(&majority, 3);
    note(&majority, 3, 2, 20, UINT64_MAX);
    assert_true(majority_room_behind(&majority, 0).data_bytes == UINT64_MAX);
    begin(&majority, 3);
    expect(&majority, 20, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_majority_room_of_a_single_voter_is_its_own),
        cmocka_unit_test(test_majority_room_is_none_before_a_majority_has_answered),
        cmocka_unit_test(test_majority_room_counts_what_is_in_flight),
        cmocka_unit_test(test_majority_room_is_not_held_back_by_a_full_minority),
        cmocka_unit_test(test_majority_room_keeps_the_newer_of_two_replies),
        cmocka_unit_test(test_majority_room_forgets_what_raft_no_longer_counts_on),
        cmocka_unit_test(test_majority_room_begins_anew_with_a_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
