/* Packets, whatever carries them: gathered on their way out, put together on their way in. */
#include "client/client_internal.h"

uint64_t message_id_next(struct plx_client *client)
{
    return ++client->message_id;
}

void packet_send_piece(struct plx_client *client, uint32_t endpoint,
                       const struct wire_message_header *header, struct span body, uint32_t piece)
{
    if (client->out_count == PACKETS_OUT_MAX)
        socket_flush(client);
    struct packet_out *packet = &client->out[client->out_count++];
    packet->endpoint = (uint8_t)endpoint;
    packet->way = 0;
    packet->shard = header->shard;
    packet->size_bytes = wire_piece_encode(packet->bytes, &client->keys, header, body, piece);
}

void packet_send(struct plx_client *client, const struct source *to, uint8_t wire_type,
                 struct span body)
{
    CHECK(body.size_bytes <= PACKET_PAYLOAD_SIZE_BYTES_MAX);
    struct wire_message_header header = {.type = wire_type,
                                         .shard = to->shard,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .cluster_id = client->cluster_id,
                                         .message_id = message_id_next(client)};
    packet_send_piece(client, to->endpoint, &header, body, 0);
}

uint32_t packet_send_all_ways(struct plx_client *client, const struct source *to, uint8_t wire_type,
                              struct span body)
{
    uint32_t ways = endpoint_ways(&client->endpoints[to->endpoint]);
    for (uint32_t way = 1; way <= ways; way++) {
        packet_send(client, to, wire_type, body);
        client->out[client->out_count - 1].way = (uint8_t)(ways == 1 ? 0 : way);
    }
    return ways;
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
        packet_send(client, &(struct source){(uint32_t)endpoint, ask.shard}, WIRE_MISSING,
                    span_of(writer.data, writer.size_bytes));
    }
}

void packet_receive(struct plx_client *client, const struct address *from, struct span bytes)
{
    struct wire_packet packet;
    client->statistics.packets_received++;
    if (wire_packet_decode(bytes, &client->keys, client->cluster_id, &packet) != OK ||
        packet.header.shard >= SHARDS_MAX) {
        client->statistics.packets_dropped++;
        return;
    }
    int32_t endpoint = endpoint_find(client, from, packet.header.shard);
    if (endpoint < 0) {
        client->statistics.packets_dropped++;
        return;
    }
    endpoint_heard(client, (uint32_t)endpoint, from, packet.header.shard);
    struct source source = {(uint32_t)endpoint, packet.header.shard};
    struct span body;
    enum error error = reassembly_add(client->reassembly, from, &packet, client->now_ns, &body);
    if (error != OK)
        client->statistics.packets_dropped++;
    else if (body.data != NULL)
        receive_message(client, &source, packet.header.type, body);
}
