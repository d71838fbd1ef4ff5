/* The limit of open files: raised where that is allowed, otherwise refused with the numbers. */
#include "bench/load_descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

static struct rlimit limit_now(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit;
}

static void soft_limit_set(rlim_t soft)
{
    struct rlimit limit = limit_now();
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_load_descriptors_raise_the_soft_limit(void **state)
{
    (void)state;
    struct rlimit before = limit_now();
    char reason[256] = "";
    soft_limit_set(128);
    assert_int_equal(load_descriptors_raise(100, reason, sizeof(reason)), OK);
    assert_int_equal(limit_now().rlim_cur, 100 + LOAD_DESCRIPTORS_SPARE);
    soft_limit_set(before.rlim_cur);
}

static void test_load_descriptors_leave_a_higher_limit(void **state)
{
    (void)state;
    struct rlimit before = limit_now();
    char reason[256] = "";
    soft_limit_set(512);
    assert_int_equal(load_descriptors_raise(100, reason, sizeof(reason)), OK);
    assert_int_equal(limit_now().rlim_cur, 512);
    soft_limit_set(before.rlim_cur);
}

/* Lowers the hard limit for good: the last test. */
static void test_load_descriptors_name_what_is_missing(void **state)
{
    (void)state;
    char reason[256] = "";
    struct rlimit low = {.rlim_cur = 200, .rlim_max = 1000};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(load_descriptors_raise(10000, reason, sizeof(reason)), ERR_ARGUMENT);
    assert_int_equal(limit_now().rlim_cur, 200);
    assert_non_null(strstr(reason, "10000 clients need 10064 open files"));
    assert_non_null(strstr(reason, "hard limit is 1000"));
    assert_non_null(strstr(reason, "lower --clients"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_descriptors_raise_the_soft_limit),
        cmocka_unit_test(test_load_descriptors_leave_a_higher_limit),
        cmocka_unit_test(test_load_descriptors_name_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
