/*
 * A load on a cluster through libpollux's asynchronous calls: each thread drives its share of the
 * handles, each handle keeps its operations in flight.
 */
#ifndef POLLUX_BENCH_LOAD_H
#define POLLUX_BENCH_LOAD_H

#include "base/error.h"
#include "bench/load_options.h"
#include "bench/load_result.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_REASON_BYTES 512 /* of ret_reason */

/*
 * Runs one load: opens the handles, stores the keys that reads will look for, warms up, measures,
 * waits for what is still in flight, reads back what the options ask for, closes. `rate` 0: closed
 * loop. `progress` receives a line for each measured second; NULL: none. The caller deinits
 * *ret_result after OK. ERR_ARGUMENT, ERR_NO_MEMORY, ERR_IO, ERR_TIMEOUT (the keys could not be
 * stored); ret_reason says what.
 */
MUST_USE enum error load_run(const struct load_options *options, uint32_t rate, FILE *progress,
                             struct load_result *ret_result, char *ret_reason);

#endif
