/* The front of the index: see engine/state/index_cache.h. */
#include "engine/state/index_cache.h"

#include "base/check.h"

/* Lines are half full on average at most, so that few overflow. */
#define KEYS_PER_LINE 4

static uint64_t line_count(uint32_t keys_max)
{
    uint64_t count = 16;
    while (count * KEYS_PER_LINE < keys_max)
        count *= 2;
    return count;
}

size_t index_cache_arena_bytes(uint32_t keys_max)
{
    return line_count(keys_max) * sizeof(struct index_cache_line) + 64;
}

void index_cache_init(struct index_cache *cache, struct arena *arena, struct store *store,
                      uint32_t keys_max)
{
    uint64_t count = line_count(keys_max);
    *cache = (struct index_cache){
        .lines = arena_take(arena, count * sizeof(struct index_cache_line), 64),
        .mask = count - 1,
        .store = store,
    };
}

/* What a slot says of an entry. The line comes from the hash's upper half, the tag from the
 * lower. */
static uint64_t slot_of(const struct index_cache *cache, const struct store_entry *entry)
{
    return entry->hash << 32 | store_number(cache->store, entry);
}

static inline bool has_tag(uint64_t slot, uint64_t hash)
{
    return (uint32_t)(slot >> 32) == (uint32_t)hash && (uint32_t)slot != 0;
}

void index_cache_fetch_entry(const struct index_cache *cache, uint64_t hash)
{
    struct index_cache_line *line = index_cache_line_of(cache, hash);
    for (uint32_t i = 0; i < INDEX_CACHE_LINE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_relaxed);
        if (!has_tag(slot, hash))
            continue;
        const uint8_t *entry = (const uint8_t *)store_at(cache->store, (uint32_t)slot);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 64);
        return;
    }
}

struct store_entry *index_cache_lookup(const struct index_cache *cache, struct span key,
                                       uint64_t hash)
{
    struct index_cache_line *line = index_cache_line_of(cache, hash);
    for (uint32_t i = 0; i < INDEX_CACHE_LINE_SLOTS; i++) {
        /* Pairs with the release in index_cache_add: the entry's bytes are whole. */
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_acquire);
        if (!has_tag(slot, hash))
            continue;
        struct store_entry *entry = store_at(cache->store, (uint32_t)slot);
        if (store_has_key(cache->store, entry, key))
            return entry;
    }
    return NULL;
}

void index_cache_add(struct index_cache *cache, const struct store_entry *entry)
{
    struct index_cache_line *line = index_cache_line_of(cache, entry->hash);
    uint64_t slot = slot_of(cache, entry);
    uint32_t place = 0;
    while (place < INDEX_CACHE_LINE_SLOTS - 1 &&
           atomic_load_explicit(&line->slots[place], memory_order_relaxed) != 0)
        place++;
    /* Full: any slot may go, the index knows them all. */
    atomic_store_explicit(&line->slots[place], slot, memory_order_release);
}

void index_cache_replace(struct index_cache *cache, const struct store_entry *entry,
                         const struct store_entry *with)
{
    struct index_cache_line *line = index_cache_line_of(cache, entry->hash);
    uint64_t slot = slot_of(cache, entry);
    for (uint32_t i = 0; i < INDEX_CACHE_LINE_SLOTS; i++) {
        if (atomic_load_explicit(&line->slots[i], memory_order_relaxed) != slot)
            continue;
        uint64_t next = with == NULL ? 0 : slot_of(cache, with);
        atomic_store_explicit(&line->slots[i], next, memory_order_release);
        return;
    }
    if (with != NULL)
        index_cache_add(cache, with);
}
