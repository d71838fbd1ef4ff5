/*
 * What operators ask about sessions: a page of the table of one shard, and that one session be
 * ended. The node keeps nothing in mind of who asks. The layout is at the head of
 * wire/wire_sessions.c.
 *
 * A question is at least as large as its answer: no node sends a stranger more than the stranger
 * has sent, wherever he says he is.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_SESSIONS_H
#define POLLUX_WIRE_WIRE_SESSIONS_H

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"
#include "wire/wire_reply.h"
#include "wire/wire_writer.h"

#define WIRE_SESSIONS_QUESTION_BYTES    1152
#define WIRE_SESSION_END_QUESTION_BYTES 128
/* Sessions of a page, at most. */
#define WIRE_SESSIONS_PAGE_MAX 18

/* WIRE_SESSIONS */
struct wire_sessions {
    uint64_t number;
    uint32_t from; /* the place of the table that the page begins with: 0, or `next` of the last */
};

enum wire_session_state {
    WIRE_SESSION_UNUSED = 1, /* opened, and nothing was executed in it */
    WIRE_SESSION_OPEN,       /* its client may wait for an outcome */
    WIRE_SESSION_IDLE,       /* nothing is open */
    WIRE_SESSION_STATE_END
};

struct wire_session {
    uint64_t id;            /* not 0 */
    uint64_t quiet_us;      /* of log time, since its last request in the log */
    uint64_t heard_us;      /* since this node took a packet of it; UINT64_MAX: it took none */
    uint64_t left_us;       /* of log time, until it ends by itself */
    struct address address; /* that sent this node its last packet; port 0: not known */
    uint8_t state;          /* enum wire_session_state */
    uint16_t outcomes;      /* that are kept for its client, at most SESSION_WINDOW */
};

/* WIRE_SESSIONS_REPLY. Any status but WIRE_STATUS_OK: the head alone. */
struct wire_sessions_reply {
    struct wire_reply head; /* without ops */
    uint32_t next;          /* the next page begins there; 0: there is none */
    uint32_t count;         /* of all sessions of the shard */
    uint32_t sessions_max;  /* the limit in force */
    uint16_t entry_count;   /* at most WIRE_SESSIONS_PAGE_MAX */
    struct span entries;    /* wire_session_decode */
};

void wire_sessions_encode(struct wire_writer *writer, const struct wire_sessions *question);
/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED. */
MUST_USE enum error wire_sessions_decode(struct span bytes, struct wire_sessions *ret_question);

/* Begins a page with the head (status OK), adds sessions, and ends it: in that order. */
void wire_sessions_reply_begin(struct wire_writer *writer, const struct wire_reply *head);
void wire_sessions_reply_add(struct wire_writer *writer, const struct wire_session *session);
void wire_sessions_reply_end(struct wire_writer *writer, const struct wire_sessions_reply *page);
/* Those of wire_reply_decode; ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_sessions_reply_decode(struct span bytes,
                                               struct wire_sessions_reply *ret_reply);
/* The i-th session of a reply that has decoded (CHECK: there is one). */
struct wire_session wire_session_at(const struct wire_sessions_reply *reply, uint32_t i);

/* WIRE_SESSION_END: number, id of the session. Answered with a wire_reply, of one op if the status
 * is OK: WIRE_OUTCOME_OK, it has ended; WIRE_OUTCOME_NO_SESSION, there is none (any more). */
void wire_session_end_encode(struct wire_writer *writer, uint64_t number, uint64_t session);
/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED. */
MUST_USE enum error wire_session_end_decode(struct span bytes, uint64_t *ret_number,
                                            uint64_t *ret_session);

#endif
