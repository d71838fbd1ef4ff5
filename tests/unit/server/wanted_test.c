/* Which members are wanted, and how a shard comes to have them, step by step. */
#include "tests/unit/server/wanted_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_wanted_node_becomes_a_learner_and_then_a_voter(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 200);
    struct wanted_known known = stage_known(&wanted);
    assert_int_equal(wanted.number, 11);
    known.births[3] = 0;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_PROPOSE); /* the number */
    known.births[3] = 200;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(now.number, 11);
    assert_int_equal(stage_member(&now, 200)->membership, RAFT_LEARNER);
    assert_int_equal(stage_member(&now, 200)->port, 7400);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP);
    known.caught_up = UINT32_C(1) << raft_configuration_slot(&now, 200);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(stage_member(&now, 200)->membership, RAFT_VOTER);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

static void test_wanted_node_that_does_not_answer_is_waited_for(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&wanted);
    known.births[3] = 0;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_ASK_NODE);
}

static void test_wanted_nodes_have_a_place_each(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct wanted wanted;
    struct wanted_node node = {.id = 3, .address = stage_address(2)};
    wanted_of(&now, &wanted);
    assert_int_equal(wanted_at(&wanted, &node, 4)->id, 2);
    node.address.port = 7403; /* shard s has the port plus s */
    assert_int_equal(wanted_at(&wanted, &node, 4)->id, 2);
    node.address.port = 7397;
    assert_int_equal(wanted_at(&wanted, &node, 4)->id, 2);
    node.address.port = 7404;
    assert_null(wanted_at(&wanted, &node, 4));
    node.address.port = 7396;
    assert_null(wanted_at(&wanted, &node, 4));
    node.address = stage_address(3); /* where it is already */
    assert_null(wanted_at(&wanted, &node, 4));
}

static void test_wanted_learner_stays_one_until_it_is_promoted(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {
        .action = WANTED_ADD,
        .after = wanted.number,
        .node = {.id = 4, .is_learner = true, .address = stage_address(4)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    struct wanted_known known = stage_known(&wanted);
    known.caught_up = UINT32_MAX;
    stage_propose(&now, &wanted, &known);
    assert_true(stage_member(&now, 4)->stays_learner);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    const struct wanted_change move = {.action = WANTED_UPDATE,
                                       .after = wanted.number,
                                       .node = {.id = 4, .address = stage_address(5)}};
    assert_int_equal(wanted_edit(&wanted, &move), OK);
    stage_propose(&now, &wanted, &known);
    assert_true(stage_member(&now, 4)->stays_learner);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = stage_edited(&now, WANTED_PROMOTE, 4);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(stage_member(&now, 4)->membership, RAFT_LEARNER);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(stage_member(&now, 4)->membership, RAFT_VOTER);
}

static void test_wanted_removal_takes_a_live_majority_of_those_who_stay(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_REMOVE, 3);
    struct wanted_known known = stage_known(&wanted);
    known.heard = 5; /* 1 and 3: of 1 and 2 that is no majority */
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_LACK_QUORUM);
    known.heard = 3;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

/* A learner is one record; voters that go are two, for the core leaves the joint one by itself. */
static void test_wanted_step_without_room_is_told(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next = {.number = 999};
    struct wanted more = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&more);
    known.has_room = false;
    assert_int_equal(wanted_next(&now, &more, &known, &next), WANTED_LACK_ROOM);
    struct wanted fewer = stage_edited(&now, WANTED_REMOVE, 3);
    assert_int_equal(wanted_next(&now, &fewer, &known, &next), WANTED_LACK_ROOM);
    assert_int_equal(next.number, 999); /* nothing is proposed */
    struct wanted same;
    wanted_of(&now, &same);
    assert_int_equal(wanted_next(&now, &same, &known, &next), WANTED_DONE);
    known.has_room = true;
    stage_propose(&now, &fewer, &known);
}

static void test_wanted_removal_of_the_leader_hands_over_first(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_REMOVE, 1);
    struct wanted_known known = stage_known(&wanted);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_HAND_OVER);
    known.self = 2;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 1), RAFT_SLOT_NONE);
}

static void test_wanted_of_an_older_number_undoes_nothing(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted old;
    wanted_of(&now, &old);
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &old, &known, &next), WANTED_DONE);
}

static void test_wanted_voter_that_is_to_be_a_learner_goes_first(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    wanted.number++;
    wanted.nodes[2].is_learner = true;
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
    stage_propose(&now, &wanted, &known);
    assert_true(stage_member(&now, 3)->stays_learner);
}

