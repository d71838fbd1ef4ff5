/* What is around a packet that is relayed: round trips, each fault named, and which packets are. */
#include "wire/wire_packet.h"
#include "wire/wire_relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SHARD 3

static uint8_t packet[PACKET_SIZE_BYTES_MAX];
static uint8_t buffer[RELAY_HEAD_SIZE_BYTES + PACKET_SIZE_BYTES_MAX];

static struct span packet_of(uint8_t type, uint16_t sender, uint32_t payload_bytes)
{
    static const uint8_t payload[PACKET_PAYLOAD_SIZE_BYTES_MAX] = {7};
    const struct wire_keys keys = wire_keys_none();
    const struct wire_message_header header = {.type = type,
                                               .shard = SHARD,
                                               .sender = sender,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = 1,
                                               .message_id = 77};
    return span_of(packet,
                   wire_piece_encode(packet, &keys, &header, span_of(payload, payload_bytes), 0));
}

static struct span encode(const struct wire_relay *relay)
{
    return span_of(buffer, wire_relay_encode(buffer, relay));
}

static struct wire_relay to_node(void)
{
    return (struct wire_relay){.node = 2, .packet = packet_of(WIRE_READ, 0, 100)};
}

static struct wire_relay of_client(void)
{
    const uint8_t ipv4[4] = {10, 0, 0, 1};
    return (struct wire_relay){.client = address_of_ipv4(ipv4, 4000),
                               .packet = packet_of(WIRE_READ, 0, 100)};
}

static void test_wire_relay_round_trips(void **state)
{
    struct wire_relay decoded;
    const struct wire_relay there = to_node();
    (void)state;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, encode(&there), &decoded), OK);
    assert_int_equal(decoded.node, 2);
    assert_true(span_is_equal(decoded.packet, there.packet));
    const struct wire_relay on = of_client();
    assert_int_equal(wire_relay_decode(WIRE_RELAYED, encode(&on), &decoded), OK);
    assert_int_equal(decoded.node, 0);
    assert_true(address_is_equal(&decoded.client, &on.client));
    assert_true(span_is_equal(decoded.packet, on.packet));
    assert_int_equal(wire_relay_decode(WIRE_RELAY_BACK, encode(&on), &decoded), OK);
}

static void test_wire_relay_takes_what_lies_behind_the_head(void **state)
{
    struct wire_relay relay = of_client();
    struct wire_relay decoded;
    (void)state;
    memcpy(buffer + RELAY_HEAD_SIZE_BYTES, relay.packet.data, relay.packet.size_bytes);
    relay.packet.data = buffer + RELAY_HEAD_SIZE_BYTES;
    assert_int_equal(wire_relay_decode(WIRE_RELAYED, encode(&relay), &decoded), OK);
    assert_memory_equal(decoded.packet.data, packet, decoded.packet.size_bytes);
}

static void test_wire_relay_names_each_fault(void **state)
{
    struct wire_relay decoded = {.node = 99};
    struct wire_relay relay = to_node();
    (void)state;
    struct span bytes = encode(&relay);
    bytes.size_bytes = RELAY_HEAD_SIZE_BYTES + PACKET_HEADER_SIZE_BYTES - 1;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, bytes, &decoded), ERR_SHORT);
    bytes.size_bytes = RELAY_HEAD_SIZE_BYTES + RELAY_PACKET_SIZE_BYTES_MAX + 1;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, bytes, &decoded), ERR_TOO_LARGE);
    bytes = encode(&relay);
    assert_int_equal(wire_relay_decode(WIRE_RELAYED, bytes, &decoded), ERR_RESERVED);
    buffer[23] = 1;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, bytes, &decoded), ERR_RESERVED);
    relay.node = 0;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, encode(&relay), &decoded), ERR_NODE);
    relay.node = VOTER_ID_MAX + 1;
    assert_int_equal(wire_relay_decode(WIRE_RELAY, encode(&relay), &decoded), ERR_NODE);
    relay = of_client();
    assert_int_equal(wire_relay_decode(WIRE_RELAY, encode(&relay), &decoded), ERR_RESERVED);
    relay.client.port = 0;
    assert_int_equal(wire_relay_decode(WIRE_RELAYED, encode(&relay), &decoded), ERR_RANGE);
    relay.client = (struct address){.port = 1};
    assert_int_equal(wire_relay_decode(WIRE_RELAY_BACK, encode(&relay), &decoded), ERR_RANGE);
    assert_int_equal(decoded.node, 99);
}

static void test_wire_relay_carries_the_largest_piece(void **state)
{
    struct wire_relay relay = to_node();
    struct wire_relay decoded;
    (void)state;
    relay.packet = packet_of(WIRE_READ, 0, RELAY_PIECE_SIZE_BYTES);
    struct span bytes = encode(&relay);
    assert_int_equal(wire_relay_decode(WIRE_RELAY, bytes, &decoded), OK);
    assert_true(PACKET_HEADER_SIZE_BYTES + bytes.size_bytes <= RELAY_CARRIER_SIZE_BYTES_MAX);
}

/* Questions of clients go to nodes, answers of nodes to clients. Nothing is relayed twice, and
 * nobody speaks as a node by way of another one. */
static void test_wire_relay_carries_what_clients_and_nodes_say(void **state)
{
    (void)state;
    for (uint8_t type = WIRE_RAFT; type <= WIRE_RELAY_BACK; type++) {
        bool is_between = wire_type_is_between_nodes(type) || type == WIRE_RELAY;
        bool is_question = wire_type_is_question(type) || type == WIRE_HANDSHAKE;
        bool is_either = type == WIRE_MISSING;
        assert_int_equal(wire_relay_may_carry(packet_of(type, 0, 8), SHARD, 0),
                         !is_between && (is_question || is_either));
        assert_int_equal(wire_relay_may_carry(packet_of(type, 2, 8), SHARD, 2),
                         !is_between && !is_question);
    }
    assert_false(wire_relay_may_carry(packet_of(WIRE_RELAY, 0, 100), SHARD, 0));
    assert_false(wire_relay_may_carry(packet_of(WIRE_RELAYED, 0, 100), SHARD, 0));
    assert_false(wire_relay_may_carry(packet_of(WIRE_RELAY_BACK, 2, 100), SHARD, 2));
    assert_true(wire_relay_may_carry(packet_of(WIRE_READ, 0, 8), SHARD, 0));
    assert_false(wire_relay_may_carry(packet_of(WIRE_READ, 0, 8), SHARD + 1, 0));
    assert_false(wire_relay_may_carry(packet_of(WIRE_READ, 1, 8), SHARD, 0));
    assert_true(wire_relay_may_carry(packet_of(WIRE_READ_REPLY, 2, 8), SHARD, 2));
    assert_false(wire_relay_may_carry(packet_of(WIRE_READ_REPLY, 3, 8), SHARD, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_relay_round_trips),
        cmocka_unit_test(test_wire_relay_takes_what_lies_behind_the_head),
        cmocka_unit_test(test_wire_relay_names_each_fault),
        cmocka_unit_test(test_wire_relay_carries_the_largest_piece),
        cmocka_unit_test(test_wire_relay_carries_what_clients_and_nodes_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
