/* Pages of sessions, and the end of one: round trips, and each fault named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/le.h"
#include "wire/wire.h"

static uint8_t buffer[WIRE_SESSIONS_QUESTION_BYTES + 1];

static struct wire_writer writer_of_buffer(void)
{
    memset(buffer, 0, sizeof(buffer));
    return (struct wire_writer){.data = buffer, .capacity_bytes = sizeof(buffer)};
}

static void test_wire_sessions_question_round_trip(void **state)
{
    (void)state;
    struct wire_writer writer = writer_of_buffer();
    struct wire_sessions read;
    wire_sessions_encode(&writer, &(struct wire_sessions){.number = 7, .from = 513});
    size_t size = writer.size_bytes;
    assert_int_equal(size, WIRE_SESSIONS_QUESTION_BYTES);
    assert_int_equal(wire_sessions_decode(span_of(buffer, size - 1), &read), ERR_SHORT);
    assert_int_equal(wire_sessions_decode(span_of(buffer, size + 1), &read), ERR_TRAILING);
    assert_int_equal(wire_sessions_decode(span_of(buffer, size), &read), OK);
    assert_true(read.number == 7 && read.from == 513);
    buffer[size - 1] = 1;
    assert_int_equal(wire_sessions_decode(span_of(buffer, size), &read), ERR_RESERVED);
}

static struct wire_session session_of(uint64_t id)
{
    return (struct wire_session){.id = id,
                                 .quiet_us = 1,
                                 .heard_us = UINT64_MAX,
                                 .left_us = 3,
                                 .address = {.ip = {[15] = 9}, .port = 4000},
                                 .state = WIRE_SESSION_OPEN,
                                 .outcomes = SESSION_WINDOW};
}

static size_t page_encode(uint32_t count)
{
    struct wire_writer writer = writer_of_buffer();
    const struct wire_reply head = {.number = 8, .incarnation = 5, .node = 1};
    wire_sessions_reply_begin(&writer, &head);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_session session = session_of(100 + i);
        wire_sessions_reply_add(&writer, &session);
    }
    wire_sessions_reply_end(
        &writer, &(struct wire_sessions_reply){.next = 20, .count = 30, .sessions_max = 40});
    assert_false(writer.is_overflow);
    return writer.size_bytes;
}

/* A full page is no larger than the question. */
static void test_wire_sessions_page_round_trip(void **state)
{
    (void)state;
    struct wire_sessions_reply read;
    size_t size = page_encode(WIRE_SESSIONS_PAGE_MAX);
    assert_true(size <= WIRE_SESSIONS_QUESTION_BYTES);
    assert_int_equal(wire_sessions_reply_decode(span_of(buffer, size), &read), OK);
    assert_true(read.head.number == 8 && read.next == 20 && read.count == 30);
    assert_true(read.sessions_max == 40 && read.entry_count == WIRE_SESSIONS_PAGE_MAX);
    struct wire_session last = wire_session_at(&read, WIRE_SESSIONS_PAGE_MAX - 1);
    assert_true(last.id == 99 + WIRE_SESSIONS_PAGE_MAX && last.quiet_us == 1);
    assert_true(last.heard_us == UINT64_MAX && last.left_us == 3);
    assert_true(last.address.port == 4000 && last.address.ip[15] == 9);
    assert_true(last.state == WIRE_SESSION_OPEN && last.outcomes == SESSION_WINDOW);
    /* A refusal ends with the head. */
    struct wire_writer writer = writer_of_buffer();
    const struct wire_reply refusal = {.number = 8, .node = 1, .status = WIRE_STATUS_DENIED};
    wire_reply_begin(&writer, &refusal);
    size = writer.size_bytes;
    assert_int_equal(wire_sessions_reply_decode(span_of(buffer, size), &read), OK);
    assert_true(read.head.status == WIRE_STATUS_DENIED && read.entry_count == 0);
    assert_int_equal(wire_sessions_reply_decode(span_of(buffer, size + 1), &read), ERR_TRAILING);
}

static void test_wire_sessions_page_names_each_fault(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
        enum error error;
    } faults[] = {
        {72, WIRE_SESSIONS_PAGE_MAX + 1, ERR_RANGE},
        {74, 1, ERR_RESERVED},
        {88, 0, ERR_RANGE}, /* an id of 0 */
        {88 + 50, 0, ERR_RANGE},
        {88 + 50, WIRE_SESSION_STATE_END, ERR_RANGE},
        {88 + 51, 1, ERR_RESERVED},
        {88 + 53, 1, ERR_RANGE}, /* more outcomes than a session has */
        {88 + 54, 1, ERR_RESERVED},
        {72, 2, ERR_SHORT},
        {72, 0, ERR_TRAILING},
    };
    struct wire_sessions_reply read = {.count = 77};
    size_t size = page_encode(1);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(wire_sessions_reply_decode(span_of(buffer, i), &read), ERR_SHORT);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        size = page_encode(1);
        buffer[faults[i].offset] = faults[i].value;
        assert_int_equal(wire_sessions_reply_decode(span_of(buffer, size), &read), faults[i].error);
    }
    assert_int_equal(read.count, 77);
}

static void test_wire_session_end_round_trip(void **state)
{
    (void)state;
    struct wire_writer writer = writer_of_buffer();
    uint64_t number = 0;
    uint64_t session = 0;
    wire_session_end_encode(&writer, 12, 34);
    size_t size = writer.size_bytes;
    assert_int_equal(size, WIRE_SESSION_END_QUESTION_BYTES);
    assert_int_equal(wire_session_end_decode(span_of(buffer, size - 1), &number, &session),
                     ERR_SHORT);
    assert_int_equal(wire_session_end_decode(span_of(buffer, size + 1), &number, &session),
                     ERR_TRAILING);
    buffer[16] = 1;
    assert_int_equal(wire_session_end_decode(span_of(buffer, size), &number, &session),
                     ERR_RESERVED);
    buffer[16] = 0;
    assert_int_equal(wire_session_end_decode(span_of(buffer, size), &number, &session), OK);
    assert_true(number == 12 && session == 34);
}

static void test_wire_sessions_keep_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(WIRE_PATH_REPLY, 51);
    assert_int_equal(WIRE_SESSION_END_REPLY, 55);
    assert_true(wire_type_is_question(WIRE_SESSIONS) && wire_type_is_question(WIRE_SESSION_END));
    assert_false(wire_type_is_question(WIRE_SESSIONS_REPLY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_sessions_question_round_trip),
        cmocka_unit_test(test_wire_sessions_page_round_trip),
        cmocka_unit_test(test_wire_sessions_page_names_each_fault),
        cmocka_unit_test(test_wire_session_end_round_trip),
        cmocka_unit_test(test_wire_sessions_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
