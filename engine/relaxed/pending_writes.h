/*
 * The pending writes: relaxed writes of this node that the log has not decided yet, in the order of
 * their journal seqs, and an index over the newest of each key that is durable here. Relaxed reads
 * look here before they look at the applied state.
 *
 * The writes form a queue whose positions only rise. Those of [head, shown) are durable; those of
 * [shown, tail) wait for the journal. What happens to the older of two writes of one key:
 *  - never forwarded, no cancels, of the same client and principal: it is dropped and leaves a gap.
 *    When half of a full queue is gaps, the gaps are closed.
 *  - of another client or principal: it stays. The newer one may be overruled by its own client, or
 *    dropped because its principal is revoked; then this one is the newest again.
 *  - forwarded, or with cancels: it stays until it is decided, and the newer one is shown.
 *  - overruled (a cancel of it has applied): it stays, for its number must be decided, and is shown
 *    no more. An older one is looked at when it would be shown: no cancel walks over all of a key.
 *
 * A restart may find more writes than were pending: the log had decided some, but the commit was
 * not durable on this node. So there is room for a quarter more than is ever accepted.
 *
 * Owner writes; any thread looks up inside its RCU turn (engine/state/rcu.h).
 */
#ifndef POLLUX_ENGINE_RELAXED_PENDING_WRITES_H
#define POLLUX_ENGINE_RELAXED_PENDING_WRITES_H

#include "base/limits.h"
#include "engine/relaxed/principals.h"
#include "engine/state/index.h"
#include "engine/state/request.h"
#include "engine/state/store.h"

/* Cancels that pending ops carry along, and that a restart may find. */
#define PENDING_WRITES_CANCELS_MAX      8192
#define PENDING_WRITES_CANCELS_CAPACITY (2 * PENDING_WRITES_CANCELS_MAX)

/* In an entry's version, beside the journal seq: the key is to be absent. */
#define PENDING_WRITES_ABSENT (UINT64_C(1) << 63)

struct pending_write {
    uint64_t seq;
    struct store_entry *entry; /* NULL: dropped */
    uint64_t older_seq;        /* of the next older one of its key, decided or not; 0: none */
    uint32_t tag;              /* of the client */
    uint16_t principal;        /* whose it is: a place of `principals` */
    uint8_t cancel_count;
    bool is_shown : 1; /* the newest of its key: in the index */
    bool is_forwarded : 1;
    bool is_revoked : 1; /* pending_writes_revoke is about to drop it */
};
static_assert(sizeof(struct pending_write) == 32, "two a cache line");

struct pending_cancel {
    uint64_t position; /* of the op that carries it */
    uint64_t seq;
    uint64_t series;
    uint32_t tag;
    uint16_t node;
};

/* Whether the log has applied the write of this seq of a key, or will not: a cancel may have ruled
 * it out. Once true it stays true. */
struct pending_judge {
    bool (*is_decided)(const void *context, uint64_t seq, struct span key, uint32_t tag);
    const void *context;
};

/* The limits: ops in the queue, gaps included, and blocks that they take, as they are accepted. */
struct pending_writes_options {
    uint32_t ops_max;
    uint32_t blocks_max;
    const struct siphash_key *hash_key;
    struct pending_judge judge;
};

struct pending_writes {
    struct pending_judge judge;
    struct principals principals;
    struct store store;
    struct index index;
    struct pending_write *ops; /* a ring */
    uint64_t ops_mask;
    uint64_t ops_max; /* accepted, as blocks_max */
    uint64_t head;
    uint64_t shown;
    uint64_t tail;
    /* Keys in the index, so that a lookup costs one load while nothing is pending. Stored with
     * release after the index has changed, loaded with acquire by pending_writes_lookup: who sees
     * the count finds the key. */
    _Atomic uint64_t keys;
    uint64_t live; /* ops in the queue that are not dropped */
    uint64_t blocks;
    uint64_t blocks_max;
    struct pending_cancel *cancels; /* a ring, positions rising */
    uint64_t cancels_head;
    uint64_t cancels_tail;
    uint16_t cancels_of[VOTER_ID_MAX + 1]; /* in the ring, by the node whose write they cancel */
};

size_t pending_writes_arena_bytes(uint32_t ops_max, uint32_t blocks_max);
MUST_USE enum error pending_writes_init(struct pending_writes *writes, struct arena *arena,
                                        const struct pending_writes_options *options);
void pending_writes_deinit(struct pending_writes *writes);

/* What some ops take. */
struct pending_need {
    uint32_t ops;
    uint32_t cancels;
    uint64_t blocks;
};

