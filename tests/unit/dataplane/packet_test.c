/*
 * The parser on bytes: each drop reason caused once, each kind of good frame read, each answer's
 * bytes checked against the RFCs, with a checksum computed here in the slow and obvious way.
 */
#include "dataplane/packet.h"

#include "base/prng.h"
#include "dataplane/be.h"
#include "dataplane/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FRAME_SIZE_BYTES_MAX 2048
#define MUTATIONS            200000

struct frame {
    uint8_t data[FRAME_SIZE_BYTES_MAX];
    uint32_t size_bytes;
};

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t peer_ipv4[4] = {10, 0, 0, 9};
static const uint8_t peer_ipv6[16] = {0xfd, 0, [15] = 9};

static const struct packet_self self = {.mac = {2, 0, 0, 0, 0, 1},
                                        .has_ipv4 = true,
                                        .has_ipv6 = true,
                                        .ipv4 = {10, 0, 0, 1},
                                        .ipv6 = {0xfd, 0, [13] = 0xaa, [14] = 0xbb, [15] = 1},
                                        .ipv4_port = 7000,
                                        .ipv6_port = 7001};

static const struct packet_self peer = {.mac = {2, 0, 0, 0, 0, 9},
                                        .has_ipv4 = true,
                                        .has_ipv6 = true,
                                        .ipv4 = {10, 0, 0, 9},
                                        .ipv6 = {0xfd, 0, [15] = 9},
                                        .ipv4_port = 9000,
                                        .ipv6_port = 9001};

