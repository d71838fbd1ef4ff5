/*
 * Reads of clients. The layout is at the head of wire/wire_read.c.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error. Encoding
 * writes nothing where the writer has no room.
 */
#ifndef POLLUX_WIRE_WIRE_READ_H
#define POLLUX_WIRE_WIRE_READ_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

struct wire_read_op {
    struct span key;
    uint32_t offset_bytes; /* of the value: the chunk wanted */
    uint64_t version;      /* 0: any; else the answer is WIRE_OUTCOME_VERSION if it has changed */
};

/* WIRE_READ */
struct wire_read {
    uint64_t request_number; /* echoed */
    uint32_t timeout_us;     /* as in wire_write */
    bool is_consistent;
    uint64_t min_index;  /* relaxed: applied index must be at least this; 0: any */
    uint32_t max_age_us; /* relaxed: last contact with a quorum at most this old; 0: any */
    uint16_t op_count;   /* 1 .. REQUEST_OPS_MAX */
    struct span ops;     /* walk with wire_read_op_decode */
};

void wire_read_begin(struct wire_writer *writer, const struct wire_read *read);
void wire_read_add(struct wire_writer *writer, const struct wire_read_op *op);
MUST_USE enum error wire_read_decode(struct span bytes, struct wire_read *ret_read);
MUST_USE enum error wire_read_op_decode(struct span ops, size_t *cursor,
                                        struct wire_read_op *ret_op);

#endif
