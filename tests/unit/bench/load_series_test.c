/* The files that plotters read. */
#include "bench/load_series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char path[] = "/tmp/load_series_XXXXXX";
static char text[8192];

static int path_make(void **state)
{
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int path_remove(void **state)
{
    (void)state;
    return unlink(path);
}

static void text_read(void)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
}

static void test_load_series_has_a_row_a_second(void **state)
{
    (void)state;
    struct load_result result;
    assert_int_equal(load_result_init(&result, 2), OK);
    result.seconds[0] = (struct load_second){.offered = 5, .finished = 4, .own_second = 3};
    histogram_record(&result.seconds[0].latencies, 8000);
    assert_int_equal(load_series_append_csv(path, 0, &result), OK);
    assert_int_equal(load_series_append_csv(path, 2, &result), OK);
    text_read();
    assert_string_equal(text, "second,offered,finished,own_second,p50_us,p99_us,max_us\n"
                              "0,5,4,3,8.0,8.0,8.0\n"
                              "1,0,0,0,0.0,0.0,0.0\n"
                              "2,5,4,3,8.0,8.0,8.0\n"
                              "3,0,0,0,0.0,0.0,0.0\n");
    load_result_deinit(&result);
}

static void test_load_series_writes_percentiles_as_hdrhistogram(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint64_t i = 1; i <= 4; i++) {
        histogram_record(&histogram, i);
    }
    assert_int_equal(load_series_write_hgrm(path, &histogram), OK);
    text_read();
    /* Steps of 10 % up to one half, of 5 % up to three quarters, of 2.5 % from there. */
    assert_string_equal(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                              "\n"
                              "       0.001 0.000000000000          1           1.00\n"
                              "       0.001 0.100000000000          1           1.11\n"
                              "       0.001 0.200000000000          1           1.25\n"
                              "       0.002 0.300000000000          2           1.43\n"
                              "       0.002 0.400000000000          2           1.67\n"
                              "       0.002 0.500000000000          2           2.00\n"
                              "       0.003 0.550000000000          3           2.22\n"
                              "       0.003 0.600000000000          3           2.50\n"
                              "       0.003 0.650000000000          3           2.86\n"
                              "       0.003 0.700000000000          3           3.33\n"
                              "       0.003 0.750000000000          3           4.00\n"
                              "       0.004 0.775000000000          4           4.44\n"
                              "       0.004 1.000000000000          4\n"
                              "#[Mean    =        0.003, StdDeviation   =        0.001]\n"
                              "#[Max     =        0.004, Total count    =            4]\n"
                              "#[Buckets =           37, SubBuckets     =           64]\n");
}

static void test_load_series_writes_no_percentiles_of_nothing(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    assert_int_equal(load_series_write_hgrm(path, &histogram), OK);
    text_read();
    assert_non_null(strstr(text, "Total count    =            0"));
}

static void test_load_series_says_when_it_cannot_write(void **state)
{
    (void)state;
    struct histogram histogram;
    struct load_result result = {.second_count = 0};
    histogram_init(&histogram);
    assert_int_equal(load_series_append_csv("/nonexistent/file", 0, &result), ERR_IO);
    assert_int_equal(load_series_write_hgrm("/nonexistent/file", &histogram), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_series_has_a_row_a_second),
        cmocka_unit_test(test_load_series_writes_percentiles_as_hdrhistogram),
        cmocka_unit_test(test_load_series_writes_no_percentiles_of_nothing),
        cmocka_unit_test(test_load_series_says_when_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, path_make, path_remove);
}
