/*
 * A load on a cluster through libpollux's asynchronous calls: each thread drives its share of the
 * handles, each handle keeps its operations in flight. What is counted:
 *
 *   An operation counts when it was due within the measured time. In a closed loop it is due when
 * it is handed to the library; in an open loop when the clock says so, so that waiting behind
 * slower ones counts as latency.
 */
#ifndef POLLUX_BENCH_LOAD_H
#define POLLUX_BENCH_LOAD_H

#include "base/error.h"
#include "bench/histogram.h"
#include "bench/load_options.h"
#include "client/include/pollux.h"

#include <stddef.h>
#include <stdint.h>

struct load_second {
    uint64_t offered;    /* due in this second */
    uint64_t finished;   /* succeeded in this second */
    uint64_t own_second; /* due and succeeded in this second */
    uint64_t max_ns;     /* of those due in this second */
};

struct load_result {
    struct histogram latencies; /* of what succeeded */
    uint64_t offered;
    uint64_t finished; /* succeeded before the measured time was over */
    uint64_t own_second;
    uint64_t unfinished;                  /* had no outcome when waiting for it was given up */
    uint64_t outcomes[PLX_OUTCOME_COUNT]; /* of all that were offered */
    uint64_t recorded; /* keys whose newest acknowledged value was written to options.record */
    uint64_t checksum; /* over the values that gets returned, or the count of successes */
    struct plx_statistics statistics;
    struct plx_node node; /* the first server that answered; node 0: none */
    uint32_t second_count;
    struct load_second seconds[LOAD_SECONDS_MAX];
};

/*
 * Runs one load: opens the handles, stores the keys that gets will read, warms up, measures, waits
 * for what is still in flight, closes. `rate` 0: closed loop. ERR_ARGUMENT, ERR_NO_MEMORY, ERR_IO,
 * ERR_TIMEOUT (the keys could not be stored); ret_reason says what.
 */
MUST_USE enum error load_run(const struct load_options *options, uint32_t rate,
                             struct load_result *ret_result, char *ret_reason, size_t reason_size);

#endif
