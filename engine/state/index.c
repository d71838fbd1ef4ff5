/* The index: see engine/state/index.h. */
#include "engine/state/index.h"

#include "base/check.h"

/* Lines are a little more than half full when the table holds the keys that it is made for. */
#define KEYS_PER_LINE 4
#define LINES_MIN     16

static uint64_t line_count_of(uint32_t keys_max)
{
    uint64_t count = ((uint64_t)keys_max + KEYS_PER_LINE - 1) / KEYS_PER_LINE;
    return count < LINES_MIN ? LINES_MIN : count;
}

size_t index_arena_bytes(uint32_t keys_max)
{
    return line_count_of(keys_max) * sizeof(struct index_line) + 64 +
           key_order_arena_bytes(keys_max);
}

void index_init(struct index *index, struct arena *arena, struct store *store, uint32_t keys_max,
                const struct siphash_key *hash_key)
{
    uint64_t count = line_count_of(keys_max);
    *index = (struct index){
        .key = *hash_key,
        .lines = arena_take(arena, count * sizeof(struct index_line), sizeof(struct index_line)),
        .line_count = count,
        .store = store,
    };
    key_order_init(&index->order, arena, keys_max);
}

/* What a slot says of an entry. */
static uint64_t index_slot(const struct index *index, const struct store_entry *entry)
{
    return entry->hash << 32 | store_number(index->store, entry);
}

static inline bool has_tag(uint64_t slot, uint64_t hash)
{
    return (uint32_t)(slot >> 32) == (uint32_t)hash && (uint32_t)slot != 0;
}

static inline struct index_line *next_line(const struct index *index, struct index_line *line)
{
    return line + 1 == index->lines + index->line_count ? index->lines : line + 1;
}

/* Pairs with the release in index_add. A reader that must find an entry beyond this line began
 * after index_add had ended, and so sees it counted. */
static inline bool is_passed(struct index_line *line)
{
    return atomic_load_explicit(&line->passed, memory_order_acquire) != 0;
}

void index_fetch_entry(const struct index *index, uint64_t hash)
{
    struct index_line *line = index_home_line(index, hash);
    for (uint32_t i = 0; i < INDEX_LINE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_relaxed);
        if (!has_tag(slot, hash))
            continue;
        const uint8_t *entry = (const uint8_t *)store_at(index->store, (uint32_t)slot);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 64);
        return;
    }
}

/* The entry of the key in one line; NULL: not there. */
static struct store_entry *line_lookup(const struct index *index, struct index_line *line,
                                       struct span key, uint64_t hash)
{
    for (uint32_t i = 0; i < INDEX_LINE_SLOTS; i++) {
        /* Pairs with the release in index_add and index_replace: the entry's bytes are whole. */
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_acquire);
        if (!has_tag(slot, hash))
            continue;
        struct store_entry *entry = store_at(index->store, (uint32_t)slot);
        if (store_has_key(index->store, entry, key))
            return entry;
    }
    return NULL;
}

struct store_entry *index_lookup(const struct index *index, struct span key, uint64_t hash)
{
    struct index_line *line = index_home_line(index, hash);
    for (uint64_t i = 0; i < index->line_count; i++) {
        struct store_entry *entry = line_lookup(index, line, key, hash);
        if (entry != NULL || !is_passed(line))
            return entry;
        line = next_line(index, line);
    }
    return NULL;
}

/* The slot of the line that holds `slot` (0: an empty one); NULL: none. Owner. */
static _Atomic uint64_t *line_find(struct index_line *line, uint64_t slot)
{
    for (uint32_t i = 0; i < INDEX_LINE_SLOTS; i++) {
        if (atomic_load_explicit(&line->slots[i], memory_order_relaxed) == slot)
            return &line->slots[i];
    }
    return NULL;
}

/* Changes how many entries have passed the lines from `from` up to `to`, which is left out. */
static void count_passed(const struct index *index, struct index_line *from,
                         const struct index_line *to, int64_t change)
{
    while (from != to) { /* both are lines of the table, one after the other */
        uint64_t passed = atomic_load_explicit(&from->passed, memory_order_relaxed);
        /* Pairs with the acquire in is_passed. */
        atomic_store_explicit(&from->passed, passed + (uint64_t)change, memory_order_release);
        from = next_line(index, from);
    }
}

