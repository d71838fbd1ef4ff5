/*
 * What happens once in the life of a cluster: a quorum is lost for good, and an operator puts the
 * cluster together anew. From a generator of its own, so that the rest of a seed's draws mean what
 * they meant before.
 */
#include "tests/sim/draw.h"

#include "base/prng.h"

#define RESCUE_CHANCE 120000 /* in a million runs */

/* Lines of a log that were handed out may be lost, and so may limits; an index of the era before is
 * one that the new log may not reach; nobody knows of starts that only lost nodes have heard; and
 * who runs the rescue has the newest program. */
static void take_back(struct draw *draw)
{
    draw->takers = 0;
    draw->limits_weight = 0;
    draw->min_index_chance = 0;
    draw->set_back_weight = 0;
    draw->duplicate_weight = 0;
    draw->upgrade_weight = 0;
}

void draw_life(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6c69666573u);
    if (draw->nodes < 2 || draw->spares > 0 || !prng_chance(&prng, RESCUE_CHANCE))
        return;
    draw->rescue_weight = prng_range(&prng, 5, 40);
    take_back(draw);
}
