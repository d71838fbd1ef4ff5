/*
 * How long there was no service: the gaps between answers to consistent operations of all clients
 * together, and how soon after each mending the first answer came; and whether there was service
 * while somebody was left with an unknown outcome.
 */
#ifndef POLLUX_TESTS_CHAOS_OUTAGE_H
#define POLLUX_TESTS_CHAOS_OUTAGE_H

#include "tests/sim/history.h"

#include <stdint.h>

#define OUTAGE_NS_MIN UINT64_C(100000000) /* a shorter gap is none */

struct outage_report {
    uint64_t answered_count;
    uint32_t count; /* outages */
    uint64_t p50_ns;
    uint64_t max_ns;
    uint64_t total_ns;
    uint32_t mended_count; /* calms with an answer after them */
    uint64_t mended_p50_ns;
    uint64_t mended_max_ns;
};

/* `calms_ns`: when all was mended, rising. */
void outage_measure(const struct history *history, const uint64_t *calms_ns, uint32_t calm_count,
                    struct outage_report *ret_report);

struct outage_unknown {
    uint32_t count;
    uint32_t served_count; /* of these: a consistent operation began and was answered meanwhile */
};

/* `wait_ns`: for so long before its end an operation was fenced. */
void outage_judge_unknown(const struct history *history, uint64_t wait_ns,
                          struct outage_unknown *ret_unknown);

#endif
