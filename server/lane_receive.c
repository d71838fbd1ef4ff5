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

static void receive_packet(struct lane *lane, uint32_t place, const struct address *from,
                           const struct wire_packet *packet)
{
    struct replica *replica = lane->replicas[place];
    uint8_t type = packet->header.type;
    bool is_from_peer =
        wire_type_is_between_nodes(type) || (type == WIRE_MISSING && packet->header.sender != 0);
    /* A presence says at which address its sender is. */
    if (is_from_peer && type != WIRE_PRESENCE &&
        !replica_is_peer(replica, from, packet->header.sender)) {
        lane->counters.drop_sender++;
        replica_note_address(replica, from, packet->header.sender);
        return;
    }
    struct replica_message message = {.from = *from,
                                      .type = type,
                                      .version = packet->header.version,
                                      .known = packet->header.known};
    message.sender = is_from_peer ? packet->header.sender : 0;
    struct reassembly *reassembly = is_from_peer ? lane->from_peers : lane->from_clients;
    enum error error = reassembly_add(reassembly, from, packet, lane->shared.now_ns, &message.body);
    if (error != OK) {
        lane->counters.drop_piece++;
        return;
    }
    if (message.body.data == NULL)
        return;
    message.begun_ns = reassembly_begun_ns(reassembly);
    lane->counters.rx_messages++;
    lane_wake(lane, place);
    if (type == WIRE_STATUS)
        lane_answer_status(lane, replica, from);
    else
        replica_receive(replica, &message);
}

/* A peer whose packets cannot be read is told of; strangers are only counted. */
static void note_packet_error(struct lane *lane, const struct dp_datagram *datagram,
                              enum error error)
{
    uint16_t shard;
    struct span packet = span_of(datagram->data, datagram->size_bytes);
    if ((error != ERR_VERSION && error != ERR_CLUSTER) || !wire_packet_shard(packet, &shard) ||
        shard >= SHARDS_MAX || lane->place_of[shard] == LANE_NOWHERE)
        return;
    uint16_t peer = replica_peer_at(lane->replicas[lane->place_of[shard]], &datagram->from);
    if (peer == 0)
        return;
    struct obstacle obstacle = {.node = peer};
    if (error == ERR_VERSION) {
        obstacle.kind = OBSTACLE_VERSION;
        obstacle.here = format_versions(lane->format_max)->packet;
        obstacle.there = wire_packet_version(packet);
    } else {
        obstacle.kind = OBSTACLE_CLUSTER_NAME;
        obstacle.here = lane->cluster_id;
        obstacle.there = wire_packet_cluster(packet);
    }
    obstacles_note(&lane->shared.obstacles, &obstacle, lane->shared.now_ns);
}

/*
 * Gives the datagram to the lane where its shard lives, but for a relaxed read, which is answered
 * here; false: that is this lane, or none. The other lane checks the packet, and whatever is wrong
 * is counted there.
 */
static bool hand_over(struct lane *lane, const struct dp_datagram *datagram)
{
    uint16_t shard;
    if (lane->lane_count == 1 ||
        !wire_packet_shard(span_of(datagram->data, datagram->size_bytes), &shard) ||
        shard >= lane->shard_count || shard % lane->lane_count == lane->lane)
        return false;
    if (lane_answer_read(lane, datagram, shard))
        return true;
    /* Full: the port has counted it, and the sender sends again. */
    (void)!dp_port_hand_over(lane->shared.port, datagram, shard % lane->lane_count);
    return true;
}

/* A node that shall know fewer formats than its program does reads what such a program reads. */
static enum error decode(const struct lane *lane, const struct dp_datagram *datagram,
                         struct wire_packet *ret_packet)
{
    struct wire_packet packet;
    enum error error = wire_packet_decode(span_of(datagram->data, datagram->size_bytes),
                                          &lane->shared.keys, lane->cluster_id, &packet);
    if (error != OK)
        return error;
    if (packet.header.version > format_versions(lane->format_max)->packet)
        return ERR_VERSION;
    if (packet.header.type == WIRE_FORMAT && lane->format_max == 0)
        return ERR_TYPE;
    *ret_packet = packet;
    return OK;
}

void lane_receive(struct lane *lane, const struct dp_datagram *datagram)
{
    if (hand_over(lane, datagram))
        return;
    struct wire_packet packet;
    enum error error = decode(lane, datagram, &packet);
    if (error != OK) {
        count_packet_error(&lane->counters, error);
        note_packet_error(lane, datagram, error);
        return;
    }
    uint16_t shard = packet.header.shard;
    if (shard >= SHARDS_MAX || lane->place_of[shard] == LANE_NOWHERE) {
        lane->counters.drop_shard++;
        return;
    }
    receive_packet(lane, lane->place_of[shard], &datagram->from, &packet);
}
