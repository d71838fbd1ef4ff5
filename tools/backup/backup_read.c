/* Reading a backup, and judging it: see tools/backup/backup_file.h. */
#include "tools/backup/backup_file.h"

#include "base/crc32c.h"
#include "base/le.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* As many as there are, up to size_bytes. */
static enum error read_up_to(int fd, uint8_t *to, size_t size_bytes, size_t *ret_size_bytes)
{
    size_t done = 0;
    while (done < size_bytes) { /* each round reads, or ends it */
        ssize_t size = read(fd, to + done, size_bytes - done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return ERR_IO;
        if (size == 0)
            break;
        done += (size_t)size;
    }
    *ret_size_bytes = done;
    return OK;
}

static void count(struct backup_reader *reader, const uint8_t *bytes, size_t size_bytes)
{
    reader->totals.crc = crc32c(reader->totals.crc, bytes, size_bytes);
    reader->totals.bytes += size_bytes;
}

enum error backup_read_begin(struct backup_reader *reader, int fd)
{
    uint8_t bytes[BACKUP_HEAD_BYTES];
    size_t size = 0;
    *reader = (struct backup_reader){.fd = fd, .body = malloc(BACKUP_BODY_BYTES_MAX)};
    if (reader->body == NULL)
        return ERR_NO_MEMORY;
    enum error error = read_up_to(fd, bytes, sizeof(bytes), &size);
    if (error == OK && size >= 8 && le64_load(bytes) != BACKUP_MAGIC)
        error = ERR_MAGIC;
    if (error == OK && size < sizeof(bytes))
        error = ERR_SHORT;
    if (error == OK)
        error = backup_head_decode(bytes, &reader->head);
    if (error != OK)
        return error;
    count(reader, bytes, sizeof(bytes));
    reader->next_offset = sizeof(bytes);
    return OK;
}

void backup_read_deinit(struct backup_reader *reader)
{
    free(reader->body);
    reader->body = NULL;
}

enum error backup_read_frame(struct backup_reader *reader, struct backup_frame *ret_frame)
{
    uint8_t bytes[BACKUP_FRAME_BYTES];
    size_t size = 0;
    size_t body_bytes;
    reader->offset = reader->next_offset;
    enum error error = read_up_to(reader->fd, bytes, sizeof(bytes), &size);
    if (error != OK)
        return error;
    if (size < sizeof(bytes))
        return size == 0 ? ERR_NOT_FOUND : ERR_SHORT;
    error = backup_frame_size(bytes, &body_bytes);
    if (error == OK)
        error = read_up_to(reader->fd, reader->body, body_bytes, &size);
    if (error != OK)
        return error;
    if (size < body_bytes)
        return ERR_SHORT;
    struct span body = span_of(reader->body, body_bytes);
    error = backup_frame_decode(bytes, body, reader->head.id, reader->offset, ret_frame);
    if (error != OK)
        return error;
    count(reader, bytes, sizeof(bytes));
    count(reader, reader->body, body_bytes);
    reader->totals.frames++;
    reader->next_offset += sizeof(bytes) + body_bytes;
    return OK;
}

/* ---- judging ---- */

bool backup_judge_init(struct backup_judge *judge, uint16_t shard_count,
                       const struct backup_visitor *visitor)
{
    *judge = (struct backup_judge){.shard_count = shard_count, .current = -1};
    return backup_stream_init(&judge->stream, visitor);
}

void backup_judge_deinit(struct backup_judge *judge)
{
    backup_stream_deinit(&judge->stream);
}

bool backup_judge_is_whole(const struct backup_judge *judge, uint16_t shard)
{
    return judge->shards[shard].block_count > 0 && judge->current != shard &&
           judge->blocks[shard] == judge->shards[shard].block_count;
}

uint64_t backup_judge_keys(const struct backup_judge *judge)
{
    uint64_t keys = 0;
    for (uint16_t shard = 0; shard < judge->shard_count; shard++)
        keys += judge->shards[shard].keys;
    return keys;
}

static enum error judge_node(struct backup_judge *judge, const struct backup_frame *frame)
{
    struct backup_node node;
    enum error error = backup_node_decode(frame->body, &node);
    if (error != OK)
        return error;
    judge->silent_nodes += node.node == 0;
    judge->pending_nodes += node.pending > 0;
    judge->pending += node.pending;
    return OK;
}

static enum error judge_shard(struct backup_judge *judge, const struct backup_frame *frame)
{
    if (judge->current >= 0 || judge->blocks[frame->shard] > 0)
        return ERR_SHARD;
    enum error error = backup_shard_decode(frame->body, &judge->shards[frame->shard]);
    if (error != OK)
        return error;
    judge->current = frame->shard;
    judge->content_crc = 0;
    backup_stream_begin(&judge->stream);
    return OK;
}

/* All blocks have come: what they make up must be what the frame SHARD told. */
static enum error judge_whole(struct backup_judge *judge)
{
    const struct backup_shard *shard = &judge->shards[judge->current];
    enum error error = backup_stream_end(&judge->stream);
    if (error == OK &&
        (judge->content_crc != shard->content_crc || judge->stream.keys != shard->keys ||
         judge->stream.index != shard->index || judge->stream.bytes != shard->stream_bytes))
        error = ERR_CORRUPT;
    judge->current = -1;
    return error;
}

static enum error judge_block(struct backup_judge *judge, const struct backup_frame *frame)
{
    uint8_t crc[4];
    if (judge->current != frame->shard)
        return ERR_SHARD;
    const struct backup_shard *shard = &judge->shards[frame->shard];
    uint32_t *blocks = &judge->blocks[frame->shard];
    if (frame->block != *blocks || frame->body.size_bytes == 0)
        return ERR_CORRUPT;
    le32_store(crc, crc32c(0, frame->body.data, frame->body.size_bytes));
    judge->content_crc = crc32c(judge->content_crc, crc, sizeof(crc));
    ++*blocks;
    enum error error = backup_stream_read(&judge->stream, frame->body);
    return error == OK && *blocks == shard->block_count ? judge_whole(judge) : error;
}

static enum error judge_dropped(struct backup_judge *judge, const struct backup_frame *frame)
{
    if (judge->current != frame->shard)
        return ERR_SHARD;
    judge->current = -1;
    judge->blocks[frame->shard] = 0;
    judge->shards[frame->shard] = (struct backup_shard){0};
    return OK;
}

static enum error judge_end(struct backup_judge *judge, const struct backup_frame *frame,
                            const struct backup_totals *read)
{
    struct backup_totals totals;
    enum error error = backup_totals_decode(frame->body, &totals);
    if (error != OK)
        return error;
    for (uint16_t shard = 0; shard < judge->shard_count; shard++) {
        if (!backup_judge_is_whole(judge, shard))
            return ERR_SHORT;
    }
    if (totals.bytes != read->bytes || totals.frames != read->frames || totals.crc != read->crc ||
        totals.keys != backup_judge_keys(judge))
        return ERR_CORRUPT;
    judge->is_ended = true;
    return OK;
}

enum error backup_judge_frame(struct backup_judge *judge, const struct backup_frame *frame,
                              const struct backup_totals *read)
{
    if (judge->is_ended)
        return ERR_TRAILING;
    if (frame->shard >= judge->shard_count)
        return ERR_RANGE;
    switch ((enum backup_kind)frame->kind) {
    case BACKUP_NODE:
        return judge_node(judge, frame);
    case BACKUP_SHARD:
        return judge_shard(judge, frame);
    case BACKUP_BLOCK:
        return judge_block(judge, frame);
    case BACKUP_DROPPED:
        return judge_dropped(judge, frame);
    case BACKUP_END:
        return judge_end(judge, frame, read);
    case BACKUP_KIND_END:
        break;
    }
    return ERR_TYPE;
}

enum error backup_verify(struct backup_reader *reader, struct backup_judge *judge, char *ret_text,
                         size_t text_size)
{
    struct backup_frame frame;
    enum error error;
    do { /* a frame each */
        struct backup_totals before = reader->totals;
        error = backup_read_frame(reader, &frame);
        if (error == OK)
            error = backup_judge_frame(judge, &frame, &before);
    } while (error == OK);
    if (error == ERR_NOT_FOUND && judge->is_ended)
        return OK;
    if (error == ERR_NOT_FOUND)
        snprintf(ret_text, text_size,
                 "offset %" PRIu64 ": the file ends, and has no end: it is "
                 "not the whole backup",
                 reader->offset);
    else
        snprintf(ret_text, text_size, "offset %" PRIu64 ": %s", reader->offset,
                 error == ERR_IO ? "cannot be read" : error_text(error));
    return error == ERR_NOT_FOUND ? ERR_SHORT : error;
}
