/* Messages about snapshots: what is written is read back, and nothing else is read. */
#include "wire/wire_snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t buffer[SNAPSHOT_BLOCK_BYTES + 256];

static struct wire_snapshot_message message_of(uint8_t type)
{
    return (struct wire_snapshot_message){.type = type,
                                          .fingerprint = 0x01020304,
                                          .id = UINT64_C(0x1122334455667788),
                                          .index = 1234567,
                                          .record_term = 9};
}

static struct span encode(const struct wire_snapshot_message *message)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_snapshot_encode(&writer, message);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static struct wire_snapshot_message read_back(const struct wire_snapshot_message *message)
{
    struct wire_snapshot_message found;
    assert_int_equal(wire_snapshot_decode(encode(message), &found), OK);
    assert_int_equal(found.type, message->type);
    assert_int_equal(found.fingerprint, message->fingerprint);
    assert_true(found.id == message->id);
    assert_true(found.index == message->index);
    assert_true(found.record_term == message->record_term);
    return found;
}

static void test_snapshot_offer_is_read_back(void **state)
{
    (void)state;
    struct wire_snapshot_message message = message_of(WIRE_SNAPSHOT_OFFER);
    message.offer.leader_term = 12;
    message.offer.stream_bytes = UINT64_C(5) << 32;
    message.offer.block_count = 77;
    message.offer.content_crc = 0xdeadbeef;
    struct wire_snapshot_message found = read_back(&message);
    assert_true(found.offer.leader_term == 12);
    assert_true(found.offer.stream_bytes == UINT64_C(5) << 32);
    assert_int_equal(found.offer.block_count, 77);
    assert_int_equal(found.offer.content_crc, 0xdeadbeef);
}

static void test_snapshot_ask_is_read_back(void **state)
{
    (void)state;
    struct wire_snapshot_message message = message_of(WIRE_SNAPSHOT_ASK);
    message.ask.first_block = 40;
    message.ask.block_count = SNAPSHOT_ASK_BLOCKS_MAX;
    struct wire_snapshot_message found = read_back(&message);
    assert_int_equal(found.ask.first_block, 40);
    assert_int_equal(found.ask.block_count, SNAPSHOT_ASK_BLOCKS_MAX);
}

static void test_snapshot_block_is_read_back(void **state)
{
    (void)state;
    static uint8_t bytes[SNAPSHOT_BLOCK_BYTES];
    memset(bytes, 0xa5, sizeof(bytes));
    struct wire_snapshot_message message = message_of(WIRE_SNAPSHOT_BLOCK);
    message.block.number = 3;
    message.block.bytes = span_of(bytes, sizeof(bytes));
    struct wire_snapshot_message found = read_back(&message);
    assert_int_equal(found.block.number, 3);
    assert_int_equal(found.block.bytes.size_bytes, sizeof(bytes));
    assert_memory_equal(found.block.bytes.data, bytes, sizeof(bytes));
}

static void expect(struct span bytes, enum error expected)
{
    struct wire_snapshot_message found;
    assert_int_equal(wire_snapshot_decode(bytes, &found), expected);
}

static void test_snapshot_refuses_what_is_malformed(void **state)
{
    (void)state;
    struct wire_snapshot_message message = message_of(WIRE_SNAPSHOT_ASK);
    message.ask.block_count = 1;
    struct span bytes = encode(&message);
    for (size_t size_bytes = 0; size_bytes < bytes.size_bytes; size_bytes++)
        expect(span_of(buffer, size_bytes), ERR_SHORT);
    expect(span_of(buffer, bytes.size_bytes + 1), ERR_TRAILING);
    buffer[4] = 0;
    expect(bytes, ERR_TYPE);
    buffer[4] = WIRE_SNAPSHOT_TYPE_END;
    expect(bytes, ERR_TYPE);
    bytes = encode(&message);
    buffer[6] = 1;
    expect(bytes, ERR_RESERVED);
    message.ask.block_count = 0;
    expect(encode(&message), ERR_RANGE);
    message.ask.block_count = SNAPSHOT_ASK_BLOCKS_MAX + 1;
    expect(encode(&message), ERR_RANGE);
    message.ask.block_count = 1;
    message.index = 0;
    expect(encode(&message), ERR_RANGE);
    message.index = INDEX_MAX + 1;
    expect(encode(&message), ERR_RANGE);
    message.index = 1;
    message.record_term = TERM_MAX + 1;
    expect(encode(&message), ERR_RANGE);
}

static void test_snapshot_refuses_blocks_of_no_size_and_too_much(void **state)
{
    (void)state;
    static uint8_t bytes[SNAPSHOT_BLOCK_BYTES + 1];
    struct wire_snapshot_message message = message_of(WIRE_SNAPSHOT_BLOCK);
    message.block.bytes = span_of(bytes, 0);
    expect(encode(&message), ERR_SHORT);
    message.block.bytes = span_of(bytes, sizeof(bytes));
    expect(encode(&message), ERR_TOO_LARGE);
    message.block.bytes = span_of(bytes, 10);
    struct span encoded = encode(&message);
    buffer[32 + 5] = 1;
    expect(encoded, ERR_RESERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_offer_is_read_back),
        cmocka_unit_test(test_snapshot_ask_is_read_back),
        cmocka_unit_test(test_snapshot_block_is_read_back),
        cmocka_unit_test(test_snapshot_refuses_what_is_malformed),
        cmocka_unit_test(test_snapshot_refuses_blocks_of_no_size_and_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