static void test_wanted_learner_of_a_replacement_is_left_alone(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct raft_member learner = now.members[2];
    learner.storage.birth = 103;
    learner.membership = RAFT_LEARNER;
    assert_int_equal(raft_configuration_add(&now, &learner), OK);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    assert_int_equal(wanted.count, 3);
    struct wanted_known known = stage_known(&wanted);
    known.caught_up = UINT32_MAX;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = stage_edited(&now, WANTED_REMOVE, 3);
    stage_propose(&now, &wanted, &known); /* the learner */
    assert_int_equal(raft_configuration_slot(&now, 103), RAFT_SLOT_NONE);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
}

static void test_wanted_lost_learner_makes_way_for_its_successor(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    known.births[3] = 104;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP); /* it is heard */
    known.heard = 7;
    known.silent = 8;
    stage_propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 4), RAFT_SLOT_NONE);
    assert_int_equal(stage_member(&now, 104)->membership, RAFT_LEARNER);
}

/* A new leader has not heard the learner yet, and gets a late word of the storage before it. */
static void test_wanted_learner_that_was_not_heard_yet_is_not_lost(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    known.births[3] = 104;
    known.heard = 7;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP);
}

static void test_wanted_address_is_changed_in_one_step(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {.action = WANTED_UPDATE,
                                         .after = wanted.number,
                                         .node = {.id = 2, .address = stage_address(22)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    struct wanted_known known = stage_known(&wanted);
    stage_propose(&now, &wanted, &known);
    assert_int_equal(stage_member(&now, 2)->address[15], 22);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

static void test_wanted_edit_is_safe_to_repeat(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    const struct wanted once = wanted;
    const struct wanted_change change = {
        .action = WANTED_ADD, .after = 10, .node = {.id = 4, .address = stage_address(4)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    assert_memory_equal(&wanted, &once, sizeof(once));
}

/* A removal whose outcome nobody knows, and then an addition: the node stays, whether the removal
 * came in between, never, or comes now. */
static void test_wanted_change_of_an_older_number_is_over(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    const struct wanted_change removal = {.action = WANTED_REMOVE, .after = 10, .node = {.id = 3}};
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 3);
    assert_int_equal(wanted.number, 11); /* though it changes nothing */
    const struct wanted added = wanted;
    assert_int_equal(wanted_edit(&wanted, &removal), ERR_OUTDATED);
    assert_memory_equal(&wanted, &added, sizeof(added));
    wanted.number = 9; /* of a leader that does not know the last change */
    assert_int_equal(wanted_edit(&wanted, &removal), ERR_OUTDATED);
}

static enum error edit(struct wanted *wanted, enum wanted_action action, uint16_t id)
{
    const struct wanted_change change = {.action = action,
                                         .after = wanted->number,
                                         .node = {.id = id, .address = stage_address(99)}};
    struct wanted before = *wanted;
    enum error error = wanted_edit(wanted, &change);
    assert_true(error == OK || memcmp(&before, wanted, sizeof(before)) == 0);
    return error;
}

/* All storages of the configuration must have said that their nodes know it, those that come and go
 * among them. */
static void test_wanted_format_rises_when_all_members_know_it(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {
        .action = WANTED_RAISE, .after = wanted.number, .format = 1};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    assert_int_equal(wanted.format, 1);
    struct wanted_known known = stage_known(&wanted);
    known.formats_told = 3; /* the third has not */
    assert_false(wanted_may_raise(&now, &known));
    known.formats_told = 7;
    assert_true(wanted_may_raise(&now, &known));
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_PROPOSE);
    assert_int_equal(next.format, 1);
    assert_int_equal(next.number, wanted.number);
    assert_true(raft_configuration_may_follow(&now, &next));
    assert_int_equal(wanted_next(&next, &wanted, &known, &now), WANTED_DONE);
    wanted_of(&next, &wanted);
    assert_int_equal(wanted.format, 1);
}

/* A shard that follows shard 0 waits for its own members, and lets members change meanwhile. */
static void test_wanted_format_is_waited_for(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct raft_configuration next;
    struct wanted wanted = stage_edited(&now, WANTED_ADD, 4);
    wanted.format = 1;
    struct wanted_known known = stage_known(&wanted);
    known.formats_told = 5;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_PROPOSE);
    assert_int_equal(next.format, 0);
    assert_int_equal(stage_member(&next, 4)->membership, RAFT_LEARNER);
    known.caught_up = 0;
    assert_int_equal(wanted_next(&next, &wanted, &known, &now), WANTED_ASK_NODE);
    known.formats_told = 7; /* the learner counts, too */
    assert_int_equal(wanted_next(&next, &wanted, &known, &now), WANTED_ASK_NODE);
    known.formats_told = 15;
    assert_int_equal(wanted_next(&next, &wanted, &known, &now), WANTED_PROPOSE);
    assert_int_equal(now.format, 1);
}

/* A format is skipped by no change, and taken back by none. */
static void test_wanted_format_is_the_next_one(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(3);
    struct wanted wanted;
    now.format = 1;
    wanted_of(&now, &wanted);
    struct wanted_change change = {.action = WANTED_RAISE, .after = wanted.number, .format = 3};
    assert_int_equal(wanted_edit(&wanted, &change), ERR_ARGUMENT);
    change.format = 0;
    assert_int_equal(wanted_edit(&wanted, &change), ERR_ARGUMENT);
    change.format = 1; /* it is so */
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    change.after = 0;
    assert_int_equal(wanted_edit(&wanted, &change), OK); /* though of an older number */
    change.format = 2;
    assert_int_equal(wanted_edit(&wanted, &change), ERR_OUTDATED);
}

static void test_wanted_edit_refuses(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(1);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    assert_int_equal(edit(&wanted, WANTED_ADD, 1), ERR_ARGUMENT); /* at another address */
    assert_int_equal(edit(&wanted, WANTED_PROMOTE, 2), ERR_NOT_FOUND);
    assert_int_equal(edit(&wanted, WANTED_UPDATE, 2), ERR_NOT_FOUND);
    assert_int_equal(edit(&wanted, WANTED_REMOVE, 1), ERR_ARGUMENT); /* the last voter */
    assert_int_equal(edit(&wanted, WANTED_END, 1), ERR_ARGUMENT);
    now = stage_voters(NODES_MAX);
    wanted_of(&now, &wanted);
    assert_int_equal(edit(&wanted, WANTED_ADD, 100), ERR_FULL);
    wanted.number = UINT32_MAX;
    assert_int_equal(edit(&wanted, WANTED_REMOVE, 1), ERR_FULL);
}

static void test_wanted_with_too_many_nodes_is_refused(void **state)
{
    (void)state;
    struct raft_configuration now = stage_voters(1);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    for (uint16_t id = 2; id <= WANTED_NODES_MAX; id++) {
        const struct wanted_change change = {
            .action = WANTED_ADD,
            .after = wanted.number,
            .node = {.id = id, .is_learner = true, .address.port = 1}};
        assert_int_equal(wanted_edit(&wanted, &change), OK);
    }
    const struct wanted_change change = {.action = WANTED_ADD,
                                         .after = wanted.number,
                                         .node = {.id = 99, .is_learner = true, .address.port = 1}};
    assert_int_equal(wanted_edit(&wanted, &change), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wanted_node_becomes_a_learner_and_then_a_voter),
        cmocka_unit_test(test_wanted_node_that_does_not_answer_is_waited_for),
        cmocka_unit_test(test_wanted_nodes_have_a_place_each),
        cmocka_unit_test(test_wanted_learner_stays_one_until_it_is_promoted),
        cmocka_unit_test(test_wanted_removal_takes_a_live_majority_of_those_who_stay),
        cmocka_unit_test(test_wanted_step_without_room_is_told),
        cmocka_unit_test(test_wanted_removal_of_the_leader_hands_over_first),
        cmocka_unit_test(test_wanted_of_an_older_number_undoes_nothing),
        cmocka_unit_test(test_wanted_voter_that_is_to_be_a_learner_goes_first),
        cmocka_unit_test(test_wanted_learner_of_a_replacement_is_left_alone),
        cmocka_unit_test(test_wanted_lost_learner_makes_way_for_its_successor),
        cmocka_unit_test(test_wanted_learner_that_was_not_heard_yet_is_not_lost),
        cmocka_unit_test(test_wanted_address_is_changed_in_one_step),
        cmocka_unit_test(test_wanted_edit_is_safe_to_repeat),
        cmocka_unit_test(test_wanted_change_of_an_older_number_is_over),
        cmocka_unit_test(test_wanted_format_rises_when_all_members_know_it),
        cmocka_unit_test(test_wanted_format_is_waited_for),
        cmocka_unit_test(test_wanted_format_is_the_next_one),
        cmocka_unit_test(test_wanted_edit_refuses),
        cmocka_unit_test(test_wanted_with_too_many_nodes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
