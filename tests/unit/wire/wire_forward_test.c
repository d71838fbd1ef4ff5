/* Forwards: what is written is read back, and nothing else is read. */
#include "wire/wire_forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEAD_SIZE_BYTES 32

static uint8_t buffer[256];
static const uint8_t request[] = "a request";

static struct span encode(void)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_forward_encode(&writer,
                        &(struct wire_forward){.fingerprint = 0x01020304,
                                               .cluster = 0x11121314,
                                               .era = 0x21222324,
                                               .drops = 0x31323334,
                                               .birth = UINT64_C(0x1122334455667788),
                                               .start = UINT64_C(0x99aabbccddeeff00),
                                               .request = span_of(request, sizeof(request))});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_forward_is_read_back(void **state)
{
    (void)state;
    struct wire_forward found;
    assert_int_equal(wire_forward_decode(encode(), &found), OK);
    assert_int_equal(found.fingerprint, 0x01020304);
    assert_int_equal(found.cluster, 0x11121314);
    assert_int_equal(found.era, 0x21222324);
    assert_int_equal(found.drops, 0x31323334);
    assert_true(found.birth == UINT64_C(0x1122334455667788));
    assert_true(found.start == UINT64_C(0x99aabbccddeeff00));
    assert_true(span_is_equal(found.request, span_of(request, sizeof(request))));
}

static void test_forward_without_a_request_is_refused(void **state)
{
    (void)state;
    struct wire_forward found = {.birth = 999};
    (void)encode();
    for (size_t size = 0; size <= HEAD_SIZE_BYTES; size++)
        assert_int_equal(wire_forward_decode(span_of(buffer, size), &found), ERR_SHORT);
    assert_true(found.birth == 999);
}

static enum error zeroed_or_set(size_t offset, uint8_t value, size_t count)
{
    struct wire_forward found;
    struct span whole = encode();
    memset(buffer + offset, value, count);
    return wire_forward_decode(whole, &found);
}

static void test_forward_out_of_range_is_refused(void **state)
{
    (void)state;
    assert_int_equal(zeroed_or_set(16, 0, 8), ERR_RANGE);
    assert_int_equal(zeroed_or_set(24, 0, 8), ERR_RANGE);
}

static void test_forward_without_room_writes_nothing(void **state)
{
    (void)state;
    size_t whole = encode().size_bytes;
    struct wire_writer writer = {.data = buffer, .capacity_bytes = whole - 1};
    wire_forward_encode(&writer,
                        &(struct wire_forward){
                            .birth = 1, .start = 2, .request = span_of(request, sizeof(request))});
    assert_true(writer.is_overflow);
    assert_int_equal(writer.size_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_is_read_back),
        cmocka_unit_test(test_forward_without_a_request_is_refused),
        cmocka_unit_test(test_forward_out_of_range_is_refused),
        cmocka_unit_test(test_forward_without_room_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
