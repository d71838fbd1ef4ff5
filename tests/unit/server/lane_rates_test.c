/* How much clients may ask of a lane: on real lanes and ports, the network in one thread
 * (tests/unit/server/lanes_stage.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"

#define RATE      1000u
#define SECOND_NS UINT64_C(1000000000)

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;
static uint64_t message_id = UINT64_C(1) << 32;

/* What became of a burst of reads. */
struct burst {
    uint32_t ok;
    uint32_t refused;
    uint64_t retry_us; /* of the last that was refused */
};

static int setup(void **state)
{
    (void)state;
    lanes_stage_open(&stage, &(struct gauge_options){.format_max = FORMAT_KNOWN,
                                                     .unproven_rate = GAUGE_UNPROVEN_RATE,
                                                     .client_rates = {.operations = RATE}});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

static const struct lane_counters *counters(void)
{
    return lane_counters(cluster->lanes[cluster->leader]);
}

/* A relaxed read of so many keys. */
static void send_read(uint32_t count)
{
    uint8_t body[PACKET_PAYLOAD_SIZE_BYTES_USUAL];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    const struct wire_keys keys = wire_keys_none();
    const struct address to = gauge_cluster_address(cluster->leader);
    const struct wire_read read = {.request_number = ++cluster->number};
    const struct wire_message_header header = {.type = WIRE_READ,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                               .cluster_id = GAUGE_CLUSTER_ID,
                                               .message_id = ++message_id};
    wire_read_begin(&writer, &read);
    for (uint32_t i = 0; i < count; i++)
        wire_read_add(&writer, &(struct wire_read_op){.key = span_of("absent", 6)});
    uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
    assert_non_null(room);
    dp_port_tx_commit(
        cluster->client,
        wire_piece_encode(room, &keys, &header, span_of(writer.data, writer.size_bytes), 0));
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
}

static void take_replies(struct burst *burst)
{
    struct dp_datagram got[RX_BURST_MAX];
    const struct wire_keys keys = wire_keys_none();
    uint32_t count = dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_packet packet;
        struct wire_reply reply;
        assert_int_equal(wire_packet_decode(span_of(got[i].data, got[i].size_bytes), &keys,
                                            GAUGE_CLUSTER_ID, &packet),
                         OK);
        assert_int_equal(wire_reply_decode(packet.payload, &reply), OK);
        burst->ok += reply.status == WIRE_STATUS_OK;
        burst->refused += reply.status == WIRE_STATUS_OVERLOADED;
        burst->retry_us = reply.retry_us;
    }
}

/* So many reads, of so many keys each. */
static struct burst ask(uint32_t reads, uint32_t keys)
{
    struct burst burst = {.ok = 0};
    for (uint32_t i = 0; i < reads; i++) {
        send_read(keys);
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
        take_replies(&burst);
    }
    return burst;
}

/* All budgets are whole then. */
static void rest(void)
{
    for (uint32_t i = 0; i < 400; i++) {
        cluster->now_ns += SECOND_NS / 100;
        for (uint32_t host = 0; host < cluster->node_count; host++) {
            gauge_cluster_turn(cluster, host);
            gauge_cluster_route(cluster, host);
        }
    }
    struct burst late = {.ok = 0};
    take_replies(&late);
}

static void test_lane_rates_count_the_operations_of_a_packet(void **state)
{
    (void)state;
    rest();
    struct burst burst = ask(2 * RATE / 25, 25);
    assert_in_range(burst.ok, RATE / 25, RATE / 25 + 2);
    assert_int_equal(burst.refused, 2 * RATE / 25 - burst.ok);
    assert_in_range(burst.retry_us, 1, 10 * 1000 * 1000);
}

/* Twice as many as are within, and twice again: the answers end before the requests do. */
static void test_lane_rates_end_answers_to_a_flood(void **state)
{
    (void)state;
    rest();
    uint64_t before = counters()->drop_rate;
    struct burst burst = ask(4 * RATE, 1);
    assert_in_range(burst.ok, RATE, RATE + RATE / 4);
    assert_in_range(burst.refused, RATE, RATE + RATE / 4);
    assert_int_equal(counters()->drop_rate - before, 4 * RATE - burst.ok - burst.refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lane_rates_count_the_operations_of_a_packet),
        cmocka_unit_test(test_lane_rates_end_answers_to_a_flood),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
