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
#ifndef POLLUX_ENGINE_STATE_INDEX_CACHE_H
#define POLLUX_ENGINE_STATE_INDEX_CACHE_H

#include "base/arena.h"
#include "engine/state/store.h"

#include <stdatomic.h>

#define INDEX_CACHE_LINE_SLOTS 8

struct index_cache_line {
    alignas(64) _Atomic uint64_t slots[INDEX_CACHE_LINE_SLOTS];
};

static_assert(sizeof(struct index_cache_line) == 64, "one cache line");

struct index_cache {
    struct index_cache_line *lines;
    uint64_t mask;
    struct store *store;
};

size_t index_cache_arena_bytes(uint32_t keys_max);
void index_cache_init(struct index_cache *cache, struct arena *arena, struct store *store,
                      uint32_t keys_max);

static inline struct index_cache_line *index_cache_line_of(const struct index_cache *cache,
                                                           uint64_t hash)
{
    return &cache->lines[(hash >> 32) & cache->mask];
}

/* Fetches the line of a key that is going to be looked up. */
static inline void index_cache_fetch_line(const struct index_cache *cache, uint64_t hash)
{
    __builtin_prefetch(index_cache_line_of(cache, hash));
}

/* Fetches the entry, if the line names one; after index_cache_fetch_line, when that has had time to
 * work. */
void index_cache_fetch_entry(const struct index_cache *cache, uint64_t hash);

/* The entry of `key`, or NULL: not here, perhaps in the index. */
struct store_entry *index_cache_lookup(const struct index_cache *cache, struct span key,
                                       uint64_t hash);

/* The index shows `entry` now. Owner. */
void index_cache_add(struct index_cache *cache, const struct store_entry *entry);

/* The index hides `entry`; `with` (NULL: none) has taken its place. Owner. */
void index_cache_replace(struct index_cache *cache, const struct store_entry *entry,
                         const struct store_entry *with);

#endif
