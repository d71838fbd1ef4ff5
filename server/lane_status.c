/* What a lane tells about itself: the view for the engine, status and transfer for operators. */
#include "server/lane_internal.h"

#include "base/check.h"

#include <stdio.h>

static uint64_t contact_age_ns(const struct lane *lane)
{
    if (lane->status.quorum_contact_ns == 0)
        return UINT64_MAX;
    return lane->now_ns > lane->status.quorum_contact_ns
               ? lane->now_ns - lane->status.quorum_contact_ns
               : 0;
}

static size_t batch_room_bytes(const struct lane *lane)
{
    size_t room = log_room_bytes(lane->log);
    size_t kept = LANE_LOG_RESERVE_BYTES + log_record_room_bytes(0) + RECORD_ALIGN_BYTES;
    return room > kept ? room - kept : 0;
}

static void refresh_view(struct lane *lane)
{
    const struct raft_status *status = &lane->status;
    struct medium *medium = log_medium(lane->log);
    lane->view = (struct engine_view){
        .now_ns = lane->now_ns,
        .is_leader = status->role == RAFT_LEADER,
        .is_settled = status->is_settled,
        .has_fresh_quorum = raft_has_fresh_quorum(lane->raft, lane->now_ns),
        .is_transferring = status->is_transferring,
        .leader = status->leader,
        .term = status->term,
        .commit_index = lane->commit_index,
        .last_index = status->last_index,
        .contact_age_ns = contact_age_ns(lane),
        .log_room_bytes = batch_room_bytes(lane),
        .is_suspect = status->is_tail_suspect,
        .granularity = (uint8_t)medium_granularity(medium),
        .is_emulated = medium_is_emulated(medium),
        .role = (uint8_t)status->role,
    };
}

void lane_refresh_status(struct lane *lane)
{
    bool was_suspect = lane->status.is_tail_suspect;
    raft_status(lane->raft, &lane->status);
    /* What a quorum has settled need not be asked again after the next start. */
    if (was_suspect && !lane->status.is_tail_suspect)
        log_settle(lane->log);
    refresh_view(lane);
}

static void add_counter(struct wire_writer *writer, const char *name, uint64_t value)
{
    struct wire_counter counter = {.name = name, .value = value};
    wire_counter_add(writer, &counter);
}

static void add_lane_counters(struct wire_writer *writer, const struct lane *lane)
{
    const struct lane_counters *counters = &lane->counters;
    add_counter(writer, "lane_turns", counters->turns);
    add_counter(writer, "lane_turns_worked", counters->turns_worked);
    add_counter(writer, "lane_rx_messages", counters->rx_messages);
    add_counter(writer, "raft_rx", counters->raft_rx);
    add_counter(writer, "raft_tx", counters->raft_tx);
    add_counter(writer, "log_records_appended", counters->records_appended);
    add_counter(writer, "log_bytes_appended", counters->bytes_appended);
    add_counter(writer, "log_persists", counters->persists);
    add_counter(writer, "log_room_bytes", log_room_bytes(lane->log));
    add_counter(writer, "journal_appended", counters->journal_appended);
    if (lane->journal != NULL)
        add_counter(writer, "journal_room_bytes", journal_room_bytes(lane->journal));
    add_counter(writer, "elections_won", counters->elections_won);
    add_counter(writer, "leader_changes", counters->leader_changes);
    add_counter(writer, "reassembly_evictions",
                reassembly_evictions(lane->from_peers) + reassembly_evictions(lane->from_clients));
#define X(name) add_counter(writer, "drop_" #name, counters->drop_##name);
    LANE_DROP_LIST(X)
#undef X
}

static void add_port_counters(struct wire_writer *writer, const struct dp_counters *counters)
{
    add_counter(writer, "port_rx_packets", counters->rx_packets);
    add_counter(writer, "port_rx_bytes", counters->rx_bytes);
    add_counter(writer, "port_tx_packets", counters->tx_packets);
    add_counter(writer, "port_tx_bytes", counters->tx_bytes);
    add_counter(writer, "port_arp_answers", counters->arp_answers);
    add_counter(writer, "port_neighbour_answers", counters->neighbour_answers);
    add_counter(writer, "port_echo_answers", counters->echo_answers);
    for (int drop = 0; drop < DP_DROP_COUNT; drop++) {
        char name[64];
        snprintf(name, sizeof(name), "port_drop_%s", dp_drop_name((enum dp_drop)drop));
        add_counter(writer, name, counters->drops[drop]);
    }
}

static void add_engine_counters(struct wire_writer *writer, const struct engine_counters *counters)
{
#define X(name) add_counter(writer, "engine_" #name, counters->name);
    ENGINE_COUNTER_LIST(X)
#undef X
}

void lane_answer_status(struct lane *lane, const struct address *to)
{
    struct wire_writer writer = {.data = lane->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    struct wire_hello_reply reply;
    engine_hello(lane->engine, 0, &reply);
    wire_hello_reply_encode(&writer, &reply);
    add_lane_counters(&writer, lane);
    add_port_counters(&writer, dp_port_counters(lane->port));
    add_engine_counters(&writer, engine_counters(lane->engine));
    CHECK(!writer.is_overflow);
    lane_send(lane, to, WIRE_STATUS_REPLY, span_of(writer.data, writer.size_bytes));
}

static enum wire_status transfer_status(enum error error)
{
    switch (error) {
    case OK:
        return WIRE_STATUS_OK;
    case ERR_NOT_LEADER:
        return WIRE_STATUS_NOT_LEADER;
    case ERR_BUSY:
        return WIRE_STATUS_OVERLOADED;
    default:
        return WIRE_STATUS_BAD_REQUEST;
    }
}

void lane_answer_transfer(struct lane *lane, const struct address *to, struct span body)
{
    uint64_t number;
    uint16_t target;
    if (wire_transfer_decode(body, &number, &target) != OK) {
        lane->counters.drop_malformed++;
        return;
    }
    struct raft_event event = {
        .type = RAFT_EVENT_TRANSFER, .now_ns = lane->now_ns, .transfer_to = target};
    enum error error = lane_step(lane, &event, (struct span){0});
    struct wire_reply reply = {
        .number = number,
        .incarnation = lane->options.engine.incarnation,
        .node = lane->options.raft.self,
        .leader = lane->view.leader,
        .status = (uint8_t)transfer_status(error),
        .term = lane->view.term,
        .applied_index = engine_applied_index(lane->engine),
        .contact_age_us = wire_age_us(lane->view.contact_age_ns),
        .journal_done_seq = engine_pending_done(lane->engine),
    };
    struct wire_writer writer = {.data = lane->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_reply_begin(&writer, &reply);
    lane_send(lane, to, WIRE_TRANSFER_REPLY, span_of(writer.data, writer.size_bytes));
}
