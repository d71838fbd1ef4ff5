/*
 * Writes of clients.
 *
 * Write, offset, size and meaning of each field:
 *    0  u64  packet number
 *    8  u64  incarnation
 *   16  u32  timeout (us)
 *   20  u8   flags (1: relaxed, 2: recall)
 *   21  [3]  zero
 *   24       request
 *
 * Request:
 *    0  u64  session
 *    8  u64  floor
 *   16  u16  op count
 *   18  u16  zero
 *   20  u32  size of the ops
 *   24       ops
 *
 * Op:
 *    0  u8   type
 *    1  u8   flags (1: has value, 2: has old)
 *    2  u16  key size
 *    4  u32  value size
 *    8  u64  seq
 *   16  u32  old size; of a set or cancel the tag
 *   20  u16  node
 *   22  u16  zero
 *   24       key, value, old; of a cancel u64 series
 *
 * Limits, the value of an op:
 *    0  u32  keys
 *    4  u32  blocks of the store
 *    8  u32  sessions
 *   12  [4]  zero
 *
 * A request that decodes holds exactly its op count of ops, each within every limit, so that
 * whoever walks it afterwards meets no surprise. Ops that carry no key (fence, register, ...) have
 * none. Only a cancel carries a node.
 */
#include "wire/wire_internal.h"
#include "wire/wire_request.h"

#define WRITE_FLAG_RELAXED 1
#define WRITE_FLAG_RECALL  2

#define OP_FLAG_VALUE 1
#define OP_FLAG_OLD   2

static_assert(WIRE_OP_HEADER_SIZE_BYTES == 24, "the layout above");
static_assert(WIRE_REQUEST_HEADER_SIZE_BYTES == 24, "the layout above");
static_assert(WIRE_LIMITS_SIZE_BYTES == 16, "the layout above");
static_assert(WIRE_WRITE_HEADER_SIZE_BYTES == 24, "the layout above");
static_assert(KEY_SIZE_BYTES_MAX <= UINT16_MAX, "the key size is 16 bits on the wire");

static bool op_has_tag(uint8_t type)
{
    return type == WIRE_OP_SET || type == WIRE_OP_CANCEL;
}

static size_t op_series_bytes(uint8_t type)
{
    return type == WIRE_OP_CANCEL ? WIRE_OP_SERIES_SIZE_BYTES : 0;
}

void wire_request_begin(struct wire_writer *writer, uint64_t session, uint64_t floor)
{
    CHECK(writer->size_bytes == 0);
    uint8_t *to = wire_writer_grow(writer, WIRE_REQUEST_HEADER_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, WIRE_REQUEST_HEADER_SIZE_BYTES);
    le64_store(to, session);
    le64_store(to + 8, floor);
}

size_t wire_op_size_bytes(const struct wire_op *op)
{
    size_t size_bytes = WIRE_OP_HEADER_SIZE_BYTES + op->key.size_bytes + op->value.size_bytes;
    return size_bytes + op->old.size_bytes + op_series_bytes(op->type);
}

void wire_request_add(struct wire_writer *writer, const struct wire_op *op)
{
    CHECK(op->key.size_bytes <= KEY_SIZE_BYTES_MAX);
    CHECK(op->value.size_bytes <= VALUE_SIZE_BYTES_MAX);
    CHECK(op->old.size_bytes <= VALUE_SIZE_BYTES_MAX);
    CHECK(op->has_value || op->value.size_bytes == 0);
    CHECK(op->has_old || op->old.size_bytes == 0);
    CHECK(op_has_tag(op->type) ? op->old.size_bytes == 0 : op->tag == 0);
    uint8_t *to = wire_writer_grow(writer, wire_op_size_bytes(op));
    if (to == NULL)
        return;
    uint16_t op_count = le16_load(writer->data + 16);
    CHECK(op_count < REQUEST_OPS_MAX);

    memset(to, 0, WIRE_OP_HEADER_SIZE_BYTES);
    to[0] = op->type;
    to[1] = (uint8_t)((op->has_value ? OP_FLAG_VALUE : 0) | (op->has_old ? OP_FLAG_OLD : 0));
    le16_store(to + 2, (uint16_t)op->key.size_bytes);
    le32_store(to + 4, (uint32_t)op->value.size_bytes);
    le64_store(to + 8, op->seq);
    le32_store(to + 16, op_has_tag(op->type) ? op->tag : (uint32_t)op->old.size_bytes);
    le16_store(to + 20, op->node);
    to += WIRE_OP_HEADER_SIZE_BYTES;
    if (op->type == WIRE_OP_CANCEL)
        le64_store(to, op->series);
    to = wire_copy(to + op_series_bytes(op->type), op->key);
    to = wire_copy(to, op->value);
    wire_copy(to, op->old);

    le16_store(writer->data + 16, (uint16_t)(op_count + 1));
    le32_store(writer->data + 20, (uint32_t)(writer->size_bytes - WIRE_REQUEST_HEADER_SIZE_BYTES));
}

