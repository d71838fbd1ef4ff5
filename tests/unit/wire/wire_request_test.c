/* Writes of clients: round trips, and each fault named. */
#include "base/le.h"
#include "wire/wire_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[64 * 1024];

static struct wire_writer writer_of(uint8_t *data, size_t capacity_bytes)
{
    return (struct wire_writer){.data = data, .capacity_bytes = capacity_bytes};
}

static const struct wire_op set_op = {.type = WIRE_OP_SET,
                                      .has_value = true,
                                      .seq = 41,
                                      .key = {(const uint8_t *)"key", 3},
                                      .value = {(const uint8_t *)"value", 5}};
static const struct wire_op swap_op = {.type = WIRE_OP_SWAP,
                                       .has_value = true,
                                       .has_old = true,
                                       .seq = 42,
                                       .key = {(const uint8_t *)"k", 1},
                                       .value = {(const uint8_t *)"", 0},
                                       .old = {(const uint8_t *)"old", 3}};

static struct span request_of(const struct wire_op *op)
{
    struct wire_writer writer = writer_of(buffer, sizeof(buffer));
    wire_request_begin(&writer, 9, 5);
    wire_request_add(&writer, op);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static enum error decode(struct span bytes)
{
    struct wire_request ret = {.op_count = 999};
    enum error error = wire_request_decode(bytes, &ret);
    assert_true(error == OK || ret.op_count == 999);
    return error;
}

static void assert_op_equal(const struct wire_op *a, const struct wire_op *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->has_value, b->has_value);
    assert_int_equal(a->has_old, b->has_old);
    assert_int_equal(a->node, b->node);
    assert_int_equal(a->tag, b->tag);
    assert_true(a->seq == b->seq);
    assert_true(span_is_equal(a->key, b->key));
    assert_true(span_is_equal(a->value, b->value));
    assert_true(span_is_equal(a->old, b->old));
}

static void test_wire_request_returns_its_ops(void **state)
{
    (void)state;
    struct wire_writer writer = writer_of(buffer, sizeof(buffer));
    wire_request_begin(&writer, UINT64_MAX, 40);
    const struct wire_op ops[] = {
        set_op,
        swap_op,
        {.type = WIRE_OP_SET, .seq = 43, .key = {(const uint8_t *)"gone", 4}},
        {.type = WIRE_OP_FENCE, .seq = 44},
        {.type = WIRE_OP_REGISTER, .seq = UINT64_MAX},
        {.type = WIRE_OP_UNREGISTER},
        {.type = WIRE_OP_KEEP_ALIVE},
        {.type = WIRE_OP_CANCEL,
         .seq = UINT64_MAX,
         .node = VOTER_ID_MAX,
         .tag = UINT32_MAX,
         .series = 5},
    };
    const size_t count = sizeof(ops) / sizeof(ops[0]);
    size_t expected_bytes = WIRE_REQUEST_HEADER_SIZE_BYTES;
    for (size_t i = 0; i < count; i++) {
        wire_request_add(&writer, &ops[i]);
        expected_bytes += wire_op_size_bytes(&ops[i]);
    }
    assert_int_equal(writer.size_bytes, expected_bytes);
    struct wire_request request;
    assert_int_equal(wire_request_decode(span_of(buffer, writer.size_bytes), &request), OK);
    assert_true(request.session == UINT64_MAX && request.floor == 40);
    assert_int_equal(request.op_count, count);
    size_t cursor = 0;
    for (size_t i = 0; i < count; i++) {
        struct wire_op op;
        assert_int_equal(wire_op_decode(request.ops, &cursor, &op), OK);
        assert_op_equal(&op, &ops[i]);
    }
    assert_int_equal(cursor, request.ops.size_bytes);
}

static void test_wire_request_refuses_a_wrong_count_or_size(void **state)
{
    (void)state;
    struct span bytes = request_of(&set_op);
    assert_int_equal(decode(bytes), OK);
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(buffer, size)), ERR_SHORT);
    assert_int_equal(decode(span_of(buffer, bytes.size_bytes + 1)), ERR_TRAILING);
    assert_int_equal(decode(span_of(buffer, (size_t)MESSAGE_SIZE_BYTES_MAX + 1)), ERR_TOO_LARGE);
    le16_store(buffer + 16, 0);
    assert_int_equal(decode(bytes), ERR_RANGE);
    le16_store(buffer + 16, REQUEST_OPS_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
    le16_store(buffer + 16, 2); /* one op more than there is */
    assert_int_equal(decode(bytes), ERR_SHORT);
    le16_store(buffer + 16, 1);
    le16_store(buffer + 18, 1);
    assert_int_equal(decode(bytes), ERR_RESERVED);
    struct wire_writer writer = writer_of(buffer, sizeof(buffer));
    wire_request_begin(&writer, 1, 1);
    wire_request_add(&writer, &set_op);
    wire_request_add(&writer, &set_op);
    le16_store(buffer + 16, 1); /* one op fewer than there are */
    assert_int_equal(decode(span_of(buffer, writer.size_bytes)), ERR_TRAILING);
}

