/*
 * What takers of one server's logs were given, and the rules of get_last_log. Each log is a line
 * with a number, from 0 on, that its payload tells; so what was handed out is named by the payloads
 * that a taker holds, not by what the library says of them.
 */
#ifndef POLLUX_TESTS_SIM_LOGS_CHECK_H
#define POLLUX_TESTS_SIM_LOGS_CHECK_H

#include "tests/sim/history.h"
#include "tests/sim/verdict.h"

/* One call to take or lease logs, with the call that confirms the lease. */
struct logs_handout {
    uint32_t taker;
    uint32_t life; /* of the taker's process */
    bool is_lease;
    /* Its process died before it had learnt the outcome: then `outcome` is HISTORY_PENDING, and in
     * one step the lines, if they were its own, died with it. */
    bool is_dead;
    uint64_t given; /* lines that the log had when it was given to the call */
    /* OK, TIMEOUT, REFUSED, MISMATCH (lost the race), or UNKNOWN where its token was resolved to
     * nothing else by the end. */
    enum history_outcome outcome;
    uint64_t first; /* with OK and UNKNOWN: the lines that it was about */
    uint64_t count; /* 0: none were new, or somebody else had a lease */
    /* Of a lease: PENDING, where it was never asked; UNKNOWN, where it was and nobody learnt. */
    enum history_outcome confirmed;
    uint64_t invoke_ns;
    uint64_t return_ns;    /* where UNKNOWN was resolved: when that was */
    uint64_t confirmed_ns; /* of a lease: the same of its confirmation */
};

struct logs_history {
    struct logs_handout *handouts;
    uint32_t count;
    uint32_t capacity;
    uint64_t cursor; /* lines handed out, by the cursor itself when all was over */
    bool is_settled; /* that was asked, and every unknown was resolved that ever can be */
};

void logs_history_init(struct logs_history *logs);
void logs_history_deinit(struct logs_history *logs);

/* Notes that a call began; the outcomes begin as HISTORY_PENDING. Returns its number. */
uint32_t logs_history_invoke(struct logs_history *logs, const struct logs_handout *handout,
                             uint64_t now_ns);

/* Judges the whole; the first broken rule goes to the verdict. */
void logs_history_check(const struct logs_history *logs, struct verdict *verdict);

#endif
