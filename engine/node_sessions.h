/*
 * Sessions of nodes: why a forwarded relaxed write never applies twice, and never after a later
 * write of its own client. One for each voter id, part of the replicated state and never closed:
 * the highest journal seq that is decided, and what is cancelled above it. A node forwards in order
 * of seq, so that one number remembers all that came before.
 *
 * A cancel names a key and a seq, and is of every write of that key up to that seq: whoever knows a
 * node's newest write of a key need not know the older ones, which that has replaced. The key is
 * kept as its hash: one that has the same would have its pending write cancelled with it.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_NODE_SESSIONS_H
#define POLLUX_ENGINE_NODE_SESSIONS_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Keys with cancelled writes of one node that are not decided. A client's write that would make
 * them more is refused (STORE_FULL). A relaxed write was acknowledged and must apply whatever
 * happens, so each node accepts only as many as keep its own share below the same limit: behind its
 * client's back nothing is refused, and a node that stays away for long cannot block the backlogs
 * of others.
 */
#define NODE_CANCELS_MAX      1024
#define NODE_CANCELS_CAPACITY ((NODES_MAX + 1) * NODE_CANCELS_MAX)

/* Writes of a key up to this seq. */
struct node_cancel {
    uint64_t seq;
    uint64_t hash;
};

struct node_session {
    uint64_t last_seq; /* every seq up to it is decided: applied, cancelled, or replaced */
    uint32_t cancel_count;
    struct node_cancel cancels[NODE_CANCELS_CAPACITY]; /* above last_seq, seqs rising; one a key */
};

struct node_sessions {
    struct node_session *sessions; /* by voter id */
};

size_t node_sessions_arena_bytes(void);
void node_sessions_init(struct node_sessions *sessions, struct arena *arena);

/* Session of voter `node` (1 to VOTER_ID_MAX, CHECK). */
struct node_session *node_session_of(const struct node_sessions *sessions, uint16_t node);

/* True when the write `seq`, of this key, is decided or cancelled: it will not apply any more. */
bool node_session_is_settled(const struct node_session *session, uint64_t seq, struct span key);

/* True when `count` more can be cancelled and no more than `max` are then. */
bool node_session_has_room(const struct node_session *session, uint32_t count, uint32_t max);

/* No write of the key up to `seq` must ever apply; too late for those that are decided. There is
 * room (CHECK). */
void node_session_cancel(struct node_session *session, uint64_t seq, struct span key);

/* Everything up to `seq` (above last_seq, CHECK) is decided. */
void node_session_advance(struct node_session *session, uint64_t seq);

uint64_t node_sessions_state_hash(const struct node_sessions *sessions);
/* Aborts (CHECK) where a session contradicts itself. */
void node_sessions_check_invariants(const struct node_sessions *sessions);

#endif
