/* See stream.h. */
#include "tools/dump/stream.h"

#include "base/check.h"
#include "base/le.h"

void stream_begin(struct stream *stream, uint8_t *buffer)
{
    stream->buffer = buffer;
    stream->fill_bytes = 0;
    stream->offset = 0;
    stream->is_lost = false;
    stream->lost_bytes = 0;
    stream->broken_offset = 0;
    stream->is_broken = false;
    stream->has_end = false;
}

static bool is_entry(const uint8_t *body, size_t size_bytes)
{
    if (size_bytes < SNAPSHOT_ENTRY_BYTES)
        return false;
    size_t value_bytes = le32_load(body + 8);
    size_t key_bytes = le16_load(body + 12);
    return le16_load(body + 14) == 0 && key_bytes > 0 && key_bytes <= KEY_SIZE_BYTES_MAX &&
           value_bytes <= VALUE_SIZE_BYTES_MAX &&
           size_bytes == SNAPSHOT_ENTRY_BYTES + key_bytes + value_bytes;
}

static bool is_session(const uint8_t *body, size_t size_bytes)
{
    if (size_bytes < SNAPSHOT_SESSION_BYTES)
        return false;
    size_t outcomes = le16_load(body + 42);
    return le64_load(body) != 0 && body[40] <= 1 && body[41] <= 1 && le32_load(body + 44) == 0 &&
           size_bytes == SNAPSHOT_SESSION_BYTES + outcomes * SNAPSHOT_OUTCOME_BYTES;
}

static bool is_node(const uint8_t *body, size_t size_bytes)
{
    if (size_bytes < SNAPSHOT_NODE_BYTES || body[2] > 1 || body[3] != 0)
        return false;
    size_t cancels = le32_load(body + 4);
    size_t cancels_bytes = size_bytes - SNAPSHOT_NODE_BYTES;
    return cancels_bytes == cancels * SNAPSHOT_CANCEL_64_BYTES ||
           cancels_bytes == cancels * SNAPSHOT_CANCEL_256_BYTES;
}

static bool is_head(const uint8_t *body, size_t size_bytes)
{
    return size_bytes >= 12 && le64_load(body) == SNAPSHOT_MAGIC;
}

/* Whether the head of an item may be one; what its body must be is checked when it is there. */
static bool has_item_head(const uint8_t *at)
{
    uint32_t type = le32_load(at);
    return type >= SNAPSHOT_HEAD && type <= SNAPSHOT_END &&
           le32_load(at + 4) <= SNAPSHOT_ITEM_BYTES_MAX - SNAPSHOT_ITEM_HEADER_BYTES;
}

static bool is_body(enum snapshot_item type, struct span body)
{
    switch (type) {
    case SNAPSHOT_HEAD:
        return is_head(body.data, body.size_bytes);
    case SNAPSHOT_CONFIGURATION:
        return body.size_bytes >= SNAPSHOT_CHANGE_BYTES &&
               body.size_bytes <= SNAPSHOT_CHANGE_BYTES_MAX;
    case SNAPSHOT_NODE:
        return is_node(body.data, body.size_bytes);
    case SNAPSHOT_SESSION:
        return is_session(body.data, body.size_bytes);
    case SNAPSHOT_ENTRY:
        return is_entry(body.data, body.size_bytes);
    case SNAPSHOT_END:
        return body.size_bytes == SNAPSHOT_END_BYTES;
    }
    return false;
}

/* Drops the first bytes of the buffer. */
static void consume(struct stream *stream, size_t size_bytes)
{
    CHECK(size_bytes <= stream->fill_bytes);
    memmove(stream->buffer, stream->buffer + size_bytes, stream->fill_bytes - size_bytes);
    stream->fill_bytes -= size_bytes;
    stream->offset += size_bytes;
}

/* An item in whole, or how it is none. ERR_NOT_YET: more bytes are needed to tell. */
static enum error item_at(const struct stream *stream, size_t at, struct stream_item *ret_item)
{
    size_t left_bytes = stream->fill_bytes - at;
    const uint8_t *bytes = stream->buffer + at;
    if (left_bytes < SNAPSHOT_ITEM_HEADER_BYTES)
        return ERR_NOT_YET;
    if (!has_item_head(bytes))
        return ERR_CORRUPT;
    size_t body_bytes = le32_load(bytes + 4);
    const struct stream_item item = {.type = (enum snapshot_item)le32_load(bytes),
                                     .offset = stream->offset + at,
                                     .body =
                                         span_of(bytes + SNAPSHOT_ITEM_HEADER_BYTES, body_bytes)};
    if (left_bytes - SNAPSHOT_ITEM_HEADER_BYTES < body_bytes)
        return ERR_NOT_YET;
    if (!is_body(item.type, item.body))
        return ERR_CORRUPT;
    *ret_item = item;
    return OK;
}

