/*
 * Two lanes of one node: a frame port with two queues, a datagram port on each, and a peer at the
 * other end of a memif link within this process. The peer chooses the queue by sending on it.
 */
#include "dataplane/frame.h"
#include "dataplane/neighbours.h"
#include "dataplane/port.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define QUEUES       2
#define POOL_FRAMES  2048
#define SHARDS       4
#define YIELDS_MAX   10000000
#define MANY         (4 * POOL_FRAMES)
#define FIRST_PORT   7000
#define PEER_PORT    9000
#define LINK_LOOK_NS UINT64_C(1000000000)

static char folder[] = "/tmp/pollux_handover_XXXXXX";
static char socket_path[64];
static struct dp_frame_port *node_frames;
static struct dp_frame_port *peer_frames;
static struct dp_port *lanes[QUEUES];
static struct dp_port *peers[QUEUES];
static uint64_t now_ns = 1;

static const uint8_t node_ip[4] = {10, 0, 0, 1};
static const uint8_t peer_ip[4] = {10, 0, 0, 2};

static struct dp_frame_port *frames_open(const char *name)
{
    char reason[512] = "";
    struct dp_frame_port *frames = NULL;
    struct dp_frame_port_options options = {.name = name,
                                            .queue_count = QUEUES,
                                            .ring_size = 512,
                                            .pool_size = POOL_FRAMES,
                                            .udp_port_first = FIRST_PORT,
                                            .udp_port_count = SHARDS};
    if (dp_frame_port_open(&options, &frames, reason, sizeof(reason)) != OK) {
        print_error("%s: %s\n", name, reason);
    }
    return frames;
}

static struct dp_port *queue_open(struct dp_frame_port *frames, const uint8_t ip[4], uint32_t queue)
{
    char reason[256] = "";
    struct dp_port *port = NULL;
    struct dp_port_options options = {
        .frames = frames,
        .queue = queue,
        .queue_count = QUEUES,
        .ipv4 = address_of_ipv4(ip, frames == node_frames ? FIRST_PORT : PEER_PORT),
        .ipv4_prefix_bits = 24,
        .udp_port_count = SHARDS};
    assert_int_equal(dp_port_open(&options, &port, reason, sizeof(reason)), OK);
    return port;
}

/* A memif client offers its buffers to the server when it first receives on a queue. */
static bool link_await(void)
{
    struct dp_frame *none;
    for (uint32_t i = 0; i < YIELDS_MAX; i++) {
        dp_frame_port_look(node_frames);
        dp_frame_port_look(peer_frames);
        bool is_up = dp_frame_port_is_up(node_frames) && dp_frame_port_is_up(peer_frames);
        for (uint32_t queue = 0; queue < QUEUES; queue++) {
            (void)dp_frame_rx(peer_frames, queue, &none, 1);
        }
        if (is_up) {
            return true;
        }
        (void)sched_yield();
    }
    return false;
}

static int link_setup(void **state)
{
    char reason[512] = "";
    char prefix[64];
    char vdevs[2][256];
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(socket_path, sizeof(socket_path), "%s/x.sock", folder);
    (void)snprintf(prefix, sizeof(prefix), "pollux_handover_test_%d", getpid());
    for (int i = 0; i < 2; i++) {
        (void)snprintf(vdevs[i], sizeof(vdevs[i]),
                       "net_memif%d,role=%s,id=0,socket=%s,socket-abstract=no", i,
                       i == 0 ? "server" : "client", socket_path);
    }
    struct dp_environment_options environment = {.program = "handover_test",
                                                 .file_prefix = prefix,
                                                 .vdevs = {vdevs[0], vdevs[1]},
                                                 .vdev_count = 2};
    if (dp_start(&environment, reason, sizeof(reason)) != OK) {
        print_error("%s\n", reason);
        return -1;
    }
    node_frames = frames_open("net_memif0");
    peer_frames = frames_open("net_memif1");
    return node_frames != NULL && peer_frames != NULL && link_await() ? 0 : -1;
}

static int link_teardown(void **state)
{
    (void)state;
    dp_frame_port_close(peer_frames);
    dp_frame_port_close(node_frames);
    dp_stop();
    (void)unlink(socket_path);
    return rmdir(folder);
}

static int ports_setup(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < QUEUES; i++) {
        lanes[i] = queue_open(node_frames, node_ip, i);
        peers[i] = queue_open(peer_frames, peer_ip, i);
    }
    return 0;
}

