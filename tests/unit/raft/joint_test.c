/*
 * Joint configurations (paper 6, thesis 4.3): both halves decide, and what a crash or a truncation
 * leaves of a change.
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

/* Delivers everything but the news that somebody has record `index`. */
static void deliver_unacknowledged(struct cluster *cluster, uint64_t index)
{
    while (cluster->packet_count > 0) {
        const struct raft_message *message = &cluster->packets[0].message;
        if (message->type == RAFT_APPEND_REPLY && message->append_reply.is_success &&
            message->append_reply.match_index >= index)
            cluster_drop(cluster, 0);
        else
            cluster_deliver(cluster, 0);
    }
}

/* The new half without a majority: what is not committed in both is not committed. */
static void test_joint_commits_in_both_halves(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(6, 3);
    ask(cluster, 1, "1 5 6"); /* 2 and 3 go */
    assert_true(members_are(cluster, 1, "1 -2 -3 +5 +6"));
    assert_int_equal(cluster_receive(cluster, acknowledgement(2, 2, 2), NULL), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 2), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 1); /* the old half is not enough */
    assert_int_equal(cluster_receive(cluster, acknowledgement(5, 5, 2), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 2);
    assert_true(members_are(cluster, 1, "1 5 6"));
    assert_int_equal(cluster_status(cluster, 1).last_index, 3);
    assert_int_equal(cluster_receive(cluster, acknowledgement(2, 2, 3), NULL), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 3), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 2); /* they are gone */
    assert_int_equal(cluster_receive(cluster, acknowledgement(6, 6, 3), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 3);
    cluster_free(cluster);
}

static void test_joint_needs_its_old_half(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(6, 3);
    ask(cluster, 1, "1 5 6");
    assert_int_equal(cluster_receive(cluster, acknowledgement(5, 5, 2), NULL), OK);
    assert_int_equal(cluster_receive(cluster, acknowledgement(6, 6, 2), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 1);
    assert_int_equal(cluster_receive(cluster, acknowledgement(3, 3, 2), NULL), OK);
    assert_int_equal(commit_index(cluster, 1), 2);
    cluster_free(cluster);
}

/* Without an acknowledgement of the change's record the next leader overwrites it. */
static void test_joint_truncation_takes_a_change_back(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    ask(cluster, 1, "1 2 3 ?4");
    cluster_run(cluster, 30 * MS);
    cluster_isolate(cluster, 1, true);
    ask(cluster, 1, "1 5 ?4");
    assert_true(members_are(cluster, 1, "1 -2 -3 ?4 +5"));
    cluster_run(cluster, 1000 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_in_range(leader, 2, 3);
    cluster_isolate(cluster, 1, false);
    cluster_run(cluster, 100 * MS);
    for (uint16_t id = 1; id <= 4; id++)
        assert_true(members_are(cluster, id, "1 2 3 ?4"));
    assert_false(cluster_status(cluster, 5).is_formed);
    cluster_check_log_matching(cluster);
    ask(cluster, leader, "1 2 3 4 ?5"); /* and changes go on from there */
    cluster_run(cluster, 100 * MS);
    for (uint16_t id = 1; id <= 5; id++)
        assert_true(members_are(cluster, id, "1 2 3 4 ?5"));
    cluster_free(cluster);
}

/* A request against a configuration that is known to be committed comes from no leader. */
static void test_joint_committed_change_is_not_truncated(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    ask(cluster, 1, "1 2");
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 2).last_index, 3);
    restart(cluster, 2); /* it does not know what is committed */
    assert_int_equal(commit_index(cluster, 2), 0);
    assert_true(members_are(cluster, 2, "1 2"));
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 3, 2, 2);
    message.append_request.previous_index = 1;
    message.append_request.previous_term = 1;
    message.append_request.entry_count = 1;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){2}), ERR_RANGE);
    message.append_request.previous_index = 2; /* the newest one may be taken back */
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){2}), OK);
    assert_true(members_are(cluster, 2, "1 2 -3"));
    message.append_request.previous_index = 1; /* but not the one before it, then as before */
    message.term = 3;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3}), ERR_RANGE);
    cluster_free(cluster);
}

