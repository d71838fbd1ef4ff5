/*
 * A candidate whose medium is slow: its requests leave before its vote is durable, and its vote
 * counts afterwards (docs/consensus.md, "Elections on slow media").
 */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void time_out(struct cluster *cluster, uint16_t id)
{
    if (raft_deadline_ns(cluster->nodes[id].raft) > cluster->now_ns)
        cluster->now_ns = raft_deadline_ns(cluster->nodes[id].raft);
    assert_int_equal(cluster_tick(cluster, id), OK);
}

/* Node 1 has won its pre-vote, and nothing that it writes becomes durable. */
static struct cluster *new_candidate(uint32_t node_count)
{
    struct cluster *cluster = cluster_new(node_count);
    cluster->nodes[1].is_manual = true;
    time_out(cluster, 1);
    while (cluster_status(cluster, 1).role != RAFT_CANDIDATE)
        cluster_deliver(cluster, 0);
    return cluster;
}

static void test_candidacy_asks_at_once(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_true(effects->hard_state_changed);
    assert_int_equal(effects->hard_state.term, 1);
    assert_int_equal(effects->hard_state.vote, 1);
    assert_int_equal(effects->now_count, 2);
    assert_int_equal(effects->after_count, 0);
    assert_false(effects->now[0].vote_request.is_pre_vote);
    cluster_free(cluster);
}

