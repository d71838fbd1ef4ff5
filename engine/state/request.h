/*
 * A request, decoded: what wire/wire.h encodes, as an array of ops that admission, batch, machine
 * and answers share. A request is decoded once on each node: on arrival where it is proposed, from
 * the record where it is only applied. The key's hash in the index is computed in
 * the same walk.
 *
 * An op says where its parts lie in the request's bytes by an offset, not by a pointer, so that the
 * array stays true when the bytes are copied (into the batch, then into the log).
 */
#ifndef POLLUX_ENGINE_STATE_REQUEST_H
#define POLLUX_ENGINE_STATE_REQUEST_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire.h"

struct op {
    uint64_t seq;
    uint64_t hash;       /* of an op with a key: index_hash. CANCEL: the series */
    uint32_t key_offset; /* from the first byte of the request; value and old follow the key */
    uint32_t value_size_bytes;
    uint32_t old_size_bytes;
    uint32_t tag;
    uint16_t key_size_bytes; /* 0: no key */
    uint16_t node;
    uint8_t type; /* enum wire_op_type */
    bool has_value;
    bool has_old;
};

struct request {
    const uint8_t *bytes; /* of the encoded request */
    size_t size_bytes;
    uint64_t session;
    uint64_t floor;
    const struct op *ops;
    uint16_t op_count;
};

struct index;

/*
 * Decodes and checks a whole request; `ops` has room for REQUEST_OPS_MAX. The hashes are those of
 * the index. Errors as wire_request_decode; *ret_request is untouched then.
 */
MUST_USE enum error request_decode(struct span bytes, const struct index *index, struct op *ops,
                                   struct request *ret_request);

/* Of a CANCEL. */
static inline uint64_t op_series(const struct op *op)
{
    return op->hash;
}

static inline struct span op_key(const struct request *request, const struct op *op)
{
    return span_of(request->bytes + op->key_offset, op->key_size_bytes);
}

static inline struct span op_value(const struct request *request, const struct op *op)
{
    return span_of(request->bytes + op->key_offset + op->key_size_bytes, op->value_size_bytes);
}

static inline struct span op_old(const struct request *request, const struct op *op)
{
    return span_of(request->bytes + op->key_offset + op->key_size_bytes + op->value_size_bytes,
                   op->old_size_bytes);
}

static inline bool op_is_set_or_swap(const struct op *op)
{
    return op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP;
}

/* A request under construction: its bytes and its decoded ops at once. */
struct request_builder {
    struct wire_writer writer;
    struct op *ops; /* REQUEST_OPS_MAX */
    uint64_t session;
    uint64_t floor;
    uint16_t op_count;
};

void request_builder_begin(struct request_builder *builder, uint64_t session, uint64_t floor);
/* Adds an op; `hash` is that of its key. What does not fit shows in the writer's overflow. */
void request_builder_add(struct request_builder *builder, const struct wire_op *op, uint64_t hash);
/* Adds an op of another request. */
void request_builder_copy(struct request_builder *builder, const struct request *request,
                          const struct op *op);
/* What was built (no overflow: CHECK); borrowed from writer and ops. */
struct request request_builder_end(const struct request_builder *builder);

#endif
