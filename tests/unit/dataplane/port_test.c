/*
 * Datagram ports over net_ring, unprivileged and without hugepages. The ring hands every frame that
 * is sent back to the receiver, so two datagram ports with two addresses on the one queue of the
 * one frame port see each other's frames in order.
 */
#include "base/prng.h"
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

#define ROUNDS_MAX 10

static struct dp_frame_port *frames;

static const uint8_t ipv4_a[4] = {10, 0, 0, 1};
static const uint8_t ipv4_b[4] = {10, 0, 0, 2};
static const uint8_t ipv6_a[16] = {0xfd, 0, [15] = 1};
static const uint8_t ipv6_b[16] = {0xfd, 0, [15] = 2};

static struct address address_of_ipv6(const uint8_t ip[16], uint16_t port)
{
    struct address address = {.port = port};
    memcpy(address.ip, ip, 16);
    return address;
}

static struct dp_port *port_open(const uint8_t ipv4[4], const uint8_t ipv6[16])
{
    char reason[256] = "";
    struct dp_port *port;
    struct dp_port_options options = {.frames = frames,
                                      .ipv4 = address_of_ipv4(ipv4, 7000),
                                      .ipv6 = address_of_ipv6(ipv6, 7001),
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
        .name = "net_ring0", .queue_count = 1, .ring_size = 512, .pool_size = 2048};
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
    assert_null(dp_port_tx_reserve(from, to));
    dp_port_tx_flush(from);
    assert_int_equal(dp_port_rx(to_port, 1, got, RX_BURST_MAX), 0);
    dp_port_tx_flush(to_port);
    assert_int_equal(dp_port_rx(from, 2, got, RX_BURST_MAX), 0);
}

static void round_trip(bool is_ipv4, uint32_t size_bytes)
{
    struct dp_port *a = port_open(ipv4_a, ipv6_a);
    struct dp_port *b = port_open(ipv4_b, ipv6_b);
    struct address to = is_ipv4 ? address_of_ipv4(ipv4_b, 7000) : address_of_ipv6(ipv6_b, 7001);
    struct dp_datagram got[RX_BURST_MAX];
    resolve(a, b, &to);
    uint8_t *room = dp_port_tx_reserve(a, &to);
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
    struct address from = is_ipv4 ? address_of_ipv4(ipv4_a, 7000) : address_of_ipv6(ipv6_a, 7001);
    assert_true(address_is_equal(&got[0].from, &from));
    /* The query taught b where a is: the way back needs none. */
    assert_non_null(dp_port_tx_reserve(b, &got[0].from));
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
    round_trip(true, PACKET_SIZE_BYTES_MAX);
}

static void test_port_round_trip_ipv6(void **state)
{
    (void)state;
    round_trip(false, 0);
    round_trip(false, 1);
    round_trip(false, PACKET_SIZE_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_round_trip_ipv4),
        cmocka_unit_test(test_port_round_trip_ipv6),
    };
    return cmocka_run_group_tests(tests, ring_setup, ring_teardown);
}
