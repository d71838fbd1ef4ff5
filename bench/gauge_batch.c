/* A batch is 32 packets, a turn, a turn of each follower, a turn. */
#include "bench/gauge_batch.h"

#include "bench/gauge_cluster.h"
#include "bench/samples.h"

#include "base/check.h"
#include "base/le.h"
#include "base/prng.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NODES       5
#define KEYS        1000
#define KEY_BYTES   16
#define VALUE_BYTES 64
#define WARM_UP     200 /* batches */

static_assert(GAUGE_BATCH_SETS <= GAUGE_SESSIONS_MAX, "a session for each");
static_assert(GAUGE_BATCH_SETS < RX_BURST_MAX, "one burst for requests and for answers");

enum look { UNSEEN, COUNTED, TIMED };

struct bench {
    struct gauge_cluster cluster;
    struct prng prng;
    uint64_t leader_ns; /* of the batch, where it is timed */
};

static uint64_t counted_turns;

static __attribute__((noinline)) void gauge_set_leader_of_32(struct gauge_cluster *cluster)
{
    gauge_cluster_turn(cluster, cluster->leader);
    counted_turns++;
}

/* Time of the processor that this thread has had. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void leader_turn(struct bench *bench, enum look look)
{
    struct gauge_cluster *cluster = &bench->cluster;
    uint64_t begin_ns = look == TIMED ? cpu_ns() : 0;
    if (look == COUNTED)
        gauge_set_leader_of_32(cluster);
    else
        gauge_cluster_turn(cluster, cluster->leader);
    if (look == TIMED)
        bench->leader_ns += cpu_ns() - begin_ns;
    gauge_cluster_route(cluster, cluster->leader);
}

static void requests_send(struct bench *bench)
{
    for (uint32_t session = 0; session < GAUGE_BATCH_SETS; session++) {
        uint8_t key[KEY_BYTES] = "gauge/00";
        uint8_t value[VALUE_BYTES] = {0};
        le64_store(key + 8, prng_range(&bench->prng, 0, KEYS - 1));
        le64_store(value, bench->cluster.number);
        gauge_cluster_send_set(&bench->cluster, session, span_of(key, sizeof(key)),
                               span_of(value, sizeof(value)));
    }
}

static void batch_run(struct bench *bench, enum look look)
{
    struct gauge_cluster *cluster = &bench->cluster;
    uint64_t index = gauge_cluster_last_index(cluster);
    requests_send(bench);
    bench->leader_ns = 0;
    leader_turn(bench, look);
    CHECK(gauge_cluster_last_index(cluster) == index + 1); /* one batch */
    for (uint32_t i = 0; i < NODES - 1; i++)
        gauge_cluster_turn(cluster, cluster->followers[i]);
    for (uint32_t i = 0; i < NODES - 1; i++)
        gauge_cluster_route(cluster, cluster->followers[i]);
    leader_turn(bench, look);
    gauge_cluster_take_answers(cluster, GAUGE_BATCH_SETS);
}

static void bench_open(struct bench *bench, const char *folder, uint32_t first_port)
{
    const struct gauge_options options = {.folder = folder,
                                          .node_count = NODES,
                                          .first_port = first_port,
                                          .session_count = GAUGE_BATCH_SETS,
                                          .unproven_rate = GAUGE_UNPROVEN_RATE};
    prng_init(&bench->prng, 42);
    gauge_cluster_open(&bench->cluster, &options);
    for (uint32_t i = 0; i < WARM_UP; i++)
        batch_run(bench, UNSEEN);
}

void gauge_batch_count(const char *folder, uint32_t first_port, uint64_t batches)
{
    static struct bench bench;
    bench_open(&bench, folder, first_port);
    for (uint64_t i = 0; i < batches; i++)
        batch_run(&bench, COUNTED);
    CHECK(counted_turns == 2 * batches);
    gauge_cluster_close(&bench.cluster);
    printf("gauge_set_leader_of_32 %" PRIu64 "\n", batches * GAUGE_BATCH_SETS);
}

void gauge_batch_time(const char *folder, uint32_t first_port, uint64_t batches)
{
    static struct bench bench;
    struct samples samples;
    samples_init(&samples);
    bench_open(&bench, folder, first_port);
    for (uint64_t i = 0; i < batches; i++) {
        batch_run(&bench, TIMED);
        samples_add(&samples, bench.leader_ns, GAUGE_BATCH_SETS);
    }
    samples_print(&samples, "set at the leader, 32 a batch",
                  gauge_cluster_last_index(&bench.cluster));
    samples_deinit(&samples);
    gauge_cluster_close(&bench.cluster);
}
