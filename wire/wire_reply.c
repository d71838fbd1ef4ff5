/*
 * Replies to writes, reads and transfers.
 *
 * Reply, offset, size and meaning of each field:
 *    0  u64  number
 *    8  u64  incarnation
 *   16  u64  term
 *   24  u64  applied index
 *   32  u64  contact age (us)
 *   40  u16  node
 *   42  u16  leader
 *   44  u16  op count
 *   46  u8   status
 *   47  u8   flags (1: no other series of the node applies)
 *   48  u64  status too soon: time until a retry makes sense (us); passed: the newest journal seq
 *   56  u64  journal done seq
 *   64  u64  series of the journal seqs
 *   72       ops
 *
 * Op:
 *    0  u64  seq
 *    8  u64  version
 *   16  u32  value size
 *   20  u32  chunk size
 *   24  u8   outcome
 *   25  u8   flags (1: pending, 2: has value)
 *   26  [6]  zero
 *   32       chunk
 *
 * A refusal carries no ops, but for DENIED, which may name some. A reply that decodes holds exactly
 * its op count.
 */
#include "wire/wire_internal.h"
#include "wire/wire_reply.h"

#define FLAG_SERIES_ALONE 1

#define OP_FLAG_PENDING 1
#define OP_FLAG_VALUE   2

static_assert(WIRE_REPLY_HEADER_SIZE_BYTES == 72, "the layout above");
static_assert(WIRE_REPLY_OP_HEADER_SIZE_BYTES == 32, "the layout above");
static_assert(WIRE_REPLY_HEADER_SIZE_BYTES + REQUEST_OPS_MAX * (WIRE_REPLY_OP_HEADER_SIZE_BYTES +
                                                                REPLY_CHUNK_SIZE_BYTES_MAX) <=
                  MESSAGE_SIZE_BYTES_MAX,
              "a reply to the largest read fits one message");

void wire_reply_begin(struct wire_writer *writer, const struct wire_reply *reply)
{
    CHECK(writer->size_bytes == 0);
    uint8_t *to = wire_writer_grow(writer, WIRE_REPLY_HEADER_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, WIRE_REPLY_HEADER_SIZE_BYTES);
    le64_store(to, reply->number);
    le64_store(to + 8, reply->incarnation);
    le64_store(to + 16, reply->term);
    le64_store(to + 24, reply->applied_index);
    le64_store(to + 32, reply->contact_age_us);
    le16_store(to + 40, reply->node);
    le16_store(to + 42, reply->leader);
    to[46] = reply->status;
    to[47] = reply->is_series_alone ? FLAG_SERIES_ALONE : 0;
    le64_store(to + 64, reply->series);
    le64_store(to + 48, reply->status == WIRE_STATUS_PASSED ? reply->given_seq : reply->retry_us);
    le64_store(to + 56, reply->journal_done_seq);
}

void wire_reply_add(struct wire_writer *writer, const struct wire_reply_op *op)
{
    CHECK(op->chunk.size_bytes <= REPLY_CHUNK_SIZE_BYTES_MAX);
    CHECK(op->chunk.size_bytes <= op->value_size_bytes);
    CHECK(op->value_size_bytes <= VALUE_SIZE_BYTES_MAX);
    CHECK(op->has_value || op->value_size_bytes == 0);
    uint8_t *to = wire_writer_grow(writer, WIRE_REPLY_OP_HEADER_SIZE_BYTES + op->chunk.size_bytes);
    if (to == NULL)
        return;
    uint16_t op_count = le16_load(writer->data + 44);
    CHECK(op_count < REQUEST_OPS_MAX);
    memset(to, 0, WIRE_REPLY_OP_HEADER_SIZE_BYTES);
    le64_store(to, op->seq);
    le64_store(to + 8, op->version);
    le32_store(to + 16, op->value_size_bytes);
    le32_store(to + 20, (uint32_t)op->chunk.size_bytes);
    to[24] = op->outcome;
    to[25] =
        (uint8_t)((op->is_pending ? OP_FLAG_PENDING : 0) | (op->has_value ? OP_FLAG_VALUE : 0));
    wire_copy(to + WIRE_REPLY_OP_HEADER_SIZE_BYTES, op->chunk);
    le16_store(writer->data + 44, (uint16_t)(op_count + 1));
}

