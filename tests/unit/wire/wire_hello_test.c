/* Hello, counters and transfer: round trips, and each fault named. */
#include "base/le.h"
#include "wire/wire_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[1024];

static const struct wire_hello_reply hello_reply = {.nonce = 1,
                                                    .incarnation = 2,
                                                    .term = 3,
                                                    .applied_index = 4,
                                                    .commit_index = 5,
                                                    .last_index = 6,
                                                    .contact_age_us = UINT64_MAX,
                                                    .journal_done_seq = 10,
                                                    .session_ttl_ns = 11,
                                                    .node = 7,
                                                    .leader = 8,
                                                    .node_count = 9,
                                                    .shard_count = SHARDS_MAX,
                                                    .lane = LANES_MAX - 1,
                                                    .lane_count = LANES_MAX,
                                                    .role = WIRE_ROLE_LEADER,
                                                    .has_fresh_quorum = true,
                                                    .is_suspect = false,
                                                    .granularity = 2,
                                                    .is_emulated = true,
                                                    .membership = WIRE_OUTGOING,
                                                    .cluster = UINT64_C(0x1122334455667788),
                                                    .configuration_index = 77,
                                                    .era = 12};

static struct wire_writer writer_new(void)
{
    return (struct wire_writer){.data = buffer, .capacity_bytes = sizeof(buffer)};
}

static void test_wire_hello_round_trip(void **state)
{
    (void)state;
    struct wire_writer writer = writer_new();
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = UINT64_C(0xFEDCBA9876543210)});
    struct wire_hello ret = {0};
    assert_int_equal(wire_hello_decode(span_of(buffer, 7), &ret), ERR_SHORT);
    assert_int_equal(wire_hello_decode(span_of(buffer, 9), &ret), ERR_TRAILING);
    assert_true(ret.nonce == 0);
    assert_int_equal(wire_hello_decode(span_of(buffer, writer.size_bytes), &ret), OK);
    assert_true(ret.nonce == UINT64_C(0xFEDCBA9876543210) && !ret.is_padded);
}

/* As large as its answer. */
static void test_wire_hello_may_be_padded(void **state)
{
    (void)state;
    struct wire_writer writer = writer_new();
    struct wire_hello ret = {0};
    memset(buffer, 0xee, sizeof(buffer));
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = 5, .is_padded = true});
    assert_int_equal(wire_hello_decode(span_of(buffer, writer.size_bytes), &ret), OK);
    assert_true(ret.nonce == 5 && ret.is_padded);
    assert_int_equal(wire_hello_decode(span_of(buffer, writer.size_bytes - 1), &ret), ERR_TRAILING);
    buffer[writer.size_bytes - 1] = 1;
    assert_int_equal(wire_hello_decode(span_of(buffer, writer.size_bytes), &ret), ERR_RESERVED);
    size_t hello_bytes = writer.size_bytes;
    writer = writer_new();
    wire_hello_reply_encode(&writer, &hello_reply);
    assert_int_equal(writer.size_bytes, hello_bytes);
}

static void test_wire_hello_reply_round_trip_with_counters(void **state)
{
    (void)state;
    struct wire_writer writer = writer_new();
    wire_hello_reply_encode(&writer, &hello_reply);
    wire_counter_add(&writer, "keys", 10);
    wire_counter_add(&writer, "x", UINT64_MAX);
    assert_false(writer.is_overflow);
    struct span bytes = span_of(buffer, writer.size_bytes);
    struct wire_hello_reply ret;
    size_t cursor;
    assert_int_equal(wire_hello_reply_decode(bytes, &cursor, &ret), OK);
    assert_true(ret.nonce == 1 && ret.incarnation == 2 && ret.term == 3);
    assert_true(ret.applied_index == 4 && ret.commit_index == 5 && ret.last_index == 6);
    assert_true(ret.contact_age_us == UINT64_MAX && ret.journal_done_seq == 10);
    assert_true(ret.session_ttl_ns == 11);
    assert_int_equal(ret.node, 7);
    assert_int_equal(ret.leader, 8);
    assert_int_equal(ret.node_count, 9);
    assert_int_equal(ret.shard_count, SHARDS_MAX);
    assert_int_equal(ret.lane, LANES_MAX - 1);
    assert_int_equal(ret.lane_count, LANES_MAX);
    assert_int_equal(ret.role, WIRE_ROLE_LEADER);
    assert_true(ret.has_fresh_quorum && !ret.is_suspect && ret.is_emulated);
    assert_int_equal(ret.granularity, 2);
    assert_int_equal(ret.membership, WIRE_OUTGOING);
    assert_true(ret.cluster == UINT64_C(0x1122334455667788));
    assert_true(ret.configuration_index == 77 && ret.era == 12);
    struct wire_counter counter;
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), OK);
    assert_true(span_is_equal(counter.name, span_of("keys", 4)) && counter.value == 10);
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), OK);
    assert_true(span_is_equal(counter.name, span_of("x", 1)));
    assert_true(counter.value == UINT64_MAX);
    assert_int_equal(cursor, bytes.size_bytes);
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), ERR_SHORT);
}

