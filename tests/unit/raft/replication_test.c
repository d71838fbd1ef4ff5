/* Replication: paper 5.3 and figure 7, what is acknowledged, duplicates, reordering. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct raft_message append_request(uint16_t to, uint64_t previous_index,
                                          uint64_t previous_term, uint32_t entry_count)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, to, 3);
    message.append_request.previous_index = previous_index;
    message.append_request.previous_term = previous_term;
    message.append_request.entry_count = entry_count;
    return message;
}

static void restart_with(struct cluster *cluster, uint16_t id, uint64_t term, const uint64_t *terms)
{
    if (cluster->nodes[id].is_alive)
        cluster_crash(cluster, id);
    cluster_write(cluster, id, (struct raft_hard_state){.term = term}, terms);
    cluster_start(cluster, id, false);
}

/* Paper, figure 7: every way in which a follower may differ. */
static void test_replication_repairs_the_logs_of_figure_7(void **state)
{
    (void)state;
    const uint64_t logs[7][13] = {
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6},       /* the leader for term 8 */
        {1, 1, 1, 4, 4, 5, 5, 6, 6},          /* a */
        {1, 1, 1, 4},                         /* b */
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},    /* c */
        {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, /* d */
        {1, 1, 1, 4, 4, 4, 4},                /* e */
        {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},    /* f */
    };
    struct cluster *cluster = cluster_new(7);
    for (uint16_t id = 1; id <= 7; id++)
        restart_with(cluster, id, 7, logs[id - 1]);
    cluster_run(cluster, 150 * MS);
    assert_int_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).term, 8);
    assert_int_equal(cluster_status(cluster, 1).last_index, 11);
    cluster_check_logs_are_equal(cluster);
    assert_int_equal(cluster_status(cluster, 7).commit_index, 11);
    cluster_free(cluster);
}

static uint32_t count_rejections(struct cluster *cluster)
{
    uint32_t rejections = 0;
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    while (cluster->packet_count > 0) {
        const struct raft_message *message = &cluster->packets[0].message;
        rejections += message->type == RAFT_APPEND_REPLY && !message->append_reply.is_success;
        cluster_deliver(cluster, 0);
    }
    return rejections;
}

/* Paper 5.3, end: where the leader has the conflicting term, too, it goes on behind its own last
 * record of that term. */
static void test_replication_backs_off_to_a_shared_term(void **state)
{
    (void)state;
    uint64_t ours[202] = {1, 3, 3};
    uint64_t theirs[202] = {1};
    for (int i = 1; i < 201; i++) {
        ours[i] = i < 3 ? 3 : 4;
        theirs[i] = 3;
    }
    struct cluster *cluster = cluster_new(3);
    restart_with(cluster, 1, 4, ours);
    restart_with(cluster, 2, 4, theirs);
    restart_with(cluster, 3, 4, ours);
    assert_in_range(count_rejections(cluster), 1, 2);
    cluster_check_logs_are_equal(cluster);
    cluster_free(cluster);
}

/* Paper 5.3, end: a whole term is skipped in one exchange. */
static void test_replication_backs_off_a_term_at_a_time(void **state)
{
    (void)state;
    uint64_t ours[202] = {1};
    uint64_t theirs[202] = {1};
    for (int i = 1; i < 201; i++) {
        ours[i] = 3;
        theirs[i] = 2;
    }
    struct cluster *cluster = cluster_new(3);
    restart_with(cluster, 1, 3, ours);
    restart_with(cluster, 2, 3, theirs);
    restart_with(cluster, 3, 3, ours);
    assert_in_range(count_rejections(cluster), 1, 2);
    cluster_check_logs_are_equal(cluster);
    cluster_free(cluster);
}

