/*
 * Nodes that look for damage in their files while they run, and files that rot meanwhile: from a
 * generator of its own, so that the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define KIB 1024ull
#define MS  1000000ull

void draw_scrub(struct draw *draw, uint64_t seed)
{
    static const uint64_t rates[] = {64 * KIB, 1024 * KIB, 64 * 1024 * KIB};
    static const uint64_t passes_ns[] = {50 * MS, 300 * MS, 2000 * MS};
    struct prng prng;
    prng_init(&prng, seed ^ 0x7363727562u);
    if (!prng_chance(&prng, 300000))
        return;
    draw->scrub_rate = rates[prng_range(&prng, 0, 2)];
    draw->scrub_pass_ns = passes_ns[prng_range(&prng, 0, 2)];
    if (prng_chance(&prng, 600000))
        draw->rot_weight = prng_range(&prng, 5, 40);
    draw->rot_running_chance = prng_range(&prng, 5, 10) * 100000;
}
