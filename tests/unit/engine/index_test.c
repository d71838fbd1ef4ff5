/* The index: against a model, and under readers on other threads while entries are replaced. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/le.h"
#include "engine/state/index.h"
#include "engine/state/key_hash.h"

#define KEYS       500
#define BLOCKS_MAX 4000

struct table {
    struct arena arena;
    struct store store;
    struct index index;
    bool is_crowded; /* few home lines, and one tag: entries lie many lines away from home */
};

static int setup(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    assert_int_equal(
        arena_init(&table->arena, store_arena_bytes(BLOCKS_MAX) + index_arena_bytes(KEYS)), OK);
    assert_int_equal(store_init(&table->store, &table->arena, BLOCKS_MAX), OK);
    static const struct siphash_key hash_key = {{1, 2}};
    index_init(&table->index, &table->arena, &table->store, KEYS, &hash_key);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    struct table *table = *state;
    store_deinit(&table->store);
    arena_deinit(&table->arena);
    free(table);
    return 0;
}

static struct span key_of(uint32_t number, char buffer[16])
{
    int size = snprintf(buffer, 16, "key-%u", number);
    return span_of(buffer, (size_t)size);
}

static uint64_t hash_of(const struct table *table, struct span key)
{
    uint64_t hash = index_hash(&table->index, key);
    return table->is_crowded ? (hash & 3) << 62 | 7 : hash;
}

static struct store_entry *find(struct table *table, uint32_t number)
{
    char buffer[16];
    struct span key = key_of(number, buffer);
    uint64_t hash = hash_of(table, key);
    index_fetch_line(&table->index, hash);
    index_fetch_entry(&table->index, hash);
    return index_lookup(&table->index, key, hash);
}

/* The value says its version all over, so that a torn one shows. */
static struct store_entry *new_entry(struct table *table, uint32_t number, uint64_t version)
{
    char buffer[16];
    uint8_t value[400];
    memset(value, (int)(version & 255), sizeof(value));
    struct span key = key_of(number, buffer);
    struct store_content content = {.key = key,
                                    .value = span_of(value, 100 + version % 300),
                                    .hash = hash_of(table, key),
                                    .version = version};
    return store_new(&table->store, &content);
}

static void put(struct table *table, uint32_t number, uint64_t version)
{
    struct store_entry *old = find(table, number);
    struct store_entry *entry = new_entry(table, number, version);
    if (old == NULL) {
        index_add(&table->index, entry);
    } else {
        index_replace(&table->index, old, entry);
        store_retire(&table->store, old);
    }
}

static void follow_model(struct table *table)
{
    uint64_t versions[KEYS] = {0};
    uint64_t draw = 88172645463325252u;
    for (uint64_t i = 1; i <= 20000; i++) {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        uint32_t number = (uint32_t)(draw % KEYS);
        struct store_entry *entry = find(table, number);
        assert_int_equal(entry != NULL, versions[number] != 0);
        if (entry != NULL)
            assert_int_equal(entry->version, versions[number]);
        if ((draw >> 32) % 4 == 0 && entry != NULL) {
            index_remove(&table->index, entry);
            store_retire(&table->store, entry);
            versions[number] = 0;
        } else {
            put(table, number, i);
            versions[number] = i;
        }
        store_turn(&table->store);
        rcu_turn();
    }
}

static void test_index_follows_a_model(void **state)
{
    follow_model(*state);
}

static void test_index_follows_a_model_when_its_lines_are_full(void **state)
{
    struct table *table = *state;
    table->is_crowded = true;
    follow_model(table);
}

/* A line that is passed by no entry any more ends the lookups that it did not end before. */
static void test_index_counts_what_passes_a_line(void **state)
{
    struct table *table = *state;
    table->is_crowded = true;
    for (uint32_t i = 0; i < KEYS; i++)
        put(table, i, 1);
    uint64_t passed = 0;
    for (uint64_t i = 0; i < table->index.line_count; i++)
        passed += table->index.lines[i].passed;
    assert_true(passed > KEYS);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct store_entry *entry = find(table, i);
        assert_non_null(entry);
        index_remove(&table->index, entry);
        store_retire(&table->store, entry);
    }
    for (uint64_t i = 0; i < table->index.line_count; i++)
        assert_int_equal(table->index.lines[i].passed, 0);
}

static void count_entry(void *context, const struct store_entry *entry)
{
    uint64_t *sum = context;
    *sum += entry->version;
}

static void test_index_walks_every_entry_once(void **state)
{
    struct table *table = *state;
    uint64_t sum = 0;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        put(table, i, i + 1);
        expected += i + 1;
    }
    index_walk(&table->index, count_entry, &sum);
    assert_int_equal(sum, expected);
}

