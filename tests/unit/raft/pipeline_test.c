/* Pipelines of append requests (thesis 10.2.1): bounds, pace, loss. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint32_t count_packets(const struct cluster *cluster, enum raft_message_type type,
                              uint16_t to)
{
    uint32_t count = 0;
    for (uint32_t at = cluster_find(cluster, type, to, 0); at != UINT32_MAX;
         at = cluster_find(cluster, type, to, at + 1))
        count++;
    return count;
}

static void test_pipeline_limits_the_pipeline(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 100; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REQUEST, 2), 4); /* inflight_max */
    assert_false(raft_has_backlog(cluster->nodes[1].raft));
    cluster_isolate(cluster, 3, true);
    for (int i = 0; i < 4; i++)
        cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0));
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REPLY, 1), 4);
    /* The last acknowledgement frees the whole window: one step fills as much of it as it may. */
    for (int i = 0; i < 3; i++)
        cluster_drop(cluster, cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0));
    cluster_deliver(cluster, cluster_find(cluster, RAFT_APPEND_REPLY, 1, 0));
    uint32_t at = 0;
    for (int i = 0; i < RAFT_STEP_APPENDS_PER_PEER_MAX; i++) {
        at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, i == 0 ? 0 : at + 1);
        assert_int_not_equal(at, UINT32_MAX);
        assert_int_equal(cluster->packets[at].message.append_request.entry_count, 8);
    }
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REQUEST, 2), 4);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 2).last_index, 101);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 101);
    cluster_free(cluster);
}

/* What a peer says whose log ends with record `last` and has no room for another. */
static struct raft_message answer_of_a_full_log(const struct raft_message *request, uint64_t last)
{
    uint64_t previous = request->append_request.previous_index;
    struct raft_message reply =
        cluster_message(RAFT_APPEND_REPLY, request->to.id, 1, request->term);
    reply.append_reply.round = request->append_request.round;
    reply.append_reply.is_success = previous <= last;
    reply.append_reply.match_index = previous <= last ? last : 0;
    reply.append_reply.rejected_index = previous <= last ? 0 : previous;
    reply.append_reply.conflict_index = previous <= last ? 0 : last + 1;
    return reply;
}

/* Requests with records, sent in 100 ms to a peer without room while reads come this often. */
static uint32_t count_sent_in_vain(uint64_t read_interval_ns)
{
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 20; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    uint32_t with_records = 0;
    uint64_t read_id = 0;
    uint64_t read_ns = cluster->now_ns + read_interval_ns;
    for (uint64_t end_ns = cluster->now_ns + 100 * MS; cluster->now_ns < end_ns;) {
        uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
        if (at == UINT32_MAX) {
            uint64_t deadline_ns = raft_deadline_ns(cluster->nodes[1].raft);
            cluster->packet_count = 0;
            bool is_read = read_ns <= deadline_ns;
            cluster->now_ns = is_read ? read_ns : deadline_ns;
            read_ns += is_read ? read_interval_ns : 0;
            if (is_read)
                assert_int_equal(cluster_read(cluster, 1, ++read_id), OK);
            else
                assert_int_equal(cluster_tick(cluster, 1), OK);
            continue;
        }
        const struct raft_message request = cluster->packets[at].message;
        cluster_drop(cluster, at);
        with_records += request.append_request.entry_count > 0;
        assert_int_equal(cluster_receive(cluster, answer_of_a_full_log(&request, 1), NULL), OK);
    }
    cluster_free(cluster);
    return with_records;
}

/* The same records are not sent to it over and over at the speed of its answers, or of the reads:
 * it is a pipeline of four, once, and a single message after 10, 20, 40 ms. */
static void test_pipeline_spares_a_peer_without_room(void **state)
{
    (void)state;
    assert_in_range(count_sent_in_vain(1000 * MS), 6, 9);
    assert_in_range(count_sent_in_vain(MS / 10), 6, 9);
}

/* Answers to a pipeline that was given up start no other, however many there are. */
static void test_pipeline_answers_do_not_multiply(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 20; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
    struct raft_message first = cluster->packets[at].message;
    at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, at + 1);
    struct raft_message overtaking = cluster->packets[at].message;
    cluster->packet_count = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(cluster_receive(cluster, answer_of_a_full_log(&overtaking, 1), NULL), OK);
        assert_int_equal(cluster_receive(cluster, answer_of_a_full_log(&first, 1), NULL), OK);
    }
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REQUEST, 2), 1); /* the probe */
    cluster->packet_count = 0;
    /* One that tells of something new goes on from there. */
    struct raft_message taken = answer_of_a_full_log(&first, 1);
    taken.append_reply.match_index = 2;
    assert_int_equal(cluster_receive(cluster, taken, NULL), OK);
    at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
    assert_int_not_equal(at, UINT32_MAX);
    assert_int_equal(cluster->packets[at].message.append_request.previous_index, 2);
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REQUEST, 2), 1);
    cluster_free(cluster);
}

