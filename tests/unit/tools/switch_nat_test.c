/* Datagrams into frames and back: round trips, known checksums, and each malformed header. */
#include "tools/switch/nat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define FRAME_BYTES (NAT_HEADER_SIZE_BYTES + NAT_PAYLOAD_BYTES_MAX)

static uint8_t frame[FRAME_BYTES];

static const struct nat_flow flow = {.source_mac = {2, 1, 1, 1, 1, 1},
                                     .destination_mac = {2, 2, 2, 2, 2, 2},
                                     .source_host = 254,
                                     .destination_host = 3,
                                     .source_port = 40000,
                                     .destination_port = 7400};

static uint32_t build(uint32_t payload_bytes)
{
    for (uint32_t i = 0; i < payload_bytes; i++) {
        frame[NAT_HEADER_SIZE_BYTES + i] = (uint8_t)(i * 7 + 1);
    }
    nat_header_write(frame, &flow, payload_bytes);
    return NAT_HEADER_SIZE_BYTES + payload_bytes;
}

static enum error read_frame(uint32_t size_bytes)
{
    struct nat_flow read;
    struct span payload;
    return nat_frame_read(span_of(frame, size_bytes), &read, &payload);
}

static void test_nat_reads_what_it_wrote(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= NAT_PAYLOAD_BYTES_MAX; size += 13) {
        struct nat_flow read;
        struct span payload;
        uint32_t frame_bytes = build(size);
        assert_int_equal(nat_frame_read(span_of(frame, frame_bytes), &read, &payload), OK);
        assert_memory_equal(read.source_mac, flow.source_mac, 6);
        assert_memory_equal(read.destination_mac, flow.destination_mac, 6);
        assert_int_equal(read.source_host, 254);
        assert_int_equal(read.destination_host, 3);
        assert_int_equal(read.source_port, 40000);
        assert_int_equal(read.destination_port, 7400);
        assert_int_equal(payload.size_bytes, size);
        assert_ptr_equal(payload.data, frame + NAT_HEADER_SIZE_BYTES);
    }
}

