/* See tools/cli/cli_limits.h. */
#include "tools/cli/cli_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE_BYTES 128 /* what a store is counted in */

static const char *const names[] = {"keys_max", "store_size", "sessions_max"};
static const char *const settings[] = {"keys_capacity", "store_capacity", "sessions_capacity"};

struct limit_unit {
    const char *name;
    uint64_t factor;
};

static const struct limit_unit count_units[] = {
    {"", 1}, {"K", 1000}, {"M", 1000 * 1000}, {"G", 1000 * 1000 * 1000}, {NULL, 0}};
static const struct limit_unit size_units[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

const char *cli_limit_name(enum cli_limit limit)
{
    return names[limit];
}

const char *cli_limit_setting(enum cli_limit limit)
{
    return settings[limit];
}

static bool value_parse(const char *text, const struct limit_unit *units, uint64_t *ret_value)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || number == 0)
        return false;
    for (const struct limit_unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(end, unit->name) == 0)
            return !__builtin_mul_overflow((uint64_t)number, unit->factor, ret_value);
    }
    return false;
}

/* CLI_LIMIT_COUNT: none is called so. */
static enum cli_limit limit_named(const char *text, size_t size)
{
    int limit = 0;
    while (limit < CLI_LIMIT_COUNT &&
           (strlen(names[limit]) != size || memcmp(names[limit], text, size) != 0))
        limit++;
    return (enum cli_limit)limit;
}

bool cli_limits_parse(const char *text, struct cli_limits *limits, char *ret_reason,
                      size_t reason_size)
{
    const char *equals = strchr(text, '=');
    size_t name_size = equals == NULL ? strlen(text) : (size_t)(equals - text);
    enum cli_limit limit = limit_named(text, name_size);
    bool is_size = limit == CLI_STORE_SIZE;
    if (limit == CLI_LIMIT_COUNT || equals == NULL)
        snprintf(ret_reason, reason_size,
                 "'%s' is not one of keys_max=NUMBER, store_size=SIZE, sessions_max=NUMBER", text);
    else if (limits->values[limit] != 0)
        snprintf(ret_reason, reason_size, "%s is given twice", names[limit]);
    else if (!value_parse(equals + 1, is_size ? size_units : count_units, &limits->values[limit]))
        snprintf(ret_reason, reason_size, "'%s': expected %s", text,
                 is_size ? "a size such as 512MiB or 2GiB" : "a number such as 4096 or 2M");
    else
        return true;
    return false;
}

uint64_t cli_limit_of_shard(enum cli_limit limit, uint64_t value, uint16_t shard_count)
{
    if (limit == CLI_SESSIONS_MAX)
        return value;
    if (limit == CLI_KEYS_MAX)
        return (value + shard_count - 1) / shard_count;
    return (value / BLOCK_SIZE_BYTES + shard_count - 1) / shard_count * BLOCK_SIZE_BYTES;
}

uint64_t cli_limit_of_node(enum cli_limit limit, uint64_t value, uint16_t shard_count)
{
    return limit == CLI_SESSIONS_MAX ? value : value * shard_count;
}

const char *cli_limit_text(enum cli_limit limit, uint64_t value, char ret_text[UNITS_TEXT_BYTES])
{
    if (limit == CLI_STORE_SIZE)
        return units_size(value, ret_text);
    snprintf(ret_text, UNITS_TEXT_BYTES, "%" PRIu64, value);
    return ret_text;
}
