/* One turn of a replica, phase by phase: what it writes is made durable once. */
#include "server/replica_internal.h"

/* Zeros written in one turn: more than one turn appends on average, so that wiping keeps up. */
#define RECYCLE_STEP_BYTES (64u * 1024)

static void propose_batch(struct replica *replica)
{
    struct span payload;
    if (!engine_batch(replica->engine, &payload))
        return;
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .now_ns = replica->shared->now_ns};
    enum error error = replica_step(replica, &event, payload);
    if (error == OK)
        engine_batch_proposed(replica->engine, replica->shared->effects.append_first,
                              replica->shared->effects.hard_state.term);
    else
        engine_batch_refused(replica->engine, error == ERR_NOT_LEADER ? WIRE_STATUS_NOT_LEADER
                                                                      : WIRE_STATUS_OVERLOADED);
}

static void ask_reads(struct replica *replica)
{
    uint64_t read_id = engine_reads_wanted(replica->engine);
    if (read_id == 0)
        return;
    struct raft_event event = {
        .type = RAFT_EVENT_READ, .now_ns = replica->shared->now_ns, .read_id = read_id};
    /* Not the leader any more: the engine learned that with the loss of leadership. */
    (void)!replica_step(replica, &event, (struct span){0});
}

static void tick(struct replica *replica)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK, .now_ns = replica->shared->now_ns};
    bool is_due = replica->shared->now_ns >= raft_deadline_ns(replica->raft);
    if (is_due && replica->status.role != RAFT_LEADER && !replica_can_lead(replica))
        raft_wait_anew(replica->raft, replica->shared->now_ns);
    else if (is_due)
        (void)!replica_step(replica, &event, (struct span){0});
    for (int i = 0; i < REPLICA_BACKLOG_STEPS_MAX && raft_has_backlog(replica->raft); i++)
        (void)!replica_step(replica, &event, (struct span){0});
}

/* One persist for the whole turn; the outbox waits for its ticket. */
void replica_persist(struct replica *replica)
{
    replica->has_persisted = replica->is_persist_owed ||
                             (replica->journal != NULL && journal_is_dirty(replica->journal));
    if (replica->journal != NULL)
        journal_persist(replica->journal);
    if (!replica->is_persist_owed) {
        replica_stamp_outbox(replica, replica->watch.ticket_asked); /* owed to an earlier persist */
        return;
    }
    if (!replica->shared->is_flushed)
        dp_port_tx_flush(replica->shared->port); /* peers write while this node does */
    replica->shared->is_flushed = true;
    uint64_t ticket = log_persist(replica->log);
    medium_watch_ask(&replica->watch, ticket, replica->shared->now_ns);
    replica->is_persist_owed = false;
    if (replica->hard_state_ticket == REPLICA_UNSTAMPED)
        replica->hard_state_ticket = ticket;
    peer_starts_stamp(&replica->starts, ticket);
    replica->counters.persists++;
    replica_stamp_outbox(replica, ticket);
}

/* Raft learns of records and of its vote. The vote may make this node the leader. */
static void tell_durable(struct replica *replica, uint64_t index)
{
    struct raft_event event = {
        .type = RAFT_EVENT_DURABLE, .now_ns = replica->shared->now_ns, .durable = {.index = index}};
    bool has_hard_state =
        replica->hard_state_ticket != 0 && replica->hard_state_ticket <= replica->watch.ticket_done;
    if (has_hard_state) {
        event.durable.hard_state = replica->hard_state;
        replica->hard_state_ticket = 0;
    }
    if (!has_hard_state && index <= replica->durable_index)
        return;
    if (index > replica->durable_index)
        replica->durable_index = index;
    (void)!replica_step(replica, &event, (struct span){0});
}

static enum error collect_durable(struct replica *replica)
{
    uint64_t ticket;
    uint64_t index;
    enum error error = log_persisted(replica->log, &ticket, &index);
    if (error != OK)
        return error;
    medium_watch_collect(&replica->watch, ticket, replica->shared->now_ns);
    peer_starts_durable(&replica->starts, ticket);
    tell_durable(replica, index);
    return OK;
}

