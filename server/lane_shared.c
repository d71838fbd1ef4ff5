/* Messages out of a lane, whichever shard they are of: cut straight into the port's buffers. */
#include "server/lane_shared.h"

#include "server/replica.h"
#include "wire/wire_hello.h"
#include "wire/wire_relay.h"

/* How a packet leaves. */
enum departure { DEPARTS_NOT, DEPARTS_PLAIN, DEPARTS_SEALED };

static enum departure to_peer(struct lane_shared *shared, const struct lane_message *message)
{
    const struct wire_message_header *header = &message->header;
    struct peer_seals *seals = shared->seals[header->shard];
    if (seals == NULL)
        return DEPARTS_PLAIN;
    if (peer_seals_is_ready(seals, header->receiver, shared->now_ns))
        return DEPARTS_SEALED;
    return peer_seals_mode(seals) == SECURITY_REQUIRED ? DEPARTS_NOT : DEPARTS_PLAIN;
}

static enum departure to_client(const struct lane_shared *shared,
                                const struct lane_message *message)
{
    const struct client_seals *seals = shared->client_seals[message->header.shard];
    uint8_t type = message->header.type;
    /* Cookies are for those who do not seal. */
    if (seals == NULL || type == WIRE_HANDSHAKE || type == WIRE_HANDSHAKE_REPLY ||
        type == WIRE_COOKIE || type == WIRE_COOKIE_NEXT)
        return DEPARTS_PLAIN;
    if (client_seals_is_ready(seals, &message->to))
        return DEPARTS_SEALED;
    return client_seals_mode(seals) == SECURITY_REQUIRED ? DEPARTS_NOT : DEPARTS_PLAIN;
}

/* Bytes of the UDP payload of these packets. */
static uint64_t pieces_bytes(const struct lane_message *message, uint32_t first, uint32_t count)
{
    uint64_t piece_bytes = message->header.piece_size_bytes;
    uint64_t begin = first * piece_bytes;
    uint64_t end = begin + count * piece_bytes;
    if (end > message->body.size_bytes)
        end = message->body.size_bytes;
    return (uint64_t)count * PACKET_HEADER_SIZE_BYTES + (end > begin ? end - begin : 0);
}

/* Peers are where the configuration has them. The answer to an initiation is smaller than that. */
static bool needs_proof(const struct lane_shared *shared, const struct lane_message *message)
{
    const struct wire_message_header *header = &message->header;
    return header->receiver == 0 && message->to.room != ADDRESS_PROVEN &&
           header->type != WIRE_HANDSHAKE && header->type != WIRE_HANDSHAKE_REPLY &&
           to_client(shared, message) != DEPARTS_SEALED;
}

static bool may_leave(struct lane_shared *shared, const struct lane_message *message,
                      uint32_t first, uint32_t count)
{
    if (!needs_proof(shared, message))
        return true;
    uint64_t bytes = pieces_bytes(message, first, count);
    if (bytes <= message->to.room ||
        proof_take(&shared->proof, &message->to, bytes, shared->now_ns))
        return true;
    shared->withheld++;
    return false;
}

/* Who has sent a hello of this size, or a cookie, knows cookies: the next one comes with the answer
 * to the hello. */
static bool is_given_cookie(const struct lane_shared *shared, const struct lane_message *message)
{
    return shared->proof.is_on && message->header.receiver == 0 &&
           message->header.type == WIRE_HELLO_REPLY &&
           message->to.room >= PACKET_HEADER_SIZE_BYTES + WIRE_HELLO_REPLY_SIZE_BYTES;
}

/* A process that has forked sends nothing that is worth opening: it is not a node any more. */
static void piece_seal(struct lane_shared *shared, const struct lane_message *message,
                       uint8_t *packet, uint32_t size_bytes)
{
    const struct wire_message_header *header = &message->header;
    enum error error =
        header->receiver != 0
            ? peer_seals_close(shared->seals[header->shard], header->receiver, packet, size_bytes)
            : client_seals_close(shared->client_seals[header->shard], &message->to,
                                 (struct client_packet){packet, size_bytes});
    shared->unsealed += error != OK;
}

/* False: it must not leave. As if lost: whatever waits for it is repeated. */
static bool departs(struct lane_shared *shared, const struct lane_message *message,
                    enum departure *ret_departure)
{
    *ret_departure =
        message->header.receiver != 0 ? to_peer(shared, message) : to_client(shared, message);
    shared->unsealed += *ret_departure == DEPARTS_NOT;
    return *ret_departure != DEPARTS_NOT;
}

static void piece_leave(struct lane_shared *shared, const struct lane_message *message,
                        uint32_t piece)
{
    enum departure departure;
    if (!departs(shared, message, &departure))
        return;
    uint8_t *packet = dp_port_tx_reserve(shared->port, message->header.shard, &message->to);
    if (packet == NULL)
        return; /* counted by the port; what is lost will be asked for again */
    uint8_t cookie[COOKIE_SIZE_BYTES];
    const struct wire_keys keys = {.is_sealed = departure == DEPARTS_SEALED};
    struct wire_message_header told = message->header;
    if (departure == DEPARTS_PLAIN && is_given_cookie(shared, message)) {
        cookie_make(&shared->proof.cookies, &message->to, shared->now_ns, cookie);
        told.cookie = cookie;
    }
    uint32_t size_bytes = wire_piece_encode(packet, &keys, &told, message->body, piece);
    if (keys.is_sealed)
        piece_seal(shared, message, packet, size_bytes);
    dp_port_tx_commit(shared->port, size_bytes);
}

