/*
 * The consensus core: `raft_step(event) -> effects`. It does no input or output and knows no clock,
 * random source, heap or thread: time and messages come in events, randomness from the seed in its
 * options, memory from its caller. Payload bytes never pass through it; it keeps only the trail of
 * index -> term runs, and the caller keeps the records.
 *
 * Sources: Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (paper);
 * Ongaro, "Consensus: Bridging Theory and Practice", 2014 (thesis); Alagappan et al.,
 * "Protocol-Aware Recovery for Consensus-Based Storage", FAST'18 (suspect tails); etcd-io/raft (two
 * outboxes).
 *
 * The caller's duties, after each raft_step, in this order:
 *  1. Write, in this order, what the step asks for. None of it needs to be durable yet.
 *     - If `hard_state_changed`: `hard_state`.
 *     - If `truncate_from` is not 0: forget every record from there on.
 *     - The `append_count` records from `append_first` on. A leader's proposal, or raft's own no-op
 *       or configuration (`append_own`), is one record of term `hard_state.term`. A follower's
 *       records are the event's entries from `append_skip` on.
 *  2. Send the messages in `now`, at once: a leader replicates while its own medium writes.
 *  3. Make everything of duty 1 durable, of this step and of all earlier ones. Only then send the
 *     messages in `after`. Steps may share one drain. A message may be lost at any time, but never
 *     sent early.
 *  4. When records up to n, or a hard state, are durable, say so: RAFT_EVENT_DURABLE. A candidate
 *     counts its own vote only then (docs/consensus.md, "Elections on slow media").
 *  5. Apply the records up to `commit_index`, in order.
 *  6. Serve every read with an id up to `read_released_id` once `read_released_index` is applied.
 *  7. Step again no later than raft_deadline_ns, with RAFT_EVENT_TICK if nothing else happened.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_RAFT_RAFT_H
#define POLLUX_RAFT_RAFT_H

#include "base/error.h"
#include "base/limits.h"
#include "raft/configuration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum raft_role {
    RAFT_FOLLOWER,
    RAFT_PRE_CANDIDATE,
    RAFT_CANDIDATE,
    RAFT_LEADER,
};

/* What must survive a crash besides the log (paper, figure 2). */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* birth of the storage that has this node's vote in this term; 0: none */
};

enum raft_message_type {
    RAFT_VOTE_REQUEST = 1, /* pre-vote too: thesis 9.6 */
    RAFT_VOTE_REPLY,
    RAFT_APPEND_REQUEST, /* heartbeat when it carries no entries */
    RAFT_APPEND_REPLY,
    RAFT_TIMEOUT_NOW, /* leadership transfer: thesis 3.10 */
    RAFT_MESSAGE_TYPE_END
};

/* One entry as it arrives; `payload` is borrowed for the one step. Raft looks at it only where it
 * is a configuration. */
struct raft_entry {
    uint64_t term;
    const uint8_t *payload;
    uint32_t size_bytes;
    uint8_t kind; /* enum raft_entry_kind */
};

enum raft_entry_kind {
    RAFT_ENTRY_NOOP = 1,      /* a leader's first entry; empty */
    RAFT_ENTRY_DATA,          /* the engine's batch */
    RAFT_ENTRY_CONFIGURATION, /* raft/configuration.h */
};

