/* Packets: what is encoded is decoded, and every other run of bytes is refused for its own
 * reason. */
#include "base/crc32c.h"
#include "base/le.h"
#include "wire/wire_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct wire_keys keys = {.is_sealed = false};

#define CLUSTER UINT64_C(0x1122334455667788)

static const struct wire_message_header header = {.type = WIRE_WRITE,
                                                  .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                                  .shard = 3,
                                                  .sender = 7,
                                                  .cluster_id = CLUSTER,
                                                  .message_id = UINT64_C(0xA1A2A3A4A5A6A7A8)};

static uint8_t packet[PACKET_SIZE_BYTES_MAX + 8];

static uint32_t small_packet(void)
{
    return wire_piece_encode(packet, &keys, &header, span_of("hello", 5), 0);
}

/* Makes the checksum right again after a field was changed. */
static void reseal(uint32_t size_bytes)
{
    le32_store(packet + 4, 0);
    le32_store(packet + 4, crc32c(0, packet, size_bytes));
}

static enum error decode(size_t size_bytes)
{
    struct wire_packet ret = {.piece = 999};
    enum error error = wire_packet_decode(span_of(packet, size_bytes), &keys, CLUSTER, &ret);
    assert_true(error == OK || ret.piece == 999); /* untouched on failure */
    return error;
}

static void test_wire_packet_lays_out_its_header(void **state)
{
    (void)state;
    assert_int_equal(small_packet(), PACKET_HEADER_SIZE_BYTES + 5);
    static const uint8_t expected[] = "PX\x09\x12"
                                      "????"
                                      "\x88\x77\x66\x55\x44\x33\x22\x11"
                                      "\x03\0\x07\0\0\0\x01\0"
                                      "\xA8\xA7\xA6\xA5\xA4\xA3\xA2\xA1"
                                      "\x05\0\0\0";
    assert_int_equal(header.type, 0x12);
    assert_memory_equal(packet, expected, 4);
    assert_memory_equal(packet + 8, expected + 8, 28);
    static const uint8_t zero[20];
    assert_memory_equal(packet + 36, zero, 20);
    assert_memory_equal(packet + 56, "hello", 5);
}

static void test_wire_packet_returns_what_was_encoded(void **state)
{
    (void)state;
    static uint8_t body[3 * PACKET_PAYLOAD_SIZE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 31 + i / 256);
    static const size_t sizes[] = {0,
                                   1,
                                   PACKET_PAYLOAD_SIZE_BYTES_MAX - 1,
                                   PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                   PACKET_PAYLOAD_SIZE_BYTES_MAX + 1,
                                   2 * PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                   sizeof(body)};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t count = wire_piece_count(sizes[i], PACKET_PAYLOAD_SIZE_BYTES_MAX);
        assert_int_equal(count, sizes[i] == 0 ? 1
                                              : (sizes[i] + PACKET_PAYLOAD_SIZE_BYTES_MAX - 1) /
                                                    PACKET_PAYLOAD_SIZE_BYTES_MAX);
        size_t seen = 0;
        for (uint32_t piece = 0; piece < count; piece++) {
            uint32_t size =
                wire_piece_encode(packet, &keys, &header, span_of(body, sizes[i]), piece);
            struct wire_packet ret;
            assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
            assert_int_equal(ret.header.type, header.type);
            assert_int_equal(ret.header.shard, 3);
            assert_int_equal(ret.header.sender, 7);
            assert_true(ret.header.message_id == header.message_id);
            assert_true(ret.header.cluster_id == CLUSTER);
            assert_int_equal(ret.header.piece_size_bytes, PACKET_PAYLOAD_SIZE_BYTES_MAX);
            assert_int_equal(ret.piece, piece);
            assert_int_equal(ret.piece_count, count);
            assert_int_equal(ret.message_size_bytes, sizes[i]);
            assert_memory_equal(ret.payload.data, body + seen, ret.payload.size_bytes);
            seen += ret.payload.size_bytes;
        }
        assert_int_equal(seen, sizes[i]);
    }
}

