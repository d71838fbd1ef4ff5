/*
 * What clients asked and were told, and the rules that it must obey: linearizability of each key,
 * exactly once, definite outcomes, and the promises of relaxed gets. The name of a written value is
 * the number of its operation plus one, so every value is unique and names its writer.
 */
#ifndef POLLUX_TESTS_SIM_HISTORY_H
#define POLLUX_TESTS_SIM_HISTORY_H

#include "tests/sim/tally.h"
#include "tests/sim/verdict.h"

#include <stdio.h>

#define HISTORY_KEYS_MAX  64
#define HISTORY_ABSENT    0
#define HISTORY_UNSEEN    UINT64_MAX /* a mismatch whose stored value was not told */
#define HISTORY_STEPS_MAX 3000000

enum history_type { HISTORY_GET, HISTORY_RELAXED_GET, HISTORY_SET, HISTORY_SWAP, HISTORY_DEL };

enum history_outcome {
    HISTORY_PENDING,
    HISTORY_OK,
    HISTORY_MISMATCH,
    HISTORY_NOT_FOUND,
    HISTORY_TIMEOUT, /* definite: it did not happen and never will */
    HISTORY_REFUSED, /* as definite, for another reason */
    HISTORY_UNKNOWN,
};

struct history_op {
    enum history_type type;
    enum history_outcome outcome;
    bool is_blocking;
    uint32_t process;
    uint32_t key;
    uint64_t value; /* set, swap: the new one */
    uint64_t old;   /* swap: the expected one */
    uint64_t seen;  /* get: the answer; mismatch: what was stored */
    uint64_t invoke_ns;
    uint64_t return_ns;
    uint64_t version; /* gets: of the value seen */
    uint16_t node;    /* gets: who answered, when it had started, and how far it had applied */
    uint64_t incarnation;
    uint64_t applied_index;
};

struct history {
    struct history_op *ops;
    uint32_t count;
    uint32_t capacity;
};

void history_init(struct history *history);
void history_deinit(struct history *history);

/* Notes that an operation began; fills value names and the time. Returns its number. */
uint32_t history_invoke(struct history *history, const struct history_op *op, uint64_t now_ns);

/* Judges the whole history; the first broken rule goes to the verdict. */
void history_check(const struct history *history, struct verdict *verdict, struct tally *tally);

/* Writes it as JSON lines in the order of time: invoke, then ok, fail or info. */
void history_write(const struct history *history, FILE *file);

const char *history_type_name(enum history_type type);
const char *history_outcome_name(enum history_outcome outcome);

#endif
