/*
 * Writes of clients, and of nodes that forward what clients gave them: operations, the request that
 * holds them, and the message around it. The layouts are at the head of wire/wire_request.c.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error. Encoding
 * writes nothing where the writer has no room.
 */
#ifndef POLLUX_WIRE_WIRE_REQUEST_H
#define POLLUX_WIRE_WIRE_REQUEST_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

enum wire_op_type {
    WIRE_OP_SET = 1,    /* value absent: delete */
    WIRE_OP_SWAP,       /* old and new each possibly absent */
    WIRE_OP_FENCE,      /* `seq` can never apply after this unless it already has */
    WIRE_OP_REGISTER,   /* session 0: open a session; seq is the client's nonce, not 0 */
    WIRE_OP_UNREGISTER, /* close the session */
    WIRE_OP_KEEP_ALIVE, /* renews the session's expiry */
    WIRE_OP_CANCEL,     /* relaxed writes that the next set or swap of the request overrules */
    WIRE_OP_LIMITS,     /* session 0: sets the limits of the shard; seq is their number */
    WIRE_OP_IDLE,       /* nothing of the session is open: it may end soon; not answered */
    WIRE_OP_TYPE_END
};

/*
 * WIRE_OP_REGISTER under the nonce of a session that is open opens no other: its id is answered
 * again as long as the session was not used. FORGOTTEN once it was: its client has the id, so this
 * is a late copy, or a stranger who drew the same nonce and must draw another. A client draws one
 * at random for each session, from a source that no other client shares, and keeps it for all
 * retries. A copy that comes after the session has ended opens one that nobody uses, until that
 * expires.
 *
 * WIRE_OP_IDLE is the only op of its request. Its client has learned, or given up, every outcome
 * below the floor of the request, and has given no operation a seq from the floor on. The leader
 * keeps the notice for a moment, and drops it if a later packet of the session arrives: so a client
 * at work costs the log nothing. A notice that is lost leaves the session its whole lifetime.
 *
 * WIRE_OP_CANCEL names a pending relaxed write by the node that accepted it, the series and the
 * journal seq, all from the reply to it (wire_reply.node and .series, wire_reply_op.version). It
 * belongs to the first set
 * or swap after it in the same request, which may have several, one a node; it has no sequence
 * number of the session, and takes effect exactly when that op does (outcome OK, the first time):
 * what that node accepted for the key of that op from the client of this tag, up to this journal
 * seq, and what has not applied by then, never applies. It is not answered: its seq is of another
 * numbering. Without a set or swap after it the request is refused (BAD_REQUEST).
 *
 * WIRE_OP_LIMITS is the only operation of its request. Its value is an encoded wire_limits. The
 * limits have a number: 0 as long as they are those of the configuration, and one more with each
 * change. The operation takes effect (outcome OK) if its seq is the next number; else the outcome
 * is MISMATCH. `version` of the answer is the number that is in force now. So a copy that comes
 * late changes nothing.
 */
struct wire_op {
    uint8_t type; /* enum wire_op_type */
    bool has_value;
    bool has_old;
    uint16_t node;   /* CANCEL: voter id of the node that accepted it; else 0 */
    uint32_t tag;    /* CANCEL, and SET of a node session: the client's; 0: any, none */
    uint64_t seq;    /* of the session, from 1, never reused. CANCEL: the journal seq */
    uint64_t series; /* CANCEL: of which the journal seq is; else 0 */
    struct span key;
    struct span value;
    struct span old;
};
#define WIRE_OP_HEADER_SIZE_BYTES 24
#define WIRE_OP_SERIES_SIZE_BYTES 8 /* behind the header of a CANCEL */

/* The limits of a shard: none is 0. */
struct wire_limits {
    uint32_t keys_max;
    uint32_t blocks_max; /* of ENGINE_BLOCK_SIZE_BYTES */
    uint32_t sessions_max;
};
#define WIRE_LIMITS_SIZE_BYTES 16

/* `to` has room for WIRE_LIMITS_SIZE_BYTES. */
void wire_limits_encode(uint8_t *to, const struct wire_limits *limits);
MUST_USE enum error wire_limits_decode(struct span bytes, struct wire_limits *ret_limits);

/* The tag of a relaxed session: tells the pending writes of one client from those of others. */
static inline uint32_t wire_tag(uint64_t session)
{
    uint32_t tag = (uint32_t)(session >> 32) ^ (uint32_t)session;
    return tag != 0 ? tag : 1;
}

