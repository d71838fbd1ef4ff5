/* The rules of get_last_log hold for good histories; each bad one breaks one rule alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/logs_check.h"

static int setup(void **state)
{
    static struct logs_history logs;
    logs_history_init(&logs);
    *state = &logs;
    return 0;
}

static int teardown(void **state)
{
    logs_history_deinit(*state);
    return 0;
}

/* One call after another, a microsecond each: lines [first, end), which were all there was. */
static struct logs_handout *add(struct logs_history *logs, uint64_t first, uint64_t end)
{
    uint64_t now_ns = 1000 * ((uint64_t)logs->count + 1);
    uint32_t number = logs_history_invoke(logs, &(struct logs_handout){.given = end}, now_ns);
    struct logs_handout *handout = &logs->handouts[number];
    handout->outcome = HISTORY_OK;
    handout->first = first;
    handout->count = end - first;
    handout->return_ns = now_ns + 500;
    return handout;
}

static struct logs_handout *add_lease(struct logs_history *logs, uint64_t first, uint64_t end,
                                      enum history_outcome confirmed)
{
    struct logs_handout *handout = add(logs, first, end);
    handout->is_lease = true;
    handout->confirmed = confirmed;
    handout->confirmed_ns = handout->return_ns + 100;
    return handout;
}

/* A taker that died before it learnt whether the lines were its own. */
static void add_dead(struct logs_history *logs, uint64_t given)
{
    struct logs_handout *handout = add(logs, 0, given);
    handout->outcome = HISTORY_PENDING;
    handout->count = 0;
    handout->is_dead = true;
    handout->return_ns = UINT64_MAX;
}

static enum rule judge(struct logs_history *logs, uint64_t cursor)
{
    struct verdict verdict = {0};
    logs->cursor = cursor;
    logs->is_settled = true;
    logs_history_check(logs, &verdict);
    return verdict.rule;
}

static void test_logs_check_passes_good_histories(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3);
    add(logs, 3, 3); /* nothing new */
    add_lease(logs, 3, 5, HISTORY_MISMATCH);
    add_lease(logs, 3, 6, HISTORY_OK);
    add(logs, 6, 9)->outcome = HISTORY_TIMEOUT;
    add(logs, 6, 10);
    assert_int_equal(judge(logs, 10), RULE_NONE);
}

static void test_logs_check_allows_what_died_with_its_taker(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3);
    add_dead(logs, 5);
    add(logs, 5, 7);
    add_dead(logs, 8);
    assert_int_equal(judge(logs, 8), RULE_NONE);
}

static void test_logs_check_allows_what_nobody_learnt(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3)->outcome = HISTORY_UNKNOWN;
    add_dead(logs, 3);
    add_lease(logs, 3, 5, HISTORY_UNKNOWN);
    add_dead(logs, 6);
    add(logs, 6, 9)->outcome = HISTORY_UNKNOWN;
    add(logs, 6, 7)->outcome = HISTORY_UNKNOWN;
    add(logs, 7, 9)->outcome = HISTORY_UNKNOWN;
    add(logs, 9, 12);
    assert_int_equal(judge(logs, 12), RULE_NONE);
}

static void test_logs_check_breaks_on_a_line_handed_out_twice(void **state)
{
    struct logs_history *logs = *state;
    struct logs_handout *first = add(logs, 0, 3);
    struct logs_handout *second = add(logs, 2, 5);
    second->invoke_ns = first->invoke_ns; /* at the same time */
    assert_int_equal(judge(logs, 5), RULE_LOGS_ONCE);
}

static void test_logs_check_breaks_on_a_lease_after_the_confirmation(void **state)
{
    struct logs_history *logs = *state;
    add_lease(logs, 0, 3, HISTORY_OK);
    add_lease(logs, 0, 4, HISTORY_MISMATCH);
    add(logs, 3, 5);
    assert_int_equal(judge(logs, 5), RULE_LOGS_ONCE);
}

static void test_logs_check_breaks_on_two_confirmed_leases(void **state)
{
    struct logs_history *logs = *state;
    add_lease(logs, 0, 3, HISTORY_OK)->confirmed_ns = 9000;
    add_lease(logs, 0, 4, HISTORY_OK)->confirmed_ns = 9001;
    assert_int_equal(judge(logs, 4), RULE_LOGS_LEASE);
}

static void test_logs_check_breaks_on_less_than_the_suffix(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3)->given = 4;
    add(logs, 3, 5);
    assert_int_equal(judge(logs, 5), RULE_LOGS_SUFFIX);
}

static void test_logs_check_breaks_on_lines_for_nobody(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3);
    add_dead(logs, 4);
    add(logs, 5, 7);
    assert_int_equal(judge(logs, 7), RULE_LOGS_WHOLE);
}

static void test_logs_check_breaks_on_a_last_line_for_nobody(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3);
    assert_int_equal(judge(logs, 4), RULE_LOGS_WHOLE);
}

static void test_logs_check_breaks_on_a_cursor_that_is_behind(void **state)
{
    struct logs_history *logs = *state;
    add(logs, 0, 3);
    assert_int_equal(judge(logs, 2), RULE_LOGS_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_logs_check_passes_good_histories),
        TEST(test_logs_check_allows_what_died_with_its_taker),
        TEST(test_logs_check_allows_what_nobody_learnt),
        TEST(test_logs_check_breaks_on_a_line_handed_out_twice),
        TEST(test_logs_check_breaks_on_a_lease_after_the_confirmation),
        TEST(test_logs_check_breaks_on_two_confirmed_leases),
        TEST(test_logs_check_breaks_on_less_than_the_suffix),
        TEST(test_logs_check_breaks_on_lines_for_nobody),
        TEST(test_logs_check_breaks_on_a_last_line_for_nobody),
        TEST(test_logs_check_breaks_on_a_cursor_that_is_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
