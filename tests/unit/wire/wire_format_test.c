/* What nodes say of formats: what is written is read back, and nothing else is read. */
#include "base/le.h"
#include "wire/wire_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[64];

static struct span encode(void)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_format_encode(&writer, &(struct wire_format){.fingerprint = 0x01020304,
                                                      .cluster = 5,
                                                      .era = 6,
                                                      .number = 9,
                                                      .birth = 10,
                                                      .start = 11,
                                                      .is_question = true,
                                                      .known = 8,
                                                      .in_force = 7});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_wire_format_is_read_back(void **state)
{
    (void)state;
    struct wire_format found;
    assert_int_equal(wire_format_decode(encode(), &found), OK);
    assert_true(found.fingerprint == 0x01020304 && found.cluster == 5 && found.era == 6);
    assert_true(found.is_question && found.known == 8 && found.in_force == 7);
    assert_true(found.number == 9 && found.birth == 10 && found.start == 11);
}

static void test_wire_format_layout_is_as_written(void **state)
{
    (void)state;
    static const uint8_t expected[48] = {
        4, 3, 2, 1, 5, [8] = 6, [12] = 8, [14] = 7, [16] = 1, [24] = 9, [32] = 10, [40] = 11};
    struct span bytes = encode();
    assert_int_equal(bytes.size_bytes, sizeof(expected));
    assert_memory_equal(bytes.data, expected, sizeof(expected));
}

static enum error decode_changed(size_t at, uint8_t value)
{
    struct wire_format found = {.known = 99};
    struct span bytes = encode();
    buffer[at] = value;
    enum error error = wire_format_decode(bytes, &found);
    assert_true(error == OK || found.known == 99);
    return error;
}

static void test_wire_format_names_each_fault(void **state)
{
    (void)state;
    struct wire_format found;
    struct span whole = encode();
    assert_int_equal(wire_format_decode(span_of(buffer, whole.size_bytes - 1), &found), ERR_SHORT);
    assert_int_equal(wire_format_decode(span_of(buffer, whole.size_bytes + 1), &found),
                     ERR_TRAILING);
    assert_int_equal(decode_changed(16, 2), ERR_RESERVED);
    assert_int_equal(decode_changed(17, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(23, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(14, 9), ERR_RANGE); /* in force what it does not know */
    assert_int_equal(decode_changed(16, 0), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_format_is_read_back),
        cmocka_unit_test(test_wire_format_layout_is_as_written),
        cmocka_unit_test(test_wire_format_names_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
