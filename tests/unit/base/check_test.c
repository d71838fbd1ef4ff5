/* CHECK stops the process and names the place; what holds passes without a trace. */
#include "base/check.h"
#include "tests/unit/base/abort_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_value(void *context)
{
    const int *value = context;
    CHECK(*value == 1);
}

static void dcheck_value(void *context)
{
    const int *value = context;
    DCHECK(*value == 1);
    (void)value;
}

static void test_check_passes_what_holds_and_aborts_on_the_rest(void **state)
{
    (void)state;
    int value = 1;
    assert_false(does_abort(check_value, &value));
    value = 2;
    assert_true(does_abort(check_value, &value));
}

static void test_dcheck_is_on_in_debug_builds_only(void **state)
{
    (void)state;
    int value = 2;
#ifdef POLLUX_DEBUG
    assert_true(does_abort(dcheck_value, &value));
#else
    assert_false(does_abort(dcheck_value, &value));
#endif
}

static void test_dcheck_that_is_off_evaluates_nothing(void **state)
{
    (void)state;
    int evaluations_count = 0;
    DCHECK(++evaluations_count == 1);
#ifdef POLLUX_DEBUG
    assert_int_equal(evaluations_count, 1);
#else
    assert_int_equal(evaluations_count, 0);
#endif
}

static void test_check_names_file_line_and_condition(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        check_failed("base/ring.c", 17, "capacity > 0");
    }
    close(ends[1]);
    char text[256] = {0};
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_string_equal(text, "base/ring.c:17: CHECK failed: capacity > 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_passes_what_holds_and_aborts_on_the_rest),
        cmocka_unit_test(test_dcheck_is_on_in_debug_builds_only),
        cmocka_unit_test(test_dcheck_that_is_off_evaluates_nothing),
        cmocka_unit_test(test_check_names_file_line_and_condition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
