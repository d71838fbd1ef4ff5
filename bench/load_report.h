/* What a load measured, as one JSON line or as text. */
#ifndef POLLUX_BENCH_LOAD_REPORT_H
#define POLLUX_BENCH_LOAD_REPORT_H

#include "bench/load.h"

#include <stdio.h>

void load_report_json(FILE *to, const struct load_options *options, uint32_t rate,
                      const struct load_result *result);
void load_report_table(FILE *to, const struct load_options *options, uint32_t rate,
                       const struct load_result *result);

/* Operations that had an outcome other than success, or none. */
uint64_t load_report_errors(const struct load_result *result);

#endif
