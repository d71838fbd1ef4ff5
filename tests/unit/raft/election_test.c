/* Elections: paper 5.2 and 5.4.1, pre-vote (thesis 9.6), check-quorum (thesis 6.2). */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct raft_message vote_request(uint16_t from, uint16_t to, uint64_t term,
                                        uint64_t last_index, uint64_t last_term)
{
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, from, to, term);
    message.vote_request.last_index = last_index;
    message.vote_request.last_term = last_term;
    return message;
}

static struct raft_message vote_reply(uint16_t from, uint16_t to, uint64_t term, bool is_granted)
{
    struct raft_message message = cluster_message(RAFT_VOTE_REPLY, from, to, term);
    message.vote_reply.is_granted = is_granted;
    return message;
}

/* Makes node 1 a candidate of term 1 whose own vote is not durable; its requests are lost. */
static struct cluster *new_candidate(uint32_t node_count)
{
    struct cluster *cluster = cluster_new(node_count);
    cluster->nodes[1].is_manual = true;
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster->packet_count = 0;
    for (uint16_t id = 2; id <= node_count / 2 + 1; id++) {
        struct raft_message message = vote_reply(id, 1, 1, true);
        message.vote_reply.is_pre_vote = true;
        assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    }
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    cluster->packet_count = 0;
    return cluster;
}

/* Paper 5.2. */
static void test_election_elects_one_leader(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= NODES_MAX; count++) {
        struct cluster *cluster = cluster_new_led(count);
        for (uint16_t id = 1; id <= count; id++) {
            struct raft_status status = cluster_status(cluster, id);
            assert_int_equal(status.role, id == 1 ? RAFT_LEADER : RAFT_FOLLOWER);
            assert_int_equal(status.leader, 1);
            assert_int_equal(status.term, 1);
            assert_int_equal(status.has_own_commit, id == 1);
        }
        cluster_free(cluster);
    }
}

/* Thesis 9.6: asking changes nothing, here or there. */
static void test_election_pre_vote_leaves_terms_alone(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_false(effects->hard_state_changed);
    assert_true(effects->role_changed);
    assert_int_equal(effects->now_count, 2);
    assert_int_equal(effects->after_count, 0);
    assert_true(effects->now[0].vote_request.is_pre_vote);
    assert_int_equal(effects->now[0].term, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    assert_int_equal(cluster_status(cluster, 1).term, 0);

    cluster_deliver(cluster, cluster_find(cluster, RAFT_VOTE_REQUEST, 2, 0));
    effects = &cluster->nodes[2].effects;
    assert_false(effects->hard_state_changed);
    assert_int_equal(effects->now_count, 1);
    assert_true(effects->now[0].vote_reply.is_granted);
    assert_true(effects->now[0].vote_reply.is_pre_vote);
    assert_int_equal(effects->now[0].term, 1);
    cluster_free(cluster);
}

static void test_election_grants_wait_for_durability(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[2].is_manual = true;
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 1, 0, 0), NULL), OK);
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    assert_true(effects->hard_state_changed);
    assert_int_equal(effects->hard_state.vote, 1);
    assert_int_equal(effects->now_count, 0);
    assert_int_equal(effects->after_count, 1);
    /* Asked again before the drain: nothing changes, and yet the answer must wait. */
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 1, 0, 0), NULL), OK);
    assert_false(effects->hard_state_changed);
    assert_int_equal(effects->now_count, 0);
    assert_int_equal(effects->after_count, 1);
    assert_true(effects->after[0].vote_reply.is_granted);
    assert_int_equal(cluster->packet_count, 0);
    cluster_free(cluster);
}

static void test_election_vote_survives_a_crash(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 1, 0, 0), NULL), OK);
    cluster_crash(cluster, 2);
    cluster_start(cluster, 2, false);
    assert_int_equal(cluster_receive(cluster, vote_request(3, 2, 1, 0, 0), NULL), OK);
    assert_int_equal(cluster->nodes[2].effects.now_count, 1);
    assert_false(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 1, 0, 0), NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    cluster_free(cluster);
}

