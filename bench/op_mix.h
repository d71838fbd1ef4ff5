/* The kinds of operations, and in which proportions a load makes them. Pure. */
#ifndef POLLUX_BENCH_OP_MIX_H
#define POLLUX_BENCH_OP_MIX_H

#include "base/prng.h"
#include "bench/key_chooser.h"

#include <stdbool.h>
#include <stdint.h>

#define OP_MIX_PARTS_MAX 1000000 /* of one kind */

enum load_op {
    LOAD_SET,
    LOAD_GET,
    LOAD_RELAXED_GET,
    LOAD_RELAXED_SET,
    LOAD_SWAP,   /* compare and swap, on a key that no other operation uses */
    LOAD_RMW,    /* read-modify-write: a get, then a set of the same key */
    LOAD_INSERT, /* a set of a new key */
    LOAD_FILL,   /* every key once, and nothing else: never part of a mix */
    LOAD_OP_COUNT,
};

struct op_mix {
    uint32_t parts[LOAD_OP_COUNT];
    uint32_t total;
    enum load_op first; /* the kind that was named first; it has parts */
};

const char *load_op_name(enum load_op op);

/* False: no op has this name. */
bool load_op_parse(const char *text, enum load_op *ret_op);

/* One kind only. */
void op_mix_init(struct op_mix *mix, enum load_op op);

/* Reads "get=95,set=5"; the parts are 1 to OP_MIX_PARTS_MAX and need not add up to 100. False, and
 * *ret_mix as it was: a kind is unknown, named twice or cannot be mixed, or a part is wrong. */
bool op_mix_parse(const char *text, struct op_mix *ret_mix);

/* The workload of YCSB that "ycsb-a", "-b", "-c", "-d" or "-f" names; ret_distribution is the
 * workload's distribution of keys. False: no such workload. */
bool op_mix_workload(const char *name, struct op_mix *ret_mix,
                     enum key_distribution *ret_distribution);

/* All consistent gets become relaxed gets. */
void op_mix_relax(struct op_mix *mix);

bool op_mix_has(const struct op_mix *mix, enum load_op op);

/* It looks for keys that must have been stored before. */
bool op_mix_has_reads(const struct op_mix *mix);

enum load_op op_mix_next(const struct op_mix *mix, struct prng *prng);

#endif
