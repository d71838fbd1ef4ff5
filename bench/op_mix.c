/* Names, parts, and a draw among the parts. */
#include "bench/op_mix.h"

#include "base/check.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert((uint64_t)LOAD_OP_COUNT * OP_MIX_PARTS_MAX < UINT32_MAX, "the total fits");

static const char *const op_names[LOAD_OP_COUNT] = {
    [LOAD_SET] = "set",
    [LOAD_GET] = "get",
    [LOAD_RELAXED_GET] = "relaxed-get",
    [LOAD_RELAXED_SET] = "relaxed-set",
    [LOAD_SWAP] = "swap",
    [LOAD_RMW] = "rmw",
    [LOAD_INSERT] = "insert",
    [LOAD_FILL] = "fill",
};

/* Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010, table 2. Workload E
 * scans, which Pollux does not do. */
static const struct workload {
    const char *name;
    const char *mix;
    enum key_distribution distribution;
} workloads[] = {
    {"ycsb-a", "get=50,set=50", KEYS_ZIPF}, {"ycsb-b", "get=95,set=5", KEYS_ZIPF},
    {"ycsb-c", "get=100", KEYS_ZIPF},       {"ycsb-d", "get=95,insert=5", KEYS_LATEST},
    {"ycsb-f", "get=50,rmw=50", KEYS_ZIPF},
};

const char *load_op_name(enum load_op op)
{
    return op_names[op];
}

/* The op whose name is the first `length` bytes; LOAD_OP_COUNT: none. */
static enum load_op op_find(const char *text, size_t length)
{
    int op = 0;
    while (op < LOAD_OP_COUNT &&
           (strlen(op_names[op]) != length || memcmp(op_names[op], text, length) != 0)) {
        op++;
    }
    return (enum load_op)op;
}

bool load_op_parse(const char *text, enum load_op *ret_op)
{
    enum load_op op = op_find(text, strlen(text));
    if (op == LOAD_OP_COUNT) {
        return false;
    }
    *ret_op = op;
    return true;
}

void op_mix_init(struct op_mix *mix, enum load_op op)
{
    *mix = (struct op_mix){.total = 1, .first = op};
    mix->parts[op] = 1;
}

bool op_mix_parse(const char *text, struct op_mix *ret_mix)
{
    struct op_mix mix = {.total = 0};
    const char *at = text;
    for (int i = 0; i < LOAD_OP_COUNT; i++) {
        size_t length = strcspn(at, "=");
        enum load_op op = op_find(at, length);
        if (op >= LOAD_FILL || mix.parts[op] != 0 || at[length] != '=') {
            return false;
        }
        at += length + 1;
        char *rest = NULL;
        errno = 0;
        unsigned long parts = at[0] >= '0' && at[0] <= '9' ? strtoul(at, &rest, 10) : 0;
        if (errno != 0 || parts == 0 || parts > OP_MIX_PARTS_MAX) {
            return false;
        }
        mix.parts[op] = (uint32_t)parts;
        mix.total += (uint32_t)parts;
        mix.first = i == 0 ? op : mix.first;
        if (*rest == '\0') {
            *ret_mix = mix;
            return true;
        }
        if (*rest != ',') {
            return false;
        }
        at = rest + 1;
    }
    return false;
}

bool op_mix_workload(const char *name, struct op_mix *ret_mix,
                     enum key_distribution *ret_distribution)
{
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (strcmp(name, workloads[i].name) == 0) {
            *ret_distribution = workloads[i].distribution;
            return op_mix_parse(workloads[i].mix, ret_mix);
        }
    }
    return false;
}

void op_mix_relax(struct op_mix *mix)
{
    mix->parts[LOAD_RELAXED_GET] += mix->parts[LOAD_GET];
    mix->parts[LOAD_GET] = 0;
    mix->first = mix->first == LOAD_GET ? LOAD_RELAXED_GET : mix->first;
}

bool op_mix_has(const struct op_mix *mix, enum load_op op)
{
    return mix->parts[op] > 0;
}

bool op_mix_has_reads(const struct op_mix *mix)
{
    return op_mix_has(mix, LOAD_GET) || op_mix_has(mix, LOAD_RELAXED_GET) ||
           op_mix_has(mix, LOAD_RMW);
}

enum load_op op_mix_next(const struct op_mix *mix, struct prng *prng)
{
    if (mix->parts[mix->first] == mix->total) {
        return mix->first; /* the only kind: no draw */
    }
    uint64_t at = prng_range(prng, 0, mix->total - 1);
    for (int op = 0; op < LOAD_OP_COUNT; op++) {
        if (at < mix->parts[op]) {
            return (enum load_op)op;
        }
        at -= mix->parts[op];
    }
    CHECK(false); /* the parts are fewer than the total */
    return LOAD_FILL;
}
