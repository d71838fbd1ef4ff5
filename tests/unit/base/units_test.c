/* Durations and sizes as text (base/units.h). */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S UINT64_C(1000000000)

static void test_units_print_durations(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0us"},
                 {999, "0us"},
                 {9999999, "9999us"},
                 {10000000, "10ms"},
                 {9999 * S / 1000, "9999ms"},
                 {10 * S, "10s"},
                 {599 * S, "599s"},
                 {600 * S, "10min"},
                 {36000 * S, "10h"},
                 {UINT64_MAX - 1, "5124095h"},
                 {UINT64_MAX, "never"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_BYTES];
        assert_string_equal(units_duration(cases[i].ns, text), cases[i].text);
    }
}

static void test_units_print_sizes_exactly(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0B"},
                 {1023, "1023B"},
                 {1024, "1KiB"},
                 {UINT64_C(512) << 20, "512MiB"},
                 {(UINT64_C(1) << 30) + 1, "1073741825B"},
                 {UINT64_C(3) << 42, "12288GiB"},
                 {UINT64_MAX, "18446744073709551615B"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[UNITS_TEXT_BYTES];
        assert_string_equal(units_size(cases[i].bytes, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_print_durations),
        cmocka_unit_test(test_units_print_sizes_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
