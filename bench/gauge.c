/*
 * The work that the gauge counts the instructions of, operation by operation, under callgrind. A
 * function `gauge_...` runs what is counted and nothing else; bench/gauge.py reads from callgrind
 * what was executed inside it, and divides by the number of operations that is printed here. What
 * is not measured (the start, warming up, the client, the network between the ports) runs outside
 * of these functions.
 *
 * Fixed seeds, keys and times: see bench/gauge_cluster.h. The log is a file in `folder`; with
 * PMEM2_FORCE_GRANULARITY=CACHE_LINE its medium is emulated persistent memory.
 *
 * With --time only bench/gauge_batch.h runs, and says how long the batches took: that is for a run
 * without callgrind.
 *
 * Usage: gauge FOLDER [OPERATIONS]
 *        gauge --time FOLDER [BATCHES]
 */
#include "bench/engine_load.h"
#include "bench/gauge_batch.h"
#include "bench/gauge_cluster.h"

#include "base/check.h"
#include "base/le.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS      1000
#define OPERATIONS_MAX  100000
#define BATCHES_MAX     12500 /* what the leader's log has room for */
#define KEYS            1000
#define VALUE_BYTES     64
#define KEY_BYTES       16
#define APPEND_RECORDS  32
#define RECORD_BYTES    128
#define LOG_BYTES       (UINT64_C(64) << 20)
#define BATCH_PORT      4 /* behind the ports of the three nodes and their client */
#define BATCH_SHARE     8 /* a batch for so many operations */
#define APPEND_COUNT(n) ((n) < 1000 ? (n) : 1000) /* what the log has room for */

/* Calls of the functions below: a count of their own keeps each of them a function of its own. */
struct gauge_calls {
    uint64_t set_leader;
    uint64_t set_follower;
    uint64_t get_relaxed;
    uint64_t log_append;
    uint64_t apply;
};

static struct gauge_calls calls;

/* ---- what is counted ---- */

static __attribute__((noinline)) void gauge_set_leader(struct gauge_cluster *cluster)
{
    gauge_cluster_turn(cluster, cluster->leader);
    calls.set_leader++;
}

static __attribute__((noinline)) void gauge_set_follower(struct gauge_cluster *cluster)
{
    gauge_cluster_turn(cluster, cluster->followers[0]);
    calls.set_follower++;
}

static __attribute__((noinline)) void gauge_get_relaxed(struct gauge_cluster *cluster)
{
    gauge_cluster_turn(cluster, cluster->followers[0]);
    calls.get_relaxed++;
}

static __attribute__((noinline)) void gauge_log_append(struct log *log, const uint8_t *payload)
{
    uint64_t ticket;
    uint64_t durable_index;
    uint64_t index = log_last_index(log);
    for (uint32_t i = 0; i < APPEND_RECORDS; i++) {
        index++;
        struct log_record record = {.index = index,
                                    .term = 1,
                                    .commit_index = index - 1,
                                    .kind = RAFT_ENTRY_DATA,
                                    .payload = span_of(payload, RECORD_BYTES)};
        CHECK(log_append(log, &record) == OK);
    }
    (void)log_persist(log);
    CHECK(log_persisted(log, &ticket, &durable_index) == OK);
    CHECK(durable_index == index);
    calls.log_append++;
}

static __attribute__((noinline)) void gauge_apply(struct engine *engine, struct span payload)
{
    engine_apply(engine, engine_applied_index(engine) + 1, 1, RAFT_ENTRY_DATA, payload);
    calls.apply++;
}

/* ---- a set and a relaxed get ---- */

static struct span key_of(uint64_t number, uint8_t bytes[KEY_BYTES])
{
    memcpy(bytes, "gauge/00", 8);
    le64_store(bytes + 8, number);
    return span_of(bytes, KEY_BYTES);
}

/* The leader takes two turns: one with the request, one with the followers' acknowledgements. A
 * follower applies in its turn what the leader had committed by then: the set before. */
static void set_key(struct gauge_cluster *cluster, uint64_t number, bool is_counted)
{
    uint8_t key[KEY_BYTES];
    uint8_t value[VALUE_BYTES] = {0};
    le64_store(value, cluster->number);
    gauge_cluster_send_set(cluster, 0, key_of(number, key), span_of(value, sizeof(value)));
    for (uint32_t turn = 0; turn < 2; turn++) {
        if (is_counted)
            gauge_set_leader(cluster);
        else
            gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
        if (turn > 0)
            break;
        if (is_counted)
            gauge_set_follower(cluster);
        else
            gauge_cluster_turn(cluster, cluster->followers[0]);
        gauge_cluster_turn(cluster, cluster->followers[1]);
        gauge_cluster_route(cluster, cluster->followers[0]);
        gauge_cluster_route(cluster, cluster->followers[1]);
    }
    gauge_cluster_take_answer(cluster);
}

