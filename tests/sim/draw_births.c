/*
 * Nodes that lose their storages and get new ones, again and again: from a generator of its own, so
 * that the rest of a seed's draws mean what they meant before.
 */
#include "tests/sim/draw.h"

#include "base/limits.h"
#include "base/prng.h"

#define MS UINT64_C(1000000)

/* Storages that are set back, on nodes that die often: then a copy is of an earlier start. */
static void draw_set_back(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x736574206261636bu);
    if (draw->nodes < 3 || !prng_chance(&prng, 200000))
        return;
    draw->set_back_weight = prng_range(&prng, 5, 40);
    draw->kill_leader_weight = prng_range(&prng, 0, 10);
    if (draw->fault_interval_ns > 300 * MS)
        draw->fault_interval_ns = 300 * MS;
    if (draw->down_ns_max > 300 * MS)
        draw->down_ns_max = 300 * MS;
}

/* Second processes with the id and the address of a node, which dies often: then a copy of its
 * storage lacks its latest start. */
static void draw_duplicates(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x6475706c6963u);
    if (draw->nodes < 3 || draw->nodes == NODES_MAX || !prng_chance(&prng, 150000))
        return;
    draw->duplicate_weight = prng_range(&prng, 5, 40);
    draw->kill_leader_weight = prng_range(&prng, 0, 10);
    if (draw->fault_interval_ns > 300 * MS)
        draw->fault_interval_ns = 300 * MS;
    if (draw->down_ns_max > 300 * MS)
        draw->down_ns_max = 300 * MS;
}

/* Nodes that start with a [peers] in which some of the others are missing. */
static void draw_short_peers(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed ^ 0x7065657273u);
    if (draw->nodes >= 2 && prng_chance(&prng, 150000))
        draw->short_peers_chance = prng_range(&prng, 100000, 700000);
}

void draw_births(struct draw *draw, uint64_t seed)
{
    struct prng prng;
    draw_set_back(draw, seed);
    draw_short_peers(draw, seed);
    draw_duplicates(draw, seed);
    prng_init(&prng, seed ^ 0x6269727468u);
    if (draw->nodes < 3 || !prng_chance(&prng, 200000))
        return;
    draw->lost_file_weight = prng_range(&prng, 5, 30);
    draw->journal_fault_chance = prng_range(&prng, 0, 300000);
    draw->recreate_chance = 1000000;
    draw->kill_leader_weight = prng_range(&prng, 0, 10);
    if (draw->fault_interval_ns > 400 * MS)
        draw->fault_interval_ns = 400 * MS;
    if (draw->down_ns_max > 300 * MS)
        draw->down_ns_max = 300 * MS;
}