struct raft_message {
    enum raft_message_type type;
    struct raft_storage from;
    struct raft_storage to; /* birth 0: whichever the node has; only before a cluster forms */
    /*
     * Sender's term, 1 to TERM_MAX. A pre-vote request carries the term it would campaign in,
     * and a granted pre-vote reply echoes that: neither makes its receiver change its own term.
     */
    uint64_t term;
    union {
        struct {
            uint64_t last_index;
            uint64_t last_term;
            bool is_pre_vote;
            bool is_transfer;   /* overrides the lease of check-quorum: thesis 4.2.3 */
            uint32_t formation; /* not 0: the sender belongs to no cluster and would form one of
                                   the nodes that its configuration names; their checksum */
        } vote_request;
        struct {
            uint64_t last_index; /* granted, no pre-vote: of the log that the vote was asked for, */
            uint64_t last_term;  /* as in the request; else 0 */
            bool is_granted;
            bool is_pre_vote;
            bool is_suspect; /* the log of who grants may lack acknowledged records */
        } vote_reply;
        struct {
            uint64_t previous_index;
            uint64_t previous_term;
            uint64_t commit_index;
            uint64_t round;         /* echoed; confirms leadership for ReadIndex */
            uint64_t quorum_age_ns; /* since a majority last answered the leader */
            uint64_t round_min;     /* not sent: answers to requests of rounds before this one
                                       count for nothing, so none of those may stand for this */
            uint32_t entry_count;   /* entries previous_index + 1 and on */
            uint32_t suspicion; /* the receiver's (see append_reply): the leader knows of it, and
                                   has forgotten what was acknowledged before; 0: of none */
        } append_request;
        struct {
            uint32_t suspicion; /* not 0: the sender may have lost what it acknowledged to this
                                   leader; drawn at each start, so that none is taken for another */
            bool is_success; /* a failure with every field 0 only tells the sender's higher term */
            uint64_t match_index; /* success: durable here and equal to the leader's up to this */
            uint64_t round;
            uint64_t conflict_term;  /* failure: term at the rejected index, 0: log shorter */
            uint64_t conflict_index; /* failure: first index of that term, or last index + 1 */
            uint64_t rejected_index; /* failure: previous_index of the request that was rejected */
        } append_reply;
    };
};

/*
 * Size of record `index` on the wire, to bound messages in bytes. Must be cheap, pure, and defined
 * for every index from the log's first to the last that the caller was told to append.
 */
struct raft_record_sizes {
    uint32_t (*size_bytes)(const void *context, uint64_t index);
    const void *context;
};

struct raft_transition; /* raft/trace.h */

/* Where a node is. */
struct raft_place {
    uint8_t address[16];
    uint16_t port;
};

struct raft_options {
    struct raft_storage self;
    /* The nodes that a cluster forms of; of no meaning once there is one. */
    uint16_t founders[NODES_MAX]; /* distinct ids, 1 to VOTER_ID_MAX, self among them */
    uint32_t founder_count;       /* 1 to NODES_MAX */
    /* Where they are, for the first configuration: raft_member.address and port. */
    struct raft_place founder_places[NODES_MAX];
    /* It is to join a cluster, or its storage has had one and lost it: it helps to form none. */
    bool forms_none;
    uint64_t election_timeout_min_ns;
    uint64_t election_timeout_max_ns; /* drawn uniformly and anew for each wait */
    uint64_t heartbeat_interval_ns;   /* below election_timeout_min_ns */
    uint32_t append_entries_max;      /* records a message: 1 to APPEND_ENTRIES_MAX */
    uint32_t append_size_bytes_soft;  /* bytes a message; one larger record still goes alone */
    uint32_t inflight_max;   /* unacknowledged append messages a peer: 1 to RAFT_INFLIGHT_MAX */
    uint32_t trail_runs_max; /* runs of equal terms the trail can hold */
    uint32_t format_max;     /* the newest format that this node knows: a configuration of a later
                                one is refused */
    uint64_t seed;
    struct raft_record_sizes sizes;
    /* Told of every step (raft/trace.h); NULL: nobody. Must not call back into raft. */
    void (*trace)(void *context, const struct raft_transition *transition);
    void *trace_context;
};

/* What recovery found on the medium, without the records. */
struct raft_restored {
    /* In force at record first_index - 1, from a snapshot; slot_count 0: none. */
    struct raft_configuration configuration;
    uint64_t configuration_index; /* of its record; at most first_index - 1 */
    struct raft_hard_state hard_state;
    uint64_t first_index;  /* where the log begins; 0 and 1: at the first record of all */
    uint64_t term_before;  /* term of record first_index - 1, which is committed; else 0 */
    uint64_t commit_index; /* a lower bound of what is committed: first_index - 1 to last_index */
    bool is_tail_suspect;  /* records that this node acknowledged may be missing behind the last */
};

