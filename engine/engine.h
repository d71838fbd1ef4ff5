/*
 * The replicated key-value machine of one shard: takes client requests, groups a turn's writes into
 * one log record, applies committed records, answers. Pure: time comes with the turn, packets leave
 * through a sink, memory comes from the arena at start; liburcu is behind engine/state/rcu.h only.
 *
 * Deterministic: engine_apply depends on nothing but the records applied before, in order; two
 * nodes with equal fingerprints and equal applied index have equal state (engine_state_hash).
 *
 * A record's payload, offset, size and meaning of each field:
 *    0  u64  log time (ns of leadership, monotone over the whole log)
 *    8  u32  request count
 *   12  u32  flags (1: a request may change the limits)
 *   16       the requests, each after its size (u32), verbatim as wire/wire_request.h encodes it,
 *            and padded to 8
 *
 * Relaxed writes are accepted whatever the node's role. A relaxed write gets a journal seq and goes
 * to the journal. Once durable there, it is answered and becomes a pending write: relaxed reads see
 * it before they see the index. This node forwards its pending writes to the leader. A write stops
 * being pending when the log has decided it. Node and journal seq name a write for ever, so it
 * applies exactly once.
 *
 * A turn of the lane, in order: engine_begin_turn, engine_receive for each message, then
 * engine_batch / engine_reads_wanted, engine_forward, engine_journal_durable, engine_apply for what
 * is committed, engine_reads_released, engine_end_turn. Owner: one thread (the shard's lane), but
 * engine_lookup and engine_reader_read.
 */
#ifndef POLLUX_ENGINE_ENGINE_H
#define POLLUX_ENGINE_ENGINE_H

#include "base/address.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/rights_table.h"
#include "base/siphash.h"
#include "base/span.h"
#include "raft/raft.h" /* kinds of entries */
#include "wire/wire.h"

struct engine;
struct snapshot_sink;

/* Sends one message to a client; `body` is borrowed for the call. Losing it is allowed: clients
 * retry. */
struct engine_sink {
    void (*send)(void *context, const struct address *to, uint8_t wire_type, struct span body);
    void *context;
};

/*
 * Takes one entry of relaxed writes for the journal. `seq` rises from call to call. The caller says
 * later that the entry is durable: engine_journal_durable. The function must not call back into the
 * engine. On an error nothing was taken: ERR_NOT_YET, no room before the next turn; ERR_FULL, no
 * room. `append` NULL: there is no journal, and relaxed writes are refused (UNSUPPORTED).
 */
struct engine_journal {
    enum error (*append)(void *context, uint64_t seq, struct span payload);
    void *context;
};

/* A set or swap that took effect, the first time. */
struct engine_wrote {
    uint16_t origin;  /* voter id of the node that forwarded it; 0: a client's own write */
    uint64_t series;  /* forwarded: of the journal seq */
    uint64_t session; /* of a client's own write */
    uint64_t seq;     /* of the session; forwarded: the journal seq */
    uint64_t index;   /* of its record */
    uint32_t ordinal; /* among the operations of its record, from 0 */
};

/* A write of a client's relaxed session, and the number that this node gave it. */
struct engine_accepted {
    uint64_t session;
    uint64_t seq;
    uint64_t series;
    uint64_t journal_seq;
};

/*
 * What the simulator is told beside what clients are told; NULL in a node. Called on the lane's
 * thread, inside the call that caused it. A hook changes nothing.
 */
struct engine_hooks {
    void (*wrote)(void *context, const struct engine_wrote *wrote);
    /* A relaxed write of a client's relaxed session was given its journal seq, or found in the
     * journal at the start. */
    void (*accepted)(void *context, const struct engine_accepted *accepted);
    /* A pending write was dropped because its principal was revoked; also at the start, where the
     * journal has it still. Session and seq are 0. */
    void (*revoked)(void *context, const struct engine_accepted *revoked);
    void *context;
};

