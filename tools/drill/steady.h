/*
 * A steady load of blocking writes, each worker with one operation outstanding, that records what
 * was acknowledged (journal.h) and for how long nothing was. Runs for a time or until SIGTERM; each
 * SIGUSR1 marks a fault, and the longest pause from there to the next mark is its outage.
 */
#ifndef POLLUX_TOOLS_DRILL_STEADY_H
#define POLLUX_TOOLS_DRILL_STEADY_H

#include "tools/drill/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define STEADY_MARKS_MAX 1024

struct steady_options {
    uint32_t worker_count; /* 1 to JOURNAL_WORKERS_MAX */
    uint32_t rate;         /* operations a second of all workers together */
    uint64_t duration_ns;  /* 0: until SIGTERM */
    const char *run;
};

struct steady_report {
    struct journal journal;
    uint64_t acknowledged_count;
    uint64_t mismatch_count; /* swaps that met a value nobody acknowledged */
    uint64_t timeout_count;
    uint64_t unknown_count;
    uint64_t error_count;
    uint64_t elapsed_ns;
    uint64_t pause_max_ns;
    uint32_t mark_count;
    uint64_t outages_ns[STEADY_MARKS_MAX];
};

void steady_run(struct plx_client *client, const struct steady_options *options,
                struct steady_report *ret_report);

#endif
