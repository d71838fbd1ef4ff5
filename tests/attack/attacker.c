/*
 * An attacker on the network of the nodes: a further port of the switch, and a record of what the
 * nodes have said to one another (`pollux-switch ctl RUN_DIR pcap FILE`). It sends, for a while,
 * frames that come from a peer's address (but for the MAC: who takes that, takes the peer's packets
 * away, which is the business of the switch that believes him):
 *
 *   replay       each recorded frame again, byte for byte, the oldest first
 *   flip         the same with one bit of the packet changed
 *   unsealed     each sealed packet made an unsealed one: the seal is taken off, the checksum is
 *                right; what it says is what the peer said
 *   term         consensus messages with a term far ahead, unsealed, checksum right
 *   key          each sealed packet under another root key's id
 *   handshakes   initiations that look right but for their tag, from addresses that change
 *   cookies      the same, each with a cookie that was made up
 *   questions    what clients ask (status, hello, relaxed read), from addresses that change, some
 *                with a cookie that was made up: answers would be up to 90 times as large
 *
 * usage: attacker SOCKET PCAP CLUSTER ATTACK RATE SECONDS [sink]
 * With `sink` the same frames go to a MAC that no port has: the control. Prints how many were sent.
 * The script tests/attack/run says whether the cluster held.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "base/prng.h"
#include "dataplane/packet.h"
#include "server/idle.h"
#include "tests/cluster/switch_port.h"
#include "wire/wire.h"
#include "wire/wire_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POOL_SIZE          4096
#define RECORD_BYTES_MAX   (UINT64_C(64) << 20)
#define PCAP_HEADER_BYTES  24
#define FRAME_HEADER_BYTES 16
#define FRAMES_MAX         200000u
#define NODE_PORT          7400
#define PORTS_MAX          64
#define NODES_LAST         9 /* hosts 10.77.0.1 to .9 are nodes */
#define HEADERS_BYTES      42u
#define NS_PER_S           UINT64_C(1000000000)
#define PAUSE_NS           100000
#define QUESTION_BYTES_MAX 256
#define TERM_LEAP          (UINT64_C(1) << 22) /* as far as a peer's word goes: TERM_LEAP_MAX */

/* Offsets in a packet: wire/wire_packet.h, wire/wire_seal.h. */
#define OFFSET_VERSION 2
#define OFFSET_TYPE    3
#define OFFSET_CRC     4
#define OFFSET_CLUSTER 8
#define OFFSET_KEY_ID  36
#define OFFSET_FLAGS   38
#define OFFSET_TAG     40

struct recorded {
    const uint8_t *data;
    uint32_t size_bytes;
};

struct attacker {
    struct prng prng;
    struct dp_frame_port *port;
    uint8_t *file;
    struct recorded *frames; /* between nodes, in the order in which they were sent */
    uint32_t frame_count;
    uint32_t next;
    uint64_t cluster_id;
    uint8_t mac[MAC_SIZE_BYTES];
    bool is_sink;
};

typedef uint32_t (*attack_write)(struct attacker *attacker, const struct recorded *from,
                                 uint8_t *frame);

/* ---- the record ---- */

static bool is_of_nodes(const uint8_t *frame, uint32_t size_bytes)
{
    if (size_bytes < HEADERS_BYTES + PACKET_HEADER_SIZE_BYTES || frame[12] != 0x08 ||
        frame[13] != 0 || frame[23] != 17)
        return false;
    uint16_t port = (uint16_t)(frame[36] << 8 | frame[37]);
    return frame[29] >= 1 && frame[29] <= NODES_LAST && frame[33] >= 1 && frame[33] <= NODES_LAST &&
           port >= NODE_PORT && port < NODE_PORT + PORTS_MAX;
}

