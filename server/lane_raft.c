/*
 * Raft's effects, carried out in the order of the caller's duties in raft/raft.h: hard state,
 * truncation and records are written first (not yet durable), then the messages of `now` leave, and
 * those of `after` wait in the outbox for the persist that covers them.
 */
#include "server/lane_internal.h"

#include "base/check.h"

struct address *lane_peer_address(struct lane *lane, uint16_t voter)
{
    for (uint32_t i = 0; i < lane->options.raft.voter_count; i++) {
        if (lane->options.raft.voters[i] == voter)
            return &lane->options.peers[i];
    }
    return NULL;
}

static void add_entries(struct lane *lane, struct wire_writer *writer,
                        const struct raft_message *message)
{
    uint64_t index = message->append_request.previous_index + 1;
    for (uint32_t i = 0; i < message->append_request.entry_count; i++, index++) {
        struct log_record record;
        log_read(lane->log, index, &record);
        struct raft_entry entry = {
            .term = record.term,
            .payload = record.payload.data,
            .size_bytes = (uint32_t)record.payload.size_bytes,
            .kind = record.kind,
        };
        wire_raft_add_entry(writer, &entry);
    }
}

void lane_send_raft(struct lane *lane, const struct raft_message *message)
{
    struct address *to = lane_peer_address(lane, message->to);
    CHECK(to != NULL);
    struct wire_writer writer = {.data = lane->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_raft_encode(&writer, message, lane->fingerprint);
    if (message->type == RAFT_APPEND_REQUEST)
        add_entries(lane, &writer, message);
    CHECK(!writer.is_overflow);
    lane_send(lane, to, WIRE_RAFT, span_of(writer.data, writer.size_bytes));
    lane->counters.raft_tx++;
}

/* Two successes to one leader in one turn say no more than the later of them. */
static bool is_superseded(const struct lane_outgoing *old, const struct raft_message *message)
{
    return old->ticket == LANE_UNSTAMPED && old->message.type == RAFT_APPEND_REPLY &&
           message->type == RAFT_APPEND_REPLY && old->message.to == message->to &&
           old->message.term == message->term && old->message.append_reply.is_success &&
           message->append_reply.is_success &&
           old->message.append_reply.match_index <= message->append_reply.match_index &&
           old->message.append_reply.round <= message->append_reply.round;
}

static void push_outbox(struct lane *lane, const struct raft_message *message)
{
    if (lane->outbox_tail > lane->outbox_head) {
        struct lane_outgoing *last = &lane->outbox[(lane->outbox_tail - 1) % LANE_OUTBOX_MAX];
        if (is_superseded(last, message)) {
            last->message = *message;
            return;
        }
    }
    if (lane->outbox_tail - lane->outbox_head == LANE_OUTBOX_MAX) {
        lane->counters.drop_outbox_full++;
        return;
    }
    lane->outbox[lane->outbox_tail++ % LANE_OUTBOX_MAX] =
        (struct lane_outgoing){.message = *message, .ticket = LANE_UNSTAMPED};
}

void lane_stamp_outbox(struct lane *lane, uint64_t ticket)
{
    for (uint64_t i = lane->outbox_tail; i > lane->outbox_head; i--) {
        struct lane_outgoing *outgoing = &lane->outbox[(i - 1) % LANE_OUTBOX_MAX];
        if (outgoing->ticket != LANE_UNSTAMPED)
            return;
        outgoing->ticket = ticket;
    }
}

void lane_flush_outbox(struct lane *lane)
{
    while (lane->outbox_head < lane->outbox_tail) {
        const struct lane_outgoing *outgoing = &lane->outbox[lane->outbox_head % LANE_OUTBOX_MAX];
        if (outgoing->ticket > lane->ticket_done)
            return;
        lane_send_raft(lane, &outgoing->message);
        lane->outbox_head++;
    }
}

/* The i-th record to append: an entry of a leader's message, a proposal, or a leader's no-op. */
static struct log_record record_at(const struct lane *lane, const struct raft_event *event,
                                   struct span payload, uint32_t i)
{
    const struct raft_effects *effects = &lane->effects;
    struct log_record record = {.index = effects->append_first + i,
                                .term = effects->hard_state.term,
                                .commit_index = effects->commit_index};
    if (effects->append_is_noop) {
        record.kind = RAFT_ENTRY_NOOP;
    } else if (event->type == RAFT_EVENT_RECEIVE) {
        const struct raft_entry *entry = &event->receive.entries[effects->append_skip + i];
        record.term = entry->term;
        record.kind = entry->kind;
        record.payload = span_of(entry->payload, entry->size_bytes);
    } else {
        record.kind = RAFT_ENTRY_DATA;
        record.payload = payload;
    }
    return record;
}

static void write_effects(struct lane *lane, const struct raft_event *event, struct span payload)
{
    const struct raft_effects *effects = &lane->effects;
    if (effects->hard_state_changed) {
        log_write_hard_state(lane->log, effects->hard_state.term, effects->hard_state.vote);
        lane->is_persist_owed = true;
    }
    if (effects->truncate_from != 0) {
        log_truncate(lane->log, effects->truncate_from);
        if (lane->durable_index >= effects->truncate_from)
            lane->durable_index = effects->truncate_from - 1;
    }
    for (uint32_t i = 0; i < effects->append_count; i++) {
        struct log_record record = record_at(lane, event, payload, i);
        enum error error = log_append(lane->log, &record);
        if (error != OK) {
            /* Only a no-op can meet a full log: everything else was measured before the step. */
            CHECK(error == ERR_FULL && effects->append_is_noop);
            lane->is_log_exhausted = true;
            return;
        }
        lane_note_commit(lane, record.index, record.commit_index);
        lane->counters.records_appended++;
        lane->counters.bytes_appended += record.payload.size_bytes;
        lane->is_persist_owed = true;
    }
}

static void follow_role(struct lane *lane)
{
    bool was_leader = lane->status.role == RAFT_LEADER;
    uint64_t old_term = lane->status.term;
    uint16_t old_leader = lane->status.leader;
    lane_refresh_status(lane);
    bool is_leader = lane->status.role == RAFT_LEADER;
    if (was_leader && (!is_leader || lane->status.term != old_term))
        engine_leadership_lost(lane->engine);
    if (is_leader && (!was_leader || lane->status.term != old_term))
        lane->counters.elections_won++;
    if (lane->status.leader != 0 && lane->status.leader != old_leader)
        lane->counters.leader_changes++;
}

enum error lane_step(struct lane *lane, const struct raft_event *event, struct span payload)
{
    struct raft_effects *effects = &lane->effects;
    enum error error = raft_step(lane->raft, event, effects);
    if (error != OK)
        return error;
    write_effects(lane, event, payload);
    if (lane->is_log_exhausted)
        return ERR_FULL;
    for (uint32_t i = 0; i < effects->now_count; i++)
        lane_send_raft(lane, &effects->now[i]);
    for (uint32_t i = 0; i < effects->after_count; i++)
        push_outbox(lane, &effects->after[i]);
    lane->commit_index = effects->commit_index;
    if (effects->read_released_id != lane->read_released_id) {
        lane->read_released_id = effects->read_released_id;
        if (lane->read_released_id != 0)
            engine_reads_released(lane->engine, lane->read_released_id,
                                  effects->read_released_index);
    }
    if (effects->role_changed)
        follow_role(lane);
    return OK;
}
