/*
 * What the index costs alone: lookups of random keys, one after the other; the same with lines and
 * entries of 64 keys fetched ahead, as a request of 64 does it; and replacing the entry of a random
 * key by a new one (lookup, new entry, replace, retire). Fixed work; the figures are ns an op over
 * groups of 64 ops.
 *
 * Usage: engine_index [keys [ops]]
 * Without arguments: 10,000 keys, which a cache holds, then 10,000,000, which take 1.5 GiB.
 */
#include "bench/samples.h"

#include "base/check.h"
#include "base/le.h"
#include "base/prng.h"
#include "engine/state/index.h"
#include "engine/state/rcu.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP           64
#define KEYS_FEW        10000
#define KEYS_MANY       10000000
#define KEYS_MAX        100000000
#define OPS_MANY        4000000
#define KEY_BYTES       16
#define VALUE_BYTES     32
#define NAME_SIZE_BYTES 48

struct table {
    struct arena arena;
    struct store store;
    struct index index;
    struct prng prng;
    struct samples samples;
    uint64_t keys;
    uint64_t version;
    uint64_t checksum;
    uint8_t bytes[GROUP][KEY_BYTES]; /* of the group's keys */
};

static struct span key_of(struct table *table, uint32_t i, uint64_t number)
{
    memcpy(table->bytes[i], "bench/00", 8);
    le64_store(table->bytes[i] + 8, number);
    return span_of(table->bytes[i], KEY_BYTES);
}

static struct span random_key(struct table *table, uint32_t i)
{
    return key_of(table, i, prng_range(&table->prng, 0, table->keys - 1));
}

static struct store_entry *entry_new(struct table *table, struct span key, uint64_t hash)
{
    static const uint8_t value[VALUE_BYTES] = "thirty-two bytes are the value.";
    struct store_content content = {.key = key,
                                    .value = span_of(value, sizeof(value)),
                                    .hash = hash,
                                    .version = ++table->version};
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
    for (uint64_t number = 0; number < keys; number++) {
        struct span key = key_of(table, 0, number);
        index_add(&table->index, entry_new(table, key, index_hash(&table->index, key)));
    }
}

static void table_close(struct table *table)
{
    store_deinit(&table->store);
    arena_deinit(&table->arena);
    samples_deinit(&table->samples);
}

static void find(struct table *table, struct span key, uint64_t hash)
{
    struct store_entry *entry = index_lookup(&table->index, key, hash);
    CHECK(entry != NULL);
    table->checksum += entry->version;
}

static void lookup_group(struct table *table, const struct span *keys)
{
    for (uint32_t i = 0; i < GROUP; i++)
        find(table, keys[i], index_hash(&table->index, keys[i]));
}

static void fetch_group(struct table *table, const struct span *keys)
{
    uint64_t hashes[GROUP];
    for (uint32_t i = 0; i < GROUP; i++) {
        hashes[i] = index_hash(&table->index, keys[i]);
        index_fetch_line(&table->index, hashes[i]);
    }
    for (uint32_t i = 0; i < GROUP; i++)
        index_fetch_entry(&table->index, hashes[i]);
    for (uint32_t i = 0; i < GROUP; i++)
        find(table, keys[i], hashes[i]);
}

static void replace_group(struct table *table, const struct span *keys)
{
    for (uint32_t i = 0; i < GROUP; i++) {
        uint64_t hash = index_hash(&table->index, keys[i]);
        struct store_entry *old = index_lookup(&table->index, keys[i], hash);
        CHECK(old != NULL);
        struct store_entry *entry = entry_new(table, keys[i], hash);
        index_replace(&table->index, old, entry);
        store_retire(&table->store, old);
        table->checksum += entry->version;
    }
    store_turn(&table->store);
}

static void measure(struct table *table, const char *what, uint64_t ops,
                    void (*run)(struct table *table, const struct span *keys))
{
    char name[NAME_SIZE_BYTES];
    for (uint64_t done = 0; done < ops; done += GROUP) {
        struct span keys[GROUP];
        for (uint32_t i = 0; i < GROUP; i++)
            keys[i] = random_key(table, i);
        uint64_t begin_ns = samples_clock_ns();
        run(table, keys);
        samples_add(&table->samples, samples_clock_ns() - begin_ns, GROUP);
        rcu_turn();
    }
    snprintf(name, sizeof(name), "%s, %llu keys", what, (unsigned long long)table->keys);
    samples_print(&table->samples, name, table->checksum);
}

static void keys_run(uint64_t keys, uint64_t ops)
{
    static struct table table;
    table_open(&table, keys);
    measure(&table, "lookup", ops, lookup_group);
    measure(&table, "lookup ahead", ops, fetch_group);
    measure(&table, "replace", ops, replace_group);
    table_close(&table);
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : KEYS_FEW;
    uint64_t ops = argc > 2 ? strtoull(argv[2], NULL, 10) : OPS_MANY;
    if (keys == 0 || keys > KEYS_MAX || ops < GROUP) {
        fprintf(stderr, "usage: engine_index [keys [ops]]\n");
        return 2;
    }
    rcu_thread_begin();
    keys_run(keys, ops);
    if (argc == 1)
        keys_run(KEYS_MANY, ops);
    rcu_thread_end();
    return 0;
}
