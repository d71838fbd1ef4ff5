/* Which members are wanted, and how a shard comes to have them, step by step. */
#include "server/wanted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEARD_ALL UINT32_MAX

static struct address address_new(uint16_t id)
{
    const uint8_t ipv4[4] = {10, 77, 0, (uint8_t)id};
    return address_of_ipv4(ipv4, 7400);
}

/* Of node n the storage is n. */
static struct raft_configuration voters_new(uint16_t count)
{
    struct raft_configuration made = {.cluster = 1, .number = 10};
    for (uint16_t id = 1; id <= count; id++) {
        struct address address = address_new(id);
        struct raft_member member = {
            .storage = {.birth = id, .id = id}, .membership = RAFT_VOTER, .port = address.port};
        memcpy(member.address, address.ip, sizeof(address.ip));
        assert_int_equal(raft_configuration_add(&made, &member), OK);
    }
    return made;
}

static struct wanted edited(const struct raft_configuration *from, enum wanted_action action,
                            uint16_t id)
{
    struct wanted wanted;
    wanted_of(from, &wanted);
    struct wanted_change change = {
        .action = action, .after = wanted.number, .is_forced = true, .node = {.id = id}};
    if (action == WANTED_ADD || action == WANTED_UPDATE)
        change.node.address = address_new(id);
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    return wanted;
}

/* The leader has storage 1, hears everybody, and knows that a newcomer has the storage of its
 * number. */
static struct wanted_known known_new(const struct wanted *wanted)
{
    struct wanted_known known = {.self = 1, .heard = HEARD_ALL, .has_room = true};
    for (uint32_t i = 0; i < wanted->count; i++)
        known.births[i] = wanted->nodes[i].id;
    return known;
}

static const struct raft_member *member_of(const struct raft_configuration *in, uint64_t birth)
{
    uint32_t slot = raft_configuration_slot(in, birth);
    assert_true(slot != RAFT_SLOT_NONE);
    return &in->members[slot];
}

/* Takes the step that is proposed; leaves a joint configuration, as the core does. */
static void propose(struct raft_configuration *now, const struct wanted *wanted,
                    const struct wanted_known *known)
{
    struct raft_configuration next;
    assert_int_equal(wanted_next(now, wanted, known, &next), WANTED_PROPOSE);
    assert_true(raft_configuration_may_follow(now, &next));
    if (!raft_configuration_is_joint(&next)) {
        *now = next;
        return;
    }
    struct raft_configuration after;
    assert_int_equal(wanted_next(&next, wanted, known, &after), WANTED_BUSY);
    raft_configuration_leave_joint(&next, &after);
    assert_true(raft_configuration_may_follow(&next, &after));
    *now = after;
}

static void test_wanted_node_becomes_a_learner_and_then_a_voter(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 200);
    struct wanted_known known = known_new(&wanted);
    assert_int_equal(wanted.number, 11);
    known.births[3] = 0;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_PROPOSE); /* the number */
    known.births[3] = 200;
    propose(&now, &wanted, &known);
    assert_int_equal(now.number, 11);
    assert_int_equal(member_of(&now, 200)->membership, RAFT_LEARNER);
    assert_int_equal(member_of(&now, 200)->port, 7400);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP);
    known.caught_up = UINT32_C(1) << raft_configuration_slot(&now, 200);
    propose(&now, &wanted, &known);
    assert_int_equal(member_of(&now, 200)->membership, RAFT_VOTER);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

static void test_wanted_node_that_does_not_answer_is_waited_for(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&wanted);
    known.births[3] = 0;
    propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_ASK_NODE);
}

static void test_wanted_nodes_have_a_place_each(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct wanted wanted;
    struct wanted_node node = {.id = 3, .address = address_new(2)};
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
    node.address = address_new(3); /* where it is already */
    assert_null(wanted_at(&wanted, &node, 4));
}

