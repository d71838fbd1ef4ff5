/*
 * Datagram ports over net_ring, unprivileged and without hugepages. The ring hands every frame that
 * is sent back to the receiver, so two datagram ports with two addresses on the one queue of the
 * one frame port see each other's frames in order.
 */
#include "dataplane/frame.h"
#include "dataplane/neighbours.h"
#include "dataplane/packet.h"
#include "dataplane/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_FRAMES     2048
#define RING_FRAMES_MAX 1500 /* more than net_ring holds, fewer than the pool */

static struct dp_frame_port *frames;

static const uint8_t ipv4_a[4] = {10, 0, 0, 1};
static const uint8_t ipv4_b[4] = {10, 0, 0, 2};
static const uint8_t ipv6_a[16] = {0xfd, 0, [15] = 1};
static const uint8_t ipv6_b[16] = {0xfd, 0, [15] = 2};

static struct dp_port *port_open(const uint8_t ipv4[4], const uint8_t ipv6[16])
{
    char reason[256] = "";
    struct dp_port *port;
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = address_of_ipv4(ipv4, 7000),
                                      .ipv6 = address_of_ip(ipv6, 7001),
                                      .ipv4_prefix_bits = 24,
                                      .ipv6_prefix_bits = 64,
                                      .gateway_ipv4 = {10, 0, 0, 2}};
    assert_int_equal(dp_port_open(&options, &port, reason, sizeof(reason)), OK);
    return port;
}

static int ring_setup(void **state)
{
    char reason[512] = "";
    char prefix[64];
    (void)state;
    (void)snprintf(prefix, sizeof(prefix), "pollux_port_test_%d", getpid());
    struct dp_environment_options environment = {
        .program = "port_test", .file_prefix = prefix, .vdevs = {"net_ring0"}, .vdev_count = 1};
    if (dp_start(&environment, reason, sizeof(reason)) != OK) {
        print_error("%s\n", reason);
        return -1;
    }
    struct dp_frame_port_options options = {
        .name = "net_ring0", .queue_count = 1, .ring_size = 512, .pool_size = POOL_FRAMES};
    if (dp_frame_port_open(&options, &frames, reason, sizeof(reason)) != OK) {
        print_error("%s\n", reason);
        return -1;
    }
    return 0;
}

static int ring_teardown(void **state)
{
    (void)state;
    dp_frame_port_close(frames);
    dp_stop();
    return 0;
}

/* Empties the ring, so that tests do not see each other's frames. */
static void ring_drain(void)
{
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    uint32_t count;
    while ((count = dp_frame_rx(frames, 0, left, DP_FRAME_BURST_MAX)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            dp_frame_free(left[i]);
        }
    }
}

/* Runs the resolution of `to` between two ports: query, answer, learning. */
static void resolve(struct dp_port *from, struct dp_port *to_port, const struct address *to)
{
    struct dp_datagram got[RX_BURST_MAX];
    assert_null(dp_port_tx_reserve(from, 0, to));
    dp_port_tx_flush(from);
    assert_int_equal(dp_port_rx(to_port, 1, got, RX_BURST_MAX), 0);
    dp_port_tx_flush(to_port);
    assert_int_equal(dp_port_rx(from, 2, got, RX_BURST_MAX), 0);
}

static void round_trip(bool is_ipv4, uint32_t size_bytes)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_port *b = port_open(ipv4_b, ipv6_b);
    struct address to = is_ipv4 ? address_of_ipv4(ipv4_b, 7000) : address_of_ip(ipv6_b, 7001);
    struct dp_datagram got[RX_BURST_MAX];
    resolve(a, b, &to);
    uint8_t *room = dp_port_tx_reserve(a, 0, &to);
    assert_non_null(room);
    for (uint32_t i = 0; i < size_bytes; i++) {
        room[i] = (uint8_t)(i * 7 + 3);
    }
    dp_port_tx_commit(a, size_bytes);
    dp_port_tx_flush(a);
    assert_int_equal(dp_port_rx(b, 3, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].size_bytes, size_bytes);
    for (uint32_t i = 0; i < size_bytes; i++) {
        assert_int_equal(got[0].data[i], (uint8_t)(i * 7 + 3));
    }
    struct address from = is_ipv4 ? address_of_ipv4(ipv4_a, 7000) : address_of_ip(ipv6_a, 7001);
    assert_true(address_is_equal(&got[0].from, &from));
    /* The query taught b where a is: the way back needs none. */
    assert_non_null(dp_port_tx_reserve(b, 0, &got[0].from));
    assert_int_equal(dp_port_counters(a)->drops[DP_DROP_NO_ROUTE], 1);
    assert_int_equal(dp_port_counters(b)->drops[DP_DROP_NO_ROUTE], 0);
    dp_port_close(a);
    dp_port_close(b);
    ring_drain();
}

