/*
 * Shards and lanes, drawn from a generator of their own: with one shard and one lane a seed means
 * what it meant before there were any.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define NODES_OF_MANY_FILES 6 /* from here on a run has fewer shards, for their files' sake */

static uint64_t one_of(struct prng *prng, const uint64_t *choices, uint32_t count)
{
    return choices[prng_range(prng, 0, count - 1)];
}

#define ONE_OF(prng, ...)                                                                          \
    one_of(prng, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

void draw_shards(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x736861726473u);
    draw->shards = ONE_OF(&prng, 1, 1, 2, 2, 3, 4);
    draw->lanes = ONE_OF(&prng, 1, 2, 2, 3);
    draw->is_lanes_mixed = prng_range(&prng, 0, 1);
    draw->stray_chance = ONE_OF(&prng, 0, 10000, 100000, 500000);
    draw->hold_weight = ONE_OF(&prng, 0, 0, 2, 8);
    draw->spread_keys = ONE_OF(&prng, 0, 0, 4, 8, 12);
    draw->is_tagged = ONE_OF(&prng, 0, 0, 1);
    draw->is_read_apart = ONE_OF(&prng, 0, 0, 0, 1);
    if (draw->nodes >= NODES_OF_MANY_FILES && draw->shards > 2)
        draw->shards = 2;
}

/* Relaxed reads, most of them with bounds, that other lanes answer than their shard's. */
static void aim_at_other_lanes(struct draw *draw)
{
    draw->stray_chance = 1000000;
    draw->relaxed_get_weight = 20;
    draw->relaxed_set_weight += 3;
    draw->max_age_chance = 500000;
    draw->min_index_chance = 300000;
}

void draw_fit_shards(struct draw *draw)
{
    if (draw->lanes > draw->shards)
        draw->lanes = draw->shards;
    if (draw->lanes == 1)
        draw->hold_weight = 0;
    if (draw->shards == 1)
        draw->is_tagged = 0;
    if (draw->shards > 1 && draw->keys < draw->spread_keys)
        draw->keys = draw->spread_keys;
    if (draw->is_read_apart != 0 && draw->lanes > 1)
        aim_at_other_lanes(draw);
}