/*
 * Where the seqs of a session begin that was registered with this nonce. The client draws the nonce
 * at random and tells nobody but the node, so nobody else knows the seqs: a packet with others is
 * none of the session. An odd nonce is that of a program that knows nothing of this: 1.
 */
#define WIRE_FIRST_SEQ_MIN (UINT64_C(1) << 61)
static inline uint64_t wire_first_seq(uint64_t nonce)
{
    return (nonce & 1) != 0 ? 1 : nonce >> 2 | WIRE_FIRST_SEQ_MIN;
}

/*
 * The replicated part of a write, copied verbatim into the log record. The client has finished
 * every seq below `floor`: the outcome of such an op may be forgotten, and the op is never executed
 * again.
 */
struct wire_request {
    uint64_t session;
    uint64_t floor;
    uint16_t op_count; /* 1 .. REQUEST_OPS_MAX */
    struct span ops;   /* encoded; walk with wire_op_decode */
};
#define WIRE_REQUEST_HEADER_SIZE_BYTES 24

/*
 * The floor of a relaxed write of a client: its sets get journal seqs above the floor, and so many
 * above it at most. 0: any, as programs of before have it.
 */
#define WIRE_RELAXED_SPAN (UINT64_C(1) << 18)

/*
 * Journal seqs are numbers of a series. Each storage has a series of its own, named by its birth: a
 * storage that takes the place of a lost one begins another, so no number of the lost one is given
 * again. A series is 1 to 2^63 - 1.
 */
#define WIRE_NODE_SESSION_FLAG (UINT64_C(1) << 63)
static inline uint64_t wire_series(uint64_t birth)
{
    uint64_t series = birth & ~WIRE_NODE_SESSION_FLAG;
    return series != 0 ? series : 1;
}

/*
 * The session under which a node forwards the pending relaxed writes of a series. The request holds
 * sets.
 * The seq of a set is its journal seq, and the seqs rise. Each set has its client's tag, and its
 * cancels stand directly before it. `floor` is the journal seq up to which everything must be
 * decided before the request may apply. A fence in place of the sets decides everything up to its
 * seq: whatever a lost journal had accepted. Clients never use such an id for a consistent write.
 */
#define WIRE_NODE_SESSION(series) (WIRE_NODE_SESSION_FLAG | (uint64_t)(series))

/*
 * WIRE_WRITE. Two numbers make a refusal definite. `packet_number` rises with every transmission of
 * the session: a node tells a packet that the network copied from a retry. `incarnation` is that of
 * the addressed node (from its hello reply): a node that has restarted knows a packet that was
 * meant for its earlier start.
 *
 * Relaxed: the ops are sets and cancels. `session` is the relaxed session, a number that the client
 * draws at random for its whole life; it is not 0. The seqs are the client's own. A node never
 * executes a retry of the same session and seq twice, as long as it does not restart. After a
 * restart the client sends the write with `is_recall`. The node answers as before if it knows the
 * write, and else refuses (UNKNOWN). A recall is never executed.
 */
struct wire_write {
    uint64_t packet_number;
    uint64_t incarnation;
    uint32_t timeout_us; /* time left; 0: none. Spent before it is appended: refused as expired */
    bool is_relaxed;
    bool is_recall;      /* relaxed only: answer what is known of it, do not execute */
    struct span request; /* encoded wire_request; encoding: may lie in its place already */
};
#define WIRE_WRITE_HEADER_SIZE_BYTES 24

/* Request builders: begin in an empty writer, then add ops; the header is patched as ops are added.
 * An op that overflows the writer leaves what was there before whole. */
void wire_request_begin(struct wire_writer *writer, uint64_t session, uint64_t floor);
void wire_request_add(struct wire_writer *writer, const struct wire_op *op);
MUST_USE enum error wire_request_decode(struct span bytes, struct wire_request *ret_request);
/* Checks the header alone, for a caller that walks the ops itself, once: exactly op_count of them,
 * each by wire_op_decode, and nothing behind them. */
MUST_USE enum error wire_request_open(struct span bytes, struct wire_request *ret_request);
/* Next op of an ops span; advances *cursor (starts at 0). */
MUST_USE enum error wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op);
size_t wire_op_size_bytes(const struct wire_op *op);

void wire_write_encode(struct wire_writer *writer, const struct wire_write *write);
/* Checks the ops of the request no more than wire_request_open does. */
MUST_USE enum error wire_write_decode(struct span bytes, struct wire_write *ret_write);

#endif