static void test_port_round_trip_ipv4(void **state)
{
    (void)state;
    round_trip(true, 0);
    round_trip(true, 1);
    round_trip(true, 1000);
    round_trip(true, PACKET_SIZE_BYTES_USUAL);
}

static void test_port_round_trip_ipv6(void **state)
{
    (void)state;
    round_trip(false, 0);
    round_trip(false, 1);
    round_trip(false, PACKET_SIZE_BYTES_USUAL);
}

static struct dp_frame *frame_of(const uint8_t *data, uint32_t size_bytes)
{
    struct dp_frame *frame = dp_frame_new(frames, 0);
    assert_non_null(frame);
    memcpy(dp_frame_data(frame), data, size_bytes);
    dp_frame_set_size_bytes(frame, size_bytes);
    return frame;
}

/* A good datagram from 10.0.0.9 to port a. */
static uint32_t datagram_write(uint8_t *data)
{
    struct packet_self peer = {.mac = {2, 9}, .has_ipv4 = true, .ipv4 = {10, 0, 0, 9}};
    struct address to = address_of_ipv4(ipv4_a, 7000);
    uint8_t mac[6];
    peer.ipv4_port = 9000;
    dp_frame_port_mac(frames, mac);
    packet_begin_udp(&peer, 0, &to, mac, data);
    memset(data + 42, 'x', 20);
    return packet_end_udp(data, true, 20, 0);
}

static void frame_send(const uint8_t *data, uint32_t size_bytes)
{
    struct dp_frame *frame = frame_of(data, size_bytes);
    assert_int_equal(dp_frame_tx(frames, 0, &frame, 1), 1);
}

static void test_port_counts_bad_frames_and_goes_on(void **state)
{
    static const struct {
        uint32_t offset;
        uint8_t flip;
        enum dp_drop drop;
    } cases[] = {
        {1, 1, DP_DROP_FRAME_OTHER_MAC}, {12, 1, DP_DROP_ETHERTYPE},  {14, 0x10, DP_DROP_IP_HEADER},
        {24, 1, DP_DROP_IP_CHECKSUM},    {38, 1, DP_DROP_UDP_LENGTH}, {50, 1, DP_DROP_UDP_CHECKSUM},
    };
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_datagram got[RX_BURST_MAX];
    uint8_t data[2048];
    (void)state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t size = datagram_write(data);
        data[cases[i].offset] ^= cases[i].flip;
        frame_send(data, size);
        data[cases[i].offset] ^= cases[i].flip;
        frame_send(data, size);
        /* The bad one is counted, the good one behind it arrives. */
        assert_int_equal(dp_port_rx(a, i, got, RX_BURST_MAX), 1);
        assert_int_equal(got[0].size_bytes, 20);
        assert_int_equal(dp_port_counters(a)->drops[cases[i].drop], 1);
    }
    frame_send(data, 13);
    assert_int_equal(dp_port_rx(a, 9, got, RX_BURST_MAX), 0);
    assert_int_equal(dp_port_counters(a)->drops[DP_DROP_FRAME_SHORT], 1);
    assert_int_equal(dp_port_counters(a)->rx_packets, 13);
    dp_port_close(a);
    ring_drain();
}

/* The MAC that the port sends to; it may ask everybody first. */
static void send_and_take(struct dp_port *port, const uint8_t ipv4[4], uint8_t ret_mac[6])
{
    struct address to = address_of_ipv4(ipv4, 7000);
    struct dp_frame *frame;
    assert_non_null(dp_port_tx_reserve(port, 0, &to));
    dp_port_tx_commit(port, 20);
    dp_port_tx_flush(port);
    do {
        assert_int_equal(dp_frame_rx(frames, 0, &frame, 1), 1);
        memcpy(ret_mac, dp_frame_data(frame), 6);
        dp_frame_free(frame);
    } while (ret_mac[0] == 0xff);
}