enum raft_event_type {
    RAFT_EVENT_TICK,
    RAFT_EVENT_RECEIVE,     /* `message`, and `entries` for an append request */
    RAFT_EVENT_PROPOSE,     /* one record of the engine; leader only */
    RAFT_EVENT_DURABLE,     /* this node's records are durable up to `durable.index`, and so is its
                             `durable.hard_state` (term 0: nothing new of it is known) */
    RAFT_EVENT_READ,        /* consistent reads up to `read_id` want an index; leader only */
    RAFT_EVENT_TRANSFER,    /* hand leadership to `transfer_to` */
    RAFT_EVENT_INSTALLED,   /* the snapshot of a leader is durable here: see `installed` */
    RAFT_EVENT_STEP_DOWN,   /* lead no longer, and do not try to (no-op on a follower) */
    RAFT_EVENT_RECONFIGURE, /* put `configuration` in force; leader only */
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ns; /* monotonic; never below an earlier event's */
    union {
        struct {
            const struct raft_message *message;
            const struct raft_entry *entries; /* append_request.entry_count of them */
            /* Its first piece may have arrived so long ago: the others were awaited, or it waited
             * for this thread. What its sender says of the time has become older by that. */
            uint64_t waited_ns;
        } receive;
        struct {
            uint64_t index;
            struct raft_hard_state hard_state; /* one that a step asked to be written */
        } durable;
        uint64_t read_id;     /* rises with every event */
        uint16_t transfer_to; /* node id */
        struct {
            uint64_t index;                                 /* last record that it holds */
            uint64_t term;                                  /* of that record */
            const struct raft_configuration *configuration; /* in force at that record */
            uint64_t configuration_index; /* of its record; 0: the snapshot holds none */
        } installed;
        const struct raft_configuration *configuration;
    };
};

struct raft_effects {
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    uint64_t truncate_from; /* 0: nothing */
    uint64_t append_first;
    uint32_t append_count;
    uint32_t append_skip; /* entries of the event to pass over: already in the log */
    /* The one record to append is raft's own: a no-op or a configuration; 0: it is not. */
    enum raft_entry_kind append_own;
    const uint8_t *append_payload; /* of a configuration; good until the next step */
    uint32_t append_size_bytes;
    uint32_t now_count;
    uint32_t after_count;
    struct raft_message now[RAFT_STEP_MESSAGES_MAX];
    struct raft_message after[RAFT_STEP_MESSAGES_MAX];
    uint64_t commit_index;        /* current value, also when unchanged */
    uint64_t read_released_id;    /* current value; 0 while none */
    uint64_t read_released_index; /* applied index at which those reads may be served */
    uint16_t behind_begin; /* a peer that needs records from before this leader's first, found
                                     in this step; 0: none. It needs a snapshot; meanwhile it is
                                     sent heartbeats */
    bool is_log_reset;     /* an installed snapshot: all records go, the next one is behind it */
    bool role_changed;     /* role, term or known leader: ask raft_status */
};

struct raft_status {
    enum raft_role role;
    uint64_t term;
    uint16_t leader; /* 0: unknown */
    uint64_t last_index;
    uint64_t commit_index;
    uint64_t durable_index;
    /* Leader: when a majority last answered. Follower: its last valid append request. */
    uint64_t leader_contact_ns;
    uint64_t quorum_contact_ns; /* when a majority last answered this leader, or, as far as a
                                   follower was told, its leader; 0: never */
    bool is_tail_suspect;
    /* Leader: an entry of its own term is committed; reads are served from then on. */
    bool has_own_commit;
    bool is_transferring;
    uint16_t transfer_to;            /* node that leadership is being handed to; 0: none */
    uint64_t birth;                  /* of this storage */
    bool is_formed;                  /* a configuration is known */
    enum raft_membership membership; /* of this storage; 0: it is no member */
};

/* What a leader knows of another node. */
struct raft_peer_progress {
    struct raft_storage storage;
    enum raft_membership membership;
    uint64_t match_index; /* durable there and equal to the leader's log up to this */
    uint64_t contact_ns;  /* its last reply in this term; 0: none */
    bool is_suspect;      /* it may have lost records of this term */
};

/* Why no cluster has formed yet, as the last attempt that is over found. */
struct raft_formation_state {
    uint32_t attempts;           /* that are over */
    bool is_refused;             /* those that are missing have refused; else they did not answer */
    uint32_t missing_count;      /* 0: nobody was missing, or there was no attempt */
    uint16_t missing[NODES_MAX]; /* node ids */
};

struct raft;

/* Bytes that raft_init needs for these options, aligned to 64. */
size_t raft_size(const struct raft_options *options);

/*
 * Starts a follower in `memory` with an empty trail. ERR_ARGUMENT: an option out of its range.
 * The trail is then filled with raft_restore_entry, from record first_index on, before the first
 * step.
 */
