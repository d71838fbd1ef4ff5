/*
 * Takes the stream of a snapshot (engine/state/snapshot_format.h) apart, in chunks of any size,
 * without a machine: each item is checked for its form and given to a visitor. The bytes may be
 * anything: they cause an error, never more.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_BACKUP_BACKUP_STREAM_H
#define POLLUX_TOOLS_BACKUP_BACKUP_STREAM_H

#include "base/error.h"
#include "base/span.h"
#include "engine/state/snapshot_format.h"

#include <stdbool.h>

struct backup_stream_head {
    uint64_t index;
    uint64_t keys;
    uint64_t cluster; /* of the configuration; 0: there is none */
    uint64_t era;
};

/* An item, in the order of the stream; `body` is borrowed. An error ends the reading. */
struct backup_visitor {
    enum error (*visit)(void *context, enum snapshot_item type, struct span body);
    void *context;
};

struct backup_stream {
    struct backup_visitor visitor; /* visit NULL: nobody looks */
    uint8_t *item;                 /* SNAPSHOT_ITEM_BYTES_MAX */
    size_t item_bytes;
    uint64_t bytes;
    uint64_t items;
    uint64_t index; /* of the head */
    uint64_t keys_told;
    uint64_t keys; /* entries so far */
    bool has_head;
    bool has_end;
};

/* False: no memory. `visitor` may be NULL. */
bool backup_stream_init(struct backup_stream *stream, const struct backup_visitor *visitor);
void backup_stream_deinit(struct backup_stream *stream);
/* Another stream begins. */
void backup_stream_begin(struct backup_stream *stream);
/* ERR_MAGIC, ERR_VERSION, ERR_TYPE, ERR_TOO_LARGE, ERR_SHORT, ERR_TRAILING, ERR_RANGE, ERR_CORRUPT,
 * or the visitor's. */
MUST_USE enum error backup_stream_read(struct backup_stream *stream, struct span chunk);
/* That was all. ERR_SHORT: it was cut. */
MUST_USE enum error backup_stream_end(const struct backup_stream *stream);

/* What the first block of a stream says. ERR_MAGIC, ERR_VERSION, ERR_SHORT. */
MUST_USE enum error backup_stream_peek(struct span block, struct backup_stream_head *ret_head);

#endif
