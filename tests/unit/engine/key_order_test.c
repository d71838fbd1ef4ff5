/* The order of keys: against a sorted model, with keys that begin with one another, and with keys
 * chosen to make long paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/state/index.h"
#include "engine/state/rcu.h"

#define KEYS       600
#define BLOCKS_MAX 8000

struct key {
    uint8_t bytes[KEY_SIZE_BYTES_MAX];
    size_t size_bytes;
    bool is_there;
};

struct table {
    struct arena arena;
    struct store store;
    struct index index;
    struct key keys[KEYS]; /* in their order */
    uint32_t count;
    struct prng prng;
    struct key_cursor cursor;
};

static int setup(void **state)
{
    struct table *table = calloc(1, sizeof(*table));
    assert_int_equal(
        arena_init(&table->arena, store_arena_bytes(BLOCKS_MAX) + index_arena_bytes(KEYS)), OK);
    assert_int_equal(store_init(&table->store, &table->arena, BLOCKS_MAX), OK);
    static const struct siphash_key hash_key = {{1, 2}};
    index_init(&table->index, &table->arena, &table->store, KEYS, &hash_key);
    prng_init(&table->prng, 9840000);
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

static struct span span_of_key(const struct key *key)
{
    return span_of(key->bytes, key->size_bytes);
}

/* As C has it, and by itself: not as the product compares. */
static int compare(const void *a, const void *b)
{
    const struct key *first = a;
    const struct key *second = b;
    size_t size = first->size_bytes < second->size_bytes ? first->size_bytes : second->size_bytes;
    for (size_t i = 0; i < size; i++) {
        if (first->bytes[i] != second->bytes[i])
            return first->bytes[i] < second->bytes[i] ? -1 : 1;
    }
    return (first->size_bytes > second->size_bytes) - (first->size_bytes < second->size_bytes);
}

/* Sorts what was made, and drops what is there twice. */
static void keys_sort(struct table *table)
{
    uint32_t kept = 0;
    qsort(table->keys, table->count, sizeof(table->keys[0]), compare);
    for (uint32_t i = 0; i < table->count; i++) {
        if (kept == 0 || compare(&table->keys[kept - 1], &table->keys[i]) != 0)
            table->keys[kept++] = table->keys[i];
    }
    table->count = kept;
}

/* Few different bytes, so that keys have much in common and begin with one another. */
static void keys_draw(struct table *table)
{
    static const uint8_t few[] = {0, 1, 0x7f, 0x80, 0xff};
    for (table->count = 0; table->count < KEYS; table->count++) {
        struct key *key = &table->keys[table->count];
        key->size_bytes = prng_range(&table->prng, 1, prng_chance(&table->prng, 50000) ? 512 : 6);
        for (size_t i = 0; i < key->size_bytes; i++)
            key->bytes[i] = few[prng_range(&table->prng, 0, sizeof(few) - 1)];
    }
    keys_sort(table);
}

static void put(struct table *table, uint32_t number, uint64_t version)
{
    struct key *key = &table->keys[number];
    struct store_content content = {.key = span_of_key(key),
                                    .value = span_of("value", 5),
                                    .hash = index_hash(&table->index, span_of_key(key)),
                                    .version = version};
    struct store_entry *old = index_lookup(&table->index, content.key, content.hash);
    struct store_entry *entry = store_new(&table->store, &content);
    if (old == NULL) {
        index_add(&table->index, entry);
    } else {
        index_replace(&table->index, old, entry);
        store_retire(&table->store, old);
    }
    key->is_there = true;
}

static void drop(struct table *table, uint32_t number)
{
    struct key *key = &table->keys[number];
    struct store_entry *entry =
        index_lookup(&table->index, span_of_key(key), index_hash(&table->index, span_of_key(key)));
    index_remove(&table->index, entry);
    store_retire(&table->store, entry);
    key->is_there = false;
}

static struct span key_at(struct table *table, uint8_t *scratch)
{
    const struct store_entry *entry = key_cursor_entry(&table->index, &table->cursor);
    return entry == NULL ? (struct span){0} : store_key(&table->store, entry, scratch);
}

/* From the model's key `from` on the cursor meets what is there, in order, to the end. */
static void check_from(struct table *table, uint32_t from)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    for (uint32_t i = from; i < table->count; i++) {
        if (!table->keys[i].is_there)
            continue;
        struct span key = key_at(table, scratch);
        assert_int_equal(key.size_bytes, table->keys[i].size_bytes);
        assert_memory_equal(key.data, table->keys[i].bytes, key.size_bytes);
        key_cursor_next(&table->index, &table->cursor);
    }
    assert_null(key_cursor_entry(&table->index, &table->cursor));
}

