/*
 * A hostile host behind the switch: attaches one memif port and sends random and mutated frames to
 * a node, from garbage in Ethernet headers to client messages whose every checksum is right. The
 * script tests/cluster/storm checks that the node serves on and does not grow.
 *
 * usage: storm SOCKET NODE COUNT SEED CLUSTER   (the node's address is 10.77.0.NODE)
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "base/prng.h"
#include "dataplane/packet.h"
#include "tests/cluster/switch_port.h"
#include "wire/wire.h"
#include "wire/wire_peer.h"
#include "server/idle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct wire_keys keys = {.is_sealed = false};

#define POOL_SIZE     2048
#define SELF_HOST     200
#define NODE_PORT     7400
#define ASK_TRIES_MAX 2000
#define PAUSE_NS      1000000
#define REPLAYS_MAX   64
#define CRC_OFFSET    4

struct storm {
    struct prng prng;
    struct dp_frame_port *port;
    struct packet_self self;
    struct address node;
    uint8_t node_mac[MAC_SIZE_BYTES];
    uint64_t cluster_id;
    uint8_t kept[REPLAYS_MAX][ETHERNET_HEADER_SIZE_BYTES + 1500];
    uint32_t kept_size[REPLAYS_MAX];
};

static uint64_t draw(struct storm *storm, uint64_t low, uint64_t high)
{
    return prng_range(&storm->prng, low, high);
}

static void fill_random(struct storm *storm, uint8_t *to, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        to[i] = (uint8_t)prng_next(&storm->prng);
}

static void pause_briefly(void)
{
    idle_sleep(PAUSE_NS);
}

/* Drops what came in; keeps the MAC of the node when it is an answer to our query. */
static bool drain(struct storm *storm)
{
    struct dp_frame *frames[DP_FRAME_BURST_MAX];
    bool has_answer = false;
    dp_frame_port_look(storm->port);
    uint32_t count = dp_frame_rx(storm->port, 0, frames, DP_FRAME_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct packet packet;
        struct span bytes = span_of(dp_frame_data(frames[i]), dp_frame_size_bytes(frames[i]));
        if (packet_parse(&storm->self, bytes, 0, &packet) == DP_DROP_NONE &&
            packet.kind == PACKET_NEIGHBOUR_NEWS &&
            memcmp(packet.from.ip, storm->node.ip, sizeof(packet.from.ip)) == 0) {
            memcpy(storm->node_mac, packet.neighbour_mac, MAC_SIZE_BYTES);
            has_answer = true;
        }
        dp_frame_free(frames[i]);
    }
    return has_answer;
}

static bool ask_mac(struct storm *storm)
{
    for (int i = 0; i < ASK_TRIES_MAX; i++) {
        struct dp_frame *frame = dp_frame_new(storm->port, 0);
        if (frame != NULL) {
            uint32_t size = packet_write_query(&storm->self, storm->node.ip, dp_frame_data(frame));
            dp_frame_set_size_bytes(frame, size);
            (void)switch_port_send(storm->port, frame);
        }
        pause_briefly();
        if (drain(storm))
            return true;
    }
    return false;
}

/* A well-formed message of a client, of a type drawn. */
static size_t write_message(struct storm *storm, uint8_t *packet)
{
    uint8_t body[512];
    uint8_t inner[256];
    struct wire_writer request = {.data = inner, .capacity_bytes = sizeof(inner)};
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_op op = {.type = (uint8_t)draw(storm, 1, WIRE_OP_TYPE_END - 1),
                         .has_value = true,
                         .seq = draw(storm, 1, 1000),
                         .key = span_of("storm-key", 9),
                         .value = span_of("0123456789abcdef", 16)};
    static const uint8_t types[] = {WIRE_HELLO, WIRE_WRITE, WIRE_READ, WIRE_STATUS, WIRE_RAFT};
    uint8_t type = types[draw(storm, 0, sizeof(types) - 1)];
    if (type == WIRE_WRITE) {
        wire_request_begin(&request, draw(storm, 0, 100000), 1);
        wire_request_add(&request, &op);
        struct wire_write write = {.packet_number = prng_next(&storm->prng),
                                   .incarnation = prng_next(&storm->prng),
                                   .timeout_us = 1000,
                                   .request = span_of(inner, request.size_bytes)};
        wire_write_encode(&writer, &write);
    } else if (type == WIRE_READ) {
        struct wire_read read = {.request_number = prng_next(&storm->prng), .timeout_us = 1000};
        wire_read_begin(&writer, &read);
        wire_read_add(&writer, &(struct wire_read_op){.key = op.key});
    } else if (type == WIRE_HELLO) {
        wire_hello_encode(&writer, &(struct wire_hello){.nonce = prng_next(&storm->prng)});
    } else if (type == WIRE_RAFT) {
        struct wire_peer_message message = {.type = WIRE_PEER_VOTE_REQUEST,
                                            .from = {.birth = 101, .id = 1},
                                            .to = {.birth = 102, .id = 2},
                                            .fingerprint = (uint32_t)prng_next(&storm->prng),
                                            .term = draw(storm, 1, 1000)};
        wire_peer_encode(&writer, &message);
    }
    struct wire_message_header header = {.type = type,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .sender = (uint16_t)draw(storm, 0, 3),
                                         .cluster_id = storm->cluster_id,
                                         .message_id = prng_next(&storm->prng)};
    return wire_piece_encode(packet, &keys, &header, span_of(body, writer.size_bytes), 0);
}

