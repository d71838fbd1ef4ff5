/*
 * An attacker on the network: it hears all that nodes say to one another, keeps some of it for the
 * rest of the run, and sends in anybody's name. It has no key. Where clients must have keys it
 * hears what they and nodes say to one another, too. What it sends:
 * - what its receiver has taken in before, in this start of a node or in an earlier one;
 * - the same back to its sender, or what a client has sent to another node;
 * - the same with some bits changed;
 * - the same unsealed, with a good checksum and a term far ahead;
 * - messages of handshakes, as they were or changed.
 *
 * All but the last is to be refused, packet by packet: `is_hostile` marks it. world_security.c
 * counts what nodes refuse, and socket_sim.c looks at each packet that a client gets. (The copy of
 * an initiation may be answered: it is to change nothing.)
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
    bool hears_clients;
    uint32_t node_count; /* that there are */
    uint32_t kept_count;
    struct packet *kept[ATTACKER_KEPT];
};

void attacker_init(struct attacker *attacker, uint64_t seed);
/* Where clients must have keys; with so many nodes. */
void attacker_hear_clients(struct attacker *attacker, uint32_t node_count);
void attacker_deinit(struct attacker *attacker);

/* Its receiver is about to look at this packet, as it was sent; it may be kept. */
void attacker_hear(struct attacker *attacker, const struct packet *packet);

/* Makes a packet of one that was kept, but for its lane. False: nothing was heard yet. */
bool attacker_make(struct attacker *attacker, uint64_t cluster_id, struct tally *tally,
                   struct packet *ret_packet);

#endif
