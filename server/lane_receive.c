/*
 * Packets in: checked, put together, handed to the replica of their shard. Everything wrong is
 * counted by reason and dropped; nothing from a stranger takes memory that was not set aside at the
 * start.
 */
#include "server/lane_internal.h"

#include "wire/wire_hello.h"

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
    case ERR_NOT_FOUND:
        counters->drop_association++;
        return;
    case ERR_FORGED:
        counters->drop_forged++;
        return;
    case ERR_REPLAYED:
        counters->drop_replayed++;
        return;
    default:
        counters->drop_malformed++;
        return;
    }
}

/* Whose packets are not sealed. */
static const struct rights_asker anyone = {
    .name = {(const uint8_t *)RIGHTS_ANYONE, sizeof(RIGHTS_ANYONE) - 1}, .is_keyless = true};

/* A packet that was passed on, and the one in it, which holds none: wire_relay_may_carry. */
#define RELAY_DEPTH_MAX 2

/* Whether what a peer says counts: by its address, and by its seal. */
static bool is_peer_believed(struct lane *lane, const struct arrival *arrival)
{
    struct replica *replica = lane->replicas[arrival->place];
    const struct wire_message_header *header = &arrival->packet.header;
    struct peer_seals *seals = lane->shared.seals[header->shard];
    /* A presence says at which address its sender is; who has no number is a client, with a key or
     * without. */
    bool is_placed = header->type == WIRE_PRESENCE
                         ? header->sender != 0
                         : replica_is_peer(replica, &arrival->from, header->sender);
    if (!is_placed) {
        lane->counters.drop_sender++;
        replica_note_address(replica, &arrival->from, header->sender);
        return false;
    }
    if (seals == NULL || arrival->is_sealed)
        return true;
    peer_seals_note_plain(seals, header->sender, lane->shared.now_ns);
    if (peer_seals_mode(seals) != SECURITY_REQUIRED)
        return true;
    lane->counters.drop_unsealed++;
    return false;
}

/* Whether what somebody says who is no peer counts. */
static bool is_client_believed(struct lane *lane, struct arrival *arrival)
{
    struct client_seals *seals = lane->shared.client_seals[arrival->packet.header.shard];
    bool may_be_plain = seals == NULL || client_seals_mode(seals) != SECURITY_REQUIRED;
    if (!arrival->is_sealed && !may_be_plain) {
        lane->counters.drop_unsealed++;
        return false;
    }
    if (!lane_prove(lane, &arrival->packet, arrival->is_sealed, &arrival->from))
        return false;
    arrival->from.packet_bytes = arrival->packet.header.answer_size_bytes;
    if (seals == NULL || arrival->is_sealed ||
        client_seals_note_plain(seals, &arrival->from, lane->shared.now_ns))
        return true;
    lane_refuse_unproven(lane, &arrival->packet, &arrival->from);
    return false;
}

/* What a client is told that needs no right. */
static bool is_open_to_all(uint8_t type)
{
    return type == WIRE_HELLO || type == WIRE_STATUS || type == WIRE_MEMBERS ||
           type == WIRE_MISSING || type == WIRE_PATH;
}

/* What whoever sent the message may do. False: that is not known yet. */
static bool find_rights(struct lane *lane, const struct arrival *arrival,
                        struct replica_message *message)
{
    static const struct rights nothing;
    struct client_seals *seals = lane->shared.client_seals[arrival->packet.header.shard];
    if (seals == NULL)
        message->rights = &lane->everything;
    else if (arrival->is_sealed)
        message->rights = client_seals_rights(
            seals,
            &(struct client_message){.from = &arrival->from,
                                     .begun_ns = message->begun_ns,
                                     .is_one_piece = arrival->packet.piece_count == 1},
            &lane->shared.rights);
    else if (lane_rights_of(&lane->shared.rights, &anyone, &lane->of_anyone))
        message->rights = &lane->of_anyone;
    if (message->rights == NULL && is_open_to_all(message->type))
        message->rights = &nothing;
    lane->counters.drop_rights += message->rights == NULL;
    return message->rights != NULL;
}