/* RFC 1071 word by word, as the text says it. */
static uint16_t slow_sum(uint32_t sum, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i += 2) {
        sum += (uint32_t)(data[i] << 8) + (i + 1 < size ? data[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static bool is_ipv6_upper_sum_right(const uint8_t *frame)
{
    const uint8_t *ip = frame + 14;
    uint16_t size = be16_load(ip + 4);
    uint16_t sum = slow_sum((uint32_t)size + ip[6], ip + 8, 32);
    return slow_sum(sum, ip + 40, size) == 0xffff;
}

static bool is_ipv4_upper_sum_right(const uint8_t *frame)
{
    const uint8_t *ip = frame + 14;
    uint16_t size = (uint16_t)(be16_load(ip + 2) - 20);
    uint16_t sum = slow_sum((uint32_t)size + ip[9], ip + 12, 8);
    return slow_sum(sum, ip + 20, size) == 0xffff && slow_sum(0, ip, 20) == 0xffff;
}

static void fill(uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        data[i] = (uint8_t)(i * 31 + 5);
    }
}

/* A datagram from the peer to us. */
static struct frame udp_frame(bool is_ipv4, uint32_t payload_size_bytes)
{
    struct frame frame = {.size_bytes = 0};
    struct address to = address_of_ipv4(self.ipv4, self.ipv4_port);
    if (!is_ipv4) {
        memcpy(to.ip, self.ipv6, 16);
        to.port = self.ipv6_port;
    }
    packet_begin_udp(&peer, &to, self.mac, frame.data);
    fill(frame.data + packet_udp_header_size_bytes(is_ipv4), payload_size_bytes);
    frame.size_bytes = packet_end_udp(frame.data, is_ipv4, payload_size_bytes, 0);
    return frame;
}

static void ipv4_sum_fix(struct frame *frame)
{
    uint8_t *ip = frame->data + 14;
    uint32_t size = (uint32_t)(ip[0] & 15) * 4;
    be16_store(ip + 10, 0);
    be16_store(ip + 10, (uint16_t)~slow_sum(0, ip, size));
}

/* Any message under IPv4 or IPv6 from the peer to us, its checksum filled at `sum_offset`. */
static struct frame icmp_frame(bool is_ipv4, struct span message)
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

static struct frame solicitation_frame(void)
{
    struct frame frame = {.size_bytes = 0};
    frame.size_bytes = packet_write_query(&peer, self.ipv6, frame.data);
    return frame;
}

static struct frame arp_frame(void)
{
    struct frame frame = {.size_bytes = 0};
    struct address us = address_of_ipv4(self.ipv4, 0);
    frame.size_bytes = packet_write_query(&peer, us.ip, frame.data);
    return frame;
}

static enum dp_drop parse(const struct frame *frame, struct packet *ret_packet)
{
    memset(ret_packet, 0, sizeof(*ret_packet));
    return packet_parse(&self, span_of(frame->data, frame->size_bytes), 0, ret_packet);
}

static enum dp_drop drop_of(const struct frame *frame)
{
    struct packet packet;
    return parse(frame, &packet);
}

static void test_packet_reads_datagrams(void **state)
{
    static const uint32_t sizes[] = {0, 1, 2, 17, 18, 19, 100, 1451, PACKET_SIZE_BYTES_MAX};
    (void)state;
    for (uint32_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        bool is_ipv4 = i % 2 == 0;
        struct packet packet;
        struct frame frame = udp_frame(is_ipv4, sizes[i / 2]);
        assert_true(is_ipv4 ? is_ipv4_upper_sum_right(frame.data)
                            : is_ipv6_upper_sum_right(frame.data));
        assert_true(frame.size_bytes >= ETHERNET_FRAME_SIZE_BYTES_MIN);
        assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
        assert_int_equal(packet.kind, PACKET_UDP);
        assert_int_equal(packet.payload_size_bytes, sizes[i / 2]);
        assert_int_equal(packet.from.port, is_ipv4 ? 9000 : 9001);
        assert_memory_equal(packet.neighbour_mac, peer_mac, 6);
        if (is_ipv4) {
            assert_memory_equal(packet.from.ip + 12, peer_ipv4, 4);
        } else {
            assert_memory_equal(packet.from.ip, peer_ipv6, 16);
        }
    }
}

static void test_packet_steps_over_ipv4_options(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = udp_frame(true, 40);
    memmove(frame.data + 38, frame.data + 34, 48);
    memset(frame.data + 34, 1, 4); /* four times "no operation" */
    frame.data[14] = 0x46;
    be16_store(frame.data + 16, (uint16_t)(24 + 48));
    frame.size_bytes += 4;
    ipv4_sum_fix(&frame);
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.payload_offset, 14 + 24 + 8);
    assert_int_equal(packet.payload_size_bytes, 40);
}

static void test_packet_drops_short_frames(void **state)
{
    (void)state;
    struct frame frames[] = {udp_frame(true, 100), udp_frame(false, 100), arp_frame(),
                             solicitation_frame()};
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t whole = i == 2 ? 42 : frames[i].size_bytes;
        for (uint32_t size = 0; size < whole; size++) {
            frames[i].size_bytes = size;
            assert_int_equal(drop_of(&frames[i]), DP_DROP_FRAME_SHORT);
        }
    }
    struct frame frame = udp_frame(true, 100);
    be16_store(frame.data + 16, 27); /* an IP length that ends inside the UDP header */
    ipv4_sum_fix(&frame);
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_SHORT);
    frame = icmp_frame(true, span_of("\x08\0\0\0\0\0\0", 7));
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_SHORT);
    frame = icmp_frame(false, span_of("\x80\0\0\0\0\0\0", 7));
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_SHORT);
    frame = icmp_frame(false, span_of("\x87\0\0\0\0\0\0\0\0\0", 10));
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_SHORT);
}

static void test_packet_drops_frames_for_others(void **state)
{
    (void)state;
    struct frame frame = udp_frame(true, 10);
    frame.data[5] ^= 1;
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_OTHER_MAC);
    frame = udp_frame(true, 10);
    frame.data[6] |= 1; /* from a group */
    assert_int_equal(drop_of(&frame), DP_DROP_FRAME_OTHER_MAC);
    frame = udp_frame(true, 10);
    be16_store(frame.data + 12, 0x8100);
    assert_int_equal(drop_of(&frame), DP_DROP_ETHERTYPE);
    frame = udp_frame(true, 10);
    frame.data[33] ^= 1;
    ipv4_sum_fix(&frame);
    assert_int_equal(drop_of(&frame), DP_DROP_IP_OTHER);
    frame = udp_frame(false, 10);
    frame.data[53] ^= 1;
    assert_int_equal(drop_of(&frame), DP_DROP_IP_OTHER);
    frame = udp_frame(false, 10);
    memcpy(frame.data + 38, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16); /* a group */
    assert_int_equal(drop_of(&frame), DP_DROP_IP_OTHER);
    frame = arp_frame();
    frame.data[41] ^= 1;
    assert_int_equal(drop_of(&frame), DP_DROP_IP_OTHER);
}

