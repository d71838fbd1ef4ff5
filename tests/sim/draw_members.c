/*
 * Nodes that come and go: in one run of six some nodes are spare. They are added and removed again
 * and again, while the founders stay. From a generator of its own, so that the rest of a seed's
 * draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define NODES_ALL_MAX 7

void draw_members(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6d656d62657273u);
    uint64_t spares = prng_range(&prng, 1, 2);
    if (draw->nodes < 3 || draw->nodes + spares > NODES_ALL_MAX || prng_range(&prng, 0, 5) != 0)
        return;
    draw->spares = spares;
    draw->nodes += spares;
    draw->member_weight = prng_range(&prng, 10, 100);
    if (prng_chance(&prng, 500000))
        draw->transfer_weight += prng_range(&prng, 1, 20);
}
