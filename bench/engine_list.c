/*
 * What lists cost. The order of keys beside the index (engine/state/key_order.h): its memory, the
 * time of a new key with it, and of taking a key out of the order alone and putting it back; and a
 * page of a store: from the order, and as it would be without one, by a walk over all keys that
 * keeps the first ones. Fixed work.
 *
 * Usage: engine_list [keys [pages]]
 * Without arguments: 1,000,000 keys.
 */
#include "bench/samples.h"

#include "base/check.h"
#include "base/le.h"
#include "base/prng.h"
#include "engine/state/index.h"
#include "engine/state/rcu.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS_MANY  1000000
#define KEYS_MAX   50000000
#define PAGES_MANY 2000
#define PAGE_KEYS  100 /* about what a page of LIST_PAGE_BYTES_MAX has of these keys */
#define GROUP      64
#define KEY_BYTES  24
#define NAME_BYTES 64
#define WALKS_MAX  20 /* pages by a walk: each takes as long as thousands of the others */

struct table {
    struct arena arena;
    struct store store;
    struct index index;
    struct prng prng;
    struct samples samples;
    struct key_cursor cursor;
    uint64_t keys;
    uint64_t checksum;
    uint8_t key[KEY_BYTES];
};

/* Keys as programs make them: a common begin, then a number in digits, spread over its range. */
static struct span key_of(struct table *table, uint64_t number)
{
    char text[KEY_BYTES + 1];
    snprintf(text, sizeof(text), "user/%019llu",
             (unsigned long long)(number * UINT64_C(0x9E3779B97F4A7C15) >> 1));
    memcpy(table->key, text, KEY_BYTES);
    return span_of(table->key, KEY_BYTES);
}

static struct store_entry *entry_new(struct table *table, struct span key)
{
    struct store_content content = {.key = key,
                                    .value = span_of("thirty-two bytes are the value.", 32),
                                    .hash = index_hash(&table->index, key),
                                    .version = 1};
    return store_new(&table->store, &content);
}

static void table_open(struct table *table, uint64_t keys)
{
    uint32_t count = (uint32_t)keys;
    *table = (struct table){.keys = keys};
    prng_init(&table->prng, 42);
    samples_init(&table->samples);
    CHECK(arena_init(&table->arena, store_arena_bytes(count) + index_arena_bytes(count)) == OK);
    CHECK(store_init(&table->store, &table->arena, count) == OK);
    static const struct siphash_key hash_key = {{42, 43}};
    index_init(&table->index, &table->arena, &table->store, count, &hash_key);
}

static void report(struct table *table, const char *what)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "%s, %llu keys", what, (unsigned long long)table->keys);
    samples_print(&table->samples, name, table->checksum);
}

/* Adds all keys; the time of the index with its order. */
static void fill(struct table *table)
{
    for (uint64_t number = 0; number < table->keys; number += GROUP) {
        struct store_entry *entries[GROUP];
        uint32_t count = 0;
        while (count < GROUP && number + count < table->keys) {
            entries[count] = entry_new(table, key_of(table, number + count));
            count++;
        }
        uint64_t begin_ns = samples_clock_ns();
        for (uint32_t i = 0; i < count; i++)
            index_add(&table->index, entries[i]);
        samples_add(&table->samples, samples_clock_ns() - begin_ns, count);
    }
    report(table, "new key");
}

/* Takes keys out of the order alone and puts them back: what it costs by itself. */
static void order_again(struct table *table, uint64_t pages)
{
    for (uint64_t page = 0; page < pages; page++) {
        const struct store_entry *entries[GROUP];
        uint64_t places[GROUP];
        for (uint32_t i = 0; i < GROUP; i++) {
            uint64_t number = prng_range(&table->prng, 0, table->keys / GROUP - 1) * GROUP + i;
            struct span key = key_of(table, number);
            entries[i] = index_lookup(&table->index, key, index_hash(&table->index, key));
            places[i] = index_place(&table->index, entries[i]);
        }
        uint64_t begin_ns = samples_clock_ns();
        for (uint32_t i = 0; i < GROUP; i++)
            key_order_remove(&table->index, entries[i], places[i]);
        for (uint32_t i = 0; i < GROUP; i++)
            key_order_add(&table->index, entries[i], places[i]);
        samples_add(&table->samples, samples_clock_ns() - begin_ns, GROUP);
    }
    report(table, "order, off and on");
}

