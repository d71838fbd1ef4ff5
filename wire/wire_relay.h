/*
 * Relayed packets. A client that cannot reach a node hands another one a packet for it (WIRE_RELAY,
 * which names the node). That one hands it on (WIRE_RELAYED, with the client's address), and the
 * answer comes back the same way (WIRE_RELAY_BACK, with that address). The relay sends the client
 * the packet itself. What is in the packet is between the client and the node: the relay changes
 * nothing of it, and cannot open it where it is sealed.
 *
 * The packet lies behind a head; of it only the header is looked at. The layout is at the head of
 * wire/wire_relay.c.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_RELAY_H
#define POLLUX_WIRE_WIRE_RELAY_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

struct wire_relay {
    uint16_t node;         /* of WIRE_RELAY: whom it is for; else 0 */
    struct address client; /* of the others: whose it is, or for whom; else zero */
    struct span packet;
};

/* Writes head and packet to `to` (RELAY_HEAD_SIZE_BYTES and those of the packet); returns how many
 * bytes. The packet may lie there already, behind the head. */
uint32_t wire_relay_encode(uint8_t *to, const struct wire_relay *relay);

/*
 * `wire_type`: which of the three. ERR_SHORT; ERR_TOO_LARGE: the packet leaves no room for what is
 * around it; ERR_RESERVED; ERR_NODE: none is named; ERR_RANGE: no address is named.
 */
MUST_USE enum error wire_relay_decode(uint8_t wire_type, struct span bytes,
                                      struct wire_relay *ret_relay);

/* Whether a packet may be relayed: a client's, for a node (`sender` 0), or a node's, for a client.
 * Its header says so, nothing else checked. */
bool wire_relay_may_carry(struct span packet, uint16_t shard, uint16_t sender);

#endif