static void frames_drain(struct dp_frame_port *frames)
{
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    for (uint32_t queue = 0; queue < QUEUES; queue++) {
        uint32_t count;
        while ((count = dp_frame_rx(frames, queue, left, DP_FRAME_BURST_MAX)) > 0) {
            for (uint32_t i = 0; i < count; i++) {
                dp_frame_free(left[i]);
            }
        }
    }
}

static int ports_teardown(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    for (uint32_t i = 0; i < QUEUES; i++) {
        while (dp_port_rx(lanes[i], now_ns, got, RX_BURST_MAX) > 0) {
        }
        dp_port_close(lanes[i]);
        dp_port_close(peers[i]);
    }
    frames_drain(node_frames);
    frames_drain(peer_frames);
    return 0;
}

/* One datagram from the peer to UDP port `offset` of the node, on this queue. */
static void peer_send(uint32_t queue, uint16_t offset, uint32_t size_bytes)
{
    struct address to = address_of_ipv4(node_ip, (uint16_t)(FIRST_PORT + offset));
    uint8_t *room = dp_port_tx_reserve(peers[queue], 0, &to);
    assert_non_null(room);
    memset(room, (int)('a' + offset), size_bytes);
    dp_port_tx_commit(peers[queue], size_bytes);
    dp_port_tx_flush(peers[queue]);
}

/* Each queue of the peer asks for the node, and is answered on its own queue. */
static void peer_resolve(void)
{
    struct dp_datagram got[RX_BURST_MAX];
    struct address to = address_of_ipv4(node_ip, FIRST_PORT);
    for (uint32_t i = 0; i < QUEUES; i++) {
        assert_null(dp_port_tx_reserve(peers[i], 0, &to));
        dp_port_tx_flush(peers[i]);
        assert_int_equal(dp_port_rx(lanes[i], now_ns, got, RX_BURST_MAX), 0);
        dp_port_tx_flush(lanes[i]);
    }
    for (uint32_t i = 0; i < QUEUES; i++) {
        assert_int_equal(dp_port_rx(peers[i], now_ns, got, RX_BURST_MAX), 0);
    }
}

static void test_handover_queues_are_apart_and_ports_are_told(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    peer_resolve();
    peer_send(0, 0, 10);
    peer_send(1, 3, 20);
    assert_int_equal(dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].port_offset, 0);
    assert_int_equal(got[0].size_bytes, 10);
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].port_offset, 3);
    assert_int_equal(got[0].size_bytes, 20);
    assert_int_equal(got[0].data[19], 'd');
}

static void test_handover_sends_from_the_port_of_the_shard(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    peer_resolve();
    peer_send(1, 3, 20);
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), 1);
    struct address peer = got[0].from;
    uint8_t *room = dp_port_tx_reserve(lanes[1], 3, &peer);
    assert_non_null(room);
    memset(room, 'r', 8);
    dp_port_tx_commit(lanes[1], 8);
    dp_port_tx_flush(lanes[1]);
    assert_int_equal(dp_port_rx(peers[1], now_ns, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].from.port, FIRST_PORT + 3);
}

static void test_handover_drops_ports_beyond_the_last(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    peer_resolve();
    peer_send(0, SHARDS, 10);
    assert_int_equal(dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX), 0);
    assert_int_equal(dp_port_counters(lanes[0])->drops[DP_DROP_UDP_PORT], 1);
}

static void test_handover_gives_a_datagram_to_the_other_lane(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    peer_resolve();
    peer_send(0, 0, 10);
    peer_send(0, 1, 30);
    peer_send(0, 2, 50);
    assert_int_equal(dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX), 3);
    assert_true(dp_port_hand_over(lanes[0], &got[1], 1));
    /* The others are the caller's still. */
    assert_int_equal(got[0].data[9], 'a');
    assert_int_equal(got[2].data[49], 'c');
    assert_int_equal(dp_port_counters(lanes[0])->rx_handed_over, 1);
    struct dp_datagram given[RX_BURST_MAX];
    assert_int_equal(dp_port_rx(lanes[1], now_ns, given, RX_BURST_MAX), 1);
    assert_int_equal(given[0].port_offset, 1);
    assert_int_equal(given[0].size_bytes, 30);
    assert_int_equal(given[0].data[29], 'b');
    assert_int_equal(given[0].from.port, PEER_PORT);
    assert_int_equal(dp_port_counters(lanes[1])->rx_taken_over, 1);
    assert_int_equal(dp_port_counters(lanes[1])->rx_packets, 1); /* the question */
    assert_int_equal(dp_port_counters(lanes[0])->rx_taken_over, 0);
    /* It came with the sender's MAC: the lane can answer at once. */
    assert_non_null(dp_port_tx_reserve(lanes[1], 1, &given[0].from));
    dp_port_tx_commit(lanes[1], 1);
    assert_int_equal(dp_port_counters(lanes[1])->drops[DP_DROP_NO_ROUTE], 0);
}

