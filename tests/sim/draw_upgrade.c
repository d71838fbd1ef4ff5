/*
 * Upgrades: in one run of four some nodes start as an older program, which knows format 0 alone,
 * and an operator asks again and again for the next format. From a generator of its own, so that
 * the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

void draw_upgrade(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x75706772616465u);
    if (prng_range(&prng, 0, 3) != 0)
        return;
    draw->upgrade_weight = prng_range(&prng, 10, 60);
    draw->older_chance = prng_range(&prng, 0, 700000);
}
