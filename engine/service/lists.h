/*
 * Lists: pages of keys in their order. A relaxed one is answered at once, a consistent one when a
 * consistent read of the same time would be. Each page is of one applied index, and costs a bounded
 * number of steps; so do all pages of a turn together, and beyond that the answer is: overloaded.
 */
#ifndef POLLUX_ENGINE_SERVICE_LISTS_H
#define POLLUX_ENGINE_SERVICE_LISTS_H

#include "base/address.h"
#include "base/span.h"
#include "engine/state/key_order.h"
#include "wire/wire.h"

struct engine;

struct lists {
    uint32_t steps_left; /* in this turn */
    struct key_cursor applied;
    struct key_cursor pending;
};

/* Another turn. */
void lists_turn(struct lists *lists);
/* A WIRE_LIST from `from`. */
void lists_receive(struct engine *engine, const struct address *from, struct span body);
/* The answer to one that has waited as a read does. */
void lists_finish(struct engine *engine, const struct address *from, struct span kept,
                  enum wire_status status);

#endif
