/*
 * Members come and go (paper 6, thesis 4): learners, new voters, storages that were lost, and who
 * was removed.
 */
#include "tests/unit/raft/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The first `voter_count` nodes have a cluster, and node 1 leads it in term 1. */
static struct cluster *new_led_of(uint32_t node_count, uint32_t voter_count)
{
    struct cluster *cluster = cluster_new_of(node_count, voter_count);
    cluster_run(cluster, 115 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    return cluster;
}

static void lose(struct cluster *cluster, uint16_t id)
{
    cluster_crash(cluster, id);
    cluster_lose(cluster, id);
    cluster_start(cluster, id, false);
}

static void restart(struct cluster *cluster, uint16_t id)
{
    cluster_crash(cluster, id);
    cluster_start(cluster, id, false);
}

static uint64_t commit_index(const struct cluster *cluster, uint16_t id)
{
    return cluster_status(cluster, id).commit_index;
}

static void ask(struct cluster *cluster, uint16_t id, const char *members)
{
    assert_int_equal(members_ask(cluster, id, members), OK);
}

/* An answer of this storage to node 1: it has everything up to `match_index`. */
static struct raft_message acknowledgement(uint16_t from, uint64_t birth, uint64_t match_index)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REPLY, from, 1, 1);
    message.from.birth = birth;
    message.append_reply.is_success = true;
    message.append_reply.match_index = match_index;
    return message;
}

static void test_membership_learner_has_the_log_and_no_say(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 3 ?4");
    cluster_run(cluster, 30 * MS);
    assert_true(members_are(cluster, 4, "1 2 3 ?4"));
    assert_int_equal(cluster_status(cluster, 4).membership, RAFT_LEARNER);
    assert_int_equal(cluster_status(cluster, 4).leader, 1);
    assert_int_equal(commit_index(cluster, 4), 2);
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 4).last_index, 3);
    assert_int_equal(commit_index(cluster, 1), 2); /* two of four logs, one of three votes */
    cluster_run(cluster, 300 * MS);
    assert_int_equal(cluster_leader(cluster), 0); /* nor is the learner's answer a quorum */
    struct raft_peer_progress progress;
    assert_false(raft_peer_progress(cluster->nodes[1].raft, 4, &progress));
    cluster_free(cluster);
}

static void test_membership_progress_is_of_who_is_reached(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(3, 3);
    struct raft_peer_progress progress;
    lose(cluster, 3);
    ask(cluster, 1, "1 2 3 ?3'103");
    cluster_run(cluster, 30 * MS);
    assert_true(raft_peer_progress(cluster->nodes[1].raft, 3, &progress));
    assert_int_equal(progress.storage.birth, 3);
    assert_int_equal(progress.membership, RAFT_VOTER);
    assert_int_equal(progress.match_index, 1); /* it had that when it was there */
    ask(cluster, 1, "1 2 3'103");
    assert_true(raft_peer_progress(cluster->nodes[1].raft, 3, &progress));
    assert_int_equal(progress.storage.birth, 103);
    assert_int_equal(progress.membership, RAFT_INCOMING);
    assert_int_equal(progress.match_index, 2); /* kept from when it was a learner */
    assert_false(raft_peer_progress(cluster->nodes[1].raft, 1, &progress));
    assert_false(raft_peer_progress(cluster->nodes[1].raft, 4, &progress));
    assert_false(raft_peer_progress(cluster->nodes[2].raft, 1, &progress));
    cluster_free(cluster);
}

/* A learner never campaigns, and a voter takes no vote of it for one. */
static void test_membership_learner_elects_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 3 ?4");
    cluster_run(cluster, 30 * MS);
    cluster_crash(cluster, 1);
    cluster_crash(cluster, 3);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    assert_int_equal(cluster_status(cluster, 4).role, RAFT_FOLLOWER);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_PRE_CANDIDATE);
    struct raft_message vote =
        cluster_message(RAFT_VOTE_REPLY, 4, 2, cluster_status(cluster, 2).term + 1);
    vote.vote_reply.is_granted = true;
    vote.vote_reply.is_pre_vote = true;
    assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_PRE_CANDIDATE);
    vote.from = (struct raft_storage){.birth = 103, .id = 3}; /* nor of a voter's other storage */
    assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_PRE_CANDIDATE);
    vote.from = cluster_storage(3);
    assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_CANDIDATE);
    cluster_free(cluster);
}

