/* Questions for lists, and pages: what is written is read back, nothing else is read, and a page is
 * never much larger than its question. */
#include "wire/wire_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/le.h"

static uint8_t buffer[8192];

static struct wire_list question(void)
{
    return (struct wire_list){.number = 7,
                              .min_index = 8,
                              .timeout_us = 9,
                              .max_age_us = 10,
                              .page_bytes = LIST_PAGE_BYTES_MAX,
                              .is_consistent = true,
                              .has_values = true,
                              .prefix = span_of("user/", 5),
                              .after = span_of("user/\0x", 7)};
}

static struct span encode(const struct wire_list *list)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_list_encode(&writer, list);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void expect_question(const struct wire_list *read)
{
    struct wire_list list = question();
    assert_true(read->number == 7 && read->min_index == 8 && read->timeout_us == 9);
    assert_true(read->max_age_us == 10 && read->page_bytes == LIST_PAGE_BYTES_MAX);
    assert_true(read->is_consistent && read->has_values);
    assert_true(span_is_equal(read->prefix, list.prefix));
    assert_true(span_is_equal(read->after, list.after));
}

static void test_list_is_read_back_and_fills_a_packet(void **state)
{
    (void)state;
    struct wire_list read;
    struct wire_list list = question();
    struct span bytes = encode(&list);
    assert_int_equal(bytes.size_bytes, LIST_QUESTION_BYTES);
    assert_int_equal(wire_list_decode(bytes, &read), OK);
    expect_question(&read);
    size_t kept = wire_list_kept_bytes(&read);
    assert_int_equal(kept, 40 + 5 + 7);
    read = wire_list_of_kept(span_of(buffer, kept));
    expect_question(&read);
}

static void test_list_of_another_form_is_refused(void **state)
{
    (void)state;
    struct wire_list read = {.number = 999};
    struct wire_list list = question();
    struct span bytes = encode(&list);
    static const struct {
        size_t at;
        uint8_t byte;
        enum error error;
    } faults[] = {{28, 4, ERR_RESERVED},  {29, 1, ERR_RESERVED},
                  {34, 1, ERR_RESERVED},  {39, 1, ERR_RESERVED},
                  {52, 1, ERR_RESERVED},  {LIST_QUESTION_BYTES - 1, 1, ERR_RESERVED},
                  {31, 3, ERR_TOO_LARGE}, {33, 3, ERR_TOO_LARGE},
                  {27, 1, ERR_RANGE},     {25, 0, ERR_RANGE}};
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(wire_list_decode(span_of(buffer, size), &read), ERR_SHORT);
    assert_int_equal(wire_list_decode(span_of(buffer, bytes.size_bytes + 1), &read), ERR_TRAILING);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        encode(&list);
        buffer[faults[i].at] = faults[i].byte;
        assert_int_equal(wire_list_decode(bytes, &read), faults[i].error);
    }
    assert_int_equal(read.number, 999);
}

static struct wire_reply head(void)
{
    return (struct wire_reply){
        .number = 7, .incarnation = 3, .node = 2, .applied_index = 40, .term = 5};
}

static struct span page(bool has_more)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct wire_reply reply = head();
    wire_list_reply_begin(&writer, &reply);
    wire_list_reply_add(&writer, &(struct wire_list_entry){.key = span_of("a\0", 2),
                                                           .version = 11,
                                                           .value_size_bytes = 100000});
    wire_list_reply_add(&writer, &(struct wire_list_entry){.key = span_of("b", 1),
                                                           .version = 12,
                                                           .value_size_bytes = 3,
                                                           .is_pending = true,
                                                           .has_value = true,
                                                           .value = span_of("one", 3)});
    struct span last = span_of("bb", 2);
    wire_list_reply_end(&writer, has_more ? &last : NULL);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_list_page_is_read_back(void **state)
{
    (void)state;
    struct wire_list_reply read;
    size_t cursor = 0;
    assert_int_equal(wire_list_reply_decode(page(true), &read), OK);
    assert_true(read.head.number == 7 && read.head.node == 2 && read.head.applied_index == 40);
    assert_true(read.has_more && span_is_equal(read.last, span_of("bb", 2)));
    assert_int_equal(read.entry_count, 2);
    struct wire_list_entry entry = wire_list_entry_decode(read.entries, &cursor);
    assert_true(span_is_equal(entry.key, span_of("a\0", 2)) && entry.version == 11);
    assert_true(!entry.is_pending && !entry.has_value && entry.value_size_bytes == 100000);
    entry = wire_list_entry_decode(read.entries, &cursor);
    assert_true(span_is_equal(entry.key, span_of("b", 1)) && entry.version == 12);
    assert_true(entry.is_pending && entry.has_value);
    assert_true(span_is_equal(entry.value, span_of("one", 3)));
    assert_int_equal(cursor, read.entries.size_bytes);
    assert_int_equal(wire_list_reply_decode(page(false), &read), OK);
    assert_false(read.has_more);
}

static void test_list_page_of_another_form_is_refused(void **state)
{
    (void)state;
    struct wire_list_reply read = {.entry_count = 999};
    struct span bytes = page(true);
    /* Entries begin at 80 and 98; the last key at 118. */
    static const struct {
        size_t at;
        uint8_t byte;
        enum error error;
    } faults[] = {{76, 1, ERR_RESERVED},    {75, 3, ERR_TOO_LARGE}, {74, 255, ERR_SHORT},
                  {72, 1, ERR_TRAILING},    {72, 3, ERR_SHORT},     {94, 4, ERR_RESERVED},
                  {95, 1, ERR_RESERVED},    {93, 3, ERR_TOO_LARGE}, {92, 0, ERR_RANGE},
                  {90, 255, ERR_TOO_LARGE}, {96, 'c', ERR_RANGE},   {118, 'a', ERR_RANGE},
                  {47, 2, ERR_RESERVED}};
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_not_equal(wire_list_reply_decode(span_of(buffer, size), &read), OK);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        bytes = page(true);
        buffer[faults[i].at] = faults[i].byte;
        assert_int_equal(wire_list_reply_decode(bytes, &read), faults[i].error);
    }
    bytes = page(true);
    memset(buffer + bytes.size_bytes, 0, LIST_PAGE_BYTES_MAX);
    assert_int_equal(wire_list_reply_decode(span_of(buffer, LIST_PAGE_BYTES_MAX + 1), &read),
                     ERR_TOO_LARGE);
    assert_int_equal(read.entry_count, 999);
}

static void test_list_refusal_is_a_head_alone(void **state)
{
    (void)state;
    struct wire_list_reply read;
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct wire_reply reply = head();
    reply.status = WIRE_STATUS_OVERLOADED;
    wire_list_reply_begin(&writer, &reply);
    assert_int_equal(writer.size_bytes, WIRE_REPLY_HEADER_SIZE_BYTES);
    assert_int_equal(wire_list_reply_decode(span_of(buffer, writer.size_bytes), &read), OK);
    assert_int_equal(read.head.status, WIRE_STATUS_OVERLOADED);
    buffer[writer.size_bytes] = 0;
    assert_int_equal(wire_list_reply_decode(span_of(buffer, writer.size_bytes + 1), &read),
                     ERR_TRAILING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_is_read_back_and_fills_a_packet),
        cmocka_unit_test(test_list_of_another_form_is_refused),
        cmocka_unit_test(test_list_page_is_read_back),
        cmocka_unit_test(test_list_page_of_another_form_is_refused),
        cmocka_unit_test(test_list_refusal_is_a_head_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