/* Version 10 tells which format its sender knows; version 9 has zeros there. */
static void test_wire_packet_has_two_versions(void **state)
{
    (void)state;
    struct wire_message_header newer = header;
    struct wire_packet ret;
    newer.version = WIRE_VERSION_NEWEST;
    uint32_t size = wire_piece_encode(packet, &keys, &newer, span_of("hello", 5), 0);
    assert_true(packet[2] == 10 && packet[37] == FORMAT_KNOWN);
    assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
    assert_true(ret.header.version == 10 && ret.header.known == FORMAT_KNOWN);
    packet[37] = 0;
    reseal(size);
    assert_int_equal(decode(size), ERR_RESERVED);
    packet[37] = 200; /* a program that knows more */
    reseal(size);
    assert_int_equal(decode(size), OK);
    packet[38] = 1;
    reseal(size);
    assert_int_equal(decode(size), ERR_RESERVED);
    size = small_packet();
    assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
    assert_true(ret.header.version == 9 && ret.header.known == 0);
    packet[2] = 8;
    reseal(size);
    assert_int_equal(decode(size), ERR_VERSION);
}

/* In the place of the tag, where what clients and nodes say has none. */
static void test_wire_packet_has_room_for_a_cookie(void **state)
{
    (void)state;
    static const uint8_t cookie[COOKIE_SIZE_BYTES] = {9, 8, 7, [15] = 1};
    static const uint8_t with[] = {WIRE_HELLO,       WIRE_WRITE,  WIRE_READ,
                                   WIRE_STATUS,      WIRE_BACKUP, WIRE_MISSING,
                                   WIRE_HELLO_REPLY, WIRE_COOKIE, WIRE_COOKIE_NEXT};
    static const uint8_t without[] = {WIRE_RAFT,        WIRE_FORWARD,   WIRE_PRESENCE,
                                      WIRE_WRITE_REPLY, WIRE_HANDSHAKE, WIRE_HANDSHAKE_REPLY};
    struct wire_message_header shown = header;
    struct wire_packet ret;
    shown.cookie = cookie;
    for (size_t i = 0; i < sizeof(with); i++) {
        shown.type = with[i];
        uint32_t size = wire_piece_encode(packet, &keys, &shown, span_of("hello", 5), 0);
        assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
        assert_memory_equal(ret.header.cookie, cookie, sizeof(cookie));
    }
    for (size_t i = 0; i < sizeof(without); i++) {
        shown.type = without[i];
        assert_int_equal(decode(wire_piece_encode(packet, &keys, &shown, span_of("x", 1), 0)),
                         ERR_RESERVED);
    }
    uint32_t size = small_packet();
    assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
    assert_null(ret.header.cookie);
}

/* Which packets its answer may come in, a client says in a question, and nobody else. */
static void test_wire_packet_tells_how_large_an_answer_may_be(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1300 - PACKET_FRONT_SIZE_BYTES, PACKET_SIZE_BYTES_USUAL,
                                     PACKET_SIZE_BYTES_MAX};
    struct wire_message_header told = header;
    struct wire_packet ret;
    told.type = WIRE_READ;
    told.sender = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        told.answer_size_bytes = sizes[i];
        uint32_t size = wire_piece_encode(packet, &keys, &told, (struct span){0}, 0);
        assert_int_equal(packet[39], (sizes[i] + PACKET_FRONT_SIZE_BYTES) / MTU_UNIT_BYTES);
        assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret), OK);
        assert_int_equal(ret.header.answer_size_bytes, sizes[i]);
    }
    static const struct {
        uint8_t type;
        uint16_t sender;
        uint8_t units;
        enum error expected;
    } cases[] = {{WIRE_READ, 0, 0, OK},
                 {WIRE_READ, 0, 25, ERR_RESERVED},
                 {WIRE_READ, 0, 26, OK},
                 {WIRE_READ, 0, 180, OK},
                 {WIRE_READ, 0, 181, ERR_RESERVED},
                 {WIRE_READ, 1, 180, ERR_RESERVED},
                 {WIRE_READ_REPLY, 0, 180, ERR_RESERVED},
                 {WIRE_RAFT, 1, 180, ERR_RESERVED}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        told = header;
        told.type = cases[i].type;
        told.sender = cases[i].sender;
        uint32_t size = wire_piece_encode(packet, &keys, &told, (struct span){0}, 0);
        packet[39] = cases[i].units;
        reseal(size);
        assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret),
                         cases[i].expected);
    }
}

