/* Entries of a journal: what is written is read back, and nothing else is read. */
#include "wire/wire_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/le.h"

static uint8_t buffer[256];

static struct span text_of(const char *text)
{
    return span_of(text, strlen(text));
}

/* With a request of 16 bytes behind the head, or without. */
static struct span encode(uint8_t kind, struct span name, size_t request_bytes)
{
    const struct wire_entry entry = {.kind = kind, .name = name, .generation = 0x01020304};
    size_t head_bytes = wire_entry_head_bytes(name);
    memset(buffer, 0xee, sizeof(buffer));
    wire_entry_head_encode(buffer, &entry);
    return span_of(buffer, head_bytes + request_bytes);
}

static void test_entry_with_a_name_is_read_back(void **state)
{
    (void)state;
    char name[KEY_NAME_BYTES_MAX + 1] = {0};
    struct wire_entry found;
    for (size_t size = 1; size <= KEY_NAME_BYTES_MAX; size++) {
        name[size - 1] = 'a';
        struct span bytes = encode(WIRE_ENTRY_WRITES, text_of(name), 16);
        assert_true(bytes.size_bytes % 8 == 0);
        assert_int_equal(wire_entry_decode(bytes, &found), OK);
        assert_int_equal(found.kind, WIRE_ENTRY_WRITES);
        assert_true(span_is_equal(found.name, text_of(name)));
        assert_int_equal(found.generation, 0x01020304);
        assert_int_equal(found.request.size_bytes, 16);
        assert_int_equal(found.request.data[0], 0xee);
    }
    assert_int_equal(wire_entry_head_bytes(text_of(name)), WIRE_ENTRY_HEAD_BYTES_MAX);
    assert_int_equal(wire_entry_decode(encode(WIRE_ENTRY_DROP, text_of("ann"), 0), &found), OK);
    assert_int_equal(found.kind, WIRE_ENTRY_DROP);
    assert_int_equal(found.request.size_bytes, 0);
}

/* What programs that know format 0 write is the request alone: its session is not 0. */
static void test_entry_without_a_name_is_its_request(void **state)
{
    (void)state;
    struct wire_entry found;
    struct span bytes = encode(WIRE_ENTRY_WRITES, (struct span){0}, 24);
    assert_int_equal(bytes.size_bytes, 24);
    assert_int_equal(wire_entry_decode(bytes, &found), OK);
    assert_int_equal(found.kind, WIRE_ENTRY_WRITES);
    assert_int_equal(found.name.size_bytes, 0);
    assert_int_equal(found.request.size_bytes, 24);
    assert_true(found.request.data == buffer);
}

static enum error decode_with(size_t offset, uint8_t value)
{
    struct wire_entry found = {.generation = 999};
    struct span bytes = encode(WIRE_ENTRY_WRITES, text_of("ann"), 16);
    buffer[offset] = value;
    enum error error = wire_entry_decode(bytes, &found);
    assert_true(error == OK || found.generation == 999);
    return error;
}

static void test_entry_names_each_fault(void **state)
{
    (void)state;
    struct wire_entry found;
    struct span bytes = encode(WIRE_ENTRY_WRITES, text_of("ann"), 0);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(wire_entry_decode(span_of(buffer, size), &found), ERR_SHORT);
    assert_int_equal(decode_with(12, 0), ERR_RANGE);
    assert_int_equal(decode_with(12, WIRE_ENTRY_DROP + 1), ERR_RANGE);
    assert_int_equal(decode_with(13, 0), ERR_RANGE);
    assert_int_equal(decode_with(13, KEY_NAME_BYTES_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_with(13, 2), ERR_RESERVED); /* the third letter is no zero */
    assert_int_equal(decode_with(14, 1), ERR_RESERVED);
    assert_int_equal(decode_with(15, 1), ERR_RESERVED);
    assert_int_equal(decode_with(16, '/'), ERR_RANGE);
    assert_int_equal(decode_with(23, 1), ERR_RESERVED);
    assert_int_equal(decode_with(12, WIRE_ENTRY_DROP), ERR_TRAILING);
    assert_int_equal(decode_with(8, 9), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_with_a_name_is_read_back),
        cmocka_unit_test(test_entry_without_a_name_is_its_request),
        cmocka_unit_test(test_entry_names_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