static void test_membership_adds_a_voter(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 3 4");
    assert_true(members_are(cluster, 1, "1 2 3 +4")); /* in force when it is appended */
    assert_int_equal(commit_index(cluster, 1), 1);
    cluster_run(cluster, 30 * MS);
    for (uint16_t id = 1; id <= 4; id++) {
        assert_true(members_are(cluster, id, "1 2 3 4"));
        assert_int_equal(commit_index(cluster, id), 3); /* the joint one, and what it leads to */
        assert_int_equal(cluster_status(cluster, id).membership, RAFT_VOTER);
    }
    cluster_isolate(cluster, 2, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(commit_index(cluster, 1), 4);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(commit_index(cluster, 1), 4); /* two of four */
    cluster_free(cluster);
}

/* Node 3's files are gone: its new storage learns, and then counts in the place of the old one. */
static void test_membership_replaces_a_lost_storage(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(3, 3);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_run(cluster, 30 * MS);
    lose(cluster, 3);
    cluster_run(cluster, 300 * MS);
    assert_false(cluster_status(cluster, 3).is_formed);
    ask(cluster, 1, "1 2 3 ?3'103");
    cluster_run(cluster, 30 * MS);
    assert_true(members_are(cluster, 3, "1 2 3 ?3'103"));
    assert_int_equal(cluster_status(cluster, 3).membership, RAFT_LEARNER);
    assert_int_equal(commit_index(cluster, 3), 3);

    cluster_isolate(cluster, 2, true);
    ask(cluster, 1, "1 2 3'103");
    cluster_settle(cluster);
    assert_true(members_are(cluster, 3, "1 2 -3 +3'103"));
    assert_int_equal(commit_index(cluster, 1), 3); /* 1 of the old half, 1 and 3'103 of the new */
    cluster_isolate(cluster, 2, false);
    cluster_run(cluster, 30 * MS);
    for (uint16_t id = 1; id <= 3; id++) {
        assert_true(members_are(cluster, id, "1 2 3'103"));
        assert_int_equal(commit_index(cluster, id), 5);
    }
    cluster_crash(cluster, 1); /* its vote counts */
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

/* What was told to the old storage, or by it, is nothing to the new one. */
static void test_membership_replaced_storage_counts_for_nothing(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(3, 3);
    lose(cluster, 3);
    ask(cluster, 1, "1 2 3'103");
    cluster_run(cluster, 30 * MS);
    assert_true(members_are(cluster, 1, "1 2 3'103"));
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 4), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 3);
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 103, 4), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 4);
    cluster_free(cluster);
}

/* Thesis 4.2.2: the leader manages the cluster without itself until that is committed. */
static void test_membership_removed_leader_steps_down(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    ask(cluster, 1, "2 3");
    assert_true(members_are(cluster, 1, "-1 2 3"));
    assert_int_equal(cluster_receive(cluster, acknowledgement(2, 2, 2), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 1); /* 2 of {2, 3} is none */
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 2), NULL), OK);
    assert_true(members_are(cluster, 1, "2 3"));
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    assert_int_equal(cluster_status(cluster, 1).membership, RAFT_NO_MEMBER);
    assert_int_equal(cluster_status(cluster, 1).durable_index, 3);
    assert_int_equal(cluster_receive(cluster, acknowledgement(2, 2, 3), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 2); /* its own log is not counted any more */
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 3), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 3);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    cluster_free(cluster);
}

static void test_membership_removed_node_disturbs_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    ask(cluster, 1, "2 3");
    cluster_run(cluster, 1000 * MS);
    uint16_t leader = cluster_leader(cluster);
    uint64_t term = cluster_status(cluster, leader).term;
    assert_in_range(leader, 2, 3);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    restart(cluster, 1); /* it knows that it was removed, also then */
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster_leader(cluster), leader);
    assert_int_equal(cluster_status(cluster, leader).term, term);
    cluster_free(cluster);
}

