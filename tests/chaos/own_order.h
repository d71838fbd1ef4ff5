/*
 * What a key that one handle alone writes may hold: what its last acknowledged write stored, or
 * what a later one did whose outcome nobody was told. Whatever was written before, acknowledged or
 * not, never comes back: rule 3 of the contract.
 */
#ifndef POLLUX_TESTS_CHAOS_OWN_ORDER_H
#define POLLUX_TESTS_CHAOS_OWN_ORDER_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>

#define OWN_ABSENT     UINT64_C(0)
#define OWN_VALUES_MAX 64

struct own_order {
    uint64_t values[OWN_VALUES_MAX]; /* any of these may be stored */
    uint32_t count;
};

void own_order_init(struct own_order *order); /* nothing is stored */

/* No room for a further outcome that is not told: the key must not be written any more. */
bool own_order_is_full(const struct own_order *order);

/* A write has ended, each after the one before it. `may_be_lost`: acknowledged by a storage that
 * may have been lost since, or left out by an operator, with what it had not replicated. */
void own_order_wrote(struct own_order *order, uint64_t value, enum plx_outcome outcome,
                     bool may_be_lost);

/* Whether a get of the handle may be answered so. */
bool own_order_allows(const struct own_order *order, uint64_t value);

#endif
