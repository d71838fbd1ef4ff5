/*
 * Hears every Raft message at the moment it leaves a node and holds what it says against that
 * node's medium: votes, terms and records that a message vouches for must be durable by then
 * (raft/raft.h, the caller's third duty), and a node votes for one candidate in a term (paper 5.2).
 */
#ifndef POLLUX_TESTS_SIM_EAVESDROPPER_H
#define POLLUX_TESTS_SIM_EAVESDROPPER_H

#include "tests/sim/overseer.h"

/* A packet of the overseer's shard that leaves `node`, whose lane is in the middle of its turn. */
void eavesdropper_hear(struct overseer *overseer, uint32_t node, struct replica *replica,
                       const struct wire_packet *packet);

#endif
