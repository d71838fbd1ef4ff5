/* What a lane passes on for clients, and for whom it does not: on real lanes and ports, the network
 * in one thread (tests/unit/server/lanes_stage.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"
#include "wire/wire_relay.h"

#define NONCE     4711u
#define STRANGER  200u /* a node id that nobody has */
#define FLOOD_MAX 60000u
#define RATE      (UINT64_C(16) << 20) /* bytes a second for a host */

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;
static uint64_t message_id = UINT64_C(1) << 32;
static uint32_t relay;      /* host that is asked */
static uint16_t target = 0; /* node that leads */
static uint8_t cookie[COOKIE_SIZE_BYTES];

struct seen {
    uint32_t count;
    struct address from;
    uint8_t type; /* of the last packet */
    uint16_t sender;
    uint64_t nonce;
};

static uint32_t packet_write(uint8_t *to, uint8_t type, struct span body, const uint8_t *shown)
{
    const struct wire_keys keys = wire_keys_none();
    const struct wire_message_header header = {.type = type,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_USUAL,
                                               .cluster_id = GAUGE_CLUSTER_ID,
                                               .message_id = ++message_id,
                                               .cookie = shown};
    return wire_piece_encode(to, &keys, &header, body, 0);
}

static void client_sends(uint8_t type, struct span body, const uint8_t *shown)
{
    const struct address to = gauge_cluster_address(relay);
    uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
    assert_non_null(room);
    dp_port_tx_commit(cluster->client, packet_write(room, type, body, shown));
    dp_port_tx_flush(cluster->client);
    gauge_cluster_route(cluster, cluster->node_count);
}

static void note(struct seen *seen, const struct dp_datagram *got)
{
    const struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    struct wire_hello_reply reply;
    size_t end;
    assert_int_equal(
        wire_packet_decode(span_of(got->data, got->size_bytes), &keys, GAUGE_CLUSTER_ID, &packet),
        OK);
    seen->count++;
    seen->from = got->from;
    seen->type = packet.header.type;
    seen->sender = packet.header.sender;
    if (packet.header.type == WIRE_HELLO_REPLY) {
        assert_int_equal(wire_hello_reply_decode(packet.payload, &end, &reply), OK);
        seen->nonce = reply.nonce;
    }
    if (packet.header.cookie != NULL)
        memcpy(cookie, packet.header.cookie, sizeof(cookie));
}

/* A few turns of all; what the client gets meanwhile. */
static struct seen rounds(void)
{
    struct seen seen = {.count = 0};
    struct dp_datagram got[RX_BURST_MAX];
    for (uint32_t i = 0; i < 4 * cluster->node_count; i++) {
        gauge_cluster_turn(cluster, i % cluster->node_count);
        gauge_cluster_route(cluster, i % cluster->node_count);
        uint32_t count = dp_port_rx(cluster->client, cluster->now_ns, got, RX_BURST_MAX);
        for (uint32_t at = 0; at < count; at++)
            note(&seen, &got[at]);
    }
    return seen;
}

static struct span hello_write(uint8_t *to, bool is_padded)
{
    struct wire_writer writer = {.data = to, .capacity_bytes = WIRE_HELLO_REPLY_SIZE_BYTES};
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = NONCE, .is_padded = is_padded});
    return span_of(to, writer.size_bytes);
}

/* A hello for a node, around which is what a relay takes. */
static struct span carrier_write(uint8_t *to, uint16_t node, uint8_t type)
{
    uint8_t body[WIRE_HELLO_REPLY_SIZE_BYTES];
    uint8_t packet[PACKET_SIZE_BYTES_USUAL];
    uint32_t size_bytes = packet_write(packet, type, hello_write(body, true), NULL);
    const struct wire_relay head = {.node = node, .packet = span_of(packet, size_bytes)};
    return span_of(to, wire_relay_encode(to, &head));
}

static struct seen ask(uint16_t node, uint8_t type, const uint8_t *shown)
{
    uint8_t bytes[RELAY_HEAD_SIZE_BYTES + PACKET_SIZE_BYTES_USUAL];
    client_sends(WIRE_RELAY, carrier_write(bytes, node, type), shown);
    return rounds();
}