static enum error decode_changed(size_t at, uint16_t value)
{
    struct wire_writer writer = writer_new();
    wire_hello_reply_encode(&writer, &hello_reply);
    le16_store(buffer + at, value);
    struct wire_hello_reply ret = {.node = 99};
    size_t end = 99;
    enum error error = wire_hello_reply_decode(span_of(buffer, writer.size_bytes), &end, &ret);
    assert_true(error == OK || (ret.node == 99 && end == 99));
    return error;
}

static void test_wire_hello_reply_names_each_fault(void **state)
{
    (void)state;
    struct wire_hello_reply ret;
    size_t end;
    assert_int_equal(wire_hello_reply_decode(span_of(buffer, 119), &end, &ret), ERR_SHORT);
    assert_int_equal(decode_changed(56, 7), OK);
    assert_int_equal(decode_changed(80, 0), ERR_RANGE);
    assert_int_equal(decode_changed(56, 0), ERR_RANGE);
    assert_int_equal(decode_changed(56, VOTER_ID_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_changed(58, VOTER_ID_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_changed(60, 0), ERR_RANGE);
    assert_int_equal(decode_changed(60, NODES_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_changed(62, WIRE_ROLE_LEADER + 1), ERR_RANGE);
    assert_int_equal(decode_changed(62, WIRE_ROLE_LEADER | 16 << 8), ERR_RESERVED);
    assert_int_equal(decode_changed(64, 2 | WIRE_NO_CLUSTER << 8), OK);
    assert_int_equal(decode_changed(64, 2 | (WIRE_ERA_OVER + 1) << 8), ERR_RANGE);
    assert_int_equal(decode_changed(118, 1), ERR_RESERVED);
    assert_int_equal(decode_changed(66, 0), ERR_RANGE);
    assert_int_equal(decode_changed(66, SHARDS_MAX + 1), ERR_RANGE);
    assert_int_equal(decode_changed(68, LANES_MAX), ERR_RANGE);
    assert_int_equal(decode_changed(70, 0), ERR_RANGE);
    assert_int_equal(decode_changed(70, LANES_MAX + 1), ERR_RANGE);
}

static void test_wire_counter_refuses_names_for_terminals_to_choke_on(void **state)
{
    (void)state;
    struct wire_counter counter = {.value = 99};
    size_t cursor = 0;
    struct wire_writer writer = writer_new();
    wire_counter_add(&writer, "name", 1);
    struct span bytes = span_of(buffer, writer.size_bytes);
    buffer[10] = 0x1b;
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), ERR_RANGE);
    buffer[8] = 0;
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), ERR_RANGE);
    buffer[8] = 64;
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), ERR_RANGE);
    buffer[8] = 5;
    assert_int_equal(wire_counter_decode(bytes, &cursor, &counter), ERR_SHORT);
    assert_true(cursor == 0 && counter.value == 99);
}

static void test_wire_transfer_round_trip(void **state)
{
    (void)state;
    struct wire_writer writer = writer_new();
    wire_transfer_encode(&writer, 12, 3);
    uint64_t number = 0;
    uint16_t target = 0;
    assert_int_equal(wire_transfer_decode(span_of(buffer, 15), &number, &target), ERR_SHORT);
    assert_int_equal(wire_transfer_decode(span_of(buffer, 17), &number, &target), ERR_TRAILING);
    assert_int_equal(wire_transfer_decode(span_of(buffer, 16), &number, &target), OK);
    assert_true(number == 12 && target == 3);
    le16_store(buffer + 8, VOTER_ID_MAX + 1);
    assert_int_equal(wire_transfer_decode(span_of(buffer, 16), &number, &target), ERR_RANGE);
    buffer[15] = 1;
    assert_int_equal(wire_transfer_decode(span_of(buffer, 16), &number, &target), ERR_RESERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_hello_round_trip),
        cmocka_unit_test(test_wire_hello_may_be_padded),
        cmocka_unit_test(test_wire_hello_reply_round_trip_with_counters),
        cmocka_unit_test(test_wire_hello_reply_names_each_fault),
        cmocka_unit_test(test_wire_counter_refuses_names_for_terminals_to_choke_on),
        cmocka_unit_test(test_wire_transfer_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
