/*
 * Suspect tails (Alagappan et al., FAST'18): a node that may have lost acknowledged records says so
 * in its votes, and no election may be decided by what it forgot.
 */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void restart_suspect(struct cluster *cluster, uint16_t id)
{
    cluster_crash(cluster, id);
    cluster_start(cluster, id, true);
}

static void test_suspect_says_so_in_its_votes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    restart_suspect(cluster, 2);
    assert_true(cluster_status(cluster, 2).is_tail_suspect);
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 1, 2, 1);
    message.vote_request.is_pre_vote = true;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    assert_true(cluster->nodes[2].effects.now[0].vote_reply.is_suspect);
    message.vote_request.is_pre_vote = false;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_suspect);
    cluster_free(cluster);
}

/* One clean and one suspect vote of three: the missing node may be the only one that remembers. */
static void test_suspect_votes_make_no_majority(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    restart_suspect(cluster, 2);
    cluster_crash(cluster, 3);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_start(cluster, 3, true); /* all voters together are everything there is */
    cluster_run(cluster, 1000 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    for (uint16_t id = 1; id <= 3; id++)
        assert_false(cluster_status(cluster, id).is_tail_suspect);
    cluster_free(cluster);
}

/* The candidate's own vote is clean only if its own tail is. */
static void test_suspect_candidate_needs_a_clean_majority(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    restart_suspect(cluster, 1);
    cluster_crash(cluster, 3);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    cluster_start(cluster, 3, false);
    cluster_run(cluster, 500 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    assert_false(cluster_status(cluster, 1).is_tail_suspect);
    cluster_free(cluster);
}

static void test_suspect_leads_alone(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(1);
    restart_suspect(cluster, 1);
    cluster_run(cluster, 200 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_false(cluster_status(cluster, 1).is_tail_suspect);
    cluster_free(cluster);
}

/* Four tails of five may be torn: the leader needs everybody. */
static void test_suspect_all_decide_where_all_are_suspect(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(5);
    for (uint16_t id = 1; id <= 4; id++)
        restart_suspect(cluster, id);
    cluster_crash(cluster, 5);
    cluster_run(cluster, 3000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_start(cluster, 5, true);
    while (cluster_leader(cluster) == 0)
        cluster_run(cluster, 1 * MS);
    cluster_run(cluster, 25 * MS); /* the first record, and a heartbeat that calls it committed */
    for (uint16_t id = 1; id <= 5; id++)
        assert_false(cluster_status(cluster, id).is_tail_suspect);
    cluster_free(cluster);
}

/* What it voted is lost, too, so it stands by the leader that it found. */
static void test_suspect_votes_for_its_leader_when_settled(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_crash(cluster, 2);
    cluster_write(cluster, 2, (struct raft_hard_state){0}, (const uint64_t[]){0});
    cluster_start(cluster, 2, true);
    cluster_run(cluster, 30 * MS);
    assert_false(cluster_status(cluster, 2).is_tail_suspect);
    assert_int_equal(cluster->nodes[2].durable->hard_state.term, 1);
    assert_int_equal(cluster->nodes[2].durable->hard_state.vote, 1);
    cluster_crash(cluster, 2);
    cluster_start(cluster, 2, false);
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 1);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_false(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    cluster_free(cluster);
}

/* What node 2 says of itself; asked by a heartbeat that it must reject. */
static uint32_t suspicion_of_2(struct cluster *cluster, uint64_t term)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, term);
    message.append_request.previous_index = 100;
    message.append_request.previous_term = term;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    const struct raft_message *reply =
        effects->now_count > 0 ? &effects->now[0] : &effects->after[0];
    assert_int_not_equal(reply->append_reply.suspicion, 0);
    return reply->append_reply.suspicion;
}

static struct raft_message append_request(uint32_t suspicion, uint64_t term,
                                          uint64_t previous_index, uint64_t previous_term,
                                          uint64_t commit_index)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, term);
    message.append_request.previous_index = previous_index;
    message.append_request.previous_term = previous_term;
    message.append_request.commit_index = commit_index;
    message.append_request.suspicion = suspicion; /* the leader knows */
    return message;
}

/* A committed record of a later leader's own term lies behind everything that was ever
 * acknowledged. */
static void test_suspect_is_cleared_by_a_verified_commit(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 2);
    cluster_write(cluster, 2, (struct raft_hard_state){.term = 2}, (const uint64_t[]){1, 2, 0});
    cluster_start(cluster, 2, true);
    uint32_t suspicion = suspicion_of_2(cluster, 3);
    struct raft_message message = append_request(suspicion, 3, 2, 2, 2);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster_status(cluster, 2).is_tail_suspect); /* committed, but of an older term */
    message = append_request(suspicion, 3, 2, 2, 2);
    message.append_request.entry_count = 1;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3}), OK);
    assert_true(cluster_status(cluster, 2).is_tail_suspect); /* verified, not committed */
    message = append_request(suspicion, 3, 3, 3, 4);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster_status(cluster, 2).is_tail_suspect); /* committed further than verified */
    message = append_request(suspicion, 3, 3, 3, 3);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_false(cluster_status(cluster, 2).is_tail_suspect);
    cluster_free(cluster);
}

