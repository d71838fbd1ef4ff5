/* How a storage is taken in place of one that its node lost: step by step, and when not. */
#include "server/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LOST  UINT64_C(3)
#define FRESH UINT64_C(103)

static struct raft_configuration voters_of(uint16_t count)
{
    struct raft_configuration made = {.cluster = 1};
    for (uint16_t id = 1; id <= count; id++) {
        const struct raft_member member = {
            .storage = {.birth = id, .id = id}, .membership = RAFT_VOTER, .port = 7000};
        assert_int_equal(raft_configuration_add(&made, &member), OK);
    }
    return made;
}

/* Node 3 has lost storage 3 and has storage 103 now. */
static struct members_newcomer newcomer_of(bool is_caught_up)
{
    return (struct members_newcomer){.storage = {.birth = FRESH, .id = 3},
                                     .replaced = LOST,
                                     .is_silent = true,
                                     .is_learner_silent = true,
                                     .is_caught_up = is_caught_up};
}

static const struct raft_member *member_of(const struct raft_configuration *in, uint64_t birth)
{
    uint32_t slot = raft_configuration_slot(in, birth);
    assert_true(slot != RAFT_SLOT_NONE);
    return &in->members[slot];
}

static struct raft_configuration with_learner(void)
{
    struct raft_configuration now = voters_of(3);
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(false);
    assert_true(members_next(&now, &newcomer, &next));
    return next;
}

static void test_members_take_a_new_storage_as_a_learner(void **state)
{
    (void)state;
    struct raft_configuration now = voters_of(3);
    struct raft_configuration next = with_learner();
    const struct raft_member *learner = member_of(&next, FRESH);
    assert_int_equal(learner->membership, RAFT_LEARNER);
    assert_int_equal(learner->storage.id, 3);
    assert_int_equal(learner->port, 7000); /* where the old one was */
    assert_int_equal(member_of(&next, LOST)->membership, RAFT_VOTER);
    assert_true(raft_configuration_may_follow(&now, &next));
}

static void test_members_put_a_learner_that_has_caught_up_in_place(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(false);
    assert_false(members_next(&now, &newcomer, &next)); /* not yet */
    newcomer.is_caught_up = true;
    assert_true(members_next(&now, &newcomer, &next));
    assert_int_equal(member_of(&next, FRESH)->membership, RAFT_INCOMING);
    assert_int_equal(member_of(&next, LOST)->membership, RAFT_OUTGOING);
    assert_true(raft_configuration_may_follow(&now, &next));
    assert_false(members_next(&next, &newcomer, &now)); /* joint: the core leaves it */
    struct raft_configuration last;
    raft_configuration_leave_joint(&next, &last);
    assert_true(raft_configuration_slot(&last, LOST) == RAFT_SLOT_NONE);
    assert_int_equal(member_of(&last, FRESH)->membership, RAFT_VOTER);
    assert_false(members_next(&last, &newcomer, &next)); /* done */
}

static void test_members_take_no_storage_that_names_no_member(void **state)
{
    (void)state;
    struct raft_configuration now = voters_of(3);
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(true);
    newcomer.replaced = 0; /* a new disk without the identity of the old one */
    assert_false(members_next(&now, &newcomer, &next));
    newcomer = newcomer_of(true);
    newcomer.storage.id = 2; /* another node's storage is not its to replace */
    assert_false(members_next(&now, &newcomer, &next));
    newcomer.storage.id = 4; /* a node that has no member */
    assert_false(members_next(&now, &newcomer, &next));
}

static void test_members_keep_a_storage_that_is_still_heard(void **state)
{
    (void)state;
    struct raft_configuration now = voters_of(3);
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(true);
    newcomer.is_silent = false;
    assert_false(members_next(&now, &newcomer, &next));
}

/* The newcomer has a slot of its own: nothing of the lost one's progress is taken for its. */
static void test_members_drop_a_learner_that_was_lost_too(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(true);
    newcomer.storage.birth = 203;
    assert_true(members_next(&now, &newcomer, &next));
    assert_true(raft_configuration_slot(&next, FRESH) == RAFT_SLOT_NONE);
    assert_int_equal(member_of(&next, 203)->membership, RAFT_LEARNER);
    assert_true(raft_configuration_slot(&next, 203) != raft_configuration_slot(&now, FRESH));
    assert_true(raft_configuration_may_follow(&now, &next));
}

