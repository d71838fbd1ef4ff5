/* Inside of a replica, for the replica_*.c files only. See server/lane.h for the turn. */
#ifndef POLLUX_SERVER_REPLICA_INTERNAL_H
#define POLLUX_SERVER_REPLICA_INTERNAL_H

#include "raft/peer_starts.h"
#include "server/address_book.h"
#include "server/leadership.h"
#include "server/majority_room.h"
#include "server/medium_watch.h"
#include "server/members.h"
#include "server/membership_board.h"
#include "server/replica.h"
#include "server/replica_scrub.h"
#include "server/replica_snapshot.h"
#include "server/sent_appends.h"
#include "server/vouch.h"
#include "server/wanted.h"

/* Messages that wait for durability. When full the newest is dropped: Raft survives a lost
 * message. */
#define REPLICA_OUTBOX_MAX 1024

/* Records applied in one turn, so that a replay after a restart does not starve the packets. */
#define REPLICA_APPLY_MAX 256

/* Follow-up steps in one turn while raft has a backlog of appends. */
#define REPLICA_BACKLOG_STEPS_MAX 8

/* No persist has been asked for yet on behalf of a waiting message, or hard state. */
#define REPLICA_UNSTAMPED UINT64_MAX

struct replica_outgoing {
    struct raft_message message;
    struct record_room room; /* of an append reply, when it was made */
    uint64_t ticket;         /* REPLICA_UNSTAMPED until the persist at the end of its turn */
};

/* An operator has said that this storage is lost: whichever its node has now takes its place. */
struct replica_order {
    uint64_t birth; /* 0: none */
    uint64_t until_ns;
    uint16_t node;
};

/* A node that has said which storage it has, and is no member. */
struct replica_newcomer {
    uint64_t birth;
    uint64_t cluster; /* that it belongs to; 0: to none */
    uint64_t heard_ns;
    uint16_t id;  /* 0: a free place */
    bool is_lone; /* it looks for a cluster, and belongs to none: it founds none either */
};

/* replica_follow.c, replica_presence.c */
struct replica_following {
    struct wanted wanted;       /* as last read */
    uint32_t board_sequence;    /* of the board it was read from */
    uint64_t published_version; /* shard 0: of the configuration that is on the board */
    enum wanted_step step;      /* leader: the last one */
    uint64_t settled_version;   /* of a configuration with nothing left to do; 0: of none */
    uint64_t due_ns;            /* leader: the next one */
    uint64_t hand_over_ns;      /* not before */
    uint64_t ask_ns;            /* newcomers, not before */
    uint64_t without_room_ns;   /* leader: the log last had no room for a step; 0: never */
    uint64_t seek_ns;           /* not before */
    uint64_t removed_index;     /* a committed configuration without this storage; 0: of none */
    struct replica_newcomer newcomers[WANTED_NODES_MAX];
};

/* replica_drain.c */
struct replica_drain {
    bool is_member; /* by the configuration in force; */
    bool leaves;    /* by the same */
    uint32_t number;
    uint64_t index;
    bool is_published; /* on the board of the node: */
    uint32_t published_number;
    uint64_t published_pending;
};

/* replica_format.c */
struct replica_formats {
    uint16_t in_force;
    uint16_t configured; /* by the configuration in force, which may not be committed */
    uint8_t packet;      /* version of what is sent to nodes */
    uint8_t heard;       /* version of the message that was received last in this turn; 0: none */
    uint64_t ask_ns;     /* not before */
    /* By node id: what it has said that it knows. */
    struct {
        uint64_t asked_ns; /* when this leader asked what it has answered; 0: it has not */
        uint64_t birth;    /* of the storage that answered */
        uint16_t known;
    } told[VOTER_ID_MAX + 1];
};

struct replica {
    struct replica_options options;
    struct lane_shared *shared;
    struct log *log;
    struct journal *journal; /* NULL: none */
    struct raft *raft;
    struct engine *engine;
    struct replica_recovery recovery;
    uint32_t fingerprint;
    uint64_t next_message_id;
    struct sent_appends *sent_appends;

