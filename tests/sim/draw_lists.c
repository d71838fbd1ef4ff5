/*
 * Clients that list keys, in a quarter of the runs: from a generator of its own, so that the rest
 * of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

void draw_lists(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c69737473u);
    if (!prng_chance(&prng, 250000))
        return;
    draw->list_chance = prng_range(&prng, 1, 10) * 10000;
    draw->lists_max = prng_range(&prng, 1, 6);
}
