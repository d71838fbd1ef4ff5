/* One turn of the polling loop: data flows one way round, and everything is made durable once. */
#include "server/lane_internal.h"

static void propose_batch(struct lane *lane)
{
    struct span payload;
    if (!engine_batch(lane->engine, &payload))
        return;
    if (log_record_room_bytes(payload.size_bytes) > log_room_bytes(lane->log)) {
        engine_batch_refused(lane->engine, WIRE_STATUS_LOG_FULL);
        return;
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .now_ns = lane->now_ns};
    enum error error = lane_step(lane, &event, payload);
    if (error == OK)
        engine_batch_proposed(lane->engine, lane->effects.append_first,
                              lane->effects.hard_state.term);
    else
        engine_batch_refused(lane->engine, error == ERR_NOT_LEADER ? WIRE_STATUS_NOT_LEADER
                                                                   : WIRE_STATUS_OVERLOADED);
}

static void ask_reads(struct lane *lane)
{
    uint64_t read_id = engine_reads_wanted(lane->engine);
    if (read_id == 0)
        return;
    struct raft_event event = {.type = RAFT_EVENT_READ, .now_ns = lane->now_ns, .read_id = read_id};
    /* Not the leader any more: the engine learned that with the loss of leadership. */
    (void)!lane_step(lane, &event, (struct span){0});
}

static void tick(struct lane *lane)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK, .now_ns = lane->now_ns};
    if (lane->now_ns >= raft_deadline_ns(lane->raft))
        (void)!lane_step(lane, &event, (struct span){0});
    for (int i = 0; i < LANE_BACKLOG_STEPS_MAX && raft_has_backlog(lane->raft); i++)
        (void)!lane_step(lane, &event, (struct span){0});
}

/* One persist for the whole turn; the outbox waits for its ticket. */
static void persist(struct lane *lane)
{
    if (lane->journal != NULL)
        journal_persist(lane->journal);
    if (!lane->is_persist_owed) {
        lane_stamp_outbox(lane, lane->ticket_asked); /* owed to an earlier persist at most */
        return;
    }
    dp_port_tx_flush(lane->port); /* peers write while this node does */
    lane->ticket_asked = log_persist(lane->log);
    lane->is_persist_owed = false;
    lane->counters.persists++;
    if (lane->pending_since_ns == 0)
        lane->pending_since_ns = lane->now_ns;
    lane_stamp_outbox(lane, lane->ticket_asked);
}

static enum error collect_durable(struct lane *lane)
{
    uint64_t ticket;
    uint64_t index;
    enum error error = log_persisted(lane->log, &ticket, &index);
    if (error != OK)
        return error;
    if (ticket != lane->ticket_done)
        lane->pending_since_ns = lane->now_ns;
    lane->ticket_done = ticket;
    if (ticket == lane->ticket_asked)
        lane->pending_since_ns = 0;
    if (index > lane->durable_index) {
        lane->durable_index = index;
        struct raft_event event = {
            .type = RAFT_EVENT_DURABLE, .now_ns = lane->now_ns, .durable_index = index};
        (void)!lane_step(lane, &event, (struct span){0});
    }
    return OK;
}

/* A leader whose medium has stalled makes way for one whose has not. */
static void watch_medium(struct lane *lane)
{
    if (lane->pending_since_ns == 0 || lane->status.role != RAFT_LEADER ||
        lane->now_ns - lane->pending_since_ns < lane->options.medium_stall_ns)
        return;
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN, .now_ns = lane->now_ns};
    (void)!lane_step(lane, &event, (struct span){0});
    lane->counters.medium_stalls++;
}

static bool apply_committed(struct lane *lane)
{
    uint64_t applied = engine_applied_index(lane->engine);
    uint64_t end = lane->commit_index;
    if (end - applied > LANE_APPLY_MAX)
        end = applied + LANE_APPLY_MAX;
    for (uint64_t index = applied + 1; index <= end; index++) {
        struct log_record record;
        log_read(lane->log, index, &record);
        engine_apply(lane->engine, index, record.term, record.kind, record.payload);
    }
    return end > applied;
}

/* On a quiet turn only: a place rewritten at every append would be slow on persistent memory. */
static void note_commit(struct lane *lane)
{
    if (lane->commit_index == lane->commit_hint || lane->is_persist_owed)
        return;
    log_write_commit_hint(lane->log, lane->commit_index);
    lane->commit_hint = lane->commit_index;
}

enum lane_result lane_turn(struct lane *lane, uint64_t now_ns)
{
    struct dp_datagram datagrams[RX_BURST_MAX];
    lane->now_ns = now_ns;
    lane_refresh_status(lane);
    engine_begin_turn(lane->engine, &lane->view);
    uint32_t count = dp_port_rx(lane->port, now_ns, datagrams, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++)
        lane_receive(lane, &datagrams[i]);
    propose_batch(lane);
    lane_forward_pending(lane);
    ask_reads(lane);
    tick(lane);
    bool has_persisted =
        lane->is_persist_owed || (lane->journal != NULL && journal_is_dirty(lane->journal));
    persist(lane);
    if (collect_durable(lane) != OK || lane_follow_journal(lane) != OK)
        return LANE_SYNC_FAILED;
    watch_medium(lane);
    lane_flush_outbox(lane);
    bool has_applied = apply_committed(lane);
    if (!has_persisted && count == 0)
        note_commit(lane);
    engine_end_turn(lane->engine);
    dp_port_tick(lane->port, now_ns);
    dp_port_tx_flush(lane->port);
    if (lane->is_log_exhausted)
        return LANE_LOG_EXHAUSTED;
    lane->counters.turns++;
    if (count == 0 && !has_persisted && !has_applied)
        return LANE_IDLE;
    lane->counters.turns_worked++;
    return LANE_WORKED;
}
