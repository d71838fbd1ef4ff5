/* The promises of relaxed sets, deletes and gets, by the rules of set() in the contract. */
#ifndef POLLUX_TESTS_SIM_RELAXED_CHECK_H
#define POLLUX_TESTS_SIM_RELAXED_CHECK_H

#include "tests/sim/history.h"

void relaxed_check(const struct history *history, struct verdict *verdict);

#endif
