/* See record_check.h. */
#include "engine/service/record_check.h"

#include "base/le.h"
#include "engine/service/batch.h"
#include "wire/wire.h"

/* What the ops of a request were so far. */
struct ops_seen {
    bool is_of_node; /* the request is one that a node forwards */
    bool has_limits;
    bool has_loose_cancel; /* a cancel with no set or swap after it */
};

static enum error record_op_check(struct ops_seen *seen, const struct wire_op *op, bool is_alone)
{
    bool is_write = op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP;
    bool is_forwarded =
        op->type == WIRE_OP_SET || op->type == WIRE_OP_CANCEL || op->type == WIRE_OP_FENCE;
    if (seen->is_of_node && !is_forwarded)
        return ERR_RANGE;
    if (op->type == WIRE_OP_LIMITS && !is_alone)
        return ERR_RANGE;
    seen->has_limits |= op->type == WIRE_OP_LIMITS;
    if (op->type == WIRE_OP_CANCEL)
        seen->has_loose_cancel = true;
    else if (is_write)
        seen->has_loose_cancel = false;
    return OK;
}

static enum error record_request_check(struct span bytes, bool *ret_has_limits)
{
    struct wire_request request;
    size_t cursor = 0;
    enum error error = wire_request_open(bytes, &request);
    if (error != OK)
        return error;
    struct ops_seen seen = {.is_of_node = (request.session & WIRE_NODE_SESSION_FLAG) != 0};
    for (uint16_t i = 0; i < request.op_count; i++) { /* REQUEST_OPS_MAX */
        struct wire_op op;
        error = wire_op_decode(request.ops, &cursor, &op);
        if (error == OK)
            error = record_op_check(&seen, &op, request.op_count == 1);
        if (error != OK)
            return error;
    }
    if (cursor != request.ops.size_bytes)
        return ERR_TRAILING;
    *ret_has_limits = seen.has_limits;
    return seen.has_loose_cancel ? ERR_RANGE : OK;
}

/* The request at *cursor, and the cursor behind its padding. */
static enum error next_request(struct span payload, size_t *cursor, struct span *ret_bytes)
{
    size_t left = payload.size_bytes - *cursor;
    if (left < REQUEST_PREFIX_SIZE_BYTES)
        return ERR_SHORT;
    size_t size = le32_load(payload.data + *cursor);
    size_t padded = (REQUEST_PREFIX_SIZE_BYTES + size + REQUEST_ALIGN_BYTES - 1) &
                    ~(size_t)(REQUEST_ALIGN_BYTES - 1);
    if (padded > left)
        return ERR_SHORT;
    *ret_bytes = span_of(payload.data + *cursor + REQUEST_PREFIX_SIZE_BYTES, size);
    *cursor += padded;
    return OK;
}

enum error record_check(struct span payload)
{
    if (payload.size_bytes < RECORD_PREFIX_SIZE_BYTES)
        return ERR_SHORT;
    uint32_t count = le32_load(payload.data + 8);
    uint32_t flags = le32_load(payload.data + RECORD_FLAGS_OFFSET);
    if (count == 0 || count > BATCH_REQUESTS_MAX || (flags & ~RECORD_FLAG_LIMITS) != 0)
        return ERR_RANGE;
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    uint32_t limits = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct span bytes;
        bool has_limits = false;
        enum error error = next_request(payload, &cursor, &bytes);
        if (error == OK)
            error = record_request_check(bytes, &has_limits);
        if (error != OK)
            return error;
        limits += has_limits;
    }
    if (cursor != payload.size_bytes)
        return ERR_TRAILING;
    return limits == (flags & RECORD_FLAG_LIMITS) ? OK : ERR_RANGE;
}