/* A leader whose medium has stalled makes way for one whose has not. */
static void watch_medium(struct replica *replica)
{
    uint64_t now_ns = replica->shared->now_ns;
    if (replica->status.role != RAFT_LEADER ||
        !medium_watch_is_stalled(&replica->watch, now_ns, replica->options.medium_stall_ns))
        return;
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN, .now_ns = now_ns};
    (void)!replica_step(replica, &event, (struct span){0});
    replica->counters.medium_stalls++;
}

static bool apply_committed(struct replica *replica)
{
    if (replica_snapshot_is_loading(replica) || replica_lacks_capacity(replica))
        return false;
    uint64_t applied = engine_applied_index(replica->engine);
    uint64_t end = replica->commit_index;
    if (end - applied > REPLICA_APPLY_MAX)
        end = applied + REPLICA_APPLY_MAX;
    for (uint64_t index = applied + 1; index <= end; index++) {
        /* A snapshot that is short of room goes first. */
        if (engine_snapshot_must_wait(replica->engine) ||
            !replica_is_record_whole(replica, index) || !replica_apply(replica, index)) {
            end = index - 1;
            break;
        }
    }
    return end > applied;
}

/* On a quiet turn only: a place rewritten at every append would be slow on persistent memory. */
static void note_commit(struct replica *replica)
{
    if (replica->commit_index == replica->commit_hint || replica->is_persist_owed)
        return;
    log_write_commit_hint(replica->log, replica->commit_index);
    replica->commit_hint = replica->commit_index;
}

/* True when no turn will do anything before the deadline, unless a message comes. */
static bool is_quiet(const struct replica *replica)
{
    return !replica->resignation.is_resigning && !replica->is_persist_owed &&
           medium_watch_is_idle(&replica->watch) && log_is_quiet(replica->log) &&
           log_is_recycled(replica->log) && replica_snapshot_is_quiet(replica) &&
           replica->outbox_head == replica->outbox_tail &&
           replica->commit_hint == replica->commit_index &&
           (replica_lacks_capacity(replica) ||
            engine_applied_index(replica->engine) == replica->commit_index) &&
           engine_counters(replica->engine)->retire_backlog == 0 && replica->rot_index == 0 &&
           !raft_has_backlog(replica->raft) &&
           (replica->journal == NULL || journal_is_quiet(replica->journal));
}

void replica_begin_turn(struct replica *replica)
{
    replica->has_received = false;
    replica_refresh_status(replica);
    if (replica->rights_number != replica->shared->rights.number)
        replica_drop_revoked(replica);
    if (replica->journal != NULL)
        journal_make_room(replica->journal); /* asks the engine, between its turns */
    engine_begin_turn(replica->engine, &replica->view);
}

void replica_propose(struct replica *replica)
{
    replica_follow_format(replica);
    replica_shake_hands(replica);
    replica_tell_start(replica);
    propose_batch(replica);
    replica_forward_pending(replica);
    ask_reads(replica);
    tick(replica);
    replica_resign_step(replica);
    replica_prefer_leader(replica);
    replica_follow_wanted(replica);
    replica_seek(replica);
}

/* False: the node cannot go on. */
static bool files_are_good(struct replica *replica)
{
    bool is_good = collect_durable(replica) == OK && replica_follow_journal(replica) == OK &&
                   log_recycle(replica->log, RECYCLE_STEP_BYTES) == OK &&
                   replica_snapshot_turn(replica) == OK && !replica_is_hurt(replica);
    if (!is_good)
        replica_note_failure(replica);
    return is_good;
}

enum replica_result replica_end_turn(struct replica *replica)
{
    if (!files_are_good(replica))
        return REPLICA_SYNC_FAILED;
    watch_medium(replica);
    replica_leave_lead(replica);
    replica_flush_outbox(replica);
    replica_publish_membership(replica);
    bool has_applied = apply_committed(replica);
    if (replica_is_unreadable(replica))
        return REPLICA_SYNC_FAILED; /* what was applied last may be wrong: nobody hears of it */
    replica_publish_drain(replica);
    if (!replica->has_persisted && !replica->has_received)
        note_commit(replica);
    engine_end_turn(replica->engine);
    replica_scrub_turn(replica);
    if (replica->has_received || replica->has_persisted || has_applied)
        return REPLICA_WORKED;
    return is_quiet(replica) ? REPLICA_ASLEEP : REPLICA_IDLE;
}
