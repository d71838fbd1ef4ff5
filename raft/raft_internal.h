/*
 * The state of one consensus core and what its files offer each other. Nothing here is for callers.
 *
 * Invariants (raft_check_invariants walks them): commit, durable and verified index are at most the
 * last index, and commit and durable index are at least that before the log's first; terms in the
 * trail rise and none is above the current term; a leader's peers have match < next <= last + 1,
 * and first <= next. The configuration in force is that of the newest such record in the log, and
 * only that record may be uncommitted.
 */
#ifndef POLLUX_RAFT_RAFT_INTERNAL_H
#define POLLUX_RAFT_RAFT_INTERNAL_H

#include "base/check.h"
#include "base/prng.h"
#include "raft/configuration.h"
#include "raft/raft.h"
#include "raft/trail.h"

/* Rounds of reads in flight that are told apart; more than this share the newest round. */
#define RAFT_READ_ROUNDS_MAX 64

static_assert(RAFT_STEP_APPENDS_PER_PEER_MAX >= 1, "a pipeline must be able to move");

/* What a leader knows of one member (thesis 3.5; states as in etcd-io/raft's tracker.Progress). */
enum raft_peer_state {
    RAFT_PEER_PROBE,     /* where the logs agree is not known: one request at a time */
    RAFT_PEER_REPLICATE, /* it is known: requests are pipelined */
};

struct raft_peer {
    struct raft_storage storage; /* birth 0: the slot is free */
    enum raft_peer_state state;
    bool is_probe_sent;    /* probe: a request is on its way */
    uint32_t step_appends; /* append requests in this step's effects */
    uint64_t match_index;  /* durable there and equal to ours */
    uint64_t next_index;   /* first record of the next request */
    uint64_t round_acked;  /* highest round it has echoed in this term */
    uint32_t suspicion; /* not 0: it may have lost records of this term; it is told that we know */
    uint64_t round_min; /* a match acknowledged in an earlier round counts no more */
    uint64_t round_probe; /* an answer of an earlier round does not say where to go on */
    uint64_t contact_ns;  /* its last reply in this term; 0: none */
    uint64_t sent_ns;     /* our last append request to it */
    uint64_t progress_ns; /* it acknowledged something new, or the pipeline was empty */
    uint64_t retry_ns;    /* silence after which what is in flight counts as lost */
    uint64_t offered_ns;  /* when it was last sent records though it had taken nothing */
    uint64_t *inflight;   /* ring of inflight_max: last index of each unacknowledged request */
    uint32_t inflight_head;
    uint32_t inflight_count;
};

struct raft_read_round {
    uint64_t round;
    uint64_t read_id;
};

/* What an append request would do to the log, found before anything is changed. */
struct raft_append_plan {
    bool is_match; /* the log has previous_index with previous_term */
    uint64_t truncate_from;
    uint32_t skip;
    uint32_t append_count;
};

struct raft {
    struct raft_options options;
    struct raft_configuration configuration; /* in force; slot_count 0: none is known */
    uint64_t configuration_index;            /* of its record */
    uint64_t configuration_version;          /* rises whenever one is put in force */
    struct raft_configuration previous;      /* in force again if that record is truncated */
    uint64_t previous_index;
    struct raft_halves halves;                     /* of the configuration */
    uint32_t self_slot;                            /* of this storage in it, or RAFT_SLOT_NONE */
    uint8_t encoded[RAFT_CONFIGURATION_BYTES_MAX]; /* of the one that this step appends */
    uint32_t formation;                            /* checksum of the founders */
    struct raft_configuration draft; /* the founders, with the births that they told this time */
    uint32_t formation_begins;       /* of drafts: one before the first attempt, one for each */
    uint32_t founders_refusing;      /* in this attempt, by slot of the draft */
    uint32_t founders_missing;       /* why the last attempt came to nothing: these refused... */
    bool is_formation_refused;       /* ...or, false, they did not answer */

    struct raft_hard_state hard_state;
    struct raft_hard_state durable_hard_state; /* equal: the vote may be counted */
    uint64_t hard_state_ns;                    /* when the hard state last changed */
    enum raft_role role;
    struct raft_storage leader; /* id 0: unknown */
    struct trail trail;
    uint64_t commit_index;
    uint64_t durable_index;
    uint64_t verified_index; /* equal to the log of this term's leader up to here */

