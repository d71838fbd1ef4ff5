/*
 * Packets in: checked, put together, handed to the replica of their shard. Everything wrong is
 * counted by reason and dropped; nothing from a stranger takes memory that was not set aside at the
 * start.
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
    case ERR_KEY:
        counters->drop_key++;
        return;
    default:
        counters->drop_malformed++;
        return;
    }
}

static struct replica *replica_of(const struct lane *lane, uint16_t shard)
{
    return shard < SHARDS_MAX ? lane->of_shard[shard] : NULL;
}

static void receive_packet(struct lane *lane, struct replica *replica, const struct address *from,
                           const struct wire_packet *packet)
{
    uint8_t type = packet->header.type;
    bool is_from_peer = type == WIRE_RAFT || type == WIRE_FORWARD;
    if (is_from_peer && !replica_is_peer(replica, from, packet->header.sender)) {
        lane->counters.drop_sender++;
        return;
    }
    struct replica_message message = {.from = *from, .type = type};
    message.sender = is_from_peer ? packet->header.sender : 0;
    enum error error = reassembly_add(is_from_peer ? lane->from_peers : lane->from_clients, from,
                                      packet, lane->shared.now_ns, &message.body);
    if (error != OK) {
        lane->counters.drop_piece++;
        return;
    }
    if (message.body.data == NULL)
        return;
    lane->counters.rx_messages++;
    if (type == WIRE_STATUS)
        lane_answer_status(lane, replica, from);
    else
        replica_receive(replica, &message);
}

void lane_receive(struct lane *lane, const struct dp_datagram *datagram)
{
    struct wire_packet packet;
    enum error error = wire_packet_decode(span_of(datagram->data, datagram->size_bytes),
                                          &lane->shared.keys, lane->cluster_id, &packet);
    if (error != OK) {
        count_packet_error(&lane->counters, error);
        return;
    }
    struct replica *replica = replica_of(lane, packet.header.shard);
    if (replica == NULL) {
        lane->counters.drop_shard++;
        return;
    }
    receive_packet(lane, replica, &datagram->from, &packet);
}