static bool record_read(struct attacker *attacker, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    attacker->file = malloc(RECORD_BYTES_MAX);
    attacker->frames = calloc(FRAMES_MAX, sizeof(*attacker->frames));
    CHECK(attacker->file != NULL && attacker->frames != NULL);
    size_t size = fread(attacker->file, 1, RECORD_BYTES_MAX, file);
    fclose(file);
    for (size_t at = PCAP_HEADER_BYTES; at + FRAME_HEADER_BYTES <= size;) {
        uint32_t frame_bytes = le32_load(attacker->file + at + 8);
        const uint8_t *frame = attacker->file + at + FRAME_HEADER_BYTES;
        at += FRAME_HEADER_BYTES + frame_bytes;
        if (at <= size && is_of_nodes(frame, frame_bytes) && attacker->frame_count < FRAMES_MAX)
            attacker->frames[attacker->frame_count++] = (struct recorded){frame, frame_bytes};
    }
    return attacker->frame_count > 0;
}

/* ---- attacks ---- */

static uint8_t *payload_of(uint8_t *frame)
{
    return frame + HEADERS_BYTES;
}

/* Lengths and checksums of IPv4 and UDP. */
static uint32_t frame_end(uint8_t *frame, uint32_t payload_bytes)
{
    return packet_end_udp(frame, true, payload_bytes, 0);
}

static uint32_t payload_size(const struct recorded *from)
{
    uint32_t udp_bytes = (uint32_t)(from->data[38] << 8 | from->data[39]);
    uint32_t most = from->size_bytes - HEADERS_BYTES;
    return udp_bytes >= 8 && udp_bytes - 8 <= most ? udp_bytes - 8 : most;
}

static uint32_t attack_replay(struct attacker *attacker, const struct recorded *from,
                              uint8_t *frame)
{
    (void)attacker;
    memcpy(frame, from->data, from->size_bytes);
    return from->size_bytes;
}

static uint32_t attack_flip(struct attacker *attacker, const struct recorded *from, uint8_t *frame)
{
    uint32_t size = payload_size(from);
    memcpy(frame, from->data, from->size_bytes);
    uint64_t bit = prng_range(&attacker->prng, 0, (uint64_t)size * 8 - 1);
    payload_of(frame)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    return frame_end(frame, size);
}

static void seal_take_off(const struct attacker *attacker, uint8_t *packet, uint32_t size)
{
    packet[OFFSET_VERSION] &= (uint8_t)~WIRE_VERSION_SEALED;
    le64_store(packet + OFFSET_CLUSTER, attacker->cluster_id);
    packet[OFFSET_KEY_ID] = 0;
    packet[OFFSET_FLAGS] = 0;
    memset(packet + OFFSET_TAG, 0, SEAL_TAG_SIZE_BYTES);
    le32_store(packet + OFFSET_CRC, 0);
    le32_store(packet + OFFSET_CRC, crc32c(0, packet, size));
}

static uint32_t attack_unsealed(struct attacker *attacker, const struct recorded *from,
                                uint8_t *frame)
{
    uint32_t size = payload_size(from);
    memcpy(frame, from->data, from->size_bytes);
    seal_take_off(attacker, payload_of(frame), size);
    return frame_end(frame, size);
}

/* 0: the frame has no message whose term can be changed. */
static uint32_t attack_term(struct attacker *attacker, const struct recorded *from, uint8_t *frame)
{
    struct wire_peer_message message;
    uint32_t size = payload_size(from);
    uint8_t *packet = payload_of(frame);
    memcpy(frame, from->data, from->size_bytes);
    uint8_t *body = packet + PACKET_HEADER_SIZE_BYTES;
    uint32_t body_bytes = size - PACKET_HEADER_SIZE_BYTES;
    if (packet[OFFSET_TYPE] != WIRE_RAFT ||
        wire_peer_decode(span_of(body, body_bytes), &message) != OK ||
        message.type == WIRE_PEER_APPEND_REQUEST)
        return 0;
    message.term += TERM_LEAP;
    struct wire_writer writer = {.data = body, .capacity_bytes = body_bytes};
    wire_peer_encode(&writer, &message);
    CHECK(!writer.is_overflow);
    seal_take_off(attacker, packet, size);
    return frame_end(frame, size);
}

