/*
 * Who should lead a shard, and when leadership is handed over. Each voter has a priority, which its
 * node's configuration sets. Among the voters of the highest priority the shards take turns, so
 * that the nodes share the work of leading. A leader that another voter should replace hands over,
 * but only to a voter that can take it at once, and not often: a transfer stops writes for a
 * moment. Each change of the leader costs a token, on all nodes that see it, so the limit holds for
 * the shard, whoever leads.
 *
 * Pure. Owner: the replica.
 */
#ifndef POLLUX_SERVER_LEADERSHIP_H
#define POLLUX_SERVER_LEADERSHIP_H

#include "raft/raft.h"

/* How far a voter's log may be behind. A transfer waits for the rest of it. */
#define LEADERSHIP_LAG_MAX APPEND_ENTRIES_MAX

/* Transfers that may follow one another at once, after a time without any. */
#define LEADERSHIP_BURST 3

struct leadership_options {
    uint16_t self;
    uint16_t shard;
    uint16_t shard_count;
    uint8_t priority;      /* of this node: 0 to PRIORITY_MAX */
    uint64_t lead_min_ns;  /* a leader leads for so long before it hands over by itself */
    uint64_t retry_ns;     /* between two attempts of its own */
    uint64_t heard_max_ns; /* a voter that takes over has answered within this time */
    uint64_t interval_ns;  /* a token comes back; 0: transfers are not limited */
};

struct leadership {
    struct leadership_options options;
    uint8_t priorities[VOTER_ID_MAX + 1]; /* by node, as far as they have told */
    uint64_t term;                        /* that this node leads; 0: it does not lead */
    uint64_t led_since_ns;
    uint64_t retry_after_ns; /* no attempt of its own before; 0: none was made */
    uint64_t full_ns;        /* when all tokens are back */
    uint64_t term_seen;      /* of the newest leader that is known; 0: none */
    bool is_paid;            /* the token of the change under way is taken already */
};

/* The voters of the configuration in force, without this node, and what the leader knows of them.
 * Nodes rising. */
struct leadership_voters {
    uint32_t count;
    bool is_self_voter;
    struct raft_peer_progress voters[NODES_MAX];
};

/* From the options of a shard's core; priority and interval are the caller's. Times come from the
 * election timeouts. */
void leadership_init(struct leadership *leadership, const struct raft_options *raft,
                     const struct leadership_options *options);

/* A node has told its priority. */
void leadership_note_priority(struct leadership *leadership, uint16_t node, uint8_t priority);

/* After each step that changed role, term or leader: a change of leader costs a token. */
void leadership_note_leader(struct leadership *leadership, const struct raft_status *status,
                            uint64_t now_ns);

/* How long it takes until a transfer is allowed; 0: it is allowed now. */
uint64_t leadership_wait_ns(const struct leadership *leadership, uint64_t now_ns);

/* A transfer has begun. */
void leadership_pay(struct leadership *leadership, uint64_t now_ns);

/* Whether a voter can take over at once: heard of lately, not suspect, has all committed records
 * and nearly all others. */
bool leadership_is_ready(const struct leadership *leadership, const struct raft_status *status,
                         const struct raft_peer_progress *voter, uint64_t now_ns);

/* The voter that should lead the shard: 0: nobody in particular. */
uint16_t leadership_preferred(const struct leadership *leadership,
                              const struct leadership_voters *voters);

/* The voter to hand over to, this node's own wish aside: of those that are ready the one with the
 * highest priority; of equals the preferred one, else the one with most of the log. 0: none. */
uint16_t leadership_fittest(const struct leadership *leadership, const struct raft_status *status,
                            const struct leadership_voters *voters, uint64_t now_ns);

/* Once a turn of a leader or follower. The voter to which leadership is to be handed now; 0: none,
 * and none before the next attempt is due. */
uint16_t leadership_due(struct leadership *leadership, const struct raft_status *status,
                        const struct leadership_voters *voters, uint64_t now_ns);

/* Whether leadership_due could name anybody: the voters need be gathered only then. */
bool leadership_may_be_due(struct leadership *leadership, const struct raft_status *status,
                           uint64_t now_ns);

#endif