/* A storage that was lost before the learner came has said so, and its word was late. */
static void test_members_keep_a_learner_that_is_heard(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(true);
    newcomer.storage.birth = 203;
    newcomer.is_learner_silent = false;
    assert_false(members_next(&now, &newcomer, &next));
    newcomer.storage.birth = FRESH; /* the learner's own word counts as ever */
    assert_true(members_next(&now, &newcomer, &next));
    assert_int_equal(member_of(&next, FRESH)->membership, RAFT_INCOMING);
}

/* The node knows of the learner only, as its identity was lost before; or it was asked of the
 * learner first, and tells nobody more for a while. */
static void test_members_take_a_storage_that_names_the_lost_learner(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(false);
    newcomer.storage.birth = 203;
    newcomer.replaced = FRESH;
    assert_true(members_next(&now, &newcomer, &next));
    assert_true(raft_configuration_slot(&next, FRESH) == RAFT_SLOT_NONE);
    assert_int_equal(member_of(&next, 203)->membership, RAFT_LEARNER);
    assert_int_equal(member_of(&next, LOST)->membership, RAFT_VOTER);
    newcomer.is_silent = false;
    assert_false(members_next(&now, &newcomer, &next));
}

static void test_members_let_only_a_settled_learner_count(void **state)
{
    (void)state;
    struct raft_peer_progress progress = {.match_index = 500};
    assert_true(members_is_caught_up(&progress, 600, 1));
    assert_false(members_is_caught_up(&progress, 500 + 1025, 1));
    progress.is_suspect = true; /* its vote would elect nobody, if a voter was lost now */
    assert_false(members_is_caught_up(&progress, 500, 1));
    progress = (struct raft_peer_progress){0}; /* never heard, and the log is short */
    assert_false(members_is_caught_up(&progress, 10, 0));
}

/* A voter that did not have the record which names it would start as a storage of an earlier
 * configuration, or of none. */
static void test_members_let_a_learner_count_that_holds_the_configuration(void **state)
{
    (void)state;
    struct raft_peer_progress progress = {.match_index = 73};
    assert_false(members_is_caught_up(&progress, 105, 100)); /* it lacks few records */
    assert_false(members_is_caught_up(&progress, 105, 74));
    assert_true(members_is_caught_up(&progress, 105, 73));
}

static void test_members_take_what_an_operator_orders(void **state)
{
    (void)state;
    struct raft_configuration now = voters_of(3);
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(false);
    newcomer.replaced = 0; /* the identity is lost, too */
    newcomer.is_ordered = true;
    newcomer.is_silent = false;
    assert_false(members_next(&now, &newcomer, &next));
    newcomer.is_silent = true;
    assert_true(members_next(&now, &newcomer, &next));
    assert_int_equal(member_of(&next, FRESH)->membership, RAFT_LEARNER);
}

/* The order may be over, or was another leader's: the learner itself says what was meant. */
static void test_members_go_on_with_a_learner_without_the_order(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(true);
    newcomer.replaced = 0;
    assert_true(members_next(&now, &newcomer, &next));
    assert_int_equal(member_of(&next, FRESH)->membership, RAFT_INCOMING);
}

static void test_members_drop_a_lost_learner_by_order(void **state)
{
    (void)state;
    struct raft_configuration now = with_learner();
    struct raft_configuration next;
    struct members_newcomer newcomer = newcomer_of(false);
    newcomer.storage.birth = 203;
    newcomer.replaced = 0;
    assert_false(members_next(&now, &newcomer, &next));
    newcomer.is_ordered = true;
    assert_true(members_next(&now, &newcomer, &next));
    assert_true(raft_configuration_slot(&next, FRESH) == RAFT_SLOT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_take_a_new_storage_as_a_learner),
        cmocka_unit_test(test_members_put_a_learner_that_has_caught_up_in_place),
        cmocka_unit_test(test_members_take_no_storage_that_names_no_member),
        cmocka_unit_test(test_members_keep_a_storage_that_is_still_heard),
        cmocka_unit_test(test_members_drop_a_learner_that_was_lost_too),
        cmocka_unit_test(test_members_keep_a_learner_that_is_heard),
        cmocka_unit_test(test_members_take_a_storage_that_names_the_lost_learner),
        cmocka_unit_test(test_members_let_only_a_settled_learner_count),
        cmocka_unit_test(test_members_let_a_learner_count_that_holds_the_configuration),
        cmocka_unit_test(test_members_take_what_an_operator_orders),
        cmocka_unit_test(test_members_go_on_with_a_learner_without_the_order),
        cmocka_unit_test(test_members_drop_a_lost_learner_by_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
