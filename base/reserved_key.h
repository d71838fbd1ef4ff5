/*
 * Keys that the cluster keeps for itself. They are stored and replicated as any other, and lists
 * leave them out.
 */
#ifndef POLLUX_BASE_RESERVED_KEY_H
#define POLLUX_BASE_RESERVED_KEY_H

#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>

/* What they begin with, and the first key behind all of them: they lie side by side in the order
 * of keys. */
#define RESERVED_KEY_PREFIX "\0pollux"
#define RESERVED_KEY_BEHIND "\0polluy"

static_assert(sizeof(RESERVED_KEY_PREFIX) - 1 == RESERVED_KEY_SIZE_BYTES, "its size");

static inline bool key_is_reserved(struct span key)
{
    return span_begins_with(key, span_of(RESERVED_KEY_PREFIX, RESERVED_KEY_SIZE_BYTES));
}

#endif