    struct replica_outgoing *outbox; /* a ring of REPLICA_OUTBOX_MAX */
    uint64_t outbox_head;
    uint64_t outbox_tail;

    bool has_received;                 /* a message, in this turn */
    bool has_persisted;                /* in this turn */
    bool is_persist_owed;              /* something was written since the last persist */
    struct medium_watch watch;         /* of the log's persists */
    uint64_t durable_index;            /* told to raft */
    struct raft_hard_state hard_state; /* newest that was written */
    uint64_t hard_state_ticket;        /* of its persist, UNSTAMPED before; 0: raft was told */
    uint64_t commit_index;
    uint64_t commit_hint;
    struct vouch vouch; /* what the journal may forget */
    struct leadership leadership;
    struct replica_resignation resignation;
    struct process_watch processes;     /* of the peers */
    struct majority_room majority_room; /* of this leader's voters */
    struct room_voters room_voters;
    uint64_t room_births[VOTER_ID_MAX + 1]; /* by node id: the storage that has told its room */
    struct replica_drain drain;
    uint64_t undrained[RAFT_MEMBERS_MAX]; /* by slot: as replica_undrained_of */
    uint64_t configuration_version;       /* that they are of */
    struct replica_snapshot snapshot;
    struct replica_backup backup;
    struct replica_scrub scrub;
    uint64_t births[IDENTITY_BIRTHS_MAX]; /* that the storages of this node had */
    uint64_t formed;                      /* by the identity: their cluster; 0: none yet */
    uint64_t
        announced_ns[VOTER_ID_MAX + 1]; /* by node id: when it was last told who this storage is */
    struct replica_order order;
    struct cluster_membership cluster;
    uint64_t configuration_index; /* as well */
    uint64_t cluster_number;      /* whole, once it is committed; 0: not yet */
    uint32_t newer_era;           /* of this cluster, that a peer has told; 0: none */
    struct replica_stranger stranger;
    struct peer_starts starts;
    struct start_own own_start;    /* `had_start` is of no meaning */
    uint32_t tellings_left;        /* of this start */
    uint64_t telling_ns;           /* when the next is due */
    struct start_finding set_back; /* of this storage; node 0: it is not set back */
    struct start_finding denied;   /* of a peer's storage, the last one; node 0: none */
    struct address_book book;
    struct peer_seals *seals;          /* NULL: packets are not sealed */
    struct client_seals *client_seals; /* NULL: clients do not seal */
    struct replica_following following;
    struct replica_formats formats;
    uint32_t rights_number; /* of the table by which pending writes were dropped last */
    uint32_t drops;         /* of that table */
    uint64_t led_since_ns;  /* as the leader of its term */
    struct replica_damage damage;
    uint64_t rot_index;        /* the last record that has rotted and is still needed; 0: none */
    struct engine_lack lack;   /* why no record is applied any more; none: limit is 0 */
    uint64_t read_released_id; /* told to the engine */
    struct engine_view view;
    struct raft_status status;
    struct replica_counters counters;
};

/* replica_raft.c: one event into raft, its effects carried out but for durability. Returns
 * raft_step's result; `payload` is the record of a proposal. */
enum error replica_step(struct replica *replica, const struct raft_event *event,
                        struct span payload);

/* replica_outbox.c */

/* NULL: not known. */
const struct address *replica_peer_address(const struct replica *replica, uint16_t voter);
struct wire_message_header replica_message_header(const struct replica *replica, uint8_t wire_type,
                                                  uint64_t message_id);
/* In the lane's message_data. `room`: of an append reply; of others NULL. Empty: a record of it has
 * rotted, and it must not be sent. */
struct span replica_encode_raft(struct replica *replica, const struct raft_message *message,
                                const struct record_room *room);
void replica_send_raft(struct replica *replica, const struct raft_message *message,
                       const struct record_room *room);
