/*
 * How far the relaxed writes of each node are decided. This is why a forwarded write never applies
 * twice, and never after a later write of its own client. For each voter id the replicated state
 * holds the highest journal seq that is decided, and what is cancelled above it. A node forwards in
 * order of seq, so one number remembers all that came before. It is never reset.
 *
 * A cancel names a key, a client and a seq. It is of every write of that key by that client up to
 * that seq: whoever knows its newest write of a key need not know the older ones. Writes of other
 * clients stay, for they may carry cancels that those clients rely on. Key and client are kept as a
 * hash: what has the same hash would be cancelled with it.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_STATE_NODE_PROGRESS_H
#define POLLUX_ENGINE_STATE_NODE_PROGRESS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Bounds of the cancels that one node's progress remembers.
 *
 * A consistent write whose cancels would exceed NODE_CANCELS_MAX is refused (STORE_FULL); its
 * client learns that. A forwarded relaxed write must not be refused: it was acknowledged already.
 * So each node checks before it accepts a relaxed write, and keeps its own share below
 * NODE_CANCELS_MAX. The consistent writes and NODES_MAX nodes together thus fit into
 * NODE_CANCELS_CAPACITY, even if the node whose writes are cancelled stays away for long.
 */
#define NODE_CANCELS_MAX      1024
#define NODE_CANCELS_CAPACITY ((NODES_MAX + 1) * NODE_CANCELS_MAX)

struct node_cancel {
    uint64_t seq;
    uint64_t name; /* of key and client */
};

struct node_progress {
    uint64_t last_seq; /* every seq up to it is decided: applied, cancelled, or replaced */
    uint32_t cancel_count;
    struct node_cancel cancels[NODE_CANCELS_CAPACITY]; /* above last_seq, rising; one a name */
};

struct nodes_progress {
    struct node_progress *nodes; /* by voter id */
};

size_t nodes_progress_arena_bytes(void);
void nodes_progress_init(struct nodes_progress *all, struct arena *arena);

/* What is decided of voter `node` (1 to VOTER_ID_MAX, CHECK). */
struct node_progress *node_progress_of(const struct nodes_progress *all, uint16_t node);

/* True when the write `seq`, of the key of this hash and of this client, is decided or cancelled:
 * it will not apply any more. */
bool node_progress_is_decided(const struct node_progress *progress, uint64_t seq, uint64_t hash,
                              uint32_t tag);

/* True when `count` more can be cancelled and no more than `max` are then. */
bool node_progress_has_room(const struct node_progress *progress, uint32_t count, uint32_t max);

/* No write of the key of this hash by the client (0: by any) up to `seq` may apply any more. It is
 * too late for what is decided. There is room (CHECK). */
void node_progress_cancel(struct node_progress *progress, uint64_t seq, uint64_t hash,
                          uint32_t tag);

/* Everything up to `seq` (above last_seq, CHECK) is decided. */
void node_progress_advance(struct node_progress *progress, uint64_t seq);

/* Nothing is decided of the node but what is up to `last_seq`; nothing is cancelled. */
void node_progress_reset(struct node_progress *progress, uint64_t last_seq);
/* Puts back what a snapshot says of a cancel; they come in order of seq. ERR_CORRUPT: this one
 * cannot stand where it is. */
MUST_USE enum error node_progress_restore(struct node_progress *progress,
                                          const struct node_cancel *cancel);

uint64_t nodes_progress_state_hash(const struct nodes_progress *all);
/* Aborts (CHECK) where the progress of a node contradicts itself. */
void nodes_progress_check_invariants(const struct nodes_progress *all);

#endif