static void page_by_order(struct table *table, struct span after)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    key_cursor_seek(&table->index, &table->cursor, after);
    for (uint32_t i = 0; i < PAGE_KEYS; i++) {
        const struct store_entry *entry = key_cursor_entry(&table->index, &table->cursor);
        if (entry == NULL)
            return;
        table->checksum += store_key(&table->store, entry, scratch).data[KEY_BYTES - 1];
        key_cursor_next(&table->index, &table->cursor);
    }
}

/* The smallest keys behind one, as a walk keeps them: sorted, the largest last. */
struct walk {
    const struct store *store;
    struct span after;
    const struct store_entry *first[PAGE_KEYS];
    uint32_t count;
};

static struct span key_at(const struct walk *walk, const struct store_entry *entry)
{
    static uint8_t scratch[KEY_SIZE_BYTES_MAX];
    return store_key(walk->store, entry, scratch);
}

static void walk_visit(void *context, const struct store_entry *entry)
{
    struct walk *walk = context;
    struct span key = key_at(walk, entry);
    if (span_compare(key, walk->after) <= 0)
        return;
    if (walk->count == PAGE_KEYS) {
        if (span_compare(key, key_at(walk, walk->first[PAGE_KEYS - 1])) >= 0)
            return;
        walk->count--;
    }
    uint32_t at = walk->count++;
    for (; at > 0 && span_compare(key, key_at(walk, walk->first[at - 1])) < 0; at--)
        walk->first[at] = walk->first[at - 1];
    walk->first[at] = entry;
}

static void page_by_walk(struct table *table, struct span after)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    struct walk walk = {.store = &table->store, .after = after};
    index_walk(&table->index, walk_visit, &walk);
    for (uint32_t i = 0; i < walk.count; i++)
        table->checksum += store_key(&table->store, walk.first[i], scratch).data[KEY_BYTES - 1];
}

static void pages(struct table *table, const char *what, uint64_t count,
                  void (*page)(struct table *table, struct span after))
{
    for (uint64_t i = 0; i < count; i++) {
        struct span after = key_of(table, prng_range(&table->prng, 0, table->keys - 1));
        uint64_t begin_ns = samples_clock_ns();
        page(table, after);
        samples_add(&table->samples, samples_clock_ns() - begin_ns, 1);
    }
    report(table, what);
}

int main(int argc, char **argv)
{
    static struct table table;
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : KEYS_MANY;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : PAGES_MANY;
    if (keys < GROUP || keys > KEYS_MAX || count == 0) {
        fprintf(stderr, "usage: engine_list [keys [pages]]\n");
        return 2;
    }
    rcu_thread_begin();
    table_open(&table, keys);
    fill(&table);
    order_again(&table, count);
    pages(&table, "page of 100 keys, order", count, page_by_order);
    pages(&table, "page of 100 keys, walk", count < WALKS_MAX ? count : WALKS_MAX, page_by_walk);
    printf("order: %.1f bytes a key, of %.1f in all\n",
           (double)(table.index.order.untouched * sizeof(struct key_order_node)) / (double)keys,
           (double)(table.store.untouched * ENGINE_BLOCK_SIZE_BYTES +
                    table.index.line_count * sizeof(struct index_line) +
                    table.index.order.untouched * sizeof(struct key_order_node)) /
               (double)keys);
    store_deinit(&table.store);
    arena_deinit(&table.arena);
    samples_deinit(&table.samples);
    rcu_thread_end();
    return 0;
}
