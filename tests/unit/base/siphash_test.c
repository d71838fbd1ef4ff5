/* SipHash-1-3: known values, for the keys and data of the paper's appendix; those of key 0 are what
 * CPython's hash() of bytes gives with PYTHONHASHSEED=0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/siphash.h"

static const struct siphash_key counting = {
    {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
static const struct siphash_key zero;

static void test_siphash_of_counting_bytes(void **state)
{
    (void)state;
    static const struct {
        size_t size_bytes;
        uint64_t hash;
    } known[] = {
        {0, 0xabac0158050fc4dcu},  {1, 0xc9f49bf37d57ca93u},  {7, 0xd3927d989bb11140u},
        {8, 0x369095118d299a8eu},  {15, 0xd320d86d2a519956u}, {16, 0xcc4fdd1a7d908b66u},
        {17, 0x9cf2689063dbd80cu}, {63, 0x9d199062b7bbb3a8u},
    };
    uint8_t data[64];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_true(siphash(&counting, span_of(data, known[i].size_bytes)) == known[i].hash);
}

static void test_siphash_is_that_of_others(void **state)
{
    (void)state;
    assert_true(siphash(&zero, span_of("a", 1)) == 0x407448d2b89b1813u);
    assert_true(siphash(&zero, span_of("abcdefgh", 8)) == 0x3f7b849c0b8e35eau);
    assert_true(siphash(&zero, span_of("0123456789abcdef0", 17)) == 0xf738bb4f30801228u);
}

static void test_siphash_of_a_number_is_that_of_its_bytes(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {8, 7, 6, 5, 4, 3, 2, 1};
    assert_true(siphash_u64(&counting, 0x0102030405060708u) ==
                siphash(&counting, span_of(bytes, sizeof(bytes))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_of_counting_bytes),
        cmocka_unit_test(test_siphash_is_that_of_others),
        cmocka_unit_test(test_siphash_of_a_number_is_that_of_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
