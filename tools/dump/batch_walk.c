/* See batch_walk.h. */
#include "tools/dump/batch_walk.h"

#include "base/le.h"
#include "engine/service/batch.h"

enum error batch_walk_begin(struct span payload, struct batch_walk *ret_walk)
{
    if (payload.size_bytes < RECORD_PREFIX_SIZE_BYTES)
        return ERR_SHORT;
    struct batch_walk walk = {.payload = payload,
                              .cursor = RECORD_PREFIX_SIZE_BYTES,
                              .log_time_ns = le64_load(payload.data),
                              .count = le32_load(payload.data + 8),
                              .flags = le32_load(payload.data + RECORD_FLAGS_OFFSET)};
    walk.left = walk.count;
    if (walk.count > BATCH_REQUESTS_MAX)
        return ERR_RANGE;
    *ret_walk = walk;
    return OK;
}

enum error batch_walk_next(struct batch_walk *walk, struct span *ret_request)
{
    size_t left_bytes = walk->payload.size_bytes - walk->cursor;
    if (walk->left == 0)
        return left_bytes == 0 ? ERR_NOT_FOUND : ERR_TRAILING;
    if (left_bytes < REQUEST_PREFIX_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *at = walk->payload.data + walk->cursor;
    size_t size_bytes = le32_load(at);
    size_t start = walk->cursor + REQUEST_PREFIX_SIZE_BYTES;
    if (size_bytes > walk->payload.size_bytes - start)
        return ERR_SHORT;
    size_t end =
        (start + size_bytes + REQUEST_ALIGN_BYTES - 1) / REQUEST_ALIGN_BYTES * REQUEST_ALIGN_BYTES;
    if (end > walk->payload.size_bytes)
        return ERR_SHORT;
    *ret_request = span_of(walk->payload.data + start, size_bytes);
    walk->cursor = end;
    walk->left--;
    return OK;
}
