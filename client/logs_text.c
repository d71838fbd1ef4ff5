/*
 * The timestamp that begins a line: RFC 3339 section 5.6, as nanoseconds since 1970, or a decimal
 * integer. Digits of a fraction beyond nanoseconds are dropped, and a leap second counts as the
 * last nanosecond before it ends: neither turns the order of lines around.
 */
#include "client/logs_internal.h"

#define SECOND_NS       INT64_C(1000000000)
#define DAY_SECONDS     86400
#define DATE_TIME_SIZE  19 /* 2026-01-31T23:59:59 */
#define FRACTION_DIGITS 9
#define YEAR_MIN        1678 /* all of these years fit into 64 bits of nanoseconds */
#define YEAR_MAX        2261
#define YEARS_OF_ERA    400
#define DAYS_OF_ERA     146097
#define DAYS_TO_1970    719468 /* from March 1st of the year 0 */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* `count` digits at `at`; the line is long enough. */
static bool digits_parse(const uint8_t *at, size_t count, int *ret_value)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(at[i]))
            return false;
        value = value * 10 + (at[i] - '0');
    }
    *ret_value = value;
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970 of the proleptic Gregorian calendar: years begin in March, so that the day that
 * leap years add is the last. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / YEARS_OF_ERA;
    int year_of_era = y % YEARS_OF_ERA;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * DAYS_OF_ERA + day_of_era - DAYS_TO_1970;
}

/* "2026-01-31T23:59:59" as seconds since 1970, not counting leap seconds. */
static bool date_time_parse(const uint8_t *at, int64_t *ret_seconds, bool *ret_is_leap_second)
{
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    if (!digits_parse(at, 4, &year) || at[4] != '-' || !digits_parse(at + 5, 2, &month) ||
        at[7] != '-' || !digits_parse(at + 8, 2, &day) || at[13] != ':' ||
        !digits_parse(at + 11, 2, &hour) || !digits_parse(at + 14, 2, &minute) || at[16] != ':' ||
        !digits_parse(at + 17, 2, &second))
        return false;
    if (at[10] != 'T' && at[10] != 't' && at[10] != ' ')
        return false;
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_is_leap_second = second == 60;
    *ret_seconds = days_of(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 +
                   (second == 60 ? 59 : second);
    return true;
}

/* ".123" if it is there; the bytes that it takes, SIZE_MAX when it is wrong. */
static size_t fraction_parse(struct span rest, int64_t *ret_ns)
{
    int64_t ns = 0;
    int64_t unit = SECOND_NS / 10;
    size_t size = 1;
    *ret_ns = 0;
    if (rest.size_bytes == 0 || rest.data[0] != '.')
        return 0;
    for (; size < rest.size_bytes && is_digit(rest.data[size]); size++) {
        if (size <= FRACTION_DIGITS)
            ns += (rest.data[size] - '0') * unit;
        unit /= 10;
    }
    *ret_ns = ns;
    return size == 1 ? SIZE_MAX : size;
}

/* "Z" or "+01:00"; the bytes that it takes, 0 when it is neither. */
static size_t offset_parse(struct span rest, int64_t *ret_seconds)
{
    int hours;
    int minutes;
    if (rest.size_bytes >= 1 && (rest.data[0] == 'Z' || rest.data[0] == 'z')) {
        *ret_seconds = 0;
        return 1;
    }
    if (rest.size_bytes < 6 || (rest.data[0] != '+' && rest.data[0] != '-') ||
        !digits_parse(rest.data + 1, 2, &hours) || rest.data[3] != ':' ||
        !digits_parse(rest.data + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return 0;
    *ret_seconds = (rest.data[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return 6;
}

static struct span span_behind(struct span span, size_t size_bytes)
{
    return span_of(span.data + size_bytes, span.size_bytes - size_bytes);
}

static size_t rfc3339_parse(struct span line, int64_t *ret_timestamp)
{
    int64_t seconds;
    int64_t fraction_ns;
    int64_t offset_seconds;
    bool is_leap_second;
    if (line.size_bytes < DATE_TIME_SIZE || !date_time_parse(line.data, &seconds, &is_leap_second))
        return 0;
    struct span rest = span_behind(line, DATE_TIME_SIZE);
    size_t fraction_size = fraction_parse(rest, &fraction_ns);
    if (fraction_size == SIZE_MAX)
        return 0;
    rest = span_behind(rest, fraction_size);
    size_t offset_size = offset_parse(rest, &offset_seconds);
    if (offset_size == 0)
        return 0;
    if (is_leap_second)
        fraction_ns = SECOND_NS - 1;
    *ret_timestamp = (seconds - offset_seconds) * SECOND_NS + fraction_ns;
    return DATE_TIME_SIZE + fraction_size + offset_size;
}

static size_t integer_parse(struct span line, int64_t *ret_timestamp)
{
    bool is_negative = line.size_bytes > 0 && line.data[0] == '-';
    size_t size = is_negative;
    int64_t value = 0;
    for (; size < line.size_bytes && is_digit(line.data[size]); size++) {
        int digit = line.data[size] - '0';
        /* Built up with its sign: the smallest has no positive counterpart. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, is_negative ? -digit : digit, &value))
            return 0;
    }
    if (size == (size_t)is_negative)
        return 0;
    *ret_timestamp = value;
    return size;
}

size_t logs_timestamp_parse(enum plx_logs_format format, struct span line, int64_t *ret_timestamp)
{
    int64_t timestamp = 0;
    size_t size = format == PLX_LOGS_INTEGER ? integer_parse(line, &timestamp)
                                             : rfc3339_parse(line, &timestamp);
    if (size == 0)
        return 0;
    bool is_end = size == line.size_bytes ||
                  (size + 1 == line.size_bytes && line.data[size] == '\r'); /* of a line by CR LF */
    if (!is_end && line.data[size] != ' ' && line.data[size] != '\t')
        return 0;
    *ret_timestamp = timestamp;
    return size;
}
