/*
 * Consistent sets at the leader of five nodes, 32 at a time: requests of 32 sessions lie before the
 * leader, who takes all of them in one turn and makes one batch of them.
 *
 * The leader takes two turns for a batch: one with the requests, one with the acknowledgements of
 * the other four nodes. All nodes share the thread, so the leader finds its data in the caches less
 * often than it would alone.
 *
 * Owner: one thread, between gauge_network_begin and gauge_network_end.
 */
#ifndef POLLUX_BENCH_GAUGE_BATCH_H
#define POLLUX_BENCH_GAUGE_BATCH_H

#include <stdint.h>

#define GAUGE_BATCH_SETS 32

/* Runs `batches` batches whose turns are counted; prints how many sets that were. */
void gauge_batch_count(const char *folder, uint32_t first_port, uint64_t batches);

/* Runs `batches` batches and prints how much time of the processor the leader's turns took, divided
 * by the sets: mean, p50, p99 and max of the batches. */
void gauge_batch_time(const char *folder, uint32_t first_port, uint64_t batches);

#endif
