/*
 * A budget that fills again at an even pace, as one number: the time at which it is whole (GCRA,
 * ITU-T I.371). Zero is a whole one. What is spent moves that time on; what is owed is how far off
 * it is. How much may be owed, and how long what is spent takes to come back, the caller says.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_BASE_BUDGET_H
#define POLLUX_BASE_BUDGET_H

#include <stdint.h>

/* How long it takes until the budget is whole; 0: it is. */
static inline uint64_t budget_owed_ns(uint64_t whole_ns, uint64_t now_ns)
{
    return whole_ns > now_ns ? whole_ns - now_ns : 0;
}

/* When the budget is whole again if this is spent now. */
static inline uint64_t budget_spend_ns(uint64_t whole_ns, uint64_t now_ns, uint64_t spent_ns)
{
    return now_ns + budget_owed_ns(whole_ns, now_ns) + spent_ns;
}

/* How long so much takes to come back, at so much a second. */
static inline uint64_t budget_cost_ns(uint64_t amount, uint64_t rate)
{
    return amount * UINT64_C(1000000000) / rate;
}

#endif