static void flip_bytes(struct storm *storm, uint8_t *data, size_t size_bytes)
{
    uint64_t flips = draw(storm, 1, 4);
    for (uint64_t i = 0; i < flips && size_bytes > 0; i++)
        data[draw(storm, 0, size_bytes - 1)] ^= (uint8_t)(1u << draw(storm, 0, 7));
}

/* Bytes changed under the packet's checksum, which is then made right again. */
static void mend_checksum(uint8_t *packet, size_t size_bytes)
{
    if (size_bytes < PACKET_HEADER_SIZE_BYTES)
        return;
    le32_store(packet + CRC_OFFSET, 0);
    le32_store(packet + CRC_OFFSET, crc32c(0, packet, size_bytes));
}

static size_t write_payload(struct storm *storm, uint8_t *payload)
{
    size_t size = write_message(storm, payload);
    switch (draw(storm, 0, 4)) {
    case 0: /* nothing but noise */
        size = draw(storm, 0, PACKET_SIZE_BYTES_USUAL);
        fill_random(storm, payload, size);
        break;
    case 1: /* damaged on the way */
        flip_bytes(storm, payload, size);
        break;
    case 2: /* made up by somebody who knows the format */
        flip_bytes(storm, payload + 8, size - 8);
        mend_checksum(payload, size);
        break;
    case 3: /* cut off */
        size = draw(storm, 0, size);
        mend_checksum(payload, size);
        break;
    default: /* as it should be */
        break;
    }
    return size;
}

static uint32_t write_frame(struct storm *storm, uint8_t *data)
{
    uint64_t kind = draw(storm, 0, 9);
    uint32_t at = (uint32_t)draw(storm, 0, REPLAYS_MAX - 1);
    if (kind == 0 && storm->kept_size[at] > 0) { /* again what was sent before */
        memcpy(data, storm->kept[at], storm->kept_size[at]);
        return storm->kept_size[at];
    }
    if (kind == 1) { /* garbage behind the right address */
        uint32_t size = (uint32_t)draw(storm, ETHERNET_HEADER_SIZE_BYTES, 1514);
        fill_random(storm, data, size);
        memcpy(data, storm->node_mac, MAC_SIZE_BYTES);
        return size;
    }
    uint32_t headers = packet_udp_header_size_bytes(true);
    packet_begin_udp(&storm->self, 0, &storm->node, storm->node_mac, data);
    size_t payload_size = write_payload(storm, data + headers);
    uint32_t size = packet_end_udp(data, true, (uint32_t)payload_size, 0);
    if (kind == 2) /* headers damaged */
        flip_bytes(storm, data + 12, headers - 12);
    if (kind == 3) /* the frame ends early */
        size = (uint32_t)draw(storm, ETHERNET_HEADER_SIZE_BYTES, size);
    memcpy(storm->kept[at], data, size);
    storm->kept_size[at] = size;
    return size;
}

static void run(struct storm *storm, uint64_t count)
{
    for (uint64_t sent = 0; sent < count;) {
        struct dp_frame *frame = dp_frame_new(storm->port, 0);
        (void)drain(storm);
        if (frame == NULL) {
            pause_briefly(); /* the switch has them all */
            continue;
        }
        dp_frame_set_size_bytes(frame, write_frame(storm, dp_frame_data(frame)));
        (void)switch_port_send(storm->port, frame);
        sent++;
    }
}

int main(int argc, char **argv)
{
    static struct storm storm;
    if (argc != 6) {
        fprintf(stderr, "usage: storm SOCKET NODE COUNT SEED CLUSTER\n");
        return 2;
    }
    const uint8_t self_ip[4] = {10, 77, 0, SELF_HOST};
    const uint8_t node_ip[4] = {10, 77, 0, (uint8_t)strtoul(argv[2], NULL, 10)};
    uint64_t count = strtoull(argv[3], NULL, 10);
    prng_init(&storm.prng, strtoull(argv[4], NULL, 10));
    storm.cluster_id = wire_cluster_id(argv[5]);
    storm.node = address_of_ipv4(node_ip, NODE_PORT);
    storm.port = switch_port_open(argv[0], argv[1], POOL_SIZE);
    if (storm.port == NULL)
        return 1;
    dp_frame_port_mac(storm.port, storm.self.mac);
    storm.self.has_ipv4 = true;
    storm.self.ipv4_port = NODE_PORT;
    memcpy(storm.self.ipv4, self_ip, sizeof(self_ip));
    if (!ask_mac(&storm)) {
        fprintf(stderr, "storm: node %s does not answer ARP\n", argv[2]);
        return 1;
    }
    run(&storm, count);
    printf("sent=%lu\n", (unsigned long)count);
    switch_port_close(storm.port);
    return 0;
}
