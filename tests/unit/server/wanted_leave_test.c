/* Nodes that leave: marked first, let go when nothing of them is pending. */
#include "tests/unit/server/wanted_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What a leader of shard 0 does: whoever is drained goes. */
static enum wanted_step next_of_shard_0(const struct raft_configuration *now,
                                        struct wanted_known *known, uint32_t drained,
                                        struct raft_configuration *ret_next)
{
    struct wanted wanted;
    wanted_of(now, &wanted);
    *known = stage_known(&wanted);
    known->drained = drained;
    wanted_release(&wanted, now, known);
    return wanted_next(now, &wanted, known, ret_next);
}

static struct wanted ordered_to_leave(const struct raft_configuration *now, uint16_t id)
{
    struct wanted wanted;
    wanted_of(now, &wanted);
    const struct wanted_change change = {
        .action = WANTED_REMOVE, .after = wanted.number, .node = {.id = id}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    assert_int_equal(wanted_edit(&wanted, &change), OK); /* repeated */
    return wanted;
}

static void test_wanted_node_that_leaves_is_drained_first(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = stage_known(&wanted);
    assert_int_equal(wanted.number, 11);
    assert_int_equal(wanted.count, 3);
    stage_propose(&now, &wanted, &known);
    assert_true(stage_member(&now, 3)->leaves && stage_member(&now, 3)->membership == RAFT_VOTER);
    assert_false(stage_member(&now, 2)->leaves);
    uint32_t bit = UINT32_C(1) << raft_configuration_slot(&now, 3);
    assert_int_equal(next_of_shard_0(&now, &known, 0, &next), WANTED_DRAIN);
    assert_int_equal(next_of_shard_0(&now, &known, ~bit, &next), WANTED_DRAIN);
    assert_int_equal(next_of_shard_0(&now, &known, bit, &next), WANTED_PROPOSE);
    assert_int_equal(stage_member(&next, 3)->membership, RAFT_OUTGOING);
    assert_int_equal(next.number, 11);
    /* Another shard marks it as well, and waits for shard 0. */
    struct raft_configuration other = stage_voters(3);
    known = stage_known(&wanted);
    stage_propose(&other, &wanted, &known);
    assert_true(stage_member(&other, 3)->leaves);
    known.drained = UINT32_MAX;
    assert_int_equal(wanted_next(&other, &wanted, &known, &next), WANTED_DRAIN);
    wanted_release(&wanted, &other, &known);
    stage_propose(&other, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&other, 3), RAFT_SLOT_NONE);
}

/* What a leader of another shard does: a node that shard 0 has let go leaves here, too. */
static void test_wanted_node_that_is_gone_leaves_other_shards(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted gone = stage_edited(&now, WANTED_REMOVE, 3); /* forced: it is not marked */
    uint32_t bit = UINT32_C(1) << raft_configuration_slot(&now, 3);
    struct wanted wanted = gone;
    struct wanted_known known = stage_known(&wanted);
    known.drained = ~bit;
    wanted_retain(&wanted, &now, &known);
    assert_int_equal(wanted.count, 3);
    stage_propose(&now, &wanted, &known);
    assert_true(stage_member(&now, 3)->leaves && stage_member(&now, 3)->membership == RAFT_VOTER);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DRAIN);
    /* It has nothing left here; or nobody hears it. */
    for (uint32_t i = 0; i < 2; i++) {
        struct raft_configuration other = now;
        wanted = gone;
        known.drained = i == 0 ? bit : 0;
        known.silent = i == 0 ? 0 : bit;
        wanted_retain(&wanted, &other, &known);
        assert_int_equal(wanted.count, 2);
        stage_propose(&other, &wanted, &known);
        assert_int_equal(raft_configuration_slot(&other, 3), RAFT_SLOT_NONE);
    }
}

static void test_wanted_node_that_leaves_may_stay_after_all(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    wanted = stage_edited(&now, WANTED_ADD, 3);
    assert_int_equal(wanted.number, 12);
    known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    assert_false(stage_member(&now, 3)->leaves);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = stage_edited(&now, WANTED_REMOVE, 3); /* forced: not drained */
    known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
}

/* It is asked when the removal is ordered: a node that is drained would wait for ever else. */
static void test_wanted_node_cannot_go_without_a_live_majority(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = stage_known(&wanted);
    assert_true(wanted_can_go(&now, &wanted, &known, 3));
    known.heard = 5; /* 1 and 3: of 1 and 2 that is no majority */
    assert_false(wanted_can_go(&now, &wanted, &known, 3));
}

/* A learner that leaves becomes no voter, and one that leaves is not the last voter that stays. */
static void test_wanted_node_that_leaves_counts_for_none_that_stays(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(2);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    wanted = ordered_to_leave(&now, 4);
    known = stage_known(&wanted);
    known.caught_up = UINT32_MAX;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DRAIN);
    wanted = ordered_to_leave(&now, 1);
    const struct wanted_change last = {
        .action = WANTED_REMOVE, .after = wanted.number, .node = {.id = 2}};
    assert_int_equal(wanted_edit(&wanted, &last), ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wanted_node_that_leaves_is_drained_first),
        cmocka_unit_test(test_wanted_node_that_is_gone_leaves_other_shards),
        cmocka_unit_test(test_wanted_node_that_leaves_may_stay_after_all),
        cmocka_unit_test(test_wanted_node_cannot_go_without_a_live_majority),
        cmocka_unit_test(test_wanted_node_that_leaves_counts_for_none_that_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