/* Not even with the votes of all others: its own term could be lost in a crash. */
static void test_candidacy_is_not_won_before_it_is_durable(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(5);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    for (uint16_t id = 2; id <= 5; id++)
        assert_int_equal(cluster->nodes[id].durable->hard_state.vote, 1);
    cluster_drain(cluster, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    cluster_free(cluster);
}

/* The votes come after its own: each counts once. */
static void test_candidacy_counts_its_own_vote_once(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(5);
    cluster_drain(cluster, 1);
    cluster_drain(cluster, 1);
    struct raft_message grant = cluster_message(RAFT_VOTE_REPLY, 2, 1, 1);
    grant.vote_reply.is_granted = true;
    assert_int_equal(cluster_receive(cluster, grant, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    grant.from = cluster_storage(3);
    assert_int_equal(cluster_receive(cluster, grant, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    cluster_free(cluster);
}

/* Power is lost before the vote is durable: it was counted nowhere, and may go to another. */
static void test_candidacy_that_was_lost_binds_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    cluster->packet_count = 0;
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1, false);
    cluster->nodes[1].is_manual = false;
    assert_int_equal(cluster_status(cluster, 1).term, 0);
    struct raft_message request = cluster_message(RAFT_VOTE_REQUEST, 3, 1, 1);
    assert_int_equal(cluster_receive(cluster, request, NULL), OK);
    assert_int_equal(cluster->nodes[1].durable->hard_state.vote, 3);
    cluster_free(cluster);
}

static struct raft_message take(struct cluster *cluster, enum raft_message_type type, uint16_t to)
{
    uint32_t at = cluster_find(cluster, type, to, 0);
    assert_int_not_equal(at, UINT32_MAX);
    struct raft_message message = cluster->packets[at].message;
    cluster_drop(cluster, at);
    return message;
}

/*
 * Node 1 has lost, in a crash, term 2 and a record that is committed on nodes 2 and 3, and asks in
 * term 2 again. From its first candidacy are left node 3's answers to pre-vote and vote.
 */
static struct cluster *new_second_candidacy(struct raft_message *ret_grant)
{
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[1].options.election_timeout_min_ns = 150 * MS;
    cluster->nodes[1].options.election_timeout_max_ns = 150 * MS;
    cluster_crash(cluster, 1);
    cluster_start(cluster, 1, false);
    cluster_run(cluster, 125 * MS); /* node 2 leads */
    cluster->nodes[1].is_manual = true;
    assert_int_equal(cluster_propose(cluster, 2), OK);
    cluster_settle(cluster);
    cluster_isolate(cluster, 2, true);
    time_out(cluster, 1);
    assert_int_equal(cluster_receive(cluster, take(cluster, RAFT_VOTE_REQUEST, 3), NULL), OK);
    struct raft_message pre_grant = take(cluster, RAFT_VOTE_REPLY, 1);
    assert_int_equal(cluster_receive(cluster, pre_grant, NULL), OK);
    assert_int_equal(cluster_receive(cluster, take(cluster, RAFT_VOTE_REQUEST, 3), NULL), OK);
    *ret_grant = take(cluster, RAFT_VOTE_REPLY, 1);
    assert_true(ret_grant->vote_reply.is_granted);
    assert_int_equal(ret_grant->vote_reply.last_index, 2);

    cluster_crash(cluster, 1);
    cluster_start(cluster, 1, false);
    assert_int_equal(cluster_status(cluster, 1).last_index, 1);
    time_out(cluster, 1);
    cluster->packet_count = 0;
    assert_int_equal(cluster_receive(cluster, pre_grant, NULL), OK); /* the network was late */
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    assert_int_equal(cluster_status(cluster, 1).term, 2);
    cluster_drain(cluster, 1);
    return cluster;
}

static void test_candidacy_ignores_votes_for_a_log_that_it_lost(void **state)
{
    (void)state;
    struct raft_message grant;
    struct cluster *cluster = new_second_candidacy(&grant);
    assert_int_equal(cluster_receive(cluster, grant, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    cluster_free(cluster);
}

static void test_candidacy_repeated_is_judged_anew(void **state)
{
    (void)state;
    struct raft_message grant;
    struct cluster *cluster = new_second_candidacy(&grant);
    assert_int_equal(cluster_receive(cluster, take(cluster, RAFT_VOTE_REQUEST, 3), NULL), OK);
    assert_false(take(cluster, RAFT_VOTE_REPLY, 1).vote_reply.is_granted);
    cluster_free(cluster);
}

static void test_candidacy_refuses_answers_that_contradict_themselves(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    struct raft_message reply = cluster_message(RAFT_VOTE_REPLY, 2, 1, 1);
    reply.vote_reply.last_index = 1;
    assert_int_equal(cluster_receive(cluster, reply, NULL), ERR_RANGE); /* without a term */
    reply.term = 3;
    reply.vote_reply.last_term = 2;
    assert_int_equal(cluster_receive(cluster, reply, NULL), ERR_RANGE); /* granted nothing */
    reply.vote_reply.is_granted = true;
    reply.vote_reply.last_term = 3;
    assert_int_equal(cluster_receive(cluster, reply, NULL), ERR_RANGE); /* a record of its term */
    reply.vote_reply.last_term = 2;
    reply.vote_reply.last_index = INDEX_MAX + 1;
    assert_int_equal(cluster_receive(cluster, reply, NULL), ERR_RANGE);
    cluster_free(cluster);
}

/* An election is under way until this node's vote is durable: the node neither begins another nor
 * helps one. */
static void test_candidacy_is_waited_for_while_the_vote_is_written(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[2].is_manual = true;
    assert_int_equal(cluster_receive(cluster, cluster_message(RAFT_VOTE_REQUEST, 1, 2, 1), NULL),
                     OK);
    for (int i = 0; i < 3; i++) {
        time_out(cluster, 2);
        assert_int_equal(cluster_status(cluster, 2).role, RAFT_FOLLOWER);
    }
    struct raft_message pre_vote = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 2);
    pre_vote.vote_request.is_pre_vote = true;
    assert_int_equal(cluster_receive(cluster, pre_vote, NULL), OK);
    assert_false(take(cluster, RAFT_VOTE_REPLY, 3).vote_reply.is_granted);

    cluster->now_ns += 50 * MS;
    cluster_drain(cluster, 2);
    assert_true(raft_deadline_ns(cluster->nodes[2].raft) == cluster->now_ns + 120 * MS);
    assert_int_equal(cluster_receive(cluster, pre_vote, NULL), OK);
    assert_true(take(cluster, RAFT_VOTE_REPLY, 3).vote_reply.is_granted);
    time_out(cluster, 2);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_PRE_CANDIDATE);
    cluster_free(cluster);
}

/* The longest of many waits that node 2 draws after voting in each of `count` terms, `write_ns`
 * each. */
static uint64_t longest_wait_ns(uint32_t count, uint64_t write_ns, bool has_leader)
{
    uint64_t longest_ns = 0;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        struct cluster *cluster = cluster_new(3);
        cluster->nodes[2].options.seed = seed;
        cluster_crash(cluster, 2);
        cluster_start(cluster, 2, false);
        cluster->nodes[2].is_manual = true;
        for (uint64_t term = 1; term <= count; term++) {
            struct raft_message request = cluster_message(RAFT_VOTE_REQUEST, 1, 2, term);
            assert_int_equal(cluster_receive(cluster, request, NULL), OK);
            cluster->now_ns += write_ns;
            cluster_drain(cluster, 2);
        }
        if (has_leader)
            assert_int_equal(
                cluster_receive(cluster, cluster_message(RAFT_APPEND_REQUEST, 1, 2, count), NULL),
                OK);
        uint64_t wait_ns = raft_deadline_ns(cluster->nodes[2].raft) - cluster->now_ns;
        assert_true(wait_ns >= 120 * MS);
        if (wait_ns > longest_ns)
            longest_ns = wait_ns;
        cluster_free(cluster);
    }
    return longest_ns;
}

static void test_candidacy_backs_off_by_the_time_of_a_vote(void **state)
{
    (void)state;
    assert_true(longest_wait_ns(1, 200 * MS, false) == 120 * MS);
    uint64_t previous_ns = 120 * MS;
    for (uint32_t count = 2; count <= 5; count++) { /* 200, 400, 800, 1600 ms more at most */
        uint64_t most_ns = (200 * MS << (count - 2)) + 120 * MS;
        uint64_t longest_ns = longest_wait_ns(count, 200 * MS, false);
        assert_true(longest_ns > previous_ns && longest_ns <= most_ns);
        assert_true(longest_ns > most_ns * 3 / 4);
        previous_ns = longest_ns;
    }
    /* It ends at 16 of the longest timeout, however slow the medium. */
    assert_true(longest_wait_ns(60, 5000 * MS, false) <= 17 * 120 * MS);
    /* A leader ends it, and a fast medium has none to speak of. */
    assert_true(longest_wait_ns(5, 200 * MS, true) == 120 * MS);
    assert_true(longest_wait_ns(60, MS / 50, false) <= 121 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidacy_asks_at_once),
        cmocka_unit_test(test_candidacy_is_not_won_before_it_is_durable),
        cmocka_unit_test(test_candidacy_counts_its_own_vote_once),
        cmocka_unit_test(test_candidacy_that_was_lost_binds_nobody),
        cmocka_unit_test(test_candidacy_ignores_votes_for_a_log_that_it_lost),
        cmocka_unit_test(test_candidacy_repeated_is_judged_anew),
        cmocka_unit_test(test_candidacy_refuses_answers_that_contradict_themselves),
        cmocka_unit_test(test_candidacy_is_waited_for_while_the_vote_is_written),
        cmocka_unit_test(test_candidacy_backs_off_by_the_time_of_a_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
