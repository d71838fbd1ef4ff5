/*
 * Sessions with nothing open: notices of clients that are idle, on their way to the log, and the
 * record that ends sessions where no other record would.
 *
 * A client sends a notice after every call that leaves nothing open. Most are followed by the next
 * call. So a notice waits for IDLE_NOTICE_WAIT_NS, and joins the log only if its session has sent
 * nothing since; else it waits for as long again.
 *
 * The client may be gone then, and nobody says it again. So the client tells all nodes, and a
 * notice is kept until the log shows what it says, or something newer of the session. Whoever leads
 * writes it, and looks again after each IDLE_NOTICE_WAIT_NS. A node that does not lead hands it to
 * the leader when the log lacks it after IDLE_FORWARD_LOOKS looks: the leader's copy was lost.
 * After IDLE_LOOKS_MAX looks it is forgotten, and the session keeps its lifetime.
 *
 * A notice may be late, or come twice: the machine holds it against what was executed.
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

#include <stdbool.h>
#include <stdint.h>

struct engine;

#define IDLE_NOTICE_WAIT_NS UINT64_C(1000000000)
/* Between records that only end sessions. */
#define IDLE_EXPIRY_WAIT_NS UINT64_C(1000000000)
/* Looks at a notice: from which on a node hands it to the leader, at each power of two, and all. */
#define IDLE_FORWARD_LOOKS 4u
#define IDLE_LOOKS_MAX     64u
/* Notices that are to be handed over, at most; others wait for another look. A power of two. */
#define IDLE_FORWARDS_MAX 64u

#define IDLE_REQUEST_SIZE_BYTES (WIRE_REQUEST_HEADER_SIZE_BYTES + WIRE_OP_HEADER_SIZE_BYTES)

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
    uint64_t forwards[IDLE_FORWARDS_MAX]; /* sessions; a ring */
    uint64_t forwards_head;
    uint64_t forwards_tail;
    uint8_t forward[IDLE_REQUEST_SIZE_BYTES]; /* the request that is handed over */
};

/* One op of the session as a request (IDLE_REQUEST_SIZE_BYTES at most); returns its size. */
size_t idle_encode(uint8_t *to, uint64_t session, uint64_t floor, const struct wire_op *op);
size_t idle_arena_bytes(uint32_t sessions_max);
void idle_init(struct engine *engine, struct arena *arena);
/* A notice came: the packet of that number, about all seqs below the floor. So is the end of a
 * session, which may be refused, or lost with its record. */
void idle_receive(struct engine *engine, uint64_t packet_number, const struct request *notice);
/* The same, handed over by another node: the seq of its op is the number of the packet. */
void idle_receive_forward(struct engine *engine, const struct request *notice);
/* A notice to be handed to the leader; false: there is none. */
bool idle_forward(struct engine *engine, struct span *ret_request);
/* Adds to the batch what is due, as far as the batch has room. */
void idle_join(struct engine *engine);
/* When idle_join has something to add; UINT64_MAX: nothing as things stand. */
uint64_t idle_deadline_ns(const struct engine *engine);

#endif
