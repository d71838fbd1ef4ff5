/*
 * Relaxed writes whose callers wait for a moment only, so that many end as unknown: from a
 * generator of its own, so that the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define MS UINT64_C(1000000)

void draw_hasty(struct draw *draw, uint64_t seed)
{
    static const uint64_t waits[] = {1 * MS, 3 * MS, 10 * MS, 40 * MS};
    struct prng prng;
    prng_init(&prng, seed ^ UINT64_C(0x6861737465));
    if (!prng_chance(&prng, 350000))
        return;
    draw->hasty_chance = prng_range(&prng, 100000, 900000);
    draw->hasty_ns = waits[prng_range(&prng, 0, 3)];
    if (draw->relaxed_set_weight == 0)
        draw->relaxed_set_weight = prng_range(&prng, 1, 10);
    if (prng_chance(&prng, 500000))
        draw->hot_key_chance = 700000;
}