struct engine_options {
    uint16_t self;
    uint16_t node_count;
    uint16_t shard;       /* of this engine; keys of another one are refused */
    uint16_t shard_count; /* of the cluster, 1 to SHARDS_MAX; guarded by engine_fingerprint */
    uint16_t lane;        /* of this node, on which the shard lives: told to clients, no more */
    uint16_t lane_count;  /* of this node, 1 to LANES_MAX: told to clients, no more */
    uint64_t incarnation; /* random and new at each start */
    struct siphash_key
        hash_key; /* of the tables that strangers choose keys of: a secret, random and
                                    new at each start */
    /* Replicated limits: the same on all nodes, guarded by engine_fingerprint. In force until a
     * record changes them. */
    uint32_t keys_max;
    uint32_t blocks_max; /* store blocks of ENGINE_BLOCK_SIZE_BYTES that keys and values may take */
    uint32_t sessions_max;
    uint64_t session_ttl_ns; /* of log time without a request */
    /* What this node's memory is made for: no record can raise a limit above. 0: its limit. */
    uint32_t keys_capacity;
    uint32_t blocks_capacity;
    uint32_t sessions_capacity;
    /* Local limits. */
    uint32_t batches_inflight_max; /* proposed, not yet applied */
    uint32_t reads_pending_max;
    struct engine_sink sink;
    struct engine_hooks hooks;
    /* Relaxed writes; the rest is 0 without a journal. */
    struct engine_journal journal;
    uint64_t series;             /* of the storage (wire_series): what its journal seqs belong to */
    uint64_t journal_first_seq;  /* above every seq of the series that this node ever used, even in
                                    a journal that was lost */
    bool has_lost_journal;       /* it may have lacked entries at this start, or be the first */
    uint32_t pending_max;        /* relaxed writes not yet applied through the log */
    uint32_t pending_blocks_max; /* store blocks that they may take */
};

#define ENGINE_COUNTER_LIST(X)                                                                     \
    X(writes_received)                                                                             \
    X(writes_refused)                                                                              \
    X(writes_replayed)                                                                             \
    X(writes_answered_from_window)                                                                 \
    X(ops_applied)                                                                                 \
    X(ops_duplicate)                                                                               \
    X(ops_fenced)                                                                                  \
    X(reads_consistent)                                                                            \
    X(reads_relaxed)                                                                               \
    X(reads_refused)                                                                               \
    X(lists)                                                                                       \
    X(lists_refused)                                                                               \
    X(keys_of_other_shards)                                                                        \
    X(requests_malformed)                                                                          \
    X(rate_refused)                                                                                \
    X(writes_denied)                                                                               \
    X(reads_denied)                                                                                \
    X(operators_denied)                                                                            \
    X(rights_refused)                                                                              \
    X(claims_seq)                                                                                  \
    X(claims_packet)                                                                               \
    X(claims_cancel)                                                                               \
    X(cancels_over_share)                                                                          \
    X(sessions_over_share)                                                                         \
    X(sessions_unused_ended)                                                                       \
    X(sessions_operator_ended)                                                                     \
    X(notices_forwarded)                                                                           \
    X(notices_forgotten)                                                                           \
    X(relaxed_over_share)                                                                          \
    X(relaxed_given_back)                                                                          \
    X(sessions_open)                                                                               \
    X(sessions_expired)                                                                            \
    X(keys)                                                                                        \
    X(blocks)                                                                                      \
    X(batches)                                                                                     \
    X(retire_backlog)                                                                              \
    X(limits_number)                                                                               \
    X(keys_max)                                                                                    \
    X(blocks_max)                                                                                  \
    X(sessions_max)                                                                                \
    X(keys_capacity)                                                                               \
    X(blocks_capacity)                                                                             \
    X(sessions_capacity)                                                                           \
    X(relaxed_accepted)                                                                            \
    X(relaxed_refused)                                                                             \
    X(relaxed_postponed)                                                                           \
    X(relaxed_skipped)                                                                             \
    X(relaxed_recalled)                                                                            \
    X(relaxed_coalesced)                                                                           \
    X(relaxed_pending)                                                                             \
    X(relaxed_forwarded)                                                                           \
    X(relaxed_applied)                                                                             \
    X(relaxed_revoked)                                                                             \
    X(relaxed_unnamed)                                                                             \
    X(relaxed_over_principals)                                                                     \
    X(relaxed_cancelled)                                                                           \
    X(relaxed_blocked)                                                                             \
    X(forwards_received)                                                                           \
    X(forwards_refused)                                                                            \
    X(forwards_closed)

struct engine_counters {
#define X(name) uint64_t name;
    ENGINE_COUNTER_LIST(X)
#undef X
};