/* How long a datagram may have lain here: since the queue was last found empty, by whichever lane;
 * and in the ring between the lanes. */
static void test_handover_tells_how_long_a_datagram_waited(void **state)
{
    static const uint64_t second_ns = 1000000000;
    struct dp_datagram got[RX_BURST_MAX];
    struct dp_datagram given[RX_BURST_MAX];
    uint64_t at_ns = now_ns + 100 * second_ns;
    (void)state;
    peer_resolve();
    assert_int_equal(dp_port_rx(lanes[0], at_ns, got, RX_BURST_MAX), 0);
    peer_send(0, 1, 30);
    peer_send(0, 2, 30);
    at_ns += 5 * second_ns; /* the lane was held */
    assert_int_equal(dp_port_rx(lanes[0], at_ns, got, 1), 1);
    assert_int_equal(got[0].waited_ns, 5 * second_ns);
    assert_true(dp_port_hand_over(lanes[0], &got[0], 1));
    at_ns += second_ns; /* nobody has seen the queue empty */
    assert_int_equal(dp_port_rx(lanes[0], at_ns, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].waited_ns, 6 * second_ns);
    peer_send(0, 2, 30);
    at_ns += second_ns;
    assert_int_equal(dp_port_rx(lanes[0], at_ns, got, RX_BURST_MAX), 1);
    assert_int_equal(got[0].waited_ns, second_ns);
    at_ns += 3 * second_ns;
    assert_int_equal(dp_port_rx(lanes[1], at_ns, given, RX_BURST_MAX), 1);
    assert_int_equal(given[0].waited_ns / 1000000, 10000);
}

static void test_handover_full_ring_is_counted_and_loses_nothing_else(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    uint64_t given = 0;
    uint64_t taken = 0;
    bool is_full = false;
    (void)state;
    peer_resolve();
    for (uint32_t i = 0; i < 2 * HANDOVER_FRAMES_MAX && !is_full; i++) {
        peer_send(0, 1, 64);
        assert_int_equal(dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX), 1);
        is_full = !dp_port_hand_over(lanes[0], &got[0], 1);
        given += !is_full;
    }
    assert_true(is_full);
    assert_int_equal(given, HANDOVER_FRAMES_MAX);
    assert_int_equal(got[0].data[63], 'b'); /* the caller's still */
    assert_int_equal(dp_port_counters(lanes[0])->drops[DP_DROP_HANDOVER_FULL], 1);
    for (uint32_t i = 0; i < HANDOVER_FRAMES_MAX && taken < given; i++) {
        taken += dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX);
    }
    assert_int_equal(taken, given);
}

/* Neither queue starves the other: a burst has room for both. */
static void test_handover_shares_a_burst_with_the_queue(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    peer_resolve();
    for (uint32_t i = 0; i < RX_BURST_MAX; i++) {
        peer_send(0, 1, 64);
        peer_send(1, 3, 64);
    }
    uint32_t count = dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX);
    assert_int_equal(count, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(dp_port_hand_over(lanes[0], &got[i], 1));
    }
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), RX_BURST_MAX);
    assert_int_equal(got[0].port_offset, 1);
    assert_int_equal(got[RX_BURST_MAX / 2 - 1].port_offset, 1);
    assert_int_equal(got[RX_BURST_MAX / 2].port_offset, 3);
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), RX_BURST_MAX);
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), 0);
}

/* What came from the peer on queue 1 comes again, on queue 0. */
static void answer_to_queue_zero(struct dp_frame *answer)
{
    struct dp_frame *copy = dp_frame_copy(peer_frames, 0, answer);
    assert_non_null(copy);
    dp_frame_free(answer);
    assert_int_equal(dp_frame_tx(peer_frames, 0, &copy, 1), 1);
}