static void test_nat_sums_as_rfc_1071(void **state)
{
    (void)state;
    /* RFC 1071, section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2. */
    const uint8_t bytes[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = (uint16_t)~nat_fold(nat_sum(0, bytes, sizeof(bytes)));
    const uint8_t expected[2] = {0xdd, 0xf2};
    assert_memory_equal(&sum, expected, 2);
}

static void test_nat_ignores_ethernet_padding(void **state)
{
    (void)state;
    build(1);
    assert_int_equal(read_frame(60), OK);
}

static void test_nat_detects_every_flipped_bit(void **state)
{
    (void)state;
    uint32_t size = build(33);
    for (uint32_t bit = 14 * 8; bit < size * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(read_frame(size), OK);
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(read_frame(size), OK);
}

static void fix_ip_checksum(void)
{
    frame[24] = 0;
    frame[25] = 0;
    uint16_t checksum = nat_fold(nat_sum(0, frame + 14, 20));
    memcpy(frame + 24, &checksum, 2);
}

static void test_nat_refuses_short_frames(void **state)
{
    (void)state;
    uint32_t size = build(10);
    for (uint32_t shorter = 0; shorter < size; shorter++) {
        assert_int_equal(read_frame(shorter), ERR_SHORT);
    }
}

static void test_nat_refuses_other_protocols(void **state)
{
    (void)state;
    uint32_t size = build(10);
    frame[12] = 0x86;
    frame[13] = 0xdd;
    assert_int_equal(read_frame(size), ERR_TYPE);
    build(10);
    frame[23] = 6;
    fix_ip_checksum();
    assert_int_equal(read_frame(size), ERR_TYPE);
    build(10);
    frame[20] = 0x20; /* more fragments */
    fix_ip_checksum();
    assert_int_equal(read_frame(size), ERR_TYPE);
}

static void test_nat_refuses_other_networks(void **state)
{
    (void)state;
    uint32_t size = build(10);
    frame[26] = 192;
    fix_ip_checksum();
    assert_int_equal(read_frame(size), ERR_RANGE);
}

static void test_nat_refuses_contradicting_lengths(void **state)
{
    (void)state;
    uint32_t size = build(10);
    frame[39] = 17; /* UDP length below the IP header's */
    assert_int_equal(read_frame(size), ERR_CORRUPT);
    build(10);
    frame[17] = 27; /* IP total length ends inside the UDP header */
    fix_ip_checksum();
    assert_int_equal(read_frame(size), ERR_CORRUPT);
}

static void test_nat_refuses_wrong_checksums(void **state)
{
    (void)state;
    uint32_t size = build(10);
    frame[22] ^= 1;
    assert_int_equal(read_frame(size), ERR_CHECKSUM);
    build(10);
    frame[size - 1] ^= 1;
    assert_int_equal(read_frame(size), ERR_CHECKSUM);
    frame[40] = 0; /* no checksum at all is allowed (RFC 768) */
    frame[41] = 0;
    assert_int_equal(read_frame(size), OK);
}

static void test_nat_reads_the_arp_it_wrote(void **state)
{
    (void)state;
    const uint8_t target[6] = {2, 9, 9, 9, 9, 9};
    const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct nat_arp arp = {
        .is_request = true, .sender_mac = {2, 1, 1, 1, 1, 1}, .sender_host = 254, .target_host = 2};
    struct nat_arp read;
    nat_arp_write(frame, &arp, target);
    assert_memory_equal(frame, broadcast, 6);
    assert_int_equal(nat_arp_read(span_of(frame, NAT_ARP_SIZE_BYTES), &read), OK);
    assert_memory_equal(&read, &arp, sizeof(arp));
    arp.is_request = false;
    nat_arp_write(frame, &arp, target);
    assert_memory_equal(frame, target, 6);
    assert_memory_equal(frame + 32, target, 6);
    assert_int_equal(nat_arp_read(span_of(frame, NAT_ARP_SIZE_BYTES), &read), OK);
    assert_false(read.is_request);
}

static void test_nat_refuses_bad_arp(void **state)
{
    (void)state;
    const uint8_t target[6] = {2, 9, 9, 9, 9, 9};
    struct nat_arp arp = {.is_request = true, .sender_host = 254, .target_host = 2};
    struct nat_arp read;
    struct span bytes = span_of(frame, NAT_ARP_SIZE_BYTES);
    nat_arp_write(frame, &arp, target);
    assert_int_equal(nat_arp_read(span_of(frame, 41), &read), ERR_SHORT);
    frame[15] = 6; /* not Ethernet */
    assert_int_equal(nat_arp_read(bytes, &read), ERR_TYPE);
    nat_arp_write(frame, &arp, target);
    frame[21] = 3; /* reverse ARP */
    assert_int_equal(nat_arp_read(bytes, &read), ERR_TYPE);
    nat_arp_write(frame, &arp, target);
    frame[28] = 192;
    assert_int_equal(nat_arp_read(bytes, &read), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nat_reads_what_it_wrote),
        cmocka_unit_test(test_nat_sums_as_rfc_1071),
        cmocka_unit_test(test_nat_ignores_ethernet_padding),
        cmocka_unit_test(test_nat_detects_every_flipped_bit),
        cmocka_unit_test(test_nat_refuses_short_frames),
        cmocka_unit_test(test_nat_refuses_other_protocols),
        cmocka_unit_test(test_nat_refuses_other_networks),
        cmocka_unit_test(test_nat_refuses_contradicting_lengths),
        cmocka_unit_test(test_nat_refuses_wrong_checksums),
        cmocka_unit_test(test_nat_reads_the_arp_it_wrote),
        cmocka_unit_test(test_nat_refuses_bad_arp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
