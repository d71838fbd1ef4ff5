/*
 * The index: key to entry. A fixed table of lines, each one cache line: seven slots and a count. A
 * slot is one 64-bit word: 32 bits of the key's hash (the tag) in the upper half, the entry's block
 * number in the lower half; 0 is an empty slot. A key's home line follows from the other 32 bits of
 * its hash. So a lookup touches two places, the line and the entry, and both are known early enough
 * to be fetched ahead for all keys of a request.
 *
 * When the home line is full, an entry goes to the next line that has a free slot (around the end,
 * to the first). Each line that an entry has passed on this way counts it: a lookup goes on to the
 * next line exactly while that count is not 0. Entries never move, so a reader beside the writer
 * misses nothing: it walks at least as far as the entry was placed.
 *
 * The table has room for 7/4 of the keys that it is made for, so it never fills, and at the full
 * number of keys about one key in twenty lies outside its home line.
 *
 * Beside the table lies the order of its keys (engine/state/key_order.h), for the owner alone.
 *
 * Owner writes. Any thread reads inside its RCU turn (engine/state/rcu.h): a slot is cleared before
 * its entry is retired, so a number read from the slot names a block that is not used again before
 * that turn ends.
 */
#ifndef POLLUX_ENGINE_STATE_INDEX_H
#define POLLUX_ENGINE_STATE_INDEX_H

#include "base/arena.h"
#include "base/siphash.h"
#include "base/span.h"
#include "engine/state/key_order.h"
#include "engine/state/store.h"

#include <stdatomic.h>

#define INDEX_LINE_SLOTS 7

struct index_line {
    alignas(64) _Atomic uint64_t slots[INDEX_LINE_SLOTS];
    _Atomic uint64_t passed; /* entries in later lines that would lie here, or passed by */
};

static_assert(sizeof(struct index_line) == 64, "one cache line");

struct index {
    struct siphash_key key; /* of the hashes */
    struct index_line *lines;
    uint64_t line_count;
    struct store *store;
    struct key_order order;
};

size_t index_arena_bytes(uint32_t keys_max);
/* A table for at most `keys_max` keys. */
void index_init(struct index *index, struct arena *arena, struct store *store, uint32_t keys_max,
                const struct siphash_key *hash_key);

/*
 * The hash of a key in this index, and in others with the same hash key. Nobody outside can choose
 * keys that collide. It never leaves the node: other nodes have other hashes. Any thread.
 */
static inline uint64_t index_hash(const struct index *index, struct span key)
{
    return siphash(&index->key, key);
}

/* The entry of `key`, whose hash is `hash`; NULL: none. Any thread, valid until its rcu_turn. */
struct store_entry *index_lookup(const struct index *index, struct span key, uint64_t hash);

static inline struct index_line *index_home_line(const struct index *index, uint64_t hash)
{
    return &index->lines[(hash >> 32) * index->line_count >> 32];
}

/*
 * Fetches ahead for a lookup that follows: first index_fetch_line for all keys of a request, then
 * index_fetch_entry for all, then the lookups. Any thread.
 */
static inline void index_fetch_line(const struct index *index, uint64_t hash)
{
    __builtin_prefetch(index_home_line(index, hash));
}

void index_fetch_entry(const struct index *index, uint64_t hash);

/* Shows `entry`, whose key is not in the index; the table is not full (CHECK). Owner. */
void index_add(struct index *index, struct store_entry *entry);

/* Shows `entry` instead of `old`, of the same key; a reader sees one or the other. Owner. */
void index_replace(struct index *index, struct store_entry *old, struct store_entry *entry);

/* Hides `entry`. Owner. */
void index_remove(struct index *index, struct store_entry *entry);

/*
 * Places, for a walk in slices. An entry stays in its place as long as the index shows it, and the
 * next entry of its key takes that place: the walk comes to it or has passed it for good. Owner.
 */
#define INDEX_PLACES_PER_LINE 8 /* the last one of a line is never taken */

/* Places are below it. */
static inline uint64_t index_place_end(const struct index *index)
{
    return index->line_count * INDEX_PLACES_PER_LINE;
}

/* The place of an entry of the index. */
uint64_t index_place(const struct index *index, const struct store_entry *entry);
/* The entry at a place; NULL: none. */
struct store_entry *index_entry_at(const struct index *index, uint64_t place);
/* Fetches ahead the entries of the line that begins at this place, if it is one of the table. */
void index_fetch_place(const struct index *index, uint64_t place);

/* Calls `visit` for every entry. Owner. */
void index_walk(const struct index *index,
                void (*visit)(void *context, const struct store_entry *entry), void *context);

#endif
