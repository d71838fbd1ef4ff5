/* Little-endian loads and stores: the byte order is fixed, at any alignment. */
#include "base/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_le_stores_the_low_byte_first(void **state)
{
    (void)state;
    uint8_t bytes[8];
    le16_store(bytes, 0x0102);
    assert_memory_equal(bytes, "\x02\x01", 2);
    le32_store(bytes, 0x01020304);
    assert_memory_equal(bytes, "\x04\x03\x02\x01", 4);
    le64_store(bytes, 0x0102030405060708);
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
}

static void test_le_loads_what_was_stored_at_any_alignment(void **state)
{
    (void)state;
    uint8_t bytes[24];
    for (size_t at = 0; at < 16; at++) {
        le16_store(bytes + at, 0xFEDC);
        assert_int_equal(le16_load(bytes + at), 0xFEDC);
        le32_store(bytes + at, 0xFEDCBA98);
        assert_int_equal(le32_load(bytes + at), 0xFEDCBA98);
        le64_store(bytes + at, 0xFEDCBA9876543210);
        assert_true(le64_load(bytes + at) == 0xFEDCBA9876543210);
    }
}

static void test_le_store_stays_within_its_width(void **state)
{
    (void)state;
    uint8_t bytes[10] = {[0] = 0xAA, [9] = 0xBB};
    le64_store(bytes + 1, UINT64_MAX);
    assert_int_equal(bytes[0], 0xAA);
    assert_int_equal(bytes[9], 0xBB);
    le16_store(bytes + 1, 0);
    assert_int_equal(bytes[0], 0xAA);
    assert_int_equal(bytes[3], 0xFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_le_stores_the_low_byte_first),
        cmocka_unit_test(test_le_loads_what_was_stored_at_any_alignment),
        cmocka_unit_test(test_le_store_stays_within_its_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
