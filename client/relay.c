/* See client/relay.h. */
#include "client/relay.h"

#include "client/client_internal.h"

static_assert(ENDPOINTS_MAX <= 32, "a bit for each endpoint");

static uint16_t node_at(const struct plx_client *client, const struct shard_state *shard,
                        uint32_t at)
{
    uint16_t answered = shard->members[at].node;
    return answered != 0 ? answered : client->endpoints[at].node;
}

uint8_t relay_of(const struct plx_client *client, uint32_t endpoint, uint16_t shard)
{
    const struct shard_state *state = &client->shards[shard];
    return state->is_open && !client->is_direct ? state->members[endpoint].way.relay : 0;
}

struct source relay_source(struct plx_client *client, uint32_t endpoint, uint16_t number,
                           struct span packet)
{
    struct source source = {.endpoint = endpoint, .shard = number};
    const struct shard_state *shard = shard_find(client, number);
    uint16_t sender = wire_packet_sender(packet);
    if (shard == NULL || sender == 0 || sender == shard->members[endpoint].node)
        return source;
    for (uint32_t i = 0; i < client->reach_count; i++) {
        if ((shard->members[i].way.relays >> endpoint & 1) != 0 &&
            node_at(client, shard, i) == sender)
            return (struct source){
                .endpoint = i, .shard = number, .relay = (uint8_t)(endpoint + 1)};
    }
    return source;
}

/* ---- another way ---- */

static bool is_lately_heard(const struct plx_client *client, const struct shard_state *shard,
                            uint32_t at)
{
    const struct member *member = &shard->members[at];
    return member->heard_ns != 0 && client->now_ns - member->heard_ns <= RELAY_HEARD_NS &&
           member_counts(client, shard, at);
}

/* By the word of the others, the newest term first; 0: they name nobody. */
static uint16_t leader_named(const struct plx_client *client, const struct shard_state *shard)
{
    const struct member *newest = NULL;
    for (uint32_t i = 0; i < client->reach_count; i++) {
        const struct member *member = &shard->members[i];
        if (member->leader != 0 && member->leader != member->node &&
            is_lately_heard(client, shard, i) && (newest == NULL || member->term > newest->term))
            newest = member;
    }
    return newest == NULL ? 0 : newest->leader;
}

static int32_t endpoint_of_node(const struct plx_client *client, const struct shard_state *shard,
                                uint16_t node)
{
    for (uint32_t i = 0; i < client->reach_count && node != 0; i++) {
        if (node_at(client, shard, i) == node)
            return (int32_t)i;
    }
    return -1;
}

/* `way` as in struct member_way. */
static bool is_way(const struct plx_client *client, const struct shard_state *shard, uint32_t to,
                   uint32_t way)
{
    if (way == 0)
        return true;
    const struct member *relay = &shard->members[way - 1];
    return way - 1 != to && relay->way.relay == 0 && relay->leader == node_at(client, shard, to) &&
           relay->node != relay->leader && is_lately_heard(client, shard, way - 1);
}

static void way_take(struct plx_client *client, struct shard_state *shard, uint32_t to,
                     uint32_t relay)
{
    struct member_way *way = &shard->members[to].way;
    way->relay = (uint8_t)relay;
    if (relay != 0)
        way->relays |= UINT32_C(1) << (relay - 1);
    way->direct_wait_ns = DIRECT_FIRST_NS;
    way->direct_due_ns = client->now_ns + DIRECT_FIRST_NS;
    way->direct_nonce = 0;
    shard->members[to].unanswered = 0;
    endpoint_answered(client, to); /* how long the former way was silent says nothing of this one */
    seals_way_changed(client, to, shard->number);
}

void relay_seek(struct plx_client *client, struct shard_state *shard)
{
    int32_t to = endpoint_of_node(client, shard, leader_named(client, shard));
    if (to < 0)
        return;
    struct member *member = &shard->members[to];
    if (member->unanswered < RELAY_MISSES ||
        client->now_ns - member->way.silent_ns < RELAY_AFTER_NS)
        return;
    uint32_t ways = client->reach_count + 1;
    uint32_t way = (member->way.relay + 1u) % ways;
    while (!is_way(client, shard, (uint32_t)to, way)) /* ends with the direct one */
        way = (way + 1) % ways;
    if (way == member->way.relay)
        return;
    way_take(client, shard, (uint32_t)to, way);
    member_greet(client, shard, (uint32_t)to);
}

void relay_align(struct plx_client *client, struct shard_state *shard,
                 const struct shard_state *other, uint32_t endpoint)
{
    uint8_t relay = other->members[endpoint].way.relay;
    if (relay != 0 && relay != shard->members[endpoint].way.relay &&
        !is_lately_heard(client, shard, endpoint))
        way_take(client, shard, endpoint, relay);
}

/* ---- the direct way ---- */

/* The handle may have been given an address of the node that it has not heard yet, and so does not
 * know for one of it. */
