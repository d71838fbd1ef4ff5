/* The cursor of logs: its bytes, its changes, and what it still knows of former ones. */
#include "base/crc32c.h"
#include "base/le.h"
#include "client/logs_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct logs_cursor leased_cursor(void)
{
    struct logs_cursor cursor = {.serial = 0};
    (void)logs_cursor_move(&cursor, (struct plx_logs_position){-5, 2}, 2, 71);
    (void)logs_cursor_move(&cursor, (struct plx_logs_position){9, 1}, 7, 72);
    struct logs_lease lease = {
        .id.nonce = 73, .end = {11, 4}, .handed_out = 12, .expires_us = 1000000};
    logs_cursor_lease(&cursor, &lease);
    assert_int_equal(lease.id.serial, 3);
    return cursor;
}

static void test_logs_cursor_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[LOGS_CURSOR_SIZE_BYTES];
    uint8_t again[LOGS_CURSOR_SIZE_BYTES];
    struct logs_cursor cursor = leased_cursor();
    struct logs_cursor decoded;
    logs_cursor_encode(&cursor, bytes);
    assert_int_equal(logs_cursor_decode(span_of(bytes, sizeof(bytes)), &decoded), OK);
    logs_cursor_encode(&decoded, again);
    assert_memory_equal(bytes, again, sizeof(bytes));
    assert_true(decoded.position.timestamp == 9 && decoded.lease.end.count == 4);
    assert_true(decoded.serial == 3 && decoded.handed_out == 7 && decoded.move_count == 2);
    logs_cursor_confirm(&decoded);
    assert_true(!decoded.has_lease && decoded.position.timestamp == 11 && decoded.handed_out == 12);
    logs_cursor_encode(&decoded, again);
    assert_memory_not_equal(bytes, again, sizeof(bytes));
}

/* With the checksum that goes with the bytes. */
static enum error decode_sealed(uint8_t *bytes)
{
    struct logs_cursor cursor;
    le32_store(bytes + LOGS_CURSOR_SIZE_BYTES - 4, crc32c(0, bytes, LOGS_CURSOR_SIZE_BYTES - 4));
    return logs_cursor_decode(span_of(bytes, LOGS_CURSOR_SIZE_BYTES), &cursor);
}

static void test_logs_cursor_refuses_what_is_none(void **state)
{
    (void)state;
    uint8_t bytes[LOGS_CURSOR_SIZE_BYTES];
    struct logs_cursor cursor = leased_cursor();
    struct logs_cursor decoded;
    logs_cursor_encode(&cursor, bytes);
    assert_int_equal(logs_cursor_decode(span_of(bytes, sizeof(bytes) - 1), &decoded), ERR_MAGIC);
    for (size_t i = 4; i < sizeof(bytes); i++) {
        bytes[i] ^= 1;
        assert_int_equal(logs_cursor_decode(span_of(bytes, sizeof(bytes)), &decoded), ERR_CHECKSUM);
        bytes[i] ^= 1;
    }
    bytes[0] ^= 1;
    assert_int_equal(decode_sealed(bytes), ERR_MAGIC);
    bytes[0] ^= 1;
    bytes[4]++;
    assert_int_equal(decode_sealed(bytes), ERR_VERSION);
    bytes[4]--;
    bytes[6] = 2;
    assert_int_equal(decode_sealed(bytes), ERR_RANGE);
    bytes[6] = 1;
    bytes[7] = PLX_LOGS_REMEMBERED + 1;
    assert_int_equal(decode_sealed(bytes), ERR_RANGE);
}

/* As the version before has it: without the length of the lease. */
static void test_logs_cursor_of_version_1_is_read(void **state)
{
    (void)state;
    uint8_t bytes[LOGS_CURSOR_SIZE_BYTES];
    struct logs_cursor cursor = leased_cursor();
    struct logs_cursor decoded;
    const size_t size = LOGS_CURSOR_1_SIZE_BYTES;
    cursor.lease.length_us = 5;
    logs_cursor_encode(&cursor, bytes);
    le16_store(bytes + 4, 1);
    le32_store(bytes + size - 4, crc32c(0, bytes, size - 4));
    assert_int_equal(logs_cursor_decode(span_of(bytes, size), &decoded), OK);
    assert_true(decoded.has_lease && decoded.lease.length_us == 0 && decoded.handed_out == 7);
    assert_false(logs_cursor_lease_is_ahead(&decoded, 0));
    le16_store(bytes + 4, 2);
    le32_store(bytes + size - 4, crc32c(0, bytes, size - 4));
    assert_int_equal(logs_cursor_decode(span_of(bytes, size), &decoded), ERR_VERSION);
}

