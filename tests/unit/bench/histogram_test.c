/* The log-linear histogram: exact where it is linear, close where it is not, never below. */
#include "bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct histogram histogram;

static int setup(void **state)
{
    (void)state;
    histogram_init(&histogram);
    return 0;
}

static void test_histogram_of_nothing_is_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 500000), 0);
    assert_int_equal(histogram.max, 0);
}

static void test_histogram_is_exact_for_small_values(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 100; value++) {
        histogram_record(&histogram, value);
    }
    assert_int_equal(histogram_quantile(&histogram, 10000), 0);
    assert_int_equal(histogram_quantile(&histogram, 500000), 49);
    assert_int_equal(histogram_quantile(&histogram, 1000000), 99);
}

static void test_histogram_is_close_for_every_value(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < (uint64_t)1 << 41; value = value * 5 / 4 + 1) {
        histogram_init(&histogram);
        histogram_record(&histogram, value);
        histogram_record(&histogram, value * 3);
        uint64_t median = histogram_quantile(&histogram, 500000);
        assert_true(median >= value);
        assert_true(median <= value + value / 64 + 1);
        assert_int_equal(histogram_quantile(&histogram, 1000000), value * 3);
    }
}

static void test_histogram_counts_what_is_too_large(void **state)
{
    (void)state;
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram.total, 1);
    assert_int_equal(histogram.max, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 500000) > (uint64_t)1 << 42);
}

static void test_histogram_merges(void **state)
{
    (void)state;
    static struct histogram other;
    histogram_init(&other);
    for (uint64_t value = 0; value < 50; value++) {
        histogram_record(&histogram, value);
        histogram_record(&other, 1000 + value);
    }
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.total, 100);
    assert_int_equal(histogram.max, 1049);
    assert_int_equal(histogram_quantile(&histogram, 500000), 49);
    assert_in_range(histogram_quantile(&histogram, 510000), 1000, 1016);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_histogram_of_nothing_is_zero, setup),
        cmocka_unit_test_setup(test_histogram_is_exact_for_small_values, setup),
        cmocka_unit_test_setup(test_histogram_is_close_for_every_value, setup),
        cmocka_unit_test_setup(test_histogram_counts_what_is_too_large, setup),
        cmocka_unit_test_setup(test_histogram_merges, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
