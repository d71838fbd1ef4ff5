/* Timestamps at the beginning of lines: what is taken for one, and which instant it is. */
#include "client/logs_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS INT64_C(1000000000)

static size_t parse(enum plx_logs_format format, const char *line, int64_t *ret_timestamp)
{
    return logs_timestamp_parse(format, span_of(line, strlen(line)), ret_timestamp);
}

static void test_logs_text_reads_rfc_3339(void **state)
{
    (void)state;
    /* Instants of the examples of RFC 3339 section 5.8, and of the ends of the calendar's rules. */
    static const struct {
        const char *line;
        size_t size;
        int64_t timestamp;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 20, 0},
        {"1970-01-01t00:00:00.000000001z begin", 30, 1},
        {"1985-04-12T23:20:50.52Z", 23, 482196050 * SECOND_NS + 520000000},
        {"1996-12-19T16:39:57-08:00\tx", 25, 851042397 * SECOND_NS},
        {"1937-01-01T12:00:27.87+00:20", 28, -1041337173 * SECOND_NS + 870000000},
        {"2000-02-29 00:00:00Z", 20, 951782400 * SECOND_NS},
        {"2100-03-01T00:00:00Z", 20, 4107542400 * SECOND_NS},
        {"2026-01-31T23:59:59.1234567899Z", 31, 1769903999 * SECOND_NS + 123456789},
        {"1990-12-31T23:59:60Z", 20, 662687999 * SECOND_NS + 999999999},
        {"1990-12-31T15:59:60.2-08:00", 27, 662687999 * SECOND_NS + 999999999},
        {"1678-01-01T00:00:00Z", 20, -9214560000 * SECOND_NS},
        {"2261-12-31T23:59:59Z", 20, 9214646399 * SECOND_NS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t timestamp = -7;
        assert_int_equal(parse(PLX_LOGS_RFC3339, cases[i].line, &timestamp), cases[i].size);
        assert_true(timestamp == cases[i].timestamp);
    }
}

static void test_logs_text_refuses_what_is_no_rfc_3339(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "hello",
        "2026-01-31T23:59:59",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59Zx",
        "2026-01-31T23:59:59.5",
        "2026-01-31T23:59:59+1:00",
        "2026-01-31T23:59:59+24:00",
        "2026-01-31T23:59:59+01:60",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:60:00Z",
        "2026-01-31T23:59:61Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-13-10T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "1677-12-31T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "2026-01-31_23:59:59Z",
        " 2026-01-31T23:59:59Z",
        "2026-1-31T23:59:59Z",
        "1769903999 x",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        int64_t timestamp = -7;
        assert_int_equal(parse(PLX_LOGS_RFC3339, lines[i], &timestamp), 0);
        assert_true(timestamp == -7);
    }
}

static void test_logs_text_reads_integers_of_64_bits(void **state)
{
    (void)state;
    int64_t timestamp;
    assert_int_equal(parse(PLX_LOGS_INTEGER, "0", &timestamp), 1);
    assert_true(timestamp == 0);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "-17 payload", &timestamp), 3);
    assert_true(timestamp == -17);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "9223372036854775807\t", &timestamp), 19);
    assert_true(timestamp == INT64_MAX);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "-9223372036854775808", &timestamp), 20);
    assert_true(timestamp == INT64_MIN);
    static const char *const wrong[] = {"",    "-",   "+1",  "1x",  "9223372036854775808",
                                        "1.5", " 12", "x12", "--1", "-9223372036854775809"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(PLX_LOGS_INTEGER, wrong[i], &timestamp), 0);
}

static void test_logs_text_may_end_its_lines_with_cr_lf(void **state)
{
    (void)state;
    int64_t timestamp;
    assert_int_equal(parse(PLX_LOGS_INTEGER, "17\r", &timestamp), 2);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "17 x\r", &timestamp), 2);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "17\rx", &timestamp), 0);
    assert_int_equal(parse(PLX_LOGS_INTEGER, "\r", &timestamp), 0);
    assert_int_equal(parse(PLX_LOGS_RFC3339, "2026-01-31T23:59:59Z\r", &timestamp), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_text_reads_rfc_3339),
        cmocka_unit_test(test_logs_text_refuses_what_is_no_rfc_3339),
        cmocka_unit_test(test_logs_text_reads_integers_of_64_bits),
        cmocka_unit_test(test_logs_text_may_end_its_lines_with_cr_lf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