/* What the lane knows at the start of a turn. */
struct engine_view {
    uint64_t now_ns;
    bool is_leader;
    bool has_own_commit;   /* leader with an entry of its own term committed */
    bool has_fresh_quorum; /* raft_has_fresh_quorum */
    bool is_transferring;
    uint16_t transfer_to; /* who leads next, if all goes well; 0: no transfer is under way */
    uint16_t leader;      /* 0: unknown */
    uint64_t term;
    uint64_t commit_index;
    uint64_t last_index;
    uint64_t contact_age_ns;  /* since a leader with a quorum was heard of; UINT64_MAX: never */
    size_t log_room_bytes;    /* payload that the logs of a majority have room for; 0: full */
    size_t data_room_bytes;   /* of it, what a record with data may take */
    size_t append_room_bytes; /* largest payload that can be appended in this turn */
    size_t record_bytes_max;  /* largest payload that the log ever takes */
    bool is_suspect;
    uint8_t granularity;
    bool is_emulated;
    uint8_t role;
    uint8_t membership;     /* enum wire_membership */
    bool is_removed;        /* this node was a member, and is none any more */
    bool leaves;            /* it is to be removed: it accepts no more relaxed writes */
    bool are_entries_named; /* the journal says whose its entries are: FORMAT_PENDING_NAMES */
    bool is_settled;        /* what the state lacks was not there when this storage joined */
    /* This node does not know by now whose pending writes are dropped: it appends none. */
    bool are_rights_old;
    uint32_t node_count; /* voters; 0: as in the options */
    uint64_t cluster;    /* of the configuration in force, which clients are told; 0: none */
    uint64_t configuration_index;
    uint32_t era;
};

/* Checksum of the replicated limits and of the state machine's version. */
uint32_t engine_fingerprint(const struct engine_options *options);

size_t engine_arena_bytes(const struct engine_options *options);
/* No snapshot of an engine with these limits has a longer stream. */
uint64_t engine_snapshot_bytes_max(const struct engine_options *options);
/* ERR_ARGUMENT: an option out of range; ERR_NO_MEMORY: no grace period of RCU could be made. */
MUST_USE enum error engine_init(const struct engine_options *options, struct arena *arena,
                                struct engine **ret_engine);
void engine_deinit(struct engine *engine);

void engine_begin_turn(struct engine *engine, const struct engine_view *view);

/*
 * What the clients may do whose messages engine_receive is given from now on; copied. Before the
 * first call: everything but the reserved keys. An operation that its client may not do is refused
 * (DENIED) when it arrives. Whoever is answered by then, or waits, is not looked at again.
 */
void engine_set_rights(struct engine *engine, const struct rights *rights);

/*
 * Of the client whose message engine_receive is given next. retry_us not 0: that client asks too
 * much. Its reads, its lists and the writes that it has not sent before are refused (OVERLOADED).
 * The refusal tells it to ask again after so many microseconds. What ends something, as a fence or
 * a recall, is carried out. Holds for that message alone.
 */
void engine_set_retry(struct engine *engine, uint64_t retry_us);

/*
 * One whole client message (WIRE_HELLO, WIRE_WRITE, WIRE_READ, WIRE_LIST), or one of an operator
 * (WIRE_SESSIONS, WIRE_SESSION_END). Relaxed reads, refusals and outcomes already known
 * are answered before it returns; the rest joins the batch or the waiting reads.
 */
void engine_receive(struct engine *engine, const struct address *from, uint8_t wire_type,
                    struct span body);

/*
 * True when writes wait to be proposed: *ret_payload is their record, borrowed until the next call.
 */
bool engine_batch(struct engine *engine, struct span *ret_payload);
/* The batch became record `index` of `term`: its clients are answered when that applies. */
void engine_batch_proposed(struct engine *engine, uint64_t index, uint64_t term);
/* The batch was not appended and never will be: its clients are told `status`. */
void engine_batch_refused(struct engine *engine, enum wire_status status);

/* Id to ask an index for on behalf of the consistent reads gathered so far; 0: nobody asks. Each id
 * is returned once. */
uint64_t engine_reads_wanted(struct engine *engine);
/* Reads up to `read_id` may be served once `index` is applied. Repeating is harmless. */
void engine_reads_released(struct engine *engine, uint64_t read_id, uint64_t index);

enum engine_limit {
    ENGINE_LIMIT_NONE,
    ENGINE_LIMIT_KEYS,
    ENGINE_LIMIT_BLOCKS,
    ENGINE_LIMIT_SESSIONS
};

/* A limit above this node's capacity. */
struct engine_lack {
    enum engine_limit limit;
    uint32_t wanted;
    uint32_t capacity;
};

/* Whether the next committed record may be applied. False: the record sets a limit above this
 * node's capacity. The engine can go no further; only a start with a larger capacity helps. */
bool engine_can_apply(const struct engine *engine, uint8_t kind, struct span payload,
                      struct engine_lack *ret_lack);
/* Whether the snapshot whose stream begins with these bytes has no limit above this node's
 * capacity. */
bool engine_can_install(const struct engine *engine, struct span begin,
                        struct engine_lack *ret_lack);

/*
 * The next committed record (index = applied + 1, CHECK; engine_can_apply, CHECK). A record that
 * was valid at its leader always applies; bytes that do not decode are a broken promise (the log
 * validated them).
 */
