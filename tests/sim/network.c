/* See network.h. */
#include "tests/sim/network.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "security/security_mode.h"
#include "tests/sim/nonce_check.h"
#include "tests/sim/value.h"
#include "wire/wire_packet.h"

#include <stdlib.h>

#define NETWORK_UDP_PORT 7400

/* Of 1500 runs the one that sent most sent 3.2 times what traffic_unit says. */
#define TRAFFIC_SLACK    32
#define TRAFFIC_INTERVAL 4096 /* packets between two looks */
#define HELLO_NS         20000000

uint16_t network_mtu_draw(struct prng *prng)
{
    static const uint16_t mtus[] = {MTU_MIN, 1400, 1450, MTU_USUAL, 4000, 8850, MTU_MAX, MTU_MAX};
    return mtus[prng_range(prng, 0, sizeof(mtus) / sizeof(mtus[0]) - 1)];
}

static void links_init(struct network *network)
{
    struct prng prng;
    prng_init(&prng, network->draw->link_seed);
    for (uint32_t host = 0; host < HOSTS_MAX; host++)
        network->mtu_bytes[host] =
            network->draw->link_seed == 0 ? MTU_USUAL : network_mtu_draw(&prng);
}

void network_init(struct network *network, uint64_t seed)
{
    links_init(network);
    prng_init(&network->prng, seed ^ 0x6e6574776f726bu);
    network->sent = 0;
    attacker_init(&network->attacker, seed);
    if (network->draw->clients_mode == SECURITY_REQUIRED)
        attacker_hear_clients(&network->attacker, (uint32_t)network->draw->nodes);
    nonce_check_begin(network->verdict);
    memset(network->hostile_taken, 0, sizeof(network->hostile_taken));
    memset(network->seen, 0, sizeof(network->seen));
    for (uint32_t node = 0; node < NODES_MAX; node++) {
        network->ports[node] = NETWORK_UDP_PORT;
        network->lane_counts[node] = 1;
    }
}

void network_deinit(struct network *network)
{
    struct event event;
    while (agenda_next(network->agenda, &event)) {
        if (event.kind == EVENT_DELIVER)
            free(event.what);
    }
    for (uint32_t i = 0; i < NODES_MAX * SIM_LANES_MAX; i++)
        network_flush(network, i / SIM_LANES_MAX, i % SIM_LANES_MAX);
    attacker_deinit(&network->attacker);
    while (network->free != NULL) {
        struct packet *packet = network->free;
        network->free = packet->next;
        free(packet);
    }
}

struct address network_address(uint32_t host)
{
    const uint8_t ipv4[4] = {10, 0, (uint8_t)(host >= NODES_MAX), (uint8_t)(host + 1)};
    return address_of_ipv4(ipv4, NETWORK_UDP_PORT);
}

void network_port_open(struct network *network, uint32_t host)
{
    CHECK(network->ports[host] == 0);
    network->ports[host] = (uint16_t)(NETWORK_UDP_PORT + ++network->ports_used[host]);
}

void network_port_close(struct network *network, uint32_t host)
{
    network->ports[host] = 0;
}

uint32_t network_host(const struct address *address)
{
    uint32_t host = (uint32_t)address->ip[15] - 1;
    return address_is_ipv4(address) && host < HOSTS_MAX ? host : HOSTS_MAX;
}

static struct packet *packet_take(struct network *network)
{
    struct packet *packet = network->free;
    if (packet != NULL) {
        network->free = packet->next;
        return packet;
    }
    packet = malloc(sizeof(*packet));
    CHECK(packet != NULL);
    return packet;
}

void network_release(struct network *network, struct packet *packet)
{
    packet->next = network->free;
    network->free = packet;
}

static uint64_t delay_draw(struct network *network)
{
    return network->draw->delay_ns + prng_range(&network->prng, 0, network->draw->jitter_ns);
}

/* What one packet is late by, out of turn. */
static uint64_t lateness_draw(struct network *network)
{
    if (network->is_healed || !prng_chance(&network->prng, (uint32_t)network->draw->late_chance))
        return 0;
    network->tally->fault_packets_late++;
    return prng_range(&network->prng, 0, network->draw->late_ns);
}