enum error wire_reply_op_decode(struct span ops, size_t *cursor, struct wire_reply_op *ret_op)
{
    CHECK(*cursor <= ops.size_bytes);
    size_t left = ops.size_bytes - *cursor;
    if (left < WIRE_REPLY_OP_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = ops.data + *cursor;
    uint32_t value_bytes = le32_load(from + 16);
    uint32_t chunk_bytes = le32_load(from + 20);
    uint8_t flags = from[25];
    bool has_value = (flags & OP_FLAG_VALUE) != 0;
    if (from[24] == 0 || from[24] >= WIRE_OUTCOME_END)
        return ERR_TYPE;
    if ((flags & ~(OP_FLAG_PENDING | OP_FLAG_VALUE)) != 0 || !wire_is_zero(from + 26, 6))
        return ERR_RESERVED;
    if (value_bytes > VALUE_SIZE_BYTES_MAX || chunk_bytes > REPLY_CHUNK_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (chunk_bytes > value_bytes || (!has_value && value_bytes > 0))
        return ERR_RANGE;
    if (left - WIRE_REPLY_OP_HEADER_SIZE_BYTES < chunk_bytes)
        return ERR_SHORT;
    *cursor += WIRE_REPLY_OP_HEADER_SIZE_BYTES + chunk_bytes;
    *ret_op = (struct wire_reply_op){
        .seq = le64_load(from),
        .outcome = from[24],
        .is_pending = (flags & OP_FLAG_PENDING) != 0,
        .has_value = has_value,
        .version = le64_load(from + 8),
        .value_size_bytes = value_bytes,
        .chunk = span_of(from + WIRE_REPLY_OP_HEADER_SIZE_BYTES, chunk_bytes),
    };
    return OK;
}

/* Exactly `op_count` ops, none broken, nothing behind them. */
static enum error reply_ops_check(struct span ops, uint16_t op_count)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < op_count; i++) {
        struct wire_reply_op op;
        enum error error = wire_reply_op_decode(ops, &cursor, &op);
        if (error != OK)
            return error;
    }
    return cursor == ops.size_bytes ? OK : ERR_TRAILING;
}

enum error wire_reply_decode(struct span bytes, struct wire_reply *ret_reply)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < WIRE_REPLY_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    uint16_t op_count = le16_load(from + 44);
    uint8_t status = from[46];
    uint64_t extra = le64_load(from + 48);
    if (status >= WIRE_STATUS_END)
        return ERR_TYPE;
    if ((from[47] & ~FLAG_SERIES_ALONE) != 0)
        return ERR_RESERVED;
    bool has_ops = status == WIRE_STATUS_OK || status == WIRE_STATUS_DENIED;
    if (op_count > REQUEST_OPS_MAX || (!has_ops && op_count > 0))
        return ERR_RANGE;
    struct span ops = span_of(from + WIRE_REPLY_HEADER_SIZE_BYTES,
                              bytes.size_bytes - WIRE_REPLY_HEADER_SIZE_BYTES);
    enum error error = reply_ops_check(ops, op_count);
    if (error != OK)
        return error;
    *ret_reply = (struct wire_reply){.number = le64_load(from),
                                     .incarnation = le64_load(from + 8),
                                     .node = le16_load(from + 40),
                                     .leader = le16_load(from + 42),
                                     .status = status,
                                     .term = le64_load(from + 16),
                                     .applied_index = le64_load(from + 24),
                                     .contact_age_us = le64_load(from + 32),
                                     .retry_us = status == WIRE_STATUS_PASSED ? 0 : extra,
                                     .given_seq = status == WIRE_STATUS_PASSED ? extra : 0,
                                     .series = le64_load(from + 64),
                                     .is_series_alone = from[47] != 0,
                                     .journal_done_seq = le64_load(from + 56),
                                     .op_count = op_count,
                                     .ops = ops};
    return OK;
}

const char *wire_status_name(uint8_t status)
{
    static const char *const names[WIRE_STATUS_END] = {
        "ok",          "not-leader",  "no-quorum", "expired",     "overloaded", "log-full",
        "incarnation", "bad-request", "too-stale", "unsupported", "pending",    "unknown",
        "wrong-shard", "too-soon",    "outdated",  "denied",      "passed",
    };
    static_assert(WIRE_STATUS_PASSED + 1 == WIRE_STATUS_END, "every status has a name");
    return status < WIRE_STATUS_END ? names[status] : "?";
}

const char *wire_outcome_name(uint8_t outcome)
{
    static const char *const names[WIRE_OUTCOME_END] = {
        "?",      "ok",        "mismatch",   "not-found", "fenced", "no-session", "sessions-full",
        "window", "forgotten", "store-full", "version",   "denied",
    };
    static_assert(WIRE_OUTCOME_DENIED + 1 == WIRE_OUTCOME_END, "every outcome has a name");
    return outcome < WIRE_OUTCOME_END ? names[outcome] : "?";
}