    uint32_t suspicion; /* of this start; 0: the tail is not suspect */

    struct prng prng;
    uint64_t now_ns;
    uint64_t heard_ns; /* the message under way arrived then at the earliest */
    uint64_t election_deadline_ns;
    uint64_t vote_write_ns;     /* that the last vote took to become durable; 0: none has yet */
    uint32_t votes_in_vain;     /* terms voted in since this node last heard a leader, or led */
    uint64_t leader_contact_ns; /* last valid append request, or quorum while leading; 0: none */
    uint64_t quorum_contact_ns; /* the leader's, as it told; or this one's, until it led no more */
    uint32_t votes_granted;     /* masks over the slots of the configuration */
    uint32_t votes_clean;
    uint32_t votes_refused;

    /* Leader only. */
    struct raft_peer peers[RAFT_MEMBERS_MAX]; /* by slot; self's is unused */
    uint64_t noop_index;                      /* its first entry of this term */
    uint64_t sized_index;                     /* sizes are known up to here in this step */
    uint64_t quorum_check_ns;
    uint64_t transfer_deadline_ns;
    struct raft_storage transfer_to; /* birth 0: none */

    uint64_t round; /* rises for ever, so that no round is used in two terms of one run */
    struct raft_read_round reads[RAFT_READ_ROUNDS_MAX]; /* ring */
    uint32_t read_head;
    uint32_t read_count;
    uint64_t read_last_id;
    uint64_t read_released_id;
    uint64_t read_released_index;

    /* One step only. */
    struct raft_effects *effects;
    struct raft_append_plan plan;
    struct raft_hard_state before_hard_state;
    enum raft_role before_role;
    uint16_t before_leader;
};

static inline bool raft_is_formed(const struct raft *raft)
{
    return raft->configuration.slot_count > 0;
}

/* Whether the slot is another node's member. This node's other storage, if it had one, is gone. */
static inline bool raft_is_peer(const struct raft *raft, uint32_t slot)
{
    const struct raft_storage *storage = &raft->peers[slot].storage;
    return storage->birth != 0 && storage->id != raft->options.self.id;
}

static inline bool raft_hard_state_is_dirty(const struct raft *raft)
{
    return raft->hard_state.term != raft->before_hard_state.term ||
           raft->hard_state.vote != raft->before_hard_state.vote;
}

/* False: this node's term or vote is still on its way to the medium. */
static inline bool raft_hard_state_is_durable(const struct raft *raft)
{
    return raft->hard_state.term == raft->durable_hard_state.term &&
           raft->hard_state.vote == raft->durable_hard_state.vote;
}

static inline bool raft_is_suspect(const struct raft *raft)
{
    return raft->suspicion != 0;
}

static inline uint64_t raft_last_term(const struct raft *raft)
{
    return trail_term_at(&raft->trail, raft->trail.last_index);
}

/* outbox.c: room for one message, its addresses and term filled. */
struct raft_message *raft_emit_now(struct raft *raft, enum raft_message_type type,
                                   struct raft_storage to);
struct raft_message *raft_emit_after(struct raft *raft, enum raft_message_type type,
                                     struct raft_storage to);
/* After when this step changed the hard state, else now. */
struct raft_message *raft_emit_reply(struct raft *raft, enum raft_message_type type,
                                     struct raft_storage to);

/* message.c: a message from outside. The check changes nothing but raft->plan. */
MUST_USE enum error raft_check_message(struct raft *raft, const struct raft_message *message,
                                       const struct raft_entry *entries);
void raft_handle_message(struct raft *raft, const struct raft_message *message,
                         const struct raft_entry *entries);

/* role.c: the transitions between roles. */
void raft_reset_election_timer(struct raft *raft);
void raft_become_follower(struct raft *raft, uint64_t term, struct raft_storage leader);
void raft_become_pre_candidate(struct raft *raft);
void raft_become_candidate(struct raft *raft);
void raft_become_leader(struct raft *raft);

/* membership.c: which configuration is in force. */
void raft_set_configuration(struct raft *raft, const struct raft_configuration *configuration,
                            uint64_t index);
