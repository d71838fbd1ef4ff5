/*
 * A replica: one shard on one node. Its raft, engine, log, relaxed journal, and the messages that
 * wait for durability. Everything that a thread needs only once (port, reassembly, message buffer)
 * belongs to the lane, which runs its replicas' turns phase by phase: see server/lane.h.
 *
 * Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_REPLICA_H
#define POLLUX_SERVER_REPLICA_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"
#include "engine/engine.h"
#include "pmem/journal.h"
#include "pmem/log.h"
#include "pmem/snapshots.h"
#include "raft/peer_starts.h"
#include "raft/raft.h"
#include "server/cluster_identity.h"
#include "server/lane_shared.h"
#include "server/replica_damage.h"

struct membership_board;
struct replica;

/* Journals of earlier storages that were set aside, and lie there still: server/journal_aside.h. */
struct replica_kept {
    uint64_t journals;
    uint64_t writes; /* relaxed writes in them, those that the log has too */
    uint64_t series; /* of one of them */
};

struct replica_options {
    uint16_t shard;
    uint64_t cluster_id;
    struct raft_options raft;     /* `sizes` is filled by the replica; its format_max is that of
                                     the files, too */
    struct engine_options engine; /* `sink`, `self`, `node_count`, and everything about the journal
                                     and pending writes are filled by the replica; a pending_max
                                     that is not 0 and below what the journal can hold stays */
    struct log_options log;       /* `birth` is random */
    const char *identity_path;    /* NULL: none is kept, and a lost storage is replaced by hand */
    struct journal_options journal;     /* `identity` is the log's; size 0: no relaxed writes */
    struct snapshots_options snapshots; /* `identity` is the log's; size 0: none are kept, so the
                                           log only grows. Needs a log of several segments */
    uint64_t snapshot_rate;             /* bytes a second at which a copy is fetched; not 0 */
    uint64_t scrub_pass_ns;   /* from the begin of one look at all of them to the next, at least */
    uint64_t scrub_rate;      /* bytes a second at which the files are looked at for rot; 0: not */
    uint64_t medium_stall_ns; /* a leader whose persist takes longer than this steps down */
    uint8_t priority;         /* of this node as a leader: 0 to PRIORITY_MAX */
    uint64_t transfer_interval_ns;    /* see server/leadership.h; 0: transfers are not limited */
    struct security_options security; /* how nodes authenticate one another */
    struct membership_board *board;   /* of the node; NULL: shard 0 says nothing to the others */
    struct replica_kept kept;         /* found before the start */
    struct address peers[NODES_MAX];  /* of raft.founders, same order, with the port of shard 0 */
};

#define REPLICA_DROP_LIST(X)                                                                       \
    X(body)                                                                                        \
    X(type)                                                                                        \
    X(fingerprint)                                                                                 \
    X(storage)                                                                                     \
    X(start)                                                                                       \
    X(identity)                                                                                    \
    X(era)                                                                                         \
    X(raft_range)                                                                                  \
    X(raft_term)                                                                                   \
    X(entry)                                                                                       \
    X(outbox_full)                                                                                 \
    X(no_room)                                                                                     \
    X(format)                                                                                      \
    X(denied)                                                                                      \
    X(revoked)

struct replica_counters {
    uint64_t raft_rx;
    uint64_t raft_tx;
    uint64_t records_appended;
    uint64_t bytes_appended;
    uint64_t persists;
    uint64_t journal_appended;
    uint64_t elections_won;
    uint64_t leader_changes;
    uint64_t medium_stalls;
    uint64_t transfers_to_preferred;
    uint64_t transfers_refused;
    uint64_t snapshots_taken;
    uint64_t snapshots_installed;
    uint64_t snapshots_failed;
    uint64_t members_changed;
    uint64_t members_without_room;
    uint64_t records_rotten;
    uint64_t records_mended;
    uint64_t blocks_rotten;
    uint64_t blocks_mended;
    uint64_t heads_rotten; /* written again at once */
    uint64_t entries_rotten;
    uint64_t scrub_passes;
    uint64_t scrub_bytes;
    uint64_t peers_set_back;
    uint64_t snapshot_blocks_tx;
    uint64_t snapshot_blocks_rx;
    uint64_t backup_parts_tx;
    uint64_t backup_snapshots;
    uint64_t backup_snapshots_refused;
#define X(name) uint64_t drop_##name;
    REPLICA_DROP_LIST(X)
#undef X
};