/* What is told by so little that it may be chance does not end a search. */
static bool is_sure(enum snapshot_item type)
{
    return type == SNAPSHOT_ENTRY || type == SNAPSHOT_SESSION;
}

/* Whether an entry or a session that is not whole yet may begin here. */
static bool may_begin(const struct stream *stream, size_t at)
{
    const uint8_t *bytes = stream->buffer + at;
    size_t body_bytes;
    if (stream->fill_bytes - at < SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_SESSION_BYTES)
        return stream->fill_bytes - at < SNAPSHOT_ITEM_HEADER_BYTES || has_item_head(bytes);
    body_bytes = le32_load(bytes + 4);
    if (le32_load(bytes) == SNAPSHOT_ENTRY)
        return is_entry(bytes + SNAPSHOT_ITEM_HEADER_BYTES, body_bytes);
    return le32_load(bytes) == SNAPSHOT_SESSION &&
           is_session(bytes + SNAPSHOT_ITEM_HEADER_BYTES, body_bytes);
}

/* Looks for the next item. False: more bytes are needed. */
static bool search(struct stream *stream)
{
    size_t at = 0;
    for (; at < stream->fill_bytes; at++) {
        struct stream_item item;
        enum error error = item_at(stream, at, &item);
        if (error == OK && is_sure(item.type)) {
            stream->is_lost = false;
            break;
        }
        if (error == ERR_NOT_YET && may_begin(stream, at))
            break;
    }
    stream->lost_bytes += at;
    consume(stream, at);
    return !stream->is_lost;
}

/* Takes items from the front of the buffer; the bytes move once. */
static void take_items(struct stream *stream)
{
    struct stream_item item;
    size_t at = 0;
    enum error error;
    while ((error = item_at(stream, at, &item)) == OK) { /* the items of the buffer */
        stream->take(stream->context, &item);
        stream->has_end |= item.type == SNAPSHOT_END;
        at += SNAPSHOT_ITEM_HEADER_BYTES + item.body.size_bytes;
    }
    consume(stream, at);
    if (error != ERR_CORRUPT)
        return;
    if (!stream->is_broken)
        stream->broken_offset = stream->offset;
    stream->is_broken = true;
    stream->is_lost = true;
    stream->lost_bytes++;
    consume(stream, 1); /* here no item begins */
}

static void drain(struct stream *stream)
{
    for (size_t rounds = 0; rounds <= STREAM_BUFFER_BYTES; rounds++) { /* each takes a byte */
        if (stream->is_lost && !search(stream))
            return;
        take_items(stream);
        if (!stream->is_lost)
            return;
    }
}

void stream_block(struct stream *stream, struct span block)
{
    CHECK(block.size_bytes <= STREAM_BUFFER_BYTES - stream->fill_bytes);
    memcpy(stream->buffer + stream->fill_bytes, block.data, block.size_bytes);
    stream->fill_bytes += block.size_bytes;
    drain(stream);
}

void stream_gap(struct stream *stream, uint64_t size_bytes)
{
    stream->lost_bytes += stream->fill_bytes + size_bytes;
    stream->offset += stream->fill_bytes + size_bytes;
    stream->fill_bytes = 0;
    stream->is_lost = true;
}

void stream_end(struct stream *stream)
{
    if (stream->fill_bytes > 0 && !stream->is_lost && !stream->is_broken) {
        stream->is_broken = true;
        stream->broken_offset = stream->offset;
    }
    stream->lost_bytes += stream->fill_bytes;
    stream->fill_bytes = 0;
}

struct stream_entry stream_entry_of(struct span body)
{
    size_t key_bytes = le16_load(body.data + 12);
    return (struct stream_entry){
        .version = le64_load(body.data),
        .key = span_of(body.data + SNAPSHOT_ENTRY_BYTES, key_bytes),
        .value = span_of(body.data + SNAPSHOT_ENTRY_BYTES + key_bytes, le32_load(body.data + 8))};
}