/* Keeps a message until what was written so far is durable. */
void replica_push_outbox(struct replica *replica, const struct raft_message *message);
/* Gives the messages of this turn the ticket of the persist that covers them. */
void replica_stamp_outbox(struct replica *replica, uint64_t ticket);
/* Sends the waiting messages whose ticket is durable. */
void replica_flush_outbox(struct replica *replica);

/* replica_room.c */

/* Another configuration may be in force since the last call. */
void replica_follow_configuration(struct replica *replica);

/* Payload of the largest record that an empty segment takes. */
size_t replica_record_bytes_max(const struct replica *replica);
/* Of this node's log, behind its last record. */
struct record_room replica_own_room(const struct replica *replica);
/* The log wants snapshots more than anything else. */
bool replica_is_short_of_room(const struct replica *replica);
/* What a voter has said, once raft has taken the reply. */
void replica_note_room(struct replica *replica, const struct raft_message *reply,
                       const struct record_room *room);
/* Payload of the next record that this node, as the leader, may append. */
struct record_room replica_admissible_room(const struct replica *replica);

/* replica_missing.c */

/* An append request of several packets, encoded: sent, or repeated if it is under way. */
void replica_send_append(struct replica *replica, const struct raft_message *message,
                         struct span body);
/* Sends again what the sender of that message lacks of an earlier one. */
void replica_receive_missing(struct replica *replica, const struct replica_message *message);

/* replica_journal.c */

size_t replica_journal_arena_bytes(const struct replica_options *options);
/* What the engine must know of the journal. */
void replica_fill_journal_options(struct replica *replica);
/* Opens it, if there is to be one. */
enum error replica_open_journal(struct replica *replica, char *ret_reason, size_t reason_size);
/* Applies what is committed, then restores what was pending. */
enum error replica_restore_pending(struct replica *replica, char *ret_reason, size_t reason_size);
/* Sends this node's pending relaxed writes to the leader, when they are due. */
void replica_forward_pending(struct replica *replica);
/* What is durable and what is decided of the journal. ERR_SYNC. */
enum error replica_follow_journal(struct replica *replica);

/* replica_limits.c */

bool replica_lacks_capacity(const struct replica *replica);
/* Applies the next committed record. False: this node lacks capacity for it, now and until it is
 * started again. */
MUST_USE bool replica_apply(struct replica *replica, uint64_t index);
/* ERR_FULL: this node lacks capacity for the snapshot; else as snapshots_read_block. */
MUST_USE enum error replica_check_snapshot(struct replica *replica,
                                           const struct snapshot_info *info);
/* What is lacking, and what to do. */
void replica_describe_lack(const struct replica *replica, char *ret_reason, size_t reason_size);
/* A leader that lacks capacity makes way for one that does not. */
void replica_leave_lead(struct replica *replica);

/* replica_damage.c */

/* False: the record must not be sent or applied. */
bool replica_is_record_whole(struct replica *replica, uint64_t index);
void replica_note_rot(struct replica *replica, uint64_t index);
void replica_note_block_rot(struct replica *replica, uint32_t file, uint32_t block);
/* The snapshot in the file has rotted: it counts as gone, and another one takes its place. */
void replica_lose_snapshot(struct replica *replica, uint32_t file, uint32_t block);
/* As snapshots_read_block; a block that has rotted is noted. */
enum error replica_read_block(struct replica *replica, const struct snapshot_info *info,
                              uint32_t number, uint8_t *buffer, struct span *ret_raw);
/* A rotten record is needed until both snapshots are behind it. */
bool replica_wants_snapshots(const struct replica *replica);
/* True: the node cannot go on. */
bool replica_is_hurt(struct replica *replica);
void replica_note_failure(struct replica *replica);
/* A page of the log could not be read: zeros were read instead. The failure is noted. */
bool replica_is_unreadable(struct replica *replica);

/* replica_fetch.c: asks for what is missing of a copy. */
void replica_fetch_step(struct replica *replica);

