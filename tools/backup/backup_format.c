/* See tools/backup/backup_format.h. */
#include "tools/backup/backup_format.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"

#include <string.h>

#define HEAD_CRC_OFFSET  12u
#define NODE_FIELD_BYTES 16u
#define SHARD_BYTES      72u
#define TOTALS_BYTES     32u

static bool is_zero(const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

void backup_head_encode(const struct backup_head *head, uint8_t to[BACKUP_HEAD_BYTES])
{
    memset(to, 0, BACKUP_HEAD_BYTES);
    le64_store(to, BACKUP_MAGIC);
    le32_store(to + 8, BACKUP_VERSION);
    le64_store(to + 16, head->id);
    le64_store(to + 24, head->created_s);
    le16_store(to + 32, head->shard_count);
    memcpy(to + BACKUP_NAME_OFFSET, head->cluster, strnlen(head->cluster, BACKUP_NAME_BYTES - 1));
    le32_store(to + HEAD_CRC_OFFSET, crc32c_around(to, BACKUP_HEAD_BYTES, HEAD_CRC_OFFSET));
}

enum error backup_head_decode(const uint8_t from[BACKUP_HEAD_BYTES], struct backup_head *ret_head)
{
    if (le64_load(from) != BACKUP_MAGIC)
        return ERR_MAGIC;
    if (le32_load(from + 8) != BACKUP_VERSION)
        return ERR_VERSION;
    if (le32_load(from + HEAD_CRC_OFFSET) !=
        crc32c_around(from, BACKUP_HEAD_BYTES, HEAD_CRC_OFFSET))
        return ERR_CHECKSUM;
    if (!is_zero(from + 34, BACKUP_NAME_OFFSET - 34))
        return ERR_RESERVED;
    struct backup_head head = {.id = le64_load(from + 16),
                               .created_s = le64_load(from + 24),
                               .shard_count = le16_load(from + 32)};
    if (head.shard_count == 0 || head.shard_count > SHARDS_MAX || from[BACKUP_HEAD_BYTES - 1] != 0)
        return ERR_RANGE;
    memcpy(head.cluster, from + BACKUP_NAME_OFFSET, BACKUP_NAME_BYTES);
    *ret_head = head;
    return OK;
}

static uint32_t frame_crc(const uint8_t *from, struct span body, uint64_t id, uint64_t offset)
{
    uint8_t place[16];
    le64_store(place, id);
    le64_store(place + 8, offset);
    uint32_t crc = crc32c(0, place, sizeof(place));
    crc = crc32c(crc, from + 4, BACKUP_FRAME_BYTES - 4);
    return body.size_bytes == 0 ? crc : crc32c(crc, body.data, body.size_bytes);
}

void backup_frame_encode(const struct backup_frame *frame, uint64_t id, uint64_t offset,
                         uint8_t to[BACKUP_FRAME_BYTES])
{
    CHECK(frame->body.size_bytes <= BACKUP_BODY_BYTES_MAX);
    CHECK(frame->kind > 0 && frame->kind < BACKUP_KIND_END);
    le32_store(to + 4, (uint32_t)frame->body.size_bytes);
    to[8] = frame->kind;
    to[9] = 0;
    le16_store(to + 10, frame->shard);
    le32_store(to + 12, frame->block);
    le32_store(to, frame_crc(to, frame->body, id, offset));
}

enum error backup_frame_size(const uint8_t from[BACKUP_FRAME_BYTES], size_t *ret_size_bytes)
{
    *ret_size_bytes = le32_load(from + 4);
    return *ret_size_bytes > BACKUP_BODY_BYTES_MAX ? ERR_TOO_LARGE : OK;
}

enum error backup_frame_decode(const uint8_t from[BACKUP_FRAME_BYTES], struct span body,
                               uint64_t id, uint64_t offset, struct backup_frame *ret_frame)
{
    if (le32_load(from) != frame_crc(from, body, id, offset))
        return ERR_CHECKSUM;
    if (from[8] == 0 || from[8] >= BACKUP_KIND_END)
        return ERR_TYPE;
    if (from[9] != 0)
        return ERR_RESERVED;
    *ret_frame = (struct backup_frame){.kind = from[8],
                                       .shard = le16_load(from + 10),
                                       .block = le32_load(from + 12),
                                       .body = body};
    return OK;
}

size_t backup_node_encode(const struct backup_node *node, uint8_t *to)
{
    size_t length = strnlen(node->endpoint, BACKUP_ENDPOINT_BYTES - 1);
    memset(to, 0, NODE_FIELD_BYTES);
    le16_store(to, node->node);
    le64_store(to + 8, node->pending);
    memcpy(to + NODE_FIELD_BYTES, node->endpoint, length);
    return NODE_FIELD_BYTES + length;
}

enum error backup_node_decode(struct span body, struct backup_node *ret_node)
{
    if (body.size_bytes < NODE_FIELD_BYTES)
        return ERR_SHORT;
    size_t length = body.size_bytes - NODE_FIELD_BYTES;
    if (length >= BACKUP_ENDPOINT_BYTES)
        return ERR_TRAILING;
    if (!is_zero(body.data + 2, 6))
        return ERR_RESERVED;
    struct backup_node node = {.node = le16_load(body.data), .pending = le64_load(body.data + 8)};
    memcpy(node.endpoint, body.data + NODE_FIELD_BYTES, length);
    *ret_node = node;
    return OK;
}

size_t backup_shard_encode(const struct backup_shard *shard, uint8_t *to)
{
    memset(to, 0, SHARD_BYTES);
    le64_store(to, shard->id);
    le64_store(to + 8, shard->index);
    le64_store(to + 16, shard->term);
    le64_store(to + 24, shard->stream_bytes);
    le32_store(to + 32, shard->block_count);
    le32_store(to + 36, shard->content_crc);
    le64_store(to + 40, shard->cluster);
    le64_store(to + 48, shard->era);
    le64_store(to + 56, shard->keys);
    le16_store(to + 64, shard->node);
    return SHARD_BYTES;
}

enum error backup_shard_decode(struct span body, struct backup_shard *ret_shard)
{
    if (body.size_bytes != SHARD_BYTES)
        return body.size_bytes < SHARD_BYTES ? ERR_SHORT : ERR_TRAILING;
    const uint8_t *from = body.data;
    if (!is_zero(from + 66, SHARD_BYTES - 66))
        return ERR_RESERVED;
    struct backup_shard shard = {.id = le64_load(from),
                                 .index = le64_load(from + 8),
                                 .term = le64_load(from + 16),
                                 .stream_bytes = le64_load(from + 24),
                                 .block_count = le32_load(from + 32),
                                 .content_crc = le32_load(from + 36),
                                 .cluster = le64_load(from + 40),
                                 .era = le64_load(from + 48),
                                 .keys = le64_load(from + 56),
                                 .node = le16_load(from + 64)};
    if (shard.index == 0 || shard.index > INDEX_MAX || shard.term > TERM_MAX ||
        shard.stream_bytes == 0 || shard.stream_bytes > SNAPSHOT_STREAM_BYTES_MAX ||
        shard.block_count != (shard.stream_bytes + SNAPSHOT_BLOCK_BYTES - 1) / SNAPSHOT_BLOCK_BYTES)
        return ERR_RANGE;
    *ret_shard = shard;
    return OK;
}

size_t backup_totals_encode(const struct backup_totals *totals, uint8_t *to)
{
    memset(to, 0, TOTALS_BYTES);
    le64_store(to, totals->bytes);
    le64_store(to + 8, totals->frames);
    le64_store(to + 16, totals->keys);
    le32_store(to + 24, totals->crc);
    return TOTALS_BYTES;
}

enum error backup_totals_decode(struct span body, struct backup_totals *ret_totals)
{
    if (body.size_bytes != TOTALS_BYTES)
        return body.size_bytes < TOTALS_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le32_load(body.data + 28) != 0)
        return ERR_RESERVED;
    *ret_totals = (struct backup_totals){.bytes = le64_load(body.data),
                                         .frames = le64_load(body.data + 8),
                                         .keys = le64_load(body.data + 16),
                                         .crc = le32_load(body.data + 24)};
    return OK;
}
