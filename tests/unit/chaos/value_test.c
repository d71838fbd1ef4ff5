/* Values that tell who wrote them, and whether a byte of them has changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chaos/value.h"

#include <string.h>

#define NUMBERS 2000

static void test_value_reads_what_it_filled(void **state)
{
    (void)state;
    uint8_t bytes[VALUE_BYTES_MAX];
    uint32_t long_count = 0;
    for (uint64_t number = 1; number <= NUMBERS; number++) {
        size_t size_bytes = value_fill(number, bytes);
        assert_true(size_bytes <= VALUE_BYTES_MAX);
        long_count += size_bytes > 1500;
        assert_true(value_read(bytes, size_bytes, size_bytes) == number);
    }
    assert_in_range(long_count, NUMBERS / 100, NUMBERS / 10); /* some need several packets */
}

static void test_value_tells_its_number_from_its_beginning(void **state)
{
    (void)state;
    uint8_t bytes[VALUE_BYTES_MAX];
    size_t size_bytes = value_fill(77, bytes);
    assert_true(value_read(bytes, 16, size_bytes) == 77);
}

static void test_value_refuses_any_changed_byte(void **state)
{
    (void)state;
    uint8_t bytes[VALUE_BYTES_MAX];
    size_t size_bytes = value_fill(5, bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] ^= 1;
        assert_true(value_read(bytes, size_bytes, size_bytes) == VALUE_GARBLED);
        bytes[i] ^= 1;
    }
}

static void test_value_refuses_another_length(void **state)
{
    (void)state;
    uint8_t bytes[VALUE_BYTES_MAX] = {0};
    size_t size_bytes = value_fill(5, bytes);
    assert_true(value_read(bytes, size_bytes, size_bytes + 1) == VALUE_GARBLED);
    assert_true(value_read(bytes, 15, size_bytes) == VALUE_GARBLED);
    assert_true(value_read(bytes, size_bytes + 1, size_bytes) == VALUE_GARBLED);
    memset(bytes, '0', 16); /* no value has the number 0 */
    assert_true(value_read(bytes, size_bytes, size_bytes) == VALUE_GARBLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_reads_what_it_filled),
        cmocka_unit_test(test_value_tells_its_number_from_its_beginning),
        cmocka_unit_test(test_value_refuses_any_changed_byte),
        cmocka_unit_test(test_value_refuses_another_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
