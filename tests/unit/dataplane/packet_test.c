/* The parser on bytes: each drop reason of IP and UDP caused once, each good datagram read. */
#include "tests/unit/dataplane/frame_maker.h"

#include "base/prng.h"
#include "dataplane/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MUTATIONS 200000

static void test_packet_reads_datagrams(void **state)
{
    static const uint32_t sizes[] = {0, 1, 2, 17, 18, 19, 100, 1451, PACKET_SIZE_BYTES_USUAL};
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
        /* Nothing is known of it yet. */
        assert_int_equal(packet.from.room | packet.from.via | packet.from.packet_bytes, 0);
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
    assert_int_equal(drop_of(&frame), DP_DROP_VLAN);
    frame = udp_frame(true, 10);
    be16_store(frame.data + 12, 0x88cc);
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
        {14, 0x55, DP_DROP_IP_HEADER},   /* version 5 */
        {14, 0x44, DP_DROP_IP_HEADER},   /* 16 bytes of header */
        {17, 19, DP_DROP_IP_HEADER},     /* total length under the header's */
        {26, 0, DP_DROP_IP_HEADER},      /* from "this network" */
        {26, 224, DP_DROP_IP_HEADER},    /* from a group */
        {20, 0x20, DP_DROP_IP_FRAGMENT}, /* more fragments */
        {21, 1, DP_DROP_IP_FRAGMENT},    /* an offset */
        {23, 6, DP_DROP_IP_PROTOCOL},    /* TCP */
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
    assert_int_equal(
        packet_parse(&self, span_of(frame.data, frame.size_bytes), PACKET_TRUST_UDP, &packet),
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
    assert_int_equal(
        packet_parse(&self, span_of(frame.data, frame.size_bytes), PACKET_TRUST_IP, &packet),
        DP_DROP_NONE);
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
    assert_string_equal(dp_drop_name(DP_DROP_COUNT), "unknown");
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
        cmocka_unit_test(test_packet_leaves_checksums_to_port),
        cmocka_unit_test(test_packet_never_sends_zero_checksum),
        cmocka_unit_test(test_packet_checksum_is_that_of_the_rfc),
        cmocka_unit_test(test_packet_views_stay_inside_mutated_frames),
        cmocka_unit_test(test_packet_drop_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
