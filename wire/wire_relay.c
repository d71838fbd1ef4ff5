/*
 * The head of a relayed packet, offset, size and meaning of each field:
 *    0  [16] the client's address; of WIRE_RELAY zero
 *   16  u16  its port; of WIRE_RELAY zero
 *   18  u16  node that the packet is for; of WIRE_RELAY alone, else zero
 *   20  [4]  zero
 *   24       the packet
 */
#include "wire/wire_relay.h"

#include "wire/wire_internal.h"
#include "wire/wire_packet.h"

uint32_t wire_relay_encode(uint8_t *to, const struct wire_relay *relay)
{
    CHECK(relay->packet.size_bytes <= RELAY_PACKET_SIZE_BYTES_MAX);
    memmove(to + RELAY_HEAD_SIZE_BYTES, relay->packet.data, relay->packet.size_bytes);
    memset(to, 0, RELAY_HEAD_SIZE_BYTES);
    memcpy(to, relay->client.ip, sizeof(relay->client.ip));
    le16_store(to + 16, relay->client.port);
    le16_store(to + 18, relay->node);
    return (uint32_t)(RELAY_HEAD_SIZE_BYTES + relay->packet.size_bytes);
}

enum error wire_relay_decode(uint8_t wire_type, struct span bytes, struct wire_relay *ret_relay)
{
    const uint8_t *from = bytes.data;
    bool is_to_node = wire_type == WIRE_RELAY;
    if (bytes.size_bytes < RELAY_HEAD_SIZE_BYTES + PACKET_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    if (bytes.size_bytes > RELAY_HEAD_SIZE_BYTES + RELAY_PACKET_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (!wire_is_zero(from + 20, 4) || (is_to_node && !wire_is_zero(from, 18)) ||
        (!is_to_node && !wire_is_zero(from + 18, 2)))
        return ERR_RESERVED;
    struct wire_relay relay = {
        .node = le16_load(from + 18),
        .client = {.port = le16_load(from + 16)},
        .packet = span_of(from + RELAY_HEAD_SIZE_BYTES, bytes.size_bytes - RELAY_HEAD_SIZE_BYTES)};
    memcpy(relay.client.ip, from, sizeof(relay.client.ip));
    if (is_to_node && (relay.node == 0 || relay.node > VOTER_ID_MAX))
        return ERR_NODE;
    if (!is_to_node && (relay.client.port == 0 || wire_is_zero(relay.client.ip, 16)))
        return ERR_RANGE;
    *ret_relay = relay;
    return OK;
}

/* Who is answered says nothing that is answered in turn, as server/lane_proof.c has it, and nobody
 * relays what has been relayed. */
static bool is_of_way(uint8_t type, bool is_to_node)
{
    if (type == WIRE_RELAY || type == WIRE_PATH || type == WIRE_PATH_REPLY ||
        wire_type_is_between_nodes(type))
        return false;
    if (type == WIRE_MISSING)
        return true;
    return is_to_node == (wire_type_is_question(type) || type == WIRE_HANDSHAKE);
}

bool wire_relay_may_carry(struct span packet, uint16_t shard, uint16_t sender)
{
    uint16_t its_shard;
    return wire_packet_shard(packet, &its_shard) && its_shard == shard &&
           wire_packet_sender(packet) == sender && is_of_way(wire_packet_type(packet), sender == 0);
}