void engine_apply(struct engine *engine, uint64_t index, uint64_t term, uint8_t kind,
                  struct span payload);

/*
 * A snapshot of the replicated state as of engine_applied_index, written to `sink`
 * (engine/state/snapshot_sink.h) while records go on being applied. The stream is described in
 * engine/state/snapshot_format.h. None runs yet (CHECK). Nothing is written before the first step.
 */
void engine_snapshot_begin(struct engine *engine, const struct snapshot_sink *sink);
bool engine_snapshot_is_running(const struct engine *engine);

/* True while no record may be applied (engine_apply: CHECK), because the sink was full for too
 * long. Make room by steps, or abandon the snapshot. */
bool engine_snapshot_must_wait(const struct engine *engine);

/* Writes or looks at about `budget_bytes`, as far as the sink has room. False: none runs any more,
 * and unless it was abandoned the sink has the whole stream. */
bool engine_snapshot_step(struct engine *engine, size_t budget_bytes);

/* The sink is not used any more. Further steps give back what the snapshot still holds. */
void engine_snapshot_abandon(struct engine *engine);

/*
 * The state of a snapshot, of a later index, replaces the engine's: begin, clear until that is
 * false, read the whole stream in chunks of any size, end until that is not ERR_NOT_YET. Meanwhile
 * no snapshot is written (CHECK).
 *
 * From the beginning until the end is OK, no record may be applied (CHECK) and the view says that
 * this node does not lead. The engine drops what it receives, for it knows neither what is stored
 * nor which sessions live; clients ask again. Refusals given before stay true: what this node has
 * seen of each session outlives the installation.
 *
 * Errors of read and end as snapshot_read and snapshot_read_end (engine/state/snapshot_read.h). The
 * engine then holds no state: begin again, with another stream.
 */
void engine_install_begin(struct engine *engine);
bool engine_install_clear(struct engine *engine, uint32_t visits_max);
MUST_USE enum error engine_install_read(struct engine *engine, struct span chunk);
/* The configuration that a stream with this begin (a first block) brings. False: it brings none. */
bool engine_snapshot_configuration(struct span begin, uint64_t *ret_index,
                                   struct raft_configuration *ret_configuration);
MUST_USE enum error engine_install_end(struct engine *engine, uint32_t visits_max);
bool engine_is_installing(const struct engine *engine);

/* Leadership is gone: whoever waits here is told NOT_LEADER for reads, and nothing for writes
 * (their outcome is not known here; the client asks the next leader under the same seq). */
void engine_leadership_lost(struct engine *engine);

/*
 * Journal entries up to `seq` are durable: their writes become visible to relaxed reads, and their
 * clients are answered.
 */
void engine_journal_durable(struct engine *engine, uint64_t seq);

/*
 * An entry found in the journal at the start, in order of seq, after the log is applied as far as
 * it is known to be committed and before the first turn. Visible to relaxed reads at once.
 * ERR_FULL: the limits are smaller than what the journal holds; ERR_CORRUPT: not an entry of this
 * engine.
 */
MUST_USE enum error engine_journal_restore(struct engine *engine, uint64_t seq,
                                           struct span payload);

/*
 * What the principal `name` has pending on this node is dropped, as far as it was accepted under an
 * older generation of its key than `generation_below`. Called for any number of principals, then
 * engine_revoke_end: that drops all of it at once, and leaves out of the batch what nodes have
 * forwarded, so that a leader proposes nothing that it took before. Returns how many writes were
 * dropped. Between two turns; the next one begins with the note of it for the journal.
 */
void engine_revoke(struct engine *engine, struct span name, uint32_t generation_below);
uint64_t engine_revoke_end(struct engine *engine);

/* Relaxed writes of this node that are accepted and not decided. */
uint64_t engine_relaxed_pending(const struct engine *engine);
/* Entries up to this are decided by records applied here: the journal may forget them once those
 * records are sure to be applied again before the first packet of the next start. */
uint64_t engine_journal_done(const struct engine *engine);
/* Up to this, no relaxed write of this node will apply any more: what replies say. No higher than
 * engine_journal_done. */
uint64_t engine_pending_done(const struct engine *engine);

/* The first relaxed write from `seq` on that the journal has to keep: pending, or decided (until it
 * is forgotten). Those before were taken over by newer ones of their keys, which are durable.
 * UINT64_MAX: none. */
uint64_t engine_next_pending(const struct engine *engine, uint64_t seq);

/*
 * True when pending writes are due at the leader (the view's, not this node), or a notice of a
 * client that its session is idle: *ret_request is what to forward, borrowed until the next call
 * into the engine. When this node leads, its own pending writes join its batch by themselves,
 * before those of clients.
 */