void wire_limits_encode(uint8_t *to, const struct wire_limits *limits)
{
    le32_store(to, limits->keys_max);
    le32_store(to + 4, limits->blocks_max);
    le32_store(to + 8, limits->sessions_max);
    le32_store(to + 12, 0);
}

enum error wire_limits_decode(struct span bytes, struct wire_limits *ret_limits)
{
    if (bytes.size_bytes != WIRE_LIMITS_SIZE_BYTES)
        return bytes.size_bytes < WIRE_LIMITS_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le32_load(bytes.data + 12) != 0)
        return ERR_RESERVED;
    struct wire_limits limits = {.keys_max = le32_load(bytes.data),
                                 .blocks_max = le32_load(bytes.data + 4),
                                 .sessions_max = le32_load(bytes.data + 8)};
    if (limits.keys_max == 0 || limits.blocks_max == 0 || limits.sessions_max == 0)
        return ERR_RANGE;
    *ret_limits = limits;
    return OK;
}

static enum error op_check_limits(const struct wire_op *op)
{
    struct wire_limits limits;
    if (op->key.size_bytes > 0 || op->has_old || op->node != 0 || !op->has_value || op->seq == 0 ||
        op->seq > UINT32_MAX)
        return ERR_RANGE;
    return wire_limits_decode(op->value, &limits);
}

static bool is_cancel_in_range(const struct wire_op *op)
{
    return op->node >= 1 && op->node <= VOTER_ID_MAX && op->series != 0 &&
           (op->series & WIRE_NODE_SESSION_FLAG) == 0;
}

/* Which parts each type of op carries. */
static enum error op_check_shape(const struct wire_op *op)
{
    if (op->type == WIRE_OP_LIMITS)
        return op_check_limits(op);
    bool has_key = op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP;
    if (has_key != (op->key.size_bytes > 0))
        return ERR_RANGE;
    if (op->has_value && !has_key)
        return ERR_RANGE;
    if (op->has_old && op->type != WIRE_OP_SWAP)
        return ERR_RANGE;
    if (op->type == WIRE_OP_CANCEL ? !is_cancel_in_range(op) : op->node != 0)
        return ERR_RANGE;
    bool has_seq = has_key || op->type == WIRE_OP_FENCE || op->type == WIRE_OP_CANCEL ||
                   op->type == WIRE_OP_REGISTER;
    return has_seq && op->seq == 0 ? ERR_RANGE : OK;
}

enum error wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op)
{
    CHECK(*cursor <= ops.size_bytes);
    size_t left = ops.size_bytes - *cursor;
    if (left < WIRE_OP_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = ops.data + *cursor;
    uint8_t flags = from[1];
    size_t key_bytes = le16_load(from + 2);
    size_t value_bytes = le32_load(from + 4);
    uint32_t tag = op_has_tag(from[0]) ? le32_load(from + 16) : 0;
    size_t old_bytes = op_has_tag(from[0]) ? 0 : le32_load(from + 16);
    if (from[0] == 0 || from[0] >= WIRE_OP_TYPE_END)
        return ERR_TYPE;
    if ((flags & ~(OP_FLAG_VALUE | OP_FLAG_OLD)) != 0 || le16_load(from + 22) != 0)
        return ERR_RESERVED;
    if (key_bytes > KEY_SIZE_BYTES_MAX || value_bytes > VALUE_SIZE_BYTES_MAX ||
        old_bytes > VALUE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    size_t head_bytes = WIRE_OP_HEADER_SIZE_BYTES + op_series_bytes(from[0]);
    size_t size_bytes = head_bytes + key_bytes + value_bytes + old_bytes;
    if (left < size_bytes)
        return ERR_SHORT;
    const uint8_t *body = from + head_bytes;
    struct wire_op op = {
        .type = from[0],
        .has_value = (flags & OP_FLAG_VALUE) != 0,
        .has_old = (flags & OP_FLAG_OLD) != 0,
        .node = le16_load(from + 20),
        .tag = tag,
        .seq = le64_load(from + 8),
        .series = from[0] == WIRE_OP_CANCEL ? le64_load(from + WIRE_OP_HEADER_SIZE_BYTES) : 0,
        .key = span_of(body, key_bytes),
        .value = span_of(body + key_bytes, value_bytes),
        .old = span_of(body + key_bytes + value_bytes, old_bytes),
    };
    if ((!op.has_value && value_bytes > 0) || (!op.has_old && old_bytes > 0))
        return ERR_RANGE;
    enum error error = op_check_shape(&op);
    if (error != OK)
        return error;
    *cursor += size_bytes;
    *ret_op = op;
    return OK;
}

/* Exactly `op_count` ops, none broken, nothing behind them. */
static enum error request_ops_check(struct span ops, uint16_t op_count)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < op_count; i++) {
        struct wire_op op;
        enum error error = wire_op_decode(ops, &cursor, &op);
        if (error != OK)
            return error;
    }
    return cursor == ops.size_bytes ? OK : ERR_TRAILING;
}

