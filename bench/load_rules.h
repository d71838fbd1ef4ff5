/* Which options of pollux-bench go together, and the defaults that depend on others. Pure. */
#ifndef POLLUX_BENCH_LOAD_RULES_H
#define POLLUX_BENCH_LOAD_RULES_H

#include "base/error.h"
#include "bench/load_options.h"

#include <stddef.h>

/* Completes the options. ERR_ARGUMENT; ret_reason names the options and what to do. */
MUST_USE enum error load_rules_apply(struct load_options *options, char *ret_reason,
                                     size_t reason_size);

#endif
