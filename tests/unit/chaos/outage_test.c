/* Gaps between answers, and the wait after a mending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chaos/outage.h"

#define MS UINT64_C(1000000)

static struct history_op answer(uint64_t at_ms)
{
    return (struct history_op){.type = HISTORY_SET, .outcome = HISTORY_OK, .return_ns = at_ms * MS};
}

static void test_outage_measures_gaps_and_mendings(void **state)
{
    (void)state;
    struct history_op ops[] = {answer(1000), answer(1010), answer(3010),
                               answer(1310), answer(3020), answer(3520)};
    struct history history = {.ops = ops, .count = sizeof(ops) / sizeof(ops[0])};
    uint64_t calms_ns[] = {1005 * MS, 3000 * MS, 9000 * MS};
    struct outage_report report;
    outage_measure(&history, calms_ns, 3, &report);
    assert_true(report.answered_count == 6);
    assert_int_equal(report.count, 3); /* 300, 1700 and 500 ms */
    assert_true(report.p50_ns == 500 * MS);
    assert_true(report.max_ns == 1700 * MS);
    assert_true(report.total_ns == 2500 * MS);
    assert_int_equal(report.mended_count, 2);
    assert_true(report.mended_max_ns == 10 * MS);
}

static void test_outage_counts_only_consistent_answers(void **state)
{
    (void)state;
    struct history_op ops[] = {answer(1000), answer(1150), answer(1300), answer(1450),
                               answer(1600)};
    ops[1].type = HISTORY_RELAXED_GET;
    ops[2].outcome = HISTORY_TIMEOUT;
    ops[3].outcome = HISTORY_UNKNOWN;
    struct history history = {.ops = ops, .count = sizeof(ops) / sizeof(ops[0])};
    struct outage_report report;
    outage_measure(&history, NULL, 0, &report);
    assert_true(report.answered_count == 2);
    assert_true(report.max_ns == 600 * MS);
}

static void test_outage_of_nothing_is_none(void **state)
{
    (void)state;
    struct history history = {.ops = NULL};
    struct outage_report report;
    outage_measure(&history, NULL, 0, &report);
    assert_true(report.count == 0 && report.max_ns == 0 && report.mended_count == 0);
}

/* From 950 ms on the first is being fenced: one get began before that, one ended after it. */
static void test_outage_tells_unknowns_that_nobody_was_served_beside(void **state)
{
    (void)state;
    struct history_op ops[] = {answer(0), answer(960), answer(1460), answer(0), answer(1200)};
    ops[0] = (struct history_op){.type = HISTORY_SWAP,
                                 .outcome = HISTORY_UNKNOWN,
                                 .invoke_ns = 900 * MS,
                                 .return_ns = 1450 * MS};
    ops[1].invoke_ns = 940 * MS;
    ops[2].invoke_ns = 1000 * MS;
    ops[3] = ops[0];
    ops[3].invoke_ns += 1000 * MS;
    ops[3].return_ns += 1000 * MS;
    ops[4].invoke_ns = 1100 * MS;
    ops[4].type = HISTORY_RELAXED_GET;
    struct history history = {.ops = ops, .count = sizeof(ops) / sizeof(ops[0])};
    struct outage_unknown unknown;
    outage_judge_unknown(&history, 500 * MS, &unknown);
    assert_int_equal(unknown.count, 2);
    assert_int_equal(unknown.served_count, 0);
    ops[4].type = HISTORY_GET;
    outage_judge_unknown(&history, 500 * MS, &unknown);
    assert_int_equal(unknown.count, 2);
    assert_int_equal(unknown.served_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outage_measures_gaps_and_mendings),
        cmocka_unit_test(test_outage_counts_only_consistent_answers),
        cmocka_unit_test(test_outage_of_nothing_is_none),
        cmocka_unit_test(test_outage_tells_unknowns_that_nobody_was_served_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
