/*
 * Relaxed sessions: which relaxed writes this node has accepted from each client. A session holds
 * the journal seqs of the client's last SESSION_WINDOW writes. A retry is answered from there, so
 * it never executes twice on this node. The table is local and bounded, and is built again from the
 * journal at a start. A session gives way to a new one after RELAXED_SESSION_IDLE_NS of silence.
 *
 * A client that is closed gives its session back at once. Then the id alone is remembered, for as
 * long as a packet may take: no late copy of a packet begins the session anew.
 *
 * A session also remembers the packets that it has seen, so that a refusal holds: no copy of the
 * refused packet is taken later. A client that was refused because no session was free is a
 * stranger; the packets of strangers are remembered in a ring of their own.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_RELAXED_RELAXED_SESSIONS_H
#define POLLUX_ENGINE_RELAXED_RELAXED_SESSIONS_H

#include "base/address.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "engine/state/closed_sessions.h"
#include "engine/state/packet_window.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define RELAXED_SESSIONS_MAX 1024
/* Of one address, a host and a port: a handle has one in each shard. A host may have as many as are
 * free, and that many at least. */
#define RELAXED_SESSIONS_OF_ADDRESS 16u

/* Refused packets of strangers that are remembered, and for how long. No copy of a packet is
 * assumed to arrive later than that. */
#define STRANGERS_MAX        256
#define STRANGER_REMEMBER_NS UINT64_C(10000000000)

struct relaxed_session_write {
    uint64_t seq; /* the client's; 0: none */
    uint64_t journal_seq;
};

struct relaxed_session {
    uint64_t id; /* 0: free */
    uint64_t touched_ns;
    uint32_t next; /* in its bucket, or of the free ones; 0: none */
    TAILQ_ENTRY(relaxed_session) order;
    struct packet_window packets;
    struct relaxed_session_write writes[SESSION_WINDOW]; /* at seq mod SESSION_WINDOW */
};

/* For whom a session was opened, and when it was last heard of: beside the session, so that a walk
 * over all touches little memory. */
struct relaxed_opener {
    uint64_t heard_ns;
    struct address address; /* zero: not known */
    bool is_open;
};

struct stranger {
    uint64_t id; /* 0: none */
    uint64_t packet_number;
    uint64_t refused_ns;
};

struct relaxed_sessions {
    struct relaxed_session *slots; /* slot 0 is never used */
    uint32_t *buckets;             /* by the hash of the id, which the client has chosen */
    struct siphash_key hash_key;
    struct relaxed_opener openers[RELAXED_SESSIONS_MAX + 1]; /* by slot */
    struct closed_sessions given_back;
    uint32_t slots_used;                      /* slot numbers up to this one were in use */
    uint32_t free_first;                      /* of those the free ones; 0: none */
    TAILQ_HEAD(, relaxed_session) order;      /* by touched_ns, from the oldest */
    struct stranger strangers[STRANGERS_MAX]; /* a ring */
    uint64_t strangers_tail;
};

size_t relaxed_sessions_arena_bytes(void);
void relaxed_sessions_init(struct relaxed_sessions *sessions, struct arena *arena,
                           const struct siphash_key *hash_key);

/* The session, or NULL. */
struct relaxed_session *relaxed_sessions_find(const struct relaxed_sessions *sessions, uint64_t id);

/* The session, heard of now; a new one if need be. NULL: all are taken by others that are not
 * silent for long enough. */
struct relaxed_session *relaxed_sessions_take(struct relaxed_sessions *sessions, uint64_t id,
                                              uint64_t now_ns);
/* The same of what a restart finds, in the order in which it was written: who wrote longest ago
 * gives way. */
struct relaxed_session *relaxed_sessions_take_again(struct relaxed_sessions *sessions, uint64_t id,
                                                    uint64_t now_ns);

/* The client gives it back, in a packet of that number, and uses it no more. True: it is gone, or
 * there was none. False: nobody would remember it, and it stays. */
bool relaxed_sessions_give_back(struct relaxed_sessions *sessions, uint64_t id,
                                uint64_t packet_number, uint64_t now_ns);
/* The packet may be a copy of one from before its session was given back. */
bool relaxed_sessions_is_late(const struct relaxed_sessions *sessions, uint64_t id,
                              uint64_t packet_number);

/* True when one more session would be more than the share of this address or of its host. Those
 * that may give way do not count. */
bool relaxed_sessions_is_over_share(const struct relaxed_sessions *sessions,
                                    const struct address *from, uint64_t now_ns);
/* The new session was opened for this address. */
void relaxed_sessions_note_opener(struct relaxed_sessions *sessions,
                                  const struct relaxed_session *session,
                                  const struct address *from);

/* Remembers that this packet of a client without a session is refused. False: it must not be
 * answered, for it is a copy of one that was refused before, or cannot be remembered. */
bool relaxed_sessions_refuse(struct relaxed_sessions *sessions, uint64_t id, uint64_t packet_number,
                             uint64_t now_ns);

/* The journal seq of the client's write `seq`; 0: not known. */
uint64_t relaxed_session_recall(const struct relaxed_session *session, uint64_t seq);

/* True when a later write has taken the place where `seq` would be remembered: whether it was
 * executed cannot be told any more. */
bool relaxed_session_has_forgotten(const struct relaxed_session *session, uint64_t seq);

void relaxed_session_remember(struct relaxed_session *session, uint64_t seq, uint64_t journal_seq);

#endif
