/*
 * What a record of the log holds, decoded apart from the engine's own way through it. Pure.
 */
#ifndef POLLUX_TESTS_SIM_RECORD_SHAPE_H
#define POLLUX_TESTS_SIM_RECORD_SHAPE_H

#include "base/span.h"

#include <stdbool.h>

/* Whether a request of the record may have used the reserve for fences: one of a client that sets
 * nothing and begins no session. */
bool record_may_use_reserve(struct span payload);

#endif
