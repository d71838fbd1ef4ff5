/*
 * Drafts: packets being gathered, of operations of one shard and class to one node. Owner: whoever
 * holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_DRAFT_H
#define POLLUX_CLIENT_DRAFT_H

#include "client/op.h"

/* Bytes of a packet before its first operation; that of a read is smaller. */
#define DRAFT_HEADER_BYTES (WIRE_WRITE_HEADER_SIZE_BYTES + WIRE_REQUEST_HEADER_SIZE_BYTES)

struct draft {
    struct shard_state *shard;
    enum op_class class;
    uint32_t endpoint;
    uint32_t op_count;
    uint32_t wire_count; /* with cancels */
    bool is_recall;
    uint64_t session;
    struct op *ops[REQUEST_OPS_MAX];
    size_t size_bytes;
    size_t size_bytes_max;
};

/* How an operation leaves. */
struct departure {
    uint32_t endpoint;
    uint32_t cancel_count;
    size_t size_bytes; /* with the cancels */
};

/* Bytes of the largest draft that goes to the endpoint in one packet. */
size_t draft_size_max(struct plx_client *client, uint32_t endpoint, uint16_t shard);
/* Adds the operation; what it does not fit together with is sent before. */
void draft_add(struct plx_client *client, struct draft *draft, struct op *op,
               const struct departure *departure);
/* Sends what is gathered, if anything is. */
void draft_send(struct plx_client *client, struct draft *draft);

#endif