static uint32_t attack_key(struct attacker *attacker, const struct recorded *from, uint8_t *frame)
{
    uint32_t size = payload_size(from);
    (void)attacker;
    memcpy(frame, from->data, from->size_bytes);
    payload_of(frame)[OFFSET_KEY_ID] ^= 0x55;
    return frame_end(frame, size);
}

/* An initiation of the node that sent the recorded frame, from an address that is nobody's. */
static uint32_t write_initiation(struct attacker *attacker, const struct recorded *from,
                                 uint8_t *frame, bool has_cookie)
{
    uint8_t body[HANDSHAKE_INITIATION_BYTES] = {[0] = 1, [1] = 1, [2] = 1};
    const struct wire_keys keys = wire_keys_none();
    memcpy(frame, from->data, HEADERS_BYTES);
    frame[29] = (uint8_t)prng_range(&attacker->prng, 10, 253);
    for (uint32_t i = 8; i < sizeof(body); i++)
        body[i] = (uint8_t)prng_next(&attacker->prng);
    memset(body + 28, 0, 4);
    memset(body + 64, 0, 64);
    if (!has_cookie)
        memset(body + 128, 0, COOKIE_SIZE_BYTES);
    const struct wire_message_header header = {.type = WIRE_HANDSHAKE,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .sender = le16_load(from->data + HEADERS_BYTES + 18),
                                               .shard = le16_load(from->data + HEADERS_BYTES + 16),
                                               .cluster_id = attacker->cluster_id,
                                               .message_id = prng_next(&attacker->prng)};
    uint32_t size =
        wire_piece_encode(payload_of(frame), &keys, &header, span_of(body, sizeof(body)), 0);
    return frame_end(frame, size);
}

static uint32_t attack_handshakes(struct attacker *attacker, const struct recorded *from,
                                  uint8_t *frame)
{
    return write_initiation(attacker, from, frame, false);
}

static uint32_t attack_cookies(struct attacker *attacker, const struct recorded *from,
                               uint8_t *frame)
{
    return write_initiation(attacker, from, frame, true);
}

static struct span question_body(struct attacker *attacker, uint8_t type, uint8_t *body)
{
    struct wire_writer writer = {.data = body, .capacity_bytes = QUESTION_BYTES_MAX};
    const struct wire_read read = {.request_number = prng_next(&attacker->prng)};
    if (type == WIRE_HELLO)
        wire_hello_encode(&writer, &(struct wire_hello){.nonce = prng_next(&attacker->prng)});
    if (type == WIRE_READ) {
        wire_read_begin(&writer, &read);
        wire_read_add(&writer, &(struct wire_read_op){.key = span_of("key", 3)});
    }
    CHECK(!writer.is_overflow);
    return span_of(body, writer.size_bytes);
}

static uint32_t attack_questions(struct attacker *attacker, const struct recorded *from,
                                 uint8_t *frame)
{
    static const uint8_t types[] = {WIRE_STATUS, WIRE_HELLO, WIRE_READ};
    const struct wire_keys keys = wire_keys_none();
    uint8_t body[QUESTION_BYTES_MAX];
    uint64_t made_up[] = {prng_next(&attacker->prng), prng_next(&attacker->prng)};
    memcpy(frame, from->data, HEADERS_BYTES);
    frame[29] = (uint8_t)prng_range(&attacker->prng, 10, 253);
    frame[34] = (uint8_t)prng_range(&attacker->prng, 4, 255); /* UDP port */
    const struct wire_message_header header = {
        .type = types[prng_range(&attacker->prng, 0, sizeof(types) - 1)],
        .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
        .shard = le16_load(from->data + HEADERS_BYTES + 16),
        .cluster_id = attacker->cluster_id,
        .message_id = prng_next(&attacker->prng),
        .cookie = prng_range(&attacker->prng, 0, 1) == 0 ? NULL : (const uint8_t *)made_up};
    uint32_t size = wire_piece_encode(payload_of(frame), &keys, &header,
                                      question_body(attacker, header.type, body), 0);
    return frame_end(frame, size);
}