/* Paper, figure 2, AppendEntries rule 3: an old request is no reason to forget anything. */
static void test_replication_bears_duplicates_and_reordering(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    const uint64_t terms[] = {1, 1, 2, 3};
    struct raft_message all = append_request(2, 0, 0, 4);
    struct raft_message half = append_request(2, 0, 0, 2);
    struct raft_message rest = append_request(2, 2, 1, 2);
    const struct raft_effects *effects = &cluster->nodes[2].effects;

    assert_int_equal(cluster_receive(cluster, rest, terms + 2), OK);
    assert_int_equal(effects->append_count, 0);
    assert_int_equal(effects->after_count, 1); /* the term is new */
    assert_false(effects->after[0].append_reply.is_success);
    assert_int_equal(effects->after[0].append_reply.conflict_index, 1);
    assert_int_equal(effects->after[0].append_reply.rejected_index, 2);

    assert_int_equal(cluster_receive(cluster, all, terms), OK);
    assert_int_equal(effects->append_first, 1);
    assert_int_equal(effects->append_count, 4);
    assert_int_equal(cluster_receive(cluster, half, terms), OK);
    assert_int_equal(effects->append_count, 0);
    assert_int_equal(effects->truncate_from, 0);
    assert_int_equal(effects->now[0].append_reply.match_index, 4);
    assert_int_equal(cluster_receive(cluster, rest, terms + 2), OK);
    assert_int_equal(effects->append_count, 0);
    assert_int_equal(cluster_status(cluster, 2).last_index, 4);
    cluster_free(cluster);
}

/* Paper, figure 2, rule 3: a conflicting record goes, with everything behind it. */
static void test_replication_truncates_a_conflict(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    restart_with(cluster, 2, 2, (const uint64_t[]){1, 1, 2, 2, 2, 0});
    cluster->nodes[2].is_manual = true;
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    assert_int_equal(cluster_receive(cluster, append_request(2, 1, 1, 2), (const uint64_t[]){1, 3}),
                     OK);
    assert_int_equal(effects->truncate_from, 3);
    assert_int_equal(effects->append_skip, 1);
    assert_int_equal(effects->append_first, 3);
    assert_int_equal(effects->append_count, 1);
    assert_int_equal(effects->now_count, 0);
    assert_int_equal(effects->after_count, 1);
    assert_int_equal(effects->after[0].append_reply.match_index, 3);
    assert_int_equal(cluster_status(cluster, 2).durable_index, 2);
    assert_int_equal(cluster_status(cluster, 2).last_index, 3);
    cluster_free(cluster);
}

/* What is acknowledged is durable by the time the acknowledgement leaves. */
static void test_replication_acknowledges_only_durable_records(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[2].is_manual = true;
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    assert_int_equal(
        cluster_receive(cluster, append_request(2, 0, 0, 3), (const uint64_t[]){1, 2, 3}), OK);
    assert_int_equal(effects->now_count, 0);
    assert_int_equal(effects->after[0].append_reply.match_index, 3);
    /* A heartbeat in between is answered at once, and claims nothing yet. */
    assert_int_equal(cluster_receive(cluster, append_request(2, 3, 3, 0), NULL), OK);
    assert_int_equal(effects->after_count, 0);
    assert_int_equal(effects->now_count, 1);
    assert_true(effects->now[0].append_reply.is_success);
    assert_int_equal(effects->now[0].append_reply.match_index, 0);
    cluster_drain(cluster, 2);
    assert_int_equal(cluster_receive(cluster, append_request(2, 3, 3, 0), NULL), OK);
    assert_int_equal(effects->now[0].append_reply.match_index, 3);
    cluster_free(cluster);
}

/* Nothing beyond what this term's leader has vouched for, however long the log is. */
static void test_replication_acknowledges_only_verified_records(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    restart_with(cluster, 2, 3, (const uint64_t[]){1, 1, 2, 2, 2, 0});
    struct raft_message message = append_request(2, 2, 1, 0);
    message.append_request.commit_index = 5;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster->nodes[2].effects.now[0].append_reply.match_index, 2);
    assert_int_equal(cluster_status(cluster, 2).commit_index, 2);
    cluster_free(cluster);
}

/* A peer that lost what it once acknowledged is believed, and gets it again. */
static void test_replication_refills_a_lost_tail(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 10; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    cluster_crash(cluster, 3);
    cluster->nodes[3].durable->last = 4;
    cluster_start(cluster, 3, true);
    cluster_run(cluster, 60 * MS);
    assert_int_equal(cluster_status(cluster, 3).last_index, 11);
    assert_int_equal(cluster_status(cluster, 3).commit_index, 11);
    assert_int_equal(cluster_leader(cluster), 1);
    cluster_check_logs_are_equal(cluster);
    cluster_free(cluster);
}