static void packet_corrupt(struct network *network, struct packet *packet)
{
    if (network->is_healed || packet->size_bytes == 0 ||
        !prng_chance(&network->prng, (uint32_t)network->draw->corrupt_chance))
        return;
    network->tally->fault_packets_corrupted++;
    uint64_t flips = prng_range(&network->prng, 1, 4);
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t bit = prng_range(&network->prng, 0, 8ull * packet->size_bytes - 1);
        packet->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    if (prng_chance(&network->prng, 200000))
        packet->size_bytes = (uint32_t)prng_range(&network->prng, 0, packet->size_bytes);
}

/* Packets keep their order where the draw says so, but for those that are late on their own. */
static uint64_t arrival_ns(struct network *network, uint32_t from, uint32_t to, uint64_t late_ns)
{
    uint64_t at_ns = network->verdict->now_ns + delay_draw(network) + network->lag_ns[from][to];
    if (late_ns > 0)
        return at_ns + late_ns;
    if (network->draw->is_in_order && at_ns < network->last_at_ns[from][to])
        at_ns = network->last_at_ns[from][to];
    network->last_at_ns[from][to] = at_ns;
    return at_ns;
}

/* Whose address the host has. */
static uint32_t host_seen(const struct network *network, uint32_t host)
{
    const struct network_double *twin = &network->twin;
    return twin->is_there && host == twin->host ? twin->of : host;
}

/* The lane on whose queue the packet comes: that of its UDP port, unless it strays. */
static uint32_t lane_of(struct network *network, uint32_t node, uint16_t port)
{
    uint32_t lane_count = network->lane_counts[node];
    if (lane_count == 1)
        return 0;
    if (!network->is_healed && prng_chance(&network->prng, (uint32_t)network->draw->stray_chance)) {
        network->tally->fault_strays++;
        return (uint32_t)prng_range(&network->prng, 0, lane_count - 1);
    }
    return (uint16_t)(port - NETWORK_UDP_PORT) % lane_count;
}

/* Which of two processes at one address a packet meets. */
static uint32_t process_of(struct network *network, uint32_t from, uint32_t to)
{
    const struct network_double *twin = &network->twin;
    if (!twin->is_there || to != twin->of || (twin->is_to_nodes && from >= NODES_MAX) ||
        !prng_chance(&network->prng, twin->share))
        return to;
    return twin->host;
}

static void packet_plan(struct network *network, struct network_sender sender,
                        const struct address *to_address, struct span bytes, uint64_t late_ns)
{
    struct packet *packet = packet_take(network);
    uint32_t from = sender.host;
    uint32_t to = network_host(to_address);
    packet->from = network_address(from);
    packet->from.port = (uint16_t)(network->ports[from] + sender.port_offset);
    packet->to_host = process_of(network, from, to);
    packet->to_port = to_address->port;
    packet->to_lane = to < NODES_MAX ? lane_of(network, packet->to_host, packet->to_port) : 0;
    packet->size_bytes = (uint32_t)bytes.size_bytes;
    packet->is_hostile = false;
    memcpy(packet->data, bytes.data, bytes.size_bytes);
    packet_corrupt(network, packet);
    agenda_plan(network->agenda, &(struct event){.at_ns = arrival_ns(network, from, to, late_ns),
                                                 .kind = EVENT_DELIVER,
                                                 .what = packet,
                                                 .who = to});
}

/*
 * What a run may send up to now, roughly: in each shard a request and a reply on each way between
 * nodes in each heartbeat interval, and a greeting of each node by each client and its answer as
 * often as clients that look for a leader greet; and the packets of each operation on its way to
 * all nodes.
 */
static uint64_t traffic_unit(const struct network *network)
{
    const struct draw *draw = network->draw;
    uint64_t now_ns = network->verdict->now_ns;
    uint64_t clients = draw->clients + draw->takers + (draw->backups > 0);
    uint64_t op_packets = 3 + value_size_bytes_mean(draw) / PACKET_PAYLOAD_SIZE_BYTES_BASE;
    return 2 * draw->shards * draw->nodes * draw->nodes * (1 + now_ns / draw->heartbeat_ns) +
           2 * draw->shards * draw->nodes * clients * (1 + now_ns / HELLO_NS) +
           draw->nodes * clients * draw->ops_per_client * op_packets;
}