static const struct lane_counters *counters_of(uint32_t host)
{
    return lane_counters(cluster->lanes[host]);
}

static int setup(void **state)
{
    uint8_t body[WIRE_HELLO_REPLY_SIZE_BYTES];
    (void)state;
    lanes_stage_open(&stage, &(struct gauge_options){.format_max = FORMAT_KNOWN,
                                                     .unproven_rate = UINT64_C(1) << 20});
    relay = cluster->followers[0];
    target = (uint16_t)(cluster->leader + 1);
    client_sends(WIRE_HELLO, hello_write(body, true), NULL);
    const struct seen seen = rounds(); /* with the cookie */
    assert_int_equal(seen.type, WIRE_HELLO_REPLY);
    assert_int_equal(seen.sender, relay + 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

static void test_lane_relay_brings_question_and_answer(void **state)
{
    (void)state;
    uint64_t before = counters_of(relay)->relayed;
    const struct seen seen = ask(target, WIRE_HELLO, cookie);
    const struct address from = gauge_cluster_address(relay);
    assert_int_equal(seen.count, 1); /* nothing came from the leader itself */
    assert_int_equal(seen.type, WIRE_HELLO_REPLY);
    assert_int_equal(seen.sender, target);
    assert_int_equal(seen.nonce, NONCE);
    assert_true(address_is_equal(&seen.from, &from));
    assert_int_equal(counters_of(relay)->relayed, before + 1);
    assert_int_not_equal(counters_of(relay)->relayed_back, 0);
    assert_int_not_equal(counters_of(cluster->leader)->relayed_rx, 0);
    assert_int_equal(counters_of(cluster->leader)->relayed, 0);
}

/* Who has not shown a cookie is given one, and nothing else. */
static void test_lane_relay_is_for_proven_addresses(void **state)
{
    static const uint8_t made_up[COOKIE_SIZE_BYTES] = {1, 2, 3};
    (void)state;
    uint64_t before = counters_of(relay)->relayed;
    uint64_t refused = counters_of(relay)->drop_relay_unproven;
    assert_int_equal(ask(target, WIRE_HELLO, NULL).type, WIRE_COOKIE);
    assert_int_equal(ask(target, WIRE_HELLO, made_up).type, WIRE_COOKIE);
    assert_int_equal(counters_of(relay)->relayed, before);
    assert_int_equal(counters_of(relay)->drop_relay_unproven, refused + 2);
    assert_int_equal(ask(target, WIRE_HELLO, cookie).type, WIRE_HELLO_REPLY);
}

static void test_lane_relay_reaches_members_only(void **state)
{
    (void)state;
    uint64_t before = counters_of(relay)->drop_relay_target;
    assert_int_equal(ask(STRANGER, WIRE_HELLO, cookie).count, 0);
    assert_int_equal(ask((uint16_t)(relay + 1), WIRE_HELLO, cookie).count, 0);
    assert_int_equal(counters_of(relay)->drop_relay_target, before + 2);
}

static void test_lane_relay_takes_what_clients_say(void **state)
{
    static const uint8_t types[] = {WIRE_RAFT,  WIRE_HELLO_REPLY, WIRE_FORWARD,    WIRE_PRESENCE,
                                    WIRE_RELAY, WIRE_RELAYED,     WIRE_RELAY_BACK, WIRE_COOKIE};
    (void)state;
    uint64_t before = counters_of(relay)->drop_relay_malformed;
    uint64_t relayed = counters_of(relay)->relayed;
    for (uint32_t i = 0; i < sizeof(types); i++)
        assert_int_equal(ask(target, types[i], cookie).count, 0);
    assert_int_equal(counters_of(relay)->drop_relay_malformed, before + sizeof(types));
    assert_int_equal(counters_of(relay)->relayed, relayed);
}

/* As if it were a node's, from an address that no node has. */
static void test_lane_relay_believes_nodes_only(void **state)
{
    uint8_t packet[PACKET_SIZE_BYTES_USUAL];
    uint8_t body[WIRE_HELLO_REPLY_SIZE_BYTES];
    uint8_t bytes[RELAY_HEAD_SIZE_BYTES + PACKET_SIZE_BYTES_USUAL];
    (void)state;
    uint32_t size_bytes = packet_write(packet, WIRE_HELLO, hello_write(body, true), NULL);
    const struct wire_relay head = {.client = gauge_cluster_address(cluster->node_count),
                                    .packet = span_of(packet, size_bytes)};
    const struct span carrier = span_of(bytes, wire_relay_encode(bytes, &head));
    uint64_t before = counters_of(relay)->drop_sender;
    client_sends(WIRE_RELAYED, carrier, NULL);
    assert_int_equal(rounds().count, 0);
    client_sends(WIRE_RELAY_BACK, carrier, NULL);
    assert_int_equal(rounds().count, 0);
    assert_int_equal(counters_of(relay)->drop_sender, before + 2);
    assert_int_equal(counters_of(relay)->relayed_rx, 0);
}

/* A list that is none, and has no answer, around which is what a relay takes. */
static struct span unanswered_write(uint8_t *to, uint32_t body_bytes)
{
    static const uint8_t body[RELAY_PIECE_SIZE_BYTES];
    uint8_t packet[PACKET_SIZE_BYTES_USUAL];
    uint32_t size_bytes = packet_write(packet, WIRE_LIST, span_of(body, body_bytes), NULL);
    const struct wire_relay head = {.node = target, .packet = span_of(packet, size_bytes)};
    return span_of(to, wire_relay_encode(to, &head));
}

/* Though a node brings it, it waits with what clients send themselves: one turn takes a burst. */
static void test_lane_relay_waits_behind_peers(void **state)
{
    uint8_t bytes[RELAY_HEAD_SIZE_BYTES + PACKET_SIZE_BYTES_USUAL];
    const struct lane *leader = cluster->lanes[cluster->leader];
    (void)state;
    const struct span carrier = unanswered_write(bytes, 8);
    uint64_t before = lane_counters(leader)->relayed_rx;
    for (uint32_t i = 0; i < 2 * RX_BURST_MAX; i++) {
        client_sends(WIRE_RELAY, carrier, cookie);
        gauge_cluster_turn(cluster, relay);
        gauge_cluster_route(cluster, relay);
    }
    gauge_cluster_turn(cluster, cluster->leader);
    assert_int_equal(lane_counters(leader)->relayed_rx - before, RX_BURST_MAX);
    assert_int_equal(lane_clients_waiting(leader), RX_BURST_MAX);
    gauge_cluster_turn(cluster, cluster->leader);
    assert_int_equal(lane_counters(leader)->relayed_rx - before, 2 * RX_BURST_MAX);
    assert_int_equal(lane_clients_waiting(leader), 0);
}

/* The last one: the host has nothing left then. */
static void test_lane_relay_is_bounded_for_a_host(void **state)
{
    uint8_t bytes[RELAY_HEAD_SIZE_BYTES + PACKET_SIZE_BYTES_USUAL];
    (void)state;
    uint64_t before = counters_of(relay)->relayed;
    const struct span carrier = unanswered_write(bytes, RELAY_PIECE_SIZE_BYTES);
    uint64_t size_bytes = carrier.size_bytes - RELAY_HEAD_SIZE_BYTES;
    for (uint32_t i = 0; i < FLOOD_MAX && counters_of(relay)->drop_relay_budget == 0; i++) {
        client_sends(WIRE_RELAY, carrier, cookie);
        gauge_cluster_turn(cluster, relay);
        gauge_cluster_route(cluster, relay);
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
    }
    uint64_t relayed_bytes = (counters_of(relay)->relayed - before) * size_bytes;
    assert_int_equal(counters_of(relay)->drop_relay_budget, 1);
    assert_in_range(relayed_bytes, RATE / 2, 2 * RATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lane_relay_brings_question_and_answer),
        cmocka_unit_test(test_lane_relay_is_for_proven_addresses),
        cmocka_unit_test(test_lane_relay_reaches_members_only),
        cmocka_unit_test(test_lane_relay_takes_what_clients_say),
        cmocka_unit_test(test_lane_relay_believes_nodes_only),
        cmocka_unit_test(test_lane_relay_waits_behind_peers),
        cmocka_unit_test(test_lane_relay_is_bounded_for_a_host),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