/* An acknowledgement that left before the peer lost its whole log speaks for records that are
 * gone. */
static void test_replication_forgets_what_was_acknowledged_before_a_loss(void **state)
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
    cluster_write(cluster, 2, (struct raft_hard_state){0}, (const uint64_t[]){0});
    cluster_start(cluster, 2, true);
    cluster->now_ns += 20 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    uint32_t at = cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0);
    assert_false(cluster->packets[at].message.append_reply.is_success);
    cluster_deliver(cluster, at);

    cluster->now_ns += MS;
    assert_int_equal(cluster_receive(cluster, late, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    /* It still tells that the peer lives: with node 3 cut off, node 1 would not lead without it. */
    assert_int_equal(cluster_status(cluster, 1).leader_contact_ns, cluster->now_ns);
    cluster_run(cluster, 30 * MS);
    assert_int_equal(cluster_status(cluster, 2).last_index, 2);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    cluster_free(cluster);
}

/* Answers that arrive late or twice change nothing for the worse. */
static void test_replication_ignores_stale_answers(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    struct raft_message reply = cluster_message(RAFT_APPEND_REPLY, 2, 1, 1);
    reply.append_reply.rejected_index = 3;
    reply.append_reply.conflict_index = 2;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster->nodes[1].effects.now_count, 0);
    reply = cluster_message(RAFT_APPEND_REPLY, 2, 1, 1);
    reply.append_reply.is_success = true;
    reply.append_reply.match_index = 2;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster->nodes[1].effects.now_count, 0);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
    assert_int_equal(cluster->packets[at].message.append_request.previous_index, 6);
    cluster_free(cluster);
}

/* A leader that is cut off from its majority leads on for a while. What a follower hears from it
 * then is no contact with a quorum. */
static void test_replication_contact_is_with_a_quorum(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_run(cluster, 50 * MS);
    uint64_t before_ns = cluster->now_ns;
    assert_true(cluster_status(cluster, 2).quorum_contact_ns + 20 * MS >= before_ns);
    assert_true(cluster_status(cluster, 2).quorum_contact_ns <= before_ns);
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.append_request.previous_index = 1;
    message.append_request.previous_term = 1;
    message.append_request.commit_index = 1;
    message.append_request.quorum_age_ns = 60 * MS;
    cluster->now_ns += 70 * MS;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).leader_contact_ns, cluster->now_ns);
    assert_int_equal(cluster_status(cluster, 2).quorum_contact_ns, cluster->now_ns - 60 * MS);
    /* An older contact takes nothing back, and one from before the beginning says nothing. */
    message.append_request.quorum_age_ns = 65 * MS;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    message.append_request.quorum_age_ns = UINT64_MAX;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).quorum_contact_ns, cluster->now_ns - 60 * MS);
    /* A state that lacks what was committed is not fresh. */
    message.append_request.quorum_age_ns = 10 * MS;
    message.append_request.commit_index = 2;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).quorum_contact_ns, cluster->now_ns - 60 * MS);
    message.append_request.commit_index = 1;
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).quorum_contact_ns, cluster->now_ns - 10 * MS);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replication_contact_is_with_a_quorum),
        cmocka_unit_test(test_replication_repairs_the_logs_of_figure_7),
        cmocka_unit_test(test_replication_backs_off_a_term_at_a_time),
        cmocka_unit_test(test_replication_backs_off_to_a_shared_term),
        cmocka_unit_test(test_replication_bears_duplicates_and_reordering),
        cmocka_unit_test(test_replication_truncates_a_conflict),
        cmocka_unit_test(test_replication_acknowledges_only_durable_records),
        cmocka_unit_test(test_replication_acknowledges_only_verified_records),
        cmocka_unit_test(test_replication_refills_a_lost_tail),
        cmocka_unit_test(test_replication_forgets_what_was_acknowledged_before_a_loss),
        cmocka_unit_test(test_replication_ignores_stale_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