enum error wire_request_open(struct span bytes, struct wire_request *ret_request)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < WIRE_REQUEST_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    if (bytes.size_bytes > MESSAGE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    uint16_t op_count = le16_load(from + 16);
    size_t ops_bytes = le32_load(from + 20);
    size_t left = bytes.size_bytes - WIRE_REQUEST_HEADER_SIZE_BYTES;
    if (le16_load(from + 18) != 0)
        return ERR_RESERVED;
    if (op_count == 0 || op_count > REQUEST_OPS_MAX)
        return ERR_RANGE;
    if (left != ops_bytes)
        return left < ops_bytes ? ERR_SHORT : ERR_TRAILING;
    struct span ops = span_of(from + WIRE_REQUEST_HEADER_SIZE_BYTES, ops_bytes);
    *ret_request = (struct wire_request){
        .session = le64_load(from), .floor = le64_load(from + 8), .op_count = op_count, .ops = ops};
    return OK;
}

enum error wire_request_decode(struct span bytes, struct wire_request *ret_request)
{
    struct wire_request request;
    enum error error = wire_request_open(bytes, &request);
    if (error == OK)
        error = request_ops_check(request.ops, request.op_count);
    if (error == OK)
        *ret_request = request;
    return error;
}

void wire_write_encode(struct wire_writer *writer, const struct wire_write *write)
{
    uint8_t *to =
        wire_writer_grow(writer, WIRE_WRITE_HEADER_SIZE_BYTES + write->request.size_bytes);
    if (to == NULL)
        return;
    /* The request may lie in its place already: the header is all that is written then. */
    wire_copy(to + WIRE_WRITE_HEADER_SIZE_BYTES, write->request);
    memset(to, 0, WIRE_WRITE_HEADER_SIZE_BYTES);
    le64_store(to, write->packet_number);
    le64_store(to + 8, write->incarnation);
    le32_store(to + 16, write->timeout_us);
    to[20] = (uint8_t)((write->is_relaxed ? WRITE_FLAG_RELAXED : 0) |
                       (write->is_recall ? WRITE_FLAG_RECALL : 0));
}

enum error wire_write_decode(struct span bytes, struct wire_write *ret_write)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < WIRE_WRITE_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    if ((from[20] & ~(WRITE_FLAG_RELAXED | WRITE_FLAG_RECALL)) != 0 || !wire_is_zero(from + 21, 3))
        return ERR_RESERVED;
    if (from[20] == WRITE_FLAG_RECALL)
        return ERR_RANGE;
    struct span request = span_of(from + WIRE_WRITE_HEADER_SIZE_BYTES,
                                  bytes.size_bytes - WIRE_WRITE_HEADER_SIZE_BYTES);
    struct wire_request opened;
    enum error error = wire_request_open(request, &opened);
    if (error != OK)
        return error;
    *ret_write = (struct wire_write){.packet_number = le64_load(from),
                                     .incarnation = le64_load(from + 8),
                                     .timeout_us = le32_load(from + 16),
                                     .is_relaxed = (from[20] & WRITE_FLAG_RELAXED) != 0,
                                     .is_recall = (from[20] & WRITE_FLAG_RECALL) != 0,
                                     .request = request};
    return OK;
}
