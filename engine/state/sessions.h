/*
 * Sessions of clients: why a retried or duplicated request never applies twice. The table is fixed.
 * Each session remembers the outcomes of the SESSION_WINDOW sequence numbers from its floor on. A
 * sequence number below the floor is finished for its client and is never executed again.
 *
 * The replicated part depends on the applied records only. A session ends when its client says so,
 * or after session_ttl_ns of log time without a request. A living session is never evicted.
 *
 * An id is never used again: it names the record that opened the session. So a node can tell an id
 * that is dead for ever from an id whose record it has not applied yet (sessions_is_future). A
 * session is also found by the nonce that it was registered with, so a retry of the registration
 * opens no second session.
 *
 * The local part (packets seen) serves this node's admission. It tells a packet that the network
 * copied from a retry, so that a refusal holds for every copy of the refused packet.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_STATE_SESSIONS_H
#define POLLUX_ENGINE_STATE_SESSIONS_H

#include "base/arena.h"
#include "base/limits.h"
#include "engine/state/packet_window.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SESSIONS_MAX (1u << 20)

/* Ids hold the index of the record and the ordinal of the op in it. */
#define SESSION_ORDINAL_BITS 12
static_assert(BATCH_REQUESTS_MAX * REQUEST_OPS_MAX <= 1 << SESSION_ORDINAL_BITS,
              "every op of a record has an ordinal");

struct session_outcome {
    uint64_t seq; /* 0: none */
    uint64_t version;
    uint8_t outcome; /* enum wire_outcome */
};

struct session {
    uint64_t id;
    uint64_t nonce; /* 0: none */
    uint64_t floor;
    uint64_t last_active_ns; /* log time */
    uint64_t rank;           /* its place in the order of expiry: rises with each activity */
    bool is_used;            /* an outcome was remembered: its client has learned its id */
    uint32_t next;           /* in its bucket, or among the free; 0: none */
    uint32_t next_of_nonce;  /* in the bucket of its nonce */
    uint32_t epoch;          /* local: of the watch that has it already */
    TAILQ_ENTRY(session) order;
    struct session_outcome outcomes[SESSION_WINDOW]; /* at seq mod SESSION_WINDOW */
    struct packet_window packets;                    /* local */
};

/*
 * Who must see each session as it was when the watch began: called just before its first change
 * since then (activity, floor, outcome, end). A session that was opened since is not shown.
 */
struct sessions_watch {
    void (*before_change)(void *context, struct session *session);
    void *context;
};

struct sessions {
    struct session *slots; /* slot 0 is never used */
    uint32_t *buckets;     /* by id */
    uint32_t *nonces;      /* by nonce */
    uint32_t buckets_mask; /* of both */
    uint32_t free_first;
    uint32_t untouched;
    uint32_t capacity;
    uint32_t count;
    uint32_t epoch;              /* of the last watch */
    struct sessions_watch watch; /* before_change NULL: nobody watches */
    uint64_t next_rank;
    TAILQ_HEAD(, session) order; /* by last_active_ns, from the oldest */
};

size_t sessions_arena_bytes(uint32_t sessions_max);
void sessions_init(struct sessions *sessions, struct arena *arena, uint32_t sessions_max);

/* The session, NULL when there is none of that id. */
struct session *sessions_find(const struct sessions *sessions, uint64_t id);

/* The session that is known by `nonce` (not 0), NULL when there is none. */
struct session *sessions_find_nonce(const struct sessions *sessions, uint64_t nonce);

/* Opens a session under a new id; NULL when all are taken. */
struct session *sessions_open(struct sessions *sessions, uint64_t id, uint64_t log_time_ns);
/* Makes an open session known by `nonce`; it has none yet, and no other one has this one
 * (CHECK). */
void sessions_set_nonce(struct sessions *sessions, struct session *session, uint64_t nonce);
void sessions_close(struct sessions *sessions, struct session *session);

/* Renews its expiry; log time never runs backward (CHECK). */
void sessions_touch(struct sessions *sessions, struct session *session, uint64_t log_time_ns);

/* Closes sessions that were active last before `oldest_ns`, at most `count_max`; returns how
 * many. */
uint32_t sessions_expire(struct sessions *sessions, uint64_t oldest_ns, uint32_t count_max);

/* A watch begins, after the last one has ended (CHECK), and ends. */
void sessions_watch_begin(struct sessions *sessions, const struct sessions_watch *watch);
void sessions_watch_end(struct sessions *sessions);

/* True when the session is still to be shown to the watch that runs; and not any more. */
static inline bool sessions_is_unseen(const struct sessions *sessions,
                                      const struct session *session)
{
    return session->epoch != sessions->epoch;
}

static inline void sessions_set_seen(const struct sessions *sessions, struct session *session)
{
    session->epoch = sessions->epoch;
}

/* Puts the session at the end of the order of expiry, its rank and time being the caller's to set:
 * for sessions that come out of a snapshot. */
void sessions_move_to_end(struct sessions *sessions, struct session *session);

/* Id of the session that op `ordinal` of record `index` opens. Never 0. */
static inline uint64_t sessions_id(uint64_t index, uint32_t ordinal)
{
    return (index << SESSION_ORDINAL_BITS) | ordinal;
}

/* True when the record that would have opened `id` is not applied yet. */
static inline bool sessions_is_future(uint64_t id, uint64_t applied_index)
{
    return id >> SESSION_ORDINAL_BITS > applied_index;
}

/* The remembered outcome of `seq` (>= floor), NULL: none. */
static inline struct session_outcome *session_outcome_of(struct session *session, uint64_t seq)
{
    struct session_outcome *outcome = &session->outcomes[seq & (SESSION_WINDOW - 1)];
    return outcome->seq == seq ? outcome : NULL;
}

/* Remembers it; floor <= seq < floor + SESSION_WINDOW (CHECK). */
void session_remember(struct session *session, const struct session_outcome *outcome);

/* Hash over the replicated part of all sessions, whatever their slots. A walk. */
uint64_t sessions_state_hash(const struct sessions *sessions);

/* Walks all: in order of their last activity, each found under its id and its nonce. Aborts (CHECK)
 * if not. */
void sessions_check_invariants(const struct sessions *sessions, uint64_t log_time_ns);

#endif
