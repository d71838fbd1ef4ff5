/* Questions for snapshots, and their answers: what is written is read back, nothing else is read,
 * and an answer is never much larger than its question. */
#include "wire/wire_backup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[8192];
static uint8_t part[BACKUP_PART_BYTES];

static struct span encode(const struct wire_backup *question)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_backup_encode(&writer, question);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static struct span encode_reply(const struct wire_backup_reply *reply)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_backup_reply_encode(&writer, reply);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static const struct wire_backup question = {.number = 7,
                                            .kind = WIRE_BACKUP_PART,
                                            .index_min = 8,
                                            .id = 9,
                                            .block = 10,
                                            .part = BACKUP_PARTS - 1};

static const struct wire_backup_reply found = {.number = 7,
                                               .kind = WIRE_BACKUP_FIND,
                                               .status = WIRE_BACKUP_OK,
                                               .node = 3,
                                               .wait_us = 4,
                                               .applied_index = 1000,
                                               .id = 5,
                                               .index = 900,
                                               .record_term = 6,
                                               .stream_bytes = SNAPSHOT_BLOCK_BYTES + 1,
                                               .block_count = 2,
                                               .content_crc = 11};

static void test_question_is_read_back_and_fills_a_packet(void **state)
{
    (void)state;
    struct wire_backup read;
    struct span bytes = encode(&question);
    assert_int_equal(bytes.size_bytes, BACKUP_QUESTION_BYTES);
    assert_int_equal(wire_backup_decode(bytes, &read), OK);
    assert_true(read.number == 7 && read.kind == WIRE_BACKUP_PART && read.index_min == 8);
    assert_true(read.id == 9 && read.block == 10 && read.part == BACKUP_PARTS - 1);
}

static void test_question_of_another_form_is_refused(void **state)
{
    (void)state;
    struct wire_backup read = {.number = 999};
    struct span bytes = encode(&question);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(wire_backup_decode(span_of(buffer, size), &read), ERR_SHORT);
    assert_int_equal(wire_backup_decode(span_of(buffer, bytes.size_bytes + 1), &read),
                     ERR_TRAILING);
    buffer[8] = WIRE_BACKUP_KIND_END;
    assert_int_equal(wire_backup_decode(bytes, &read), ERR_TYPE);
    encode(&question);
    buffer[bytes.size_bytes - 1] = 1;
    assert_int_equal(wire_backup_decode(bytes, &read), ERR_RESERVED);
    encode(&question);
    buffer[36] = BACKUP_PARTS;
    assert_int_equal(wire_backup_decode(bytes, &read), ERR_RANGE);
    assert_true(read.number == 999);
}

static void test_found_snapshot_is_read_back(void **state)
{
    (void)state;
    struct wire_backup_reply read;
    assert_int_equal(wire_backup_reply_decode(encode_reply(&found), &read), OK);
    assert_true(read.number == 7 && read.kind == WIRE_BACKUP_FIND && read.node == 3);
    assert_true(read.status == WIRE_BACKUP_OK && read.wait_us == 4 && read.applied_index == 1000);
    assert_true(read.id == 5 && read.index == 900 && read.record_term == 6);
    assert_true(read.stream_bytes == SNAPSHOT_BLOCK_BYTES + 1 && read.block_count == 2);
    assert_true(read.content_crc == 11 && read.bytes.size_bytes == 0);
}

static void test_part_is_read_back_and_no_more_than_a_few_questions(void **state)
{
    (void)state;
    struct wire_backup_reply read;
    memset(part, 0xab, sizeof(part));
    struct wire_backup_reply reply = {.number = 7,
                                      .kind = WIRE_BACKUP_PART,
                                      .status = WIRE_BACKUP_OK,
                                      .node = 3,
                                      .id = 5,
                                      .bytes = span_of(part, sizeof(part))};
    struct span bytes = encode_reply(&reply);
    assert_true(bytes.size_bytes <= (size_t)5 * BACKUP_QUESTION_BYTES);
    assert_int_equal(wire_backup_reply_decode(bytes, &read), OK);
    assert_true(span_is_equal(read.bytes, reply.bytes));
    assert_int_equal(wire_backup_reply_decode(span_of(buffer, bytes.size_bytes + 1), &read),
                     ERR_TOO_LARGE);
}

static void test_reply_of_another_form_is_refused(void **state)
{
    (void)state;
    struct wire_backup_reply read = {.number = 999};
    struct span bytes = encode_reply(&found);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(wire_backup_reply_decode(span_of(buffer, size), &read), ERR_SHORT);
    buffer[9] = WIRE_BACKUP_STATUS_END;
    assert_int_equal(wire_backup_reply_decode(bytes, &read), ERR_TYPE);
    struct wire_backup_reply bad = found;
    bad.node = VOTER_ID_MAX + 1;
    assert_int_equal(wire_backup_reply_decode(encode_reply(&bad), &read), ERR_RANGE);
    bad = found;
    bad.block_count = 3;
    assert_int_equal(wire_backup_reply_decode(encode_reply(&bad), &read), ERR_RANGE);
    bad = found;
    bad.index = INDEX_MAX + 1;
    assert_int_equal(wire_backup_reply_decode(encode_reply(&bad), &read), ERR_RANGE);
    assert_true(read.number == 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_question_is_read_back_and_fills_a_packet),
        cmocka_unit_test(test_question_of_another_form_is_refused),
        cmocka_unit_test(test_found_snapshot_is_read_back),
        cmocka_unit_test(test_part_is_read_back_and_no_more_than_a_few_questions),
        cmocka_unit_test(test_reply_of_another_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