static const uint8_t pinned_ip[4] = {10, 0, 0, 9};

/* The pinned one has the MAC that datagram_write does not have. */
static void test_port_asks_nobody_for_a_pinned_mac(void **state)
{
    static const uint8_t right[6] = {2, 0, 0, 0, 0, 7};
    struct dp_neighbour pinned;
    struct dp_port *a;
    struct dp_datagram got[RX_BURST_MAX];
    char reason[256] = "";
    uint8_t data[2048];
    uint8_t mac[6];
    struct address ip = address_of_ipv4(pinned_ip, 0);
    (void)state;
    memcpy(pinned.ip, ip.ip, 16);
    memcpy(pinned.mac, right, 6);
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = address_of_ipv4(ipv4_a, 7000),
                                      .ipv4_prefix_bits = 24,
                                      .neighbours = &pinned,
                                      .neighbour_count = 1};
    assert_int_equal(dp_port_open(&options, &a, reason, sizeof(reason)), OK);
    send_and_take(a, pinned_ip, mac);
    assert_memory_equal(mac, right, 6);
    frame_send(data, datagram_write(data)); /* it is taken; who may say what is not the port's */
    assert_int_equal(dp_port_rx(a, 1, got, RX_BURST_MAX), 1);
    send_and_take(a, pinned_ip, mac);
    assert_memory_equal(mac, right, 6);
    dp_port_tick(a, 2);
    assert_int_equal(dp_port_counters(a)->neighbour_conflicts, 1);
    assert_int_equal(dp_port_counters(a)->neighbour_changes, 0);
    dp_port_close(a);
    ring_drain();
}

/* A packet that only says that it comes from b does not lead away what is meant for b. */
static void test_port_believes_answers_and_no_packet(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct packet_self thief = {.mac = {2, 0, 0, 0, 6, 6}, .has_ipv4 = true, .ipv4_port = 7000};
    struct packet_self b = {.mac = {2, 0, 0, 0, 0, 0xb}, .has_ipv4 = true};
    struct address to_a = address_of_ipv4(ipv4_a, 7000);
    struct address to_b = address_of_ipv4(ipv4_b, 7000);
    struct dp_datagram got[RX_BURST_MAX];
    uint8_t data[2048];
    uint8_t mac[6];
    (void)state;
    memcpy(thief.ipv4, ipv4_b, 4);
    memcpy(b.ipv4, ipv4_b, 4);
    assert_null(dp_port_tx_reserve(a, 0, &to_b)); /* asks */
    dp_port_tx_flush(a);
    ring_drain();
    frame_send(data, packet_write_announcement(&b, true, data));
    assert_int_equal(dp_port_rx(a, 1, got, RX_BURST_MAX), 0);
    send_and_take(a, ipv4_b, mac);
    assert_memory_equal(mac, b.mac, 6);
    dp_frame_port_mac(frames, mac);
    packet_begin_udp(&thief, 0, &to_a, mac, data);
    memset(data + 42, 'x', 20);
    frame_send(data, packet_end_udp(data, true, 20, 0));
    frame_send(data, packet_write_announcement(&thief, true, data));
    assert_int_equal(dp_port_rx(a, 2, got, RX_BURST_MAX), 1);
    send_and_take(a, ipv4_b, mac);
    assert_memory_equal(mac, b.mac, 6);
    dp_port_tick(a, 3);
    assert_int_equal(dp_port_counters(a)->neighbour_conflicts, 2);
    assert_int_equal(dp_port_counters(a)->neighbour_changes, 0);
    dp_port_close(a);
    ring_drain();
}