/*
 * Node 2 acknowledges record 2 and loses it; the acknowledgement is still on its way. Its leader,
 * of the same term, knows of the loss before it counts it, so node 2 is trusted again as soon as it
 * has what is committed, and record 2 is committed only when it has that again.
 */
static void test_suspect_is_cleared_within_its_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    struct raft_message late =
        cluster->packets[cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0)].message;
    assert_int_equal(late.append_reply.match_index, 2);
    cluster->packet_count = 0;

    cluster_crash(cluster, 2);
    cluster->nodes[2].durable->last = 1;
    cluster_start(cluster, 2, true);
    cluster->now_ns += 10 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0));
    assert_true(cluster_status(cluster, 2).is_tail_suspect);
    assert_int_equal(cluster_receive(cluster, late, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    cluster_run(cluster, 30 * MS);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    assert_false(cluster_status(cluster, 2).is_tail_suspect);
    /* It counts again: with its vote the cluster outlives the leader. */
    cluster_isolate(cluster, 3, false);
    cluster_crash(cluster, 1);
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_leader(cluster), 2);
    assert_true(cluster_status(cluster, 2).commit_index > 2);
    cluster_free(cluster);
}

/*
 * Node 2 was suspect before, and trusted again; a copy of the request that knew of it is late. Then
 * it acknowledges record 2, which is committed with it, and loses it. The copy shows it a committed
 * record 1 of the same leader. Were node 2 trusted for that, it could elect node 3 without
 * record 2.
 */
static void test_suspect_is_not_cleared_by_what_was_known_of_an_earlier_start(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    restart_suspect(cluster, 2);
    struct raft_message copy = {.append_request = {.suspicion = 0}};
    for (uint32_t i = 0; i < 1000 && copy.append_request.suspicion == 0; i++) {
        if (cluster->packet_count == 0) {
            cluster->now_ns += 10 * MS;
            assert_int_equal(cluster_tick(cluster, 1), OK);
        }
        uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
        if (at != UINT32_MAX)
            copy = cluster->packets[at].message;
        cluster_deliver(cluster, 0);
    }
    assert_int_not_equal(copy.append_request.suspicion, 0);
    assert_int_equal(copy.append_request.commit_index, 1);
    cluster_run(cluster, 30 * MS);
    assert_false(cluster_status(cluster, 2).is_tail_suspect);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_run(cluster, 30 * MS);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);

    cluster->nodes[2].options.seed = 99; /* of its next start */
    cluster_crash(cluster, 2);
    cluster->packet_count = 0;
    cluster->nodes[2].durable->last = 1;
    cluster_start(cluster, 2, true);
    assert_int_equal(cluster_receive(cluster, copy, NULL), OK);
    assert_true(cluster_status(cluster, 2).is_tail_suspect);
    cluster_crash(cluster, 1);
    cluster->packet_count = 0;
    cluster_isolate(cluster, 3, false);
    cluster_run(cluster, 2000 * MS);
    assert_int_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

/*
 * A late copy of the term's first request reaches node 2 after it lost its log, so it has nothing
 * to reject, and the next heartbeat shows it that all it has is committed. Were it trusted then,
 * its old acknowledgement of record 2, still on its way, would commit what only node 1 has.
 */
static void test_suspect_is_not_cleared_before_its_leader_knows(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    while (cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0) == UINT32_MAX)
        cluster_deliver(cluster, 0);
    struct cluster_packet first =
        cluster->packets[cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0)];
    cluster_run(cluster, 15 * MS);
    assert_int_equal(cluster_status(cluster, 2).commit_index, 1);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    struct raft_message late =
        cluster->packets[cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0)].message;
    assert_int_equal(late.append_reply.match_index, 2);

    cluster_crash(cluster, 2);
    cluster_write(cluster, 2, (struct raft_hard_state){0}, (const uint64_t[]){0});
    cluster_start(cluster, 2, true);
    cluster->packets[0] = first;
    cluster->packet_count = 1;
    cluster_deliver(cluster, 0);
    struct raft_message reply = cluster->packets[0].message;
    assert_true(reply.append_reply.is_success);
    assert_int_not_equal(reply.append_reply.suspicion, 0);
    cluster->packet_count = 0;
    cluster->now_ns += 10 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    assert_true(cluster_status(cluster, 2).is_tail_suspect);

    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster_receive(cluster, late, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    cluster_run(cluster, 30 * MS);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    assert_false(cluster_status(cluster, 2).is_tail_suspect);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suspect_says_so_in_its_votes),
        cmocka_unit_test(test_suspect_votes_make_no_majority),
        cmocka_unit_test(test_suspect_candidate_needs_a_clean_majority),
        cmocka_unit_test(test_suspect_leads_alone),
        cmocka_unit_test(test_suspect_all_decide_where_all_are_suspect),
        cmocka_unit_test(test_suspect_votes_for_its_leader_when_settled),
        cmocka_unit_test(test_suspect_is_cleared_by_a_verified_commit),
        cmocka_unit_test(test_suspect_is_not_cleared_before_its_leader_knows),
        cmocka_unit_test(test_suspect_is_cleared_within_its_term),
        cmocka_unit_test(test_suspect_is_not_cleared_by_what_was_known_of_an_earlier_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
