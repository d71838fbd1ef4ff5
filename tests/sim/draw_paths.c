/*
 * How large packets may be: what nodes are told of it, and what their links carry: from a generator
 * of its own, so that the rest of a seed's draws mean what they meant before. In half of the runs
 * all is as on Ethernet.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"

void draw_paths(struct draw *draw, uint64_t seed)
{
    static const uint64_t mtus[] = {MTU_MIN, 1400, MTU_USUAL, 4000, MTU_MAX, MTU_MAX};
    struct prng prng;
    prng_init(&prng, seed ^ UINT64_C(0x7061746873));
    draw->node_mtu = MTU_USUAL;
    if (prng_chance(&prng, 500000))
        return;
    draw->node_mtu = mtus[prng_range(&prng, 0, 5)];
    draw->link_seed = prng_next(&prng) >> 16 | 1;
    if (prng_chance(&prng, 600000))
        draw->link_weight = prng_range(&prng, 1, 30);
}
