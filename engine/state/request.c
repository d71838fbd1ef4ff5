/* Requests, decoded and built: see engine/state/request.h. */
#include "engine/state/request.h"

#include "base/check.h"
#include "engine/state/index.h"

static_assert(MESSAGE_SIZE_BYTES_MAX <= UINT32_MAX, "an offset in a request has 32 bits");

/* The op whose key begins at `key_offset`. */
static struct op op_of_wire(const struct wire_op *op, size_t key_offset, uint64_t hash)
{
    return (struct op){
        .seq = op->seq,
        .hash = op->type == WIRE_OP_CANCEL ? op->series : hash,
        .key_offset = (uint32_t)key_offset,
        .value_size_bytes = (uint32_t)op->value.size_bytes,
        .old_size_bytes = (uint32_t)op->old.size_bytes,
        .tag = op->tag,
        .key_size_bytes = (uint16_t)op->key.size_bytes,
        .node = op->node,
        .type = op->type,
        .has_value = op->has_value,
        .has_old = op->has_old,
    };
}

enum error request_decode(struct span bytes, const struct index *index, struct op *ops,
                          struct request *ret_request)
{
    struct wire_request opened;
    size_t cursor = 0;
    enum error error = wire_request_open(bytes, &opened);
    if (error != OK)
        return error;
    for (uint16_t i = 0; i < opened.op_count; i++) {
        struct wire_op op;
        size_t key_offset = WIRE_REQUEST_HEADER_SIZE_BYTES + cursor + WIRE_OP_HEADER_SIZE_BYTES;
        uint64_t hash = 0;
        error = wire_op_decode(opened.ops, &cursor, &op);
        if (error != OK)
            return error;
        if (op.key.size_bytes > 0)
            hash = index_hash(index, op.key);
        ops[i] = op_of_wire(&op, key_offset, hash);
    }
    if (cursor != opened.ops.size_bytes)
        return ERR_TRAILING;
    *ret_request = (struct request){.bytes = bytes.data,
                                    .size_bytes = bytes.size_bytes,
                                    .session = opened.session,
                                    .floor = opened.floor,
                                    .ops = ops,
                                    .op_count = opened.op_count};
    return OK;
}

void request_builder_begin(struct request_builder *builder, uint64_t session, uint64_t floor)
{
    builder->session = session;
    builder->floor = floor;
    builder->op_count = 0;
    wire_request_begin(&builder->writer, session, floor);
}

void request_builder_add(struct request_builder *builder, const struct wire_op *op, uint64_t hash)
{
    size_t key_offset = builder->writer.size_bytes + WIRE_OP_HEADER_SIZE_BYTES;
    wire_request_add(&builder->writer, op);
    if (builder->writer.is_overflow)
        return;
    CHECK(builder->op_count < REQUEST_OPS_MAX);
    builder->ops[builder->op_count++] = op_of_wire(op, key_offset, hash);
}

void request_builder_copy(struct request_builder *builder, const struct request *request,
                          const struct op *op)
{
    struct wire_op copy = {
        .type = op->type,
        .has_value = op->has_value,
        .has_old = op->has_old,
        .node = op->node,
        .tag = op->tag,
        .seq = op->seq,
        .series = op->type == WIRE_OP_CANCEL ? op_series(op) : 0,
        .key = op_key(request, op),
        .value = op_value(request, op),
        .old = op_old(request, op),
    };
    request_builder_add(builder, &copy, op->hash);
}

struct request request_builder_end(const struct request_builder *builder)
{
    CHECK(!builder->writer.is_overflow);
    return (struct request){.bytes = builder->writer.data,
                            .size_bytes = builder->writer.size_bytes,
                            .session = builder->session,
                            .floor = builder->floor,
                            .ops = builder->ops,
                            .op_count = builder->op_count};
}