static uint32_t count_there(const struct table *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->count; i++)
        count += table->keys[i].is_there;
    return count;
}

/* Every key of the model, there or not, is a place to begin at. */
static void check_all(struct table *table)
{
    key_cursor_seek(&table->index, &table->cursor, (struct span){0});
    check_from(table, 0);
    for (uint32_t i = 0; i < table->count; i += 7) {
        key_cursor_seek(&table->index, &table->cursor, span_of_key(&table->keys[i]));
        check_from(table, i);
    }
    key_order_check_invariants(&table->index, count_there(table));
}

static void test_key_order_of_nothing_is_empty(void **state)
{
    struct table *table = *state;
    check_all(table);
    key_cursor_seek(&table->index, &table->cursor, span_of("a", 1));
    assert_null(key_cursor_entry(&table->index, &table->cursor));
}

static void test_key_order_follows_a_model(void **state)
{
    struct table *table = *state;
    keys_draw(table);
    assert_in_range(table->count, KEYS / 2, KEYS);
    for (uint32_t step = 0; step < 6000; step++) {
        uint32_t number = (uint32_t)prng_range(&table->prng, 0, table->count - 1);
        bool is_growing = step / 1500 % 2 == 0;
        if (table->keys[number].is_there && prng_chance(&table->prng, is_growing ? 100000 : 700000))
            drop(table, number);
        else if (!table->keys[number].is_there || step % 3 == 0)
            put(table, number, step + 1);
        store_turn(&table->store);
        rcu_turn();
        if (step % 500 == 499)
            check_all(table);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->keys[i].is_there)
            drop(table, i);
    }
    check_all(table);
    assert_int_equal(table->index.order.root, KEY_ORDER_NONE);
}

/* Each key but for its last byte is the begin of the next one: a path for each of them. */
static void test_key_order_takes_keys_that_make_the_longest_paths(void **state)
{
    struct table *table = *state;
    for (table->count = 0; table->count < KEY_SIZE_BYTES_MAX; table->count++) {
        struct key *key = &table->keys[table->count];
        memset(key->bytes, 0xff, sizeof(key->bytes));
        key->size_bytes = table->count + 1;
    }
    keys_sort(table);
    for (uint32_t i = 0; i < table->count; i++)
        put(table, table->count - 1 - i, 1);
    key_cursor_seek(&table->index, &table->cursor, span_of_key(&table->keys[table->count - 1]));
    assert_int_equal(table->cursor.depth, table->count - 1);
    check_all(table);
}

/* Another value of a key leaves the tree as it is. */
static void test_key_order_is_not_touched_by_another_value(void **state)
{
    struct table *table = *state;
    keys_draw(table);
    for (uint32_t i = 0; i < table->count; i++)
        put(table, i, 1);
    size_t size = table->index.order.untouched * sizeof(struct key_order_node);
    struct key_order_node *before = malloc(size);
    memcpy(before, table->index.order.nodes, size);
    for (uint32_t i = 0; i < table->count; i++)
        put(table, i, 2);
    assert_memory_equal(before, table->index.order.nodes, size);
    check_all(table);
    free(before);
}

static void test_span_compare_says_which_comes_first(void **state)
{
    (void)state;
    assert_true(span_compare(span_of("a", 1), span_of("b", 1)) < 0);
    assert_true(span_compare(span_of("\xff", 1), span_of("\x01", 1)) > 0);
    assert_true(span_compare(span_of("a", 1), span_of("a\0", 2)) < 0);
    assert_true(span_compare(span_of("ab", 2), span_of("a", 1)) > 0);
    assert_int_equal(span_compare(span_of("ab", 2), span_of("ab", 2)), 0);
    assert_true(span_compare((struct span){0}, span_of("\0", 1)) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_key_order_of_nothing_is_empty),
        T(test_key_order_follows_a_model),
        T(test_key_order_takes_keys_that_make_the_longest_paths),
        T(test_key_order_is_not_touched_by_another_value),
        cmocka_unit_test(test_span_compare_says_which_comes_first),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
