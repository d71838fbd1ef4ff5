/* See tools/backup/backup_stream.h. */
#include "tools/backup/backup_stream.h"

#include "base/le.h"

#include <stdlib.h>
#include <string.h>

bool backup_stream_init(struct backup_stream *stream, const struct backup_visitor *visitor)
{
    *stream = (struct backup_stream){.items = 0};
    if (visitor != NULL)
        stream->visitor = *visitor;
    stream->item = malloc(SNAPSHOT_ITEM_BYTES_MAX);
    return stream->item != NULL;
}

void backup_stream_deinit(struct backup_stream *stream)
{
    free(stream->item);
    stream->item = NULL;
}

void backup_stream_begin(struct backup_stream *stream)
{
    *stream = (struct backup_stream){.visitor = stream->visitor, .item = stream->item};
}

static enum error check_head(struct span body)
{
    if (body.size_bytes != SNAPSHOT_HEAD_BYTES)
        return body.size_bytes < SNAPSHOT_HEAD_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le64_load(body.data) != SNAPSHOT_MAGIC)
        return ERR_MAGIC;
    if (le32_load(body.data + 8) != SNAPSHOT_VERSION)
        return ERR_VERSION;
    return OK;
}

/* It comes directly behind the head. */
static bool peek_configuration(struct span block, struct raft_configuration *ret_configuration)
{
    size_t begin = SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES;
    size_t least = begin + SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_CHANGE_BYTES;
    if (block.size_bytes < least || le32_load(block.data + begin) != SNAPSHOT_CONFIGURATION)
        return false;
    size_t end = begin + SNAPSHOT_ITEM_HEADER_BYTES + (size_t)le32_load(block.data + begin + 4);
    return end >= least && end <= block.size_bytes &&
           raft_configuration_decode(block.data + least, end - least, ret_configuration) == OK;
}

enum error backup_stream_peek(struct span block, struct backup_stream_head *ret_head)
{
    if (block.size_bytes < SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES)
        return ERR_SHORT;
    if (le32_load(block.data) != SNAPSHOT_HEAD)
        return ERR_MAGIC;
    struct span body = span_of(block.data + SNAPSHOT_ITEM_HEADER_BYTES, SNAPSHOT_HEAD_BYTES);
    enum error error = check_head(body);
    if (error != OK)
        return error;
    struct backup_stream_head head = {.index = le64_load(body.data + 16),
                                      .keys = le64_load(body.data + 32)};
    struct raft_configuration configuration;
    if (peek_configuration(block, &configuration)) {
        head.cluster = configuration.cluster;
        head.era = configuration.era;
    }
    *ret_head = head;
    return OK;
}

static enum error read_head(struct backup_stream *stream, struct span body)
{
    enum error error = stream->has_head ? ERR_CORRUPT : check_head(body);
    if (error != OK)
        return error;
    stream->has_head = true;
    stream->index = le64_load(body.data + 16);
    stream->keys_told = le64_load(body.data + 32);
    return OK;
}

static enum error read_entry(struct backup_stream *stream, struct span body)
{
    if (body.size_bytes < SNAPSHOT_ENTRY_BYTES)
        return ERR_SHORT;
    uint64_t version = le64_load(body.data);
    uint32_t value_size = le32_load(body.data + 8);
    uint16_t key_size = le16_load(body.data + 12);
    if (version == 0 || version > stream->index || key_size == 0 || key_size > KEY_SIZE_BYTES_MAX ||
        value_size > VALUE_SIZE_BYTES_MAX)
        return ERR_RANGE;
    if (body.size_bytes != SNAPSHOT_ENTRY_BYTES + key_size + (size_t)value_size)
        return ERR_CORRUPT;
    stream->keys++;
    return OK;
}

static enum error read_end(struct backup_stream *stream, struct span body)
{
    if (body.size_bytes != SNAPSHOT_END_BYTES)
        return body.size_bytes < SNAPSHOT_END_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (le64_load(body.data) != stream->bytes || le64_load(body.data + 8) != stream->items ||
        stream->keys != stream->keys_told)
        return ERR_CORRUPT;
    stream->has_end = true;
    return OK;
}

static enum error read_body(struct backup_stream *stream, enum snapshot_item type, struct span body)
{
    switch (type) {
    case SNAPSHOT_HEAD:
        return read_head(stream, body);
    case SNAPSHOT_ENTRY:
        return read_entry(stream, body);
    case SNAPSHOT_END:
        return read_end(stream, body);
    case SNAPSHOT_CONFIGURATION:
    case SNAPSHOT_NODE:
    case SNAPSHOT_SESSION:
        return OK;
    }
    return ERR_TYPE;
}

static enum error check_header(const struct backup_stream *stream, const uint8_t *from)
{
    uint32_t type = le32_load(from);
    if (stream->has_end)
        return ERR_TRAILING;
    if (!stream->has_head && type != SNAPSHOT_HEAD)
        return ERR_MAGIC;
    if (type < SNAPSHOT_HEAD || type > SNAPSHOT_END)
        return ERR_TYPE;
    return le32_load(from + 4) > SNAPSHOT_ENTRY_BYTES_MAX ? ERR_TOO_LARGE : OK;
}

static enum error read_item(struct backup_stream *stream)
{
    const uint8_t *from = stream->item;
    enum snapshot_item type = (enum snapshot_item)le32_load(from);
    struct span body =
        span_of(from + SNAPSHOT_ITEM_HEADER_BYTES, stream->item_bytes - SNAPSHOT_ITEM_HEADER_BYTES);
    enum error error = read_body(stream, type, body);
    if (error == OK && stream->visitor.visit != NULL)
        error = stream->visitor.visit(stream->visitor.context, type, body);
    stream->bytes += stream->item_bytes;
    stream->items++;
    stream->item_bytes = 0;
    return error;
}

/* Moves bytes of the chunk to the item, until it has `size_bytes`. */
static bool gather(struct backup_stream *stream, struct span *chunk, size_t size_bytes)
{
    size_t size = size_bytes - stream->item_bytes;
    if (size > chunk->size_bytes)
        size = chunk->size_bytes;
    if (size > 0)
        memcpy(stream->item + stream->item_bytes, chunk->data, size);
    stream->item_bytes += size;
    *chunk = span_of(chunk->data + size, chunk->size_bytes - size);
    return stream->item_bytes == size_bytes;
}

enum error backup_stream_read(struct backup_stream *stream, struct span chunk)
{
    enum error error = OK;
    /* Each round takes bytes, ends an item, or ends with an error. */
    while (error == OK && chunk.size_bytes > 0) {
        if (stream->item_bytes < SNAPSHOT_ITEM_HEADER_BYTES &&
            !gather(stream, &chunk, SNAPSHOT_ITEM_HEADER_BYTES))
            break;
        error = check_header(stream, stream->item);
        size_t size = SNAPSHOT_ITEM_HEADER_BYTES + (size_t)le32_load(stream->item + 4);
        if (error == OK && gather(stream, &chunk, size))
            error = read_item(stream);
    }
    return error;
}

enum error backup_stream_end(const struct backup_stream *stream)
{
    return stream->has_end && stream->item_bytes == 0 ? OK : ERR_SHORT;
}