/* ---- readers beside the writer ---- */

#define READERS     2
#define READER_KEYS 50

struct reader {
    pthread_t thread;
    struct table *table;
    _Atomic bool *is_done;
    uint64_t lookups;
    uint64_t failures;
};

static bool is_whole(struct table *table, const struct store_entry *entry)
{
    uint8_t scratch[400];
    size_t size = 100 + entry->version % 300;
    if (entry->value_size_bytes != size)
        return false;
    struct span value = store_value(&table->store, entry, 0, size, scratch);
    for (size_t i = 0; i < size; i++) {
        if (value.data[i] != (uint8_t)(entry->version & 255))
            return false;
    }
    return true;
}

static void *reader_run(void *context)
{
    struct reader *reader = context;
    uint64_t last[READER_KEYS] = {0};
    rcu_thread_begin();
    while (!atomic_load_explicit(reader->is_done, memory_order_relaxed)) {
        for (uint32_t i = 0; i < READER_KEYS; i++) {
            const struct store_entry *entry = find(reader->table, i);
            /* Keys are never absent: replaced in place; and versions only rise. */
            if (entry == NULL || entry->version < last[i] || !is_whole(reader->table, entry))
                reader->failures++;
            else
                last[i] = entry->version;
            reader->lookups++;
        }
        rcu_turn();
    }
    rcu_thread_end();
    return NULL;
}

/* Keys above those of the readers come and go in the same lines. */
static void churn(struct table *table, uint64_t version)
{
    for (uint32_t i = READER_KEYS; i < READER_KEYS + 20; i++) {
        struct store_entry *entry = find(table, i);
        if (entry == NULL) {
            put(table, i, version);
        } else {
            index_remove(&table->index, entry);
            store_retire(&table->store, entry);
        }
    }
}

static void read_beside_the_writer(struct table *table)
{
    _Atomic bool is_done = false;
    struct reader readers[READERS] = {0};
    for (uint32_t i = 0; i < READER_KEYS; i++)
        put(table, i, 1);
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i].table = table;
        readers[i].is_done = &is_done;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]), 0);
    }
    /* Many times the blocks that there are: every block is reused under the readers' eyes. */
    for (uint64_t version = 2; version < 1500; version++) {
        for (uint32_t i = 0; i < READER_KEYS; i++)
            put(table, i, version);
        churn(table, version);
        store_turn(&table->store);
        rcu_turn();
    }
    atomic_store_explicit(&is_done, true, memory_order_relaxed);
    rcu_offline();
    for (uint32_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    rcu_online();
    for (uint32_t i = 0; i < READERS; i++) {
        assert_int_equal(readers[i].failures, 0);
        assert_true(readers[i].lookups > 0);
    }
}

static void test_index_is_whole_under_concurrent_readers(void **state)
{
    read_beside_the_writer(*state);
}

static void test_index_is_whole_under_concurrent_readers_when_its_lines_are_full(void **state)
{
    struct table *table = *state;
    table->is_crowded = true;
    read_beside_the_writer(table);
}

/* Keys of one value of key_hash, which is no secret: whoever knows it may choose such keys. */
static struct span chosen_key(uint64_t number, uint8_t to[17])
{
    le64_store(to, UINT64_C(0xbb67ae8584caa73b));
    le64_store(to + 8, number);
    to[16] = 'k';
    return span_of(to, 17);
}

static void test_index_spreads_keys_that_were_chosen_to_collide(void **state)
{
    struct table *table = *state;
    uint8_t first[17];
    for (uint64_t number = 0; number < KEYS; number++) {
        uint8_t bytes[17];
        struct span key = chosen_key(number, bytes);
        struct store_content content = {
            .key = key, .hash = index_hash(&table->index, key), .version = number + 1};
        assert_true(key_hash(key) == key_hash(chosen_key(0, first)));
        index_add(&table->index, store_new(&table->store, &content));
    }
    for (uint64_t i = 0; i < table->index.line_count; i++)
        assert_in_range(table->index.lines[i].passed, 0, 2 * INDEX_LINE_SLOTS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_index_follows_a_model),
        T(test_index_follows_a_model_when_its_lines_are_full),
        T(test_index_counts_what_passes_a_line),
        T(test_index_walks_every_entry_once),
        T(test_index_spreads_keys_that_were_chosen_to_collide),
        T(test_index_is_whole_under_concurrent_readers),
        T(test_index_is_whole_under_concurrent_readers_when_its_lines_are_full),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
