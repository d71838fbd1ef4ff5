/* Blocks: chains of every length, reuse after a grace period and not before, both accounts. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/state/store.h"

#define BLOCKS_MAX 20000

struct blocks {
    struct arena arena;
    struct store store;
    uint8_t *bytes; /* a pattern */
    uint8_t *scratch;
};

static int setup(void **state)
{
    struct blocks *blocks = calloc(1, sizeof(*blocks));
    assert_int_equal(arena_init(&blocks->arena, store_arena_bytes(BLOCKS_MAX)), OK);
    assert_int_equal(store_init(&blocks->store, &blocks->arena, BLOCKS_MAX), OK);
    arena_seal(&blocks->arena);
    blocks->bytes = malloc(VALUE_SIZE_BYTES_MAX + KEY_SIZE_BYTES_MAX);
    blocks->scratch = malloc(VALUE_SIZE_BYTES_MAX);
    for (size_t i = 0; i < VALUE_SIZE_BYTES_MAX + KEY_SIZE_BYTES_MAX; i++)
        blocks->bytes[i] = (uint8_t)(i * 7 + i / 253);
    *state = blocks;
    return 0;
}

static int teardown(void **state)
{
    struct blocks *blocks = *state;
    store_deinit(&blocks->store);
    arena_deinit(&blocks->arena);
    free(blocks->bytes);
    free(blocks->scratch);
    free(blocks);
    return 0;
}

static struct store_entry *new_entry(struct blocks *blocks, size_t key_size, size_t value_size)
{
    struct store_content content = {
        .key = span_of(blocks->bytes, key_size),
        .value = span_of(blocks->bytes + KEY_SIZE_BYTES_MAX, value_size),
        .hash = 5,
        .version = 9,
    };
    return store_new(&blocks->store, &content);
}

static void test_store_counts_blocks_by_size(void **state)
{
    (void)state;
    assert_int_equal(store_entry_blocks(1, 0), 1);
    assert_int_equal(store_entry_blocks(40, 40), 1);
    assert_int_equal(store_entry_blocks(41, 40), 2);
    assert_int_equal(store_entry_blocks(40, 40 + 124), 2);
    assert_int_equal(store_entry_blocks(40, 41 + 124), 3);
    assert_int_equal(store_entry_blocks(KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX), 8461);
}

static void test_store_keeps_keys_and_values_of_every_size(void **state)
{
    struct blocks *blocks = *state;
    static const size_t keys[] = {1, 79, 80, 81, 204, 205, KEY_SIZE_BYTES_MAX};
    static const size_t values[] = {0, 1, 80, 123, 124, 125, 1000, VALUE_SIZE_BYTES_MAX};
    uint64_t in_use = 0;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            struct span key = span_of(blocks->bytes, keys[k]);
            struct span value = span_of(blocks->bytes + KEY_SIZE_BYTES_MAX, values[v]);
            struct store_entry *entry = new_entry(blocks, keys[k], values[v]);
            in_use = store_entry_blocks(keys[k], values[v]);
            store_check_invariants(&blocks->store, in_use);
            assert_true(store_has_key(&blocks->store, entry, key));
            assert_true(store_has_value(&blocks->store, entry, value));
            struct span whole = store_value(&blocks->store, entry, 0, values[v], blocks->scratch);
            assert_true(span_is_equal(whole, value));
            store_retire(&blocks->store, entry);
            store_turn(&blocks->store);
            rcu_wait();
            store_check_invariants(&blocks->store, 0);
        }
    }
}

static void test_store_tells_unequal_bytes(void **state)
{
    struct blocks *blocks = *state;
    struct store_entry *entry = new_entry(blocks, 300, 1000);
    struct store *store = &blocks->store;
    assert_false(store_has_key(store, entry, span_of(blocks->bytes, 299)));
    assert_false(store_has_key(store, entry, span_of(blocks->bytes + 1, 300)));
    blocks->bytes[299] ^= 1;
    assert_false(store_has_key(store, entry, span_of(blocks->bytes, 300)));
    const uint8_t *value = blocks->bytes + KEY_SIZE_BYTES_MAX;
    assert_true(store_has_value(store, entry, span_of(value, 1000)));
    assert_false(store_has_value(store, entry, span_of(value, 999)));
    blocks->bytes[KEY_SIZE_BYTES_MAX + 999] ^= 1;
    assert_false(store_has_value(store, entry, span_of(value, 1000)));
}

static void test_store_reads_every_range(void **state)
{
    struct blocks *blocks = *state;
    struct store_entry *entry = new_entry(blocks, 30, 500);
    for (size_t offset = 0; offset <= 500; offset += 7) {
        for (size_t size = 0; size <= 500 - offset; size += 11) {
            struct span part = store_value(&blocks->store, entry, offset, size, blocks->scratch);
            assert_int_equal(part.size_bytes, size);
            if (size > 0)
                assert_memory_equal(part.data, blocks->bytes + KEY_SIZE_BYTES_MAX + offset, size);
        }
    }
}

static void test_store_reuses_nothing_before_the_grace_period(void **state)
{
    struct blocks *blocks = *state;
    struct store *store = &blocks->store;
    struct store_entry *old = new_entry(blocks, 8, 50);
    store_retire(store, old);
    store_turn(store);
    assert_int_equal(store_retire_backlog(store), 1);
    struct span value = span_of(blocks->bytes + KEY_SIZE_BYTES_MAX, 50);
    /* This thread has not ended its turn: it may still read the old entry. */
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(new_entry(blocks, 8, 60) != old);
    store_turn(store);
    assert_int_equal(store_retire_backlog(store), 1);
    assert_true(store_has_value(store, old, value));

    while (store_retire_backlog(store) > 0) {
        rcu_turn();
        store_turn(store);
        sched_yield();
    }
    assert_true(new_entry(blocks, 8, 60) == old);
}

static void test_store_waits_for_readers_when_all_slack_is_retired(void **state)
{
    struct blocks *blocks = *state;
    struct store *store = &blocks->store;
    struct store_entry *entry = new_entry(blocks, 8, VALUE_SIZE_BYTES_MAX);
    /* Replaced again and again within one turn: far more than there are blocks. */
    for (uint32_t i = 0; i < 40; i++) {
        struct store_entry *next = new_entry(blocks, 8, VALUE_SIZE_BYTES_MAX);
        store_retire(store, entry);
        entry = next;
        if (i % 7 == 3)
            store_turn(store);
    }
    assert_true(store_has_value(store, entry,
                                span_of(blocks->bytes + KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX)));
    store_check_invariants(store, store_entry_blocks(8, VALUE_SIZE_BYTES_MAX));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_store_counts_blocks_by_size),
        T(test_store_keeps_keys_and_values_of_every_size),
        T(test_store_tells_unequal_bytes),
        T(test_store_reads_every_range),
        T(test_store_reuses_nothing_before_the_grace_period),
        T(test_store_waits_for_readers_when_all_slack_is_retired),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