/* Node 3 does not hear of its removal, and campaigns: pre-vote and the lease refuse it. */
static void test_membership_removed_node_that_does_not_know_disturbs_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    ask(cluster, 1, "1 2");
    cluster_run(cluster, 300 * MS);
    assert_true(members_are(cluster, 3, "1 2 3"));
    assert_true(members_are(cluster, 2, "1 2"));
    cluster_isolate(cluster, 3, false);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    assert_int_equal(cluster_status(cluster, 2).term, 1);
    assert_int_equal(cluster_status(cluster, 3).term, 1);
    cluster_free(cluster);
}

static void test_membership_removed_node_counts_for_nothing(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(5);
    ask(cluster, 1, "1 2 3");
    cluster_run(cluster, 30 * MS);
    assert_int_equal(commit_index(cluster, 1), 3);
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(4, 4, 4), NULL), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(5, 5, 4), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 3);
    cluster_run(cluster, 300 * MS);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    for (uint16_t id = 4; id <= 5; id++) {
        struct raft_message vote = cluster_message(RAFT_VOTE_REPLY, id, 1, 2);
        vote.vote_reply.is_granted = true;
        vote.vote_reply.is_pre_vote = true;
        assert_int_equal(cluster_receive(cluster, vote, NULL), OK);
    }
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    cluster_free(cluster);
}

/* Ongaro, raft-dev 2015: before a record of the own term is committed, an older leader's change may
 * still be overwritten, or committed. */
static void test_membership_waits_for_a_record_of_its_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    while (cluster_status(cluster, 1).role != RAFT_LEADER)
        cluster_deliver(cluster, 0);
    assert_int_equal(members_ask(cluster, 1, "1 2 3"), ERR_BUSY);
    assert_int_equal(members_ask(cluster, 2, "1 2 3"), ERR_NOT_LEADER);
    cluster_settle(cluster);
    ask(cluster, 1, "1 2 3");
    cluster_free(cluster);
}

static void test_membership_changes_one_after_the_other(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    ask(cluster, 1, "1 2 3 ?4");
    assert_int_equal(members_ask(cluster, 1, "1 2 3 ?4 ?5"), ERR_BUSY); /* not committed yet */
    cluster_settle(cluster);
    ask(cluster, 1, "1 2 3 4");
    const struct raft_configuration joint = *cluster_configuration(cluster, 1);
    struct raft_configuration alone;
    raft_configuration_leave_joint(&joint, &alone);
    assert_int_equal(cluster_reconfigure(cluster, 1, &alone), ERR_BUSY); /* nor by hand */
    cluster_isolate(cluster, 1, true);
    cluster_settle(cluster);
    assert_int_equal(cluster_reconfigure(cluster, 1, &joint), ERR_BUSY);
    cluster_isolate(cluster, 1, false);
    cluster_run(cluster, 30 * MS);
    ask(cluster, 1, "1 2 3 4 ?5");
    cluster_free(cluster);
}

static void test_membership_and_transfer_exclude_each_other(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    cluster_isolate(cluster, 2, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_transfer(cluster, 1, 2), OK);
    assert_int_equal(members_ask(cluster, 1, "1 2 3 ?4"), ERR_BUSY);
    cluster_run(cluster, 110 * MS);
    ask(cluster, 1, "1 2 3 ?4");
    cluster_settle(cluster);
    assert_int_equal(cluster_transfer(cluster, 1, 4), ERR_ARGUMENT); /* a learner leads nothing */
    cluster_free(cluster);
}

/* Leadership goes to who stays, and by itself to the best of those. */
static void test_membership_transfer_goes_to_who_stays(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 4");
    assert_int_equal(cluster_transfer(cluster, 1, 3), ERR_ARGUMENT);
    assert_int_equal(cluster_transfer(cluster, 1, 4), OK);
    cluster_run(cluster, 300 * MS);
    assert_int_equal(cluster_leader(cluster), 4);
    assert_true(members_are(cluster, 4, "1 2 4"));
    cluster_free(cluster);
}

