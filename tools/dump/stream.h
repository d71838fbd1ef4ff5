/*
 * The stream of a snapshot (engine/state/snapshot_format.h), item by item, from blocks of which
 * some may be missing. Behind a gap the next item is looked for: an entry or a session whose sizes
 * fit together. The bytes may be anything: they cause an error, never more.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DUMP_STREAM_H
#define POLLUX_TOOLS_DUMP_STREAM_H

#include "base/error.h"
#include "base/span.h"
#include "engine/state/snapshot_format.h"

#define STREAM_BUFFER_BYTES (SNAPSHOT_ITEM_BYTES_MAX + SNAPSHOT_BLOCK_BYTES)

struct stream_item {
    enum snapshot_item type;
    uint64_t offset; /* in the stream */
    struct span body;
};

struct stream {
    void (*take)(void *context, const struct stream_item *item);
    void *context;
    uint8_t *buffer; /* STREAM_BUFFER_BYTES */
    size_t fill_bytes;
    uint64_t offset; /* in the stream, of the buffer */
    bool is_lost;    /* where items begin is not known */
    uint64_t lost_bytes;
    uint64_t broken_offset; /* of the first place where whole blocks contradict the format */
    bool is_broken;
    bool has_end;
};

/* `buffer` is the caller's. */
void stream_begin(struct stream *stream, uint8_t *buffer);
void stream_block(struct stream *stream, struct span block);
/* A block is missing, of so many bytes. */
void stream_gap(struct stream *stream, uint64_t size_bytes);
void stream_end(struct stream *stream);

/* The fields of an entry, whose body was checked. */
struct stream_entry {
    uint64_t version;
    struct span key;
    struct span value;
};
struct stream_entry stream_entry_of(struct span body);

#endif
