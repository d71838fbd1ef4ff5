/*
 * Messages larger than a packet, put together again: a fixed number of slots with a fixed buffer
 * each, taken from the arena at start. A retransmission of the same message id fills the pieces
 * that were lost. When all slots are taken the one that was idle longest gives way; its sender
 * sends again.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_WIRE_REASSEMBLY_H
#define POLLUX_WIRE_REASSEMBLY_H

#include "base/address.h"
#include "base/arena.h"
#include "wire/wire_packet.h"

struct reassembly;

size_t reassembly_arena_bytes(uint32_t slot_count);
struct reassembly *reassembly_init(struct arena *arena, uint32_t slot_count);

/*
 * Adds one piece. OK and *ret_message set: the message is whole; its body is borrowed until the
 * next reassembly_add (a single-piece message borrows from the packet and takes no slot). OK and
 * ret_message->data NULL: pieces are missing still. ERR_RANGE: contradicts the pieces before it
 * (those stay). ERR_REPLAYED: piece was there already.
 */
MUST_USE enum error reassembly_add(struct reassembly *reassembly, const struct address *from,
                                   const struct wire_packet *packet, uint64_t now_ns,
                                   struct span *ret_message);

/* Messages given up for lack of slots since the start. */
uint64_t reassembly_evictions(const struct reassembly *reassembly);

#endif
