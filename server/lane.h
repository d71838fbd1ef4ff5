/*
 * A lane: one polling thread's whole world, from packet to medium and back. The only code that
 * knows all layers, the same object in polluxd and in the simulator (which links other ports and
 * media).
 *
 * One turn (lane_turn), data flowing one way round:
 *   receive a burst -> decode -> engine and raft -> append -> transmit what may leave now -> one
 * drain (log and relaxed journal)
 *   -> commit and apply -> transmit what had to be durable -> flush -> RCU quiescent state.
 *
 * Owner: one thread, registered with engine/state/rcu.h. All memory is taken in lane_open, then
 * sealed.
 */
#ifndef POLLUX_SERVER_LANE_H
#define POLLUX_SERVER_LANE_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"
#include "dataplane/port.h"
#include "engine/engine.h"
#include "pmem/journal.h"
#include "pmem/log.h"
#include "raft/raft.h"

struct lane;

struct lane_options {
    uint64_t cluster_id;
    uint16_t shard;
    uint64_t seed;
    struct raft_options raft;     /* `sizes` is filled by the lane */
    struct engine_options engine; /* `sink`, `self`, `node_count`, and everything about the journal
                                     and pending writes are filled by the lane; a pending_max that
                                     is not 0 and below what the journal can hold stays */
    struct log_options log;
    struct journal_options journal; /* `identity` is the log's; size 0: no relaxed writes */
    uint64_t wall_ns;               /* wall clock at the start: where a new journal's seqs begin */
    struct dp_port_options port;
    struct address peers[NODES_MAX]; /* of raft.voters, same order */
    uint64_t medium_stall_ns;        /* a leader whose persist takes longer than this steps down */
};

enum lane_result {
    LANE_IDLE, /* nothing to do: back off until lane_deadline_ns */
    LANE_WORKED,
    LANE_SYNC_FAILED,   /* a sync failed: nothing is acknowledged any more; stop the process */
    LANE_LOG_EXHAUSTED, /* not even a leader's no-op fits the log: stop the process */
};

#define LANE_DROP_LIST(X)                                                                          \
    X(magic)                                                                                       \
    X(version)                                                                                     \
    X(checksum)                                                                                    \
    X(cluster)                                                                                     \
    X(shard)                                                                                       \
    X(malformed)                                                                                   \
    X(type)                                                                                        \
    X(sender)                                                                                      \
    X(fingerprint)                                                                                 \
    X(piece)                                                                                       \
    X(raft_range)                                                                                  \
    X(outbox_full)

struct lane_counters {
    uint64_t turns;
    uint64_t turns_worked;
    uint64_t rx_messages;
    uint64_t raft_rx;
    uint64_t raft_tx;
    uint64_t records_appended;
    uint64_t bytes_appended;
    uint64_t persists;
    uint64_t journal_appended;
    uint64_t elections_won;
    uint64_t leader_changes;
    uint64_t medium_stalls;
#define X(name) uint64_t drop_##name;
    LANE_DROP_LIST(X)
#undef X
};

/* What opening found and, when it failed, what failed, where, and what to do. */
struct lane_report {
    struct log_recovery recovery;    /* filled when the log was opened */
    struct journal_recovery journal; /* filled when the journal was opened */
    char reason[512];                /* filled on an error */
};

/* Errors: those of log_open, journal_open, raft_init, engine_init and dp_port_open;
 * ERR_NO_MEMORY. */
MUST_USE enum error lane_open(const struct lane_options *options, uint64_t now_ns,
                              struct lane **ret_lane, struct lane_report *ret_report);
void lane_close(struct lane *lane);

enum lane_result lane_turn(struct lane *lane, uint64_t now_ns);

/* The time by which the next turn must run even if no packet arrives. */
uint64_t lane_deadline_ns(const struct lane *lane);

/* For tests, the simulator and the statistics. */
void lane_raft_status(const struct lane *lane, struct raft_status *ret_status);
const struct raft *lane_raft(const struct lane *lane);
struct engine *lane_engine(struct lane *lane);
struct log *lane_log(struct lane *lane);
const struct journal *lane_journal(const struct lane *lane); /* NULL: none */
const struct lane_counters *lane_counters(const struct lane *lane);
const struct dp_counters *lane_port_counters(const struct lane *lane);

#endif