static void test_handover_neighbour_answers_reach_every_lane(void **state)
{
    struct address peer = address_of_ipv4(peer_ip, PEER_PORT);
    struct dp_datagram got[RX_BURST_MAX];
    (void)state;
    /* Both lanes want the peer; the answer to lane 1's question comes to queue 0. */
    assert_null(dp_port_tx_reserve(lanes[0], 0, &peer));
    assert_null(dp_port_tx_reserve(lanes[1], 0, &peer));
    dp_port_tx_flush(lanes[1]);
    assert_int_equal(dp_port_rx(peers[1], now_ns, got, RX_BURST_MAX), 0);
    struct dp_frame *answer = NULL;
    dp_port_tx_flush(peers[1]);
    assert_int_equal(dp_frame_rx(node_frames, 1, &answer, 1), 1);
    answer_to_queue_zero(answer);
    assert_int_equal(dp_port_rx(lanes[0], now_ns, got, RX_BURST_MAX), 0);
    assert_int_equal(dp_port_rx(lanes[1], now_ns, got, RX_BURST_MAX), 0);
    assert_non_null(dp_port_tx_reserve(lanes[0], 0, &peer));
    assert_non_null(dp_port_tx_reserve(lanes[1], 0, &peer));
    /* What was told is no datagram. */
    assert_int_equal(dp_port_counters(lanes[1])->rx_taken_over, 0);
}

static void *lane_one(void *context)
{
    struct dp_datagram got[RX_BURST_MAX];
    uint64_t *taken = context;
    for (uint32_t i = 0; i < YIELDS_MAX && *taken < MANY; i++) {
        uint32_t count = dp_port_rx(lanes[1], 1, got, RX_BURST_MAX);
        for (uint32_t j = 0; j < count; j++) {
            *taken += got[j].data[63] == 'b';
        }
        if (count == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* More datagrams than the pool has buffers: each comes back to it, freed in another thread. */
static void test_handover_between_threads_returns_every_buffer(void **state)
{
    struct dp_datagram got[RX_BURST_MAX];
    uint64_t taken = 0;
    uint64_t given = 0;
    pthread_t thread;
    (void)state;
    peer_resolve();
    assert_int_equal(pthread_create(&thread, NULL, lane_one, &taken), 0);
    for (uint32_t i = 0; i < YIELDS_MAX && given < MANY; i++) {
        peer_send(0, 1, 64);
        uint32_t count = dp_port_rx(lanes[0], 1, got, RX_BURST_MAX);
        for (uint32_t j = 0; j < count; j++) {
            bool is_given = dp_port_hand_over(lanes[0], &got[j], 1);
            given += is_given;
            if (!is_given) {
                (void)sched_yield();
            }
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(given, MANY);
    assert_int_equal(taken, MANY);
    assert_int_equal(dp_port_counters(lanes[0])->drops[DP_DROP_POOL_EMPTY], 0);
}

/* memif has no flow rules: the port says so, and works without. */
static void test_handover_port_without_flow_rules_is_not_steered(void **state)
{
    (void)state;
    assert_false(dp_frame_port_is_steered(node_frames));
}

static void test_handover_announces_a_new_link_once(void **state)
{
    struct dp_frame *left[DP_FRAME_BURST_MAX];
    (void)state;
    now_ns += LINK_LOOK_NS;
    dp_port_tick(lanes[1], now_ns);
    dp_port_tick(lanes[0], now_ns);
    assert_int_equal(dp_frame_rx(peer_frames, 1, left, DP_FRAME_BURST_MAX), 0);
    assert_int_equal(dp_frame_rx(peer_frames, 0, left, DP_FRAME_BURST_MAX), 1);
    dp_frame_free(left[0]);
}

#define HANDOVER_TEST(name) cmocka_unit_test_setup_teardown(name, ports_setup, ports_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(test_handover_queues_are_apart_and_ports_are_told),
        HANDOVER_TEST(test_handover_sends_from_the_port_of_the_shard),
        HANDOVER_TEST(test_handover_drops_ports_beyond_the_last),
        HANDOVER_TEST(test_handover_gives_a_datagram_to_the_other_lane),
        HANDOVER_TEST(test_handover_tells_how_long_a_datagram_waited),
        HANDOVER_TEST(test_handover_full_ring_is_counted_and_loses_nothing_else),
        HANDOVER_TEST(test_handover_shares_a_burst_with_the_queue),
        HANDOVER_TEST(test_handover_neighbour_answers_reach_every_lane),
        HANDOVER_TEST(test_handover_between_threads_returns_every_buffer),
        HANDOVER_TEST(test_handover_port_without_flow_rules_is_not_steered),
        HANDOVER_TEST(test_handover_announces_a_new_link_once),
    };
    return cmocka_run_group_tests(tests, link_setup, link_teardown);
}