/* replica_storage.c: opens the log, behind this snapshot, and the identity. */
enum error replica_open_storage(struct replica *replica, const struct snapshot_info *snapshot,
                                char *ret_reason, size_t reason_size);

/* replica_members.c */

/* Tells a node that sent something for the storage `addressed` which one this is. */
void replica_announce_storage(struct replica *replica, uint16_t to, uint64_t addressed);
void replica_receive_storage(struct replica *replica, uint16_t sender, struct span body);
/* Whether the log has room for a configuration, for the one that leaves a joint one by itself, and
 * for a later leader. */
bool replica_has_configuration_room(const struct replica *replica);
/* Leader: a configuration was not appended, because the log has no such room; and whether that was
 * so lately. */
void replica_note_no_room(struct replica *replica);
bool replica_is_without_room(const struct replica *replica);
/* Leader: for the longest election timeout nothing was heard of this other member. */
bool replica_is_silent(const struct replica *replica, uint64_t birth);

/* replica_starts.c */

void replica_open_starts(struct replica *replica);
/* Tells the peers of this start, while that is due. */
void replica_tell_start(struct replica *replica);
/* After a rescue: tells the node, which is at `to`, of which era this storage is. */
void replica_tell_era(struct replica *replica, uint16_t node, const struct address *to);
/* Whether what a storage says in this start counts; else its node is asked, or the start noted. */
bool replica_is_start_known(struct replica *replica, const struct raft_storage *from,
                            uint64_t start);
/* Whether a sender is of the cluster and era that this storage belongs to, as far as both know. */
bool replica_is_of_cluster(struct replica *replica, uint16_t sender,
                           struct cluster_identity theirs);
/* This storage takes part in nothing any more: it was set back, or its era is over. */
bool replica_is_out(const struct replica *replica);
/* It leads no longer, and promises nothing. */
void replica_leave(struct replica *replica);
void replica_receive_start(struct replica *replica, uint16_t sender, struct span body);

/* replica_follow.c */

/* Leader: the next step towards the wanted members, when it is due. */
void replica_follow_wanted(struct replica *replica);
/* Shard 0: for the node's other shards. */
void replica_publish_membership(struct replica *replica);
void replica_note_newcomer(struct replica *replica, const struct replica_newcomer *newcomer);
/* NULL: the node has said nothing lately. */
const struct replica_newcomer *replica_newcomer_of(const struct replica *replica, uint16_t id);
bool replica_is_foreign(const struct replica *replica, const struct replica_newcomer *newcomer);
/* Leader: of its members, and of the wanted nodes. */
void replica_know(const struct replica *replica, const struct wanted *wanted,
                  struct wanted_known *ret_known);
/* Leader: finds the next step, and takes it. WANTED_BUSY: it could not be taken now. */
enum wanted_step replica_take_step(struct replica *replica, const struct wanted *wanted,
                                   const struct wanted_known *known);

/* replica_drain.c */

/* This node is to be removed: it accepts no relaxed writes any more. */
bool replica_leaves(const struct replica *replica);
/* For shard 0 of the node. */
void replica_publish_drain(struct replica *replica);
/* Relaxed writes that this shard, in shard 0 all of this node, has accepted and that are not in the
 * log, and one. 0: there are none, and no more will come. */
uint64_t replica_undrained(const struct replica *replica);
/* Leader: what a member has told of that, in an append reply that raft has taken. */
void replica_note_drain(struct replica *replica, const struct raft_message *reply,
                        uint64_t undrained);
/* Another configuration is in force: what was told under the last one is forgotten. */
void replica_follow_drain(struct replica *replica);
/* Leader: of a member. UINT64_MAX: it has told nothing yet. */
uint64_t replica_undrained_of(const struct replica *replica, uint64_t birth);

/* replica_presence.c */

