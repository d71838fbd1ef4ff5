/*
 * What shard 0 of a node has committed as its configuration, for the node's other shards, which may
 * live on other lanes: server/wanted.h.
 *
 * Threads: one lane writes, that of shard 0; any lane reads. A reader never waits: what is being
 * written is read in a later turn.
 */
#ifndef POLLUX_SERVER_MEMBERSHIP_BOARD_H
#define POLLUX_SERVER_MEMBERSHIP_BOARD_H

#include "raft/configuration.h"

#include <stdatomic.h>

#define MEMBERSHIP_BOARD_WORDS ((RAFT_CONFIGURATION_BYTES_MAX + 7) / 8)

struct membership_board {
    /* Odd: being written. Release at the end of a write pairs with acquire at the begin of a read;
     * fences keep the words between the two (Boehm, "Can seqlocks get along with programming
     * language memory models?"). */
    atomic_uint_least32_t sequence;
    atomic_uint_least32_t size_bytes;
    atomic_uint_least64_t words[MEMBERSHIP_BOARD_WORDS];
    atomic_bool is_removed; /* this node is no member any more; on its own, no other is ordered */
    atomic_bool leaves;     /* it is to be removed; on its own */
    uint16_t shard_count;   /* of the node */
    /* Of each shard: the number of a configuration that it has in force and in which this node
     * leaves, and nothing is pending there; 0: there is none. Release pairs with acquire where they
     * are asked for: what was accepted before is seen to be decided. */
    atomic_uint_least32_t drained[SHARDS_MAX];
    atomic_uint_least64_t pending[SHARDS_MAX]; /* relaxed writes; on its own, for people */
};

void membership_board_init(struct membership_board *board, uint16_t shard_count);

void membership_board_write(struct membership_board *board,
                            const struct raft_configuration *configuration);
void membership_board_remove(struct membership_board *board, bool is_removed);
bool membership_board_is_removed(const struct membership_board *board);

/* Any lane, for its shards. `number` 0: it does not leave, or has something pending. */
void membership_board_drain(struct membership_board *board, uint16_t shard, uint32_t number,
                            uint64_t pending);
/* Every shard is drained under a configuration of this number or a later one. *ret_pending: relaxed
 * writes of all of them. */
bool membership_board_is_drained(const struct membership_board *board, uint32_t number,
                                 uint64_t *ret_pending);
/* Shard 0 says to the node's other shards that the node is to be removed. */
void membership_board_leave(struct membership_board *board, bool leaves);
bool membership_board_leaves(const struct membership_board *board);

/* False: nothing else than what was read with this sequence, or not now. *sequence is 0 before the
 * first read. */
bool membership_board_read(const struct membership_board *board, uint32_t *sequence,
                           struct raft_configuration *ret_configuration);

#endif
