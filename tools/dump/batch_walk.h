/*
 * The requests of a batch record (engine/service/batch.h), read from bytes that may be anything.
 * Pure.
 */
#ifndef POLLUX_TOOLS_DUMP_BATCH_WALK_H
#define POLLUX_TOOLS_DUMP_BATCH_WALK_H

#include "base/error.h"
#include "base/span.h"

struct batch_walk {
    struct span payload;
    size_t cursor;
    uint32_t left; /* requests */
    uint64_t log_time_ns;
    uint32_t count;
    uint32_t flags;
};

/* ERR_SHORT, ERR_RANGE: not a batch. */
MUST_USE enum error batch_walk_begin(struct span payload, struct batch_walk *ret_walk);
/* The bytes of the next request. ERR_NOT_FOUND: that was all. ERR_SHORT, ERR_TRAILING: the sizes
 * contradict each other. */
MUST_USE enum error batch_walk_next(struct batch_walk *walk, struct span *ret_request);

#endif
