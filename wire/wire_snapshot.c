/*
 * Messages about snapshots.
 *
 * Message, offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u8   type
 *    5  [3]  zero
 *    8  u64  snapshot id
 *   16  u64  index
 *   24  u64  term of that record
 *   32       by type:
 *            offer  u64 leader's term, u64 bytes of the stream, u32 blocks, u32 checksum of them
 *            ask    u32 first block, u32 blocks
 *            block  u32 number, u32 zero, the bytes
 */
#include "wire/wire_internal.h"
#include "wire/wire_snapshot.h"

#define HEADER_SIZE_BYTES 32
#define OFFER_SIZE_BYTES  24
#define ASK_SIZE_BYTES    8
#define BLOCK_SIZE_BYTES  8

static size_t body_size_bytes(uint8_t type)
{
    static const size_t sizes[WIRE_SNAPSHOT_TYPE_END] = {[WIRE_SNAPSHOT_OFFER] = OFFER_SIZE_BYTES,
                                                         [WIRE_SNAPSHOT_ASK] = ASK_SIZE_BYTES,
                                                         [WIRE_SNAPSHOT_BLOCK] = BLOCK_SIZE_BYTES};
    return sizes[type];
}

static void body_store(uint8_t *to, const struct wire_snapshot_message *message)
{
    switch ((enum wire_snapshot_type)message->type) {
    case WIRE_SNAPSHOT_OFFER:
        le64_store(to, message->offer.leader_term);
        le64_store(to + 8, message->offer.stream_bytes);
        le32_store(to + 16, message->offer.block_count);
        le32_store(to + 20, message->offer.content_crc);
        return;
    case WIRE_SNAPSHOT_ASK:
        le32_store(to, message->ask.first_block);
        le32_store(to + 4, message->ask.block_count);
        return;
    case WIRE_SNAPSHOT_BLOCK:
        le32_store(to, message->block.number);
        (void)wire_copy(to + BLOCK_SIZE_BYTES, message->block.bytes);
        return;
    case WIRE_SNAPSHOT_TYPE_END:
        return;
    }
}

void wire_snapshot_encode(struct wire_writer *writer, const struct wire_snapshot_message *message)
{
    CHECK(message->type > 0 && message->type < WIRE_SNAPSHOT_TYPE_END);
    size_t size_bytes = HEADER_SIZE_BYTES + body_size_bytes(message->type);
    if (message->type == WIRE_SNAPSHOT_BLOCK)
        size_bytes += message->block.bytes.size_bytes;
    uint8_t *to = wire_writer_grow(writer, size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, HEADER_SIZE_BYTES + body_size_bytes(message->type));
    le32_store(to, message->fingerprint);
    to[4] = message->type;
    le64_store(to + 8, message->id);
    le64_store(to + 16, message->index);
    le64_store(to + 24, message->record_term);
    body_store(to + HEADER_SIZE_BYTES, message);
}

static enum error offer_load(const uint8_t *from, struct wire_snapshot_message *ret_message)
{
    ret_message->offer.leader_term = le64_load(from);
    ret_message->offer.stream_bytes = le64_load(from + 8);
    ret_message->offer.block_count = le32_load(from + 16);
    ret_message->offer.content_crc = le32_load(from + 20);
    return ret_message->offer.leader_term <= TERM_MAX ? OK : ERR_RANGE;
}

static enum error ask_load(const uint8_t *from, struct wire_snapshot_message *ret_message)
{
    ret_message->ask.first_block = le32_load(from);
    ret_message->ask.block_count = le32_load(from + 4);
    uint32_t count = ret_message->ask.block_count;
    return count > 0 && count <= SNAPSHOT_ASK_BLOCKS_MAX ? OK : ERR_RANGE;
}

static enum error block_load(struct span body, struct wire_snapshot_message *ret_message)
{
    ret_message->block.number = le32_load(body.data);
    ret_message->block.bytes =
        span_of(body.data + BLOCK_SIZE_BYTES, body.size_bytes - BLOCK_SIZE_BYTES);
    if (!wire_is_zero(body.data + 4, 4))
        return ERR_RESERVED;
    if (ret_message->block.bytes.size_bytes > SNAPSHOT_BLOCK_BYTES)
        return ERR_TOO_LARGE;
    return ret_message->block.bytes.size_bytes > 0 ? OK : ERR_SHORT;
}

enum error wire_snapshot_decode(struct span bytes, struct wire_snapshot_message *ret_message)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < HEADER_SIZE_BYTES)
        return ERR_SHORT;
    struct wire_snapshot_message message = {.fingerprint = le32_load(from),
                                            .type = from[4],
                                            .id = le64_load(from + 8),
                                            .index = le64_load(from + 16),
                                            .record_term = le64_load(from + 24)};
    if (message.type == 0 || message.type >= WIRE_SNAPSHOT_TYPE_END)
        return ERR_TYPE;
    if (!wire_is_zero(from + 5, 3))
        return ERR_RESERVED;
    if (message.index == 0 || message.index > INDEX_MAX || message.record_term == 0 ||
        message.record_term > TERM_MAX)
        return ERR_RANGE;
    struct span body = span_of(from + HEADER_SIZE_BYTES, bytes.size_bytes - HEADER_SIZE_BYTES);
    if (body.size_bytes < body_size_bytes(message.type))
        return ERR_SHORT;
    if (message.type != WIRE_SNAPSHOT_BLOCK && body.size_bytes > body_size_bytes(message.type))
        return ERR_TRAILING;
    enum error error = OK;
    if (message.type == WIRE_SNAPSHOT_OFFER)
        error = offer_load(body.data, &message);
    else if (message.type == WIRE_SNAPSHOT_ASK)
        error = ask_load(body.data, &message);
    else
        error = block_load(body, &message);
    if (error == OK)
        *ret_message = message;
    return error;
}
