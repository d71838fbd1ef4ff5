/*
 * Limits that change in a run: in one of three, from a generator of their own. Where the store is
 * to be full now and then, they also fall below what is in use.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define KEYS_OF_A_FULL_STORE 3

void draw_limits(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c696d697473u);
    if (prng_range(&prng, 0, 2) != 0)
        return;
    draw->limits_weight = prng_range(&prng, 5, 50);
    draw->limits_keys_min =
        draw->store_blocks <= 3 * draw->keys ? KEYS_OF_A_FULL_STORE : SIM_KEYS_MAX;
}
