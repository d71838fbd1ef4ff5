/* Backups that an operator makes of the cluster, and who dies while they are made. */
#include "tests/sim/world.h"

void backup_strike(struct world *world)
{
    size_t giver = copier_giver(&world->copier);
    if (world->is_healed || giver >= world->draw.nodes || world->draw.backup_strike_chance == 0 ||
        !prng_chance(&world->fault_prng, (uint32_t)world->draw.backup_strike_chance))
        return;
    struct sim_node *node = &world->nodes[giver];
    if (!node->is_running)
        return;
    world->tally->fault_givers_lost++;
    node_crash(world, node, faults_up_to(world, 1) == 0 ? DEATH_KILL : DEATH_POWER,
               faults_up_to(world, world->draw.down_ns_max));
}

void backup_judge_all(struct world *world)
{
    for (uint32_t i = 0; i < world->copier.count && !verdict_is_broken(&world->verdict); i++) {
        verdict_say(&world->verdict, "judges backup %u", i);
        backup_check(&world->history, &world->copier.backups[i], &world->verdict);
    }
}
