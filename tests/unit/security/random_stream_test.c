/* Random streams: known values (hashlib.blake2b), which follow from the seed alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "security/random_stream.h"

static struct secret seed_of(uint8_t first)
{
    struct secret seed;
    for (uint32_t i = 0; i < SECRET_SIZE_BYTES; i++)
        seed.bytes[i] = (uint8_t)(first + i);
    return seed;
}

static void test_random_stream_is_known(void **state)
{
    (void)state;
    static const uint8_t first[16] = {0x56, 0x77, 0xd3, 0xb5, 0xc1, 0xba, 0x2a, 0x7a,
                                      0x82, 0x3b, 0xe0, 0xcc, 0x5c, 0xa2, 0xcd, 0x7f};
    static const uint8_t second[16] = {0x87, 0xb8, 0x75, 0xc3, 0x41, 0x4b, 0x75, 0x28,
                                       0x6a, 0x9f, 0x6a, 0xe6, 0x99, 0xca, 0x20, 0x40};
    const struct secret seed = seed_of(0);
    struct random_stream stream;
    uint8_t bytes[16];
    random_stream_init(&stream, &seed);
    random_stream_draw(&stream, bytes, sizeof(bytes));
    assert_memory_equal(bytes, first, sizeof(first));
    random_stream_draw(&stream, bytes, sizeof(bytes));
    assert_memory_equal(bytes, second, sizeof(second));
}

static void test_random_stream_depends_on_its_seed(void **state)
{
    (void)state;
    struct random_stream streams[2];
    uint8_t bytes[2][64];
    for (uint32_t i = 0; i < 2; i++) {
        const struct secret seed = seed_of((uint8_t)i);
        random_stream_init(&streams[i], &seed);
        random_stream_draw(&streams[i], bytes[i], sizeof(bytes[i]));
    }
    assert_memory_not_equal(bytes[0], bytes[1], sizeof(bytes[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_stream_is_known),
        cmocka_unit_test(test_random_stream_depends_on_its_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