static void receive_piece(struct lane *lane, const struct arrival *arrival, bool is_from_peer)
{
    struct replica *replica = lane->replicas[arrival->place];
    const struct wire_packet *packet = &arrival->packet;
    uint8_t type = packet->header.type;
    struct replica_message message = {.from = arrival->from,
                                      .type = type,
                                      .version = packet->header.version,
                                      .known = packet->header.known};
    message.sender = is_from_peer ? packet->header.sender : 0;
    struct reassembly *reassembly = is_from_peer ? lane->from_peers : lane->from_clients;
    enum error error =
        reassembly_add(reassembly, &arrival->from, packet, lane->shared.now_ns, &message.body);
    if (error != OK) {
        lane->counters.drop_piece++;
        return;
    }
    if (message.body.data == NULL)
        return;
    message.begun_ns = reassembly_begun_ns(reassembly);
    lane->counters.rx_messages++;
    lane_wake(lane, arrival->place);
    if (!is_from_peer && !find_rights(lane, arrival, &message))
        return;
    if (lane->shared.rates != NULL && !is_from_peer && !lane_admit(lane, packet, &message))
        return;
    if (type == WIRE_PATH || type == WIRE_PATH_REPLY)
        lane_path_receive(lane, arrival, message.sender);
    else if (type == WIRE_STATUS)
        lane_answer_status(lane, replica, &message);
    else
        replica_receive(replica, &message);
}

/* A handshake comes in one piece, from any address, and is believed by what is in it. */
static void receive_handshake(struct lane *lane, const struct arrival *arrival)
{
    const struct wire_packet *packet = &arrival->packet;
    struct replica *replica = lane->replicas[arrival->place];
    const struct replica_message message = {.from = arrival->from,
                                            .sender = packet->header.sender,
                                            .type = packet->header.type,
                                            .body = packet->payload};
    if (packet->piece_count != 1 || !replica_receive_handshake(replica, &message))
        lane->counters.drop_handshake++;
    else
        lane_wake(lane, arrival->place);
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
    if (lane->foreign_reads < RX_BURST_MAX && lane_answer_read(lane, datagram, shard)) {
        lane->foreign_reads++;
        return true;
    }
    /* Full: the port has counted it, and the sender sends again. */
    (void)!dp_port_hand_over(lane->shared.port, datagram, shard % lane->lane_count);
    return true;
}

static enum error open_client(struct lane *lane, const struct dp_datagram *datagram,
                              const struct wire_seal *seal)
{
    struct client_seals *seals = lane->shared.client_seals[seal->shard];
    const struct client_packet packet = {datagram->data, datagram->size_bytes};
    if (seals == NULL)
        return ERR_KEY;
    return client_seals_open(seals, &datagram->from, packet, lane->shared.now_ns);
}

/* Opens a sealed packet where it lies. Whoever seals with what this node does not have (any more)
 * is asked for another handshake. */
static enum error open_sealed(struct lane *lane, const struct dp_datagram *datagram)
{
    struct wire_seal seal;
    uint64_t now_ns = lane->shared.now_ns;
    if (!wire_seal_read(span_of(datagram->data, datagram->size_bytes), &seal))
        return ERR_SHORT;
    if (seal.shard >= SHARDS_MAX)
        return ERR_KEY;
    if (seal.sender == 0)
        return open_client(lane, datagram, &seal);
    struct peer_seals *seals = lane->shared.seals[seal.shard];
    if (seals == NULL)
        return ERR_KEY;
    enum error error = peer_seals_open(seals, datagram->data, datagram->size_bytes, now_ns);
    if (error != ERR_NOT_FOUND)
        return error;
    uint32_t place = lane->place_of[seal.shard];
    if (replica_is_peer(lane->replicas[place], &datagram->from, seal.sender)) {
        peer_seals_doubt(seals, seal.sender, now_ns);
        lane_wake(lane, place);
    }
    return error;
}

/* Whether the release before this one would have read it. */
static bool is_of_before(const struct wire_packet *packet)
{
    const struct wire_message_header *header = &packet->header;
    bool is_padded =
        header->type == WIRE_HELLO && packet->payload.size_bytes == WIRE_HELLO_REPLY_SIZE_BYTES;
    return header->type < WIRE_FORMAT && header->cookie == NULL && !is_padded &&
           header->answer_size_bytes == 0 &&
           packet->payload.size_bytes <= PACKET_PAYLOAD_SIZE_BYTES_USUAL;
}