/* The leader crashes when the joint configuration is on a majority: the next one leaves it. */
static void test_joint_next_leader_leaves_the_joint_configuration(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    ask(cluster, 1, "1 2 4 5");
    deliver_unacknowledged(cluster, 2);
    assert_true(members_are(cluster, 2, "1 2 -3 +4 +5"));
    cluster_crash(cluster, 1);
    cluster->packet_count = 0;
    cluster_run(cluster, 2000 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_int_not_equal(leader, 0);
    assert_true(members_are(cluster, leader, "1 2 4 5"));
    assert_int_equal(commit_index(cluster, leader), 4); /* noop, joint, no-op, alone */
    cluster_start(cluster, 1, false);
    cluster_run(cluster, 300 * MS);
    assert_true(members_are(cluster, 1, "1 2 4 5"));
    cluster_free(cluster);
}

/* An election in a joint configuration asks both halves. */
static void test_joint_election_needs_both_halves(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    ask(cluster, 1, "1 4 5");
    deliver_unacknowledged(cluster, 2);
    for (uint16_t id = 1; id <= 5; id++)
        cluster_crash(cluster, id);
    cluster->packet_count = 0;
    for (uint16_t id = 1; id <= 3; id++)
        cluster_start(cluster, id, false);
    assert_true(members_are(cluster, 1, "1 -2 -3 +4 +5"));
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0); /* the whole old half, one of the new */
    cluster_crash(cluster, 2);
    cluster_crash(cluster, 3);
    cluster_start(cluster, 4, false);
    cluster_start(cluster, 5, false);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0); /* the whole new half, one of the old */
    cluster_start(cluster, 2, false);
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_true(members_are(cluster, cluster_leader(cluster), "1 4 5"));
    cluster_free(cluster);
}

/*
 * Thesis 4.2.2: node 1 removed itself, and crashed when only it had the record. Node 3 is gone, so
 * the old half, 1, 3, 4 and 5, needs the vote of 1; and 1 does not vote for who has a shorter log.
 * It has to campaign itself, and counts no vote of its own.
 */
static void test_joint_removed_leader_finishes_its_removal(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 5);
    ask(cluster, 1, "1 3 4 5");
    cluster_run(cluster, 30 * MS);
    ask(cluster, 1, "2 4 5");
    deliver_unacknowledged(cluster, 4);
    assert_true(members_are(cluster, 5, "-1 +2 -3 4 5"));
    for (uint16_t id = 4; id <= 5; id++) {
        const struct raft_message reply = acknowledgement(id, id, 4);
        assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    }
    assert_true(members_are(cluster, 1, "2 4 5"));
    assert_int_equal(cluster_status(cluster, 1).last_index, 5);
    cluster->packet_count = 0;
    cluster_crash(cluster, 1);
    cluster_crash(cluster, 3);
    cluster_start(cluster, 1, false);
    assert_int_equal(cluster_status(cluster, 1).membership, RAFT_NO_MEMBER);
    cluster_run(cluster, 2000 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_int_not_equal(leader, 0);
    assert_int_not_equal(leader, 1); /* it led until its removal was committed */
    assert_true(members_are(cluster, leader, "2 4 5"));
    assert_true(cluster_status(cluster, leader).commit_index > 5);
    cluster_free(cluster);
}

/* Of two storages of one node only the newer is there: nothing is sent to the other. */
static void test_joint_node_does_not_send_to_itself(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(3, 3);
    cluster_crash(cluster, 3);
    cluster_lose(cluster, 3);
    cluster_start(cluster, 3, false);
    ask(cluster, 1, "1 2 3'103");
    deliver_unacknowledged(cluster, 2);
    assert_true(members_are(cluster, 3, "1 2 -3 +3'103"));
    cluster_crash(cluster, 1);
    cluster->now_ns += 300 * MS;
    assert_int_equal(cluster_tick(cluster, 3), OK);
    assert_int_equal(cluster_status(cluster, 3).role, RAFT_PRE_CANDIDATE);
    assert_true(cluster_find(cluster, RAFT_VOTE_REQUEST, 2, 0) != UINT32_MAX);
    assert_true(cluster_find(cluster, RAFT_VOTE_REQUEST, 3, 0) == UINT32_MAX);
    cluster_start(cluster, 1, false);
    while (cluster_status(cluster, 3).role != RAFT_LEADER) {
        if (cluster->packet_count == 0) {
            cluster->now_ns += 300 * MS;
            assert_int_equal(cluster_tick(cluster, 3), OK);
        }
        cluster_deliver(cluster, 0);
    }
    cluster->now_ns += 10 * MS;
    assert_int_equal(cluster_tick(cluster, 3), OK);
    assert_true(cluster_find(cluster, RAFT_APPEND_REQUEST, 3, 0) == UINT32_MAX);
    assert_true(raft_deadline_ns(cluster->nodes[3].raft) > cluster->now_ns);
    cluster_free(cluster);
}

