/* What a rescue may do, and which storage it takes. */
#include "tools/rescue/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER  77
#define VOTERS   3
#define BIRTH(n) ((uint64_t)(100 + (n)))

static struct raft_configuration voters_new(uint64_t era)
{
    struct raft_configuration made = {.cluster = CLUSTER, .era = era, .number = 5};
    for (uint16_t id = 1; id <= VOTERS; id++) {
        struct raft_member member = {.storage = {.birth = BIRTH(id), .id = id},
                                     .membership = RAFT_VOTER,
                                     .port = (uint16_t)(7400 + id)};
        assert_int_equal(raft_configuration_add(&made, &member), OK);
    }
    return made;
}

static struct rescue_storage storage_new(uint16_t id, uint64_t last_term, uint64_t last_index)
{
    return (struct rescue_storage){.storage = {.birth = BIRTH(id), .id = id},
                                   .is_usable = true,
                                   .term = last_term,
                                   .last_term = last_term,
                                   .last_index = last_index,
                                   .commit_index = last_index - 1,
                                   .configuration = voters_new(0),
                                   .new_birth = 1000 + id};
}

static struct rescue_shard_plan planned(const struct rescue_storage *storages, uint32_t count)
{
    struct rescue_shard_plan plan;
    rescue_plan_shard(storages, count, NULL, 0, &plan);
    return plan;
}

static void test_rescue_is_refused_beside_a_living_majority(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 3, 10), storage_new(2, 3, 9)};
    assert_int_equal(planned(storages, 2).verdict, RESCUE_NOT_NEEDED);
    assert_int_equal(planned(storages, 1).verdict, RESCUE_POSSIBLE);
    struct rescue_shard_plan plan;
    const uint64_t answering = BIRTH(3);
    rescue_plan_shard(storages, 1, &answering, 1, &plan);
    assert_int_equal(plan.verdict, RESCUE_NOT_NEEDED); /* the other one may be started */
    storages[1] = (struct rescue_storage){.storage = storages[1].storage, .is_usable = true};
    assert_int_equal(planned(storages, 2).verdict, RESCUE_NOT_NEEDED); /* it has a vote */
    const uint64_t stranger = 9;
    rescue_plan_shard(storages, 1, &stranger, 1, &plan);
    assert_int_equal(plan.verdict, RESCUE_POSSIBLE);
}

static void test_rescue_counts_no_storage_that_counts_for_nothing(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 3, 10), storage_new(2, 3, 9)};
    storages[1].is_suspect = true; /* a torn tail beside a dead node */
    assert_int_equal(planned(storages, 2).verdict, RESCUE_POSSIBLE);
    storages[1].is_suspect = false;
    storages[1].is_ended = true;
    assert_int_equal(planned(storages, 2).verdict, RESCUE_POSSIBLE);
    storages[1].is_ended = false;
    storages[1].is_usable = false;
    assert_int_equal(planned(storages, 2).verdict, RESCUE_POSSIBLE);
    storages[1].is_usable = true;
    storages[1].storage.birth = 9; /* a newer storage of the node, which no configuration has */
    assert_int_equal(planned(storages, 2).verdict, RESCUE_POSSIBLE);
}

static void test_rescue_needs_both_halves_of_a_joint_configuration(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 3, 10), storage_new(2, 3, 9)};
    for (size_t i = 0; i < 2; i++) { /* node 2 goes, 4 and 5 come */
        struct raft_configuration *joint = &storages[i].configuration;
        joint->members[1].membership = RAFT_OUTGOING;
        for (uint16_t id = 4; id <= 5; id++) {
            struct raft_member member = {.storage = {.birth = BIRTH(id), .id = id},
                                         .membership = RAFT_INCOMING};
            assert_int_equal(raft_configuration_add(joint, &member), OK);
        }
    }
    struct rescue_shard_plan plan = planned(storages, 2);
    assert_int_equal(plan.verdict, RESCUE_POSSIBLE); /* 1 of 1, 3, 4, 5 */
    assert_int_equal(plan.alive, 3);
}

static void test_rescue_takes_the_newest_log(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 2, 30), storage_new(2, 3, 20),
                                        storage_new(3, 3, 19)};
    for (size_t i = 0; i < 3; i++)
        storages[i].is_suspect = true;
    assert_int_equal(planned(storages, 3).chosen, 1); /* the later term */
    storages[2].last_index = 21;
    assert_int_equal(planned(storages, 3).chosen, 2); /* more records */
    storages[0].configuration.era = 1;
    assert_int_equal(planned(storages, 3).chosen, 0); /* the later era */
    storages[0].is_ended = true;
    storages[1].last_index = 21;
    storages[1].is_suspect = true;
    storages[2].is_suspect = false;
    struct rescue_shard_plan plan = planned(storages, 3);
    assert_int_equal(plan.chosen, 2); /* the one that lacks nothing */
    assert_int_equal(plan.commit_index, 29);
}

static void test_rescue_refuses_what_does_not_belong_together(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 3, 10), storage_new(2, 3, 9)};
    storages[1].configuration.cluster = CLUSTER + 1;
    assert_int_equal(planned(storages, 2).verdict, RESCUE_STRANGER);
    storages[1] = storages[0];
    assert_int_equal(planned(storages, 2).verdict, RESCUE_TWICE);
    storages[0].configuration.slot_count = 0; /* it belongs to no cluster */
    assert_int_equal(planned(storages, 1).verdict, RESCUE_NO_STORAGE);
    assert_int_equal(planned(storages, 0).verdict, RESCUE_NO_STORAGE);
}

static void test_rescue_begins_an_era_with_one_voter(void **state)
{
    (void)state;
    struct rescue_storage storages[] = {storage_new(1, 3, 10), storage_new(2, 3, 12)};
    storages[0].is_suspect = true;
    storages[0].term = 8; /* it has voted since */
    storages[1].configuration.format = 1;
    struct rescue_shard_plan plan = planned(storages, 2);
    assert_int_equal(plan.verdict, RESCUE_POSSIBLE);
    assert_int_equal(plan.term, 9);
    rescue_plan_after(storages, 2, 4, 6, &plan);
    assert_true(plan.after.cluster == CLUSTER && plan.after.era == 4 && plan.after.number == 6);
    assert_int_equal(plan.after.format, 1); /* of the configuration that goes on */
    assert_int_equal(plan.after.slot_count, 2);
    const struct raft_member *learner = &plan.after.members[0];
    assert_true(learner->storage.birth == 1001 && learner->storage.id == 1);
    assert_true(learner->membership == RAFT_LEARNER && learner->port == 7401);
    const struct raft_member *voter = &plan.after.members[1];
    assert_true(voter->storage.birth == BIRTH(2) && voter->membership == RAFT_VOTER);
    assert_int_equal(raft_configuration_halves(&plan.after).new_half, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rescue_is_refused_beside_a_living_majority),
        cmocka_unit_test(test_rescue_counts_no_storage_that_counts_for_nothing),
        cmocka_unit_test(test_rescue_needs_both_halves_of_a_joint_configuration),
        cmocka_unit_test(test_rescue_takes_the_newest_log),
        cmocka_unit_test(test_rescue_refuses_what_does_not_belong_together),
        cmocka_unit_test(test_rescue_begins_an_era_with_one_voter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
