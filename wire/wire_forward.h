/*
 * What a node sends to the leader of a shard: its pending relaxed writes. Beside the request stands
 * what the leader must know before the request counts: of which storage the writes are, and of
 * which start of the storage (raft/peer_starts.h).
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_FORWARD_H
#define POLLUX_WIRE_WIRE_FORWARD_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#define WIRE_FORWARD_DROPS_NONE UINT32_MAX

struct wire_forward {
    uint32_t fingerprint; /* as in wire_peer.h, as all of the sender's: */
    uint32_t cluster;
    uint32_t era;
    uint64_t birth; /* not 0 */
    uint64_t start; /* not 0 */
    /* The sender has dropped what the table of rights with this count (base/rights_table.h) says.
     * WIRE_FORWARD_DROPS_NONE: it tells no clients apart. */
    uint32_t drops;
    struct span request; /* an encoded wire_request of the series of this birth */
};

void wire_forward_encode(struct wire_writer *writer, const struct wire_forward *forward);

/* ERR_SHORT (also without a request), ERR_RANGE (no birth or start). */
MUST_USE enum error wire_forward_decode(struct span bytes, struct wire_forward *ret_forward);

#endif
