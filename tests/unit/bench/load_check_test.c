/* What may be stored after a load, and what was lost. */
#include "bench/load_check.h"

#include "bench/load_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>

#define VALUE_BYTES (LOAD_NUMBER_BYTES + 3)

static void write_ends(struct load_check *check, uint64_t number, enum plx_outcome outcome)
{
    load_check_begin(check, number);
    assert_false(load_check_is_free(check));
    load_check_end(check, outcome);
}

static enum load_finding judge(const struct load_check *check, uint64_t number)
{
    uint8_t value[VALUE_BYTES];
    memset(value, 'v', sizeof(value));
    load_record_value(number, value);
    const struct plx_response response = {
        .outcome = PLX_OK, .has_value = true, .value = {value, sizeof(value)}};
    return load_check_judge(check, VALUE_BYTES, &response);
}

static void test_load_check_expects_the_newest_acknowledged(void **state)
{
    (void)state;
    struct load_check check = {0};
    assert_false(load_check_is_due(&check));
    write_ends(&check, 5, PLX_OK);
    write_ends(&check, 6, PLX_OK);
    assert_true(load_check_is_due(&check));
    assert_true(load_check_is_free(&check));
    assert_int_equal(judge(&check, 6), CHECK_KEPT);
    assert_int_equal(judge(&check, 5), CHECK_LOST);
    assert_int_equal(judge(&check, 7), CHECK_LOST);
}

static void test_load_check_takes_a_timeout_at_its_word(void **state)
{
    (void)state;
    struct load_check check = {0};
    write_ends(&check, 5, PLX_OK);
    write_ends(&check, 6, PLX_TIMEOUT);
    write_ends(&check, 7, PLX_E_OVERLOADED);
    assert_int_equal(judge(&check, 5), CHECK_KEPT);
    assert_int_equal(judge(&check, 6), CHECK_LOST);
    assert_int_equal(judge(&check, 7), CHECK_LOST);
}

static void test_load_check_allows_the_unknown(void **state)
{
    (void)state;
    struct load_check check = {0};
    write_ends(&check, 5, PLX_OK);
    write_ends(&check, 6, PLX_UNKNOWN);
    assert_false(load_check_is_free(&check)); /* or the 6 could come over a later write */
    assert_int_equal(judge(&check, 5), CHECK_KEPT);
    assert_int_equal(judge(&check, 6), CHECK_KEPT);
    assert_int_equal(judge(&check, 4), CHECK_LOST);
}

static void test_load_check_closes_what_is_in_flight(void **state)
{
    (void)state;
    struct load_check check = {0};
    write_ends(&check, 5, PLX_OK);
    load_check_close(&check);
    assert_true(load_check_is_free(&check));
    load_check_begin(&check, 6);
    load_check_close(&check);
    assert_int_equal(judge(&check, 5), CHECK_KEPT);
    assert_int_equal(judge(&check, 6), CHECK_KEPT);
}

static void test_load_check_forgets_what_was_not_sent(void **state)
{
    (void)state;
    struct load_check check = {0};
    load_check_begin(&check, 5);
    load_check_cancel(&check);
    assert_true(load_check_is_free(&check));
    assert_false(load_check_is_due(&check));
    write_ends(&check, 6, PLX_OK);
    load_check_retire(&check);
    assert_false(load_check_is_free(&check));
    assert_int_equal(judge(&check, 6), CHECK_KEPT);
}

static void test_load_check_notices_what_is_gone_or_damaged(void **state)
{
    (void)state;
    struct load_check check = {0};
    uint8_t value[VALUE_BYTES];
    struct plx_response response = {.outcome = PLX_NOT_FOUND};
    write_ends(&check, 5, PLX_OK);
    assert_int_equal(load_check_judge(&check, VALUE_BYTES, &response), CHECK_LOST);
    memset(value, 'v', sizeof(value));
    load_record_value(5, value);
    value[VALUE_BYTES - 1] = 'w';
    response = (struct plx_response){
        .outcome = PLX_OK, .has_value = true, .value = {value, sizeof(value)}};
    assert_int_equal(load_check_judge(&check, VALUE_BYTES, &response), CHECK_LOST);
    response.value.size_bytes = VALUE_BYTES - 1;
    assert_int_equal(load_check_judge(&check, VALUE_BYTES, &response), CHECK_LOST);
    response = (struct plx_response){.outcome = PLX_TIMEOUT};
    assert_int_equal(load_check_judge(&check, VALUE_BYTES, &response), CHECK_UNREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_check_expects_the_newest_acknowledged),
        cmocka_unit_test(test_load_check_takes_a_timeout_at_its_word),
        cmocka_unit_test(test_load_check_allows_the_unknown),
        cmocka_unit_test(test_load_check_closes_what_is_in_flight),
        cmocka_unit_test(test_load_check_forgets_what_was_not_sent),
        cmocka_unit_test(test_load_check_notices_what_is_gone_or_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
