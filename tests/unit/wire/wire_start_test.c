/* What nodes say of starts: what is written is read back, and nothing else is read. */
#include "wire/wire_start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[256];

static struct wire_start_message message_of(uint8_t kind)
{
    return (struct wire_start_message){.fingerprint = 0x01020304,
                                       .cluster = 0x11121314,
                                       .era = 0x21222324,
                                       .birth = UINT64_C(0x1122334455667788),
                                       .start = UINT64_C(0x99aabbccddeeff00),
                                       .kind = kind,
                                       .is_suspect = kind == WIRE_START_STANDS,
                                       .to = 41,
                                       .asked = 42,
                                       .term = 43,
                                       .acked_term = 44,
                                       .acked_index = 45};
}

static struct span encode(const struct wire_start_message *message)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_start_encode(&writer, message);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_start_is_read_back(void **state)
{
    (void)state;
    for (uint8_t kind = WIRE_START_TOLD; kind < WIRE_START_KIND_END; kind++) {
        struct wire_start_message message = message_of(kind);
        struct wire_start_message found;
        assert_int_equal(wire_start_decode(encode(&message), &found), OK);
        assert_int_equal(found.fingerprint, message.fingerprint);
        assert_int_equal(found.cluster, message.cluster);
        assert_int_equal(found.era, message.era);
        assert_true(found.birth == message.birth);
        assert_true(found.start == message.start);
        assert_int_equal(found.kind, kind);
        assert_true(found.is_suspect == message.is_suspect);
        assert_true(found.to == 41 && found.asked == 42 && found.term == 43);
        assert_true(found.acked_term == 44 && found.acked_index == 45);
    }
}

static void test_start_of_another_size_is_refused(void **state)
{
    (void)state;
    struct wire_start_message message = message_of(WIRE_START_ASKED);
    struct wire_start_message found = {.birth = 999};
    struct span whole = encode(&message);
    for (size_t size = 0; size < whole.size_bytes; size++)
        assert_int_equal(wire_start_decode(span_of(buffer, size), &found), ERR_SHORT);
    assert_int_equal(wire_start_decode(span_of(buffer, whole.size_bytes + 1), &found),
                     ERR_TRAILING);
    assert_true(found.birth == 999);
}

static enum error changed(size_t offset, uint8_t value, size_t count)
{
    struct wire_start_message message = message_of(WIRE_START_ASKED);
    struct wire_start_message found;
    struct span whole = encode(&message);
    memset(buffer + offset, value, count);
    return wire_start_decode(whole, &found);
}

static void test_start_out_of_range_is_refused(void **state)
{
    (void)state;
    assert_int_equal(changed(4, 0, 1), ERR_TYPE);
    assert_int_equal(changed(4, WIRE_START_KIND_END, 1), ERR_TYPE);
    assert_int_equal(changed(5, 2, 1), ERR_RESERVED);
    assert_int_equal(changed(7, 1, 1), ERR_RESERVED);
    assert_int_equal(changed(16, 0, 8), ERR_RANGE);
    assert_int_equal(changed(24, 0, 8), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_is_read_back),
        cmocka_unit_test(test_start_of_another_size_is_refused),
        cmocka_unit_test(test_start_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
