/* Budgets that fill again at an even pace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/budget.h"

#define NOW_NS UINT64_C(5000000000)

static void test_budget_is_whole_at_first(void **state)
{
    (void)state;
    assert_int_equal(budget_owed_ns(0, NOW_NS), 0);
    assert_int_equal(budget_owed_ns(NOW_NS, NOW_NS), 0);
    assert_int_equal(budget_owed_ns(NOW_NS + 7, NOW_NS), 7);
}

/* Time in which a budget was whole is not saved up. */
static void test_budget_fills_no_further_than_whole(void **state)
{
    (void)state;
    uint64_t whole_ns = budget_spend_ns(3, NOW_NS, 100);
    assert_int_equal(whole_ns, NOW_NS + 100);
    whole_ns = budget_spend_ns(whole_ns, NOW_NS + 40, 100);
    assert_int_equal(whole_ns, NOW_NS + 200);
    assert_int_equal(budget_owed_ns(whole_ns, NOW_NS + 40), 160);
    assert_int_equal(budget_spend_ns(whole_ns, NOW_NS + 1000, 1), NOW_NS + 1001);
}

static void test_budget_costs_what_the_rate_says(void **state)
{
    (void)state;
    assert_int_equal(budget_cost_ns(3, 1000), 3000000);
    assert_int_equal(budget_cost_ns(UINT64_C(4) << 20, UINT64_C(1) << 20), UINT64_C(4000000000));
    assert_int_equal(budget_cost_ns(0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_is_whole_at_first),
        cmocka_unit_test(test_budget_fills_no_further_than_whole),
        cmocka_unit_test(test_budget_costs_what_the_rate_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
