/*
 * Packets in: checked, put together, handed to raft or the engine. Everything wrong is counted by
 * reason and dropped; nothing from a stranger takes memory that was not set aside at the start.
 */
#include "server/lane_internal.h"

static void count_packet_error(struct lane_counters *counters, enum error error)
{
    switch (error) {
    case ERR_MAGIC:
        counters->drop_magic++;
        return;
    case ERR_VERSION:
        counters->drop_version++;
        return;
    case ERR_CHECKSUM:
        counters->drop_checksum++;
        return;
    case ERR_CLUSTER:
        counters->drop_cluster++;
        return;
    default:
        counters->drop_malformed++;
        return;
    }
}

/* What peers send to one another must come from the address that the configuration gives its
 * sender. */
static bool is_peer(const struct lane *lane, const struct address *from, uint16_t sender)
{
    for (uint32_t i = 0; i < lane->options.raft.voter_count; i++) {
        if (lane->options.raft.voters[i] == sender)
            return sender != lane->options.raft.self &&
                   address_is_equal(&lane->options.peers[i], from);
    }
    return false;
}

/* A nearly full log takes the entries that fit; the leader will offer the rest again. */
static void fit_entries(struct lane *lane, struct raft_message *message)
{
    size_t room = log_room_bytes(lane->log);
    uint32_t count = 0;
    while (count < message->append_request.entry_count) {
        size_t need = log_record_room_bytes(lane->entries[count].size_bytes);
        if (need > room)
            break;
        room -= need;
        count++;
    }
    message->append_request.entry_count = count;
}

static void receive_raft(struct lane *lane, uint16_t sender, struct span body)
{
    struct raft_message message;
    uint32_t fingerprint;
    if (wire_raft_decode(body, &fingerprint, &message, lane->entries) != OK) {
        lane->counters.drop_malformed++;
        return;
    }
    if (fingerprint != lane->fingerprint) {
        lane->counters.drop_fingerprint++;
        return;
    }
    if (message.from != sender || message.to != lane->options.raft.self) {
        lane->counters.drop_sender++;
        return;
    }
    if (message.type == RAFT_APPEND_REQUEST)
        fit_entries(lane, &message);
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE,
                               .now_ns = lane->now_ns,
                               .receive = {.message = &message, .entries = lane->entries}};
    lane->counters.raft_rx++;
    if (lane_step(lane, &event, (struct span){0}) == ERR_RANGE)
        lane->counters.drop_raft_range++;
}

static void receive_client(struct lane *lane, const struct address *from, uint8_t type,
                           struct span body)
{
    switch (type) {
    case WIRE_HELLO:
    case WIRE_WRITE:
    case WIRE_READ:
        engine_receive(lane->engine, from, type, body);
        return;
    case WIRE_STATUS:
        lane_answer_status(lane, from);
        return;
    case WIRE_TRANSFER:
        lane_answer_transfer(lane, from, body);
        return;
    default:
        lane->counters.drop_type++;
        return;
    }
}

void lane_receive(struct lane *lane, const struct dp_datagram *datagram)
{
    struct wire_packet packet;
    enum error error = wire_packet_decode(span_of(datagram->data, datagram->size_bytes),
                                          lane->options.cluster_id, &packet);
    if (error != OK) {
        count_packet_error(&lane->counters, error);
        return;
    }
    if (packet.header.shard != lane->options.shard) {
        lane->counters.drop_shard++;
        return;
    }
    bool is_from_peer = packet.header.type == WIRE_RAFT || packet.header.type == WIRE_FORWARD;
    if (is_from_peer && !is_peer(lane, &datagram->from, packet.header.sender)) {
        lane->counters.drop_sender++;
        return;
    }
    struct span body;
    error = reassembly_add(is_from_peer ? lane->from_peers : lane->from_clients, &datagram->from,
                           &packet, lane->now_ns, &body);
    if (error != OK) {
        lane->counters.drop_piece++;
        return;
    }
    if (body.data == NULL)
        return;
    lane->counters.rx_messages++;
    if (packet.header.type == WIRE_RAFT)
        receive_raft(lane, packet.header.sender, body);
    else if (is_from_peer)
        engine_receive_forward(lane->engine, packet.header.sender, body);
    else
        receive_client(lane, &datagram->from, packet.header.type, body);
}
