/*
 * Sessions of clients: why a retried or duplicated request never applies twice. The table is fixed.
 * Each session remembers the outcomes of the SESSION_WINDOW sequence numbers from its floor on. A
 * sequence number below the floor is finished for its client and is never executed again.
 *
 * The replicated part depends on the applied records only. A session ends when its client says so,
 * or after session_ttl_ns of log time without a request. A session with nothing open ends sooner,
 * after session_idle_ns: its client has said that it is idle, or has not used it yet. An outcome
 * from the floor on is open: its client may not know it. A living session is never evicted.
 *
 * An id is never used again: it names the record that opened the session. So a node can tell an id
 * that is dead for ever from an id whose record it has not applied yet (sessions_is_future). A
 * session is also found by the nonce that it was registered with, so a retry of the registration
 * opens no second session.
 *
 * The local part serves this node's admission. The packets seen tell a packet that the network
 * copied from a retry, so that a refusal holds for every copy of the refused packet. And the node
 * remembers some of the sessions that ended while they were idle: nothing was executed in them from
 * their floor on, which a client who was cut off just then cannot know otherwise.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_STATE_SESSIONS_H
#define POLLUX_ENGINE_STATE_SESSIONS_H

#include "base/address.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "engine/state/packet_window.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SESSIONS_MAX (1u << 20)

/* Sessions that ended idle and are remembered, at most: one of each hash. */
#define SESSIONS_ENDED_MAX 4096u

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
    uint64_t seq_highest;    /* of the outcomes, those below the floor perhaps included */
    bool is_used;            /* an outcome was remembered: its client has learned its id */
    bool is_idle;            /* nothing is open */
    uint32_t next;           /* in its bucket, or among the free; 0: none */
    uint32_t next_of_nonce;  /* in the bucket of its nonce */
    uint32_t epoch;          /* local: of the watch that has it already */
    uint64_t notice_number;  /* local: packet of the idle notice that waits; 0: none does */
    uint64_t notice_floor;   /* local: of that notice */
    uint64_t notice_ns;      /* local: when it came */
    uint8_t notice_looks;    /* local: how often the node has looked whether the log has it */
    uint64_t cancels_ns;     /* local: since when these are counted: */
    uint32_t cancels_recent; /* local: cancels of its requests that were admitted lately */
    uint32_t cancel_tag;     /* local: under which it cancels; 0: it has not yet */
    struct address opener;   /* local: whom this node has opened it for, zero once it is used */
    uint64_t ending_ns;      /* local: when this node last asked for its end */
    uint64_t heard_ns;       /* local: when this node last took a packet of it; 0: it took none */
    struct address user;     /* local: that packet's sender */
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

TAILQ_HEAD(session_order, session);

/* A session that was active last before this ends. */
struct sessions_oldest {
    uint64_t active_ns;
    uint64_t idle_ns; /* of one with nothing open */
};

/* It ended while it was idle. */
struct session_ended {
    uint64_t id;
    uint64_t floor; /* no seq from it on was ever executed */
};

struct sessions {
    struct session *slots; /* slot 0 is never used */
    uint32_t *buckets;     /* by id */
    uint32_t *nonces;      /* by the hash of the nonce, which the client has chosen */
    struct siphash_key hash_key;
    uint32_t buckets_mask; /* of both */
    uint32_t free_first;
    uint32_t untouched;
    uint32_t capacity;
    uint32_t count;
    uint32_t epoch;              /* of the last watch */
    struct sessions_watch watch; /* before_change NULL: nobody watches */
    uint64_t next_rank;
    struct session_order active; /* by last_active_ns, from the oldest */
    struct session_order idle;   /* likewise */
    struct session_ended *ended; /* local: SESSIONS_ENDED_MAX, by the hash of the id */
};

size_t sessions_arena_bytes(uint32_t sessions_max);
void sessions_init(struct sessions *sessions, struct arena *arena, uint32_t sessions_max,
                   const struct siphash_key *hash_key);

/* The session, NULL when there is none of that id. */
struct session *sessions_find(const struct sessions *sessions, uint64_t id);

/* The session that is known by `nonce` (not 0), NULL when there is none. */
struct session *sessions_find_nonce(const struct sessions *sessions, uint64_t nonce);

/* Opens a session, idle, under a new id; NULL when all are taken. */
struct session *sessions_open(struct sessions *sessions, uint64_t id, uint64_t log_time_ns);
/* Makes an open session known by `nonce`; it has none yet, and no other one has this one
 * (CHECK). */
void sessions_set_nonce(struct sessions *sessions, struct session *session, uint64_t nonce);
void sessions_close(struct sessions *sessions, struct session *session);

/* Renews its expiry, and it counts as not idle; log time never runs backward (CHECK). */
void sessions_touch(struct sessions *sessions, struct session *session, uint64_t log_time_ns);
/* It is idle if it has no outcome from its floor on. It was touched in this record (CHECK). */
void sessions_rest(struct sessions *sessions, struct session *session);

/* Closes the sessions that have ended, at most `count_max`; returns how many. */
uint32_t sessions_expire(struct sessions *sessions, const struct sessions_oldest *oldest,
                         uint32_t count_max);
static inline bool session_has_ended(const struct session *session,
                                     const struct sessions_oldest *oldest)
{
    return session->last_active_ns < (session->is_idle ? oldest->idle_ns : oldest->active_ns);
}

/* A session that is gone: the seq from which on nothing of it was ever executed; 0: not known. */
uint64_t sessions_ended_floor(const struct sessions *sessions, uint64_t id);

/* The session is about to be closed, and nothing was executed in it. */
void sessions_note_ended(struct sessions *sessions, const struct session *session);

/* Any session; NULL: there is none. */
struct session *sessions_any(const struct sessions *sessions);

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

/* Puts the session at the end of the order of expiry, its rank, its time and whether it is idle
 * being the caller's to say: for sessions that come out of a snapshot. */
void sessions_move_to_end(struct sessions *sessions, struct session *session, bool is_idle);

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
