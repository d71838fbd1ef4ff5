/* Questions how large packets may be: of the size that is asked for, zeros behind the number. */
#include "wire/wire_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[PACKET_PAYLOAD_SIZE_BYTES_MAX + 1];

static struct span encode(uint64_t number, uint32_t size_bytes)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX};
    memset(buffer, 0xff, sizeof(buffer));
    wire_path_encode(&writer, number, size_bytes);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_wire_path_is_read_back_in_each_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {WIRE_PATH_SIZE_BYTES_MIN, PACKET_PAYLOAD_SIZE_BYTES_BASE,
                                     PACKET_PAYLOAD_SIZE_BYTES_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t number = 0;
        struct span bytes = encode(UINT64_C(0xfedcba9876543210), sizes[i]);
        assert_int_equal(bytes.size_bytes, sizes[i]);
        assert_int_equal(wire_path_decode(bytes, &number), OK);
        assert_true(number == UINT64_C(0xfedcba9876543210));
    }
}

static void test_wire_path_refuses_what_is_short_or_not_zero(void **state)
{
    (void)state;
    uint64_t number = 5;
    struct span bytes = encode(7, 100);
    for (size_t size = 0; size < WIRE_PATH_SIZE_BYTES_MIN; size++)
        assert_int_equal(wire_path_decode(span_of(buffer, size), &number), ERR_SHORT);
    for (size_t i = WIRE_PATH_SIZE_BYTES_MIN; i < 100; i++) {
        buffer[i] = 1;
        assert_int_equal(wire_path_decode(bytes, &number), ERR_RESERVED);
        buffer[i] = 0;
    }
    assert_int_equal(number, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_path_is_read_back_in_each_size),
        cmocka_unit_test(test_wire_path_refuses_what_is_short_or_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