/* Thesis 6.4 in a joint configuration. */
static void test_joint_read_needs_both_halves(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 3);
    ask(cluster, 1, "1 4 5");
    cluster->packet_count = 0;
    assert_int_equal(cluster_read(cluster, 1, 7), OK);
    uint64_t round = cluster->packets[0].message.append_request.round;
    struct raft_message answer = acknowledgement(2, 2, 1);
    answer.append_reply.round = round;
    for (uint16_t id = 2; id <= 3; id++) {
        answer.from = cluster_storage(id);
        assert_int_equal(cluster_receive(cluster, answer, NULL), OK);
        assert_int_equal(cluster->nodes[1].effects.read_released_id, 0);
    }
    answer.from = cluster_storage(5);
    assert_int_equal(cluster_receive(cluster, answer, NULL), OK);
    assert_int_equal(cluster->nodes[1].effects.read_released_id, 7);
    assert_int_equal(cluster->nodes[1].effects.read_released_index, 1);
    cluster_free(cluster);
}

/* A learner's echo confirms nothing. */
static void test_joint_read_is_not_confirmed_by_a_learner(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(4, 3);
    ask(cluster, 1, "1 2 3 ?4");
    cluster_run(cluster, 30 * MS);
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_read(cluster, 1, 7), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster->nodes[1].effects.read_released_id, 0);
    cluster_free(cluster);
}

/* Thesis 6.2 in a joint configuration: the new half that is cut off deposes the leader. */
static void test_joint_check_quorum_asks_both_halves(void **state)
{
    (void)state;
    for (uint32_t cut = 0; cut < 2; cut++) {
        struct cluster *cluster = new_led_of(5, 3);
        ask(cluster, 1, "1 4 5");
        uint64_t start_ns = cluster->now_ns;
        for (uint16_t i = 0; i < 2; i++)
            cluster_isolate(cluster, (uint16_t)(2 + 2 * cut + i), true);
        cluster_run(cluster, 90 * MS);
        assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
        assert_true(members_are(cluster, 1, "1 -2 -3 +4 +5"));
        assert_true(cluster_status(cluster, 1).leader_contact_ns <= start_ns);
        cluster_run(cluster, 30 * MS);
        assert_int_not_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
        cluster_free(cluster);
    }
}

/* Members that were never heard of have an election timeout to answer. */
static void test_joint_new_half_has_time_to_answer(void **state)
{
    (void)state;
    struct cluster *cluster = new_led_of(5, 1);
    cluster_run(cluster, 500 * MS);
    for (uint16_t id = 2; id <= 5; id++)
        cluster_isolate(cluster, id, true);
    ask(cluster, 1, "1 2 3 4 5");
    cluster_run(cluster, 85 * MS);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    for (uint16_t id = 2; id <= 5; id++)
        cluster_isolate(cluster, id, false);
    cluster_run(cluster, 100 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    assert_true(members_are(cluster, 5, "1 2 3 4 5"));
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joint_commits_in_both_halves),
        cmocka_unit_test(test_joint_needs_its_old_half),
        cmocka_unit_test(test_joint_truncation_takes_a_change_back),
        cmocka_unit_test(test_joint_committed_change_is_not_truncated),
        cmocka_unit_test(test_joint_next_leader_leaves_the_joint_configuration),
        cmocka_unit_test(test_joint_election_needs_both_halves),
        cmocka_unit_test(test_joint_removed_leader_finishes_its_removal),
        cmocka_unit_test(test_joint_node_does_not_send_to_itself),
        cmocka_unit_test(test_joint_read_needs_both_halves),
        cmocka_unit_test(test_joint_read_is_not_confirmed_by_a_learner),
        cmocka_unit_test(test_joint_check_quorum_asks_both_halves),
        cmocka_unit_test(test_joint_new_half_has_time_to_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