/* A packet around one of the message, for the node that passes it on. False: none may leave. */
static bool piece_relay(struct lane_shared *shared, const struct lane_message *message,
                        uint32_t piece, struct lane_message *ret_carrier)
{
    const struct wire_message_header *header = &message->header;
    const struct address *relay =
        replica_member_address(shared->replicas[header->shard], message->to.via);
    enum departure departure;
    /* Of a message that was sent directly before, in larger pieces, none is sent again this way. */
    if (relay == NULL || pieces_bytes(message, piece, 1) > RELAY_PACKET_SIZE_BYTES_MAX) {
        shared->unrelayed++;
        return false;
    }
    if (!departs(shared, message, &departure))
        return false;
    uint8_t *packet = shared->relay_data + RELAY_HEAD_SIZE_BYTES;
    const struct wire_keys keys = {.is_sealed = departure == DEPARTS_SEALED};
    uint32_t packet_bytes = wire_piece_encode(packet, &keys, header, message->body, piece);
    if (keys.is_sealed)
        piece_seal(shared, message, packet, packet_bytes);
    const struct wire_relay head = {.client = message->to, .packet = span_of(packet, packet_bytes)};
    uint32_t size_bytes = wire_relay_encode(shared->relay_data, &head);
    *ret_carrier = (struct lane_message){.header = {.type = WIRE_RELAY_BACK,
                                                    .shard = header->shard,
                                                    .sender = header->sender,
                                                    .receiver = message->to.via,
                                                    .cluster_id = header->cluster_id,
                                                    .message_id = shared->next_message_id++},
                                         .to = *relay,
                                         .body = span_of(shared->relay_data, size_bytes)};
    lane_message_fit(shared, ret_carrier);
    return true;
}

static void piece_leave_around(struct lane_shared *shared, const struct lane_message *message,
                               uint32_t piece)
{
    struct lane_message carrier;
    if (!piece_relay(shared, message, piece, &carrier))
        return;
    uint32_t count = wire_piece_count(carrier.body.size_bytes, carrier.header.piece_size_bytes);
    for (uint32_t i = 0; i < count; i++)
        piece_leave(shared, &carrier, i);
}

static bool is_relayed(const struct lane_message *message)
{
    return message->header.receiver == 0 && message->to.via != 0;
}

void lane_shared_pass(struct lane_shared *shared, uint16_t shard, const struct address *to,
                      struct span packet)
{
    uint8_t *room = dp_port_tx_reserve(shared->port, shard, to);
    if (room == NULL)
        return;
    memcpy(room, packet.data, packet.size_bytes);
    dp_port_tx_commit(shared->port, (uint32_t)packet.size_bytes);
}

bool lane_shared_payer(const struct lane_shared *shared, uint16_t shard,
                       const struct address *address, uint8_t wire_type,
                       struct client_rates_payer *ret_payer)
{
    const struct client_seals *seals = shared->client_seals[shard];
    struct client_rates_payer payer = {.from = address};
    if (wire_type == WIRE_BACKUP || wire_type == WIRE_BACKUP_REPLY ||
        wire_type == WIRE_HANDSHAKE_REPLY)
        return false;
    if (seals != NULL)
        payer.name = client_seals_name(seals, address);
    *ret_payer = payer;
    return !client_rates_is_free(&payer);
}

static void note_sent(struct lane_shared *shared, const struct lane_message *message,
                      uint32_t first, uint32_t count)
{
    const struct wire_message_header *header = &message->header;
    struct client_rates_payer payer;
    if (header->receiver == 0 &&
        lane_shared_payer(shared, header->shard, &message->to, header->type, &payer))
        client_rates_note_sent(shared->rates, &payer, pieces_bytes(message, first, count),
                               shared->now_ns);
}

void lane_shared_send_pieces(struct lane_shared *shared, const struct lane_message *message,
                             uint32_t first, uint32_t count)
{
    const uint64_t *full = &dp_port_counters(shared->port)->drops[DP_DROP_TX_FULL];
    uint64_t full_before = *full;
    if (!may_leave(shared, message, first, count))
        return;
    if (shared->rates != NULL)
        note_sent(shared, message, first, count);
    bool is_around = is_relayed(message);
    /* A full ring would take none of the rest: it is better asked for in a moment. */
    for (uint32_t piece = first; piece < first + count && *full == full_before; piece++) {
        if (is_around)
            piece_leave_around(shared, message, piece);
        else
            piece_leave(shared, message, piece);
    }
}

uint32_t lane_shared_send_again(struct lane_shared *shared, const struct lane_message *message,
                                const struct wire_missing *missing, uint32_t pieces_max)
{
    uint32_t piece_count =
        wire_piece_count(message->body.size_bytes, message->header.piece_size_bytes);
    uint32_t left = pieces_max < PIECES_AGAIN_MAX ? pieces_max : PIECES_AGAIN_MAX;
    uint32_t most = left;
    for (uint32_t i = 0; i < missing->range_count; i++) {
        struct wire_piece_range range = missing->ranges[i];
        uint32_t count = range.count < left ? range.count : left;
        if ((uint32_t)range.first + range.count > piece_count)
            break; /* not of this message */
        lane_shared_send_pieces(shared, message, range.first, count);
        left -= count;
    }
    shared->pieces_again += most - left;
    return most - left;
}

void lane_shared_send(struct lane_shared *shared, const struct lane_message *message)
{
    struct lane_message fit = *message;
    if (fit.header.receiver != 0)
        lane_path_ask(shared, &fit);
    lane_message_fit(shared, &fit);
    uint32_t piece_count = wire_piece_count(fit.body.size_bytes, fit.header.piece_size_bytes);
    lane_shared_send_pieces(shared, &fit, 0, piece_count);
    if (piece_count > 1)
        sent_messages_keep(shared->sent, &fit.header, &fit.to, fit.body);
}