static void test_wanted_learner_stays_one_until_it_is_promoted(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {
        .action = WANTED_ADD,
        .after = wanted.number,
        .node = {.id = 4, .is_learner = true, .address = address_new(4)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    struct wanted_known known = known_new(&wanted);
    known.caught_up = UINT32_MAX;
    propose(&now, &wanted, &known);
    assert_true(member_of(&now, 4)->stays_learner);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    const struct wanted_change move = {.action = WANTED_UPDATE,
                                       .after = wanted.number,
                                       .node = {.id = 4, .address = address_new(5)}};
    assert_int_equal(wanted_edit(&wanted, &move), OK);
    propose(&now, &wanted, &known);
    assert_true(member_of(&now, 4)->stays_learner);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = edited(&now, WANTED_PROMOTE, 4);
    propose(&now, &wanted, &known);
    assert_int_equal(member_of(&now, 4)->membership, RAFT_LEARNER);
    propose(&now, &wanted, &known);
    assert_int_equal(member_of(&now, 4)->membership, RAFT_VOTER);
}

static void test_wanted_removal_takes_a_live_majority_of_those_who_stay(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_REMOVE, 3);
    struct wanted_known known = known_new(&wanted);
    known.heard = 5; /* 1 and 3: of 1 and 2 that is no majority */
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_LACK_QUORUM);
    known.heard = 3;
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

/* What a leader of shard 0 does: whoever is drained goes. */
static enum wanted_step next_of_shard_0(const struct raft_configuration *now,
                                        struct wanted_known *known, uint32_t drained,
                                        struct raft_configuration *ret_next)
{
    struct wanted wanted;
    wanted_of(now, &wanted);
    *known = known_new(&wanted);
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
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = known_new(&wanted);
    assert_int_equal(wanted.number, 11);
    assert_int_equal(wanted.count, 3);
    propose(&now, &wanted, &known);
    assert_true(member_of(&now, 3)->leaves && member_of(&now, 3)->membership == RAFT_VOTER);
    assert_false(member_of(&now, 2)->leaves);
    uint32_t bit = UINT32_C(1) << raft_configuration_slot(&now, 3);
    assert_int_equal(next_of_shard_0(&now, &known, 0, &next), WANTED_DRAIN);
    assert_int_equal(next_of_shard_0(&now, &known, ~bit, &next), WANTED_DRAIN);
    assert_int_equal(next_of_shard_0(&now, &known, bit, &next), WANTED_PROPOSE);
    assert_int_equal(member_of(&next, 3)->membership, RAFT_OUTGOING);
    assert_int_equal(next.number, 11);
    /* Another shard marks it as well, and waits for shard 0. */
    struct raft_configuration other = voters_new(3);
    known = known_new(&wanted);
    propose(&other, &wanted, &known);
    assert_true(member_of(&other, 3)->leaves);
    known.drained = UINT32_MAX;
    assert_int_equal(wanted_next(&other, &wanted, &known, &next), WANTED_DRAIN);
    wanted_release(&wanted, &other, &known);
    propose(&other, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&other, 3), RAFT_SLOT_NONE);
}

/* What a leader of another shard does: a node that shard 0 has let go leaves here, too. */
static void test_wanted_node_that_is_gone_leaves_other_shards(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted gone = edited(&now, WANTED_REMOVE, 3); /* forced: it is not marked */
    uint32_t bit = UINT32_C(1) << raft_configuration_slot(&now, 3);
    struct wanted wanted = gone;
    struct wanted_known known = known_new(&wanted);
    known.drained = ~bit;
    wanted_retain(&wanted, &now, &known);
    assert_int_equal(wanted.count, 3);
    propose(&now, &wanted, &known);
    assert_true(member_of(&now, 3)->leaves && member_of(&now, 3)->membership == RAFT_VOTER);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DRAIN);
    /* It has nothing left here; or nobody hears it. */
    for (uint32_t i = 0; i < 2; i++) {
        struct raft_configuration other = now;
        wanted = gone;
        known.drained = i == 0 ? bit : 0;
        known.silent = i == 0 ? 0 : bit;
        wanted_retain(&wanted, &other, &known);
        assert_int_equal(wanted.count, 2);
        propose(&other, &wanted, &known);
        assert_int_equal(raft_configuration_slot(&other, 3), RAFT_SLOT_NONE);
    }
}

static void test_wanted_node_that_leaves_may_stay_after_all(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    wanted = edited(&now, WANTED_ADD, 3);
    assert_int_equal(wanted.number, 12);
    known = known_new(&wanted);
    propose(&now, &wanted, &known);
    assert_false(member_of(&now, 3)->leaves);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = edited(&now, WANTED_REMOVE, 3); /* forced: not drained */
    known = known_new(&wanted);
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
}

