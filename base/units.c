/* See units.h. */
#include "base/units.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S  (1000 * MS)

const char *units_duration(uint64_t duration_ns, char ret_text[UNITS_TEXT_BYTES])
{
    /* From 10 of a unit on the unit is used. */
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"h", 3600 * S}, {"min", 60 * S}, {"s", S}, {"ms", MS}};
    if (duration_ns == UINT64_MAX) {
        snprintf(ret_text, UNITS_TEXT_BYTES, "never");
        return ret_text;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (duration_ns >= 10 * units[i].ns) {
            snprintf(ret_text, UNITS_TEXT_BYTES, "%" PRIu64 "%s", duration_ns / units[i].ns,
                     units[i].name);
            return ret_text;
        }
    }
    snprintf(ret_text, UNITS_TEXT_BYTES, "%" PRIu64 "us", duration_ns / US);
    return ret_text;
}

const char *units_size(uint64_t size_bytes, char ret_text[UNITS_TEXT_BYTES])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB"};
    size_t at = 0;
    while (size_bytes != 0 && size_bytes % 1024 == 0 && at + 1 < sizeof(names) / sizeof(names[0])) {
        size_bytes /= 1024;
        at++;
    }
    snprintf(ret_text, UNITS_TEXT_BYTES, "%" PRIu64 "%s", size_bytes, names[at]);
    return ret_text;
}
