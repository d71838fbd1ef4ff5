/* Operations as they are encoded: with the cancels of what they overrule, or as fences. */
#include "client/client_internal.h"

enum wire_op_type op_wire_type(const struct op *op)
{
    if (op_is_fence(op))
        return WIRE_OP_FENCE;
    return op->request.type == PLX_OP_SWAP ? WIRE_OP_SWAP : WIRE_OP_SET;
}

uint32_t op_timeout_us(const struct plx_client *client, const struct op *op)
{
    if (op->phase_end_ns == UINT64_MAX)
        return 0;
    uint64_t left_us = 0;
    if (op->phase_end_ns > client->now_ns)
        left_us = (op->phase_end_ns - client->now_ns) / 1000;
    if (left_us == 0)
        return 1; /* 0 would mean: for ever */
    return left_us > UINT32_MAX ? UINT32_MAX : (uint32_t)left_us;
}

static struct span span_of_plx(struct plx_bytes bytes)
{
    return span_of(bytes.data, bytes.size_bytes);
}

/* A relaxed write that its node may have, and that must not be executed a second time: the node has
 * restarted since, or could have forgotten it, or its caller has given up. */
bool op_is_recall(const struct plx_client *client, const struct op *op)
{
    if (op->class != CLASS_RELAXED_WRITE || op->unanswered == 0 || op->endpoint < 0)
        return false;
    return op->phase == PHASE_RECALL ||
           op->shard->members[op->endpoint].incarnation != op->incarnation ||
           client->now_ns - op->first_transmitted_ns >= RELAXED_RETRY_NS;
}

static struct wire_op op_to_wire(const struct op *op)
{
    struct wire_op wire = {.type = (uint8_t)op_wire_type(op), .seq = op->seq};
    if (wire.type == WIRE_OP_FENCE)
        return wire;
    const struct plx_op *request = &op->request;
    wire.key = span_of_plx(request->key);
    wire.has_value = request->value.data != NULL;
    wire.value = span_of_plx(request->value);
    if (wire.type == WIRE_OP_SWAP) {
        wire.has_old = request->old_value.data != NULL;
        wire.old = span_of_plx(request->old_value);
    }
    return wire;
}

uint32_t op_encode(struct plx_client *client, const struct op *op, struct wire_writer *writer)
{
    struct wire_op cancels[CANCELS_MAX];
    struct wire_op wire = op_to_wire(op);
    uint32_t count = pending_cancels(client, op, cancels);
    for (uint32_t i = 0; i < count; i++)
        wire_request_add(writer, &cancels[i]);
    wire_request_add(writer, &wire);
    return count;
}

size_t op_size_bytes(const struct op *op, uint32_t cancel_count)
{
    if (!op_is_write(op))
        return 16 + op->request.key.size_bytes;
    struct wire_op wire = op_to_wire(op);
    struct wire_op cancel = {.type = WIRE_OP_CANCEL};
    return cancel_count * wire_op_size_bytes(&cancel) + wire_op_size_bytes(&wire);
}
