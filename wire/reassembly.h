/*
 * Messages larger than a packet, put together again: a fixed number of slots with a fixed buffer
 * each, taken from the arena at start. Pieces that do not come are asked for (reassembly_ask). When
 * all slots are taken one of the host that has most of them gives way, the one that was idle
 * longest; its sender sends again.
 *
 * Invariant: a message that is given out is one that its sender has sent, byte by byte. It rests on
 * the sender, who never uses a message id for two messages that differ: pieces are kept by sender
 * and message id, whenever they came and however often they were sent.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_WIRE_REASSEMBLY_H
#define POLLUX_WIRE_REASSEMBLY_H

#include "base/address.h"
#include "base/arena.h"
#include "wire/wire_missing.h"
#include "wire/wire_packet.h"

struct reassembly;

/* What is missing of a message, and whom to ask for it. */
struct reassembly_ask {
    struct address to;
    uint16_t sender; /* as its packets say */
    uint16_t shard;
    struct wire_missing missing;
};

size_t reassembly_arena_bytes(uint32_t slot_count);
struct reassembly *reassembly_init(struct arena *arena, uint32_t slot_count);

/*
 * Adds one piece. OK and *ret_message set: the message is whole; its body is borrowed until the
 * next reassembly_add (a single-piece message borrows from the packet and takes no slot). OK and
 * ret_message->data NULL: pieces are missing still. ERR_RANGE: contradicts the pieces before it
 * (those stay). ERR_REPLAYED: piece was there already. The first piece of a whole message that
 * still has its slot gives the message out once more: so its sender repeats it.
 */
MUST_USE enum error reassembly_add(struct reassembly *reassembly, const struct address *from,
                                   const struct wire_packet *packet, uint64_t now_ns,
                                   struct span *ret_message);

/* When the first piece of the message that was given out last came. */
uint64_t reassembly_begun_ns(const struct reassembly *reassembly);

/* No message has pieces to ask for before; UINT64_MAX: none has. */
uint64_t reassembly_ask_ns(const struct reassembly *reassembly);
/* False: nothing is to be asked for now. Else one message's missing pieces; to be called again. */
bool reassembly_ask(struct reassembly *reassembly, uint64_t now_ns, struct reassembly_ask *ret_ask);

/* How often reassembly_ask returned true since the start. */
uint64_t reassembly_asks(const struct reassembly *reassembly);

/* Messages given up for lack of slots since the start; and those that gave way to a message of the
 * same address. */
uint64_t reassembly_evictions(const struct reassembly *reassembly);
uint64_t reassembly_evictions_own(const struct reassembly *reassembly);

#endif
