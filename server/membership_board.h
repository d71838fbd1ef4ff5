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
};

void membership_board_init(struct membership_board *board);

void membership_board_write(struct membership_board *board,
                            const struct raft_configuration *configuration);
void membership_board_remove(struct membership_board *board, bool is_removed);
bool membership_board_is_removed(const struct membership_board *board);

/* False: nothing else than what was read with this sequence, or not now. *sequence is 0 before the
 * first read. */
bool membership_board_read(const struct membership_board *board, uint32_t *sequence,
                           struct raft_configuration *ret_configuration);

#endif
