/*
 * What a leader admits fits the logs of a majority: after each turn that appended a record of data,
 * so many voters as make a majority have room for all that they lack of the leader's log, and the
 * reserves besides. Looks into every node at once, as nobody in the cluster can.
 */
#ifndef POLLUX_TESTS_SIM_ROOM_CHECK_H
#define POLLUX_TESTS_SIM_ROOM_CHECK_H

#include "tests/sim/world.h"

void room_look(struct world *world, const struct sim_node *node, uint32_t shard);

#endif
