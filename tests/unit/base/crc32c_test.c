/* CRC-32C against the known answers of RFC 3720 appendix B.4 and a bit-by-bit model. */
#include "base/crc32c.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint32_t model_crc32c(const uint8_t *data, size_t size_bytes)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void test_crc32c_gives_the_known_answers(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283u);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8A9136AAu);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43u);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46DD794Eu);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113FDB5Cu);
}

static void test_crc32c_of_nothing_is_what_came_in(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, NULL, 0), 0);
    assert_int_equal(crc32c(0x12345678u, "", 0), 0x12345678u);
}

static void test_crc32c_agrees_with_a_model_at_every_split(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    uint8_t bytes[301];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)prng_next(&prng);
    uint32_t whole = model_crc32c(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++)
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
}

static void test_crc32c_sees_every_flipped_bit(void **state)
{
    (void)state;
    uint8_t bytes[100] = {0};
    uint32_t good = crc32c(0, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(crc32c(0, bytes, sizeof(bytes)), good);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void test_crc32c_around_takes_the_hole_for_zeros(void **state)
{
    (void)state;
    uint8_t bytes[12] = "abcdefghijkl";
    uint8_t zeroed[12];
    for (size_t hole = 0; hole <= 8; hole++) {
        memcpy(zeroed, bytes, sizeof(bytes));
        memset(zeroed + hole, 0, 4);
        assert_int_equal(crc32c_around(bytes, sizeof(bytes), hole),
                         crc32c(0, zeroed, sizeof(zeroed)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_gives_the_known_answers),
        cmocka_unit_test(test_crc32c_of_nothing_is_what_came_in),
        cmocka_unit_test(test_crc32c_agrees_with_a_model_at_every_split),
        cmocka_unit_test(test_crc32c_sees_every_flipped_bit),
        cmocka_unit_test(test_crc32c_around_takes_the_hole_for_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
