/* Inside of a lane, for the lane_*.c files only. See server/lane.h for the turn. */
#ifndef POLLUX_SERVER_LANE_INTERNAL_H
#define POLLUX_SERVER_LANE_INTERNAL_H

#include "base/arena.h"
#include "wire/reassembly.h"
#include "server/lane.h"

/* Messages that wait for durability. When full the newest is dropped: Raft survives a lost
 * message. */
#define LANE_OUTBOX_MAX 1024

/* Records applied in one turn, so that a replay after a restart does not starve the packets. */
#define LANE_APPLY_MAX 256

/* Follow-up steps in one turn while raft has a backlog of appends. */
#define LANE_BACKLOG_STEPS_MAX 8

/* Room that client batches leave in the log, so that no-ops of new leaders still fit. */
#define LANE_LOG_RESERVE_BYTES ((size_t)64 * 1024)

/* Messages in pieces at once: two a peer, and a fixed number for all clients together. */
#define LANE_PEER_SLOTS   (2 * NODES_MAX)
#define LANE_CLIENT_SLOTS 64

/* No persist has been asked for yet on behalf of a waiting message. */
#define LANE_UNSTAMPED UINT64_MAX

struct lane_outgoing {
    struct raft_message message;
    uint64_t ticket; /* LANE_UNSTAMPED until the persist at the end of its turn */
};

struct lane {
    struct lane_options options;
    struct arena arena;
    struct dp_port *port;
    struct log *log;
    struct journal *journal; /* NULL: none */
    struct raft *raft;
    struct engine *engine;
    struct reassembly *from_peers;
    struct reassembly *from_clients;
    uint32_t fingerprint;
    uint64_t next_message_id;
    uint8_t *message_data; /* MESSAGE_SIZE_BYTES_MAX: one outgoing message at a time */
    struct raft_entry entries[APPEND_ENTRIES_MAX];
    struct raft_effects effects;

    struct lane_outgoing *outbox; /* a ring of LANE_OUTBOX_MAX */
    uint64_t outbox_head;
    uint64_t outbox_tail;

    uint64_t now_ns;
    bool is_persist_owed;  /* something was written since the last persist */
    uint64_t ticket_asked; /* newest persist ticket */
    uint64_t ticket_done;
    uint64_t durable_index;    /* told to raft */
    uint64_t pending_since_ns; /* when the oldest unfinished persist was asked for; 0: none */
    uint64_t commit_index;
    uint64_t commit_hint;
    /* The newest record known to vouch for a commit index, once it is durable: what a restart will
     * apply before its first packet. */
    uint64_t vouching_index;
    uint64_t vouched_commit;
    uint64_t durable_commit; /* commit index in a durable one */
    uint64_t decided_seq;    /* journal entries decided by the records up to decided_index */
    uint64_t decided_index;
    uint64_t read_released_id; /* told to the engine */
    struct engine_view view;
    struct raft_status status;
    bool is_log_exhausted;
    struct lane_counters counters;
};

/* lane_receive.c: one datagram from the port. */
void lane_receive(struct lane *lane, const struct dp_datagram *datagram);

/* lane_raft.c: one event into raft, its effects carried out but for durability. Returns raft_step's
 * result; `payload` is the record of a proposal. */
enum error lane_step(struct lane *lane, const struct raft_event *event, struct span payload);
void lane_send_raft(struct lane *lane, const struct raft_message *message);
/* Sends the waiting messages whose ticket is durable. */
void lane_flush_outbox(struct lane *lane);
/* Gives the messages of this turn the ticket of the persist that covers them. */
void lane_stamp_outbox(struct lane *lane, uint64_t ticket);

/* lane_journal.c */

size_t lane_journal_arena_bytes(const struct lane *lane);
/* What the engine must know of the journal. */
void lane_fill_journal_options(struct lane *lane);
/* Opens it, if there is to be one. */
enum error lane_open_journal(struct lane *lane, struct lane_report *report);
/* Applies what is committed, then restores what was pending. */
enum error lane_restore_pending(struct lane *lane, struct lane_report *report);
/* Sends this node's pending relaxed writes to the leader, when they are due. */
void lane_forward_pending(struct lane *lane);
/* What is durable and what is decided of the journal. ERR_SYNC. */
enum error lane_follow_journal(struct lane *lane);
/* A record with this commit index was appended. */
void lane_note_commit(struct lane *lane, uint64_t index, uint64_t commit_index);

struct address *lane_peer_address(struct lane *lane, uint16_t voter);

/* lane_send.c: one message, in as many packets as it takes. */
void lane_send(struct lane *lane, const struct address *to, uint8_t wire_type, struct span body);

/* lane_status.c */
void lane_answer_status(struct lane *lane, const struct address *to);
void lane_answer_transfer(struct lane *lane, const struct address *to, struct span body);
/* Asks raft anew; tells the log when it is settled, and the engine what it needs to know. */
void lane_refresh_status(struct lane *lane);

#endif
