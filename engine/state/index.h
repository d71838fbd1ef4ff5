/*
 * The index: key to entry, read lock-free by any thread inside its RCU turn, changed by its owner
 * only. The one user of cds_lfht (liburcu, split-ordered list after Shalev & Shavit, JACM 2006):
 * QSBR, a fixed table, so that no resize ever runs beside a pinned lane.
 */
#ifndef POLLUX_ENGINE_STATE_INDEX_H
#define POLLUX_ENGINE_STATE_INDEX_H

#include "base/error.h"
#include "base/span.h"
#include "engine/state/index_cache.h"
#include "engine/state/store.h"

struct index {
    struct cds_lfht *table;
    struct store *store;
    struct index_cache cache;
};

size_t index_arena_bytes(uint32_t keys_max);
/* A table for `keys_max` keys. ERR_NO_MEMORY. */
MUST_USE enum error index_init(struct index *index, struct arena *arena, struct store *store,
                               uint32_t keys_max);

/* Forgets every entry (the store keeps the blocks) and frees the table. */
void index_deinit(struct index *index);

/* The entry of `key`, whose hash is `hash`; NULL: none. Any thread, valid until its rcu_turn. */
struct store_entry *index_lookup(const struct index *index, struct span key, uint64_t hash);

/*
 * Fetches ahead for a lookup that follows: first index_fetch_line for all keys of a request, then
 * index_fetch_entry for all, then the lookups. Any thread.
 */
static inline void index_fetch_line(const struct index *index, uint64_t hash)
{
    index_cache_fetch_line(&index->cache, hash);
}

static inline void index_fetch_entry(const struct index *index, uint64_t hash)
{
    index_cache_fetch_entry(&index->cache, hash);
}

/* Shows `entry`, whose key is not in the index. Owner. */
void index_add(struct index *index, struct store_entry *entry);

/* Shows `entry` instead of `old`, of the same key; a reader sees one or the other. Owner. */
void index_replace(struct index *index, struct store_entry *old, struct store_entry *entry);

/* Hides `entry`. Owner. */
void index_remove(struct index *index, struct store_entry *entry);

/* Calls `visit` for every entry. Owner. */
void index_walk(const struct index *index,
                void (*visit)(void *context, const struct store_entry *entry), void *context);

#endif