/* What one step may not send any more is owed, and raft_has_backlog says so. */
static void test_pipeline_owes_what_does_not_fit_a_step(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 1);
    cluster->nodes[1].options.inflight_max = 64;
    cluster->nodes[1].options.append_entries_max = 1;
    cluster_start(cluster, 1, false);
    cluster_run(cluster, 115 * MS);
    cluster_isolate(cluster, 2, true);
    for (int i = 0; i < 20; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster->packet_count = 0;
    /* Nothing came through: a probe asks, the next one offers record 2, and once that is taken the
     * pipeline opens again. */
    cluster->now_ns += 20 * MS;
    cluster_isolate(cluster, 2, false);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    cluster_isolate(cluster, 3, true);
    uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
    assert_int_equal(cluster->packets[at].message.append_request.entry_count, 0);
    struct raft_message reply = answer_of_a_full_log(&cluster->packets[at].message, 1);
    cluster->packet_count = 0;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
    assert_int_equal(cluster->packets[at].message.append_request.entry_count, 1);
    assert_int_equal(cluster->nodes[1].effects.now_count, 1);
    reply = answer_of_a_full_log(&cluster->packets[at].message, 2);
    cluster->packet_count = 0;
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(cluster->nodes[1].effects.now_count, RAFT_STEP_APPENDS_PER_PEER_MAX);
    uint32_t steps = 0;
    while (raft_has_backlog(cluster->nodes[1].raft)) {
        assert_int_equal(cluster_tick(cluster, 1), OK);
        steps++;
    }
    assert_int_equal(steps, 4); /* 19 records, one a message, four a step */
    assert_int_equal(count_packets(cluster, RAFT_APPEND_REQUEST, 2), 19);
    cluster_free(cluster);
}

static void check_soft_limit(uint32_t soft, uint32_t entries_a_message)
{
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 1);
    cluster->nodes[1].options.append_size_bytes_soft = soft;
    cluster_start(cluster, 1, false);
    cluster_run(cluster, 115 * MS);
    for (int i = 0; i < 20; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    uint32_t largest = 0;
    while (cluster->packet_count > 0) {
        const struct raft_message *message = &cluster->packets[0].message;
        if (message->type == RAFT_APPEND_REQUEST && message->append_request.entry_count > largest)
            largest = message->append_request.entry_count;
        cluster_deliver(cluster, 0);
    }
    assert_int_equal(largest, entries_a_message);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 21);
    cluster_free(cluster);
}

/* Records are 100 bytes in this harness. */
static void test_pipeline_limits_message_bytes(void **state)
{
    (void)state;
    check_soft_limit(800, 8);
    check_soft_limit(250, 2);
    check_soft_limit(50, 1); /* one larger record still goes alone */
}

static void test_pipeline_recovers_from_loss(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 30; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster->packet_count = 0;
    cluster->now_ns += 10 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    /* One empty request to each: nothing is resent to a peer that may be gone. */
    assert_int_equal(cluster->packet_count, 2);
    assert_int_equal(cluster->packets[0].message.append_request.entry_count, 0);
    assert_int_equal(cluster->packets[0].message.append_request.previous_index, 1);
    cluster_settle(cluster);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 31);
    cluster_check_logs_are_equal(cluster);
    cluster_free(cluster);
}

/* Busy with proposals alone, a leader still notices that nothing arrives. */
static void test_pipeline_recovers_from_loss_under_load(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    for (int i = 0; i < 100; i++) {
        cluster->now_ns += MS;
        assert_int_equal(cluster_propose(cluster, 1), OK);
        if (i < 20)
            cluster->packet_count = 0;
        cluster_settle(cluster);
    }
    assert_int_equal(cluster_status(cluster, 1).commit_index, 101);
    cluster_free(cluster);
}

/* A peer whose medium is slower than a heartbeat is waited for longer each time. */
static void test_pipeline_widens_the_retry(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    uint64_t retries = 0;
    struct raft_message request = {
        .term = 1, .to = cluster_storage(2), .append_request = {.previous_index = 1}};
    for (int round = 0; round < 6; round++) {
        assert_int_equal(cluster_propose(cluster, 1), OK);
        cluster->packet_count = 0;
        uint64_t start_ns = cluster->now_ns;
        while (cluster->now_ns - start_ns < 35 * MS) {
            cluster->now_ns += MS;
            assert_int_equal(cluster_tick(cluster, 1), OK);
            uint32_t at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
            if (at != UINT32_MAX)
                request = cluster->packets[at].message;
            cluster->packet_count = 0;
            struct raft_message reply = answer_of_a_full_log(&request, 1);
            assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
            at = cluster_find(cluster, RAFT_APPEND_REQUEST, 2, 0);
            retries +=
                at != UINT32_MAX && cluster->packets[at].message.append_request.entry_count > 0;
            cluster->packet_count = 0;
        }
    }
    /* 210 ms: 20 retries at every heartbeat, a handful when the wait doubles. */
    assert_in_range(retries, 2, 8);
    cluster_free(cluster);
}

static void test_pipeline_keeps_heartbeats(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_run(cluster, 20 * MS);
    uint64_t due_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_in_range(due_ns, cluster->now_ns, cluster->now_ns + 10 * MS);
    cluster->now_ns = due_ns - 1;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster->packet_count, 0);
    /* Any request serves as a heartbeat. */
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    cluster->now_ns = due_ns + 5 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster->packet_count, 0);
    cluster->now_ns = due_ns - 1 + 10 * MS;
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster->packet_count, 2);
    assert_int_equal(cluster->packets[0].message.append_request.entry_count, 0);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline_limits_the_pipeline),
        cmocka_unit_test(test_pipeline_spares_a_peer_without_room),
        cmocka_unit_test(test_pipeline_answers_do_not_multiply),
        cmocka_unit_test(test_pipeline_owes_what_does_not_fit_a_step),
        cmocka_unit_test(test_pipeline_limits_message_bytes),
        cmocka_unit_test(test_pipeline_recovers_from_loss),
        cmocka_unit_test(test_pipeline_recovers_from_loss_under_load),
        cmocka_unit_test(test_pipeline_widens_the_retry),
        cmocka_unit_test(test_pipeline_keeps_heartbeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