static void test_port_answers_and_counts_each_kind(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct packet_self peer = {.mac = {2, 9}, .has_ipv4 = true, .has_ipv6 = true};
    struct dp_datagram got[RX_BURST_MAX];
    struct packet packet;
    uint8_t data[256];
    (void)state;
    memcpy(peer.ipv4, ipv4_b, 4);
    memcpy(peer.ipv6, ipv6_b, 16);
    struct address to = address_of_ipv4(ipv4_a, 0);
    frame_send(data, packet_write_query(&peer, to.ip, data));
    frame_send(data, packet_write_query(&peer, ipv6_a, data));
    assert_int_equal(dp_port_rx(a, 1, got, RX_BURST_MAX), 0);
    assert_int_equal(dp_port_counters(a)->arp_answers, 1);
    assert_int_equal(dp_port_counters(a)->neighbour_answers, 1);
    dp_port_tx_flush(a);
    for (uint32_t i = 0; i < 2; i++) {
        struct dp_frame *answer;
        assert_int_equal(dp_frame_rx(frames, 0, &answer, 1), 1);
        struct span bytes = span_of(dp_frame_data(answer), dp_frame_size_bytes(answer));
        assert_int_equal(packet_parse(&peer, bytes, 0, &packet), DP_DROP_NONE);
        assert_int_equal(packet.kind, PACKET_NEIGHBOUR_NEWS);
        dp_frame_free(answer);
    }
    dp_port_close(a);
    ring_drain();
}

static void test_port_sends_off_subnet_to_gateway(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_port *b = port_open(ipv4_b, ipv6_b);
    struct address far = address_of_ipv4((const uint8_t[4]){192, 0, 2, 7}, 1);
    struct address far_ipv6 = {.ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 1};
    (void)state;
    resolve(a, b, &far);
    assert_non_null(dp_port_tx_reserve(a, 0, &far));
    assert_null(dp_port_tx_reserve(a, 0, &far_ipv6)); /* no gateway there */
    assert_int_equal(dp_port_counters(a)->drops[DP_DROP_NO_ROUTE], 2);
    dp_port_close(a);
    dp_port_close(b);
    ring_drain();
}

static void test_port_repeats_queries_until_it_gives_up(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct address to = address_of_ipv4((const uint8_t[4]){10, 0, 0, 77}, 1);
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    uint32_t queries = 0;
    (void)state;
    dp_port_tick(a, 1);
    ring_drain(); /* the announcement of a link that came up */
    assert_null(dp_port_tx_reserve(a, 0, &to));
    dp_port_tx_flush(a);
    for (uint64_t turn = 1; turn <= 40; turn++) {
        dp_port_tick(a, turn * NEIGHBOUR_QUERY_INTERVAL_NS / 2);
        uint32_t count = dp_frame_rx(frames, 0, left, DP_FRAME_BURST_MAX);
        for (uint32_t i = 0; i < count; i++) {
            dp_frame_free(left[i]);
        }
        queries += count;
    }
    assert_int_equal(queries, NEIGHBOUR_QUERIES_MAX);
    dp_port_close(a);
    ring_drain();
}

static void test_port_announces_itself_on_a_new_link(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    (void)state;
    dp_port_tick(a, 1);
    dp_port_tick(a, 2000000000);
    assert_int_equal(dp_frame_rx(frames, 0, left, DP_FRAME_BURST_MAX), 2);
    assert_int_equal(dp_frame_data(left[0])[13], 0x06); /* ARP */
    assert_int_equal(dp_frame_data(left[1])[54], 136);  /* advertisement */
    dp_frame_free(left[0]);
    dp_frame_free(left[1]);
    dp_port_close(a);
}

static void test_port_counts_a_full_ring(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_port *b = port_open(ipv4_b, ipv6_b);
    struct address to = address_of_ipv4(ipv4_b, 7000);
    (void)state;
    resolve(a, b, &to);
    uint64_t sent_before = dp_port_counters(a)->tx_packets;
    for (uint32_t i = 0; i < RING_FRAMES_MAX; i++) {
        assert_non_null(dp_port_tx_reserve(a, 0, &to));
        dp_port_tx_commit(a, 10);
    }
    dp_port_tx_flush(a);
    const struct dp_counters *counters = dp_port_counters(a);
    assert_true(counters->drops[DP_DROP_TX_FULL] > 0);
    assert_int_equal(counters->tx_packets - sent_before + counters->drops[DP_DROP_TX_FULL],
                     RING_FRAMES_MAX);
    ring_drain();
    round_trip(true, 100);
    dp_port_close(a);
    dp_port_close(b);
    ring_drain();
}

