/* What a node says of its storage: what is written is read back, and nothing else is read. */
#include "wire/wire_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[256];

static struct wire_storage_message message_of(void)
{
    return (struct wire_storage_message){.fingerprint = 0x01020304,
                                         .birth = UINT64_C(0x1122334455667788),
                                         .replaced = UINT64_C(0x99aabbccddeeff00)};
}

static struct span encode(const struct wire_storage_message *message)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_storage_encode(&writer, message);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_storage_is_read_back(void **state)
{
    (void)state;
    struct wire_storage_message message = message_of();
    struct wire_storage_message found;
    assert_int_equal(wire_storage_decode(encode(&message), &found), OK);
    assert_int_equal(found.fingerprint, message.fingerprint);
    assert_true(found.birth == message.birth);
    assert_true(found.replaced == message.replaced);
}

static void test_storage_of_another_size_is_refused(void **state)
{
    (void)state;
    struct wire_storage_message message = message_of();
    struct wire_storage_message found = {.birth = 999};
    struct span whole = encode(&message);
    for (size_t size = 0; size < whole.size_bytes; size++)
        assert_int_equal(wire_storage_decode(span_of(buffer, size), &found), ERR_SHORT);
    assert_int_equal(wire_storage_decode(span_of(buffer, whole.size_bytes + 1), &found),
                     ERR_TRAILING);
    assert_true(found.birth == 999);
}

static void test_storage_without_a_birth_is_refused(void **state)
{
    (void)state;
    struct wire_storage_message message = message_of();
    struct wire_storage_message found = {.birth = 999};
    struct span bytes = encode(&message);
    memset(buffer + 8, 0, 8);
    assert_int_equal(wire_storage_decode(bytes, &found), ERR_RANGE);
    encode(&message);
    buffer[7] = 1;
    assert_int_equal(wire_storage_decode(bytes, &found), ERR_RESERVED);
    assert_true(found.birth == 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storage_is_read_back),
        cmocka_unit_test(test_storage_of_another_size_is_refused),
        cmocka_unit_test(test_storage_without_a_birth_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