bool engine_forward(struct engine *engine, struct span *ret_request);
/* What node `from` forwards, of its storage's series or of a session: the caller has made sure of
 * both, and that the storage was not set back. Refused silently where it cannot be appended. */
void engine_receive_forward(struct engine *engine, uint16_t from, uint64_t series,
                            struct span request);

/* Answers reads that became servable, refuses those out of time, reports the RCU quiescent state,
 * recycles retired blocks. */
void engine_end_turn(struct engine *engine);

/* Next time that engine_end_turn must run for a deadline of its own; UINT64_MAX: none. */
uint64_t engine_deadline_ns(const struct engine *engine);

uint64_t engine_applied_index(const struct engine *engine);
/* What this node says of itself: in its hello replies, and at the head of the status reply, whose
 * counters are those of all layers and so the lane's to add. */
void engine_hello(const struct engine *engine, uint64_t nonce, struct wire_hello_reply *ret_reply);
const struct engine_counters *engine_counters(const struct engine *engine);

/* Hash over the whole replicated state (keys, values, versions, sessions, outcomes): a walk, for
 * the simulator and tests. Independent of memory layout and of the order of insertion. */
uint64_t engine_state_hash(const struct engine *engine);

/* Digest of everything that was applied: equal at equal indexes. Costs nothing to ask. */
uint64_t engine_digest(const struct engine *engine);
/* One of the digests that are kept, 0 to STATE_MARKS_MAX - 1. False: there is none. */
bool engine_digest_kept(const struct engine *engine, uint32_t i, uint64_t *ret_index,
                        uint64_t *ret_digest);

/* Walks the whole state; aborts (CHECK) where it contradicts itself. Debug, simulator, fuzz. */
void engine_check_invariants(const struct engine *engine);

/*
 * Relaxed reads by a thread that does not own the engine, with reply buffers and a sink of its own.
 * Owner of a reader: one thread, registered with engine/state/rcu.h and in its turn.
 */
struct engine_reader;

struct engine_reader_counters {
    uint64_t reads_relaxed;
    uint64_t reads_refused;
    uint64_t requests_malformed;
};

/*
 * The table of rights (base/rights_table.h), of an engine of shard 0. Any thread that is registered
 * with engine/state/rcu.h and in its turn.
 */

/* What the owner has published of it. */
struct engine_rights {
    uint64_t version; /* log index of its last write; 0: there is none */
    /* If there is none, there was none when this storage joined its cluster. */
    bool is_settled;
    bool is_known;     /* the owner has had a turn, and its state is whole */
    uint64_t fresh_ns; /* what was committed until then is in it; 0: nothing is known */
};
struct engine_rights engine_rights(const struct engine *engine);

/* Copies the table, at most VALUE_SIZE_BYTES_MAX; its version is the published one or a newer one.
 * ERR_NOT_FOUND: there is none. ERR_NOT_YET: a snapshot is being installed. */
MUST_USE enum error engine_read_rights(const struct engine *engine, uint8_t *to,
                                       size_t *ret_size_bytes, uint64_t *ret_version);

size_t engine_reader_arena_bytes(void);
struct engine_reader *engine_reader_init(struct arena *arena, const struct engine_sink *sink);
/* The time of this turn of the reader's thread, by the clock that the engine's owner reads too. */
void engine_reader_begin_turn(struct engine_reader *reader, uint64_t now_ns);
/*
 * Answers a WIRE_READ that is relaxed. False: it is not, so the engine's owner must have it. The
 * answer is what the owner would have given at the end of its last turn, or newer. Also false: a
 * snapshot is being installed, or a key is a reserved one. The rights of who asks are the caller's
 * to look at.
 */
bool engine_reader_read(struct engine_reader *reader, const struct engine *engine,
                        const struct address *from, struct span body);
const struct engine_reader_counters *engine_reader_counters(const struct engine_reader *reader);

/* What engine_lookup found. */
struct engine_found {
    uint32_t value_size_bytes; /* of the whole value */
    uint64_t version;          /* pending: the journal seq */
    bool is_pending;
};

/*
 * Lock-free relaxed lookup from any thread that is registered with engine/state/rcu.h and in its
 * turn: copies at most `capacity_bytes` of the value, a pending one before the applied one.
 * ERR_NOT_FOUND, ERR_NOT_YET (a snapshot is being installed): ret_found is not set.
 */
MUST_USE enum error engine_lookup(const struct engine *engine, struct span key, uint8_t *to,
                                  size_t capacity_bytes, struct engine_found *ret_found);

#endif
