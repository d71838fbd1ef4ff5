/* The shard of a key: known answers, the hashed part, and how evenly keys are spread. */
#include "base/limits.h"
#include "base/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static uint16_t shard_of(const char *key, uint16_t shard_count)
{
    return shard_of_key(span_of(key, strlen(key)), shard_count);
}

/* Computed by another program, from the definition in base/shard.h. Clients of every version rely
 * on them. */
static void test_shard_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint16_t of_2;
        uint16_t of_4;
        uint16_t of_64;
    } known[] = {
        {"a", 1, 3, 48},
        {"b", 1, 3, 52},
        {"config/port", 0, 0, 7},
        {"user7", 1, 2, 42},
        {"{user7}/name", 1, 2, 42},
        {"{user7}/mail", 1, 2, 42},
        {"{}x", 0, 1, 24},
        {"{x", 0, 0, 7},
        {"x}", 0, 0, 7},
        {"a{b}c{d}", 1, 3, 52},
        {"b{}{c}", 0, 0, 4},
        {"{{a}}", 0, 1, 29},
        {"}{a}", 1, 3, 48},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(shard_of(known[i].key, 1), 0);
        assert_int_equal(shard_of(known[i].key, 2), known[i].of_2);
        assert_int_equal(shard_of(known[i].key, 4), known[i].of_4);
        assert_int_equal(shard_of(known[i].key, 64), known[i].of_64);
    }
}

static void test_shard_hashes_what_lies_between_the_first_braces(void **state)
{
    (void)state;
    assert_int_equal(shard_of("a{b}c{d}", 64), shard_of("b", 64));
    assert_int_equal(shard_of("}{a}", 64), shard_of("a", 64));
    assert_int_equal(shard_of("{{a}}", 64), shard_of("{a", 64));
    assert_int_equal(shard_of("x{", 64), shard_of_key(span_of("x{", 2), 64));
    assert_int_not_equal(shard_of("b{}{c}", 64), shard_of("c", 64));
}

static void test_shard_spreads_keys_evenly(void **state)
{
    (void)state;
    for (uint16_t count = 1; count <= SHARDS_MAX; count++) {
        uint32_t keys_of[SHARDS_MAX] = {0};
        for (uint32_t i = 0; i < 1000u * count; i++) {
            char key[32];
            snprintf(key, sizeof(key), "key-%u", i);
            uint16_t shard = shard_of(key, count);
            assert_true(shard < count);
            keys_of[shard]++;
        }
        for (uint16_t shard = 0; shard < count; shard++)
            assert_in_range(keys_of[shard], 800, 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_gives_the_known_answers),
        cmocka_unit_test(test_shard_hashes_what_lies_between_the_first_braces),
        cmocka_unit_test(test_shard_spreads_keys_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