/* A node that stops: what became of its leadership. */
struct replica_resignation {
    bool is_resigning;
    bool has_led;    /* at the time, or since */
    uint16_t leader; /* who leads instead; 0: nobody yet */
    uint64_t begun_ns;
    uint64_t left_ns; /* when that was known; 0: not yet */
};

/* A journal of another storage, which was given another name (pmem/journal.h). */
struct replica_aside {
    uint64_t series; /* 0: there was none */
    uint64_t writes; /* relaxed writes in it, those among them that the log has */
    char keys[128];  /* of the first ones, each followed by a space */
};

/* What opening found. */
struct replica_recovery {
    struct log_recovery log;
    struct journal_recovery journal;
    struct replica_aside aside;
    struct snapshots_recovery snapshots;
    uint64_t snapshot_index; /* of the one that was loaded; 0: none */
    bool is_log_damaged;     /* beyond repair: a new log took its place */
    bool is_identity_mended; /* a copy of it was not whole */
};

/* ---- for everybody on the lane's thread ---- */

uint16_t replica_shard(const struct replica *replica);
const struct raft *replica_raft(const struct replica *replica);
void replica_raft_status(const struct replica *replica, struct raft_status *ret_status);
struct engine *replica_engine(struct replica *replica);
struct log *replica_log(struct replica *replica);
const struct journal *replica_journal(const struct replica *replica);     /* NULL: none */
const struct snapshots *replica_snapshots(const struct replica *replica); /* NULL: none */
/* By the word of a peer that has committed more than this storage: it is no member any more. */
bool replica_is_removed(const struct replica *replica);
const struct replica_counters *replica_counters(const struct replica *replica);
const struct replica_recovery *replica_recovery(const struct replica *replica);
/* The cluster that the storage belongs to by a committed configuration, where its identity does not
 * say so yet and shall (pmem/identity.h); 0: there is none. */
uint64_t replica_formed(const struct replica *replica);
/* The format in force for this storage: of its file, or of a committed configuration. */
uint16_t replica_format(const struct replica *replica);
/* The node joins a cluster, or its storages have belonged to one: it forms none. */
bool replica_forms_none(const struct replica *replica);
/* Another node has said lately that it looks for a cluster; such a node forms none either. */
bool replica_is_lone(const struct replica *replica, uint16_t node);
/* What was found of this node's storage, and last of a peer's: that it was set back. node 0:
 * nothing. */
const struct start_finding *replica_set_back(const struct replica *replica);
const struct start_finding *replica_peer_set_back(const struct replica *replica);
/* How often the journal has moved away from entries that had rotted. */
uint64_t replica_entries_mended(const struct replica *replica);
/* The last damage that was met, or the sync that failed. */
const struct replica_damage *replica_damage(const struct replica *replica);
/* The last peer of another cluster or era that sent something. */
struct replica_stranger {
    uint16_t node; /* 0: none */
    struct cluster_identity theirs;
    struct cluster_identity ours;
};
const struct replica_stranger *replica_stranger(const struct replica *replica);
/* A limit in force that is above this node's capacity: no record is applied any more. `limit` 0:
 * none. */
const struct engine_lack *replica_lack(const struct replica *replica);

/* ---- for the lane ---- */

/* Memory that replica_open takes from shared->arena. */
size_t replica_arena_bytes(const struct replica_options *options);

