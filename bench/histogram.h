/*
 * Latencies counted in log-linear buckets: each power of two is cut into 64, so that a value read
 * back is at most 1.6 % above the one recorded. Nothing is sampled and nothing is dropped; the
 * maximum is kept exactly.
 *
 * Pure. Owner: one thread.
 */
#ifndef POLLUX_BENCH_HISTOGRAM_H
#define POLLUX_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_LINEAR_BITS 6
#define HISTOGRAM_OCTAVES     37 /* to 2^42 ns, more than an hour; larger values count as that */
#define HISTOGRAM_BUCKETS     (HISTOGRAM_OCTAVES << HISTOGRAM_LINEAR_BITS)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t max;
};

void histogram_init(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds what `from` has counted. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* The largest value that counts in bucket 0..HISTOGRAM_BUCKETS-1 of `counts`; the last bucket takes
 * all that is beyond. */
uint64_t histogram_bucket_end(uint32_t bucket);

/* The value that `per_million` of a million recorded ones do not exceed (0 when none is
 * recorded). */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_million);

#endif