static void test_membership_refuses_what_may_not_follow(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    struct raft_configuration bad;
    const struct raft_configuration good = *cluster_configuration(cluster, 1);
    const struct raft_member other = {.storage = cluster_storage(4), .membership = RAFT_VOTER};
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        bad = good;                                                                                \
        change;                                                                                    \
        assert_int_equal(cluster_reconfigure(cluster, 1, &bad), ERR_ARGUMENT);                     \
    } while (0)
    REFUSED(bad.cluster++);
    REFUSED(bad.era++);
    REFUSED(bad.members[2] = other);                   /* another storage in the slot */
    REFUSED(bad.members[2] = (struct raft_member){0}); /* a voter goes, and not by a joint one */
    REFUSED((bad.members[3] = other, bad.slot_count = 4));
    REFUSED(bad.members[0].membership = RAFT_LEARNER);
    REFUSED(bad.members[0].storage.id = 2);
#undef REFUSED
    assert_int_equal(cluster_status(cluster, 1).last_index, 1);
    cluster_free(cluster);
}

/* Thesis 4.1 and 4.2.4: votes are given to who asks, by a node that does not know that it has one.
 * Without that, nobody could be elected here. */
static void test_membership_voter_that_does_not_know_votes(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 2);
    ask(cluster, 1, "1 2 ?3 ?4");
    cluster_run(cluster, 30 * MS);
    cluster_isolate(cluster, 4, true);
    ask(cluster, 1, "1 2 3 4");
    cluster_run(cluster, 30 * MS);
    assert_true(members_are(cluster, 3, "1 2 3 4"));
    assert_true(members_are(cluster, 4, "1 2 ?3 ?4"));
    cluster_isolate(cluster, 4, false);
    cluster_crash(cluster, 1);
    cluster->packet_count = 0;
    cluster_run(cluster, 1000 * MS); /* 2, 3 and 4 are the majority of four */
    assert_in_range(cluster_leader(cluster), 2, 3);
    assert_int_equal(cluster_status(cluster, 4).membership, RAFT_VOTER);
    cluster_free(cluster);
}

static void test_membership_stranger_votes_too(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 4, 2);
    message.vote_request.last_index = 1;
    message.vote_request.last_term = 1;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[4].effects.after[0].vote_reply.is_granted);
    assert_int_equal(cluster->nodes[4].durable->hard_state.vote, 3);
    cluster_free(cluster);
}

/* A vote is one for a storage: the other one of the same node does not get it, too. */
static void test_membership_vote_names_a_storage(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 1);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    message.from.birth = 103;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster->nodes[2].effects.now_count, 1);
    assert_false(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    assert_int_equal(cluster->nodes[2].durable->hard_state.vote, 3);
    message.from.birth = 3;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    cluster_free(cluster);
}

static void test_membership_survives_restarts(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 4");
    cluster_run(cluster, 30 * MS);
    assert_int_equal(commit_index(cluster, 4), 3);
    for (uint16_t id = 1; id <= 4; id++)
        restart(cluster, id);
    for (uint16_t id = 1; id <= 2; id++)
        assert_true(members_are(cluster, id, "1 2 4"));
    assert_true(members_are(cluster, 4, "1 2 4"));
    cluster_crash(cluster, 3);
    cluster_crash(cluster, 1);
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_membership_learner_has_the_log_and_no_say),
        cmocka_unit_test(test_membership_progress_is_of_who_is_reached),
        cmocka_unit_test(test_membership_learner_elects_nobody),
        cmocka_unit_test(test_membership_adds_a_voter),
        cmocka_unit_test(test_membership_replaces_a_lost_storage),
        cmocka_unit_test(test_membership_replaced_storage_counts_for_nothing),
        cmocka_unit_test(test_membership_removed_leader_steps_down),
        cmocka_unit_test(test_membership_removed_node_disturbs_nobody),
        cmocka_unit_test(test_membership_removed_node_that_does_not_know_disturbs_nobody),
        cmocka_unit_test(test_membership_removed_node_counts_for_nothing),
        cmocka_unit_test(test_membership_waits_for_a_record_of_its_term),
        cmocka_unit_test(test_membership_changes_one_after_the_other),
        cmocka_unit_test(test_membership_and_transfer_exclude_each_other),
        cmocka_unit_test(test_membership_transfer_goes_to_who_stays),
        cmocka_unit_test(test_membership_refuses_what_may_not_follow),
        cmocka_unit_test(test_membership_voter_that_does_not_know_votes),
        cmocka_unit_test(test_membership_stranger_votes_too),
        cmocka_unit_test(test_membership_vote_names_a_storage),
        cmocka_unit_test(test_membership_survives_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
