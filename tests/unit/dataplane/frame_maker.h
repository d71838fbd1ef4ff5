/*
 * Frames for the tests of the parser: two ends that know each other, and good frames of every kind
 * from the one to the other, with checksums computed in the slow and obvious way.
 */
#ifndef POLLUX_TESTS_UNIT_DATAPLANE_FRAME_MAKER_H
#define POLLUX_TESTS_UNIT_DATAPLANE_FRAME_MAKER_H

#include "dataplane/be.h"
#include "dataplane/packet.h"

#include <stdbool.h>
#include <string.h>

#define FRAME_SIZE_BYTES_MAX 2048

struct frame {
    uint8_t data[FRAME_SIZE_BYTES_MAX];
    uint32_t size_bytes;
};

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t peer_ipv4[4] = {10, 0, 0, 9};
static const uint8_t peer_ipv6[16] = {0xfd, 0, [15] = 9};

static const struct packet_self self = {.mac = {2, 0, 0, 0, 0, 1},
                                        .has_ipv4 = true,
                                        .has_ipv6 = true,
                                        .ipv4 = {10, 0, 0, 1},
                                        .ipv6 = {0xfd, 0, [13] = 0xaa, [14] = 0xbb, [15] = 1},
                                        .ipv4_port = 7000,
                                        .ipv6_port = 7001,
                                        .udp_port_count = 1};

static const struct packet_self peer = {.mac = {2, 0, 0, 0, 0, 9},
                                        .has_ipv4 = true,
                                        .has_ipv6 = true,
                                        .ipv4 = {10, 0, 0, 9},
                                        .ipv6 = {0xfd, 0, [15] = 9},
                                        .ipv4_port = 9000,
                                        .ipv6_port = 9001,
                                        .udp_port_count = 1};

/* RFC 1071 word by word, as the text says it. */
static inline uint16_t slow_sum(uint32_t sum, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i += 2) {
        sum += (uint32_t)(data[i] << 8) + (i + 1 < size ? data[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static inline bool is_ipv6_upper_sum_right(const uint8_t *frame)
{
    const uint8_t *ip = frame + 14;
    uint16_t size = be16_load(ip + 4);
    uint16_t sum = slow_sum((uint32_t)size + ip[6], ip + 8, 32);
    return slow_sum(sum, ip + 40, size) == 0xffff;
}

static inline bool is_ipv4_upper_sum_right(const uint8_t *frame)
{
    const uint8_t *ip = frame + 14;
    uint16_t size = (uint16_t)(be16_load(ip + 2) - 20);
    uint16_t sum = slow_sum((uint32_t)size + ip[9], ip + 12, 8);
    return slow_sum(sum, ip + 20, size) == 0xffff && slow_sum(0, ip, 20) == 0xffff;
}

static inline void fill(uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        data[i] = (uint8_t)(i * 31 + 5);
    }
}

/* A datagram from the peer to us. */
static inline struct frame udp_frame(bool is_ipv4, uint32_t payload_size_bytes)
{
    struct frame frame = {.size_bytes = 0};
    struct address to = address_of_ipv4(self.ipv4, self.ipv4_port);
    if (!is_ipv4) {
        memcpy(to.ip, self.ipv6, 16);
        to.port = self.ipv6_port;
    }
    packet_begin_udp(&peer, 0, &to, self.mac, frame.data);
    fill(frame.data + packet_udp_header_size_bytes(is_ipv4), payload_size_bytes);
    frame.size_bytes = packet_end_udp(frame.data, is_ipv4, payload_size_bytes, 0);
    return frame;
}

static inline void ipv4_sum_fix(struct frame *frame)
{
    uint8_t *ip = frame->data + 14;
    uint32_t size = (uint32_t)(ip[0] & 15) * 4;
    be16_store(ip + 10, 0);
    be16_store(ip + 10, (uint16_t)~slow_sum(0, ip, size));
}

/* Any message under IPv4 or IPv6 from the peer to us, its checksum filled at `sum_offset`. */
static inline struct frame icmp_frame(bool is_ipv4, struct span message)
{
    struct frame frame = udp_frame(is_ipv4, (uint32_t)message.size_bytes);
    uint8_t *ip = frame.data + 14;
    uint8_t *icmp = ip + (is_ipv4 ? 20 : 40);
    memcpy(icmp, message.data, message.size_bytes);
    be16_store(icmp + 2, 0);
    if (is_ipv4) {
        ip[9] = 1;
        be16_store(ip + 2, (uint16_t)(20 + message.size_bytes));
        ipv4_sum_fix(&frame);
        be16_store(icmp + 2, (uint16_t)~slow_sum(0, icmp, (uint32_t)message.size_bytes));
        frame.size_bytes = 34 + (uint32_t)message.size_bytes;
    } else {
        ip[6] = 58;
        be16_store(ip + 4, (uint16_t)message.size_bytes);
        uint16_t sum = slow_sum((uint32_t)message.size_bytes + 58, ip + 8, 32);
        be16_store(icmp + 2, (uint16_t)~slow_sum(sum, icmp, (uint32_t)message.size_bytes));
        frame.size_bytes = 54 + (uint32_t)message.size_bytes;
    }
    return frame;
}

static inline struct frame solicitation_frame(void)
{
    struct frame frame = {.size_bytes = 0};
    frame.size_bytes = packet_write_query(&peer, self.ipv6, frame.data);
    return frame;
}

static inline struct frame arp_frame(void)
{
    struct frame frame = {.size_bytes = 0};
    struct address us = address_of_ipv4(self.ipv4, 0);
    frame.size_bytes = packet_write_query(&peer, us.ip, frame.data);
    return frame;
}

static inline enum dp_drop parse(const struct frame *frame, struct packet *ret_packet)
{
    memset(ret_packet, 0xa5, sizeof(*ret_packet)); /* as a stack may */
    return packet_parse(&self, span_of(frame->data, frame->size_bytes), 0, ret_packet);
}

static inline enum dp_drop drop_of(const struct frame *frame)
{
    struct packet packet;
    return parse(frame, &packet);
}

#endif
