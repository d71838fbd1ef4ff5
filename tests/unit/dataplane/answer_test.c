/* ARP, neighbour discovery and echo: good requests answered as the RFCs say, bad dropped. */
#include "tests/unit/dataplane/frame_maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_packet_answers_arp(void **state)
{
    (void)state;
    static const uint8_t expected[60] = {2, 0, 0,  0, 0, 9, 2,  0, 0, 0, 0, 1, 8, 6, /* Ethernet */
                                         0, 1, 8,  0, 6, 4, 0,  2,                   /* ARP reply */
                                         2, 0, 0,  0, 0, 1, 10, 0, 0, 1, 2, 0, 0, 0,
                                         0, 9, 10, 0, 0, 9};
    struct packet packet;
    struct frame frame = arp_frame();
    assert_int_equal(frame.size_bytes, 60);
    assert_memory_equal(frame.data, "\xff\xff\xff\xff\xff\xff", 6);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_answers_arp),
        cmocka_unit_test(test_packet_reads_arp_news),
        cmocka_unit_test(test_packet_drops_bad_arp),
        cmocka_unit_test(test_packet_answers_solicitation),
        cmocka_unit_test(test_packet_answers_address_probe_to_everybody),
        cmocka_unit_test(test_packet_reads_advertisements),
        cmocka_unit_test(test_packet_drops_bad_discovery),
        cmocka_unit_test(test_packet_answers_echo),
        cmocka_unit_test(test_packet_drops_bad_icmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
