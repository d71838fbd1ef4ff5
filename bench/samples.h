/*
 * Timed groups of operations of a micro bench, and the line that says how long they took.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_BENCH_SAMPLES_H
#define POLLUX_BENCH_SAMPLES_H

#include <stdint.h>

#define SAMPLES_MAX (1u << 20) /* of more groups, the first ones count */

struct samples {
    uint64_t *each; /* tenths of ns an op, one a timed group */
    uint32_t count;
};

/* Aborts (CHECK) without memory. */
void samples_init(struct samples *samples);
void samples_deinit(struct samples *samples);

/* Monotonic nanoseconds. */
uint64_t samples_clock_ns(void);

/* A group of `op_count` ops took `elapsed_ns`. */
void samples_add(struct samples *samples, uint64_t elapsed_ns, uint32_t op_count);

/* Prints one line: mean and rate over all samples, p50, p99 and max of the groups, and a checksum
 * of what was computed; begins anew. */
void samples_print(struct samples *samples, const char *name, uint64_t checksum);

#endif
