/* Asking for missing pieces: round trips, and each fault named. */
#include "base/le.h"
#include "wire/wire_missing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[WIRE_MISSING_SIZE_BYTES_MAX + 1];

static struct span encode(const struct wire_missing *missing)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_missing_encode(&writer, missing);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static const struct wire_missing two = {.message_id = UINT64_C(0xFEDCBA9876543210),
                                        .age_us = 77,
                                        .range_count = 2,
                                        .ranges = {{0, 3}, {5, 1}}};

static void test_wire_missing_round_trip(void **state)
{
    (void)state;
    struct wire_missing ret = {0};
    assert_int_equal(wire_missing_decode(encode(&two), &ret), OK);
    assert_true(ret.message_id == two.message_id && ret.age_us == 77 && ret.range_count == 2);
    assert_memory_equal(ret.ranges, two.ranges, sizeof(two.ranges));
    struct wire_missing most = {.message_id = 1, .range_count = MISSING_RANGES_MAX};
    for (uint16_t i = 0; i < MISSING_RANGES_MAX; i++)
        most.ranges[i] = (struct wire_piece_range){(uint16_t)(1 + 2 * i), 1};
    struct span bytes = encode(&most);
    assert_int_equal(bytes.size_bytes, WIRE_MISSING_SIZE_BYTES_MAX);
    assert_int_equal(wire_missing_decode(bytes, &ret), OK);
    assert_memory_equal(ret.ranges, most.ranges, sizeof(most.ranges));
}

static void test_wire_missing_refuses_a_wrong_size(void **state)
{
    (void)state;
    struct wire_missing ret = {.message_id = 9};
    struct span bytes = encode(&two);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(wire_missing_decode(span_of(buffer, size), &ret), ERR_SHORT);
    assert_int_equal(wire_missing_decode(span_of(buffer, bytes.size_bytes + 1), &ret),
                     ERR_TRAILING);
    assert_true(ret.message_id == 9);
}

static void test_wire_missing_refuses_reserved_bytes_and_counts(void **state)
{
    (void)state;
    struct wire_missing ret = {.message_id = 9};
    struct span bytes = encode(&two);
    buffer[15] = 1;
    assert_int_equal(wire_missing_decode(bytes, &ret), ERR_RESERVED);
    bytes = encode(&two);
    le16_store(buffer + 12, 0);
    assert_int_equal(wire_missing_decode(bytes, &ret), ERR_RANGE);
    le16_store(buffer + 12, MISSING_RANGES_MAX + 1);
    assert_int_equal(wire_missing_decode(bytes, &ret), ERR_RANGE);
    assert_true(ret.message_id == 9);
}

static void test_wire_missing_refuses_ranges_that_are_no_gaps(void **state)
{
    (void)state;
    static const struct wire_piece_range wrong[][2] = {
        {{0, 3}, {3, 1}},                 /* touch */
        {{5, 1}, {0, 1}},                 /* fall */
        {{0, 3}, {2, 4}},                 /* overlap */
        {{0, 1}, {2, 0}},                 /* empty */
        {{0, 1}, {MESSAGE_PIECES_MAX, 1}} /* behind the largest message */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct wire_missing missing = {.message_id = 1, .range_count = 2};
        missing.ranges[0] = wrong[i][0];
        missing.ranges[1] = wrong[i][1];
        struct wire_missing ret = {.message_id = 9};
        assert_int_equal(wire_missing_decode(encode(&missing), &ret), ERR_RANGE);
        assert_true(ret.message_id == 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_missing_round_trip),
        cmocka_unit_test(test_wire_missing_refuses_a_wrong_size),
        cmocka_unit_test(test_wire_missing_refuses_reserved_bytes_and_counts),
        cmocka_unit_test(test_wire_missing_refuses_ranges_that_are_no_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