/* Answers that start requests that are answered: a storm takes nothing but the network. */
static void traffic_look(const struct network *network)
{
    uint64_t unit = traffic_unit(network);
    if (network->sent / TRAFFIC_SLACK > unit)
        verdict_break(network->verdict, RULE_TRAFFIC, "%llu packets where %llu are many",
                      (unsigned long long)network->sent, (unsigned long long)unit);
}

/* Of what a packet says, whatever it is sealed by. */
static uint32_t piece_crc(struct span packet)
{
    const uint8_t *data = packet.data;
    const uint8_t version = data[2] & (uint8_t)~WIRE_VERSION_SEALED;
    uint32_t crc = crc32c(0, &version, 1);
    crc = crc32c(crc, data + 3, 1);
    crc = crc32c(crc, data + 16, 20);
    return crc32c(crc, data + PACKET_HEADER_SIZE_BYTES,
                  packet.size_bytes - PACKET_HEADER_SIZE_BYTES);
}

/* A message id stands for the same bytes each time: whoever puts pieces together relies on it. */
static void piece_look(struct network *network, struct network_sender from, struct span packet)
{
    const uint8_t *data = packet.data;
    struct wire_seal seal;
    if (packet.size_bytes < PACKET_HEADER_SIZE_BYTES || data[3] >= WIRE_COOKIE || /* another's id */
        (wire_is_sealed(packet) && wire_seal_read(packet, &seal) && seal.is_encrypted))
        return;
    /* A relay sends what another has named: no two hosts may look like one. */
    uint64_t port = (uint64_t)network->ports[from.host] + from.port_offset;
    uint64_t name = digest_word(digest_word(digest_word(1, from.host), port), le64_load(data + 24));
    name = digest_word(name, le16_load(data + 20)) | 1;
    struct seen_piece *seen = &network->seen[name / 2 % SEEN_PIECES];
    uint32_t crc = piece_crc(packet);
    if (seen->name == name && seen->crc != crc)
        verdict_break(network->verdict, RULE_MESSAGE_ID,
                      "host %u sends two pieces %u of message %llx, of type %u, that differ",
                      from.host, le16_load(data + 20), (unsigned long long)le64_load(data + 24),
                      data[3]);
    *seen = (struct seen_piece){.name = name, .crc = crc};
}

/* While nodes speak, an attacker may. */
static void attack(struct network *network)
{
    struct attacker *attacker = &network->attacker;
    if (!prng_chance(&attacker->prng, (uint32_t)network->draw->attack_chance))
        return;
    struct packet *packet = packet_take(network);
    if (!attacker_make(attacker, network->cluster_id, network->tally, packet)) {
        network_release(network, packet);
        return;
    }
    uint32_t lane_count = packet->to_host < NODES_MAX ? network->lane_counts[packet->to_host] : 1;
    packet->to_lane = (uint16_t)(packet->to_port - NETWORK_UDP_PORT) % lane_count;
    uint64_t wait_ns = prng_range(&attacker->prng, 0, 2 * network->draw->delay_ns);
    agenda_plan(network->agenda, &(struct event){.at_ns = network->verdict->now_ns + wait_ns,
                                                 .kind = EVENT_DELIVER,
                                                 .what = packet,
                                                 .who = packet->to_host});
}

/* What is too large for a link is lost, and nobody is told. */
static bool is_swallowed(struct network *network, uint32_t from, uint32_t to, struct span bytes)
{
    uint16_t mtu_bytes = network->mtu_bytes[from] < network->mtu_bytes[to]
                             ? network->mtu_bytes[from]
                             : network->mtu_bytes[to];
    if (bytes.size_bytes + PACKET_FRONT_SIZE_BYTES > mtu_bytes) {
        network->tally->fault_packets_too_large++;
        return true;
    }
    network->tally->packets_large += bytes.size_bytes > PACKET_SIZE_BYTES_USUAL;
    return false;
}

