/* Packets, whatever carries them: gathered on their way out, put together on their way in. */
#include "client/client_internal.h"

uint64_t message_id_next(struct plx_client *client)
{
    return ++client->message_id;
}

struct packet_out *packet_next(struct plx_client *client, size_t room_bytes)
{
    size_t used_bytes = 0;
    if (client->out_count > 0) {
        const struct packet_out *last = &client->out[client->out_count - 1];
        used_bytes = (size_t)(last->bytes - client->out_bytes) + last->room_bytes;
    }
    if (client->out_count == PACKETS_OUT_MAX || used_bytes + room_bytes > PACKETS_OUT_BYTES)
        return NULL;
    struct packet_out *packet = &client->out[client->out_count];
    packet->bytes = client->out_bytes + used_bytes;
    packet->room_bytes = (uint32_t)room_bytes;
    return packet;
}

struct packet_out *packet_begin(struct plx_client *client, size_t room_bytes)
{
    struct packet_out *packet = packet_next(client, room_bytes);
    if (packet == NULL) {
        packets_flush(client);
        packet = packet_next(client, room_bytes);
    }
    CHECK(packet != NULL);
    return packet;
}

/* A hello that is not as large as its answer is for a node that knows no cookies. */
static bool shows_cookie(const struct wire_message_header *header, struct span body)
{
    return header->type != WIRE_HELLO || body.size_bytes >= WIRE_HELLO_REPLY_SIZE_BYTES;
}

void packet_send_piece(struct plx_client *client, uint32_t endpoint,
                       const struct wire_message_header *header, struct span body, uint32_t piece)
{
    const struct wire_keys keys = seals_keys(client);
    /* Each of them may become two. */
    if (relay_of(client, endpoint, header->shard) != 0 && client->out_count >= PACKETS_OUT_MAX / 2)
        packets_flush(client);
    size_t payload_bytes =
        body.size_bytes < header->piece_size_bytes ? body.size_bytes : header->piece_size_bytes;
    if (payload_bytes < HANDSHAKE_INITIATION_BYTES)
        payload_bytes = HANDSHAKE_INITIATION_BYTES; /* which may take the place of the packet */
    struct packet_out *packet =
        packet_begin(client, PACKET_HEADER_SIZE_BYTES + payload_bytes + PACKET_AROUND_BYTES);
    packet->endpoint = (uint8_t)endpoint;
    packet->way = client->out_way;
    packet->relay = relay_of(client, endpoint, header->shard);
    packet->shard = header->shard;
    struct wire_message_header told = *header;
    told.cookie = shows_cookie(header, body) ? cookie_shown(client, endpoint, header->shard) : NULL;
    told.answer_size_bytes = paths_answer_size(client, endpoint, header);
    packet->size_bytes = wire_piece_encode(packet->bytes, &keys, &told, body, piece);
    seals_send(client);
}

void packet_send(struct plx_client *client, const struct source *to, uint8_t wire_type,
                 struct span body)
{
    CHECK(body.size_bytes <= PACKET_PAYLOAD_SIZE_BYTES_USUAL);
    struct wire_message_header header = {.type = wire_type,
                                         .shard = to->shard,
                                         .piece_size_bytes =
                                             paths_piece_size(client, to->endpoint, to->shard),
                                         .cluster_id = client->cluster_id,
                                         .message_id = message_id_next(client)};
    uint32_t count = wire_piece_count(body.size_bytes, header.piece_size_bytes);
    for (uint32_t piece = 0; piece < count; piece++)
        packet_send_piece(client, to->endpoint, &header, body, piece);
}

void packets_flush(struct plx_client *client)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < client->out_count; i++) { /* what relay_wrap adds, too */
        CHECK(client->out[i].size_bytes <= client->out[i].room_bytes);
        if (!relay_wrap(client, &client->out[i]))
            continue;
        if (kept != i)
            client->out[kept] = client->out[i];
        kept++;
    }
    client->out_count = kept;
    socket_flush(client);
}

uint32_t packet_send_all_ways(struct plx_client *client, const struct source *to, uint8_t wire_type,
                              struct span body)
{
    struct endpoint *endpoint = &client->endpoints[to->endpoint];
    uint32_t ways = endpoint_ways(endpoint);
    uint32_t first = 1;
    if (relay_of(client, to->endpoint, to->shard) != 0) {
        packet_send(client, to, wire_type, body);
        return 1;
    }
    uint32_t last = ways;
    /* Keys are agreed on by one way at a time: by the next one, each time. */
    if (client->seals.is_on && ways > 0)
        first = last = 1 + endpoint->ways_tried++ % ways;
    for (uint32_t way = first; way <= last; way++) {
        client->out_way = (uint8_t)(ways == 1 ? 0 : way);
        packet_send(client, to, wire_type, body);
    }
    client->out_way = 0;
    return last - first + 1;
}

void packets_ask_missing(struct plx_client *client)
{
    struct reassembly_ask ask;
    while (reassembly_ask(client->reassembly, client->now_ns, &ask)) {
        uint8_t body[WIRE_MISSING_SIZE_BYTES_MAX];
        struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
        wire_missing_encode(&writer, &ask.missing);
        CHECK(!writer.is_overflow);
        int32_t endpoint = endpoint_find(client, &ask.to, ask.shard);
        if (endpoint < 0)
            continue; /* learned once, and since forgotten: client/roster.h */
        packet_send(client, &(struct source){(uint32_t)endpoint, ask.shard, 0}, WIRE_MISSING,
                    span_of(writer.data, writer.size_bytes));
    }
}

/* Where a packet came from, as its header says, nothing checked. False: from nobody that the handle
 * knows. */
static bool source_find(struct plx_client *client, const struct address *from, struct span bytes,
                        struct source *ret_source)
{
    uint16_t shard;
    if (!wire_packet_shard(bytes, &shard) || shard >= SHARDS_MAX)
        return false;
    int32_t endpoint = endpoint_find(client, from, shard);
    if (endpoint < 0)
        return false;
    *ret_source = relay_source(client, (uint32_t)endpoint, shard, bytes);
    return true;
}

void packet_receive(struct plx_client *client, const struct address *from, struct span bytes)
{
    struct wire_packet packet;
    struct source source;
    const struct wire_keys keys = seals_keys(client);
    client->statistics.packets_received++;
    if (!source_find(client, from, bytes, &source)) {
        client->statistics.packets_dropped++;
        return;
    }
    /* It is opened where it lies: nobody else reads it. */
    if (!seals_take(client, &source, (uint8_t *)bytes.data, (uint32_t)bytes.size_bytes))
        return;
    if (wire_packet_decode(bytes, &keys, client->cluster_id, &packet) != OK) {
        client->statistics.packets_dropped++;
        return;
    }
    if (packet.piece_count > 1 && source.relay == 0)
        paths_want(client, source.endpoint, source.shard);
    /* Pieces are put together, and asked for, by the address of whoever has sent them. */
    const struct address sender = endpoint_address(client, source.endpoint, source.shard);
    if (source.relay == 0)
        endpoint_heard(client, source.endpoint, from, source.shard);
    else
        from = &sender;
    if (packet.header.type == WIRE_COOKIE || packet.header.type == WIRE_COOKIE_NEXT) {
        client->statistics.packets_dropped += !cookie_receive(client, &source, &packet);
        return;
    }
    struct span body;
    enum error error = reassembly_add(client->reassembly, from, &packet, client->now_ns, &body);
    if (error != OK)
        client->statistics.packets_dropped++;
    else if (body.data != NULL)
        receive_message(client, &source, &packet.header, body);
}
