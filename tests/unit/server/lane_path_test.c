/* How large the packets of a lane are: on real lanes and ports that take packets for an MTU of
 * 9000, while the nodes are told 4000; the network in one thread
 * (tests/unit/server/lanes_stage.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"
#include "wire/path_limit.h"

#define NODE_MTU         4000
#define NODE_PACKET      (NODE_MTU - PACKET_FRONT_SIZE_BYTES)
#define VALUE_SIZE_BYTES 8000u

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;
static uint64_t message_id = UINT64_C(1) << 32;

/* What came as the answer to one packet. */
struct answer_seen {
    uint8_t type; /* 0: nothing came */
    uint32_t packets;
    uint32_t largest_bytes;
    uint64_t number; /* of an answer how large packets may be */
};

static int setup(void **state)
{
    (void)state;
    lanes_stage_open(&stage, &(struct gauge_options){.format_max = FORMAT_KNOWN,
                                                     .mtu_bytes = NODE_MTU,
                                                     .unproven_rate = UINT64_C(1) << 40});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

static void send_packet(uint8_t type, struct span body, uint16_t answer_size_bytes)
{
    const struct wire_keys keys = wire_keys_none();
    const struct address to = gauge_cluster_address(cluster->leader);
    const struct wire_message_header header = {.type = type,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .answer_size_bytes = answer_size_bytes,
                                               .cluster_id = GAUGE_CLUSTER_ID,
                                               .message_id = ++message_id};
    uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
    assert_non_null(room);
    dp_port_tx_commit(cluster->client, wire_piece_encode(room, &keys, &header, body, 0));
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
}

static void note(struct answer_seen *seen, const struct dp_datagram *got)
{
    const struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    assert_int_equal(
        wire_packet_decode(span_of(got->data, got->size_bytes), &keys, GAUGE_CLUSTER_ID, &packet),
        OK);
    seen->packets++;
    seen->type = packet.header.type;
    if (got->size_bytes > seen->largest_bytes)
        seen->largest_bytes = got->size_bytes;
    if (seen->type == WIRE_PATH_REPLY)
        assert_int_equal(wire_path_decode(packet.payload, &seen->number), OK);
}

static struct answer_seen ask(uint8_t type, struct span body, uint16_t answer_size_bytes)
{
    struct answer_seen seen = {.type = 0};
    struct dp_datagram got[RX_BURST_MAX];
    send_packet(type, body, answer_size_bytes);
    for (uint32_t i = 0; i < 3; i++) {
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
        uint32_t count = dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX);
        for (uint32_t at = 0; at < count; at++)
            note(&seen, &got[at]);
    }
    return seen;
}

static struct answer_seen ask_path(uint32_t size_bytes)
{
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_MAX];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_path_encode(&writer, size_bytes, size_bytes - PACKET_HEADER_SIZE_BYTES);
    return ask(WIRE_PATH, span_of(body, writer.size_bytes), 0);
}

static void test_lane_path_answers_as_large_as_it_is_asked(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {WIRE_PATH_PACKET_SIZE_BYTES_MIN, PACKET_SIZE_BYTES_BASE,
                                     PACKET_SIZE_BYTES_USUAL, NODE_PACKET};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct answer_seen seen = ask_path(sizes[i]);
        assert_int_equal(seen.type, WIRE_PATH_REPLY);
        assert_int_equal(seen.packets, 1);
        assert_int_equal(seen.largest_bytes, sizes[i]);
        assert_int_equal(seen.number, sizes[i]);
    }
}

/* What the node could not send itself is not answered, though it came. */
static void test_lane_path_answers_nothing_beyond_its_own_mtu(void **state)
{
    (void)state;
    assert_int_equal(ask_path(NODE_PACKET + 1).type, 0);
    assert_int_equal(ask_path(PACKET_SIZE_BYTES_MAX).type, 0);
}

static void test_lane_path_answers_clients_in_the_packets_that_they_name(void **state)
{
    (void)state;
    struct answer_seen unsaid = ask(WIRE_STATUS, (struct span){0}, 0);
    assert_true(unsaid.packets > 1);
    assert_int_equal(unsaid.largest_bytes, PACKET_SIZE_BYTES_BASE);
    struct answer_seen usual = ask(WIRE_STATUS, (struct span){0}, PACKET_SIZE_BYTES_USUAL);
    assert_int_equal(usual.largest_bytes, PACKET_SIZE_BYTES_USUAL);
    struct answer_seen most = ask(WIRE_STATUS, (struct span){0}, PACKET_SIZE_BYTES_MAX);
    assert_int_equal(most.largest_bytes, NODE_PACKET);
    assert_true(most.packets < usual.packets && usual.packets <= unsaid.packets);
}

/* An answer from a client is one to nothing that was asked. */
static void test_lane_path_believes_no_stranger(void **state)
{
    (void)state;
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_BASE] = {1};
    uint64_t before = lane_counters(cluster->lanes[cluster->leader])->drop_path;
    (void)ask(WIRE_PATH_REPLY, span_of(body, WIRE_PATH_SIZE_BYTES_MIN), 0);
    assert_int_equal(lane_counters(cluster->lanes[cluster->leader])->drop_path, before + 1);
    body[WIRE_PATH_SIZE_BYTES_MIN] = 1;
    assert_int_equal(ask(WIRE_PATH, span_of(body, sizeof(body)), 0).type, 0);
    assert_int_equal(lane_counters(cluster->lanes[cluster->leader])->drop_path, before + 2);
}

/* A set; the packets that the leader sends until it is answered. */
static uint64_t set_packets(void)
{
    static const uint8_t value[VALUE_SIZE_BYTES] = {7};
    const struct dp_counters *port = lane_port_counters(cluster->lanes[cluster->leader]);
    uint64_t before = port->tx_packets;
    gauge_cluster_send_set(cluster, 0, span_of("key", 3), span_of(value, sizeof(value)));
    for (uint32_t i = 0; i < 4; i++) {
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
        for (uint32_t other = 0; other < 2; other++) {
            gauge_cluster_turn(cluster, cluster->followers[other]);
            gauge_cluster_route(cluster, cluster->followers[other]);
        }
    }
    gauge_cluster_take_answer(cluster);
    return port->tx_packets - before;
}

/* Of 8 kB two or three go to each follower; of the smallest packets it were seven. */
static void test_lane_path_finds_how_large_packets_to_nodes_may_be(void **state)
{
    (void)state;
    (void)set_packets();
    cluster->now_ns += UINT64_C(100000000);
    (void)set_packets();
    assert_in_range(set_packets(), 1 + 2 * 2, 1 + 2 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lane_path_answers_as_large_as_it_is_asked),
        cmocka_unit_test(test_lane_path_answers_nothing_beyond_its_own_mtu),
        cmocka_unit_test(test_lane_path_answers_clients_in_the_packets_that_they_name),
        cmocka_unit_test(test_lane_path_believes_no_stranger),
        cmocka_unit_test(test_lane_path_finds_how_large_packets_to_nodes_may_be),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