static void others_greet(struct plx_client *client, struct shard_state *shard, uint32_t to)
{
    for (uint32_t i = 0; i < client->endpoint_count; i++) {
        uint16_t node = node_at(client, shard, i);
        bool may_be_it = node == 0 || node == node_at(client, shard, to);
        if (i != to && may_be_it && !is_lately_heard(client, shard, i))
            member_greet(client, shard, i);
    }
}

/* A handle with a key asks for keys: perhaps the node sees another address of it that way. */
static void direct_try(struct plx_client *client, struct shard_state *shard, uint32_t to)
{
    struct member_way *way = &shard->members[to].way;
    const struct source target = {.endpoint = to, .shard = shard->number};
    way->direct_wait_ns *= 2;
    if (way->direct_wait_ns > DIRECT_MAX_NS)
        way->direct_wait_ns = DIRECT_MAX_NS;
    way->direct_due_ns = client->now_ns + way->direct_wait_ns;
    others_greet(client, shard, to);
    if (client->seals.is_on) {
        seals_try(client, &target);
        return;
    }
    uint8_t body[WIRE_HELLO_REPLY_SIZE_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    way->direct_nonce = prng_next(&client->prng) | 1;
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = way->direct_nonce, .is_padded = true});
    client->is_direct = true;
    packet_send(client, &target, WIRE_HELLO, span_of(body, writer.size_bytes));
    client->is_direct = false;
    client->statistics.hellos++;
}

void relays_turn(struct plx_client *client, struct shard_state *shard)
{
    for (uint32_t i = 0; i < client->reach_count && client->active_count > 0; i++) {
        const struct member_way *way = &shard->members[i].way;
        if (way->relay != 0 && client->now_ns >= way->direct_due_ns)
            direct_try(client, shard, i);
    }
}

bool relay_awaits(const struct shard_state *shard, const struct source *from, uint64_t nonce)
{
    return from->relay == 0 && nonce != 0 &&
           shard->members[from->endpoint].way.direct_nonce == nonce;
}

void relay_heard(struct plx_client *client, const struct source *from)
{
    struct shard_state *shard = shard_find(client, from->shard);
    if (shard != NULL && from->relay != shard->members[from->endpoint].way.relay)
        way_take(client, shard, from->endpoint, from->relay);
}

/* ---- packets ---- */

/* One packet around another one, or a part of it. False: it is not to be sent. */
static bool carrier_write(struct plx_client *client, struct packet_out *packet,
                          const struct wire_message_header *header, struct span body,
                          uint32_t piece)
{
    const struct wire_keys keys = seals_keys(client);
    packet->size_bytes = wire_piece_encode(packet->bytes, &keys, header, body, piece);
    packet->way = 0;
    packet->relay = 0;
    return seals_close_carrier(client, packet);
}

/* What the way to the relay does not take in one packet. Whatever finds no room is as if lost. */
static void carrier_write_rest(struct plx_client *client, const struct packet_out *first,
                               const struct wire_message_header *header, struct span body)
{
    struct packet_out *packet = packet_next(client, PACKET_SIZE_BYTES_BASE);
    if (packet == NULL || wire_piece_count(body.size_bytes, header->piece_size_bytes) == 1)
        return;
    packet->endpoint = first->endpoint;
    packet->shard = first->shard;
    client->out_count += carrier_write(client, packet, header, body, 1);
}

bool relay_wrap(struct plx_client *client, struct packet_out *packet)
{
    uint8_t body[RELAY_HEAD_SIZE_BYTES + RELAY_PACKET_SIZE_BYTES_MAX];
    const struct shard_state *shard = shard_find(client, packet->shard);
    const struct span inner = span_of(packet->bytes, packet->size_bytes);
    if (packet->relay == 0)
        return true;
    /* Of a message that was cut for the direct way. */
    if (shard == NULL || inner.size_bytes > RELAY_PACKET_SIZE_BYTES_MAX)
        return false;
    const struct wire_relay relay = {.node = node_at(client, shard, packet->endpoint),
                                     .packet = inner};
    const struct span around = span_of(body, wire_relay_encode(body, &relay));
    struct wire_message_header header = {
        .type = WIRE_RELAY,
        .shard = packet->shard,
        .cluster_id = client->cluster_id,
        .message_id = wire_packet_message(inner),
        .cookie = cookie_shown(client, packet->relay - 1u, packet->shard)};
    packet->endpoint = (uint8_t)(packet->relay - 1);
    header.piece_size_bytes = paths_carrier_piece_size(client, packet, around.size_bytes);
    /* Pieces of a relayed message have one id. */
    if (around.size_bytes > header.piece_size_bytes)
        header.message_id = message_id_next(client);
    bool is_to_leave = carrier_write(client, packet, &header, around, 0);
    carrier_write_rest(client, packet, &header, around);
    return is_to_leave;
}
