/* The header of a sealed packet: what is written is read, each field lies where the layout says,
 * and what nobody can have sealed is refused. */
#include "wire/wire_seal.h"
#include "wire/wire_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTER UINT64_C(0x1122334455667788)

static const struct wire_keys sealed = {.is_sealed = true};
static const struct wire_keys unsealed = {.is_sealed = false};
static const struct wire_seal seal = {.association = 0xa1a2a3a4,
                                      .number = UINT64_C(0xb1b2b3b4b5b6b7b8),
                                      .key_id = 0xc1,
                                      .is_encrypted = true};
static uint8_t packet[PACKET_SIZE_BYTES_MAX];

static uint32_t encode(const struct wire_keys *keys, uint8_t version)
{
    const struct wire_message_header header = {.type = WIRE_RAFT,
                                               .version = version,
                                               .shard = 0x0103,
                                               .sender = 7,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = CLUSTER,
                                               .message_id = UINT64_C(0xd1d2d3d4d5d6d7d8)};
    return wire_piece_encode(packet, keys, &header, span_of("hello", 5), 0);
}

static enum error decode_as(const struct wire_keys *keys, uint32_t size_bytes,
                            struct wire_packet *ret_packet)
{
    return wire_packet_decode(span_of(packet, size_bytes), keys, CLUSTER, ret_packet);
}

static void test_wire_seal_lays_out_its_fields(void **state)
{
    (void)state;
    static const uint8_t expected[] = "PX\x8a\x01"
                                      "\xa4\xa3\xa2\xa1"
                                      "\xb8\xb7\xb6\xb5\xb4\xb3\xb2\xb1"
                                      "\x03\x01\x07\0\0\0\x01\0"
                                      "\xd8\xd7\xd6\xd5\xd4\xd3\xd2\xd1"
                                      "\x05\0\0\0\xc1";
    static const uint8_t zero[16];
    assert_int_equal(encode(&sealed, 10), PACKET_HEADER_SIZE_BYTES + 5);
    memset(packet + 40, 0, 16);
    wire_seal_write(packet, &seal);
    assert_memory_equal(packet, expected, sizeof(expected) - 1);
    assert_int_equal(packet[37], FORMAT_KNOWN);
    assert_int_equal(packet[38], 1);
    assert_int_equal(packet[39], 0);
    assert_memory_equal(packet + 40, zero, sizeof(zero));
    assert_memory_equal(packet + 56, "hello", 5);
}

static void test_wire_seal_is_read_as_written(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_seal read;
        struct wire_seal written = seal;
        written.is_encrypted = i == 1;
        uint32_t size_bytes = encode(&sealed, 10);
        wire_seal_write(packet, &written);
        assert_true(wire_is_sealed(span_of(packet, size_bytes)));
        assert_true(wire_seal_read(span_of(packet, size_bytes), &read));
        assert_int_equal(read.association, seal.association);
        assert_int_equal(read.number, seal.number);
        assert_int_equal(read.key_id, seal.key_id);
        assert_int_equal(read.is_encrypted, i == 1);
        assert_int_equal(read.shard, 0x0103);
        assert_int_equal(read.sender, 7);
    }
}

static void test_wire_seal_leaves_the_message_as_it_was(void **state)
{
    (void)state;
    for (uint8_t version = WIRE_VERSION_OLDEST; version <= WIRE_VERSION_NEWEST; version++) {
        struct wire_packet decoded;
        uint32_t size_bytes = encode(&sealed, version);
        wire_seal_write(packet, &seal);
        assert_int_equal(decode_as(&sealed, size_bytes, &decoded), OK);
        assert_int_equal(decoded.header.version, version);
        assert_int_equal(decoded.header.sender, 7);
        assert_int_equal(decoded.header.cluster_id, CLUSTER);
        assert_int_equal(decoded.header.message_id, UINT64_C(0xd1d2d3d4d5d6d7d8));
        assert_int_equal(decoded.payload.size_bytes, 5);
        assert_memory_equal(decoded.payload.data, "hello", 5);
    }
}

static void test_wire_seal_and_the_keys_must_agree(void **state)
{
    (void)state;
    struct wire_packet decoded;
    uint32_t size_bytes = encode(&unsealed, 10);
    assert_false(wire_is_sealed(span_of(packet, size_bytes)));
    assert_int_equal(decode_as(&unsealed, size_bytes, &decoded), OK);
    assert_int_equal(decode_as(&sealed, size_bytes, &decoded), ERR_KEY);
    size_bytes = encode(&sealed, 10);
    wire_seal_write(packet, &seal);
    assert_int_equal(decode_as(&unsealed, size_bytes, &decoded), ERR_KEY);
}

/* The tag covers these, too; but a sealed packet, too, says only what its layout has. */
static void test_wire_seal_has_no_other_bits(void **state)
{
    (void)state;
    struct wire_seal read = {.key_id = 0xee};
    struct wire_packet decoded;
    uint32_t size_bytes = encode(&sealed, 10);
    wire_seal_write(packet, &seal);
    packet[38] = 2;
    assert_false(wire_seal_read(span_of(packet, size_bytes), &read));
    packet[38] = 1;
    packet[39] = 1;
    assert_int_equal(decode_as(&sealed, size_bytes, &decoded), ERR_RESERVED);
    packet[39] = 0;
    packet[2] = 0x80 | (WIRE_VERSION_NEWEST + 1);
    assert_int_equal(decode_as(&sealed, size_bytes, &decoded), ERR_VERSION);
    packet[2] = 0x80 | (WIRE_VERSION_OLDEST - 1);
    assert_int_equal(decode_as(&sealed, size_bytes, &decoded), ERR_VERSION);
    assert_int_equal(read.key_id, 0xee);
}

static void test_wire_seal_needs_a_header(void **state)
{
    (void)state;
    struct wire_seal read = {.key_id = 0xee};
    uint32_t size_bytes = encode(&sealed, 10);
    wire_seal_write(packet, &seal);
    for (uint32_t size = 0; size < PACKET_HEADER_SIZE_BYTES; size++) {
        assert_false(wire_is_sealed(span_of(packet, size)));
        assert_false(wire_seal_read(span_of(packet, size), &read));
    }
    assert_int_equal(read.key_id, 0xee);
    assert_true(wire_is_sealed(span_of(packet, PACKET_HEADER_SIZE_BYTES)));
    assert_true(wire_seal_read(span_of(packet, size_bytes), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_seal_lays_out_its_fields),
        cmocka_unit_test(test_wire_seal_is_read_as_written),
        cmocka_unit_test(test_wire_seal_leaves_the_message_as_it_was),
        cmocka_unit_test(test_wire_seal_and_the_keys_must_agree),
        cmocka_unit_test(test_wire_seal_has_no_other_bits),
        cmocka_unit_test(test_wire_seal_needs_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