/*
 * Opens the files, recovers, applies what is committed and restores what was pending. Options are
 * copied; `shared` must outlive the replica. On an error nothing stays open, and ret_reason tells
 * what failed, where, and what to do. Errors: those of log_open, journal_open, raft_init,
 * engine_init; ERR_FULL: a limit in force is above this node's capacity.
 */
MUST_USE enum error replica_open(const struct replica_options *options, struct lane_shared *shared,
                                 struct replica **ret_replica, char *ret_reason,
                                 size_t reason_size);
void replica_close(struct replica *replica);

/* The node is to stop: leadership is handed over from now on, and not taken again. */
void replica_resign(struct replica *replica);
/* Nothing is left that a few more turns would help: somebody else leads, clients have heard of it,
 * and no relaxed write is pending. */
bool replica_has_resigned(const struct replica *replica);
const struct replica_resignation *replica_resignation(const struct replica *replica);

/* The time by which a turn must run even if no packet arrives. */
uint64_t replica_deadline_ns(const struct replica *replica);

/* Whether `from` is where the configuration has the peer `sender` of this shard. */
bool replica_is_peer(const struct replica *replica, const struct address *from, uint16_t sender);

/* Where that member of this shard is, another than this node. NULL: it is none, or nobody has said
 * where it is. */
const struct address *replica_member_address(const struct replica *replica, uint16_t node);

/* The peer of this shard at that address; 0: none. */
uint16_t replica_peer_at(const struct replica *replica, const struct address *from);
/* A message that says it is from `sender` has come from another address than that peer has. */
void replica_note_address(struct replica *replica, const struct address *from, uint16_t sender);

/* One whole message; `from` and body are borrowed for the call. */
struct replica_message {
    struct address from;
    uint16_t sender; /* voter id; 0: a client */
    uint8_t type;    /* enum wire_type */
    uint8_t version; /* of its packets; 0: not told */
    uint8_t known;   /* format that its sender says it knows; 0: it does not say */
    struct span body;
    uint64_t begun_ns;           /* its first piece arrived then at the earliest */
    const struct rights *rights; /* of a client; of a node NULL */
    uint64_t retry_us;           /* of a client that asks too much: when to ask again; else 0 */
};

/* The head of a status reply. */
void replica_add_status_head(const struct replica *replica, struct wire_writer *writer);
/* The counters of this shard; the lane adds its own. */
void replica_add_status(const struct replica *replica, struct wire_writer *writer);
/* Whether who has sent the message may do what operators do. */
bool replica_is_operator(const struct replica_message *message);
/* Sends one message of this shard, in as many packets as it takes, to a client. */
void replica_send(struct replica *replica, const struct address *to, uint8_t wire_type,
                  struct span body);
/* The same to a node, sealed where this node seals. */
void replica_send_node(struct replica *replica, uint16_t node, const struct address *to,
                       uint8_t wire_type, struct span body);

/* A handshake message that says it is of the node `sender`. False: it is of no use. */
bool replica_receive_handshake(struct replica *replica, const struct replica_message *message);

enum replica_result {
    REPLICA_ASLEEP, /* nothing happened, and nothing will before a message or the deadline */
    REPLICA_IDLE,   /* nothing was received, written or applied */
    REPLICA_WORKED,
    /* A sync failed, or what the node needs to go on is damaged (replica_damage): nothing is
     * acknowledged any more; stop the process. */
    REPLICA_SYNC_FAILED,
};

/* A turn, in this order. */

void replica_begin_turn(struct replica *replica);
void replica_receive(struct replica *replica, const struct replica_message *message);
/* Proposes, forwards, asks for reads, ticks raft: all that this turn will write is written then. */
void replica_propose(struct replica *replica);
/* Asks for durability of what was written. */
void replica_persist(struct replica *replica);
/* Learns what is durable, sends what had to wait for that, applies what is committed. */
enum replica_result replica_end_turn(struct replica *replica);

#endif