/* A node that shall know fewer formats than its program does reads what such a program reads. */
static enum error decode(struct lane *lane, const struct dp_datagram *datagram,
                         struct arrival *arrival)
{
    struct wire_packet *packet = &arrival->packet;
    struct span bytes = span_of(datagram->data, datagram->size_bytes);
    struct wire_keys keys = {.is_sealed = wire_is_sealed(bytes)};
    enum error error = keys.is_sealed ? open_sealed(lane, datagram) : OK;
    if (error == OK)
        error = wire_packet_decode(bytes, &keys, lane->cluster_id, packet);
    if (error != OK)
        return error;
    packet->waited_ns = datagram->waited_ns;
    if (packet->waited_ns > lane->shared.now_ns)
        packet->waited_ns = lane->shared.now_ns;
    if (packet->header.version > format_versions(lane->format_max)->packet)
        return ERR_VERSION;
    if (lane->format_max == 0 && !is_of_before(packet))
        return ERR_TYPE;
    arrival->is_sealed = keys.is_sealed;
    return OK;
}

bool lane_goes_first(const struct lane *lane, const struct dp_datagram *datagram)
{
    uint16_t shard;
    uint16_t sender;
    struct span packet = span_of(datagram->data, datagram->size_bytes);
    if (!wire_packet_shard(packet, &shard) || shard >= lane->shard_count)
        return false;
    if (lane->place_of[shard] == LANE_NOWHERE)
        return true;
    sender = wire_packet_sender(packet);
    if (sender == 0 || sender > VOTER_ID_MAX)
        return false;
    /* What is relayed waits as the packets of clients do that come themselves. */
    return !wire_type_is_relay(wire_packet_type(packet)) &&
           replica_is_peer(lane->replicas[lane->place_of[shard]], &datagram->from, sender);
}

/* What clients and nodes say alike. */
static bool is_of_either(uint8_t type)
{
    return type == WIRE_MISSING || type == WIRE_PATH || type == WIRE_PATH_REPLY;
}

/* A packet around another one comes in two where the path takes no larger ones. False: the other
 * one has not come. */
static bool carrier_complete(struct lane *lane, const struct arrival *arrival, bool is_from_peer,
                             struct wire_packet *ret_carrier)
{
    struct reassembly *reassembly = is_from_peer ? lane->from_peers : lane->from_clients;
    struct span body;
    *ret_carrier = arrival->packet;
    if (reassembly_add(reassembly, &arrival->from, &arrival->packet, lane->shared.now_ns, &body) !=
        OK) {
        lane->counters.drop_piece++;
        return false;
    }
    ret_carrier->payload = body;
    return body.data != NULL;
}

/* Gives a packet to whom it is for. True: it holds another one, of a client, which another node has
 * passed on (lane_relay.c). */
static bool receive_packet(struct lane *lane, struct arrival *arrival,
                           struct dp_datagram *ret_inner)
{
    const struct wire_message_header *header = &arrival->packet.header;
    uint8_t type = header->type;
    bool is_from_peer =
        wire_type_is_between_nodes(type) || (header->sender != 0 && is_of_either(type));
    if (type == WIRE_HANDSHAKE || type == WIRE_HANDSHAKE_REPLY) {
        receive_handshake(lane, arrival);
        return false;
    }
    if (!(is_from_peer ? is_peer_believed(lane, arrival) : is_client_believed(lane, arrival)))
        return false;
    if (wire_type_is_relay(type)) {
        struct wire_packet carrier;
        return carrier_complete(lane, arrival, is_from_peer, &carrier) &&
               lane_relay(lane, &arrival->from, &carrier, ret_inner);
    }
    receive_piece(lane, arrival, is_from_peer);
    return false;
}

static bool receive_datagram(struct lane *lane, const struct dp_datagram *datagram,
                             struct dp_datagram *ret_inner)
{
    struct arrival arrival = {.from = datagram->from};
    enum error error = decode(lane, datagram, &arrival);
    if (error != OK) {
        count_packet_error(&lane->counters, error);
        note_packet_error(lane, datagram, error);
        return false;
    }
    const struct wire_message_header *header = &arrival.packet.header;
    if (header->shard >= SHARDS_MAX || lane->place_of[header->shard] == LANE_NOWHERE) {
        lane->counters.drop_shard++;
        return false;
    }
    arrival.place = lane->place_of[header->shard];
    return receive_packet(lane, &arrival, ret_inner);
}

void lane_receive(struct lane *lane, const struct dp_datagram *datagram)
{
    struct dp_datagram inner;
    if (hand_over(lane, datagram))
        return;
    for (uint32_t depth = 0; depth < RELAY_DEPTH_MAX; depth++) {
        if (!receive_datagram(lane, datagram, &inner))
            return;
        datagram = &inner;
    }
}
