/* How the swaps of a run ended, as their clients were told, and what became of the unknown ones. */
#ifndef POLLUX_TESTS_CHAOS_OUTCOMES_H
#define POLLUX_TESTS_CHAOS_OUTCOMES_H

#include "tests/chaos/chain.h"
#include "tests/chaos/record.h"

/* Of all handles together. */
struct outcomes_effort {
    uint64_t fence_count;
    uint64_t expired_count; /* unknown because the session was gone */
    uint64_t fence_wait_ns; /* longest, of a call */
};

/* Prints the table. `chain`: of the same record. */
void outcomes_print(const struct record *record, const struct chain_report *chain,
                    const struct outcomes_effort *effort);

#endif
