/*
 * Raft's effects, carried out in the order of the caller's duties in raft/raft.h: hard state,
 * truncation and records are written first (not yet durable), then the messages of `now` leave, and
 * those of `after` wait in the outbox for the persist that covers them.
 */
#include "server/replica_internal.h"

#include "base/check.h"

/* The i-th record to append: an entry of a leader's message, a proposal, or one of raft's own. */
static struct log_record record_at(const struct replica *replica, const struct raft_event *event,
                                   struct span payload, uint32_t i)
{
    const struct raft_effects *effects = &replica->shared->effects;
    struct log_record record = {.index = effects->append_first + i,
                                .term = effects->hard_state.term,
                                .commit_index = effects->commit_index};
    if (effects->append_own != 0) {
        record.kind = (uint8_t)effects->append_own;
        record.payload = span_of(effects->append_payload, effects->append_size_bytes);
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

static void write_effects(struct replica *replica, const struct raft_event *event,
                          struct span payload)
{
    const struct raft_effects *effects = &replica->shared->effects;
    if (effects->hard_state_changed) {
        log_write_hard_state(replica->log, effects->hard_state.term, effects->hard_state.vote);
        replica->hard_state = effects->hard_state;
        replica->hard_state_ticket = REPLICA_UNSTAMPED;
        replica->is_persist_owed = true;
    }
    if (effects->is_log_reset) {
        CHECK(log_reset(replica->log, effects->commit_index) == OK); /* log_can_reset was asked */
        replica->durable_index = effects->commit_index;
        replica->commit_hint = effects->commit_index;
        vouch_begin(&replica->vouch, effects->commit_index);
        replica->is_persist_owed = true;
    }
    if (effects->truncate_from != 0) {
        log_truncate(replica->log, effects->truncate_from);
        if (replica->durable_index >= effects->truncate_from)
            replica->durable_index = effects->truncate_from - 1;
    }
    for (uint32_t i = 0; i < effects->append_count; i++) {
        struct log_record record = record_at(replica, event, payload, i);
        /* Measured before the step; a no-op has the end of each segment for itself. */
        CHECK(log_append(replica->log, &record) == OK);
        vouch_note_record(&replica->vouch, record.index, record.commit_index);
        replica->counters.records_appended++;
        replica->counters.bytes_appended += record.payload.size_bytes;
        replica_snapshot_note_append(replica, log_record_room_bytes(record.payload.size_bytes));
        replica->is_persist_owed = true;
    }
}

static void follow_role(struct replica *replica)
{
    bool was_leader = replica->status.role == RAFT_LEADER;
    uint64_t old_term = replica->status.term;
    uint16_t old_leader = replica->status.leader;
    replica_refresh_status(replica);
    leadership_note_leader(&replica->leadership, &replica->status, replica->shared->now_ns);
    bool is_leader = replica->status.role == RAFT_LEADER;
    if (was_leader && (!is_leader || replica->status.term != old_term))
        engine_leadership_lost(replica->engine);
    if (is_leader && (!was_leader || replica->status.term != old_term)) {
        replica->counters.elections_won++;
        replica->led_since_ns = replica->shared->now_ns;
    }
    if (replica->status.leader != 0 && replica->status.leader != old_leader)
        replica->counters.leader_changes++;
}

enum error replica_step(struct replica *replica, const struct raft_event *event,
                        struct span payload)
{
    struct raft_effects *effects = &replica->shared->effects;
    enum error error = raft_step(replica->raft, event, effects);
    if (error != OK)
        return error;
    write_effects(replica, event, payload);
    replica_follow_configuration(replica);
    for (uint32_t i = 0; i < effects->now_count; i++) {
        struct record_room room = {0};
        if (effects->now[i].type == RAFT_APPEND_REPLY)
            room = replica_own_room(replica);
        replica_send_raft(replica, &effects->now[i], &room);
    }
    for (uint32_t i = 0; i < effects->after_count; i++)
        replica_push_outbox(replica, &effects->after[i]);
    if (effects->behind_begin != 0)
        replica_snapshot_offer(replica, effects->behind_begin);
    replica->commit_index = effects->commit_index;
    if (effects->read_released_id != replica->read_released_id) {
        replica->read_released_id = effects->read_released_id;
        if (replica->read_released_id != 0)
            engine_reads_released(replica->engine, replica->read_released_id,
                                  effects->read_released_index);
    }
    if (effects->role_changed)
        follow_role(replica);
    return OK;
}
