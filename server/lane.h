/*
 * A lane: one polling thread with a port queue, reassembly, and the replicas of some shards
 * (server/replica.h). This is the only code that knows all layers. The simulator runs the same
 * object code as polluxd and links other ports and media.
 *
 * One turn (lane_turn), data flowing one way round:
 *   receive, peers first -> decode -> engine and raft of the packet's shard -> append -> transmit
 *   what may leave now -> one drain a replica that wrote (log and relaxed journal) -> commit, apply
 *   -> transmit what had to be durable -> flush -> RCU quiescent state.
 *
 * Owner: one thread, registered with engine/state/rcu.h. All memory is taken in lane_open, then
 * sealed.
 */
#ifndef POLLUX_SERVER_LANE_H
#define POLLUX_SERVER_LANE_H

#include "base/error.h"
#include "base/limits.h"
#include "dataplane/port.h"
#include "server/client_rates.h"
#include "server/replica.h"
#include "server/shard_directory.h"

struct lane;

struct lane_options {
    uint16_t lane;
    uint16_t lane_count;
    uint16_t shard_count;
    const struct replica_options *replicas; /* of this lane's shards, shards rising; copied */
    uint32_t replica_count;                 /* 1 to SHARDS_MAX */
    struct shard_directory *directory;      /* of the node, initialised; NULL: one lane */
    struct secret cookie_seed;              /* random, new at each start, of the whole node */
    uint64_t unproven_rate; /* bytes a second to a host that shows no cookie; 0: only to others */
    struct client_rates_limits client_rates; /* of each client, of all lanes together */
    uint16_t mtu_bytes;                      /* MTU_MIN to MTU_MAX; 0: MTU_USUAL */
    struct dp_port_options port;
};

enum lane_result {
    LANE_IDLE, /* nothing to do: back off until lane_deadline_ns */
    LANE_WORKED,
    LANE_SYNC_FAILED, /* as REPLICA_SYNC_FAILED: stop the process */
};

#define LANE_DROP_LIST(X)                                                                          \
    X(magic)                                                                                       \
    X(version)                                                                                     \
    X(checksum)                                                                                    \
    X(cluster)                                                                                     \
    X(key)                                                                                         \
    X(shard)                                                                                       \
    X(malformed)                                                                                   \
    X(sender)                                                                                      \
    X(piece)                                                                                       \
    X(association)                                                                                 \
    X(forged)                                                                                      \
    X(replayed)                                                                                    \
    X(unsealed)                                                                                    \
    X(unproven)                                                                                    \
    X(clients)                                                                                     \
    X(handshake)                                                                                   \
    X(rights)                                                                                      \
    X(rate)                                                                                        \
    X(relay_unproven)                                                                              \
    X(relay_malformed)                                                                             \
    X(relay_target)                                                                                \
    X(relay_budget)                                                                                \
    X(path)

struct lane_counters {
    uint64_t turns;
    uint64_t turns_worked;
    uint64_t rx_messages;
    uint64_t reads_for_others; /* relaxed reads of shards of other lanes */
    uint64_t cookies_next;     /* sent because the one before ends soon */
    uint64_t relayed;          /* packets of clients passed on to a node */
    uint64_t relayed_back;     /* and to a client */
    uint64_t relayed_rx;       /* packets of clients that another node has passed on */
#define X(name) uint64_t drop_##name;
    LANE_DROP_LIST(X)
#undef X
};

/* What failed when a lane could not be opened, where, and what to do. */
struct lane_report {
    uint16_t shard; /* of the replica that failed */
    char reason[512];
};

/* Errors: those of replica_open and dp_port_open; ERR_ARGUMENT: an option out of its range;
 * ERR_NO_MEMORY. */
MUST_USE enum error lane_open(const struct lane_options *options, uint64_t now_ns,
                              struct lane **ret_lane, struct lane_report *ret_report);
void lane_close(struct lane *lane);

enum lane_result lane_turn(struct lane *lane, uint64_t now_ns);

/* The time by which the next turn must run even if no packet arrives. */
uint64_t lane_deadline_ns(const struct lane *lane);

/* The node is to stop: the replicas hand their leaderships over, in the turns that follow. */
void lane_resign(struct lane *lane);
/* True when more turns would help nobody. */
bool lane_has_resigned(const struct lane *lane);

/* Found at the start, and written to the log by the caller: status tells it from now on. */
void lane_note_obstacle(struct lane *lane, const struct obstacle *obstacle);
/* One that is to be written to the log now; false: none. */
bool lane_next_obstacle(struct lane *lane, struct obstacle *ret_obstacle);

/* In the order of the options. */
uint32_t lane_replica_count(const struct lane *lane);
struct replica *lane_replica(const struct lane *lane, uint32_t i);
/* After LANE_SYNC_FAILED: whose file it was (replica_damage). */
const struct replica *lane_failed_replica(const struct lane *lane);

/* Packets of clients that wait for a later turn. */
uint32_t lane_clients_waiting(const struct lane *lane);
/* What clients may do, as the lane knows it. */
const struct lane_rights *lane_client_rights(const struct lane *lane);
const struct lane_counters *lane_counters(const struct lane *lane);
const struct dp_counters *lane_port_counters(const struct lane *lane);

#endif