/* Leader: asks wanted nodes that are no members which storage they have. */
void replica_ask_newcomers(struct replica *replica, const struct wanted *wanted);
/* Others, without a leader: look for the cluster. */
void replica_seek(struct replica *replica);
void replica_receive_presence(struct replica *replica, const struct replica_message *message);

/* replica_format.c */

/* The log is open, and raft has its configuration. */
void replica_open_formats(struct replica *replica);
/* Raises the format when a configuration that asks for it is committed. */
void replica_follow_format(struct replica *replica);
/* A node's packet says that it knows this format: it may have been put back to an older program. */
void replica_note_known(struct replica *replica, uint16_t node, uint16_t known);
/* Leader: asks the nodes of all members which formats they know. */
void replica_ask_formats(struct replica *replica);
/* Slots of those that have said lately that they know this format. */
uint32_t replica_formats_told(const struct replica *replica, uint16_t format);
void replica_receive_format(struct replica *replica, const struct replica_message *message);
/* The version of packets of this type. */
uint8_t replica_packet_version(const struct replica *replica, uint8_t wire_type);
/* The message received last says of its sender's storage what only nodes may say that know the
 * format in force; counts it otherwise. */
bool replica_is_format_spoken(struct replica *replica);

/* replica_security.c */

size_t replica_security_arena_bytes(const struct replica_options *options);
/* The address book is filled. */
void replica_open_security(struct replica *replica);
/* Sends the initiations that are due. */
void replica_shake_hands(struct replica *replica);
uint64_t replica_security_deadline_ns(const struct replica *replica);

/* replica_change.c */
void replica_answer_change(struct replica *replica, const struct address *to, struct span body);

/* replica_operator.c */

struct replica_answer {
    uint8_t type; /* enum wire_type */
    enum wire_status status;
    uint64_t number;
    uint64_t retry_us; /* refused as too soon: when it is not any more */
};

/* enum wire_membership */
uint8_t replica_membership(const struct replica *replica);
void replica_answer_operator(struct replica *replica, const struct address *to,
                             const struct replica_answer *answer);
void replica_answer_members(struct replica *replica, const struct address *to, struct span body);
void replica_answer_replace(struct replica *replica, const struct address *to, struct span body);

/* replica_backup.c */

size_t replica_backup_arena_bytes(const struct replica *sized);
/* The files of the snapshots are open, or there are none. */
void replica_backup_init(struct replica *replica);
/* A client waits for a newer snapshot. */
bool replica_backup_is_wanted(const struct replica *replica);
/* One was begun. */
void replica_backup_note_begun(struct replica *replica);
void replica_answer_backup(struct replica *replica, const struct address *to, struct span body);
/* Tells who has asked that he may not. */
void replica_deny_backup(struct replica *replica, const struct address *to, struct span body);

/* replica_rights.c */

struct wire_forward;

/* True: it is of operators, its sender is none, and was told so. */
bool replica_denies(struct replica *replica, const struct replica_message *message);
/* Another table of rights is in force: before the engine's turn. */
void replica_drop_revoked(struct replica *replica);
/* What a forward of this node says of that: wire/wire_forward.h. */
uint32_t replica_told_drops(const struct replica *replica);
/* This node's copy of the table may lack changes of a while ago. */
bool replica_has_old_rights(const struct replica *replica);
/* Whether its sender has dropped what the table that this node knows says is dropped. */
bool replica_is_forward_current(struct replica *replica, const struct wire_forward *forward);

/* replica_status.c */

/* Asks raft anew; tells the log when it is settled, and the engine what it needs to know. */
void replica_refresh_status(struct replica *replica);
/* True when a leader's first entry can be appended, and a few more like it. */
bool replica_can_lead(const struct replica *replica);

/* replica_leadership.c */

/* Hands leadership to the voter that should have it, when that is due. */
void replica_prefer_leader(struct replica *replica);
void replica_answer_transfer(struct replica *replica, const struct address *to, struct span body);
/* A replica whose node stops: hands leadership over, again until somebody has it. */
void replica_resign_step(struct replica *replica);

#endif