static void test_wire_packet_names_each_fault(void **state)
{
    (void)state;
    uint32_t size = small_packet();
    assert_int_equal(decode(0), ERR_SHORT);
    assert_int_equal(decode(PACKET_HEADER_SIZE_BYTES - 1), ERR_SHORT);
    assert_int_equal(decode(PACKET_SIZE_BYTES_MAX + 1), ERR_TOO_LARGE);
    packet[0] = 'Q';
    assert_int_equal(decode(size), ERR_MAGIC);
    small_packet();
    packet[2] = WIRE_VERSION_NEWEST + 1;
    assert_int_equal(decode(size), ERR_VERSION);
    small_packet();
    packet[size - 1] ^= 1;
    assert_int_equal(decode(size), ERR_CHECKSUM);
    small_packet();
    packet[8] ^= 1;
    reseal(size);
    assert_int_equal(decode(size), ERR_CLUSTER);
    small_packet();
    packet[3] = 2;
    reseal(size);
    assert_int_equal(decode(size), ERR_TYPE);
    packet[3] = WIRE_SESSION_END_REPLY + 1;
    reseal(size);
    assert_int_equal(decode(size), ERR_TYPE);
    for (uint32_t at = 36; at < 56; at++) {
        small_packet();
        packet[at] = 1;
        reseal(size);
        enum error expected = at == 36 ? ERR_KEY : ERR_RESERVED;
        assert_int_equal(decode(size), at >= 40 ? OK : expected); /* a cookie */
        packet[3] = WIRE_RAFT;
        reseal(size);
        assert_int_equal(decode(size), expected);
    }
    small_packet();
    le16_store(packet + 18, VOTER_ID_MAX + 1);
    reseal(size);
    assert_int_equal(decode(size), ERR_RANGE);
}

static void test_wire_packet_ties_piece_count_and_size_together(void **state)
{
    (void)state;
    uint32_t size = small_packet();
    le16_store(packet + 20, 1); /* piece 1 of 1 */
    reseal(size);
    assert_int_equal(decode(size), ERR_RANGE);
    small_packet();
    le16_store(packet + 22, 2); /* two pieces for five bytes */
    reseal(size);
    assert_int_equal(decode(size), ERR_RANGE);
    le16_store(packet + 22, 0);
    reseal(size);
    assert_int_equal(decode(size), ERR_RANGE);
    small_packet();
    le32_store(packet + 32, 6); /* one byte more than is there */
    reseal(size);
    assert_int_equal(decode(size), ERR_SHORT);
    le32_store(packet + 32, 4);
    reseal(size);
    assert_int_equal(decode(size), ERR_TRAILING);
    le32_store(packet + 32, MESSAGE_SIZE_BYTES_MAX + 1);
    reseal(size);
    assert_int_equal(decode(size), ERR_TOO_LARGE);
}

static void test_wire_packet_derives_the_piece_size_that_the_sender_chose(void **state)
{
    (void)state;
    static uint8_t body[4 * PACKET_PAYLOAD_SIZE_BYTES_MAX];
    for (uint32_t piece_size = PIECE_SIZE_BYTES_MIN; piece_size <= PACKET_PAYLOAD_SIZE_BYTES_MAX;
         piece_size++) {
        struct wire_message_header cut = header;
        cut.piece_size_bytes = (uint16_t)piece_size;
        const size_t sizes[] = {piece_size + 1, 2 * piece_size, 3 * piece_size - 1, sizeof(body)};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint32_t count = wire_piece_count(sizes[i], cut.piece_size_bytes);
            size_t seen = 0;
            for (uint32_t piece = 0; piece < count; piece++) {
                struct wire_packet ret;
                uint32_t size =
                    wire_piece_encode(packet, &keys, &cut, span_of(body, sizes[i]), piece);
                assert_int_equal(wire_packet_decode(span_of(packet, size), &keys, CLUSTER, &ret),
                                 OK);
                assert_int_equal(ret.header.piece_size_bytes, piece_size);
                assert_int_equal((size_t)ret.piece * ret.header.piece_size_bytes, seen);
                seen += ret.payload.size_bytes;
            }
            assert_int_equal(seen, sizes[i]);
        }
    }
}

