/* Reads of clients: round trips, and each fault named. */
#include "base/le.h"
#include "wire/wire_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[4096];

static struct span read_of_two_keys(void)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct wire_read read = {.request_number = UINT64_C(0x0807060504030201),
                             .timeout_us = 123,
                             .is_consistent = true,
                             .min_index = 99,
                             .max_age_us = 7};
    wire_read_begin(&writer, &read);
    wire_read_add(&writer, &(struct wire_read_op){.key = span_of("alpha", 5)});
    wire_read_add(&writer, &(struct wire_read_op){
                               .key = span_of("b", 1), .offset_bytes = 65536, .version = 12});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static enum error decode(struct span bytes)
{
    struct wire_read ret = {.op_count = 999};
    enum error error = wire_read_decode(bytes, &ret);
    assert_true(error == OK || ret.op_count == 999);
    return error;
}

static void test_wire_read_returns_its_ops(void **state)
{
    (void)state;
    struct wire_read read;
    assert_int_equal(wire_read_decode(read_of_two_keys(), &read), OK);
    assert_true(read.request_number == UINT64_C(0x0807060504030201) && read.min_index == 99);
    assert_int_equal(read.timeout_us, 123);
    assert_int_equal(read.max_age_us, 7);
    assert_true(read.is_consistent);
    assert_int_equal(read.op_count, 2);
    size_t cursor = 0;
    struct wire_read_op op;
    assert_int_equal(wire_read_op_decode(read.ops, &cursor, &op), OK);
    assert_true(span_is_equal(op.key, span_of("alpha", 5)));
    assert_true(op.version == 0 && op.offset_bytes == 0);
    assert_int_equal(wire_read_op_decode(read.ops, &cursor, &op), OK);
    assert_true(span_is_equal(op.key, span_of("b", 1)));
    assert_true(op.version == 12 && op.offset_bytes == 65536);
    assert_int_equal(wire_read_op_decode(read.ops, &cursor, &op), ERR_SHORT);
}

static void test_wire_read_names_each_fault(void **state)
{
    (void)state;
    struct span bytes = read_of_two_keys();
    uint8_t *op = buffer + 32;
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(buffer, size)), ERR_SHORT);
    le16_store(buffer + 24, 1);
    assert_int_equal(decode(bytes), ERR_TRAILING);
    le16_store(buffer + 24, 0);
    assert_int_equal(decode(bytes), ERR_RANGE);
    le16_store(buffer + 24, REQUEST_OPS_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
    read_of_two_keys();
    buffer[26] |= 2;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    read_of_two_keys();
    buffer[31] = 1;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    read_of_two_keys();
    op[14] = 1;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    read_of_two_keys();
    le16_store(op + 12, 0);
    assert_int_equal(decode(bytes), ERR_RANGE);
    le16_store(op + 12, KEY_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    read_of_two_keys();
    le32_store(op + 8, VALUE_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
}

static void test_wire_read_overflow_is_noted(void **state)
{
    (void)state;
    struct wire_writer writer = {.data = buffer, .capacity_bytes = 40};
    wire_read_begin(&writer, &(struct wire_read){.request_number = 1});
    wire_read_add(&writer, &(struct wire_read_op){.key = span_of("k", 1)});
    assert_true(writer.is_overflow);
    assert_int_equal(writer.size_bytes, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_read_returns_its_ops),
        cmocka_unit_test(test_wire_read_names_each_fault),
        cmocka_unit_test(test_wire_read_overflow_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
