/*
 * The replicated state machine: keys, sessions, and how far each node's relaxed writes are decided.
 * It changes by the records applied, in order, and by nothing else: no view, no clock, no node.
 *
 * Owner: one thread. Any thread may look up keys in `index` inside its RCU turn.
 */
#ifndef POLLUX_ENGINE_STATE_MACHINE_H
#define POLLUX_ENGINE_STATE_MACHINE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/siphash.h"
#include "engine/state/closed_sessions.h"
#include "engine/state/index.h"
#include "engine/state/install.h"
#include "engine/state/node_progress.h"
#include "engine/state/request.h"
#include "engine/state/sessions.h"
#include "engine/state/snapshot.h"
#include "engine/state/state_digest.h"
#include "engine/state/store.h"
#include "raft/configuration.h"

/* Sessions that one record may expire: bounds the work of a record. */
#define EXPIRE_MAX 64

/*
 * The limits that decide outcomes: the same on all nodes. They begin as the configuration has them,
 * and are state: a record changes them (WIRE_OP_LIMITS), and snapshots have them.
 */
struct machine_limits {
    uint32_t number; /* of changes; 0: as the options have them */
    struct wire_limits values;
};

struct machine_options {
    struct wire_limits limits;   /* number 0 */
    struct wire_limits capacity; /* what this node's memory is made for; not below `limits` */
    uint64_t session_ttl_ns;
    struct siphash_key hash_key; /* local */
};

/* The replicated state and its accounts. */
/* Who belongs to the shard: the newest configuration applied, as its record has it. The machine
 * only keeps it, for snapshots. */
struct machine_configuration {
    uint64_t index; /* of its record; 0: none yet */
    uint32_t size_bytes;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
};

struct machine {
    struct store store;
    struct index index;
    struct sessions sessions;
    struct closed_sessions closed;
    struct nodes_progress nodes;
    uint64_t applied_index;
    uint64_t log_time_ns;
    uint64_t keys;
    uint64_t blocks;
    struct machine_limits limits;
    struct wire_limits configured; /* the limits number 0 */
    struct wire_limits capacity;   /* this node's: the limits in force are never above */
    uint64_t session_ttl_ns;
    struct machine_configuration configuration;
    struct state_digest digest; /* of everything up to applied_index */
    uint64_t session_idle_ns;
    struct sessions_oldest oldest; /* as of the log time of the last record */
    struct snapshot snapshot;
    struct install install;
    /* Of the request that is being applied. */
    const struct request *request;
    /* Whose relaxed writes these are; NULL: a client's request. */
    struct node_progress *forwarder;
    bool is_blocked; /* an op of the node could not apply: neither may those after it */
    struct op cancels[REQUEST_OPS_MAX]; /* before the next set or swap */
    uint32_t cancel_count;
};

/* What one op came to. */
struct op_result {
    uint64_t version;
    uint8_t outcome; /* enum wire_outcome */
    bool is_duplicate;
};

size_t machine_arena_bytes(const struct machine_options *options);
MUST_USE enum error machine_init(struct machine *machine, const struct machine_options *options,
                                 struct arena *arena);
void machine_deinit(struct machine *machine);

/* Log time of a record begins; expires sessions, returns how many. The caller has asked
 * snapshot_must_wait (CHECK). */
uint32_t machine_begin_record(struct machine *machine, uint64_t index, uint64_t log_time_ns);

/* Record `index` is this configuration. */
void machine_configure(struct machine *machine, uint64_t index, struct span payload);

/* The session of a request, renewed and with its floor raised; NULL: none (or session 0). The
 * machine borrows the request until its last op is executed. */
struct session *machine_begin_request(struct machine *machine, const struct request *request);

/* A session that does not answer any more: the seq from which on nothing of it was ever executed;
 * 0: this node does not know. */
uint64_t machine_ended_floor(const struct machine *machine, uint64_t session);

/* Executes one op of that request; `ordinal` is its place among the ops of the record; `session` as
 * above, set to NULL when the op closes it. */
struct op_result machine_execute(struct machine *machine, struct session **session,
                                 const struct op *op, uint32_t ordinal);

/* The session ends now, and not by time: copies of its packets may still come. */
void machine_note_closed(struct machine *machine, uint64_t session, uint64_t packet_highest);

/* The known outcome of the op `seq` that was executed before; false: not known. */
bool machine_recall(struct session *session, uint64_t seq, struct op_result *ret_result);

/* Whether the content would fit into the store as it is now; only the size of its value counts. */
bool machine_has_room(const struct machine *machine, const struct store_content *content);

/* False: this node's memory is not made for these limits. */
bool machine_can_hold(const struct machine *machine, const struct wire_limits *limits);

/* The session that ends next, NULL: there is none; and the log time after which it has ended. */
const struct session *machine_next_expiry(const struct machine *machine, uint64_t *ret_log_ns);

/* Hash over the whole replicated state. A walk. */
uint64_t machine_state_hash(const struct machine *machine);
/* Walks the whole state; aborts (CHECK) where it contradicts itself. */
void machine_check_invariants(const struct machine *machine);

#endif
