/* The uplink between real loopback sockets and frames held by arrays. */
#include "tests/unit/tools/frame_fake.h"
#include "tools/switch/nat.h"
#include "tools/switch/uplink.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define NODES        2
#define BASE_FIRST   31000
#define BASE_LAST    39000
#define NODE_PORT    7400
#define WAIT_MS      5000
#define ANSWER_BYTES 2048

static struct dp_frame_port pools[NODES];
static struct port_counters counters;
static struct uplink *uplink;
static uint16_t base;
static int client = -1;
static uint16_t client_port;

static const uint8_t node_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t zero_mac[6] = {0};

static enum error open_at(uint16_t udp_base, struct uplink **ret_uplink)
{
    struct dp_frame_port *nodes[NODES] = {&pools[0], &pools[1]};
    char reason[128];
    struct uplink_options options = {.node_count = NODES,
                                     .mtu_bytes = MTU_USUAL,
                                     .shard_count = 2,
                                     .udp_base = udp_base,
                                     .node_port = NODE_PORT,
                                     .nodes = nodes,
                                     .counters = &counters};
    return uplink_open(&options, ret_uplink, reason, sizeof(reason));
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(own);
    memset(&counters, 0, sizeof(counters));
    fake_port_init(&pools[0]);
    fake_port_init(&pools[1]);
    uplink = NULL;
    for (base = BASE_FIRST; base < BASE_LAST && open_at(base, &uplink) != OK; base += 40) {
    }
    client = socket(AF_INET, SOCK_DGRAM, 0);
    if (uplink == NULL || bind(client, (struct sockaddr *)&own, sizeof(own)) != 0 ||
        getsockname(client, (struct sockaddr *)&own, &size) != 0) {
        return -1;
    }
    client_port = ntohs(own.sin_port);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    uplink_close(uplink);
    close(client);
    return fake_frames_alive == 0 ? 0 : -1;
}

static void client_send(uint16_t port, const void *bytes, size_t size_bytes)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(sendto(client, bytes, size_bytes, 0, (struct sockaddr *)&to, sizeof(to)),
                     size_bytes);
}

/* The node tells its address by an ARP request for the uplink's. */
static void node_speaks(uint8_t host)
{
    struct nat_arp arp = {.is_request = true, .sender_host = host, .target_host = NAT_UPLINK_HOST};
    struct dp_frame *frame = dp_frame_new(&pools[0], 0);
    memcpy(arp.sender_mac, node_mac, sizeof(node_mac));
    nat_arp_write(dp_frame_data(frame), &arp, zero_mac);
    dp_frame_set_size_bytes(frame, NAT_ARP_SIZE_BYTES);
    uplink_tx(uplink, frame);
}

static void own_frames_discard(void)
{
    struct dp_frame *frames[UPLINK_BURST_MAX];
    uint32_t count = uplink_take_own(uplink, frames);
    for (uint32_t i = 0; i < count; i++) {
        dp_frame_free(frames[i]);
    }
}

