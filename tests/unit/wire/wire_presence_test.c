/* Presence: what is written is read back, and nothing else is read. */
#include "base/le.h"
#include "wire/wire_presence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[64];

static struct span encode(void)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_presence_encode(&writer, &(struct wire_presence){.fingerprint = 0x01020304,
                                                          .is_question = true,
                                                          .birth = 11,
                                                          .cluster = UINT64_MAX,
                                                          .commit_index = INDEX_MAX,
                                                          .removed = 12,
                                                          .removed_index = 13});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_presence_is_read_back(void **state)
{
    (void)state;
    struct wire_presence found;
    assert_int_equal(wire_presence_decode(encode(), &found), OK);
    assert_true(found.fingerprint == 0x01020304 && found.is_question && found.birth == 11);
    assert_true(found.cluster == UINT64_MAX && found.commit_index == INDEX_MAX);
    assert_true(found.removed == 12 && found.removed_index == 13);
}

static enum error decode_changed(size_t at, uint8_t value)
{
    struct wire_presence found = {.birth = 99};
    struct span bytes = encode();
    buffer[at] = value;
    enum error error = wire_presence_decode(bytes, &found);
    assert_true(error == OK || found.birth == 99);
    return error;
}

static void test_presence_names_each_fault(void **state)
{
    (void)state;
    struct wire_presence found;
    struct span whole = encode();
    assert_int_equal(wire_presence_decode(span_of(buffer, whole.size_bytes - 1), &found),
                     ERR_SHORT);
    assert_int_equal(wire_presence_decode(span_of(buffer, whole.size_bytes + 1), &found),
                     ERR_TRAILING);
    assert_int_equal(decode_changed(4, 2), ERR_RESERVED);
    assert_int_equal(decode_changed(7, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(8, 0), ERR_RANGE);  /* birth */
    assert_int_equal(decode_changed(31, 1), ERR_RANGE); /* commit index */
    assert_int_equal(decode_changed(32, 0), ERR_RANGE); /* removed without a birth */
    assert_int_equal(decode_changed(40, 0), ERR_RANGE); /* or without an index */
    assert_int_equal(decode_changed(47, 1), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presence_is_read_back),
        cmocka_unit_test(test_presence_names_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
