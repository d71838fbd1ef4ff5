/* A link of the world carries larger or smaller packets than before: a switch was replaced. */
#include "tests/sim/world.h"

void links_change(struct world *world)
{
    struct network *network = &world->network;
    bool is_of_all = faults_up_to(world, 2) == 0;
    uint32_t host = (uint32_t)faults_up_to(world, HOSTS_MAX - 1);
    uint16_t mtu_bytes = network_mtu_draw(&world->fault_prng);
    world->tally->fault_links_changed++;
    verdict_say(&world->verdict, "packets of %u bytes fit the link of host %u", mtu_bytes,
                is_of_all ? HOSTS_MAX : host);
    for (uint32_t i = 0; i < HOSTS_MAX; i++) {
        if (is_of_all || i == host)
            network->mtu_bytes[i] = mtu_bytes;
    }
}
