/*
 * How far the relaxed writes of each series are decided. This is why a forwarded write never
 * applies twice, and never after a later write of its own client. A series is the numbers that one
 * storage gives to the relaxed writes that it accepts; it is named by the birth of the storage. For
 * each series the replicated state holds the highest journal seq that is decided, and what is
 * cancelled above it. A node forwards in order of seq, so one number remembers all before it.
 *
 * A series is open while its storage is a member: the record with a configuration opens the series
 * of the storages that it brings, and closes those of the storages that it leaves out. Only what an
 * open series forwards applies. So what a removed storage has sent and comes late never applies,
 * and the numbers of a new storage are compared with nothing that an earlier one gave.
 *
 * What is known of a closed series is kept for a while, in case its storage becomes a member again.
 * A client may also cancel a write of a series that was never open: of a storage that is not a
 * member yet. Both are strangers: SERIES_STRANGERS_MAX of them are remembered, and the one that was
 * closed or named first makes way.
 *
 * A cancel names a key, a client and a seq. It is of every write of that key by that client up to
 * that seq: whoever knows its newest write of a key need not know the older ones. Writes of other
 * clients stay, for they may carry cancels that those clients rely on.
 *
 * A cancel is kept under a name of key and client, and what has the same name is cancelled with it.
 * While format 0 is in force (base/format.h), as the older program does it, that is a hash of 64
 * bits, and a client can make a key that collides with somebody else's. From format 1 on names have
 * 256 bits (security/content_name.h) and cannot be made to collide. The cancels that a node
 * remembers when the format rises keep their names, since the keys are not known any more, and are
 * found by these until they are decided: nothing that was cancelled comes back.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_STATE_NODE_PROGRESS_H
#define POLLUX_ENGINE_STATE_NODE_PROGRESS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "security/content_name.h"

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

enum cancel_names { CANCEL_NAMES_64, CANCEL_NAMES_256 };

/* Of key and client. A name of 64 bits is followed by zeros, as no name of 256 bits is. */
struct cancel_name {
    uint8_t bytes[CONTENT_NAME_SIZE_BYTES];
};

struct node_cancel {
    uint64_t seq;
    struct cancel_name name;
    uint64_t owner; /* local: the session that cancelled; 0: not known, or a node's */
};

struct op;

/* Series that are remembered though their storages are no members. */
#define SERIES_STRANGERS_MAX 16
#define SERIES_MAX           (RAFT_MEMBERS_MAX + SERIES_STRANGERS_MAX)

struct node_progress {
    uint64_t series;   /* 0: the place is free */
    uint64_t last_seq; /* every seq up to it is decided: applied, cancelled, or replaced */
    uint64_t rank;     /* of a stranger: the lowest makes way */
    uint16_t node;     /* voter id of the storage's node; 0: it was never a member */
    bool is_open;
    uint32_t cancel_count;
    uint32_t wide_count; /* of them, those whose names have 256 bits */
    struct node_cancel cancels[NODE_CANCELS_CAPACITY]; /* above last_seq, rising; one a name */
};

struct nodes_progress {
    struct node_progress *places; /* SERIES_MAX, and one of no series, which stays empty */
    uint64_t names[SERIES_MAX];   /* the series of the places: a search reads these alone */
    uint64_t alone;               /* bit i: no other series of the node of place i is open */
    enum cancel_names new_names;  /* what is cancelled from now on is remembered under such */
    uint64_t own;                 /* the series of this node's storage; 0: it has none */
    uint32_t own_place;           /* SERIES_MAX: nobody has named it */
};

/* A member's series. */
struct series_member {
    uint64_t series;
    uint16_t node;
};

size_t nodes_progress_arena_bytes(void);
void nodes_progress_init(struct nodes_progress *all, struct arena *arena);

/* What is decided of the series. Of one that nobody has named: nothing, and it must not be
 * changed. */
struct node_progress *node_progress_of(const struct nodes_progress *all, uint64_t series);
/* The same, to be changed: a series that nobody has named becomes a stranger. */
struct node_progress *node_progress_name(struct nodes_progress *all, uint64_t series);

/* The members from now on, at most RAFT_MEMBERS_MAX, each once: their series are open, and no
 * other. */
void nodes_progress_open(struct nodes_progress *all, const struct series_member *members,
                         uint32_t count);
/* This node's own series, which is asked for all the time. */
void nodes_progress_watch(struct nodes_progress *all, uint64_t series);

static inline struct node_progress *node_progress_own(const struct nodes_progress *all)
{
    return &all->places[all->own_place];
}

/* The own series is open, and no other one of this node is. */
static inline bool node_progress_own_is_alone(const struct nodes_progress *all)
{
    return (all->alone >> all->own_place & 1) != 0;
}

/* True when the write `seq`, of the key and of this client, is decided or cancelled: it will not
 * apply any more. */
bool node_progress_is_decided(const struct node_progress *progress, uint64_t seq, struct span key,
                              uint32_t tag);

/* The highest seq up to this one that a cancel is of; 0: there is none. */
uint64_t node_progress_cancel_up_to(const struct node_progress *progress, uint64_t seq);

/* True when `count` more can be cancelled and no more than `max` are then. */
bool node_progress_has_room(const struct node_progress *progress, uint32_t count, uint32_t max);

/* So many of its cancels are of this session, as far as this node knows. */
uint32_t node_progress_cancels_of(const struct node_progress *progress, uint64_t session);

/* No write of the key by the client (0: by any) up to `seq` may apply any more, says `owner`: a
 * session, or 0. It is too late for what is decided. There is room (CHECK). */
struct cancelling {
    const struct op *cancel;
    struct span key;
    enum cancel_names names;
    uint64_t owner;
};
void node_progress_cancel(struct node_progress *progress, const struct cancelling *cancelling);

/* Everything up to `seq` (above last_seq, CHECK) is decided. */
void node_progress_advance(struct node_progress *progress, uint64_t seq);

struct series_known {
    uint64_t series;
    uint64_t last_seq;
    uint64_t rank;
    uint16_t node;
    bool is_open;
};

/*
 * Puts back what a snapshot says of a series, without its cancels. `kept` tells the places that the
 * snapshot has named so far. ERR_RANGE, ERR_CORRUPT: it cannot be.
 */
MUST_USE enum error nodes_progress_restore(struct nodes_progress *all,
                                           const struct series_known *content,
                                           bool kept[SERIES_MAX],
                                           struct node_progress **ret_progress);
/* Forgets the series that the snapshot does not name. ERR_CORRUPT: it names too many. */
MUST_USE enum error nodes_progress_restore_end(struct nodes_progress *all,
                                               const bool kept[SERIES_MAX]);
/* Whether the name has 256 bits. */
bool cancel_name_is_wide(const struct cancel_name *name);

/* Puts back what a snapshot says of a cancel; they come in order of seq. ERR_CORRUPT: this one
 * cannot stand where it is. */
MUST_USE enum error node_progress_restore(struct node_progress *progress,
                                          const struct node_cancel *cancel);

uint64_t nodes_progress_state_hash(const struct nodes_progress *all);
/* Aborts (CHECK) where the progress of a node contradicts itself. */
void nodes_progress_check_invariants(const struct nodes_progress *all);

#endif
