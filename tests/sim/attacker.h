/*
 * An attacker on the network of the nodes: it hears all that they say to one another, keeps some of
 * it for the rest of the run, and sends in any node's name. It has no key. What it sends:
 * - what a node has taken in before, in this start of the node or in an earlier one;
 * - the same back to its sender;
 * - the same with some bits changed;
 * - the same unsealed, with a good checksum and a term far ahead;
 * - messages of handshakes, as they were or changed.
 *
 * All but the last is to be refused, packet by packet: `is_hostile` marks it, and world_security.c
 * counts. (The copy of an initiation may be answered: it is to change nothing.)
 */
#ifndef POLLUX_TESTS_SIM_ATTACKER_H
#define POLLUX_TESTS_SIM_ATTACKER_H

#include "base/prng.h"
#include "tests/sim/tally.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTACKER_KEPT 64u

struct packet;

struct attacker {
    struct prng prng;
    uint32_t kept_count;
    struct packet *kept[ATTACKER_KEPT];
};

void attacker_init(struct attacker *attacker, uint64_t seed);
void attacker_deinit(struct attacker *attacker);

/* A node is about to look at this packet, as it was sent; it may be kept. */
void attacker_hear(struct attacker *attacker, const struct packet *packet);

/* Makes a packet of one that was kept, but for its lane. False: nothing was heard yet. */
bool attacker_make(struct attacker *attacker, uint64_t cluster_id, struct tally *tally,
                   struct packet *ret_packet);

#endif