static void test_packet_drops_bad_ip_headers(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint8_t value;
        enum dp_drop drop;
    } cases[] = {
        {14, 0x55, DP_DROP_IP_HEADER},     /* version 5 */
        {14, 0x44, DP_DROP_IP_HEADER},     /* 16 bytes of header */
        {17, 19, DP_DROP_IP_HEADER},       /* total length under the header's */
        {26, 0, DP_DROP_IP_HEADER},        /* from "this network" */
        {26, 224, DP_DROP_IP_HEADER},      /* from a group */
        {20, 0x20, DP_DROP_IP_FRAGMENT},   /* more fragments */
        {21, 1, DP_DROP_IP_FRAGMENT},      /* an offset */
        {23, 6, DP_DROP_IP_PROTOCOL},      /* TCP */
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame frame = udp_frame(true, 10);
        frame.data[cases[i].offset] = cases[i].value;
        ipv4_sum_fix(&frame);
        assert_int_equal(drop_of(&frame), cases[i].drop);
    }
    struct frame frame = udp_frame(true, 10);
    frame.data[22] ^= 1; /* time to live, under the old checksum */
    assert_int_equal(drop_of(&frame), DP_DROP_IP_CHECKSUM);
    frame = udp_frame(false, 10);
    frame.data[14] = 0x40;
    assert_int_equal(drop_of(&frame), DP_DROP_IP_HEADER);
    frame = udp_frame(false, 10);
    frame.data[22] = 0xff; /* from a group */
    assert_int_equal(drop_of(&frame), DP_DROP_IP_HEADER);
    frame = udp_frame(false, 10);
    frame.data[20] = 44;
    assert_int_equal(drop_of(&frame), DP_DROP_IP_FRAGMENT);
    frame.data[20] = 0; /* hop-by-hop options */
    assert_int_equal(drop_of(&frame), DP_DROP_IP_PROTOCOL);
}

static void test_packet_drops_bad_udp(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = udp_frame(true, 10);
    be16_store(frame.data + 38, 17);
    assert_int_equal(drop_of(&frame), DP_DROP_UDP_LENGTH);
    frame = udp_frame(true, 10);
    frame.data[45] ^= 4;
    assert_int_equal(drop_of(&frame), DP_DROP_UDP_CHECKSUM);
    assert_int_equal(packet_parse(&self, span_of(frame.data, frame.size_bytes), PACKET_TRUST_UDP,
                                  &packet),
                     DP_DROP_NONE);
    be16_store(frame.data + 40, 0); /* not computed */
    assert_int_equal(drop_of(&frame), DP_DROP_NONE);
    frame = udp_frame(false, 10);
    frame.data[65] ^= 4;
    assert_int_equal(drop_of(&frame), DP_DROP_UDP_CHECKSUM);
    be16_store(frame.data + 60, 0); /* not allowed over IPv6 */
    assert_int_equal(drop_of(&frame), DP_DROP_UDP_CHECKSUM);
    frame = udp_frame(true, 10);
    be16_store(frame.data + 36, 7002);
    be16_store(frame.data + 40, 0);
    assert_int_equal(drop_of(&frame), DP_DROP_UDP_PORT);
}

static void test_packet_trusts_ip_checksum_of_port(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = udp_frame(true, 10);
    frame.data[22] ^= 1;
    assert_int_equal(packet_parse(&self, span_of(frame.data, frame.size_bytes), PACKET_TRUST_IP,
                                  &packet),
                     DP_DROP_NONE);
}

static void test_packet_answers_arp(void **state)
{
    (void)state;
    static const uint8_t expected[60] = {
        2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 6,               /* Ethernet */
        0, 1, 8, 0, 6, 4, 0, 2,                                 /* ARP reply */
        2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9};
    struct packet packet;
    struct frame frame = arp_frame();
    assert_int_equal(frame.size_bytes, 60);
    assert_memory_equal(frame.data, broadcast_mac, 6);
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_ARP_REQUEST);
    assert_true(packet.has_neighbour);
    assert_memory_equal(packet.neighbour_mac, peer_mac, 6);
    assert_int_equal(packet_answer(&self, &packet, frame.data), 60);
    assert_memory_equal(frame.data, expected, 60);
}

static void test_packet_reads_arp_news(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = arp_frame();
    be16_store(frame.data + 20, 2); /* a reply to us */
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_NEIGHBOUR_NEWS);
    frame.size_bytes = packet_write_announcement(&peer, true, frame.data);
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_NEIGHBOUR_NEWS);
    assert_memory_equal(packet.from.ip + 12, peer_ipv4, 4);
    frame = arp_frame();
    memset(frame.data + 28, 0, 4); /* a probe: answered, nothing learnt */
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_ARP_REQUEST);
    assert_false(packet.has_neighbour);
}

