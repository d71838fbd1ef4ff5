/*
 * Linearizability of one register (one key) against its history: the search of Wing and Gong
 * ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of visited (set, state)
 * pairs ("Testing for linearizability", 2017), after the shape of Horn and Kroening's
 * P-compositional checker.
 *
 * Values are 64-bit names; LIN_ABSENT is "no value". A write whose outcome is not known (LIN_MAYBE)
 * may take effect at any time after its call, or never. When every written value is unique, such
 * writes are settled before the search: one whose value nobody saw changes nothing and is left out,
 * one whose value was seen must have happened before whoever saw it returned.
 */
#ifndef POLLUX_TESTS_CHECKER_LINEARIZE_H
#define POLLUX_TESTS_CHECKER_LINEARIZE_H

#include <stdbool.h>
#include <stdint.h>

#define LIN_ABSENT 0
#define LIN_OPEN   UINT64_MAX /* return_ns of an operation that never returned */
#define LIN_ANY    UINT64_MAX /* `seen` of a mismatch that did not tell the stored value */
#define LIN_NO_OP  UINT32_MAX

enum lin_type {
    LIN_GET,  /* `value` is what it returned */
    LIN_SET,  /* `value` is stored; a delete stores LIN_ABSENT */
    LIN_SWAP, /* stores `value` where `old` was stored */
};

enum lin_outcome {
    LIN_OK,
    LIN_MISMATCH, /* swap: `seen` was stored, and differs from `old` */
    LIN_MAYBE,    /* set and swap: outcome unknown */
};

struct lin_op {
    enum lin_type type;
    enum lin_outcome outcome;
    uint64_t call_ns;
    uint64_t return_ns;
    uint64_t value;
    uint64_t old;
    uint64_t seen;
};

enum lin_verdict {
    LIN_LINEARIZABLE,
    LIN_VIOLATION,
    LIN_PHANTOM, /* a value was seen that no write could have stored by then */
    LIN_GAVE_UP, /* `steps_max` search steps did not decide it: counts as a failure */
};

struct lin_report {
    enum lin_verdict verdict;
    uint64_t steps;
    uint32_t suspect; /* violation: the operation that could not be placed; LIN_NO_OP: none */
    uint32_t placed;  /* most operations that fitted into one order */
};

/*
 * Checks `count` operations on one register that is absent at first. Operations that certainly did
 * not take effect are not given. Two events at one instant count as concurrent.
 */
void lin_check(const struct lin_op *ops, uint32_t count, uint64_t steps_max,
               struct lin_report *ret_report);

const char *lin_verdict_name(enum lin_verdict verdict);

#endif
