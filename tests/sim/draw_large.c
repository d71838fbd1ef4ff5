/*
 * Runs with large values over a network that loses packets, and that loses them still when all
 * else has healed: drawn from a generator of their own, so that a seed without them means what it
 * meant before.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"

#define MS 1000000ull

#define LARGE_RUN_CHANCE 60000
#define LARGE_LOG_BYTES  (32ull * 1024 * 1024)

static uint64_t one_of(struct prng *prng, const uint64_t *choices, uint32_t count)
{
    return choices[prng_range(prng, 0, count - 1)];
}

#define ONE_OF(prng, ...)                                                                          \
    one_of(prng, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

void draw_large(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c61726765u);
    draw->log_bytes = LOG_SIZE_BYTES_MIN;
    draw->lasting_loss_chance = 0;
    if (!prng_chance(&prng, LARGE_RUN_CHANCE))
        return;
    draw->log_bytes = LARGE_LOG_BYTES;
    draw->store_blocks = 1 << 17;
    draw->nodes = ONE_OF(&prng, 1, 3, 3, 3);
    draw->residual = 0;
    draw->clients = ONE_OF(&prng, 2, 3);
    draw->takers = 0;
    draw->keys = ONE_OF(&prng, 1, 2, 4);
    draw->pipeline_max = ONE_OF(&prng, 1, 2, 4);
    draw->ops_per_client = prng_range(&prng, 15, 30);
    draw->think_ns = ONE_OF(&prng, 20, 100, 300) * MS;
    draw->big_value_chance = ONE_OF(&prng, 200000, 400000);
    draw->big_value_size_max = ONE_OF(&prng, 100000, 600000, VALUE_SIZE_BYTES_MAX);
    draw->blocking_chance = ONE_OF(&prng, 500000, 1000000);
    draw->timeout_ns = ONE_OF(&prng, 200, 1000) * MS;
    draw->loss_chance = ONE_OF(&prng, 2000, 20000, 50000);
    draw->lasting_loss_chance = draw->loss_chance;
    draw->duplicate_chance = ONE_OF(&prng, 0, 0, 20000, 200000);
    draw->late_chance = ONE_OF(&prng, 0, 0, 5000);
    draw->corrupt_chance = ONE_OF(&prng, 0, 0, 5000);
}