/* It is asked when the removal is ordered: a node that is drained would wait for ever else. */
static void test_wanted_node_cannot_go_without_a_live_majority(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct wanted wanted = ordered_to_leave(&now, 3);
    struct wanted_known known = known_new(&wanted);
    assert_true(wanted_can_go(&now, &wanted, &known, 3));
    known.heard = 5; /* 1 and 3: of 1 and 2 that is no majority */
    assert_false(wanted_can_go(&now, &wanted, &known, 3));
}

/* A learner that leaves becomes no voter, and one that leaves is not the last voter that stays. */
static void test_wanted_node_that_leaves_counts_for_none_that_stays(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(2);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    wanted = ordered_to_leave(&now, 4);
    known = known_new(&wanted);
    known.caught_up = UINT32_MAX;
    propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DRAIN);
    wanted = ordered_to_leave(&now, 1);
    const struct wanted_change last = {
        .action = WANTED_REMOVE, .after = wanted.number, .node = {.id = 2}};
    assert_int_equal(wanted_edit(&wanted, &last), ERR_ARGUMENT);
}

/* A learner is one record; voters that go are two, for the core leaves the joint one by itself. */
static void test_wanted_step_without_room_is_told(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next = {.number = 999};
    struct wanted more = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&more);
    known.has_room = false;
    assert_int_equal(wanted_next(&now, &more, &known, &next), WANTED_LACK_ROOM);
    struct wanted fewer = edited(&now, WANTED_REMOVE, 3);
    assert_int_equal(wanted_next(&now, &fewer, &known, &next), WANTED_LACK_ROOM);
    assert_int_equal(next.number, 999); /* nothing is proposed */
    struct wanted same;
    wanted_of(&now, &same);
    assert_int_equal(wanted_next(&now, &same, &known, &next), WANTED_DONE);
    known.has_room = true;
    propose(&now, &fewer, &known);
}

static void test_wanted_removal_of_the_leader_hands_over_first(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_REMOVE, 1);
    struct wanted_known known = known_new(&wanted);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_HAND_OVER);
    known.self = 2;
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 1), RAFT_SLOT_NONE);
}

static void test_wanted_of_an_older_number_undoes_nothing(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted old;
    wanted_of(&now, &old);
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    assert_int_equal(wanted_next(&now, &old, &known, &next), WANTED_DONE);
}

static void test_wanted_voter_that_is_to_be_a_learner_goes_first(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    wanted.number++;
    wanted.nodes[2].is_learner = true;
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
    propose(&now, &wanted, &known);
    assert_true(member_of(&now, 3)->stays_learner);
}

static void test_wanted_learner_of_a_replacement_is_left_alone(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct raft_member learner = now.members[2];
    learner.storage.birth = 103;
    learner.membership = RAFT_LEARNER;
    assert_int_equal(raft_configuration_add(&now, &learner), OK);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    assert_int_equal(wanted.count, 3);
    struct wanted_known known = known_new(&wanted);
    known.caught_up = UINT32_MAX;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
    wanted = edited(&now, WANTED_REMOVE, 3);
    propose(&now, &wanted, &known); /* the learner */
    assert_int_equal(raft_configuration_slot(&now, 103), RAFT_SLOT_NONE);
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 3), RAFT_SLOT_NONE);
}

static void test_wanted_lost_learner_makes_way_for_its_successor(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    known.births[3] = 104;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP); /* it is heard */
    known.heard = 7;
    known.silent = 8;
    propose(&now, &wanted, &known);
    assert_int_equal(raft_configuration_slot(&now, 4), RAFT_SLOT_NONE);
    assert_int_equal(member_of(&now, 104)->membership, RAFT_LEARNER);
}

/* A new leader has not heard the learner yet, and gets a late word of the storage before it. */
static void test_wanted_learner_that_was_not_heard_yet_is_not_lost(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    known.births[3] = 104;
    known.heard = 7;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_CATCH_UP);
}

