/*
 * Who should lead, how often leadership may be handed over, and nodes that stop cleanly: from a
 * generator of its own, so that the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"

#define MS UINT64_C(1000000)

void draw_leading(struct draw *draw, uint64_t seed)
{
    static const uint64_t intervals[] = {0, 100 * MS, 1000 * MS};
    struct prng prng;
    prng_init(&prng, seed ^ UINT64_C(0x6c656164));
    draw->transfer_interval_ns = intervals[prng_range(&prng, 0, 2)];
    if (prng_chance(&prng, 500000))
        draw->stop_weight = prng_range(&prng, 1, 8);
    if (prng_chance(&prng, 300000))
        draw->priority_seed = prng_next(&prng);
}
