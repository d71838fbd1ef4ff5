/*
 * How a node that is too far behind copies a snapshot from its leader. The leader offers one. The
 * node asks for some of its blocks at a time and gets each as a message of its own. So the one that
 * needs them sets the pace, asks again for what was lost, and the leader keeps nothing in mind.
 *
 * Owner: the caller. Pure; any thread. A block borrows its bytes from the message decoded.
 */
#ifndef POLLUX_WIRE_WIRE_SNAPSHOT_H
#define POLLUX_WIRE_WIRE_SNAPSHOT_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

enum wire_snapshot_type {
    WIRE_SNAPSHOT_OFFER = 1, /* leader to node */
    WIRE_SNAPSHOT_ASK,       /* node to whom it has the offer from */
    WIRE_SNAPSHOT_BLOCK,     /* the answer: one for each block asked for */
    WIRE_SNAPSHOT_TYPE_END
};

struct wire_snapshot_message {
    uint8_t type;         /* enum wire_snapshot_type */
    uint32_t fingerprint; /* of the replicated limits, as in wire_peer.h */
    /* Which snapshot: a random id, and the last record that it holds. */
    uint64_t id;
    uint64_t index;
    uint64_t record_term;
    union {
        struct {
            uint64_t leader_term; /* the sender leads in it */
            uint64_t stream_bytes;
            uint32_t block_count;
            uint32_t content_crc;
        } offer;
        struct {
            uint32_t first_block;
            uint32_t block_count; /* 1 to SNAPSHOT_ASK_BLOCKS_MAX */
        } ask;
        struct {
            uint32_t number;
            struct span bytes; /* 1 to SNAPSHOT_BLOCK_BYTES */
        } block;
    };
};

void wire_snapshot_encode(struct wire_writer *writer, const struct wire_snapshot_message *message);

/* ERR_SHORT, ERR_TYPE, ERR_RESERVED, ERR_RANGE, ERR_TOO_LARGE (a block), ERR_TRAILING. */
MUST_USE enum error wire_snapshot_decode(struct span bytes,
                                         struct wire_snapshot_message *ret_message);

#endif
