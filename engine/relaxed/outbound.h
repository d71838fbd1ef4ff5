/*
 * This node's own pending relaxed writes on their way into the log: to the leader, or into its own
 * batch when it leads. See engine/relaxed/outbound.c.
 */
#ifndef POLLUX_ENGINE_RELAXED_OUTBOUND_H
#define POLLUX_ENGINE_RELAXED_OUTBOUND_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;

/* How far they are on their way to whom. */
struct outbound {
    uint64_t term;
    uint64_t next;       /* position in the pending writes: those before it are on their way */
    uint64_t last_seq;   /* newest of them, 0: none */
    uint64_t size_bytes; /* sent since something was decided, or since it began anew */
    uint64_t seen_head;  /* of the pending writes, when some were last seen to be decided */
    uint64_t due_ns;     /* not sent again before */
    uint64_t wait_ns;
    uint64_t blocked_head; /* head of the pending writes when its op found the store full, and 1;
                              0: none */
    uint16_t leader;
    uint64_t fence_due_ns; /* of the next fence, while one is needed */
};

/* Follows leader and term; puts this node's own pending writes into its batch when it leads. */
void outbound_begin_turn(struct engine *engine);
/* Some were dropped, and may have been on their way: the others are sent anew. */
void outbound_revoked(struct engine *engine);
/* What was in this node's own batch was refused: to be tried again. */
void outbound_failed(struct engine *engine);
/* The oldest of them is in the log and found the store full: to be tried again, too. */
void outbound_blocked(struct engine *engine);
/* The oldest of them did not apply: until it does nothing behind it can. */
bool outbound_is_blocked(const struct engine *engine);
/* Makes room in a queue that is full of gaps; what is on its way stays so. */
void outbound_close_gaps(struct engine *engine);
uint64_t outbound_deadline_ns(const struct engine *engine);

#endif
