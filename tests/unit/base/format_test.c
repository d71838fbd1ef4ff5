/* The table of formats: what a release has written is never given another meaning. */
#include "base/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_format_zero_is_what_was_released(void **state)
{
    (void)state;
    const struct format_versions *versions = format_versions(0);
    assert_int_equal(versions->packet, 9);
    assert_int_equal(versions->log, 2);
    assert_int_equal(versions->snapshot, 1);
    assert_int_equal(versions->configuration, 3);
}

static void test_format_one_is_what_was_released(void **state)
{
    (void)state;
    const struct format_versions *versions = format_versions(1);
    assert_int_equal(versions->packet, 10);
    assert_int_equal(versions->log, 3);
    assert_int_equal(versions->snapshot, 2);
    assert_int_equal(versions->configuration, 4);
}

/* A later format has no lower version of anything: an older program refuses what it does not know
 * by the number alone. */
static void test_format_versions_never_fall(void **state)
{
    (void)state;
    for (uint32_t format = 1; format <= FORMAT_KNOWN; format++) {
        const struct format_versions *before = format_versions(format - 1);
        const struct format_versions *after = format_versions(format);
        assert_true(after->packet >= before->packet);
        assert_true(after->log > before->log); /* so that an older program opens no file of it */
        assert_true(after->snapshot >= before->snapshot);
        assert_true(after->configuration > before->configuration);
    }
}

static void test_format_is_found_by_the_version_of_a_file(void **state)
{
    (void)state;
    uint32_t format = 99;
    assert_true(format_of(FORMAT_LOG, 2, FORMAT_KNOWN, &format));
    assert_int_equal(format, 0);
    assert_true(format_of(FORMAT_LOG, 3, FORMAT_KNOWN, &format));
    assert_int_equal(format, 1);
    assert_true(format_of(FORMAT_SNAPSHOT, 2, FORMAT_KNOWN, &format));
    assert_int_equal(format, 1);
    format = 99;
    assert_false(format_of(FORMAT_LOG, 3, 0, &format)); /* as an older program */
    assert_false(format_of(FORMAT_LOG, 1, FORMAT_KNOWN, &format));
    assert_false(format_of(FORMAT_LOG, 4, FORMAT_KNOWN, &format));
    assert_false(format_of(FORMAT_SNAPSHOT, 2, 0, &format));
    assert_false(format_of(FORMAT_SNAPSHOT, 3, FORMAT_KNOWN, &format));
    assert_int_equal(format, 99); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_zero_is_what_was_released),
        cmocka_unit_test(test_format_one_is_what_was_released),
        cmocka_unit_test(test_format_versions_never_fall),
        cmocka_unit_test(test_format_is_found_by_the_version_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
