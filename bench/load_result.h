/*
 * What a load counts. An operation counts when it was due within the measured time. In a closed
 * loop an operation is due when it is handed to the library; in an open loop when the clock says
 * so, so that waiting behind slower operations counts as latency.
 *
 * Owner: one thread. Each thread of a load has a result; load_result_add adds them up.
 */
#ifndef POLLUX_BENCH_LOAD_RESULT_H
#define POLLUX_BENCH_LOAD_RESULT_H

#include "base/error.h"
#include "bench/histogram.h"
#include "bench/op_mix.h"
#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>

struct load_second {
    uint64_t offered;           /* due in this second */
    uint64_t finished;          /* succeeded in this second */
    uint64_t own_second;        /* due and succeeded in this second */
    struct histogram latencies; /* of what was due in this second and succeeded at any time */
};

/* The operations of one kind. */
struct load_kind {
    uint64_t finished;          /* succeeded before the measured time was over */
    uint64_t errors;            /* ended otherwise */
    struct histogram latencies; /* of what succeeded */
};

/* What was read back after the load. */
struct load_verdict {
    uint64_t checked; /* keys with an acknowledged write */
    uint64_t lost;    /* of these: the key has neither that value nor one of unknown outcome */
    uint64_t unread;  /* of these: the key could not be read */
    uint64_t open;    /* keys with a write of unknown outcome */
};

struct load_result {
    uint64_t begin_ns; /* the measured time */
    uint64_t end_ns;
    uint64_t elapsed_ns;        /* its length; of a fill: until the last key was stored */
    struct histogram latencies; /* of what succeeded; complete after load_result_add */
    struct load_kind kinds[LOAD_OP_COUNT];
    uint64_t offered;
    uint64_t finished; /* succeeded before the measured time was over */
    uint64_t own_second;
    uint64_t unfinished;                  /* had no outcome when waiting for it was given up */
    uint64_t outcomes[PLX_OUTCOME_COUNT]; /* of all that were offered */
    uint64_t missed;   /* gets that succeeded though they found nothing: load_result_end_missed */
    uint64_t recorded; /* keys whose newest acknowledged value was written to options.record */
    uint64_t checksum; /* over the values that gets returned, or the count of successes */
    struct load_verdict verdict;
    struct plx_statistics statistics;
    struct plx_node node; /* the first server that answered; node 0: none */
    uint32_t second_count;
    struct load_second *seconds;
};

/* Nothing is counted yet; room for `second_count` seconds. ERR_NO_MEMORY. */
MUST_USE enum error load_result_init(struct load_result *result, uint32_t second_count);
void load_result_deinit(struct load_result *result);

/* An operation due at this time counts. */
bool load_result_is_measured(const struct load_result *result, uint64_t due_ns);

/* An operation was begun, or has ended. Nothing happens unless it counts. */
void load_result_offer(struct load_result *result, uint64_t due_ns);
void load_result_end(struct load_result *result, enum load_op op, uint64_t due_ns, uint64_t now_ns,
                     const struct plx_response *response);

/* A relaxed get of a key that was inserted during the load has found nothing, because its node does
 * not have the key yet. That is an answer as good as another. */
void load_result_end_missed(struct load_result *result, uint64_t due_ns, uint64_t now_ns);

/* Adds one thread's share. `to` has as many seconds or more (CHECK). */
void load_result_add(struct load_result *to, const struct load_result *from);

/* Operations that had an outcome other than success, or none. */
uint64_t load_result_errors(const struct load_result *result);

/* Operations finished, none failed, and nothing is lost. */
bool load_result_is_good(const struct load_result *result);

/* Finished operations a second. */
double load_result_per_second(const struct load_result *result);

#endif