/* Paper 5.2: one vote a term; a refusal that carries a new term waits for it to be durable. */
static void test_election_votes_once_a_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 4, 0, 0), NULL), OK);
    assert_int_equal(cluster_receive(cluster, vote_request(3, 2, 4, 0, 0), NULL), OK);
    assert_false(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    assert_int_equal(cluster->nodes[2].effects.hard_state.vote, 1);
    assert_int_equal(cluster_receive(cluster, vote_request(3, 2, 5, 0, 0), NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    cluster_free(cluster);
}

/* Paper 5.4.1. */
static void test_election_refuses_an_outdated_log(void **state)
{
    (void)state;
    const struct {
        uint64_t last_index;
        uint64_t last_term;
        bool is_granted;
    } cases[] = {{2, 3, false}, {9, 2, false}, {0, 0, false},
                 {3, 3, true},  {4, 3, true},  {1, 4, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cluster *cluster = cluster_new(3);
        cluster_crash(cluster, 2);
        cluster_write(cluster, 2, (struct raft_hard_state){.term = 3},
                      (const uint64_t[]){1, 1, 3, 0});
        cluster_start(cluster, 2, false);
        assert_int_equal(
            cluster_receive(cluster, vote_request(1, 2, 5, cases[i].last_index, cases[i].last_term),
                            NULL),
            OK);
        const struct raft_effects *effects = &cluster->nodes[2].effects;
        assert_int_equal(effects->now_count, 0); /* the term is new either way */
        assert_int_equal(effects->after_count, 1);
        assert_int_equal(effects->after[0].vote_reply.is_granted, cases[i].is_granted);
        assert_int_equal(effects->hard_state.term, 5);
        cluster_free(cluster);
    }
}

/* A network may deliver twice; a vote is a vote once. */
static void test_election_counts_each_voter_once(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(5);
    cluster_drain(cluster, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cluster_receive(cluster, vote_reply(2, 1, 1, true), NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    assert_int_equal(cluster_receive(cluster, vote_reply(1, 1, 1, true), NULL), ERR_RANGE);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    assert_int_equal(cluster_receive(cluster, vote_reply(3, 1, 1, true), NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    assert_int_equal(cluster->nodes[1].effects.append_own, RAFT_ENTRY_NOOP);
    assert_int_equal(cluster->nodes[1].effects.append_count, 1);
    cluster_free(cluster);
}

static void test_election_ignores_answers_to_another_election(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    struct raft_message pre_vote = vote_reply(2, 1, 1, true);
    pre_vote.vote_reply.is_pre_vote = true;
    assert_int_equal(cluster_receive(cluster, pre_vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    cluster_drain(cluster, 1);
    /* Time out, ask again: answers of the last term no longer count. */
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    assert_int_equal(cluster_receive(cluster, vote_reply(2, 1, 1, true), NULL), OK);
    assert_int_equal(cluster_receive(cluster, pre_vote, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_PRE_CANDIDATE);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    cluster_free(cluster);
}

static void test_election_lost_makes_a_follower(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    assert_int_equal(cluster_receive(cluster, vote_reply(2, 1, 1, false), NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    assert_int_equal(cluster_receive(cluster, vote_reply(3, 1, 1, false), NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster->nodes[1].effects.hard_state.vote, 1);
    cluster_free(cluster);
}

/* Paper 5.2: another leader of the same term ends a candidacy. */
static void test_election_yields_to_a_leader_of_its_term(void **state)
{
    (void)state;
    struct cluster *cluster = new_candidate(3);
    struct raft_message heartbeat = cluster_message(RAFT_APPEND_REQUEST, 2, 1, 1);
    assert_int_equal(cluster_receive(cluster, heartbeat, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster_status(cluster, 1).leader, 2);
    assert_int_equal(cluster->nodes[1].effects.hard_state.vote, 1);
    cluster_free(cluster);
}

/* Thesis 4.2.3 and 6.2: who heard from a leader does not help to depose it; a transfer may. */
static void test_election_lease_refuses_votes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 2; i++) {
        struct raft_message message = vote_request(3, 2, 9, 50, 8);
        message.vote_request.is_pre_vote = i == 0;
        assert_int_equal(cluster_receive(cluster, message, NULL), OK);
        const struct raft_effects *effects = &cluster->nodes[2].effects;
        assert_false(effects->hard_state_changed);
        assert_int_equal(effects->now_count, 1);
        assert_false(effects->now[0].vote_reply.is_granted);
        message.to = cluster_storage(1); /* the leader, a majority fresh behind it */
        assert_int_equal(cluster_receive(cluster, message, NULL), OK);
        assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    }
    struct raft_message message = vote_request(3, 2, 9, 50, 8);
    message.vote_request.is_transfer = true;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.after[0].vote_reply.is_granted);
    cluster_free(cluster);
}

static void test_election_lease_ends(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 1, true);
    cluster->packet_count = 0;
    cluster->now_ns += 119 * MS; /* node 2 would wait 120 ms at least */
    struct raft_message message = vote_request(3, 2, 2, 1, 1);
    message.vote_request.is_pre_vote = true;
    cluster->now_ns = cluster_status(cluster, 2).leader_contact_ns + 120 * MS - 1;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_false(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    cluster->now_ns += 1;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_true(cluster->nodes[2].effects.now[0].vote_reply.is_granted);
    cluster_free(cluster);
}

/* Thesis 6.2: nobody answers, so clients must not wait here. */
static void test_election_check_quorum_steps_down(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft *raft = cluster->nodes[1].raft;
    assert_true(raft_has_fresh_quorum(raft, cluster->now_ns));
    assert_false(raft_has_fresh_quorum(cluster->nodes[2].raft, cluster->now_ns));
    uint64_t contact_ns = cluster_status(cluster, 1).leader_contact_ns;
    cluster_isolate(cluster, 1, true);
    assert_true(raft_has_fresh_quorum(raft, contact_ns + 100 * MS - 1));
    assert_false(raft_has_fresh_quorum(raft, contact_ns + 100 * MS));
    cluster_run(cluster, contact_ns + 99 * MS - cluster->now_ns);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    cluster_run(cluster, 2 * MS);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster_status(cluster, 1).leader, 0);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    cluster_free(cluster);
}

/* A leader that slept through its own deposition takes nothing on, even before its tick. */
static void test_election_slept_leader_takes_nothing_on(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster->now_ns += 1000 * MS;
    assert_int_equal(cluster_propose(cluster, 1), ERR_NOT_LEADER);
    assert_int_equal(cluster_read(cluster, 1, 1), ERR_NOT_LEADER);
    assert_int_equal(cluster_transfer(cluster, 1, 2), ERR_NOT_LEADER);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    cluster_free(cluster);
}

/* Thesis 9.6: a node that comes back from a partition disturbs nobody. */
static void test_election_returning_node_disturbs_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    cluster_run(cluster, 2000 * MS);
    assert_int_equal(cluster_status(cluster, 3).role, RAFT_PRE_CANDIDATE);
    assert_int_equal(cluster_status(cluster, 3).term, 1);
    cluster_isolate(cluster, 3, false);
    cluster_run(cluster, 500 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    assert_int_equal(cluster_status(cluster, 3).leader, 1);
    cluster_free(cluster);
}

/* etcd-io/raft, TestFreeStuckCandidateWithCheckQuorum: a node of a higher term refuses its leader,
 * and its term alone brings it back into the cluster. */
static void test_election_frees_a_stuck_higher_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_crash(cluster, 3);
    cluster->nodes[3].durable->hard_state = (struct raft_hard_state){.term = 7, .vote = 3};
    cluster_start(cluster, 3, false);
    cluster_run(cluster, 400 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_int_not_equal(leader, 0);
    for (uint16_t id = 1; id <= 3; id++) {
        assert_int_equal(cluster_status(cluster, id).leader, leader);
        assert_true(cluster_status(cluster, id).term > 7);
    }
    cluster_free(cluster);
}

/* etcd issues 8243 and 8501: a pre-vote below the term of a node with the shorter log. */
static void test_election_outdated_pre_vote_learns_the_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 1);
    cluster_crash(cluster, 2);
    cluster_crash(cluster, 3);
    cluster_write(cluster, 1, (struct raft_hard_state){.term = 1}, (const uint64_t[]){1, 1, 0});
    cluster_write(cluster, 2, (struct raft_hard_state){.term = 5}, (const uint64_t[]){1, 0});
    cluster_start(cluster, 1, false);
    cluster_start(cluster, 2, false);
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_true(cluster_status(cluster, 1).term > 5);
    cluster_free(cluster);
}

static void test_election_outdated_requests_get_the_term(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 2);
    cluster_write(cluster, 2, (struct raft_hard_state){.term = 5}, (const uint64_t[]){1, 0});
    cluster_start(cluster, 2, false);
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 4);
    message.append_request.round = 3;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    assert_int_equal(effects->now[0].type, RAFT_APPEND_REPLY);
    assert_int_equal(effects->now[0].term, 5);
    assert_false(effects->now[0].append_reply.is_success);
    assert_int_equal(effects->now[0].append_reply.round, 0);
    assert_int_equal(cluster_receive(cluster, vote_request(1, 2, 4, 9, 3), NULL), OK);
    assert_int_equal(effects->now[0].type, RAFT_VOTE_REPLY);
    assert_int_equal(effects->now[0].term, 5);
    assert_false(effects->now[0].vote_reply.is_granted);
    /* Outdated answers have nobody waiting for them. */
    assert_int_equal(cluster_receive(cluster, vote_reply(1, 2, 4, true), NULL), OK);
    assert_int_equal(effects->now_count + effects->after_count, 0);
    assert_int_equal(cluster_receive(cluster, cluster_message(RAFT_TIMEOUT_NOW, 1, 2, 4), NULL),
                     OK);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_FOLLOWER);
    cluster_free(cluster);
}

/* A leader that is heard but hears nothing steps down, and another takes its place. */
static void test_election_survives_a_deaf_leader(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster->is_cut[2][1] = true;
    cluster->is_cut[3][1] = true;
    cluster_run(cluster, 600 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_true(leader == 2 || leader == 3);
    assert_int_equal(cluster_propose(cluster, leader), OK);
    cluster_run(cluster, 50 * MS);
    assert_int_equal(cluster_status(cluster, leader).commit_index,
                     cluster_status(cluster, leader).last_index);
    cluster_free(cluster);
}

/* A follower that speaks but does not hear its leader must not depose it. */
static void test_election_survives_a_deaf_follower(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster->is_cut[1][3] = true;
    cluster_run(cluster, 2000 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 1);
    cluster_free(cluster);
}

static void test_election_step_down_is_for_leaders(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    assert_int_equal(cluster_step(cluster, 2, event), OK);
    assert_false(cluster->nodes[2].effects.role_changed);
    assert_int_equal(cluster_step(cluster, 1, event), OK);
    assert_true(cluster->nodes[1].effects.role_changed);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster->nodes[1].effects.now_count, 0);
    cluster_run(cluster, 500 * MS);
    assert_int_not_equal(cluster_leader(cluster), 0);
    cluster_free(cluster);
}

/* Whoever is to take part in nothing any more wants to be elected no longer, either. */
static void test_election_step_down_ends_a_candidacy(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    cluster_crash(cluster, 2);
    cluster_crash(cluster, 3);
    while (cluster_status(cluster, 1).role == RAFT_FOLLOWER)
        cluster_run(cluster, MS);
    assert_int_equal(cluster_step(cluster, 1, event), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_int_equal(cluster_status(cluster, 1).leader, 0);
    cluster_free(cluster);
}

/* The medium's word for the hard state has 40 bits for the term. */
static void test_election_term_never_overflows(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 1);
    cluster_write(cluster, 1, (struct raft_hard_state){.term = TERM_MAX}, (const uint64_t[]){1, 0});
    cluster_start(cluster, 1, false);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_true(raft_deadline_ns(cluster->nodes[1].raft) > cluster->now_ns);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_election_elects_one_leader),
        cmocka_unit_test(test_election_pre_vote_leaves_terms_alone),
        cmocka_unit_test(test_election_grants_wait_for_durability),
        cmocka_unit_test(test_election_vote_survives_a_crash),
        cmocka_unit_test(test_election_votes_once_a_term),
        cmocka_unit_test(test_election_refuses_an_outdated_log),
        cmocka_unit_test(test_election_counts_each_voter_once),
        cmocka_unit_test(test_election_ignores_answers_to_another_election),
        cmocka_unit_test(test_election_lost_makes_a_follower),
        cmocka_unit_test(test_election_yields_to_a_leader_of_its_term),
        cmocka_unit_test(test_election_lease_refuses_votes),
        cmocka_unit_test(test_election_lease_ends),
        cmocka_unit_test(test_election_check_quorum_steps_down),
        cmocka_unit_test(test_election_slept_leader_takes_nothing_on),
        cmocka_unit_test(test_election_returning_node_disturbs_nobody),
        cmocka_unit_test(test_election_frees_a_stuck_higher_term),
        cmocka_unit_test(test_election_outdated_pre_vote_learns_the_term),
        cmocka_unit_test(test_election_outdated_requests_get_the_term),
        cmocka_unit_test(test_election_survives_a_deaf_leader),
        cmocka_unit_test(test_election_survives_a_deaf_follower),
        cmocka_unit_test(test_election_step_down_is_for_leaders),
        cmocka_unit_test(test_election_step_down_ends_a_candidacy),
        cmocka_unit_test(test_election_term_never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
