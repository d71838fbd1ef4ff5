/*
 * What a leader takes of relaxed writes from other nodes, and what the writes of its clients
 * overrule. See engine/relaxed/inbound.c.
 */
#ifndef POLLUX_ENGINE_RELAXED_INBOUND_H
#define POLLUX_ENGINE_RELAXED_INBOUND_H

#include "engine/state/request.h"

struct engine;

/*
 * A write on its way into this leader's batch, where this node's own pending writes of its keys
 * come before it. PENDING: they are not in the log yet, and go first. OK: *request is what to
 * append; where they are in the log and not decided, or cannot be (no room), one that cancels them,
 * borrowed until the next call into relaxed/.
 */
enum wire_status inbound_overrule(struct engine *engine, struct request *request);
/* True when the store, as this node has applied it, is too full for the set `seq` of a
 * series. */
bool inbound_is_without_room(const struct engine *engine, uint64_t series, const struct wire_op *op,
                             uint64_t hash);

#endif
