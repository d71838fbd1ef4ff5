/* See record_shape.h. */
#include "tests/sim/record_shape.h"

#include "base/check.h"
#include "engine/engine_internal.h"
#include "wire/wire_request.h"

static bool may_use_reserve(struct span bytes)
{
    struct wire_request request;
    struct wire_op op;
    CHECK(wire_request_decode(bytes, &request) == OK);
    for (size_t cursor = 0; cursor < request.ops.size_bytes;) {
        CHECK(wire_op_decode(request.ops, &cursor, &op) == OK);
        if (op.type == WIRE_OP_SET || op.type == WIRE_OP_SWAP || op.type == WIRE_OP_REGISTER)
            return false;
    }
    return (request.session & WIRE_NODE_SESSION_FLAG) == 0;
}

bool record_may_use_reserve(struct span payload)
{
    for (size_t cursor = RECORD_PREFIX_SIZE_BYTES; cursor < payload.size_bytes;) {
        if (may_use_reserve(record_next_request(payload, &cursor)))
            return true;
    }
    return false;
}
