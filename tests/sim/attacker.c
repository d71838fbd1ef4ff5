/* See attacker.h. */
#include "tests/sim/attacker.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "tests/sim/network.h"
#include "wire/wire_packet.h"

#include <stdlib.h>

#define KEEP_CHANCE 200000u /* of what comes when all places are taken, in a million */
#define FAR_TERM    ((UINT64_C(1) << 40) - 1)

/* Of a packet's header, and of a Raft message behind it: wire_packet.h, wire_peer.c. */
#define OFFSET_VERSION 2u
#define OFFSET_TYPE    3u
#define OFFSET_CRC     4u
#define OFFSET_CLUSTER 8u
#define OFFSET_KEY_ID  36u
#define OFFSET_FLAGS   38u
#define OFFSET_TERM    (PACKET_HEADER_SIZE_BYTES + 16)

void attacker_init(struct attacker *attacker, uint64_t seed)
{
    *attacker = (struct attacker){.kept_count = 0};
    prng_init(&attacker->prng, seed ^ 0x61747461636b6572u);
}

void attacker_hear_clients(struct attacker *attacker, uint32_t node_count)
{
    attacker->hears_clients = true;
    attacker->node_count = node_count;
}

void attacker_deinit(struct attacker *attacker)
{
    for (uint32_t i = 0; i < attacker->kept_count; i++)
        free(attacker->kept[i]);
    attacker->kept_count = 0;
}

static bool is_handshake(const struct packet *packet)
{
    uint8_t type = packet->data[OFFSET_TYPE];
    return type == WIRE_HANDSHAKE || type == WIRE_HANDSHAKE_REPLY;
}

static bool is_with_client(const struct packet *packet)
{
    return network_host(&packet->from) >= NODES_MAX || packet->to_host >= NODES_MAX;
}

/* What nodes say to one another, and they and clients. */
static bool is_of_interest(const struct attacker *attacker, const struct packet *packet)
{
    if (packet->is_hostile || packet->size_bytes < PACKET_HEADER_SIZE_BYTES ||
        network_host(&packet->from) >= HOSTS_MAX)
        return false;
    if (is_with_client(packet) && !attacker->hears_clients)
        return false;
    uint8_t type = packet->data[OFFSET_TYPE];
    return is_handshake(packet) || wire_is_sealed(span_of(packet->data, packet->size_bytes)) ||
           wire_type_is_between_nodes(type);
}

void attacker_hear(struct attacker *attacker, const struct packet *packet)
{
    uint32_t place = attacker->kept_count;
    if (!is_of_interest(attacker, packet))
        return;
    if (place == ATTACKER_KEPT) {
        if (!prng_chance(&attacker->prng, KEEP_CHANCE))
            return;
        place = (uint32_t)prng_range(&attacker->prng, 0, ATTACKER_KEPT - 1);
    } else {
        attacker->kept[attacker->kept_count++] = malloc(sizeof(struct packet));
        CHECK(attacker->kept[place] != NULL);
    }
    *attacker->kept[place] = *packet;
}

static void bits_flip(struct attacker *attacker, struct packet *packet)
{
    uint64_t flips = prng_range(&attacker->prng, 1, 4);
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t bit = prng_range(&attacker->prng, 0, 8ull * packet->size_bytes - 1);
        packet->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* To another node than it was sent to. */
static void send_elsewhere(struct attacker *attacker, struct packet *packet)
{
    uint32_t step = (uint32_t)prng_range(&attacker->prng, 1, attacker->node_count - 1);
    packet->to_host = (packet->to_host + step) % attacker->node_count;
}

/* Back to the sender, from the receiver or as if from itself. */
static void turn_aside(struct attacker *attacker, struct packet *packet)
{
    struct address from = packet->from;
    uint32_t host = network_host(&from);
    bool is_to_node = packet->to_host < attacker->node_count;
    if (host >= NODES_MAX && is_to_node && attacker->node_count > 1 &&
        prng_range(&attacker->prng, 0, 1) == 0) {
        send_elsewhere(attacker, packet);
        return;
    }
    packet->from = network_address(packet->to_host);
    packet->from.port = packet->to_port;
    packet->to_host = host;
    packet->to_port = from.port;
    if (prng_range(&attacker->prng, 0, 1) == 0)
        packet->from = from;
}

/* Anybody can make a checksum. */
static void unseal(struct packet *packet, uint64_t cluster_id)
{
    uint8_t *data = packet->data;
    data[OFFSET_VERSION] &= (uint8_t)~WIRE_VERSION_SEALED;
    data[OFFSET_KEY_ID] = 0;
    data[OFFSET_FLAGS] = 0;
    memset(data + SEAL_TAG_OFFSET, 0, 16);
    le64_store(data + OFFSET_CLUSTER, cluster_id);
    if (data[OFFSET_TYPE] == WIRE_RAFT && packet->size_bytes >= OFFSET_TERM + 8)
        le64_store(data + OFFSET_TERM, FAR_TERM);
    le32_store(data + OFFSET_CRC, 0);
    le32_store(data + OFFSET_CRC, crc32c(0, data, packet->size_bytes));
}

static void handshake_attack(struct attacker *attacker, struct tally *tally, struct packet *packet)
{
    tally->fault_attacks_handshake++;
    packet->is_hostile = false;
    if (prng_range(&attacker->prng, 0, 2) == 0)
        bits_flip(attacker, packet);
    else if (prng_range(&attacker->prng, 0, 2) == 0)
        turn_aside(attacker, packet);
}

bool attacker_make(struct attacker *attacker, uint64_t cluster_id, struct tally *tally,
                   struct packet *ret_packet)
{
    if (attacker->kept_count == 0)
        return false;
    *ret_packet = *attacker->kept[prng_range(&attacker->prng, 0, attacker->kept_count - 1)];
    ret_packet->is_hostile = true;
    tally->fault_attacks_on_clients += is_with_client(ret_packet);
    uint64_t kind = prng_range(&attacker->prng, 0, 5);
    if (is_handshake(ret_packet)) {
        handshake_attack(attacker, tally, ret_packet);
    } else if (kind == 0) {
        tally->fault_attacks_forged++;
        bits_flip(attacker, ret_packet);
    } else if (kind == 1) {
        tally->fault_attacks_unsealed++;
        unseal(ret_packet, cluster_id);
    } else if (kind == 2) {
        tally->fault_attacks_aside++;
        turn_aside(attacker, ret_packet);
    } else {
        tally->fault_attacks_replayed++;
    }
    return true;
}