/* Waits for the datagram and receives it; NULL when it was dropped. */
static struct dp_frame *receive_one(uint32_t socket)
{
    struct dp_frame *frames[UPLINK_BURST_MAX];
    bool is_empty = false;
    struct pollfd ready = {.fd = uplink_socket_fd(uplink, socket), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
    uint32_t count = uplink_rx(uplink, socket, frames, &is_empty);
    assert_true(is_empty);
    assert_true(count <= 1);
    return count == 1 ? frames[0] : NULL;
}

static struct dp_frame *node_frame(const struct nat_flow *flow, const char *text)
{
    struct dp_frame *frame = dp_frame_new(&pools[0], 0);
    memcpy(dp_frame_data(frame) + NAT_HEADER_SIZE_BYTES, text, strlen(text));
    nat_header_write(dp_frame_data(frame), flow, (uint32_t)strlen(text));
    dp_frame_set_size_bytes(frame, NAT_HEADER_SIZE_BYTES + (uint32_t)strlen(text));
    return frame;
}

static void test_uplink_answers_arp_for_itself(void **state)
{
    (void)state;
    struct dp_frame *frames[UPLINK_BURST_MAX];
    struct nat_arp answer;
    uint8_t mac[6];
    uplink_mac(mac);
    node_speaks(1);
    assert_int_equal(uplink_take_own(uplink, frames), 1);
    struct span bytes = span_of(dp_frame_data(frames[0]), dp_frame_size_bytes(frames[0]));
    assert_int_equal(nat_arp_read(bytes, &answer), OK);
    assert_false(answer.is_request);
    assert_int_equal(answer.sender_host, NAT_UPLINK_HOST);
    assert_int_equal(answer.target_host, 1);
    assert_memory_equal(answer.sender_mac, mac, 6);
    assert_memory_equal(bytes.data, node_mac, 6);
    dp_frame_free(frames[0]);
    assert_int_equal(uplink_take_own(uplink, frames), 0);
}

static void test_uplink_asks_for_nodes_that_are_up(void **state)
{
    (void)state;
    struct dp_frame *frames[UPLINK_BURST_MAX];
    struct nat_arp asked;
    uplink_tick(uplink, 1000, 2);
    uplink_tick(uplink, 1001, 2);
    assert_int_equal(uplink_take_own(uplink, frames), 1);
    struct span bytes = span_of(dp_frame_data(frames[0]), dp_frame_size_bytes(frames[0]));
    assert_int_equal(nat_arp_read(bytes, &asked), OK);
    assert_true(asked.is_request);
    assert_int_equal(asked.target_host, 2);
    dp_frame_free(frames[0]);
    node_speaks(2);
    own_frames_discard();
    uplink_tick(uplink, 1000 + UPLINK_ARP_FIRST_NS, 2);
    assert_int_equal(uplink_take_own(uplink, frames), 0);
    uplink_forget(uplink, 1);
    uplink_tick(uplink, 1001 + UPLINK_ARP_FIRST_NS, 2);
    assert_int_equal(uplink_take_own(uplink, frames), 1);
    dp_frame_free(frames[0]);
}

static void test_uplink_asks_ever_more_rarely(void **state)
{
    (void)state;
    struct dp_frame *frames[UPLINK_BURST_MAX];
    uint32_t asked = 0;
    for (uint64_t ms = 1; ms <= 10000; ms++) {
        uplink_tick(uplink, ms * 1000000, 1);
        if (uplink_take_own(uplink, frames) == 1) {
            dp_frame_free(frames[0]);
            asked++;
        }
    }
    /* 20 to 320 ms are 620 ms and six questions; every 640 ms after that. */
    assert_in_range(asked, 18, 22);
}

static void test_uplink_turns_a_datagram_into_a_frame(void **state)
{
    (void)state;
    struct nat_flow flow;
    struct span payload;
    node_speaks(1);
    own_frames_discard();
    client_send((uint16_t)(base + 1 * 2 + 1), "hello", 5);
    struct dp_frame *frame = receive_one(1); /* shard 1, node 1 */
    assert_non_null(frame);
    struct span bytes = span_of(dp_frame_data(frame), dp_frame_size_bytes(frame));
    assert_int_equal(nat_frame_read(bytes, &flow, &payload), OK);
    assert_int_equal(flow.source_host, NAT_UPLINK_HOST);
    assert_int_equal(flow.destination_host, 1);
    assert_int_equal(flow.source_port, client_port);
    assert_int_equal(flow.destination_port, NODE_PORT + 1);
    assert_memory_equal(flow.destination_mac, node_mac, 6);
    assert_true(span_is_equal(payload, span_of("hello", 5)));
    dp_frame_free(frame);
}

static void test_uplink_turns_a_frame_into_a_datagram(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    struct nat_flow flow = {.source_host = 2,
                            .destination_host = NAT_UPLINK_HOST,
                            .source_port = NODE_PORT,
                            .destination_port = client_port};
    uplink_tx(uplink, node_frame(&flow, "world"));
    uplink_flush(uplink);
    ssize_t size =
        recvfrom(client, answer, sizeof(answer), 0, (struct sockaddr *)&from, &from_size);
    assert_int_equal(size, 5);
    assert_memory_equal(answer, "world", 5);
    assert_int_equal(ntohs(from.sin_port), base + 4);
}

static void test_uplink_carries_bursts_beyond_its_batch(void **state)
{
    (void)state;
    char answer[ANSWER_BYTES];
    struct nat_flow flow = {.source_host = 1,
                            .destination_host = NAT_UPLINK_HOST,
                            .source_port = NODE_PORT,
                            .destination_port = client_port};
    for (int i = 0; i < 100; i++) {
        uplink_tx(uplink, node_frame(&flow, "x"));
    }
    uplink_flush(uplink);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(recv(client, answer, sizeof(answer), 0), 1);
    }
}

