/* Birth, restoration and the trace. */
#include "raft/trace.h"
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint32_t one_byte(const void *context, uint64_t index)
{
    (void)context;
    (void)index;
    return 1;
}

static struct raft_options good_options(void)
{
    return (struct raft_options){
        .self = {.birth = 77, .id = 2},
        .founders = {1, 2, VOTER_ID_MAX},
        .founder_count = 3,
        .election_timeout_min_ns = 100 * MS,
        .election_timeout_max_ns = 200 * MS,
        .heartbeat_interval_ns = 10 * MS,
        .append_entries_max = 8,
        .append_size_bytes_soft = 1000,
        .inflight_max = 4,
        .trail_runs_max = 2,
        .seed = 3,
        .sizes = {.size_bytes = one_byte},
    };
}

static enum error try_init(const struct raft_options *options, const struct raft_restored *restored,
                           struct raft **ret_raft)
{
    static _Alignas(64) uint8_t memory[1 << 20];
    struct raft_options good = good_options();
    assert_true(raft_size(&good) <= sizeof(memory));
    return raft_init(memory, options, restored, 1000 * MS, ret_raft);
}

static void test_raft_refuses_options(void **state)
{
    (void)state;
    const struct raft_restored restored = {0};
    struct raft *raft = NULL;
    struct raft_options options = good_options();
    assert_int_equal(try_init(&options, &restored, &raft), OK);
    assert_int_equal(raft_size(&options) % 64, 0);
    raft = NULL;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        options = good_options();                                                                  \
        change;                                                                                    \
        assert_int_equal(try_init(&options, &restored, &raft), ERR_ARGUMENT);                      \
        assert_null(raft);                                                                         \
    } while (0)
    REFUSED(options.self.id = 3);
    REFUSED(options.self.birth = 0);
    REFUSED(options.founders[0] = 0);
    REFUSED(options.founders[0] = 2);
    REFUSED(options.founders[0] = VOTER_ID_MAX + 1);
    REFUSED(options.founder_count = 0);
    REFUSED(options.founder_count = NODES_MAX + 1);
    REFUSED(options.heartbeat_interval_ns = 0);
    REFUSED(options.heartbeat_interval_ns = options.election_timeout_min_ns);
    REFUSED(options.election_timeout_max_ns = options.election_timeout_min_ns - 1);
    REFUSED(options.append_entries_max = 0);
    REFUSED(options.append_entries_max = APPEND_ENTRIES_MAX + 1);
    REFUSED(options.append_size_bytes_soft = 0);
    REFUSED(options.inflight_max = 0);
    REFUSED(options.inflight_max = RAFT_INFLIGHT_MAX + 1);
    REFUSED(options.trail_runs_max = 0);
    REFUSED(options.sizes.size_bytes = NULL);
#undef REFUSED
}

static void test_raft_refuses_restored_state(void **state)
{
    (void)state;
    struct raft *raft = NULL;
    struct raft_options options = good_options();
    struct raft_restored restored = {.hard_state = {.term = TERM_MAX + 1}};
    assert_int_equal(try_init(&options, &restored, &raft), ERR_ARGUMENT);
    restored = (struct raft_restored){.configuration = {.slot_count = 1}};
    assert_int_equal(try_init(&options, &restored, &raft), ERR_ARGUMENT);
    restored = (struct raft_restored){.hard_state = {.term = 0, .vote = 1}};
    assert_int_equal(try_init(&options, &restored, &raft), ERR_ARGUMENT);
    restored = (struct raft_restored){.commit_index = INDEX_MAX + 1};
    assert_int_equal(try_init(&options, &restored, &raft), ERR_ARGUMENT);
}