static void test_wire_op_names_each_fault(void **state)
{
    (void)state;
    uint8_t *op = buffer + WIRE_REQUEST_HEADER_SIZE_BYTES;
    struct span bytes = request_of(&set_op);
    op[0] = 0;
    assert_int_equal(decode(bytes), ERR_TYPE);
    op[0] = WIRE_OP_TYPE_END;
    assert_int_equal(decode(bytes), ERR_TYPE);
    request_of(&set_op);
    op[1] |= 4;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    request_of(&set_op);
    op[22] = 1;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    request_of(&set_op);
    le16_store(op + 2, KEY_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    request_of(&set_op);
    le32_store(op + 4, VALUE_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    struct span swap = request_of(&swap_op);
    le32_store(op + 16, UINT32_MAX);
    assert_int_equal(decode(swap), ERR_TOO_LARGE);
    request_of(&set_op);
    le32_store(op + 16, UINT32_MAX); /* a tag */
    assert_int_equal(decode(bytes), OK);
    request_of(&set_op);
    le32_store(op + 4, 6);
    assert_int_equal(decode(bytes), ERR_SHORT);
}

static void test_wire_op_refuses_parts_that_its_type_has_not(void **state)
{
    (void)state;
    uint8_t *op = buffer + WIRE_REQUEST_HEADER_SIZE_BYTES;
    struct span bytes = request_of(&set_op);
    op[1] = 0; /* a value without its flag */
    assert_int_equal(decode(bytes), ERR_RANGE);
    request_of(&set_op);
    op[1] |= 2; /* a set with an old value */
    assert_int_equal(decode(bytes), ERR_RANGE);
    request_of(&set_op);
    le64_store(op + 8, 0); /* no sequence number */
    assert_int_equal(decode(bytes), ERR_RANGE);
    request_of(&set_op);
    op[0] = WIRE_OP_FENCE; /* a fence with a key */
    assert_int_equal(decode(bytes), ERR_RANGE);
    const struct wire_op without_key = {.type = WIRE_OP_SET, .seq = 1};
    assert_int_equal(decode(request_of(&without_key)), ERR_RANGE);
    const struct wire_op anonymous = {.type = WIRE_OP_REGISTER};
    assert_int_equal(decode(request_of(&anonymous)), ERR_RANGE);
    const struct wire_op valued = {.type = WIRE_OP_FENCE, .seq = 1, .has_value = true};
    assert_int_equal(decode(request_of(&valued)), ERR_RANGE);
    const struct wire_op of_node = {.type = WIRE_OP_FENCE, .seq = 1, .node = 1};
    assert_int_equal(decode(request_of(&of_node)), ERR_RANGE);
    struct wire_op cancel = {.type = WIRE_OP_CANCEL, .seq = 1};
    assert_int_equal(decode(request_of(&cancel)), ERR_RANGE);
    cancel.node = VOTER_ID_MAX + 1;
    assert_int_equal(decode(request_of(&cancel)), ERR_RANGE);
    cancel.node = 1;
    assert_int_equal(decode(request_of(&cancel)), ERR_RANGE);
    cancel.series = UINT64_C(1) << 63;
    assert_int_equal(decode(request_of(&cancel)), ERR_RANGE);
    cancel.series = 1;
    assert_int_equal(decode(request_of(&cancel)), OK);
    cancel.seq = 0;
    assert_int_equal(decode(request_of(&cancel)), ERR_RANGE);
}

static void test_wire_op_limits_carry_values_within_their_range(void **state)
{
    (void)state;
    const struct wire_limits limits = {.keys_max = 7, .blocks_max = 8, .sessions_max = 9};
    uint8_t value[WIRE_LIMITS_SIZE_BYTES + 1] = {0};
    struct wire_limits told;
    wire_limits_encode(value, &limits);
    assert_int_equal(wire_limits_decode(span_of(value, WIRE_LIMITS_SIZE_BYTES), &told), OK);
    assert_memory_equal(&told, &limits, sizeof(told));
    assert_int_equal(wire_limits_decode(span_of(value, 15), &told), ERR_SHORT);
    assert_int_equal(wire_limits_decode(span_of(value, 17), &told), ERR_TRAILING);
    struct wire_op op = {.type = WIRE_OP_LIMITS,
                         .has_value = true,
                         .seq = 1,
                         .value = span_of(value, WIRE_LIMITS_SIZE_BYTES)};
    assert_int_equal(decode(request_of(&op)), OK);
    op.seq = 0;
    assert_int_equal(decode(request_of(&op)), ERR_RANGE);
    op.seq = UINT64_C(1) << 32;
    assert_int_equal(decode(request_of(&op)), ERR_RANGE);
    op.seq = 1;
    for (size_t field = 0; field < 12; field += 4) {
        wire_limits_encode(value, &limits);
        le32_store(value + field, 0);
        assert_int_equal(decode(request_of(&op)), ERR_RANGE);
    }
    wire_limits_encode(value, &limits);
    value[12] = 1;
    assert_int_equal(decode(request_of(&op)), ERR_RESERVED);
    op.has_value = false;
    op.value = span_of(NULL, 0);
    assert_int_equal(decode(request_of(&op)), ERR_RANGE);
    op.key = set_op.key;
    assert_int_equal(decode(request_of(&op)), ERR_RANGE);
}

static void test_wire_request_overflow_leaves_the_ops_before_whole(void **state)
{
    (void)state;
    size_t one_op = WIRE_REQUEST_HEADER_SIZE_BYTES + wire_op_size_bytes(&set_op);
    struct wire_writer writer = writer_of(buffer, one_op + 10);
    wire_request_begin(&writer, 1, 1);
    wire_request_add(&writer, &set_op);
    assert_false(writer.is_overflow);
    wire_request_add(&writer, &swap_op);
    assert_true(writer.is_overflow);
    assert_int_equal(writer.size_bytes, one_op);
    assert_int_equal(decode(span_of(buffer, one_op)), OK);
    struct wire_writer small = writer_of(buffer, WIRE_REQUEST_HEADER_SIZE_BYTES - 1);
    wire_request_begin(&small, 1, 1);
    assert_true(small.is_overflow);
}

static void test_wire_write_carries_a_request(void **state)
{
    (void)state;
    static uint8_t message[4096];
    struct span request = request_of(&swap_op);
    struct wire_write write = {.packet_number = UINT64_C(0x0102030405060708),
                               .incarnation = 77,
                               .timeout_us = 50000,
                               .is_relaxed = true,
                               .is_recall = true,
                               .request = request};
    struct wire_writer writer = writer_of(message, sizeof(message));
    wire_write_encode(&writer, &write);
    assert_int_equal(writer.size_bytes, WIRE_WRITE_HEADER_SIZE_BYTES + request.size_bytes);
    struct wire_write ret;
    assert_int_equal(wire_write_decode(span_of(message, writer.size_bytes), &ret), OK);
    assert_true(ret.packet_number == write.packet_number && ret.incarnation == 77);
    assert_int_equal(ret.timeout_us, 50000);
    assert_true(ret.is_relaxed && ret.is_recall);
    assert_true(span_is_equal(ret.request, request));

    ret.timeout_us = 1;
    message[20] = 4;
    assert_int_equal(wire_write_decode(span_of(message, writer.size_bytes), &ret), ERR_RESERVED);
    message[20] = 2; /* a recall of a consistent write */
    assert_int_equal(wire_write_decode(span_of(message, writer.size_bytes), &ret), ERR_RANGE);
    message[20] = 0;
    message[23] = 1;
    assert_int_equal(wire_write_decode(span_of(message, writer.size_bytes), &ret), ERR_RESERVED);
    message[23] = 0;
    assert_int_equal(wire_write_decode(span_of(message, 23), &ret), ERR_SHORT);
    assert_int_equal(wire_write_decode(span_of(message, 30), &ret), ERR_SHORT);
    assert_int_equal(ret.timeout_us, 1);
}

static void test_wire_write_takes_a_request_that_lies_in_place(void **state)
{
    (void)state;
    struct wire_writer inner = writer_of(buffer + WIRE_WRITE_HEADER_SIZE_BYTES, 4096);
    wire_request_begin(&inner, 9, 5);
    wire_request_add(&inner, &set_op);
    struct wire_write write = {.packet_number = 1, .request = {inner.data, inner.size_bytes}};
    struct wire_writer outer = writer_of(buffer, sizeof(buffer));
    wire_write_encode(&outer, &write);
    struct wire_write ret;
    assert_int_equal(wire_write_decode(span_of(buffer, outer.size_bytes), &ret), OK);
    struct wire_request request;
    assert_int_equal(wire_request_decode(ret.request, &request), OK);
    size_t cursor = 0;
    struct wire_op op;
    assert_int_equal(wire_op_decode(request.ops, &cursor, &op), OK);
    assert_op_equal(&op, &set_op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_request_returns_its_ops),
        cmocka_unit_test(test_wire_request_refuses_a_wrong_count_or_size),
        cmocka_unit_test(test_wire_op_names_each_fault),
        cmocka_unit_test(test_wire_op_refuses_parts_that_its_type_has_not),
        cmocka_unit_test(test_wire_op_limits_carry_values_within_their_range),
        cmocka_unit_test(test_wire_request_overflow_leaves_the_ops_before_whole),
        cmocka_unit_test(test_wire_write_carries_a_request),
        cmocka_unit_test(test_wire_write_takes_a_request_that_lies_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
