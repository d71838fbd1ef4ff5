/*
 * Answers to writes, reads and transfers: the status of the whole request, and the outcome of each
 * operation. The layout is at the head of wire/wire_reply.c.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error. Encoding
 * writes nothing where the writer has no room.
 */
#ifndef POLLUX_WIRE_WIRE_REPLY_H
#define POLLUX_WIRE_WIRE_REPLY_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

/*
 * Outcome of a whole request. Anything but WIRE_STATUS_OK: nothing was or will be appended for it.
 */
enum wire_status {
    WIRE_STATUS_OK = 0,
    WIRE_STATUS_NOT_LEADER,  /* `leader` in the reply is the hint, 0 if unknown */
    WIRE_STATUS_NO_QUORUM,   /* a leader without a fresh quorum, or not settled in its term, or one
                                that hands over: then `leader` is who it hands over to */
    WIRE_STATUS_EXPIRED,     /* the time left ran out in the queue */
    WIRE_STATUS_OVERLOADED,  /* queues full: slow down and retry */
    WIRE_STATUS_LOG_FULL,    /* the logs of a majority have no room */
    WIRE_STATUS_INCARNATION, /* the node has restarted since: say hello again */
    WIRE_STATUS_BAD_REQUEST, /* malformed, too large, too many */
    WIRE_STATUS_TOO_STALE,   /* min_index or max_age cannot be promised here */
    WIRE_STATUS_UNSUPPORTED, /* relaxed writes: the node keeps no journal */
    WIRE_STATUS_PENDING,     /* an earlier relaxed write of the key goes first, or the journal of
                                relaxed writes makes room, or the node knows nothing of the journal
                                seqs that are named: retry in a moment */
    WIRE_STATUS_UNKNOWN,     /* a recall of what this node does not know (any more) */
    WIRE_STATUS_WRONG_SHARD, /* a key that belongs to another shard than the one addressed */
    WIRE_STATUS_TOO_SOON,    /* a transfer: leadership has changed too often lately, see retry_us */
    WIRE_STATUS_OUTDATED,    /* a change of members: another change came between */
    WIRE_STATUS_DENIED,      /* the client has no right to the ops that the reply names (none: to
                                the whole); nothing of the others was done either */
    WIRE_STATUS_PASSED,      /* relaxed: this node has given more journal seqs than the write, or
                                what is recalled, may have got; see given_seq */
    WIRE_STATUS_END
};

/* Outcome of one operation. */
enum wire_outcome {
    WIRE_OUTCOME_OK = 1,
    WIRE_OUTCOME_MISMATCH,   /* swap: not the expected value; the stored one is returned */
    WIRE_OUTCOME_NOT_FOUND,  /* get: no such key. swap: expected a value, key is absent: MISMATCH */
    WIRE_OUTCOME_FENCED,     /* never executed and never will be */
    WIRE_OUTCOME_NO_SESSION, /* unknown or expired session: not executed by this request */
    WIRE_OUTCOME_SESSIONS_FULL,
    WIRE_OUTCOME_WINDOW,     /* seq too far ahead of the floor: not executed */
    WIRE_OUTCOME_FORGOTTEN,  /* seq below the floor: not executed again; its outcome is gone.
                                REGISTER: the nonce of a session that is in use */
    WIRE_OUTCOME_STORE_FULL, /* not executed: keys or bytes exhausted */
    WIRE_OUTCOME_VERSION,    /* ranged get: the value has changed since that version */
    WIRE_OUTCOME_DENIED,     /* in a reply of status DENIED: no right to this op */
    WIRE_OUTCOME_END
};

/* An age as it is told: never younger than it is. UINT64_MAX: never. */
static inline uint64_t wire_age_us(uint64_t age_ns)
{
    return age_ns == UINT64_MAX ? UINT64_MAX : age_ns / 1000 + (age_ns % 1000 != 0);
}

/* WIRE_WRITE_REPLY, WIRE_READ_REPLY, WIRE_TRANSFER_REPLY, WIRE_REPLACE_REPLY and WIRE_CHANGE_REPLY
 * share one shape. */
struct wire_reply {
    uint64_t number; /* packet_number or request_number */
    uint64_t incarnation;
    uint16_t node;
    uint16_t leader;
    uint8_t status; /* enum wire_status */
    uint64_t term;
    uint64_t applied_index;
    uint64_t contact_age_us; /* since this node last had contact with a quorum; UINT64_MAX: never */
    uint64_t series;         /* of the node's journal seqs (wire_series); 0: not said */
    bool is_series_alone;    /* no relaxed write of another series of `node` will apply any more */
    uint64_t journal_done_seq; /* up to this, no relaxed write of the series will */
    uint64_t retry_us;  /* too soon: after this time it is not; overloaded: after this time the
                                  client may ask again, which asks too much; else 0 */
    uint64_t given_seq; /* passed: no journal seq up to this one is given any more; else 0 */
    uint16_t op_count;  /* 0 unless status is OK or DENIED */
    struct span ops;
};
#define WIRE_REPLY_HEADER_SIZE_BYTES 72

struct wire_reply_op {
    uint64_t seq;    /* writes: the op's; reads: its position from 0. REGISTER: the nonce */
    uint8_t outcome; /* enum wire_outcome */
    bool is_pending; /* relaxed: a pending value of this server, or an absence that is pending */
    bool has_value;
    uint64_t version; /* log index of the last write of the key; REGISTER: the new session id;
                         pending: the journal seq, of the reply's series */
    uint32_t value_size_bytes; /* whole value */
    struct span chunk;         /* at most REPLY_CHUNK_SIZE_BYTES_MAX of it, from the offset asked */
};
#define WIRE_REPLY_OP_HEADER_SIZE_BYTES 32

void wire_reply_begin(struct wire_writer *writer, const struct wire_reply *reply);
void wire_reply_add(struct wire_writer *writer, const struct wire_reply_op *op);
MUST_USE enum error wire_reply_decode(struct span bytes, struct wire_reply *ret_reply);
MUST_USE enum error wire_reply_op_decode(struct span ops, size_t *cursor,
                                         struct wire_reply_op *ret_op);

const char *wire_status_name(uint8_t status);
const char *wire_outcome_name(uint8_t outcome);

#endif
