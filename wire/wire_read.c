/*
 * Reads of clients.
 *
 * Read, offset, size and meaning of each field:
 *    0  u64  request number
 *    8  u64  min index
 *   16  u32  timeout (us)
 *   20  u32  max age (us)
 *   24  u16  op count
 *   26  u8   flags (1: consistent)
 *   27  [5]  zero
 *   32       ops
 *
 * Op:
 *    0  u64  version
 *    8  u32  offset of the chunk
 *   12  u16  key size
 *   14  u16  zero
 *   16       key
 *
 * A read that decodes holds exactly its op count of ops.
 */
#include "wire/wire_internal.h"
#include "wire/wire_read.h"

#define READ_HEADER_SIZE_BYTES    32
#define READ_OP_HEADER_SIZE_BYTES 16

#define READ_FLAG_CONSISTENT 1

void wire_read_begin(struct wire_writer *writer, const struct wire_read *read)
{
    CHECK(writer->size_bytes == 0);
    uint8_t *to = wire_writer_grow(writer, READ_HEADER_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, READ_HEADER_SIZE_BYTES);
    le64_store(to, read->request_number);
    le64_store(to + 8, read->min_index);
    le32_store(to + 16, read->timeout_us);
    le32_store(to + 20, read->max_age_us);
    to[26] = read->is_consistent ? READ_FLAG_CONSISTENT : 0;
}

void wire_read_add(struct wire_writer *writer, const struct wire_read_op *op)
{
    CHECK(op->key.size_bytes > 0 && op->key.size_bytes <= KEY_SIZE_BYTES_MAX);
    CHECK(op->offset_bytes <= VALUE_SIZE_BYTES_MAX);
    uint8_t *to = wire_writer_grow(writer, READ_OP_HEADER_SIZE_BYTES + op->key.size_bytes);
    if (to == NULL)
        return;
    uint16_t op_count = le16_load(writer->data + 24);
    CHECK(op_count < REQUEST_OPS_MAX);
    memset(to, 0, READ_OP_HEADER_SIZE_BYTES);
    le64_store(to, op->version);
    le32_store(to + 8, op->offset_bytes);
    le16_store(to + 12, (uint16_t)op->key.size_bytes);
    wire_copy(to + READ_OP_HEADER_SIZE_BYTES, op->key);
    le16_store(writer->data + 24, (uint16_t)(op_count + 1));
}

enum error wire_read_op_decode(struct span ops, size_t *cursor, struct wire_read_op *ret_op)
{
    CHECK(*cursor <= ops.size_bytes);
    size_t left = ops.size_bytes - *cursor;
    if (left < READ_OP_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = ops.data + *cursor;
    uint32_t offset_bytes = le32_load(from + 8);
    size_t key_bytes = le16_load(from + 12);
    if (le16_load(from + 14) != 0)
        return ERR_RESERVED;
    if (key_bytes > KEY_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (key_bytes == 0 || offset_bytes > VALUE_SIZE_BYTES_MAX)
        return ERR_RANGE;
    if (left - READ_OP_HEADER_SIZE_BYTES < key_bytes)
        return ERR_SHORT;
    *cursor += READ_OP_HEADER_SIZE_BYTES + key_bytes;
    *ret_op = (struct wire_read_op){.key = span_of(from + READ_OP_HEADER_SIZE_BYTES, key_bytes),
                                    .offset_bytes = offset_bytes,
                                    .version = le64_load(from)};
    return OK;
}

/* Exactly `op_count` ops, none broken, nothing behind them. */
static enum error read_ops_check(struct span ops, uint16_t op_count)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < op_count; i++) {
        struct wire_read_op op;
        enum error error = wire_read_op_decode(ops, &cursor, &op);
        if (error != OK)
            return error;
    }
    return cursor == ops.size_bytes ? OK : ERR_TRAILING;
}

enum error wire_read_decode(struct span bytes, struct wire_read *ret_read)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < READ_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    uint16_t op_count = le16_load(from + 24);
    if ((from[26] & ~READ_FLAG_CONSISTENT) != 0 || !wire_is_zero(from + 27, 5))
        return ERR_RESERVED;
    if (op_count == 0 || op_count > REQUEST_OPS_MAX)
        return ERR_RANGE;
    struct span ops =
        span_of(from + READ_HEADER_SIZE_BYTES, bytes.size_bytes - READ_HEADER_SIZE_BYTES);
    enum error error = read_ops_check(ops, op_count);
    if (error != OK)
        return error;
    *ret_read = (struct wire_read){.request_number = le64_load(from),
                                   .timeout_us = le32_load(from + 16),
                                   .is_consistent = (from[26] & READ_FLAG_CONSISTENT) != 0,
                                   .min_index = le64_load(from + 8),
                                   .max_age_us = le32_load(from + 20),
                                   .op_count = op_count,
                                   .ops = ops};
    return OK;
}