void raft_append_configuration(struct raft *raft, const struct raft_configuration *configuration,
                               uint64_t index);
void raft_roll_back_configuration(struct raft *raft, uint64_t truncate_from);
MUST_USE enum error raft_check_reconfigure(const struct raft *raft,
                                           const struct raft_configuration *configuration);
void raft_handle_reconfigure(struct raft *raft, const struct raft_configuration *configuration);
void raft_check_membership(struct raft *raft);
bool raft_is_voter(const struct raft *raft);
bool raft_may_campaign(const struct raft *raft);

/* formation.c: how a cluster begins. */
MUST_USE enum error raft_formation_init(struct raft *raft);
void raft_formation_begin(struct raft *raft); /* forgets the births of the last try */
uint32_t raft_founder_slot(const struct raft *raft, uint16_t id);
void raft_form(struct raft *raft); /* all founders have voted: makes the first record */

/* election.c: timeouts and votes. */
void raft_start_election(struct raft *raft, bool is_transfer);
void raft_check_election_timeout(struct raft *raft);
MUST_USE enum error raft_check_vote_request(const struct raft_message *message);
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message);
MUST_USE enum error raft_check_vote_reply(const struct raft_message *message);
void raft_handle_vote_reply(struct raft *raft, const struct raft_message *message);
void raft_handle_vote_durable(struct raft *raft, struct raft_hard_state hard_state);

/* append.c: the follower's side. */
MUST_USE enum error raft_check_append_request(struct raft *raft, const struct raft_message *message,
                                              const struct raft_entry *entries);
void raft_handle_append_request(struct raft *raft, const struct raft_message *message,
                                const struct raft_entry *entries);

/* replication.c: the leader's side. */
void raft_reset_peers(struct raft *raft);
void raft_reset_peer(struct raft *raft, struct raft_peer *peer);
MUST_USE enum error raft_check_append_reply(const struct raft *raft,
                                            const struct raft_message *message);
void raft_handle_append_reply(struct raft *raft, const struct raft_message *message);
void raft_replicate(struct raft *raft); /* fills every pipeline that has room */
void raft_send_heartbeats(struct raft *raft,
                          uint64_t silence_ns); /* to whom we were silent so long */
void raft_check_losses(struct raft *raft);
void raft_replication_dropped(struct raft *raft); /* no peer is sent what is not there any more */
bool raft_peer_can_send(const struct raft *raft, const struct raft_peer *peer);

/* commit.c */
void raft_append_own(struct raft *raft, enum raft_entry_kind kind);
void raft_handle_durable(struct raft *raft, uint64_t durable_index);
void raft_advance_commit(struct raft *raft);
bool raft_has_own_commit(const struct raft *raft);

/* quorum.c: the highest value that a majority has reached; `values` by slot. */
uint64_t raft_quorum_value(const struct raft *raft, const uint64_t *values);
/* The storage has answered: when the message under way arrived, for while it waited here another
 * one may have come to lead. */
void raft_note_contact(struct raft *raft, uint32_t slot);
uint64_t raft_quorum_contact_ns(const struct raft *raft, uint64_t now_ns);
/* The latest time up to which a state that has all that is known to be committed is fresh: for a
 * leader its contact with a majority, once it has committed a record of its own; what was committed
 * before is known then. For others what the leader told. 0: never. */
uint64_t raft_fresh_contact_ns(const struct raft *raft);
bool raft_has_lost_quorum(const struct raft *raft, uint64_t now_ns);
void raft_check_quorum(struct raft *raft);

/* read.c */
void raft_handle_read(struct raft *raft, uint64_t read_id);
void raft_release_reads(struct raft *raft);
void raft_drop_reads(struct raft *raft);

/* snapshot.c */
MUST_USE enum error raft_check_installed(const struct raft_event *event);
void raft_handle_installed(struct raft *raft, const struct raft_event *event);

/* transfer.c */
MUST_USE enum error raft_check_transfer(const struct raft *raft, uint16_t to);
void raft_handle_transfer(struct raft *raft, uint16_t to);
void raft_continue_transfer(struct raft *raft, const struct raft_peer *peer);
void raft_check_transfer_timeout(struct raft *raft);
void raft_handle_timeout_now(struct raft *raft, const struct raft_message *message);

#endif
