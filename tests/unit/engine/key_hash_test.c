/* The key hash: pinned values, since nodes and clients must agree for ever, and its spread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/state/key_hash.h"

static void test_key_hash_keeps_its_values(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint64_t hash;
    } known[] = {
        {"a", 0x97c3d726652f3a66u},
        {"locks/primary", 0x57b974d84a62b32au},
        {"12345678", 0xd8fd0f89783591b2u},
        {"0123456789abcdef0", 0x6cfdb4d65b8d54cfu},
        {"The quick brown fox jumps over the lazy dog", 0x0f749da33b80dc24u},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint64_t hash = key_hash(span_of(known[i].key, strlen(known[i].key)));
        assert_true(hash == known[i].hash);
    }
}

static void test_key_hash_tells_padding_from_zeroes(void **state)
{
    (void)state;
    static const uint8_t zeroes[64];
    for (size_t size = 1; size < 64; size++)
        assert_int_not_equal(key_hash(span_of(zeroes, size)), key_hash(span_of(zeroes, size + 1)));
}

static void test_key_hash_spreads_counting_keys(void **state)
{
    (void)state;
    enum { BUCKETS = 256, KEYS = 256 * 100 };
    uint32_t low[BUCKETS] = {0};
    uint32_t high[BUCKETS] = {0};
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "key/%d", i);
        uint64_t hash = key_hash(span_of(key, (size_t)size));
        low[hash % BUCKETS]++;
        high[hash >> 56]++;
    }
    for (int i = 0; i < BUCKETS; i++) {
        assert_in_range(low[i], 50, 150);
        assert_in_range(high[i], 50, 150);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_hash_keeps_its_values),
        cmocka_unit_test(test_key_hash_tells_padding_from_zeroes),
        cmocka_unit_test(test_key_hash_spreads_counting_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
