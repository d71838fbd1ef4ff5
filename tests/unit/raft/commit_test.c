/* Commitment: paper 5.4.2 and figure 8, durability of the leader's own copy, single nodes. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void restart_with(struct cluster *cluster, uint16_t id, uint64_t term, const uint64_t *terms)
{
    cluster_crash(cluster, id);
    cluster->nodes[id].options.append_entries_max = 1;
    cluster_write(cluster, id, (struct raft_hard_state){.term = term}, terms);
    cluster_start(cluster, id, false);
}

/* Paper, figure 8 (c): S1 leads in term 4 and has spread its record of term 2 to a majority. */
static struct cluster *new_figure_8(void)
{
    struct cluster *cluster = cluster_new(5);
    restart_with(cluster, 1, 3, (const uint64_t[]){1, 2, 0});
    restart_with(cluster, 2, 3, (const uint64_t[]){1, 2, 0});
    restart_with(cluster, 3, 3, (const uint64_t[]){1, 0});
    restart_with(cluster, 4, 3, (const uint64_t[]){1, 0});
    restart_with(cluster, 5, 3, (const uint64_t[]){1, 3, 0});
    cluster_isolate(cluster, 5, true);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    while (cluster_status(cluster, 1).role != RAFT_LEADER)
        cluster_deliver(cluster, 0);
    assert_int_equal(cluster_status(cluster, 1).term, 4);
    assert_int_equal(cluster_status(cluster, 1).last_index, 3);
    cluster_isolate(cluster, 4, true);
    /* Records go one a message: S3 gets the one of term 2, and its acknowledgement arrives. */
    while (cluster->nodes[3].written->last < 2)
        cluster_deliver(cluster, 0);
    struct raft_message reply = cluster_message(RAFT_APPEND_REPLY, 3, 1, 4);
    reply.append_reply.is_success = true;
    reply.append_reply.match_index = 2;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    reply.from = cluster_storage(2);
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    return cluster;
}

/* Paper 5.4.2: a majority has the record of term 2, and it is not committed. */
static void test_commit_counts_only_own_terms(void **state)
{
    (void)state;
    struct cluster *cluster = new_figure_8();
    assert_int_equal(cluster_status(cluster, 1).commit_index, 0);
    /* (e): once a record of its own term is there, everything before it is committed, too. */
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 3);
    cluster_free(cluster);
}

/* Figure 8 (d): S5 may still win and overwrite the record of term 2. */
static void test_commit_of_an_old_term_may_be_overwritten(void **state)
{
    (void)state;
    struct cluster *cluster = new_figure_8();
    cluster_crash(cluster, 1);
    cluster_crash(cluster, 2);
    cluster->packet_count = 0;
    cluster_isolate(cluster, 4, false);
    cluster_isolate(cluster, 5, false);
    cluster->nodes[5].options.election_timeout_min_ns = 50 * MS;
    cluster->nodes[5].options.election_timeout_max_ns = 50 * MS;
    cluster_crash(cluster, 5);
    cluster_start(cluster, 5, false);
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_leader(cluster), 5);
    assert_int_equal(raft_term_at(cluster->nodes[3].raft, 2), 3);
    assert_true(cluster_status(cluster, 3).commit_index >= 3);
    cluster_start(cluster, 1, false);
    cluster_start(cluster, 2, false);
    cluster_run(cluster, 300 * MS);
    assert_int_equal(raft_term_at(cluster->nodes[1].raft, 2), 3);
    cluster_check_log_matching(cluster);
    cluster_free(cluster);
}

/* Thesis 10.2.1: a majority without the leader is a majority. */
static void test_commit_needs_no_durability_of_the_leader(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster->nodes[1].is_manual = true;
    assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(cluster->nodes[1].effects.now_count, 2); /* replicates while it writes */
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).durable_index, 1);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    cluster_free(cluster);
}

static void test_commit_counts_the_leader_once_durable(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    cluster->nodes[1].is_manual = true;
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    cluster_drain(cluster, 1);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    cluster_free(cluster);
}

