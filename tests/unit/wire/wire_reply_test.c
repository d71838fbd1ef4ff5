/* Replies: round trips, each fault named, and names for every status and outcome. */
#include "base/le.h"
#include "wire/wire_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[4096];

static struct span reply_of_two_ops(void)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    struct wire_reply reply = {.number = 1,
                               .incarnation = 2,
                               .node = 3,
                               .leader = 4,
                               .status = WIRE_STATUS_OK,
                               .term = 5,
                               .applied_index = 6,
                               .contact_age_us = UINT64_MAX,
                               .retry_us = UINT64_C(1) << 40,
                               .journal_done_seq = 7};
    wire_reply_begin(&writer, &reply);
    wire_reply_add(&writer, &(struct wire_reply_op){.seq = 41,
                                                    .outcome = WIRE_OUTCOME_MISMATCH,
                                                    .is_pending = true,
                                                    .has_value = true,
                                                    .version = 17,
                                                    .value_size_bytes = 100000,
                                                    .chunk = span_of("begin", 5)});
    wire_reply_add(&writer, &(struct wire_reply_op){.seq = 42, .outcome = WIRE_OUTCOME_NOT_FOUND});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static enum error decode(struct span bytes)
{
    struct wire_reply ret = {.op_count = 999};
    enum error error = wire_reply_decode(bytes, &ret);
    assert_true(error == OK || ret.op_count == 999);
    return error;
}

static void test_wire_reply_returns_its_ops(void **state)
{
    (void)state;
    struct wire_reply reply;
    assert_int_equal(wire_reply_decode(reply_of_two_ops(), &reply), OK);
    assert_true(reply.number == 1 && reply.incarnation == 2 && reply.term == 5);
    assert_true(reply.applied_index == 6 && reply.contact_age_us == UINT64_MAX);
    assert_true(reply.journal_done_seq == 7);
    assert_true(reply.retry_us == UINT64_C(1) << 40);
    assert_int_equal(reply.node, 3);
    assert_int_equal(reply.leader, 4);
    assert_int_equal(reply.op_count, 2);
    size_t cursor = 0;
    struct wire_reply_op op;
    assert_int_equal(wire_reply_op_decode(reply.ops, &cursor, &op), OK);
    assert_true(op.seq == 41 && op.version == 17);
    assert_int_equal(op.outcome, WIRE_OUTCOME_MISMATCH);
    assert_true(op.is_pending && op.has_value);
    assert_int_equal(op.value_size_bytes, 100000);
    assert_true(span_is_equal(op.chunk, span_of("begin", 5)));
    assert_int_equal(wire_reply_op_decode(reply.ops, &cursor, &op), OK);
    assert_int_equal(op.outcome, WIRE_OUTCOME_NOT_FOUND);
    assert_false(op.has_value || op.is_pending);
    assert_int_equal(wire_reply_op_decode(reply.ops, &cursor, &op), ERR_SHORT);
}

static void test_wire_reply_names_each_fault(void **state)
{
    (void)state;
    struct span bytes = reply_of_two_ops();
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(buffer, size)), ERR_SHORT);
    le16_store(buffer + 44, 1);
    assert_int_equal(decode(bytes), ERR_TRAILING);
    le16_store(buffer + 44, REQUEST_OPS_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
    reply_of_two_ops();
    buffer[46] = WIRE_STATUS_END;
    assert_int_equal(decode(bytes), ERR_TYPE);
    buffer[46] = WIRE_STATUS_NO_QUORUM; /* a refusal with ops */
    assert_int_equal(decode(bytes), ERR_RANGE);
    reply_of_two_ops();
    buffer[47] = 2;
    assert_int_equal(decode(bytes), ERR_RESERVED);
}

static void test_wire_reply_op_names_each_fault(void **state)
{
    (void)state;
    uint8_t *op = buffer + WIRE_REPLY_HEADER_SIZE_BYTES;
    struct span bytes = reply_of_two_ops();
    op[24] = 0;
    assert_int_equal(decode(bytes), ERR_TYPE);
    op[24] = WIRE_OUTCOME_END;
    assert_int_equal(decode(bytes), ERR_TYPE);
    reply_of_two_ops();
    op[25] |= 4;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    reply_of_two_ops();
    op[31] = 1;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    reply_of_two_ops();
    le32_store(op + 16, VALUE_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    reply_of_two_ops();
    le32_store(op + 20, REPLY_CHUNK_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    reply_of_two_ops();
    le32_store(op + 16, 4); /* a chunk larger than its value */
    assert_int_equal(decode(bytes), ERR_RANGE);
    reply_of_two_ops();
    op[25] = 0; /* a value without its flag */
    assert_int_equal(decode(bytes), ERR_RANGE);
}

static void test_wire_reply_overflow_leaves_the_ops_before_whole(void **state)
{
    (void)state;
    struct wire_writer writer = {.data = buffer, .capacity_bytes = 64 + 32 + 4};
    wire_reply_begin(&writer, &(struct wire_reply){.number = 1});
    wire_reply_add(&writer, &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK});
    wire_reply_add(&writer, &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK});
    assert_true(writer.is_overflow);
    assert_int_equal(decode(span_of(buffer, writer.size_bytes)), OK);
}

static void test_wire_names_every_status_and_outcome(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < WIRE_STATUS_END; i++)
        assert_string_not_equal(wire_status_name(i), "?");
    for (uint8_t i = WIRE_OUTCOME_OK; i < WIRE_OUTCOME_END; i++)
        assert_string_not_equal(wire_outcome_name(i), "?");
    assert_string_equal(wire_status_name(WIRE_STATUS_UNSUPPORTED), "unsupported");
    assert_string_equal(wire_status_name(WIRE_STATUS_UNKNOWN), "unknown");
    assert_string_equal(wire_status_name(WIRE_STATUS_WRONG_SHARD), "wrong-shard");
    assert_string_equal(wire_outcome_name(WIRE_OUTCOME_VERSION), "version");
    assert_string_equal(wire_status_name(WIRE_STATUS_END), "?");
    assert_string_equal(wire_outcome_name(0), "?");
    assert_string_equal(wire_outcome_name(WIRE_OUTCOME_END), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_reply_returns_its_ops),
        cmocka_unit_test(test_wire_reply_names_each_fault),
        cmocka_unit_test(test_wire_reply_op_names_each_fault),
        cmocka_unit_test(test_wire_reply_overflow_leaves_the_ops_before_whole),
        cmocka_unit_test(test_wire_names_every_status_and_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
