/* What a load of relaxed sets writes down. */
#include "bench/load_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void note(struct load_record *record, enum plx_outcome outcome, uint64_t journal_seq,
                 uint64_t value_number)
{
    const struct plx_response response = {.outcome = outcome, .version = journal_seq};
    load_record_note(record, value_number, &response);
}

static void test_load_record_keeps_the_newest_acknowledged(void **state)
{
    (void)state;
    struct load_record record = {0};
    note(&record, PLX_OK, 5, 1);
    note(&record, PLX_OK, 9, 2);
    note(&record, PLX_OK, 7, 3); /* answered later, accepted earlier */
    note(&record, PLX_E_OVERLOADED, 0, 4);
    assert_int_equal(record.value_number, 2);
    assert_false(record.is_open);
    note(&record, PLX_UNKNOWN, 0, 5);
    assert_true(record.is_open);
}

static void test_load_record_writes_pairs(void **state)
{
    (void)state;
    char path[] = "/tmp/load_record_XXXXXX";
    struct load_record records[4] = {{0}};
    const struct load_options options = {
        .prefix = "p/", .keys = 4, .value_size = LOAD_NUMBER_BYTES + 2, .record = path};
    char text[256] = "";
    uint64_t count = 0;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    note(&records[1], PLX_OK, 5, 17);
    note(&records[2], PLX_OK, 6, 18);
    note(&records[2], PLX_UNKNOWN, 0, 19);
    note(&records[3], PLX_OK, 7, 20);
    assert_int_equal(load_record_write(records, &options, &count), OK);
    assert_int_equal(count, 2);
    assert_true(read(descriptor, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "p/00000001\t00000000000000000017vv\n"
                              "p/00000003\t00000000000000000020vv\n");
    close(descriptor);
    unlink(path);
}

static void test_load_record_reads_the_number_of_a_value(void **state)
{
    (void)state;
    uint8_t value[LOAD_NUMBER_BYTES + 2] = {0};
    uint64_t number = 0;
    load_record_value(17, value);
    assert_false(load_record_number(value, sizeof(value), &number)); /* the rest is not 'v' */
    assert_false(load_record_number(value, LOAD_NUMBER_BYTES - 1, &number));
    assert_true(load_record_number(value, LOAD_NUMBER_BYTES, &number));
    assert_int_equal(number, 17);
    value[3] = 'x';
    assert_false(load_record_number(value, LOAD_NUMBER_BYTES, &number));
}

static void test_load_record_says_when_it_cannot_write(void **state)
{
    (void)state;
    struct load_record record = {0};
    const struct load_options options = {.prefix = "", .record = "/nonexistent/file"};
    uint64_t count = 0;
    assert_int_equal(load_record_write(&record, &options, &count), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_record_keeps_the_newest_acknowledged),
        cmocka_unit_test(test_load_record_writes_pairs),
        cmocka_unit_test(test_load_record_reads_the_number_of_a_value),
        cmocka_unit_test(test_load_record_says_when_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
