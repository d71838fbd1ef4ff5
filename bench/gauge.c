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
 * Usage: gauge FOLDER [OPERATIONS]
 */
#include "bench/engine_load.h"
#include "bench/gauge_cluster.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS      1000
#define OPERATIONS_MAX  100000
#define KEYS            1000
#define VALUE_BYTES     64
#define KEY_BYTES       16
#define APPEND_RECORDS  32
#define RECORD_BYTES    128
#define LOG_BYTES       (UINT64_C(64) << 20)
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
    gauge_cluster_send_set(cluster, key_of(number, key), span_of(value, sizeof(value)));
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
    gauge_cluster_open(&cluster, folder);
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

int main(int argc, char **argv)
{
    uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : OPERATIONS;
    if (argc < 2 || operations < 1 || operations > OPERATIONS_MAX) {
        fprintf(stderr, "usage: gauge FOLDER [OPERATIONS (1 to %d)]\n", OPERATIONS_MAX);
        return 2;
    }
    cluster_run(argv[1], operations);
    log_run(argv[1], APPEND_COUNT(operations));
    apply_run(operations);
    printf("gauge_set_leader %" PRIu64 "\n", operations);
    printf("gauge_set_follower %" PRIu64 "\n", calls.set_follower);
    printf("gauge_get_relaxed %" PRIu64 "\n", calls.get_relaxed);
    printf("gauge_log_append %" PRIu64 "\n", calls.log_append);
    printf("gauge_apply %" PRIu64 "\n", calls.apply);
    return 0;
}
