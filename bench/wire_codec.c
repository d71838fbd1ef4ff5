/*
 * What the codec costs: a write request of one set (request and write message around it), the one
 * packet that carries it (with its checksum), and append requests of one and of 32 records, each
 * encoded and decoded. Fixed work; the figures are ns a message over groups of 64.
 *
 * Usage: wire_codec [messages]
 */
#include "bench/samples.h"

#include "base/check.h"
#include "base/le.h"
#include "wire/wire.h"
#include "wire/wire_peer.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP            64
#define MESSAGES_MANY    2000000
#define MESSAGES_MAX     UINT64_C(1000000000)
#define KEY_BYTES        16
#define VALUE_BYTES      64
#define RECORD_BYTES     128
#define RECORDS_MANY     32
#define BODY_BYTES       8192
#define CLUSTER_ID       7
#define NAME_SIZE_BYTES  32
#define BODY_ROOM(count) (64 + (count) * (16 + RECORD_BYTES))

static_assert(BODY_ROOM(RECORDS_MANY) <= BODY_BYTES, "the largest message fits");

struct codec {
    uint8_t bodies[GROUP][BODY_BYTES];
    uint32_t sizes[GROUP];
    uint32_t record_count; /* of an append request */
    uint64_t number;
    uint64_t checksum;
};

/* One kind of message: writes message `i` of the group; reads it and adds to the checksum. */
struct kind {
    const char *name;
    void (*encode)(struct codec *codec, uint32_t i);
    void (*decode)(struct codec *codec, uint32_t i);
    uint32_t record_count;
};

static void write_encode(struct codec *codec, uint32_t i)
{
    uint8_t key[KEY_BYTES] = "bench/00";
    uint8_t value[VALUE_BYTES] = {0};
    uint64_t number = ++codec->number;
    le64_store(key + 8, number);
    struct wire_op op = {.type = WIRE_OP_SET,
                         .has_value = true,
                         .seq = number,
                         .key = span_of(key, sizeof(key)),
                         .value = span_of(value, sizeof(value))};
    /* In its place already, as the client does it. */
    struct wire_writer ops = {.data = codec->bodies[i] + WIRE_WRITE_HEADER_SIZE_BYTES,
                              .capacity_bytes = BODY_BYTES - WIRE_WRITE_HEADER_SIZE_BYTES};
    struct wire_writer body = {.data = codec->bodies[i], .capacity_bytes = BODY_BYTES};
    wire_request_begin(&ops, 1, number);
    wire_request_add(&ops, &op);
    struct wire_write write = {
        .packet_number = number, .incarnation = 1, .request = span_of(ops.data, ops.size_bytes)};
    wire_write_encode(&body, &write);
    CHECK(!body.is_overflow);
    codec->sizes[i] = (uint32_t)body.size_bytes;
}

static void write_decode(struct codec *codec, uint32_t i)
{
    struct wire_write write;
    struct wire_request request;
    struct wire_op op;
    size_t cursor = 0;
    CHECK(wire_write_decode(span_of(codec->bodies[i], codec->sizes[i]), &write) == OK);
    CHECK(wire_request_open(write.request, &request) == OK);
    CHECK(wire_op_decode(request.ops, &cursor, &op) == OK);
    codec->checksum += op.seq + op.value.size_bytes + op.key.data[8];
}

static void packet_encode(struct codec *codec, uint32_t i)
{
    static const uint8_t body[WIRE_WRITE_HEADER_SIZE_BYTES + 128];
    struct wire_keys keys = wire_keys_none();
    struct wire_message_header header = {.type = WIRE_WRITE,
                                         .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                         .cluster_id = CLUSTER_ID,
                                         .message_id = ++codec->number};
    codec->sizes[i] =
        wire_piece_encode(codec->bodies[i], &keys, &header, span_of(body, sizeof(body)), 0);
}

static void packet_decode(struct codec *codec, uint32_t i)
{
    struct wire_keys keys = wire_keys_none();
    struct wire_packet packet;
    CHECK(wire_packet_decode(span_of(codec->bodies[i], codec->sizes[i]), &keys, CLUSTER_ID,
                             &packet) == OK);
    codec->checksum += packet.header.message_id + packet.payload.size_bytes;
}

static void append_encode(struct codec *codec, uint32_t i)
{
    static const uint8_t payload[RECORD_BYTES];
    struct wire_writer writer = {.data = codec->bodies[i], .capacity_bytes = BODY_BYTES};
    struct wire_peer_message message = {
        .type = WIRE_PEER_APPEND_REQUEST,
        .from = {.birth = 101, .id = 1},
        .to = {.birth = 102, .id = 2},
        .term = 1,
        .append_request = {.previous_index = ++codec->number,
                           .previous_term = 1,
                           .commit_index = codec->number,
                           .entry_count = (uint16_t)codec->record_count}};
    struct wire_peer_entry entry = {
        .term = 1, .payload = span_of(payload, sizeof(payload)), .kind = WIRE_PEER_ENTRY_DATA};
    wire_peer_encode(&writer, &message);
    for (uint32_t record = 0; record < codec->record_count; record++)
        wire_peer_add_entry(&writer, &entry);
    CHECK(!writer.is_overflow);
    codec->sizes[i] = (uint32_t)writer.size_bytes;
}

static void append_decode(struct codec *codec, uint32_t i)
{
    struct wire_peer_message message;
    struct wire_peer_entry entry;
    size_t cursor = 0;
    CHECK(wire_peer_decode(span_of(codec->bodies[i], codec->sizes[i]), &message) == OK);
    for (uint32_t record = 0; record < message.append_request.entry_count; record++) {
        CHECK(wire_peer_entry_decode(message.append_request.entries, &cursor, &entry) == OK);
        codec->checksum += entry.term + entry.payload.size_bytes;
    }
    codec->checksum += message.append_request.previous_index;
}

static void half_measure(struct codec *codec, struct samples *samples, uint64_t messages,
                         const struct kind *kind, bool is_decode)
{
    char name[NAME_SIZE_BYTES];
    for (uint64_t done = 0; done < messages; done += GROUP) {
        uint64_t begin_ns = samples_clock_ns();
        for (uint32_t i = 0; i < GROUP; i++) {
            if (is_decode)
                kind->decode(codec, i);
            else
                kind->encode(codec, i);
        }
        samples_add(samples, samples_clock_ns() - begin_ns, GROUP);
    }
    snprintf(name, sizeof(name), "%s %s", is_decode ? "decode" : "encode", kind->name);
    samples_print(samples, name, codec->checksum);
}

int main(int argc, char **argv)
{
    static struct codec codec;
    static const struct kind kinds[] = {
        {"write of 1 set", write_encode, write_decode, 0},
        {"packet with 152 B of body", packet_encode, packet_decode, 0},
        {"append of 1 record", append_encode, append_decode, 1},
        {"append of 32 records", append_encode, append_decode, RECORDS_MANY},
    };
    uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : MESSAGES_MANY;
    struct samples samples;
    if (messages < GROUP || messages > MESSAGES_MAX) {
        fprintf(stderr, "usage: wire_codec [messages]\n");
        return 2;
    }
    samples_init(&samples);
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        codec.record_count = kinds[i].record_count;
        half_measure(&codec, &samples, messages, &kinds[i], false);
        half_measure(&codec, &samples, messages, &kinds[i], true);
    }
    samples_deinit(&samples);
    return 0;
}