static void test_port_counts_an_empty_pool(void **state)
{
    static struct dp_frame *hoard[POOL_FRAMES];
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_port *b = port_open(ipv4_b, ipv6_b);
    struct address to = address_of_ipv4(ipv4_b, 7000);
    uint32_t count = 0;
    (void)state;
    resolve(a, b, &to);
    dp_port_close(b);
    while (count < POOL_FRAMES && (hoard[count] = dp_frame_new(frames, 0)) != NULL) {
        count++;
    }
    /* What the port had put aside is used up first. */
    for (uint32_t i = 0; i < RX_BURST_MAX && dp_port_tx_reserve(a, 0, &to) != NULL; i++) {
        dp_port_tx_commit(a, 1);
    }
    assert_int_equal(dp_port_counters(a)->drops[DP_DROP_POOL_EMPTY], 1);
    for (uint32_t i = 0; i < count; i++) {
        dp_frame_free(hoard[i]);
    }
    dp_port_tx_flush(a);
    ring_drain();
    assert_non_null(dp_port_tx_reserve(a, 0, &to));
    dp_port_close(a);
}

static void test_port_counts_a_full_neighbour_table(void **state)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    (void)state;
    for (uint32_t i = 0; i < 4 * NEIGHBOURS_MAX; i++) {
        struct address to = {.ip = {0xfd, [8] = (uint8_t)(i >> 8), [15] = (uint8_t)i}, .port = 1};
        assert_null(dp_port_tx_reserve(a, 0, &to));
        if (i % 256 == 0) {
            ring_drain();
        }
    }
    assert_true(dp_port_counters(a)->drops[DP_DROP_NEIGHBOURS_FULL] > 0);
    assert_true(dp_port_counters(a)->drops[DP_DROP_NO_ROUTE] > 0);
    dp_port_close(a);
    ring_drain();
}

static void test_port_refuses_bad_options(void **state)
{
    struct dp_port *port = NULL;
    struct dp_port_options good = {
        .frames = frames, .ipv4 = address_of_ipv4(ipv4_a, 7000), .ipv4_prefix_bits = 24};
    struct dp_port_options bad[6];
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        bad[i] = good;
    }
    bad[0].queue = 1;
    bad[1].ipv4 = (struct address){.port = 0};
    bad[2].ipv4_prefix_bits = 33;
    bad[3].ipv4.port = 0;
    bad[4].ipv6 = address_of_ipv4(ipv4_b, 1);
    bad[5].frames = NULL;
    for (uint32_t i = 0; i < 6; i++) {
        char reason[128] = "";
        assert_int_equal(dp_port_open(&bad[i], &port, reason, sizeof(reason)), ERR_ARGUMENT);
        assert_true(strlen(reason) > 10);
        assert_null(port);
    }
}

static void test_frame_copies_and_refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct dp_frame *frame = frame_of((const uint8_t *)"abc", 3);
    struct dp_frame *copy = dp_frame_copy(frames, 0, frame);
    assert_non_null(copy);
    assert_int_equal(dp_frame_size_bytes(copy), 3);
    assert_memory_equal(dp_frame_data(copy), "abc", 3);
    assert_true(dp_frame_capacity_bytes(copy) >= 1514);
    dp_frame_free(frame);
    dp_frame_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_round_trip_ipv4),
        cmocka_unit_test(test_port_round_trip_ipv6),
        cmocka_unit_test(test_port_counts_bad_frames_and_goes_on),
        cmocka_unit_test(test_port_asks_nobody_for_a_pinned_mac),
        cmocka_unit_test(test_port_believes_answers_and_no_packet),
        cmocka_unit_test(test_port_answers_and_counts_each_kind),
        cmocka_unit_test(test_port_sends_off_subnet_to_gateway),
        cmocka_unit_test(test_port_repeats_queries_until_it_gives_up),
        cmocka_unit_test(test_port_announces_itself_on_a_new_link),
        cmocka_unit_test(test_port_counts_a_full_ring),
        cmocka_unit_test(test_port_counts_an_empty_pool),
        cmocka_unit_test(test_port_counts_a_full_neighbour_table),
        cmocka_unit_test(test_port_refuses_bad_options),
        cmocka_unit_test(test_frame_copies_and_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