static void test_uplink_drops_datagrams_it_cannot_carry(void **state)
{
    (void)state;
    static const uint8_t large[MTU_USUAL - NAT_IP_HEADERS_BYTES + 1];
    client_send((uint16_t)(base + 2), "early", 5);
    assert_null(receive_one(0));
    assert_int_equal(counters.drops[SWITCH_DROP_unresolved], 1);
    node_speaks(1);
    own_frames_discard();
    client_send((uint16_t)(base + 2), large, sizeof(large));
    assert_null(receive_one(0));
    assert_int_equal(counters.drops[SWITCH_DROP_too_large], 1);
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
    close(client);
    client = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(client, (struct sockaddr *)&other, sizeof(other)), 0);
    client_send((uint16_t)(base + 2), "who", 3);
    assert_null(receive_one(0));
    assert_int_equal(counters.drops[SWITCH_DROP_source], 1);
}

static void test_uplink_drops_frames_it_cannot_carry(void **state)
{
    (void)state;
    struct nat_flow flow = {.source_host = 2,
                            .destination_host = NAT_UPLINK_HOST,
                            .source_port = NODE_PORT + 2, /* no such shard */
                            .destination_port = client_port};
    uplink_tx(uplink, node_frame(&flow, "a"));
    flow.source_port = NODE_PORT;
    flow.source_host = 9;
    uplink_tx(uplink, node_frame(&flow, "a"));
    flow.source_host = 1;
    flow.destination_host = 2;
    uplink_tx(uplink, node_frame(&flow, "a"));
    assert_int_equal(counters.drops[SWITCH_DROP_other], 3);
    flow.destination_host = NAT_UPLINK_HOST;
    struct dp_frame *frame = node_frame(&flow, "a");
    dp_frame_data(frame)[NAT_HEADER_SIZE_BYTES] ^= 1;
    uplink_tx(uplink, frame);
    assert_int_equal(counters.drops[SWITCH_DROP_checksum], 1);
    frame = node_frame(&flow, "a");
    dp_frame_set_size_bytes(frame, 30);
    uplink_tx(uplink, frame);
    assert_int_equal(counters.drops[SWITCH_DROP_malformed], 1);
}

static void test_uplink_counts_an_empty_pool(void **state)
{
    (void)state;
    struct dp_frame *frames[UPLINK_BURST_MAX];
    bool is_empty = false;
    pools[0].pool_room = 0;
    assert_int_equal(uplink_rx(uplink, 0, frames, &is_empty), 0);
    uplink_tick(uplink, 1000, 1);
    assert_int_equal(counters.drops[SWITCH_DROP_no_buffer], 2);
    pools[0].pool_room = 1000;
}

static void test_uplink_refuses_a_taken_port(void **state)
{
    (void)state;
    struct uplink *second = NULL;
    assert_int_equal(open_at(base, &second), ERR_BUSY);
    assert_null(second);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_uplink_answers_arp_for_itself),
        CASE(test_uplink_asks_for_nodes_that_are_up),
        CASE(test_uplink_asks_ever_more_rarely),
        CASE(test_uplink_turns_a_datagram_into_a_frame),
        CASE(test_uplink_turns_a_frame_into_a_datagram),
        CASE(test_uplink_carries_bursts_beyond_its_batch),
        CASE(test_uplink_drops_datagrams_it_cannot_carry),
        CASE(test_uplink_drops_frames_it_cannot_carry),
        CASE(test_uplink_counts_an_empty_pool),
        CASE(test_uplink_refuses_a_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