static const struct {
    const char *name;
    attack_write write;
} attacks[] = {{"replay", attack_replay},     {"flip", attack_flip},
               {"unsealed", attack_unsealed}, {"term", attack_term},
               {"key", attack_key},           {"handshakes", attack_handshakes},
               {"cookies", attack_cookies},   {"questions", attack_questions}};

/* ---- sending ---- */

static void drain(struct attacker *attacker)
{
    struct dp_frame *frames[DP_FRAME_BURST_MAX];
    dp_frame_port_look(attacker->port);
    uint32_t count = dp_frame_rx(attacker->port, 0, frames, DP_FRAME_BURST_MAX);
    for (uint32_t i = 0; i < count; i++)
        dp_frame_free(frames[i]);
}

/* False: no buffer, or the recorded frame is of no use. */
static bool attack_once(struct attacker *attacker, attack_write write)
{
    static const uint8_t nobody[MAC_SIZE_BYTES] = {0x02, 0xde, 0xad, 0, 0, 1};
    const struct recorded *from = &attacker->frames[attacker->next];
    attacker->next = (attacker->next + 1) % attacker->frame_count;
    struct dp_frame *frame = dp_frame_new(attacker->port, 0);
    if (frame == NULL)
        return false;
    uint8_t *data = dp_frame_data(frame);
    uint32_t size = write(attacker, from, data);
    if (size == 0) {
        dp_frame_free(frame);
        return false;
    }
    memcpy(data + MAC_SIZE_BYTES, attacker->mac, sizeof(attacker->mac));
    if (attacker->is_sink)
        memcpy(data, nobody, sizeof(nobody));
    dp_frame_set_size_bytes(frame, size);
    return switch_port_send(attacker->port, frame);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t attack_for(struct attacker *attacker, attack_write write, uint64_t rate,
                           uint64_t seconds)
{
    uint64_t begun_ns = now_ns();
    uint64_t tries = 0;
    uint64_t sent = 0;
    for (uint64_t at_ns = begun_ns; at_ns - begun_ns < seconds * NS_PER_S; at_ns = now_ns()) {
        uint64_t due = (at_ns - begun_ns) * rate / NS_PER_S;
        drain(attacker);
        if (tries >= due)
            idle_sleep(PAUSE_NS);
        for (; tries < due; tries++)
            sent += attack_once(attacker, write);
    }
    return sent;
}

static attack_write attack_find(const char *name)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (strcmp(attacks[i].name, name) == 0)
            return attacks[i].write;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct attacker attacker;
    attack_write write = argc >= 7 ? attack_find(argv[4]) : NULL;
    if (write == NULL) {
        fprintf(stderr, "usage: attacker SOCKET PCAP CLUSTER ATTACK RATE SECONDS [sink]\n");
        return 2;
    }
    prng_init(&attacker.prng, 1);
    attacker.cluster_id = wire_cluster_id(argv[3]);
    attacker.is_sink = argc > 7 && strcmp(argv[7], "sink") == 0;
    if (!record_read(&attacker, argv[2])) {
        fprintf(stderr, "attacker: %s: no frame between nodes\n", argv[2]);
        return 1;
    }
    attacker.port = switch_port_open(argv[0], argv[1], POOL_SIZE);
    if (attacker.port == NULL)
        return 1;
    while (!dp_frame_port_is_up(attacker.port)) {
        dp_frame_port_look(attacker.port);
        idle_sleep(PAUSE_NS);
    }
    dp_frame_port_mac(attacker.port, attacker.mac);
    uint64_t sent =
        attack_for(&attacker, write, strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
    printf("recorded=%u sent=%lu\n", attacker.frame_count, (unsigned long)sent);
    switch_port_close(attacker.port);
    return sent > 0 ? 0 : 1;
}
