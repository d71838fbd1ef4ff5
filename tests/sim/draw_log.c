/*
 * How large the logs of a run are. Most are small, so that snapshots are taken and the begin of the
 * log is dropped many times in a run: from a generator of its own, so that the rest of a seed's
 * draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"
#include "pmem/log.h"

#define KIB 1024ull

/* Room for the reserves for fences and no-ops, which are of a fixed size, and as much again. */
#define LOG_BYTES_LEAST (2 * (LOG_FENCE_RESERVE_SIZE_BYTES + LOG_NOOP_RESERVE_SIZE_BYTES))
/* Header, state and table. */
#define LOG_HEAD_BYTES (12 * KIB)

/* Logs that fill: the snapshots of some nodes, often of a majority, stand still until the end, and
 * clients write more than such a log holds. */
static void draw_full_logs(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x66756c6cu);
    if (!prng_chance(&prng, 60000) || draw->big_value_chance > 0 || draw->nodes < 3)
        return;
    draw->snapshots_held = prng_range(&prng, 1, draw->nodes);
    draw->segment_bytes = (prng_chance(&prng, 500000) ? 32 : 64) * KIB;
    draw->log_bytes = LOG_HEAD_BYTES + draw->segment_bytes * (8 * 64 * KIB / draw->segment_bytes);
    draw->value_size_max = 6000;
    draw->set_weight = 20;
    draw->ops_per_client = 300;
    draw->pipeline_max = 8;
    draw->think_ns = draw->fault_phase_ns / draw->ops_per_client * 2;
}

static void draw_small_logs(struct draw *draw, uint64_t seed)
{
    static const uint64_t segments[] = {16 * KIB, 32 * KIB, 64 * KIB, 256 * KIB};
    static const uint64_t rates[] = {1 << 20, 16 << 20, 1 << 30};
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c6f67u);
    draw->snapshot_rate = rates[prng_range(&prng, 0, 2)];
    uint64_t segment_bytes = segments[prng_range(&prng, 0, 3)];
    uint64_t count = prng_range(&prng, LOG_SEGMENTS_MIN + 1, 16);
    draw->segment_bytes = log_segment_size_bytes(draw->log_bytes);
    if (draw->big_value_chance > 0 || prng_chance(&prng, 100000))
        return;
    while (segment_bytes * (count - 1) < LOG_BYTES_LEAST)
        segment_bytes *= 2;
    draw->segment_bytes = segment_bytes;
    draw->log_bytes = LOG_HEAD_BYTES + segment_bytes * count;
}

void draw_log(struct draw *draw, uint64_t seed)
{
    draw_small_logs(draw, seed);
    draw_full_logs(draw, seed);
}