static void test_packet_drops_bad_arp(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {14, 16, 18, 19}; /* hardware, protocol, their sizes */
    for (uint32_t i = 0; i < 4; i++) {
        struct frame frame = arp_frame();
        frame.data[offsets[i]] ^= 0x40;
        assert_int_equal(drop_of(&frame), DP_DROP_ARP);
    }
    struct frame frame = arp_frame();
    be16_store(frame.data + 20, 3); /* neither request nor reply */
    assert_int_equal(drop_of(&frame), DP_DROP_ARP);
    frame = arp_frame();
    frame.data[22] |= 1; /* the sender is a group */
    assert_int_equal(drop_of(&frame), DP_DROP_ARP);
    frame = arp_frame();
    memcpy(frame.data + 28, self.ipv4, 4); /* somebody claims our address */
    assert_int_equal(drop_of(&frame), DP_DROP_ARP);
}

static void test_packet_answers_solicitation(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = solicitation_frame();
    assert_int_equal(frame.size_bytes, 86);
    assert_memory_equal(frame.data, "\x33\x33\xff\xaa\xbb\x01", 6);
    assert_memory_equal(frame.data + 38, "\xff\2\0\0\0\0\0\0\0\0\0\1\xff\xaa\xbb\x01", 16);
    assert_true(is_ipv6_upper_sum_right(frame.data));
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_SOLICITATION);
    assert_int_equal(packet_answer(&self, &packet, frame.data), 86);
    assert_memory_equal(frame.data, peer_mac, 6);
    assert_memory_equal(frame.data + 6, self.mac, 6);
    assert_int_equal(frame.data[21], 255); /* hop limit */
    assert_memory_equal(frame.data + 22, self.ipv6, 16);
    assert_memory_equal(frame.data + 38, peer_ipv6, 16);
    assert_int_equal(frame.data[54], 136);
    assert_int_equal(be32_load(frame.data + 58), 0x60000000); /* solicited, override */
    assert_memory_equal(frame.data + 62, self.ipv6, 16);
    assert_memory_equal(frame.data + 78, "\2\1", 2);
    assert_memory_equal(frame.data + 80, self.mac, 6);
    assert_true(is_ipv6_upper_sum_right(frame.data));
}

/* A solicitation message for us, without options. */
static void solicitation_fill(uint8_t message[24])
{
    memset(message, 0, 24);
    message[0] = 135;
    memcpy(message + 8, self.ipv6, 16);
}

static void test_packet_answers_address_probe_to_everybody(void **state)
{
    (void)state;
    uint8_t message[24];
    struct packet packet;
    solicitation_fill(message);
    struct frame frame = icmp_frame(false, span_of(message, 24));
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_memory_equal(packet.neighbour_mac, peer_mac, 6); /* no option: the frame's sender */
    memset(frame.data + 22, 0, 16);
    uint16_t sum = slow_sum(24 + 58, frame.data + 22, 32);
    be16_store(frame.data + 56, 0);
    be16_store(frame.data + 56, (uint16_t)~slow_sum(sum, frame.data + 54, 24));
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_SOLICITATION);
    assert_false(packet.has_neighbour);
    assert_int_equal(packet_answer(&self, &packet, frame.data), 86);
    assert_memory_equal(frame.data, "\x33\x33\0\0\0\1", 6);
    assert_int_equal(be32_load(frame.data + 58), 0x20000000);
    assert_true(is_ipv6_upper_sum_right(frame.data));
}

static void test_packet_reads_advertisements(void **state)
{
    (void)state;
    struct packet packet;
    struct frame frame = {.size_bytes = 0};
    frame.size_bytes = packet_write_announcement(&peer, false, frame.data);
    assert_true(is_ipv6_upper_sum_right(frame.data));
    assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
    assert_int_equal(packet.kind, PACKET_NEIGHBOUR_NEWS);
    assert_memory_equal(packet.from.ip, peer_ipv6, 16);
    assert_memory_equal(packet.neighbour_mac, peer_mac, 6);
}

