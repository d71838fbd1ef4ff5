/*
 * What a load measured, in files that plotters read: the seconds as CSV, and the latencies as the
 * percentile text of HdrHistogram (.hgrm).
 *
 * CSV: second,offered,finished,own_second,p50_us,p99_us,max_us, a row for each second.
 * .hgrm: Value (in microseconds), Percentile (0 to 1), TotalCount, 1/(1-Percentile); there are
 * five rows for each halving of the distance to 1. The format is that of
 * AbstractHistogram.outputPercentileDistribution in HdrHistogram.
 */
#ifndef POLLUX_BENCH_LOAD_SERIES_H
#define POLLUX_BENCH_LOAD_SERIES_H

#include "base/error.h"
#include "bench/load_result.h"

#include <stdint.h>

/* Appends the rows, behind a line of titles if the file is empty. `first_second` is the number of
 * the first row. ERR_IO. */
MUST_USE enum error load_series_append_csv(const char *path, uint64_t first_second,
                                           const struct load_result *result);

/* Writes the percentiles of all operations. ERR_IO. */
MUST_USE enum error load_series_write_hgrm(const char *path, const struct histogram *histogram);

#endif