static void test_wanted_address_is_changed_in_one_step(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {.action = WANTED_UPDATE,
                                         .after = wanted.number,
                                         .node = {.id = 2, .address = address_new(22)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    struct wanted_known known = known_new(&wanted);
    propose(&now, &wanted, &known);
    assert_int_equal(member_of(&now, 2)->address[15], 22);
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_DONE);
}

static void test_wanted_edit_is_safe_to_repeat(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    const struct wanted once = wanted;
    const struct wanted_change change = {
        .action = WANTED_ADD, .after = 10, .node = {.id = 4, .address = address_new(4)}};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    assert_memory_equal(&wanted, &once, sizeof(once));
}

/* A removal whose outcome nobody knows, and then an addition: the node stays, whether the removal
 * came in between, never, or comes now. */
static void test_wanted_change_of_an_older_number_is_over(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(3);
    const struct wanted_change removal = {.action = WANTED_REMOVE, .after = 10, .node = {.id = 3}};
    struct wanted wanted = edited(&now, WANTED_ADD, 3);
    assert_int_equal(wanted.number, 11); /* though it changes nothing */
    const struct wanted added = wanted;
    assert_int_equal(wanted_edit(&wanted, &removal), ERR_OUTDATED);
    assert_memory_equal(&wanted, &added, sizeof(added));
    wanted.number = 9; /* of a leader that does not know the last change */
    assert_int_equal(wanted_edit(&wanted, &removal), ERR_OUTDATED);
}

static enum error edit(struct wanted *wanted, enum wanted_action action, uint16_t id)
{
    const struct wanted_change change = {
        .action = action, .after = wanted->number, .node = {.id = id, .address = address_new(99)}};
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
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted;
    wanted_of(&now, &wanted);
    const struct wanted_change change = {
        .action = WANTED_RAISE, .after = wanted.number, .format = 1};
    assert_int_equal(wanted_edit(&wanted, &change), OK);
    assert_int_equal(wanted.format, 1);
    struct wanted_known known = known_new(&wanted);
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
    struct raft_configuration now = voters_new(3);
    struct raft_configuration next;
    struct wanted wanted = edited(&now, WANTED_ADD, 4);
    wanted.format = 1;
    struct wanted_known known = known_new(&wanted);
    known.formats_told = 5;
    assert_int_equal(wanted_next(&now, &wanted, &known, &next), WANTED_PROPOSE);
    assert_int_equal(next.format, 0);
    assert_int_equal(member_of(&next, 4)->membership, RAFT_LEARNER);
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
    struct raft_configuration now = voters_new(3);
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
    struct raft_configuration now = voters_new(1);
    struct wanted wanted;
    wanted_of(&now, &wanted);
    assert_int_equal(edit(&wanted, WANTED_ADD, 1), ERR_ARGUMENT); /* at another address */
    assert_int_equal(edit(&wanted, WANTED_PROMOTE, 2), ERR_NOT_FOUND);
    assert_int_equal(edit(&wanted, WANTED_UPDATE, 2), ERR_NOT_FOUND);
    assert_int_equal(edit(&wanted, WANTED_REMOVE, 1), ERR_ARGUMENT); /* the last voter */
    assert_int_equal(edit(&wanted, WANTED_END, 1), ERR_ARGUMENT);
    now = voters_new(NODES_MAX);
    wanted_of(&now, &wanted);
    assert_int_equal(edit(&wanted, WANTED_ADD, 100), ERR_FULL);
    wanted.number = UINT32_MAX;
    assert_int_equal(edit(&wanted, WANTED_REMOVE, 1), ERR_FULL);
}

static void test_wanted_with_too_many_nodes_is_refused(void **state)
{
    (void)state;
    struct raft_configuration now = voters_new(1);
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
        cmocka_unit_test(test_wanted_node_that_leaves_is_drained_first),
        cmocka_unit_test(test_wanted_node_that_leaves_may_stay_after_all),
        cmocka_unit_test(test_wanted_node_cannot_go_without_a_live_majority),
        cmocka_unit_test(test_wanted_node_that_leaves_counts_for_none_that_stays),
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
        cmocka_unit_test(test_wanted_node_that_is_gone_leaves_other_shards),
        cmocka_unit_test(test_wanted_format_is_waited_for),
        cmocka_unit_test(test_wanted_format_is_the_next_one),
        cmocka_unit_test(test_wanted_edit_refuses),
        cmocka_unit_test(test_wanted_with_too_many_nodes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
