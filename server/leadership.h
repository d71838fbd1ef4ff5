/*
 * Preferred leaders. The shards of a cluster should be led by different nodes, so each shard has
 * one voter that should lead it when it can. A replica that leads and is not that voter hands
 * leadership over, but only to a voter that can take it at once, and not often: a transfer stops
 * writes for a moment.
 *
 * Pure. Owner: the replica.
 */
#ifndef POLLUX_SERVER_LEADERSHIP_H
#define POLLUX_SERVER_LEADERSHIP_H

#include "raft/raft.h"

/* How far the preferred voter's log may be behind. A transfer waits for the rest of it. */
#define LEADERSHIP_LAG_MAX APPEND_ENTRIES_MAX

struct leadership_options {
    uint16_t self;
    uint16_t preferred;    /* voter id; 0: nobody in particular */
    uint64_t lead_min_ns;  /* a leader leads for so long before it hands over */
    uint64_t retry_ns;     /* between two attempts */
    uint64_t heard_max_ns; /* the preferred voter has answered within this time */
};

struct leadership {
    struct leadership_options options;
    uint64_t term; /* that this node leads; 0: it does not lead */
    uint64_t led_since_ns;
    uint64_t retry_after_ns; /* no attempt before; 0: none was made */
};

/* The voter that should lead the shard: each voter in turn, by rising id, so that every node finds
 * the same one. 0, nobody in particular, with one shard. */
uint16_t leadership_preferred(const struct raft_options *raft, uint16_t shard,
                              uint16_t shard_count);

/* Takes its times from the election timeouts. */
void leadership_init(struct leadership *leadership, const struct raft_options *raft,
                     uint16_t preferred);

/*
 * Once a turn. `peer` is what the leader knows of the preferred voter, NULL when it knows nothing.
 * True: hand leadership to the preferred voter now; no second time before the next attempt is due.
 */
bool leadership_is_due(struct leadership *leadership, const struct raft_status *status,
                       const struct raft_peer_progress *peer, uint64_t now_ns);

#endif