static void test_packet_drops_bad_discovery(void **state)
{
    (void)state;
    uint8_t message[200];
    solicitation_fill(message);
    struct frame frame = icmp_frame(false, span_of(message, 24));
    frame.data[21] = 64; /* came through a router */
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    message[1] = 1; /* code */
    frame = icmp_frame(false, span_of(message, 24));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    solicitation_fill(message);
    memset(message + 24, 0, 8); /* an option of no size */
    frame = icmp_frame(false, span_of(message, 32));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    message[24] = 1;
    message[25] = 2; /* an option beyond the end */
    frame = icmp_frame(false, span_of(message, 32));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    frame = icmp_frame(false, span_of(message, 25)); /* half an option header */
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    for (uint32_t i = 0; i < 17; i++) { /* more options than anybody sends */
        message[24 + 8 * i] = 14;
        message[25 + 8 * i] = 1;
    }
    frame = icmp_frame(false, span_of(message, 24 + 17 * 8));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    solicitation_fill(message);
    message[23] ^= 1; /* for another address */
    frame = icmp_frame(false, span_of(message, 24));
    assert_int_equal(drop_of(&frame), DP_DROP_IP_OTHER);
    message[0] = 136;
    memcpy(message + 8, self.ipv6, 16); /* somebody claims ours */
    frame = icmp_frame(false, span_of(message, 24));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
}

static void test_packet_answers_echo(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {8, 9, 64, 1400};
    for (uint32_t i = 0; i < 8; i++) {
        bool is_ipv4 = i % 2 == 0;
        uint8_t message[1400];
        struct packet packet;
        uint32_t size = sizes[i / 2];
        uint32_t upper = is_ipv4 ? 34 : 54;
        fill(message, size);
        message[0] = is_ipv4 ? 8 : 128;
        message[1] = 0;
        struct frame frame = icmp_frame(is_ipv4, span_of(message, size));
        assert_int_equal(parse(&frame, &packet), DP_DROP_NONE);
        assert_int_equal(packet.kind, is_ipv4 ? PACKET_ECHO_IPV4 : PACKET_ECHO_IPV6);
        uint32_t answer_size = packet_answer(&self, &packet, frame.data);
        assert_int_equal(answer_size, upper + size < 60 ? 60 : upper + size);
        assert_memory_equal(frame.data, peer_mac, 6);
        assert_int_equal(frame.data[upper], is_ipv4 ? 0 : 129);
        assert_memory_equal(frame.data + upper + 4, message + 4, size - 4);
        if (is_ipv4) {
            assert_memory_equal(frame.data + 30, peer_ipv4, 4);
            assert_int_equal(slow_sum(0, frame.data + 14, 20), 0xffff);
            assert_int_equal(slow_sum(0, frame.data + 34, size), 0xffff);
        } else {
            assert_memory_equal(frame.data + 38, peer_ipv6, 16);
            assert_true(is_ipv6_upper_sum_right(frame.data));
        }
    }
}

static void test_packet_drops_bad_icmp(void **state)
{
    (void)state;
    struct frame frame = icmp_frame(true, span_of("\x08\0\0\0abcdefgh", 12));
    frame.data[40] ^= 1;
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    frame = icmp_frame(true, span_of("\x03\x03\0\0abcdefgh", 12)); /* unreachable */
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    frame = icmp_frame(false, span_of("\x80\0\0\0abcdefgh", 12));
    frame.data[60] ^= 1;
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
    frame = icmp_frame(false, span_of("\x01\0\0\0abcdefgh", 12));
    assert_int_equal(drop_of(&frame), DP_DROP_ICMP);
}

static void test_packet_leaves_checksums_to_port(void **state)
{
    (void)state;
    struct frame frame = udp_frame(true, 33);
    assert_int_equal(packet_end_udp(frame.data, true, 33, PACKET_TRUST_IP | PACKET_TRUST_UDP),
                     frame.size_bytes);
    assert_int_equal(be16_load(frame.data + 24), 0);
    /* The port adds header and payload to the pseudo-header's sum that it finds. */
    assert_int_equal(be16_load(frame.data + 40), slow_sum(41 + 17, frame.data + 26, 8));
}

static void test_packet_never_sends_zero_checksum(void **state)
{
    (void)state;
    struct frame frame = udp_frame(true, 2);
    /* The payload that makes the sum come out as 0: the checksum itself, taken as data. */
    memset(frame.data + 42, 0, 2);
    (void)packet_end_udp(frame.data, true, 2, 0);
    memcpy(frame.data + 42, frame.data + 40, 2);
    (void)packet_end_udp(frame.data, true, 2, 0);
    assert_int_equal(be16_load(frame.data + 40), 0xffff);
    assert_int_equal(drop_of(&frame), DP_DROP_NONE);
}

