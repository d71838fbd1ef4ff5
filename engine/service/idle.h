/*
 * Sessions with nothing open, as the leader sees them: notices of clients that are idle, on their
 * way to the log, and the record that ends sessions where no other record would.
 *
 * A client sends a notice after every call that leaves nothing open. Most are followed by the next
 * call. So a notice waits for IDLE_NOTICE_WAIT_NS, and joins the log only if its session has sent
 * nothing since. Nothing here is replicated: a leader that is deposed forgets its notices, and a
 * notice that is lost leaves the session its whole lifetime.
 *
 * When the table is three quarters full, the leader ends sessions that were opened and not used for
 * NEWCOMER_UNUSED_NS (engine/service/newcomers.h). Nothing was executed in them, and nodes say so.
 *
 * Owner: the lane of the engine.
 */
#ifndef POLLUX_ENGINE_SERVICE_IDLE_H
#define POLLUX_ENGINE_SERVICE_IDLE_H

#include "base/arena.h"
#include "engine/state/request.h"

#include <stdint.h>

struct engine;

#define IDLE_NOTICE_WAIT_NS UINT64_C(1000000000)
/* Between records that only end sessions. */
#define IDLE_EXPIRY_WAIT_NS UINT64_C(1000000000)

/* A session whose notice waits; the notice itself is in the session. */
struct idle_notice {
    uint64_t session;
    uint64_t due_ns;
};

/* A ring by due_ns. Positions ever rise. */
struct idle_notices {
    struct idle_notice *ring;
    uint32_t capacity; /* a power of two, at least sessions_max */
    uint64_t head;
    uint64_t tail;
    uint64_t expiry_ns; /* the next record that only ends sessions, at the earliest */
};

size_t idle_arena_bytes(uint32_t sessions_max);
void idle_init(struct engine *engine, struct arena *arena);
/* A notice came: the packet of that number, about all seqs below the floor. So is the end of a
 * session that was refused. */
void idle_receive(struct engine *engine, uint64_t packet_number, const struct request *notice);
/* Adds to the batch what is due, as far as the batch has room. */
void idle_join(struct engine *engine);
/* When idle_join has something to add; UINT64_MAX: nothing as things stand. */
uint64_t idle_deadline_ns(const struct engine *engine);

#endif