static void test_raft_restores_its_log(void **state)
{
    (void)state;
    struct raft *raft = NULL;
    struct raft_options options = good_options();
    struct raft_restored restored = {.hard_state = {.term = 5, .vote = 1}, .commit_index = 2};
    assert_int_equal(try_init(&options, &restored, &raft), OK);
    assert_int_equal(raft_restore_entry(raft, 2, 1), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 1, 0), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 1, 6), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 1, 2), OK);
    assert_int_equal(raft_restore_entry(raft, 1, 2), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 2, 1), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 2, 3), OK);
    assert_int_equal(raft_restore_entry(raft, 3, 4), ERR_FULL);
    assert_int_equal(raft_restore_entry(raft, 3, 3), OK);
    struct raft_status status;
    raft_status(raft, &status);
    assert_int_equal(status.role, RAFT_FOLLOWER);
    assert_int_equal(status.term, 5);
    assert_int_equal(status.leader, 0);
    assert_int_equal(status.last_index, 3);
    assert_int_equal(status.durable_index, 3);
    assert_int_equal(status.commit_index, 2);
    assert_int_equal(raft_term_at(raft, 0), 0);
    assert_int_equal(raft_term_at(raft, 3), 3);
    assert_int_equal(raft_term_at(raft, 4), 0);
    assert_in_range(raft_deadline_ns(raft), 1100 * MS, 1200 * MS);
    raft_check_invariants(raft);
}

/* Timeouts are drawn from the seed: equal seeds wait equally long, others do not. */
static void test_raft_draws_from_its_seed(void **state)
{
    (void)state;
    const struct raft_restored restored = {0};
    uint64_t deadlines_ns[3];
    const uint64_t seeds[3] = {3, 3, 4};
    for (int i = 0; i < 3; i++) {
        struct raft *raft = NULL;
        struct raft_options options = good_options();
        options.seed = seeds[i];
        assert_int_equal(try_init(&options, &restored, &raft), OK);
        deadlines_ns[i] = raft_deadline_ns(raft);
    }
    assert_int_equal(deadlines_ns[0], deadlines_ns[1]);
    assert_int_not_equal(deadlines_ns[0], deadlines_ns[2]);
}

struct trace_log {
    struct raft_transition transitions[64];
    uint32_t count;
};

static void take_transition(void *context, const struct raft_transition *transition)
{
    struct trace_log *log = context;
    if (log->count < 64)
        log->transitions[log->count++] = *transition;
}

static void test_raft_traces_each_step(void **state)
{
    (void)state;
    static struct trace_log log;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 2);
    cluster->nodes[2].options.trace = take_transition;
    cluster->nodes[2].options.trace_context = &log;
    cluster_start(cluster, 2, false);
    cluster->nodes[2].is_manual = true;
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 4);
    message.append_request.entry_count = 2;
    message.append_request.commit_index = 1;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3, 4}), OK);
    message.from = cluster_storage(2);
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3, 4}), ERR_RANGE);
    cluster_drain(cluster, 2);
    assert_int_equal(log.count, 2); /* a refused event is no transition */
    const struct raft_transition *first = &log.transitions[0];
    assert_int_equal(first->node, 2);
    assert_int_equal(first->event, RAFT_EVENT_RECEIVE);
    assert_int_equal(first->message, RAFT_APPEND_REQUEST);
    assert_int_equal(first->from, 1);
    assert_int_equal(first->role, RAFT_FOLLOWER);
    assert_int_equal(first->term, 4);
    assert_int_equal(first->vote, 0);
    assert_int_equal(first->leader, 1);
    assert_int_equal(first->last_index, 2);
    assert_int_equal(first->last_term, 4);
    assert_int_equal(first->commit_index, 1);
    assert_int_equal(first->durable_index, 0);
    assert_int_equal(first->append_count, 2);
    assert_int_equal(first->now_ns, cluster->now_ns);
    assert_int_equal(log.transitions[1].event, RAFT_EVENT_DURABLE);
    assert_int_equal(log.transitions[1].message, 0);
    assert_int_equal(log.transitions[1].durable_index, 2);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raft_refuses_options),
        cmocka_unit_test(test_raft_refuses_restored_state),
        cmocka_unit_test(test_raft_restores_its_log),
        cmocka_unit_test(test_raft_draws_from_its_seed),
        cmocka_unit_test(test_raft_traces_each_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
