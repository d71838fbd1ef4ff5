/*
 * Which relaxed writes a node had accepted by when, and what may have become of those that the log
 * never decided: another took their place, their client overruled them, or nobody knows. Losses of
 * a node's journal divide its life into eras; what was accepted in one says nothing in the next.
 */
#ifndef POLLUX_TESTS_SIM_ACCEPTANCE_H
#define POLLUX_TESTS_SIM_ACCEPTANCE_H

#include "tests/sim/history.h"
#include "tests/sim/timeline.h"

/* One relaxed write with a journal seq, in the order of (node, shard, seq). */
struct accepted {
    uint16_t node;
    uint32_t shard;
    uint64_t seq;
    uint32_t op;
};

struct acceptance {
    const struct history *history;
    struct accepted *accepted;
    uint32_t accepted_count;
    struct timeline newest;   /* journal seqs, by when they were acknowledged; key, node, era */
    struct timeline known;    /* journal seqs of all that were accepted; key, node */
    struct timeline lasting;  /* those of them that no node has dropped */
    struct timeline doubtful; /* writes that may have been accepted; key, node */
    /* Writes of the log, latest first. */
    struct timeline of_client; /* key, client, life */
    struct timeline of_leader; /* consistent ones; key, node that appended them */
};

void acceptance_init(struct acceptance *acceptance, const struct history *history);
void acceptance_deinit(struct acceptance *acceptance);

/* Losses up to then of the journal that the operation's node has for its shard. */
uint32_t acceptance_era(const struct acceptance *acceptance, const struct history_op *op,
                        uint64_t at_ns);

/* The newest acknowledged relaxed write of a key at a node before then; NULL: none. */
const struct history_op *acceptance_newest(const struct acceptance *acceptance,
                                           const struct history_op *get);

/* The first place in `accepted` of the operation's node and shard, from `seq` on. */
uint32_t acceptance_place(const struct acceptance *acceptance, const struct history_op *op,
                          uint64_t seq);

/* A write of its client, or one through its node, that was not over before it began, is in the log
 * up to `index`: it may have cancelled it. */
bool acceptance_is_overruled(const struct acceptance *acceptance, const struct history_op *op,
                             uint64_t index);

/* A newer write of the key is known to have been accepted by the node, and may have taken its
 * place. */
bool acceptance_has_newer(const struct acceptance *acceptance, const struct history_op *op);

/* A write begun before `before_ns`, of which nobody knows whether the node accepted it, may have
 * taken its place. */
bool acceptance_is_in_doubt(const struct acceptance *acceptance, const struct history_op *op,
                            uint64_t before_ns);

/* Accepted by the operation's node, in its shard. */
static inline bool acceptance_is_beside(const struct accepted *accepted,
                                        const struct history_op *op)
{
    return accepted->node == op->node && accepted->shard == op->shard;
}

/* An acknowledged relaxed write. */
static inline bool acceptance_is_sure(const struct history_op *op)
{
    return history_is_relaxed_write(op) && op->outcome == HISTORY_OK && op->node != 0 &&
           op->journal_seq != 0;
}

#endif
