/* The clock of a node, which all its lanes read. */
#include "tests/sim/world.h"

#define DEADLINE_NS_MAX 1000000000000ull

uint64_t node_clock_ns(const struct world *world, struct sim_node *node)
{
    int64_t elapsed = (int64_t)(world_now_ns(world) - node->base_virtual_ns);
    int64_t drifted = elapsed + elapsed / 1000 * node->drift_per_million / 1000;
    uint64_t local_ns = node->base_local_ns + (uint64_t)drifted;
    if (local_ns < node->last_local_ns)
        local_ns = node->last_local_ns;
    node->last_local_ns = local_ns;
    return local_ns;
}

uint64_t node_clock_virtual_ns(const struct world *world, struct sim_node *node, uint64_t local_ns)
{
    uint64_t now_ns = node_clock_ns(world, node);
    if (local_ns <= now_ns)
        return world_now_ns(world);
    uint64_t ahead_ns = local_ns - now_ns;
    if (ahead_ns > DEADLINE_NS_MAX)
        ahead_ns = DEADLINE_NS_MAX;
    uint64_t rate = (uint64_t)(1000000 + node->drift_per_million);
    return world_now_ns(world) + ahead_ns * 1000 / rate * 1000 + 2000;
}

void node_clock_reset(struct world *world, struct sim_node *node, bool is_new_machine)
{
    int64_t drift_max = (int64_t)world->draw.drift_max;
    uint64_t local_ns = node_clock_ns(world, node);
    node->base_virtual_ns = world_now_ns(world);
    node->base_local_ns = local_ns;
    node->drift_per_million =
        (int64_t)prng_range(&world->prng, 0, 2 * (uint64_t)drift_max) - drift_max;
    if (!is_new_machine)
        return;
    /* The clock of a machine that has just started begins anywhere. */
    node->last_local_ns = 0;
    node->base_local_ns = prng_range(&world->prng, 1000, 3600000000000ull);
}

void node_step_clock(struct world *world, struct sim_node *node, uint64_t step_ns)
{
    uint64_t local_ns = node_clock_ns(world, node);
    node->base_virtual_ns = world_now_ns(world);
    node->base_local_ns = local_ns + step_ns;
    node_plan_turns(world, node, world_now_ns(world));
}
