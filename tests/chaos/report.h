/* What a run did and found, for a person. */
#ifndef POLLUX_TESTS_CHAOS_REPORT_H
#define POLLUX_TESTS_CHAOS_REPORT_H

#include "tests/chaos/judge.h"
#include "tests/chaos/chain.h"
#include "tests/chaos/outage.h"
#include "tests/chaos/outcomes.h"
#include "tests/chaos/owner.h"
#include "tests/chaos/record.h"
#include "tests/chaos/settle.h"

struct report {
    struct record *record;
    struct judge judge;
    bool is_of_swaps; /* only swaps wrote: */
    struct chain_report chain;
    struct outcomes_effort effort;
    struct outage_report outage;
    struct settle_report settle;
    const struct owner *owners;
    uint32_t owner_count;
    uint64_t elapsed_ns;
    uint32_t client_count;
    uint32_t stuck_count;
    uint32_t unresolved_count;
    uint64_t resolved_early_count;
    uint64_t resolve_retry_count;
    uint64_t expired_count;
};

/* Prints what was found in a history alone, in which outcomes may have stayed unknown. */
bool report_history(const struct history *history, const struct judge *judge);

/* Prints all of it, the verdict last; true when nothing is wrong. */
bool report_print(const struct report *report);

#endif
