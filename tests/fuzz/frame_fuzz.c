/*
 * Frames from strangers: whatever the bytes, the parser stays inside them, what it reports is
 * consistent, and an answer is a frame that the asker's parser accepts and whose own answer is
 * none. The first byte chooses what checksums the port is taken to have verified.
 */
#include "base/check.h"
#include "dataplane/packet.h"
#include "tests/fuzz/canary.h"

#include <string.h>

#define ROOM_SIZE_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const struct packet_self self = {.mac = {2, 0, 0, 0, 0, 1},
                                        .has_ipv4 = true,
                                        .has_ipv6 = true,
                                        .ipv4 = {10, 0, 0, 1},
                                        .ipv6 = {0xfd, 0, [13] = 0xaa, [14] = 0xbb, [15] = 1},
                                        .ipv4_port = 7000,
                                        .ipv6_port = 7001,
                                        .udp_port_count = 1};

/* The asker, as the request describes it. */
static struct packet_self asker_of(const struct packet *packet, const uint8_t *frame)
{
    struct packet_self asker = {.ipv4_port = 1, .ipv6_port = 1, .udp_port_count = 1};
    asker.has_ipv4 = packet->is_ipv4;
    asker.has_ipv6 = !packet->is_ipv4;
    memcpy(asker.mac, frame + 6, MAC_SIZE_BYTES);
    memcpy(asker.ipv4, packet->from.ip + 12, sizeof(asker.ipv4));
    memcpy(asker.ipv6, packet->from.ip, sizeof(asker.ipv6));
    return asker;
}

static void view_check(const struct packet *packet, size_t size_bytes)
{
    if (packet->kind == PACKET_UDP) {
        CHECK(packet->payload_offset >= packet_udp_header_size_bytes(packet->is_ipv4));
        CHECK(packet->payload_offset + packet->payload_size_bytes <= size_bytes);
        CHECK(packet->has_neighbour);
    }
    if (packet->kind == PACKET_ECHO_IPV4 || packet->kind == PACKET_ECHO_IPV6) {
        CHECK(packet->upper_offset + packet->upper_size_bytes <= size_bytes);
    }
}

static void answer_check(const struct packet *packet, struct span frame)
{
    static uint8_t room[ROOM_SIZE_BYTES];
    struct packet read_back;
    memcpy(room, frame.data, frame.size_bytes);
    struct packet_self asker = asker_of(packet, frame.data);
    uint32_t size = packet_answer(&self, packet, room);
    CHECK(size >= ETHERNET_FRAME_SIZE_BYTES_MIN);
    CHECK(size <= PACKET_ANSWER_SIZE_BYTES || size <= frame.size_bytes);
    CHECK(memcmp(room + 6, self.mac, MAC_SIZE_BYTES) == 0);
    enum dp_drop drop = packet_parse(&asker, span_of(room, size), 0, &read_back);
    /* An echo reply is nothing that this parser accepts, but its checksums are right. */
    CHECK(drop != DP_DROP_FRAME_SHORT && drop != DP_DROP_IP_CHECKSUM &&
          drop != DP_DROP_UDP_CHECKSUM);
    CHECK(drop != DP_DROP_NONE || read_back.kind == PACKET_NEIGHBOUR_NEWS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct packet packet;
    if (size_bytes < 1 || size_bytes > ROOM_SIZE_BYTES) {
        return 0;
    }
    struct span frame = span_of(data + 1, size_bytes - 1);
    enum dp_drop drop = packet_parse(&self, frame, data[0] & 3, &packet);
    CHECK((unsigned)drop <= DP_DROP_COUNT);
    if (drop != DP_DROP_NONE) {
        return 0;
    }
    /* The length that UDP claims is believed. */
    CANARY(packet.payload_size_bytes += packet.kind == PACKET_UDP ? 64 : 0);
    view_check(&packet, frame.size_bytes);
    if (packet.kind != PACKET_UDP && packet.kind != PACKET_NEIGHBOUR_NEWS) {
        answer_check(&packet, frame);
    }
    return 0;
}
