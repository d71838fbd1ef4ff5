/*
 * How a client copies a shard's state: it finds a snapshot on a node, then asks for the parts of
 * its blocks. The node keeps nothing in mind of the client. The layout is at the head of
 * wire/wire_backup.c.
 *
 * A question has the size of a packet, and a part fills no more than five: so a node answers a
 * stranger with no more than a few times what the stranger has sent, wherever he says he is.
 *
 * Owner: the caller. Pure; any thread. A reply borrows its bytes from the message decoded.
 */
#ifndef POLLUX_WIRE_WIRE_BACKUP_H
#define POLLUX_WIRE_WIRE_BACKUP_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

enum wire_backup_kind {
    WIRE_BACKUP_FIND = 1, /* the newest snapshot, of a record from `index_min` on */
    WIRE_BACKUP_PART,     /* one part of one block */
    WIRE_BACKUP_KIND_END
};

enum wire_backup_status {
    WIRE_BACKUP_OK = 1,
    WIRE_BACKUP_PENDING, /* find: such a snapshot is being taken, or its records have not come */
    WIRE_BACKUP_GONE,    /* part: the snapshot was overwritten, or has rotted; find another one */
    WIRE_BACKUP_BUSY,    /* part: more than the node gives; ask again after wait_us */
    WIRE_BACKUP_NONE,    /* this node keeps no snapshots, or is out of its cluster */
    WIRE_BACKUP_DENIED,  /* the client is no administrator */
    WIRE_BACKUP_STATUS_END
};

/* WIRE_BACKUP */
struct wire_backup {
    uint64_t number; /* the client's; the answer repeats it */
    uint8_t kind;    /* enum wire_backup_kind */
    uint64_t index_min;
    uint64_t id; /* of the snapshot that the part is of */
    uint32_t block;
    uint32_t part; /* below BACKUP_PARTS */
};

/* WIRE_BACKUP_REPLY. What is not of its kind or status is zero. */
struct wire_backup_reply {
    uint64_t number;
    uint8_t kind;
    uint8_t status; /* enum wire_backup_status */
    uint16_t node;
    uint32_t wait_us;
    uint64_t applied_index; /* at the answering node */
    /* Find: the snapshot. */
    uint64_t id;
    uint64_t index;
    uint64_t record_term;
    uint64_t stream_bytes;
    uint32_t block_count;
    uint32_t content_crc;
    struct span bytes; /* part: 1 to BACKUP_PART_BYTES; none behind the end of the block */
};

void wire_backup_encode(struct wire_writer *writer, const struct wire_backup *question);

/* ERR_SHORT, ERR_TRAILING, ERR_TYPE, ERR_RESERVED, ERR_RANGE (part). */
MUST_USE enum error wire_backup_decode(struct span bytes, struct wire_backup *ret_question);

void wire_backup_reply_encode(struct wire_writer *writer, const struct wire_backup_reply *reply);

/* ERR_SHORT, ERR_TOO_LARGE, ERR_TYPE (kind or status), ERR_RANGE (node, index, blocks). */
MUST_USE enum error wire_backup_reply_decode(struct span bytes,
                                             struct wire_backup_reply *ret_reply);

#endif