MUST_USE enum error raft_init(void *memory, const struct raft_options *options,
                              const struct raft_restored *restored, uint64_t now_ns,
                              struct raft **ret_raft);

/*
 * Record `index` of `term` is in the log (recovered and durable). In order. ERR_FULL: trail full;
 * ERR_RANGE: not the successor of the last, a falling term, or a term above the hard state's.
 */
MUST_USE enum error raft_restore_entry(struct raft *raft, uint64_t index, uint64_t term);

/* The record that was restored last is this configuration. ERR_RANGE: it is none. ERR_VERSION: of a
 * format that this node does not know. */
MUST_USE enum error raft_restore_configuration(struct raft *raft, const uint8_t *payload,
                                               size_t size_bytes);

/* The log now begins at `first_index`, at most commit index + 1: what lies before is in a durable
 * snapshot. The caller may still have those records; peers are not sent them any more. Not within a
 * step. */
void raft_log_dropped(struct raft *raft, uint64_t first_index);

/* This node cannot lead now, for reasons of its own: it waits for another election timeout before
 * it campaigns. Not a leader (CHECK), not within a step. */
void raft_wait_anew(struct raft *raft, uint64_t now_ns);

/* Whether a snapshot up to `index` would help: records up to there may not be committed here. */
bool raft_needs_snapshot(const struct raft *raft, uint64_t index);

/*
 * Takes one event. Fills *ret_effects wholly when it returns OK; other results change nothing:
 * ERR_NOT_LEADER (propose, read, transfer, reconfigure), ERR_BUSY (propose, transfer or reconfigure
 * during a transfer; reconfigure before the configuration in force, and a record of this term, are
 * committed), ERR_FULL (the trail is full), ERR_ARGUMENT (unknown transfer target, or a
 * configuration that may not follow), ERR_STORAGE (a message to another storage than this one, or
 * of a copy of it: count it, drop it), ERR_RANGE (a message whose fields contradict each other: the
 * same), ERR_TOO_LARGE (a message of a term more than TERM_LEAP_MAX ahead: the same).
 */
MUST_USE enum error raft_step(struct raft *raft, const struct raft_event *event,
                              struct raft_effects *ret_effects);

/* The time by which raft_step must be called again. */
uint64_t raft_deadline_ns(const struct raft *raft);

/*
 * Messages that did not fit the effects of the last step are still owed (a pipeline with room and
 * records to send): step with RAFT_EVENT_TICK again in the same turn while this holds.
 */
bool raft_has_backlog(const struct raft *raft);

void raft_status(const struct raft *raft, struct raft_status *ret_status);

/* Of no use once a cluster has formed. */
void raft_formation_state(const struct raft *raft, struct raft_formation_state *ret_state);

/* Of the storage that the node `id` is reached by (raft_configuration_node). False: this node does
 * not lead, or the node is itself or has no member. */
bool raft_peer_progress(const struct raft *raft, uint16_t id,
                        struct raft_peer_progress *ret_progress);

/* Of one storage. False: this node does not lead, or the storage is its own or no member. */
bool raft_storage_progress(const struct raft *raft, uint64_t birth,
                           struct raft_peer_progress *ret_progress);

/* Another number whenever another configuration is in force. */
uint64_t raft_configuration_version(const struct raft *raft);

/* The configuration in force, of record *ret_index; slot_count 0: none. It may not be committed. */
const struct raft_configuration *raft_configuration_of(const struct raft *raft,
                                                       uint64_t *ret_index);

/*
 * A leader to whom a majority (itself included) answered within election_timeout_min_ns before now.
 */
bool raft_has_fresh_quorum(const struct raft *raft, uint64_t now_ns);

/* Term of `index`; 0 for index 0 and for an index that is neither in the log nor the one before its
 * first. */
uint64_t raft_term_at(const struct raft *raft, uint64_t index);

/* The first record whose term is known: the log's begin, or later (raft_log_dropped). */
uint64_t raft_first_index(const struct raft *raft);

/* So many more terms can have records in the log. Without room for one more a node cannot lead;
 * raft_log_dropped makes room. */
uint32_t raft_terms_room(const struct raft *raft);

/*
 * Walks the whole state; aborts (CHECK) where it contradicts itself. Debug, simulator, fuzz builds.
 */
void raft_check_invariants(const struct raft *raft);

#endif
