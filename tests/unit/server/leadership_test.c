/* When leadership is handed to the preferred voter, and when it is not. */
#include "server/leadership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TIMEOUT_NS UINT64_C(1000)
#define SETTLED_NS (5 * TIMEOUT_NS)
#define START_NS   UINT64_C(1000000)

struct stage {
    struct leadership leadership;
    struct raft_status status;
    struct raft_peer_progress peer;
    uint64_t now_ns;
};

/* Node 1 leads, has settled, and node 2, which should lead, is alive and up to date. */
static void stage_set(struct stage *stage, uint16_t preferred)
{
    struct raft_options options = {.self = {.id = 1},
                                   .election_timeout_min_ns = TIMEOUT_NS / 2,
                                   .election_timeout_max_ns = TIMEOUT_NS};
    *stage = (struct stage){.status = {.role = RAFT_LEADER,
                                       .term = 7,
                                       .leader = 1,
                                       .last_index = 100,
                                       .commit_index = 100,
                                       .has_own_commit = true},
                            .peer = {.match_index = 100},
                            .now_ns = START_NS};
    leadership_init(&stage->leadership, &options, preferred);
}

/* Time passes; the peer answers all along. */
static bool stage_look(struct stage *stage, uint64_t passed_ns)
{
    stage->now_ns += passed_ns;
    if (stage->peer.contact_ns != UINT64_MAX)
        stage->peer.contact_ns = stage->now_ns;
    struct raft_peer_progress peer = stage->peer;
    if (peer.contact_ns == UINT64_MAX)
        peer.contact_ns = START_NS;
    return leadership_is_due(&stage->leadership, &stage->status, &peer, stage->now_ns);
}

static void test_leadership_is_handed_over_once_the_leader_has_led_for_a_while(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    assert_false(stage_look(&stage, 0));
    assert_false(stage_look(&stage, SETTLED_NS - 1));
    assert_true(stage_look(&stage, 1));
}

static void test_leadership_is_not_handed_over_often(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    stage_look(&stage, 0);
    assert_true(stage_look(&stage, SETTLED_NS));
    assert_false(stage_look(&stage, 1));
    assert_false(stage_look(&stage, 10 * TIMEOUT_NS));
    assert_true(stage_look(&stage, 10 * TIMEOUT_NS));
    /* A new term of this node is no reason to be quicker. */
    stage.status.term = 9;
    assert_false(stage_look(&stage, 1));
    assert_false(stage_look(&stage, SETTLED_NS));
}

static void test_leadership_stays_where_nobody_is_preferred(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 0);
    stage_look(&stage, 0);
    assert_false(stage_look(&stage, 100 * SETTLED_NS));
    stage_set(&stage, 1);
    stage_look(&stage, 0);
    assert_false(stage_look(&stage, 100 * SETTLED_NS));
}

static void test_leadership_is_not_given_to_a_suspect(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    stage.peer.is_suspect = true;
    stage_look(&stage, 0);
    assert_false(stage_look(&stage, SETTLED_NS));
}

static void test_leadership_is_not_given_to_one_that_lags(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    stage_look(&stage, 0);
    stage.peer.match_index = 99; /* lacks a committed record */
    assert_false(stage_look(&stage, SETTLED_NS));
    stage.peer.match_index = 100;
    stage.status.last_index = 100 + LEADERSHIP_LAG_MAX + 1;
    assert_false(stage_look(&stage, 0));
    stage.status.last_index--;
    assert_true(stage_look(&stage, 0));
}

static void test_leadership_is_not_given_to_one_that_was_not_heard(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    stage.peer.contact_ns = UINT64_MAX; /* last heard at the start */
    stage_look(&stage, 0);
    assert_false(stage_look(&stage, SETTLED_NS));
    assert_false(leadership_is_due(&stage.leadership, &stage.status, NULL, stage.now_ns));
}

static void test_leadership_waits_for_an_entry_of_the_term_and_for_other_transfers(void **state)
{
    (void)state;
    struct stage stage;
    stage_set(&stage, 2);
    stage_look(&stage, 0);
    stage.status.has_own_commit = false;
    assert_false(stage_look(&stage, SETTLED_NS));
    stage.status.has_own_commit = true;
    stage.status.is_transferring = true;
    assert_false(stage_look(&stage, 0));
    stage.status.is_transferring = false;
    stage.status.role = RAFT_FOLLOWER;
    assert_false(stage_look(&stage, 0));
    stage.status.role = RAFT_LEADER; /* again: the wait begins anew */
    assert_false(stage_look(&stage, 0));
}

static void test_leadership_prefers_each_voter_in_turn_on_every_node(void **state)
{
    (void)state;
    struct raft_options one = {.founders = {7, 3, 200}, .founder_count = 3};
    struct raft_options other = {.founders = {200, 7, 3}, .founder_count = 3};
    static const uint16_t expected[] = {3, 7, 200, 3};
    for (uint16_t shard = 0; shard < 4; shard++) {
        assert_int_equal(leadership_preferred(&one, shard, 4), expected[shard]);
        assert_int_equal(leadership_preferred(&other, shard, 4), expected[shard]);
    }
    assert_int_equal(leadership_preferred(&one, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leadership_is_handed_over_once_the_leader_has_led_for_a_while),
        cmocka_unit_test(test_leadership_is_not_handed_over_often),
        cmocka_unit_test(test_leadership_stays_where_nobody_is_preferred),
        cmocka_unit_test(test_leadership_is_not_given_to_a_suspect),
        cmocka_unit_test(test_leadership_is_not_given_to_one_that_lags),
        cmocka_unit_test(test_leadership_is_not_given_to_one_that_was_not_heard),
        cmocka_unit_test(test_leadership_prefers_each_voter_in_turn_on_every_node),
        cmocka_unit_test(test_leadership_waits_for_an_entry_of_the_term_and_for_other_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
