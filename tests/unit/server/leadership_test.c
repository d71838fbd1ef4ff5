/* Who should lead a shard, when leadership is handed over, and how often. */
#include "server/leadership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TIMEOUT_NS  UINT64_C(1000)
#define SETTLED_NS  (5 * TIMEOUT_NS)
#define INTERVAL_NS (100 * TIMEOUT_NS)
#define START_NS    UINT64_C(1000000)

struct stage {
    struct leadership leadership;
    struct raft_status status;
    struct leadership_voters voters;
    uint64_t now_ns;
};

/* Node 1 leads shard `shard` of `shard_count`, and nodes 2 and 3 are alive and up to date. */
static void stage_set(struct stage *stage, uint16_t shard, uint16_t shard_count)
{
    struct raft_options raft = {.self = {.id = 1},
                                .election_timeout_min_ns = TIMEOUT_NS / 2,
                                .election_timeout_max_ns = TIMEOUT_NS};
    struct leadership_options options = {.shard = shard,
                                         .shard_count = shard_count,
                                         .priority = PRIORITY_DEFAULT,
                                         .interval_ns = INTERVAL_NS};
    *stage = (struct stage){
        .status = {.role = RAFT_LEADER,
                   .term = 7,
                   .leader = 1,
                   .last_index = 100,
                   .commit_index = 100,
                   .has_own_commit = true},
        .voters = {.count = 2,
                   .is_self_voter = true,
                   .voters = {{.storage = {22, 2}, .match_index = 100, .contact_ns = START_NS},
                              {.storage = {33, 3}, .match_index = 100, .contact_ns = START_NS}}},
        .now_ns = START_NS};
    leadership_init(&stage->leadership, &raft, &options);
    leadership_note_leader(&stage->leadership, &stage->status, START_NS);
}

/* Time passes; the voters answer all along, but for those that never did. */
static uint16_t stage_look(struct stage *stage, uint64_t passed_ns)
{
    stage->now_ns += passed_ns;
    for (uint32_t i = 0; i < stage->voters.count; i++) {
        if (stage->voters.voters[i].contact_ns != 0)
            stage->voters.voters[i].contact_ns = stage->now_ns;
    }
    return leadership_due(&stage->leadership, &stage->status, &stage->voters, stage->now_ns);
}

static uint16_t fittest(const struct stage *stage)
{
    return leadership_fittest(&stage->leadership, &stage->status, &stage->voters, stage->now_ns);
}

static void test_leadership_is_handed_over_once_the_leader_has_led_for_a_while(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    assert_int_equal(stage_look(&stage, 0), 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS - 1), 0);
    assert_int_equal(stage_look(&stage, 1), 2);
}

static void test_leadership_is_not_handed_over_often(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 2);
    assert_int_equal(stage_look(&stage, 1), 0);
    assert_int_equal(stage_look(&stage, 10 * TIMEOUT_NS), 0);
    assert_int_equal(stage_look(&stage, 10 * TIMEOUT_NS), 2);
    /* A new term of this node is no reason to be quicker. */
    stage.status.term = 9;
    assert_int_equal(stage_look(&stage, 1), 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
}

static void test_leadership_stays_where_nobody_is_preferred(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 0, 1);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, 100 * SETTLED_NS), 0);
    stage_set(&stage, 0, 3); /* of three shards the first is its own */
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, 100 * SETTLED_NS), 0);
}

static void test_leadership_goes_to_a_higher_priority(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 0, 1);
    leadership_note_priority(&stage.leadership, 3, PRIORITY_DEFAULT + 1);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 3);
    stage_set(&stage, 0, 1);
    leadership_note_priority(&stage.leadership, 3, PRIORITY_DEFAULT - 1);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
    /* A node that does not want to lead makes way for any other. */
    stage_set(&stage, 0, 1);
    leadership_note_priority(&stage.leadership, 1, 0);
    stage.leadership.options.priority = 0;
    leadership_note_priority(&stage.leadership, 2, 1);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 3);
    stage.voters.voters[1].is_suspect = true;
    assert_int_equal(fittest(&stage), 2);
}

static void test_leadership_prefers_each_voter_of_the_highest_priority_in_turn(void **state)
{
    (void)state;
    static const uint16_t equal[] = {1, 2, 3, 1};
    static const uint16_t without_two[] = {1, 3, 1, 3};
    struct stage stage;
    for (uint16_t shard = 0; shard < 4; shard++) {
        stage_set(&stage, shard, 4);
        assert_int_equal(leadership_preferred(&stage.leadership, &stage.voters), equal[shard]);
        leadership_note_priority(&stage.leadership, 2, 0);
        assert_int_equal(leadership_preferred(&stage.leadership, &stage.voters),
                         without_two[shard]);
        leadership_note_priority(&stage.leadership, 3, PRIORITY_MAX);
        assert_int_equal(leadership_preferred(&stage.leadership, &stage.voters), 3);
    }
    stage_set(&stage, 0, 1);
    assert_int_equal(leadership_preferred(&stage.leadership, &stage.voters), 0);
}