void network_send(struct network *network, struct network_sender from, const struct address *to,
                  struct span bytes)
{
    uint32_t to_host = network_host(to);
    CHECK(to_host < HOSTS_MAX && bytes.size_bytes <= PACKET_SIZE_BYTES_MAX);
    if (from.host < NODES_MAX && network->is_muted[from.host])
        return;
    uint32_t from_host = host_seen(network, from.host);
    from.host = from_host;
    piece_look(network, from, bytes);
    network->tally->packets_sent++;
    network->tally->packets_relayed +=
        bytes.size_bytes > PACKET_HEADER_SIZE_BYTES && wire_packet_type(bytes) == WIRE_RELAYED;
    if (++network->sent % TRAFFIC_INTERVAL == 0)
        traffic_look(network);
    if (network->draw->attack_chance > 0 && from_host < NODES_MAX && to_host < NODES_MAX)
        attack(network);
    if (network->cuts[from_host][to_host] > 0) {
        network->tally->fault_packets_cut++;
        return;
    }
    if (is_swallowed(network, from_host, to_host, bytes))
        return;
    const struct draw *draw = network->draw;
    uint64_t loss_chance = network->is_healed ? draw->lasting_loss_chance : draw->loss_chance;
    bool has_loss = !network->is_healed || loss_chance > 0;
    if (has_loss && prng_chance(&network->prng, (uint32_t)loss_chance)) {
        network->tally->fault_packets_lost++;
        return;
    }
    packet_plan(network, from, to, bytes, lateness_draw(network));
    if (!network->is_healed &&
        prng_chance(&network->prng, (uint32_t)network->draw->duplicate_chance)) {
        network->tally->fault_packets_duplicated++;
        packet_plan(network, from, to, bytes,
                    prng_range(&network->prng, 0, network->draw->duplicate_lag_ns));
    }
}

/* ---- at a node ---- */

static struct packet *inbox_take(struct inbox *inbox)
{
    if (inbox->count == 0)
        return NULL;
    struct packet *packet = inbox->packets[inbox->head];
    inbox->head = (inbox->head + 1) % INBOX_MAX;
    inbox->count--;
    return packet;
}

static bool inbox_put(struct inbox *inbox, struct packet *packet, uint32_t max)
{
    if (inbox->count == max)
        return false;
    inbox->packets[(inbox->head + inbox->count++) % INBOX_MAX] = packet;
    return true;
}

bool network_enqueue(struct network *network, struct packet *packet)
{
    uint32_t node = packet->to_host;
    uint32_t lane = packet->to_lane;
    packet->arrived_ns = network->verdict->now_ns;
    if (network->is_open[node][lane] && inbox_put(&network->inboxes[node][lane], packet, INBOX_MAX))
        return true;
    network->tally->fault_packets_to_dead_hosts++;
    network_release(network, packet);
    return false;
}

bool network_hand_over(struct network *network, struct packet *packet, uint32_t lane)
{
    uint32_t node = packet->to_host;
    return network->is_open[node][lane] && inbox_put(&network->rings[node][lane], packet, RING_MAX);
}

struct packet *network_take_over(struct network *network, uint32_t node, uint32_t lane)
{
    return inbox_take(&network->rings[node][lane]);
}

struct packet *network_dequeue(struct network *network, uint32_t node, uint32_t lane)
{
    return inbox_take(&network->inboxes[node][lane]);
}

uint64_t network_waited_ns(const struct network *network, const struct packet *packet)
{
    return network->verdict->now_ns - packet->arrived_ns;
}

static uint32_t own_lane_of(const struct network *network, const struct packet *packet)
{
    return (uint16_t)(packet->to_port - NETWORK_UDP_PORT) % network->lane_counts[packet->to_host];
}

void network_note_heard(struct network *network, const struct packet *packet, uint32_t lane)
{
    /* What strays may still be lost on its way to its own lane: nobody would refuse it then. */
    if (network->draw->attack_chance > 0 && lane == own_lane_of(network, packet))
        attacker_hear(&network->attacker, packet);
}

void network_note_received(struct network *network, const struct packet *packet)
{
    if (network->draw->attack_chance > 0)
        attacker_hear(&network->attacker, packet);
}

void network_note_taken(struct network *network, const struct packet *packet)
{
    network->hostile_taken[packet->to_host] += packet->is_hostile;
}

void network_flush(struct network *network, uint32_t node, uint32_t lane)
{
    struct packet *packet = NULL;
    do {
        packet = network_take_over(network, node, lane);
        if (packet == NULL)
            packet = network_dequeue(network, node, lane);
        if (packet != NULL)
            network_release(network, packet);
    } while (packet != NULL);
}
