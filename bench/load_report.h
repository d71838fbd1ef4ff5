/* What a load measured, as one JSON line or as text. */
#ifndef POLLUX_BENCH_LOAD_REPORT_H
#define POLLUX_BENCH_LOAD_REPORT_H

#include "bench/load_options.h"
#include "bench/load_result.h"

#include <stdio.h>

void load_report_json(FILE *to, const struct load_options *options, uint32_t rate,
                      const struct load_result *result);
void load_report_table(FILE *to, const struct load_options *options, uint32_t rate,
                       const struct load_result *result);

#endif
