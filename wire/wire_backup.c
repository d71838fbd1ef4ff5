/*
 * The question, offset, size and meaning of each field:
 *    0  u64  number
 *    8  u8   kind
 *    9  [7]  zero
 *   16  u64  least index
 *   24  u64  id of the snapshot
 *   32  u32  block
 *   36  u32  part
 *   40       zero up to BACKUP_QUESTION_BYTES
 *
 * The answer:
 *    0  u64  number
 *    8  u8   kind
 *    9  u8   status
 *   10  u16  node
 *   12  u32  time to wait, us
 *   16  u64  applied index
 *   24  u64  id
 *   32  u64  index of the last record in the snapshot
 *   40  u64  term of that record
 *   48  u64  size of the stream
 *   56  u32  blocks
 *   60  u32  checksum of all blocks
 *   64       the bytes of a part
 */
#include "wire/wire_backup.h"
#include "wire/wire_internal.h"

#define QUESTION_FIELDS_BYTES 40
#define REPLY_HEAD_BYTES      64

static_assert(BACKUP_QUESTION_BYTES > QUESTION_FIELDS_BYTES, "a question has room for its fields");
static_assert(REPLY_HEAD_BYTES + BACKUP_PART_BYTES <= 5 * BACKUP_QUESTION_BYTES,
              "an answer is no more than a few times the question");

void wire_backup_encode(struct wire_writer *writer, const struct wire_backup *question)
{
    CHECK(question->kind > 0 && question->kind < WIRE_BACKUP_KIND_END);
    CHECK(question->part < BACKUP_PARTS);
    uint8_t *to = wire_writer_grow(writer, BACKUP_QUESTION_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, BACKUP_QUESTION_BYTES);
    le64_store(to, question->number);
    to[8] = question->kind;
    le64_store(to + 16, question->index_min);
    le64_store(to + 24, question->id);
    le32_store(to + 32, question->block);
    le32_store(to + 36, question->part);
}

enum error wire_backup_decode(struct span bytes, struct wire_backup *ret_question)
{
    if (bytes.size_bytes != BACKUP_QUESTION_BYTES)
        return bytes.size_bytes < BACKUP_QUESTION_BYTES ? ERR_SHORT : ERR_TRAILING;
    const uint8_t *from = bytes.data;
    if (from[8] == 0 || from[8] >= WIRE_BACKUP_KIND_END)
        return ERR_TYPE;
    if (!wire_is_zero(from + 9, 7) ||
        !wire_is_zero(from + QUESTION_FIELDS_BYTES, BACKUP_QUESTION_BYTES - QUESTION_FIELDS_BYTES))
        return ERR_RESERVED;
    struct wire_backup question = {.number = le64_load(from),
                                   .kind = from[8],
                                   .index_min = le64_load(from + 16),
                                   .id = le64_load(from + 24),
                                   .block = le32_load(from + 32),
                                   .part = le32_load(from + 36)};
    if (question.part >= BACKUP_PARTS)
        return ERR_RANGE;
    *ret_question = question;
    return OK;
}

void wire_backup_reply_encode(struct wire_writer *writer, const struct wire_backup_reply *reply)
{
    CHECK(reply->kind > 0 && reply->kind < WIRE_BACKUP_KIND_END);
    CHECK(reply->status > 0 && reply->status < WIRE_BACKUP_STATUS_END);
    CHECK(reply->bytes.size_bytes <= BACKUP_PART_BYTES);
    uint8_t *to = wire_writer_grow(writer, REPLY_HEAD_BYTES + reply->bytes.size_bytes);
    if (to == NULL)
        return;
    le64_store(to, reply->number);
    to[8] = reply->kind;
    to[9] = reply->status;
    le16_store(to + 10, reply->node);
    le32_store(to + 12, reply->wait_us);
    le64_store(to + 16, reply->applied_index);
    le64_store(to + 24, reply->id);
    le64_store(to + 32, reply->index);
    le64_store(to + 40, reply->record_term);
    le64_store(to + 48, reply->stream_bytes);
    le32_store(to + 56, reply->block_count);
    le32_store(to + 60, reply->content_crc);
    if (reply->bytes.size_bytes > 0)
        memcpy(to + REPLY_HEAD_BYTES, reply->bytes.data, reply->bytes.size_bytes);
}

/* The numbers of a snapshot that is offered. */
static bool is_sound(const struct wire_backup_reply *reply)
{
    return reply->index > 0 && reply->index <= INDEX_MAX && reply->stream_bytes > 0 &&
           reply->stream_bytes <= SNAPSHOT_STREAM_BYTES_MAX &&
           reply->block_count ==
               (reply->stream_bytes + SNAPSHOT_BLOCK_BYTES - 1) / SNAPSHOT_BLOCK_BYTES;
}

enum error wire_backup_reply_decode(struct span bytes, struct wire_backup_reply *ret_reply)
{
    if (bytes.size_bytes < REPLY_HEAD_BYTES)
        return ERR_SHORT;
    if (bytes.size_bytes > REPLY_HEAD_BYTES + BACKUP_PART_BYTES)
        return ERR_TOO_LARGE;
    const uint8_t *from = bytes.data;
    if (from[8] == 0 || from[8] >= WIRE_BACKUP_KIND_END || from[9] == 0 ||
        from[9] >= WIRE_BACKUP_STATUS_END)
        return ERR_TYPE;
    struct wire_backup_reply reply = {
        .number = le64_load(from),
        .kind = from[8],
        .status = from[9],
        .node = le16_load(from + 10),
        .wait_us = le32_load(from + 12),
        .applied_index = le64_load(from + 16),
        .id = le64_load(from + 24),
        .index = le64_load(from + 32),
        .record_term = le64_load(from + 40),
        .stream_bytes = le64_load(from + 48),
        .block_count = le32_load(from + 56),
        .content_crc = le32_load(from + 60),
        .bytes = span_of(from + REPLY_HEAD_BYTES, bytes.size_bytes - REPLY_HEAD_BYTES)};
    if (reply.node == 0 || reply.node > VOTER_ID_MAX)
        return ERR_RANGE;
    if (reply.kind == WIRE_BACKUP_FIND && reply.status == WIRE_BACKUP_OK && !is_sound(&reply))
        return ERR_RANGE;
    *ret_reply = reply;
    return OK;
}
