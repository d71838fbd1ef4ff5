/* The front of the index: never an entry that was hidden, never a wrong one, also when lines
 * overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/state/index_cache.h"

#define BLOCKS_MAX 4000
#define KEYS       1000

struct cache {
    struct arena arena;
    struct store store;
    struct index_cache cache;
};

static int setup(void **state)
{
    struct cache *cache = calloc(1, sizeof(*cache));
    /* Sixteen lines for a thousand keys: they overflow all the time. */
    assert_int_equal(
        arena_init(&cache->arena, store_arena_bytes(BLOCKS_MAX) + index_cache_arena_bytes(1)), OK);
    assert_int_equal(store_init(&cache->store, &cache->arena, BLOCKS_MAX), OK);
    index_cache_init(&cache->cache, &cache->arena, &cache->store, 1);
    *state = cache;
    return 0;
}

static int teardown(void **state)
{
    struct cache *cache = *state;
    store_deinit(&cache->store);
    arena_deinit(&cache->arena);
    free(cache);
    return 0;
}

/* All keys have the tag 7; the line differs. */
static uint64_t hash_of(uint32_t number)
{
    return (uint64_t)number << 32 | 7;
}

static struct span key_of(uint32_t number, char buffer[16])
{
    int size = snprintf(buffer, 16, "key-%u", number);
    return span_of(buffer, (size_t)size);
}

static struct store_entry *new_entry(struct cache *cache, uint32_t number)
{
    char buffer[16];
    struct store_content content = {.key = key_of(number, buffer), .hash = hash_of(number)};
    return store_new(&cache->store, &content);
}

static struct store_entry *find(struct cache *cache, uint32_t number)
{
    char buffer[16];
    struct span key = key_of(number, buffer);
    index_cache_fetch_line(&cache->cache, hash_of(number));
    index_cache_fetch_entry(&cache->cache, hash_of(number));
    return index_cache_lookup(&cache->cache, key, hash_of(number));
}

static void test_index_cache_finds_replaces_and_forgets(void **state)
{
    struct cache *cache = *state;
    struct store_entry *first = new_entry(cache, 1);
    struct store_entry *second = new_entry(cache, 1);
    assert_null(find(cache, 1));
    index_cache_add(&cache->cache, first);
    assert_ptr_equal(find(cache, 1), first);
    assert_null(find(cache, 17)); /* the same line and tag, another key */
    index_cache_replace(&cache->cache, first, second);
    assert_ptr_equal(find(cache, 1), second);
    index_cache_replace(&cache->cache, second, NULL);
    assert_null(find(cache, 1));
    index_cache_replace(&cache->cache, second, NULL);
    assert_null(find(cache, 1));
}

static void test_index_cache_never_shows_what_was_hidden(void **state)
{
    struct cache *cache = *state;
    struct store_entry *shown[KEYS] = {0};
    uint64_t draw = 88172645463325252u;
    uint32_t hits = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        uint32_t number = (uint32_t)(draw % KEYS);
        struct store_entry *found = find(cache, number);
        assert_true(found == NULL || found == shown[number]);
        hits += found != NULL;
        struct store_entry *next = (draw >> 32) % 3 == 0 ? NULL : new_entry(cache, number);
        if (shown[number] != NULL)
            index_cache_replace(&cache->cache, shown[number], next);
        else if (next != NULL)
            index_cache_add(&cache->cache, next);
        shown[number] = next;
        if (next != NULL)
            assert_ptr_equal(find(cache, number), next);
    }
    assert_true(hits > 50);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_index_cache_finds_replaces_and_forgets),
        T(test_index_cache_never_shows_what_was_hidden),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