static void test_leadership_is_not_given_to_a_suspect(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    stage.voters.voters[0].is_suspect = true;
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
    assert_int_equal(fittest(&stage), 3);
    stage.voters.voters[1].is_suspect = true;
    assert_int_equal(fittest(&stage), 0);
}

static void test_leadership_is_not_given_to_one_that_lags(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    (void)stage_look(&stage, 0);
    stage.voters.voters[0].match_index = 99; /* lacks a committed record */
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
    assert_int_equal(fittest(&stage), 3);
    stage.voters.voters[0].match_index = 100;
    stage.status.last_index = 100 + LEADERSHIP_LAG_MAX + 1;
    assert_int_equal(stage_look(&stage, 0), 0);
    assert_int_equal(fittest(&stage), 0);
    stage.status.last_index--;
    assert_int_equal(stage_look(&stage, 0), 2);
}

static void test_leadership_is_not_given_to_one_that_was_not_heard(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    stage.voters.voters[0].contact_ns = 0;
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
    stage.voters.voters[0].contact_ns = stage.now_ns;
    stage.now_ns += TIMEOUT_NS / 2 + 1;
    assert_int_equal(fittest(&stage), 0);
    stage.now_ns -= 1;
    assert_int_equal(fittest(&stage), 2);
}

static void test_leadership_waits_for_an_entry_of_the_term_and_for_other_transfers(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    (void)stage_look(&stage, 0);
    stage.status.has_own_commit = false;
    assert_int_equal(stage_look(&stage, SETTLED_NS), 0);
    stage.status.has_own_commit = true;
    stage.status.is_transferring = true;
    assert_int_equal(stage_look(&stage, 0), 0);
    stage.status.is_transferring = false;
    stage.status.role = RAFT_FOLLOWER;
    assert_int_equal(stage_look(&stage, 0), 0);
    stage.status.role = RAFT_LEADER; /* again: the wait begins anew */
    assert_int_equal(stage_look(&stage, 0), 0);
}

/* A node sees so many changes of leader in a row. */
static void see_changes(struct stage *stage, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        stage->status.term++;
        leadership_note_leader(&stage->leadership, &stage->status, stage->now_ns);
    }
}

static void test_leadership_changes_so_often_and_no_more(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 0, 1);
    for (int i = 0; i < LEADERSHIP_BURST; i++) {
        assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), 0);
        leadership_pay(&stage.leadership, stage.now_ns);
        see_changes(&stage, 1); /* the change that was paid for */
    }
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), INTERVAL_NS);
    stage.now_ns += INTERVAL_NS - 1;
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), 1);
    stage.now_ns++;
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), 0);
}

/* The limit is the shard's: changes that others make count, and those of an election. */
static void test_leadership_counts_the_changes_of_others(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 1, 3);
    see_changes(&stage, LEADERSHIP_BURST - 1);
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), 0);
    see_changes(&stage, 1);
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), INTERVAL_NS);
    see_changes(&stage, 100); /* as many as there may be: the wait grows no longer */
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), INTERVAL_NS);
    (void)stage_look(&stage, 0);
    assert_int_equal(stage_look(&stage, INTERVAL_NS - 1), 0);
    assert_int_equal(stage_look(&stage, 1), 2);
}

static void test_leadership_is_not_limited_where_the_interval_is_zero(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 0, 1);
    stage.leadership.options.interval_ns = 0;
    see_changes(&stage, 1000);
    assert_int_equal(leadership_wait_ns(&stage.leadership, stage.now_ns), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test(test)
    const struct CMUnitTest tests[] = {
        T(test_leadership_is_handed_over_once_the_leader_has_led_for_a_while),
        T(test_leadership_is_not_handed_over_often),
        T(test_leadership_stays_where_nobody_is_preferred),
        T(test_leadership_goes_to_a_higher_priority),
        T(test_leadership_prefers_each_voter_of_the_highest_priority_in_turn),
        T(test_leadership_is_not_given_to_a_suspect),
        T(test_leadership_is_not_given_to_one_that_lags),
        T(test_leadership_is_not_given_to_one_that_was_not_heard),
        T(test_leadership_waits_for_an_entry_of_the_term_and_for_other_transfers),
        T(test_leadership_changes_so_often_and_no_more),
        T(test_leadership_counts_the_changes_of_others),
        T(test_leadership_is_not_limited_where_the_interval_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