/* Piece `piece` of `count` of a message of `message_bytes`, with a payload of `payload_bytes`. */
static enum error decode_piece(uint16_t piece, uint16_t count, uint32_t message_bytes,
                               uint32_t payload_bytes)
{
    small_packet();
    le16_store(packet + 20, piece);
    le16_store(packet + 22, count);
    le32_store(packet + 32, message_bytes);
    reseal(PACKET_HEADER_SIZE_BYTES + payload_bytes);
    return decode(PACKET_HEADER_SIZE_BYTES + payload_bytes);
}

static void test_wire_packet_refuses_pieces_that_contradict_themselves(void **state)
{
    (void)state;
    const uint32_t least = PIECE_SIZE_BYTES_MIN;
    assert_int_equal(decode_piece(0, 2, 2 * least, least), OK);
    assert_int_equal(decode_piece(0, 2, 2 * least, least - 1), ERR_RANGE); /* below the least */
    assert_int_equal(decode_piece(0, 2, 2 * least + 1, least), ERR_RANGE); /* takes a third */
    assert_int_equal(decode_piece(0, 3, 2 * least, least), ERR_RANGE);     /* two do */
    assert_int_equal(decode_piece(1, 2, least + 1, 1), OK);
    assert_int_equal(decode_piece(1, 2, least, 1), ERR_RANGE);     /* the first is too small */
    assert_int_equal(decode_piece(1, 2, least, least), ERR_RANGE); /* nothing is left for it */
    assert_int_equal(decode_piece(1, 2, 2 * least, least + 1), ERR_RANGE); /* the last is larger */
    assert_int_equal(decode_piece(2, 3, 2 * least + 1, 1), OK);
    assert_int_equal(decode_piece(2, 3, 2 * least + 2, 1), ERR_RANGE); /* the others are unequal */
    assert_int_equal(decode_piece(1, 2, 2 * PACKET_PAYLOAD_SIZE_BYTES_MAX, 10), ERR_RANGE);
    assert_int_equal(decode_piece(0, 1, PACKET_PAYLOAD_SIZE_BYTES_MAX + 1, 10), ERR_RANGE);
}

static void test_wire_packet_refuses_every_flipped_bit(void **state)
{
    (void)state;
    uint32_t size = small_packet();
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_not_equal(decode(size), OK);
        packet[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    assert_int_equal(decode(size), OK);
}

static void test_wire_cluster_id_tells_names_apart(void **state)
{
    (void)state;
    assert_true(wire_cluster_id("demo") == wire_cluster_id("demo"));
    assert_true(wire_cluster_id("demo") != wire_cluster_id("demp"));
    assert_true(wire_cluster_id("") != 0);
    /* On the wire and on the medium for ever: this value never changes. */
    assert_true(wire_cluster_id("pollux") == UINT64_C(0x8DC15AB7E605A2AE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_packet_lays_out_its_header),
        cmocka_unit_test(test_wire_packet_returns_what_was_encoded),
        cmocka_unit_test(test_wire_packet_has_two_versions),
        cmocka_unit_test(test_wire_packet_has_room_for_a_cookie),
        cmocka_unit_test(test_wire_packet_tells_how_large_an_answer_may_be),
        cmocka_unit_test(test_wire_packet_names_each_fault),
        cmocka_unit_test(test_wire_packet_ties_piece_count_and_size_together),
        cmocka_unit_test(test_wire_packet_derives_the_piece_size_that_the_sender_chose),
        cmocka_unit_test(test_wire_packet_refuses_pieces_that_contradict_themselves),
        cmocka_unit_test(test_wire_packet_refuses_every_flipped_bit),
        cmocka_unit_test(test_wire_cluster_id_tells_names_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
