/* See client/paths.h. */
#include "client/paths.h"

#include "client/client_internal.h"

void paths_init(struct plx_client *client)
{
    for (uint32_t i = 0; i < ENDPOINTS_MAX; i++)
        path_limit_init(&client->paths[i].limit, PACKET_SIZE_BYTES_MAX, prng_next(&client->names));
}

/* The endpoint's place may have been another node's before. */
static struct endpoint_path *path_of(struct plx_client *client, uint32_t endpoint)
{
    struct endpoint_path *path = &client->paths[endpoint];
    const struct address *address = &client->endpoints[endpoint].address;
    if (!address_is_equal(&path->address, address)) {
        path_limit_forget(&path->limit);
        path->address = *address;
    }
    return path;
}

uint16_t paths_piece_size(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    if (relay_of(client, endpoint, shard) != 0)
        return RELAY_PIECE_SIZE_BYTES;
    uint16_t size_bytes = path_limit_bytes(&path_of(client, endpoint)->limit, client->now_ns);
    return (uint16_t)(size_bytes - PACKET_HEADER_SIZE_BYTES);
}

uint16_t paths_carrier_piece_size(struct plx_client *client, const struct packet_out *packet,
                                  size_t body_bytes)
{
    struct endpoint_path *path = path_of(client, packet->endpoint);
    size_t packet_bytes = PACKET_HEADER_SIZE_BYTES + body_bytes;
    uint16_t size_bytes = path_limit_bytes(&path->limit, client->now_ns);
    if (packet_bytes > size_bytes)
        paths_want(client, packet->endpoint, packet->shard);
    if (!path->limit.is_answered)
        size_bytes = PACKET_SIZE_BYTES_USUAL;
    return (uint16_t)(size_bytes - PACKET_HEADER_SIZE_BYTES);
}

bool paths_is_open(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    return relay_of(client, endpoint, shard) == 0 &&
           path_limit_is_open(&path_of(client, endpoint)->limit, client->now_ns);
}

void paths_want(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    struct endpoint_path *path = path_of(client, endpoint);
    if (relay_of(client, endpoint, shard) != 0)
        return;
    path->is_wanted = true;
    path->shard = shard;
}

void paths_doubt(struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    if (path_of(client, endpoint)->limit.size_bytes > PACKET_SIZE_BYTES_BASE)
        paths_want(client, endpoint, shard);
}

static bool tells_size(const struct wire_message_header *header)
{
    return wire_type_is_question(header->type) && header->type != WIRE_HELLO &&
           header->type != WIRE_PATH && header->type != WIRE_RELAY;
}

uint16_t paths_answer_size(struct plx_client *client, uint32_t endpoint,
                           const struct wire_message_header *header)
{
    struct endpoint_path *path = path_of(client, endpoint);
    if (!tells_size(header) || relay_of(client, endpoint, header->shard) != 0)
        return 0;
    uint16_t size_bytes = path_limit_bytes(&path->limit, client->now_ns);
    if (size_bytes == PACKET_SIZE_BYTES_BASE)
        return 0;
    if (client->now_ns - path->limit.shown_ns >= PATHS_TOLD_NS)
        paths_want(client, endpoint, header->shard);
    return size_bytes;
}

void paths_note_incarnation(struct plx_client *client, uint32_t endpoint, uint64_t incarnation)
{
    struct endpoint_path *path = path_of(client, endpoint);
    if (path->incarnation != incarnation)
        path_limit_forget(&path->limit);
    path->incarnation = incarnation;
}

static void path_ask(struct plx_client *client, uint32_t endpoint, struct endpoint_path *path)
{
    uint16_t sizes[PATH_QUESTIONS_MAX];
    uint32_t count = path_limit_questions(&path->limit, true, client->now_ns, sizes);
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_message_header header = {.type = WIRE_PATH,
                                                   .shard = path->shard,
                                                   .piece_size_bytes =
                                                       PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                                   .cluster_id = client->cluster_id,
                                                   .message_id = message_id_next(client)};
        uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_MAX];
        struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
        wire_path_encode(&writer, path->limit.number, sizes[i] - PACKET_HEADER_SIZE_BYTES);
        packet_send_piece(client, endpoint, &header, span_of(body, writer.size_bytes), 0);
    }
}

void paths_turn(struct plx_client *client)
{
    for (uint32_t i = 0; i < client->reach_count; i++) {
        struct endpoint_path *path = path_of(client, i);
        if (!path->is_wanted)
            continue;
        path->is_wanted = false;
        if (relay_of(client, i, path->shard) == 0)
            path_ask(client, i, path);
    }
}

bool paths_receive(struct plx_client *client, const struct source *from, struct span body)
{
    uint64_t number;
    if (from->relay != 0 || wire_path_decode(body, &number) != OK)
        return false;
    uint32_t size_bytes = PACKET_HEADER_SIZE_BYTES + (uint32_t)body.size_bytes;
    return path_limit_answered(&path_of(client, from->endpoint)->limit, number, size_bytes,
                               client->now_ns);
}