/* For ops that are accepted now. */
bool pending_writes_has_room(const struct pending_writes *writes, const struct pending_need *need);
/* For ops that were accepted before a restart. */
bool pending_writes_has_room_again(const struct pending_writes *writes,
                                   const struct pending_need *need);

/* Closes the gaps of a queue that is full of them: positions change, and the position at hand with
 * them. Before any cancel of the next op is added. */
void pending_writes_close_gaps(struct pending_writes *writes, uint64_t *position);

/* Position of the first op whose seq is at least `seq`. */
uint64_t pending_writes_position_of(const struct pending_writes *writes, uint64_t seq);
/* The seq of the first op from `seq` on that is not dropped; UINT64_MAX: none. */
uint64_t pending_writes_next_seq(const struct pending_writes *writes, uint64_t seq);

/* Queues a set of a request, whose session is the client's, under a journal seq above all before.
 * The set is not shown yet. There is room (CHECK). `principal` has a place (or NONE). */
void pending_writes_add(struct pending_writes *writes, const struct request *request,
                        const struct op *op, uint64_t seq, uint16_t principal);
/* A cancel that the next op added carries. */
void pending_writes_add_cancel(struct pending_writes *writes, const struct op *cancel);

/* Shows the ops up to `seq`, but for those that a cancel has overruled; returns how many older ones
 * were dropped for it. */
uint32_t pending_writes_show(struct pending_writes *writes, uint64_t seq);

/* The log has decided the ops up to `seq`: takes them out; returns how many that were not
 * dropped. */
uint32_t pending_writes_decide(struct pending_writes *writes, uint64_t seq);

/* A cancel of some write of the key has applied: what is decided by it is no longer shown. */
void pending_writes_overrule(struct pending_writes *writes, struct span key, uint64_t hash);
/* The same of all keys: cancels have come with a snapshot. */
void pending_writes_overrule_all(struct pending_writes *writes);

/* What the principals have pending that are to be dropped (principals_revoke): shown or not,
 * forwarded or not, and with it the cancels that it carries. Of each key the newest that is left,
 * if there is one, is shown. One walk, however many principals they are. */
struct pending_revoked {
    uint32_t count;
    uint64_t first_seq; /* of those that were dropped */
    uint64_t last_seq;
};
struct pending_revoked pending_writes_revoke(struct pending_writes *writes);
/* The seq of the first op from `at` (a position, moved behind it) that is to be dropped; 0:
 * none. */
uint64_t pending_writes_next_revoked(const struct pending_writes *writes, uint64_t *at);

/* The shown op of an entry that pending_writes_lookup found. Owner. */
struct pending_write *pending_writes_op_of(const struct pending_writes *writes,
                                           const struct store_entry *entry);
/* This op (NULL: none), or the next older one of its key, that carries cancels and is not decided;
 * NULL: none. Owner. */
const struct pending_write *pending_writes_carrying(const struct pending_writes *writes,
                                                    const struct pending_write *op);
/* The next older op of the same key, decided or not; NULL: none. Owner. */
const struct pending_write *pending_writes_older(const struct pending_writes *writes,
                                                 const struct pending_write *op);

/* The newest durable pending op of `key`, or NULL. Any thread, valid until its rcu_turn. */
struct store_entry *pending_writes_lookup(const struct pending_writes *writes, struct span key,
                                          uint64_t hash);

static inline bool pending_writes_is_empty(const struct pending_writes *writes)
{
    return writes->head == writes->shown;
}

static inline struct pending_write *pending_writes_at(const struct pending_writes *writes,
                                                      uint64_t position)
{
    return &writes->ops[position & writes->ops_mask];
}

static inline uint64_t pending_writes_seq(const struct store_entry *entry)
{
    return entry->version & ~PENDING_WRITES_ABSENT;
}

static inline bool pending_writes_has_value(const struct store_entry *entry)
{
    return (entry->version & PENDING_WRITES_ABSENT) == 0;
}

/* The first cancel in the ring of the op at `position` or after it. */
uint64_t pending_writes_first_cancel(const struct pending_writes *writes, uint64_t position);

static inline const struct pending_cancel *
pending_writes_cancel_at(const struct pending_writes *writes, uint64_t at)
{
    return &writes->cancels[at & (PENDING_WRITES_CANCELS_CAPACITY - 1)];
}

/* Walks all; aborts (CHECK) where the queue, the index and the accounts contradict each other. */
void pending_writes_check_invariants(const struct pending_writes *writes);

#endif
