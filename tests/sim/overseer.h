/*
 * Watches one shard: every node after each turn of the lane that runs the shard, and once more
 * after each start, and holds what it sees against the ledger: the safety rules of Raft, durability
 * on a majority of what is committed, equal state at equal applied index.
 */
#ifndef POLLUX_TESTS_SIM_OVERSEER_H
#define POLLUX_TESTS_SIM_OVERSEER_H

#include "base/limits.h"
#include "tests/sim/ledger.h"
#include "tests/sim/medium_sim.h"
#include "tests/sim/tally.h"
#include "tests/sim/verdict.h"
#include "server/lane.h"

/* A record as a node's log last showed it. */
struct seen_record {
    uint64_t term;
    uint64_t digest;
    size_t offset_bytes; /* of its payload in the file */
    size_t size_bytes;
};

struct watched_node {
    char path[32];
    char snapshot_path[48]; /* .0 and .1 behind it */
    char identity_path[48];
    uint64_t base;            /* no record of its log is of this index or a lower one */
    uint64_t begin;           /* the first record of its log; 0: not looked at yet */
    uint64_t snapshots;       /* that this start has taken or installed */
    uint64_t snapshot_newest; /* record, when either was looked at last */
    struct seen_record *seen; /* by index */
    uint64_t seen_capacity;
    uint64_t seen_last;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t led_term; /* 0: does not lead */
    uint64_t led_last;
    uint64_t room_seen; /* the last record that room_check.c looked at */
    uint64_t term;
    uint64_t term_before;     /* its last turn */
    uint64_t cut_at_ns;       /* when its log was last cut; 0: never */
    bool is_at_turning_point; /* its last turn changed its term or role, or cut its log */
    uint32_t era;             /* which ledger judges it: SIM_ERAS */
    uint64_t birth;           /* of its storage */
    bool is_damaged; /* its medium rotted or vanished: what it had held cannot be looked up */
};

/* Before a rescue, and after it. */
#define SIM_ERAS 2

struct overseer {
    struct verdict *verdict;
    struct tally *tally;
    struct medium_sim *media;
    uint32_t node_count;
    uint32_t quorums[SIM_ERAS]; /* of the fewest voters that there may be */
    struct ledger ledgers[SIM_ERAS];
    bool is_rescued;
    struct watched_node nodes[NODES_MAX];
};

/* Paths of the nodes' logs are those of a shard; UINT32_MAX: of a cluster with one shard. */
void overseer_init(struct overseer *overseer, uint32_t node_count, uint32_t shard);
void overseer_deinit(struct overseer *overseer);

/* Of the era of the node. */
struct ledger *overseer_ledger(struct overseer *overseer, uint32_t node);

/* A rescue: these nodes (bits) go on in another era, with what was committed up to `index`. */
void overseer_rescue(struct overseer *overseer, uint32_t nodes, uint64_t index);

/* Directly after overseer_init: the log begins behind this record, which a restore has made, on one
 * node. */
void overseer_restore(struct overseer *overseer, uint64_t index);

/* The node starts anew: what it held in memory is void. */
void overseer_forget(struct overseer *overseer, uint32_t node);

/* After a turn of the node. */
void overseer_look(struct overseer *overseer, uint32_t node, struct replica *replica);

/* True when a durable snapshot of the node holds the records up to `index`, or its medium is
 * damaged. */
bool overseer_has_snapshot(const struct overseer *overseer, uint32_t node, uint64_t index);

/* At the end: this node's state against the ledger, whatever its applied index. */
void overseer_compare_state(struct overseer *overseer, uint32_t node, struct replica *replica);

#endif