static void test_logs_cursor_judges_as_far_as_it_remembers(void **state)
{
    (void)state;
    struct logs_cursor cursor = leased_cursor();
    struct plx_logs_id lease = cursor.lease.id;
    const struct plx_logs_id stranger = {2, 99};
    assert_int_equal(logs_cursor_judge(&cursor, &lease), LOGS_LEASED);
    assert_int_equal(logs_cursor_judge(&cursor, &stranger), LOGS_NEVER);
    logs_cursor_confirm(&cursor);
    for (uint64_t i = 0; i < PLX_LOGS_REMEMBERED - 1; i++) {
        assert_int_equal(logs_cursor_judge(&cursor, &lease), LOGS_MOVED);
        (void)logs_cursor_move(&cursor, (struct plx_logs_position){20, i + 1}, 13 + i, 100 + i);
    }
    assert_int_equal(logs_cursor_judge(&cursor, &lease), LOGS_MOVED);
    assert_int_equal(logs_cursor_judge(&cursor, &stranger), LOGS_FORGOTTEN);
    (void)logs_cursor_move(&cursor, (struct plx_logs_position){30, 1}, 90, 1);
    assert_int_equal(logs_cursor_judge(&cursor, &lease), LOGS_FORGOTTEN);
    assert_int_equal(cursor.move_count, PLX_LOGS_REMEMBERED);
}

static void test_logs_cursor_lease_is_over_after_the_skew(void **state)
{
    (void)state;
    struct logs_cursor cursor = leased_cursor();
    uint64_t over_us = 1000000 + PLX_LOGS_SKEW_NS / 1000;
    assert_int_equal(logs_cursor_lease_left_us(&cursor, 1000000), PLX_LOGS_SKEW_NS / 1000);
    assert_int_equal(logs_cursor_lease_left_us(&cursor, over_us - 1), 1);
    assert_int_equal(logs_cursor_lease_left_us(&cursor, over_us), 0);
    cursor.lease.expires_us = UINT64_MAX;
    assert_true(logs_cursor_lease_left_us(&cursor, over_us) > UINT64_MAX / 2);
    cursor.has_lease = false;
    assert_int_equal(logs_cursor_lease_left_us(&cursor, 0), 0);
}

static void test_logs_cursor_ids_are_texts_of_one_spelling(void **state)
{
    (void)state;
    const struct plx_logs_id id = {0x1f, 0xabc};
    struct plx_logs_id parsed = {0, 0};
    char text[PLX_LOGS_ID_TEXT_SIZE];
    plx_logs_id_format(&id, text);
    assert_string_equal(text, "1f-0000000000000abc");
    assert_true(plx_logs_id_parse(text, &parsed));
    assert_true(parsed.serial == id.serial && parsed.nonce == id.nonce);
    static const char *const wrong[] = {"",
                                        "1f",
                                        "1F-0000000000000abc",
                                        "1f-abc",
                                        "0-0000000000000abc",
                                        "1f-0000000000000abc ",
                                        "1f-0000000000000abcd"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(plx_logs_id_parse(wrong[i], &parsed));
    assert_false(plx_logs_id_parse(NULL, &parsed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_cursor_comes_back_as_it_was),
        cmocka_unit_test(test_logs_cursor_refuses_what_is_none),
        cmocka_unit_test(test_logs_cursor_of_version_1_is_read),
        cmocka_unit_test(test_logs_cursor_judges_as_far_as_it_remembers),
        cmocka_unit_test(test_logs_cursor_lease_is_over_after_the_skew),
        cmocka_unit_test(test_logs_cursor_ids_are_texts_of_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
