/*
 * The front of the index: a table of hash tags and block numbers that finds nearly every entry with
 * two memory accesses, both known early enough to be fetched ahead for all keys of a request. It is
 * a cache: whatever it does not hold is found by the index's own table, and it never holds an entry
 * that the index does not.
 *
 * A line of eight slots for each few keys; a slot is one 64-bit word, tag in the upper half, block
 * number in the lower (0: empty). A line that overflows loses its last slot.
 *
 * Owner writes; any thread reads inside its RCU turn: a slot is cleared before its entry is
 * retired, so a number read from it names a block that is not used again before that turn ends.
 */
#ifndef POLLUX_ENGINE_FRONT_H
#define POLLUX_ENGINE_FRONT_H

#include "base/arena.h"
#include "engine/store.h"

#include <stdatomic.h>

#define FRONT_LINE_SLOTS 8

struct front_line {
    alignas(64) _Atomic uint64_t slots[FRONT_LINE_SLOTS];
};

static_assert(sizeof(struct front_line) == 64, "one cache line");

struct front {
    struct front_line *lines;
    uint64_t mask;
    struct store *store;
};

size_t front_arena_bytes(uint32_t keys_max);
void front_init(struct front *front, struct arena *arena, struct store *store, uint32_t keys_max);

static inline struct front_line *front_line_of(const struct front *front, uint64_t hash)
{
    return &front->lines[(hash >> 32) & front->mask];
}

/* Fetches the line of a key that is going to be looked up. */
static inline void front_fetch_line(const struct front *front, uint64_t hash)
{
    __builtin_prefetch(front_line_of(front, hash));
}

/* Fetches the entry, if the line names one; after front_fetch_line, when that has had time to work.
 */
void front_fetch_entry(const struct front *front, uint64_t hash);

/* The entry of `key`, or NULL: not here, perhaps in the index. */
struct store_entry *front_lookup(const struct front *front, struct span key, uint64_t hash);

/* The index shows `entry` now. Owner. */
void front_add(struct front *front, const struct store_entry *entry);

/* The index hides `entry`; `with` (NULL: none) has taken its place. Owner. */
void front_replace(struct front *front, const struct store_entry *entry,
                   const struct store_entry *with);

#endif
