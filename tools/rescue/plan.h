/*
 * What a rescue does with one shard: nothing while the nodes that are left could still come up by
 * themselves; else one of the storages becomes the only voter of a new era, and the other nodes get
 * new, empty storages that are its learners.
 *
 * Why one voter: it alone has the record that begins the era, so nobody else may vote in it. The
 * others catch up, and become voters by themselves (server/wanted.h).
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_RESCUE_PLAN_H
#define POLLUX_TOOLS_RESCUE_PLAN_H

#include "raft/configuration.h"

/* What one data directory has of the shard. */
struct rescue_storage {
    struct raft_storage storage; /* birth 0: none was made, or the header is lost */
    bool is_usable;              /* its log, with its snapshot, can be opened */
    bool is_suspect;             /* it may lack what it acknowledged, so it counts for nothing */
    bool is_ended;               /* set back, or its era is over: counts for nothing for ever */
    uint64_t term;               /* hard state */
    uint64_t last_term;
    uint64_t last_index;
    uint64_t commit_index;                   /* as far as it knows */
    struct raft_configuration configuration; /* the newest that it has; slot_count 0: none */
    uint64_t new_birth; /* of the storage that it gets if another one is taken; random, not 0 */
};

enum rescue_verdict {
    RESCUE_POSSIBLE,
    RESCUE_NOT_NEEDED, /* those that are left are a majority */
    RESCUE_NO_STORAGE, /* no storage that is left belongs to a cluster and can be used */
    RESCUE_STRANGER,   /* the storages are of several clusters */
    RESCUE_TWICE,      /* two directories are of one node */
    RESCUE_VERDICT_END
};

struct rescue_shard_plan {
    enum rescue_verdict verdict;
    bool is_taken_along; /* a majority is left, but another shard needs the rescue */
    uint32_t chosen;     /* which storage goes on */
    uint32_t alive;      /* voters that count and are left: bits, by slot of `before` */
    struct raft_configuration before;
    uint64_t term; /* of the record that begins the era */
    struct raft_configuration after;
    uint64_t commit_index; /* highest that any of them knows to be committed */
};

/*
 * `answering`: births of storages of which no directory is here, and whose nodes answer; they may
 * count. `era` and `number` are those that the new configurations of all shards get.
 */
void rescue_plan_shard(const struct rescue_storage *storages, uint32_t count,
                       const uint64_t *answering, uint32_t answering_count,
                       struct rescue_shard_plan *ret_plan);

/* Fills `after`, of a shard that can be rescued. */
void rescue_plan_after(const struct rescue_storage *storages, uint32_t count, uint64_t era,
                       uint32_t number, struct rescue_shard_plan *plan);

/* What is committed up to there stays. What was committed behind it may be lost, also where the
 * chosen log goes on: those who are gone may have committed other records there. */
static inline uint64_t rescue_kept_index(const struct rescue_storage *chosen,
                                         const struct rescue_shard_plan *plan)
{
    return plan->commit_index < chosen->last_index ? plan->commit_index : chosen->last_index;
}

#endif