static uint64_t place_number(const struct index *index, const struct index_line *line,
                             const _Atomic uint64_t *slot)
{
    return (uint64_t)(line - index->lines) * INDEX_PLACES_PER_LINE + (uint64_t)(slot - line->slots);
}

void index_add(struct index *index, struct store_entry *entry)
{
    struct index_line *home = index_home_line(index, entry->hash);
    struct index_line *line = home;
    _Atomic uint64_t *place = line_find(line, 0);
    for (uint64_t i = 1; place == NULL; i++) {
        CHECK(i < index->line_count);
        line = next_line(index, line);
        place = line_find(line, 0);
    }
    count_passed(index, home, line, 1);
    /* Pairs with the acquire in line_lookup: the entry's bytes come first. */
    atomic_store_explicit(place, index_slot(index, entry), memory_order_release);
    key_order_add(index, entry, place_number(index, line, place));
}

/* The place of an entry of the index. */
static _Atomic uint64_t *place_of_entry(const struct index *index, const struct store_entry *entry,
                                        struct index_line **ret_line)
{
    uint64_t slot = index_slot(index, entry);
    struct index_line *line = index_home_line(index, entry->hash);
    _Atomic uint64_t *place = line_find(line, slot);
    for (uint64_t i = 1; place == NULL; i++) {
        CHECK(i < index->line_count && is_passed(line));
        line = next_line(index, line);
        place = line_find(line, slot);
    }
    *ret_line = line;
    return place;
}

void index_replace(struct index *index, struct store_entry *old, struct store_entry *entry)
{
    struct index_line *line;
    CHECK(old->hash == entry->hash);
    _Atomic uint64_t *place = place_of_entry(index, old, &line);
    /* Pairs with the acquire in line_lookup. */
    atomic_store_explicit(place, index_slot(index, entry), memory_order_release);
}

void index_remove(struct index *index, struct store_entry *entry)
{
    struct index_line *line;
    _Atomic uint64_t *place = place_of_entry(index, entry, &line);
    key_order_remove(index, entry, place_number(index, line, place));
    atomic_store_explicit(place, 0, memory_order_release);
    count_passed(index, index_home_line(index, entry->hash), line, -1);
}

static_assert(INDEX_PLACES_PER_LINE >= INDEX_LINE_SLOTS, "a place for each slot");

uint64_t index_place(const struct index *index, const struct store_entry *entry)
{
    struct index_line *line;
    const _Atomic uint64_t *slot = place_of_entry(index, entry, &line);
    return place_number(index, line, slot);
}

struct store_entry *index_entry_at(const struct index *index, uint64_t place)
{
    uint64_t slot = place % INDEX_PLACES_PER_LINE;
    if (slot >= INDEX_LINE_SLOTS)
        return NULL;
    const struct index_line *line = &index->lines[place / INDEX_PLACES_PER_LINE];
    uint32_t number = (uint32_t)atomic_load_explicit(&line->slots[slot], memory_order_relaxed);
    return number == 0 ? NULL : store_at(index->store, number);
}

void index_fetch_place(const struct index *index, uint64_t place)
{
    if (place >= index_place_end(index))
        return;
    const struct index_line *line = &index->lines[place / INDEX_PLACES_PER_LINE];
    for (uint32_t i = 0; i < INDEX_LINE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&line->slots[i], memory_order_relaxed);
        const uint8_t *entry = (const uint8_t *)store_at(index->store, (uint32_t)slot);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 64);
    }
}

void index_walk(const struct index *index,
                void (*visit)(void *context, const struct store_entry *entry), void *context)
{
    for (uint64_t i = 0; i < index->line_count; i++) {
        for (uint32_t j = 0; j < INDEX_LINE_SLOTS; j++) {
            uint64_t slot = atomic_load_explicit(&index->lines[i].slots[j], memory_order_relaxed);
            if (slot != 0)
                visit(context, store_at(index->store, (uint32_t)slot));
        }
    }
}