static void test_packet_checksum_is_that_of_the_rfc(void **state)
{
    (void)state;
    struct prng prng;
    uint8_t data[200];
    prng_init(&prng, 3);
    for (uint32_t size = 0; size < sizeof(data); size++) {
        for (uint32_t i = 0; i < size; i++) {
            data[i] = (uint8_t)prng_next(&prng);
        }
        uint16_t checksum = checksum_finish(checksum_add(0, data, size));
        uint8_t bytes[2];
        memcpy(bytes, &checksum, 2);
        assert_int_equal(be16_load(bytes), (uint16_t)~slow_sum(0, data, size));
    }
}

/* Mutated frames never make the parser claim bytes beyond their end. */
static void test_packet_views_stay_inside_mutated_frames(void **state)
{
    (void)state;
    struct prng prng;
    uint64_t good = 0;
    struct frame seeds[] = {udp_frame(true, 60), udp_frame(false, 60), arp_frame(),
                            solicitation_frame(),
                            icmp_frame(true, span_of("\x08\0\0\0abcdefgh", 12))};
    prng_init(&prng, 7);
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        struct packet packet;
        struct frame frame = seeds[prng_range(&prng, 0, 4)];
        for (uint64_t flips = prng_range(&prng, 0, 3); flips > 0; flips--) {
            frame.data[prng_range(&prng, 0, frame.size_bytes - 1)] = (uint8_t)prng_next(&prng);
        }
        frame.size_bytes = (uint32_t)prng_range(&prng, frame.size_bytes / 2, frame.size_bytes);
        enum dp_drop drop = packet_parse(&self, span_of(frame.data, frame.size_bytes),
                                         PACKET_TRUST_IP | PACKET_TRUST_UDP, &packet);
        if (drop != DP_DROP_NONE) {
            assert_in_range(drop, 0, DP_DROP_COUNT - 1);
            continue;
        }
        good++;
        if (packet.kind == PACKET_UDP) {
            assert_true(packet.payload_offset + packet.payload_size_bytes <= frame.size_bytes);
        } else if (packet.kind != PACKET_NEIGHBOUR_NEWS) {
            assert_true(packet_answer(&self, &packet, frame.data) <= PACKET_ANSWER_SIZE_BYTES);
        }
    }
    assert_true(good > MUTATIONS / 100);
}

static void test_packet_drop_names(void **state)
{
    (void)state;
    assert_string_equal(dp_drop_name(DP_DROP_UDP_CHECKSUM), "udp_checksum");
    assert_string_equal(dp_drop_text(DP_DROP_UDP_CHECKSUM), "wrong UDP checksum");
    assert_string_equal(dp_drop_name(DP_DROP_COUNT), "unknown");
    assert_string_equal(dp_drop_text(DP_DROP_COUNT), "unknown reason");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_reads_datagrams),
        cmocka_unit_test(test_packet_steps_over_ipv4_options),
        cmocka_unit_test(test_packet_drops_short_frames),
        cmocka_unit_test(test_packet_drops_frames_for_others),
        cmocka_unit_test(test_packet_drops_bad_ip_headers),
        cmocka_unit_test(test_packet_drops_bad_udp),
        cmocka_unit_test(test_packet_trusts_ip_checksum_of_port),
        cmocka_unit_test(test_packet_answers_arp),
        cmocka_unit_test(test_packet_reads_arp_news),
        cmocka_unit_test(test_packet_drops_bad_arp),
        cmocka_unit_test(test_packet_answers_solicitation),
        cmocka_unit_test(test_packet_answers_address_probe_to_everybody),
        cmocka_unit_test(test_packet_reads_advertisements),
        cmocka_unit_test(test_packet_drops_bad_discovery),
        cmocka_unit_test(test_packet_answers_echo),
        cmocka_unit_test(test_packet_drops_bad_icmp),
        cmocka_unit_test(test_packet_leaves_checksums_to_port),
        cmocka_unit_test(test_packet_never_sends_zero_checksum),
        cmocka_unit_test(test_packet_checksum_is_that_of_the_rfc),
        cmocka_unit_test(test_packet_views_stay_inside_mutated_frames),
        cmocka_unit_test(test_packet_drop_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