static void get_key(struct gauge_cluster *cluster, uint64_t number, bool is_counted)
{
    uint8_t key[KEY_BYTES];
    gauge_cluster_send_get(cluster, cluster->followers[0], key_of(number, key));
    if (is_counted)
        gauge_get_relaxed(cluster);
    else
        gauge_cluster_turn(cluster, cluster->followers[0]);
    gauge_cluster_route(cluster, cluster->followers[0]);
    gauge_cluster_take_answer(cluster);
    CHECK(cluster->answer.value_size_bytes == VALUE_BYTES);
}

static void cluster_run(const char *folder, uint64_t operations)
{
    static struct gauge_cluster cluster;
    struct prng prng;
    prng_init(&prng, 42);
    gauge_cluster_open(&cluster, &(struct gauge_options){.folder = folder,
                                                         .node_count = 3,
                                                         .session_count = 1,
                                                         .unproven_rate = GAUGE_UNPROVEN_RATE});
    for (uint64_t key = 0; key < KEYS; key++)
        set_key(&cluster, key, false);
    for (uint64_t i = 0; i < operations; i++)
        set_key(&cluster, prng_range(&prng, 0, KEYS - 1), true);
    for (uint64_t i = 0; i < KEYS / 10; i++)
        get_key(&cluster, prng_range(&prng, 0, KEYS - 1), false);
    for (uint64_t i = 0; i < operations; i++)
        get_key(&cluster, prng_range(&prng, 0, KEYS - 1), true);
    CHECK(calls.set_leader == 2 * operations && calls.set_follower == operations);
    gauge_cluster_close(&cluster);
}

/* ---- the log, and the engine, alone ---- */

static void log_run(const char *folder, uint64_t operations)
{
    char path[256];
    uint8_t payload[RECORD_BYTES] = {1, 2, 3};
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    snprintf(path, sizeof(path), "%s/log", folder);
    struct log_options options = {.path = path,
                                  .size_bytes = LOG_BYTES,
                                  .is_created = true,
                                  .identity = {.cluster_id = 1, .node = 1}};
    CHECK(arena_init(&arena, log_arena_bytes(options.size_bytes)) == OK);
    CHECK(log_open(&options, &arena, &log, &recovery) == OK);
    for (uint64_t i = 0; i < operations; i++)
        gauge_log_append(log, payload);
    log_close(log);
    arena_deinit(&arena);
}

/* The second engine is a follower of the first one: it has applied the same records, and decodes
 * what it applies. */
static void apply_run(uint64_t operations)
{
    static struct load leader;
    static struct load follower;
    uint8_t value[VALUE_BYTES] = {0};
    struct span payload;
    load_init(&leader, KEYS);
    load_init(&follower, KEYS);
    load_fill(&leader, span_of(value, sizeof(value)));
    load_fill(&follower, span_of(value, sizeof(value)));
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t key = prng_range(&leader.prng, 0, KEYS - 1);
        le64_store(value, i);
        load_set(&leader, &key, 1, span_of(value, sizeof(value)));
        CHECK(engine_batch(leader.engine, &payload));
        gauge_apply(follower.engine, payload);
        load_commit(&leader);
        engine_end_turn(follower.engine);
        engine_begin_turn(follower.engine, &leader.view);
    }
    CHECK(engine_state_hash(leader.engine) == engine_state_hash(follower.engine));
    load_deinit(&leader);
    load_deinit(&follower);
}

static void count_run(const char *folder, uint64_t operations)
{
    cluster_run(folder, operations);
    gauge_batch_count(folder, BATCH_PORT, (operations + BATCH_SHARE - 1) / BATCH_SHARE);
    log_run(folder, APPEND_COUNT(operations));
    apply_run(operations);
    printf("gauge_set_leader %" PRIu64 "\n", operations);
    printf("gauge_set_follower %" PRIu64 "\n", calls.set_follower);
    printf("gauge_get_relaxed %" PRIu64 "\n", calls.get_relaxed);
    printf("gauge_log_append %" PRIu64 "\n", calls.log_append);
    printf("gauge_apply %" PRIu64 "\n", calls.apply);
}

static_assert(OPERATIONS_MAX / BATCH_SHARE <= BATCHES_MAX, "the leader's log");

int main(int argc, char **argv)
{
    bool is_timed = argc > 1 && strcmp(argv[1], "--time") == 0;
    char **words = argv + is_timed;
    int count = argc - is_timed;
    uint64_t operations = count > 2 ? strtoull(words[2], NULL, 10) : OPERATIONS;
    if (count < 2 || operations < 1 || operations > (is_timed ? BATCHES_MAX : OPERATIONS_MAX)) {
        fprintf(stderr,
                "usage: gauge FOLDER [OPERATIONS (1 to %d)]\n"
                "       gauge --time FOLDER [BATCHES (1 to %d)]\n",
                OPERATIONS_MAX, BATCHES_MAX);
        return 2;
    }
    gauge_network_begin();
    if (is_timed)
        gauge_batch_time(words[1], BATCH_PORT, operations);
    else
        count_run(words[1], operations);
    gauge_network_end();
    return 0;
}
