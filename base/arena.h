/*
 * The sealed arena: all memory of a lane is computed from its options and taken at start. After
 * arena_seal every further request aborts, so that a running node never allocates, least of all on
 * behalf of strangers. Untouched pages cost nothing (an anonymous mapping, zeroed by the kernel).
 *
 * Owner: one thread until sealed; read-only afterwards.
 */
#ifndef POLLUX_BASE_ARENA_H
#define POLLUX_BASE_ARENA_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    uint8_t *base;
    size_t capacity_bytes;
    size_t used_bytes;
    bool is_sealed;
};

/* Maps `capacity_bytes` of zeroed memory. ERR_NO_MEMORY when the kernel refuses. */
MUST_USE enum error arena_init(struct arena *arena, size_t capacity_bytes);

/*
 * Zeroed memory aligned to `align_bytes` (a power of two, at most 4096). Never fails: a request
 * past the capacity or after the seal is a broken promise of the caller and aborts.
 */
void *arena_take(struct arena *arena, size_t size_bytes, size_t align_bytes);

/* Gives back what was taken since `used_bytes` were in use, and zeroes it. Nobody uses it. */
void arena_give_back(struct arena *arena, size_t used_bytes);

/* No arena_take after this. */
void arena_seal(struct arena *arena);

/* Unmaps; everything taken from the arena is gone. */
void arena_deinit(struct arena *arena);

#endif
