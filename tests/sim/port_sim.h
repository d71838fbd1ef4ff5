/*
 * The simulated end of dataplane/port.h. Ports carry no context of their world in their options, so
 * the world announces its network here before it opens a lane; the node is known by its address.
 */
#ifndef POLLUX_TESTS_SIM_PORT_SIM_H
#define POLLUX_TESTS_SIM_PORT_SIM_H

#include "tests/sim/network.h"

struct port_sim_watch {
    /* Called before a datagram leaves a node: it may die here, and what it says is heard. */
    void (*before_send)(void *context, uint32_t node, struct span packet);
    /* A lane has given a datagram to another one of its node. */
    void (*after_hand_over)(void *context, uint32_t node, uint32_t lane);
    void *context;
};

/* The network that ports opened from now on belong to. */
/* Ports are opened by this host from here on, whatever their address; HOSTS_MAX: by its owner. */
void port_sim_open_as(uint32_t host);

void port_sim_attach(struct network *network, struct port_sim_watch watch);

#endif
