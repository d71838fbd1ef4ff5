/* Packets, whatever carries them: gathered on their way out, put together on their way in. */
#include "client/client_internal.h"

uint64_t message_id_next(struct plx_client *client)
{
    return ++client->message_id;
}

void socket_send_piece(struct plx_client *client, uint32_t endpoint,
                       const struct wire_message_header *header, struct span body, uint32_t piece)
{
    if (client->out_count == PACKETS_OUT_MAX)
        socket_flush(client);
    struct packet_out *packet = &client->out[client->out_count++];
    packet->endpoint = (uint8_t)endpoint;
    packet->size_bytes = wire_piece_encode(packet->bytes, &client->keys, header, body, piece);
}

void socket_send(struct plx_client *client, uint32_t endpoint, uint8_t wire_type, struct span body)
{
    CHECK(body.size_bytes <= PACKET_PAYLOAD_SIZE_BYTES_MAX);
    struct wire_message_header header = {.type = wire_type,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .cluster_id = client->cluster_id,
                                         .message_id = message_id_next(client)};
    socket_send_piece(client, endpoint, &header, body, 0);
}

static int32_t endpoint_of_address(const struct plx_client *client, const struct address *address)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        if (address_is_equal(&client->endpoints[i].address, address))
            return (int32_t)i;
    }
    return -1;
}

void packet_receive(struct plx_client *client, const struct address *from, struct span bytes)
{
    struct wire_packet packet;
    client->statistics.packets_received++;
    int32_t endpoint = endpoint_of_address(client, from);
    if (endpoint < 0 ||
        wire_packet_decode(bytes, &client->keys, client->cluster_id, &packet) != OK) {
        client->statistics.packets_dropped++;
        return;
    }
    struct span body;
    enum error error = reassembly_add(client->reassembly, from, &packet, client->now_ns, &body);
    if (error != OK)
        client->statistics.packets_dropped++;
    else if (body.data != NULL)
        receive_message(client, (uint32_t)endpoint, packet.header.type, body);
}