/* A node alone obeys the same rule: nothing is committed before it is durable. */
static void test_commit_of_a_single_node_is_durable(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(1);
    cluster->nodes[1].is_manual = true;
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_true(effects->hard_state_changed);
    assert_int_equal(effects->hard_state.vote, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_CANDIDATE);
    cluster_drain(cluster, 1); /* its own vote elects it */
    assert_int_equal(effects->append_own, RAFT_ENTRY_NOOP);
    assert_int_equal(effects->append_first, 1);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 0);
    assert_false(cluster_status(cluster, 1).has_own_commit);
    assert_int_equal(cluster_read(cluster, 1, 1), OK);
    assert_int_equal(effects->read_released_id, 0);
    cluster_drain(cluster, 1);
    assert_int_equal(effects->read_released_id, 1);
    assert_int_equal(effects->read_released_index, 1);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(effects->append_own, 0);
    assert_int_equal(effects->commit_index, 1);
    cluster_drain(cluster, 1);
    assert_int_equal(effects->commit_index, 2);
    assert_true(raft_has_fresh_quorum(cluster->nodes[1].raft, cluster->now_ns + 9000 * MS));
    cluster_run(cluster, 1000 * MS);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    assert_int_equal(cluster_read(cluster, 1, 2), OK);
    assert_int_equal(effects->read_released_id, 2);
    assert_int_equal(cluster_transfer(cluster, 1, 0), ERR_ARGUMENT);
    cluster_free(cluster);
}

/* Paper, figure 2, rule 5: the leader's commit index, but not beyond what it has shown us. */
static void test_commit_of_a_follower_is_verified(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.append_request.commit_index = 10;
    message.append_request.entry_count = 3;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){1, 1, 1}), OK);
    assert_int_equal(cluster->nodes[2].effects.commit_index, 3);
    cluster_free(cluster);
}

static void test_commit_ignores_stale_durability(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[2].is_manual = true;
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.append_request.entry_count = 5;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){1, 1, 1, 1, 1}), OK);
    struct raft_event event = {.type = RAFT_EVENT_DURABLE, .durable = {.index = 4}};
    assert_int_equal(cluster_step(cluster, 2, event), OK);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 4);
    event.durable.index = 2;
    assert_int_equal(cluster_step(cluster, 2, event), OK);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 4);
    /* Truncation takes it back; a report from before, beyond the new end, is worth nothing. */
    message.from = cluster_storage(3);
    message.term = 2;
    message.append_request.previous_index = 2;
    message.append_request.previous_term = 1;
    message.append_request.entry_count = 1;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){2}), OK);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 2);
    event.durable.index = 5;
    assert_int_equal(cluster_step(cluster, 2, event), OK);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 2);
    event.durable.index = 3;
    assert_int_equal(cluster_step(cluster, 2, event), OK);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 3);
    cluster_free(cluster);
}

/* Acknowledgements of another term, or sent to a leader that is none any more, count nowhere. */
static void test_commit_ignores_acknowledgements_of_other_terms(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    struct raft_message reply = cluster_message(RAFT_APPEND_REPLY, 2, 1, 1);
    reply.append_reply.is_success = true;
    reply.append_reply.match_index = 2;
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    assert_int_equal(cluster_step(cluster, 1, event), OK);
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    reply.term = 5;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).term, 5);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_counts_only_own_terms),
        cmocka_unit_test(test_commit_of_an_old_term_may_be_overwritten),
        cmocka_unit_test(test_commit_needs_no_durability_of_the_leader),
        cmocka_unit_test(test_commit_counts_the_leader_once_durable),
        cmocka_unit_test(test_commit_of_a_single_node_is_durable),
        cmocka_unit_test(test_commit_of_a_follower_is_verified),
        cmocka_unit_test(test_commit_ignores_stale_durability),
        cmocka_unit_test(test_commit_ignores_acknowledgements_of_other_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
