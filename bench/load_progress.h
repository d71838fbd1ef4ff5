/*
 * A line for each second while a load runs. Each thread of the load counts its own second (a
 * pulse) and hands it over when the second is over; the last thread to do so prints the line.
 */
#ifndef POLLUX_BENCH_LOAD_PROGRESS_H
#define POLLUX_BENCH_LOAD_PROGRESS_H

#include "bench/histogram.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

/* What happened in one second. Owner: one thread. */
struct load_pulse {
    uint64_t offered; /* due in this second */
    uint64_t finished;
    uint64_t errors;
    struct histogram latencies; /* of what succeeded in this second */
};

struct load_progress {
    pthread_mutex_t mutex; /* of all below */
    FILE *to;
    uint32_t thread_count;
    uint32_t handed_count; /* threads that have handed over the second */
    uint64_t second;       /* from 0 */
    struct load_pulse sum;
};

void load_progress_init(struct load_progress *progress, FILE *to, uint32_t thread_count);
void load_progress_deinit(struct load_progress *progress);

/* A phase begins: seconds count from 0 again. No other thread may use the progress meanwhile. */
void load_progress_begin(struct load_progress *progress);

/* One thread's second is over. If a thread is so late that the others are already in the next
 * second, the line is printed without the thread, whose counts then belong to the next line. Any
 * thread. */
void load_progress_hand_over(struct load_progress *progress, uint64_t second,
                             const struct load_pulse *pulse);

#endif
