/* The rules that need the log: what is in it, in which order, and what it says at an index. */
#ifndef POLLUX_TESTS_SIM_ORDER_CHECK_H
#define POLLUX_TESTS_SIM_ORDER_CHECK_H

#include "tests/sim/history.h"

/* Needs history->is_log_known. */
void order_check(const struct history *history, struct verdict *verdict);

/* Bounds of staleness, and handles that read their own writes. */
void freshness_check(const struct history *history, struct verdict *verdict);

#endif
