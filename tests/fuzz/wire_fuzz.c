/*
 * The codec: whatever bytes decode are exactly the bytes that encoding the result gives, since
 * every reserved bit is checked and no length can be written in two ways. The first byte chooses
 * the decoder; packets get their checksum made right, or no mutation would ever pass it.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "wire/wire.h"
#include "wire/wire_entry.h"
#include "wire/wire_peer.h"
#include "tests/fuzz/canary.h"

#include <stdlib.h>

static const struct wire_keys keys = {.is_sealed = false};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define CLUSTER_ID UINT64_C(0x0123456789ABCDEF)

static uint8_t room[MESSAGE_SIZE_BYTES_MAX];

static struct wire_writer writer_new(void)
{
    return (struct wire_writer){.data = room, .capacity_bytes = sizeof(room)};
}

static void check_equal(const struct wire_writer *writer, struct span bytes)
{
    CHECK(!writer->is_overflow);
    CHECK(span_is_equal(span_of(writer->data, writer->size_bytes), bytes));
}

static void fuzz_packet(struct span bytes)
{
    static uint8_t body[MESSAGE_SIZE_BYTES_MAX];
    uint8_t sealed[PACKET_SIZE_BYTES_MAX];
    uint8_t again[PACKET_SIZE_BYTES_MAX];
    struct wire_packet packet;
    if (wire_packet_decode(bytes, &keys, CLUSTER_ID, &packet) == OK || bytes.size_bytes < 16 ||
        bytes.size_bytes > sizeof(sealed))
        return;
    memcpy(sealed, bytes.data, bytes.size_bytes);
    le64_store(sealed + 8, CLUSTER_ID);
    le32_store(sealed + 4, 0);
    le32_store(sealed + 4, crc32c(0, sealed, bytes.size_bytes));
    if (wire_packet_decode(span_of(sealed, bytes.size_bytes), &keys, CLUSTER_ID, &packet) != OK)
        return;
    memcpy(body + (size_t)packet.piece * packet.header.piece_size_bytes, packet.payload.data,
           packet.payload.size_bytes);
    uint32_t size = wire_piece_encode(again, &keys, &packet.header,
                                      span_of(body, packet.message_size_bytes), packet.piece);
    CHECK(span_is_equal(span_of(again, size), span_of(sealed, bytes.size_bytes)));
}

static void fuzz_request(struct span bytes)
{
    struct wire_request request;
    if (wire_request_decode(bytes, &request) != OK)
        return;
    struct wire_writer writer = writer_new();
    size_t cursor = 0;
    wire_request_begin(&writer, request.session, request.floor);
    for (uint16_t i = 0; i < request.op_count; i++) {
        struct wire_op op;
        CHECK(wire_op_decode(request.ops, &cursor, &op) == OK);
        wire_request_add(&writer, &op);
    }
    CHECK(cursor == request.ops.size_bytes);
    check_equal(&writer, bytes);
}

static void fuzz_write(struct span bytes)
{
    struct wire_write write;
    if (wire_write_decode(bytes, &write) != OK)
        return;
    struct wire_writer writer = writer_new();
    wire_write_encode(&writer, &write);
    check_equal(&writer, bytes);
    fuzz_request(write.request);
}

static void fuzz_read(struct span bytes)
{
    struct wire_read read;
    if (wire_read_decode(bytes, &read) != OK)
        return;
    struct wire_writer writer = writer_new();
    size_t cursor = 0;
    wire_read_begin(&writer, &read);
    for (uint16_t i = 0; i < read.op_count; i++) {
        struct wire_read_op op;
        CHECK(wire_read_op_decode(read.ops, &cursor, &op) == OK);
        /* The last byte of a key is lost. */
        CANARY(op.key.size_bytes -= op.key.size_bytes > 0);
        wire_read_add(&writer, &op);
    }
    CHECK(cursor == read.ops.size_bytes);
    check_equal(&writer, bytes);
}

static void fuzz_reply(struct span bytes)
{
    struct wire_reply reply;
    if (wire_reply_decode(bytes, &reply) != OK)
        return;
    struct wire_writer writer = writer_new();
    size_t cursor = 0;
    CHECK(wire_status_name(reply.status)[0] != '?');
    wire_reply_begin(&writer, &reply);
    for (uint16_t i = 0; i < reply.op_count; i++) {
        struct wire_reply_op op;
        CHECK(wire_reply_op_decode(reply.ops, &cursor, &op) == OK);
        CHECK(wire_outcome_name(op.outcome)[0] != '?');
        wire_reply_add(&writer, &op);
    }
    CHECK(cursor == reply.ops.size_bytes);
    check_equal(&writer, bytes);
}

static void fuzz_status(struct span bytes)
{
    struct wire_hello_reply reply;
    size_t cursor;
    if (wire_hello_reply_decode(bytes, &cursor, &reply) != OK)
        return;
    struct wire_writer writer = writer_new();
    struct wire_counter counter;
    wire_hello_reply_encode(&writer, &reply);
    while (wire_counter_decode(bytes, &cursor, &counter) == OK) {
        char name[64];
        CHECK(counter.name.size_bytes < sizeof(name));
        memcpy(name, counter.name.data, counter.name.size_bytes);
        name[counter.name.size_bytes] = '\0';
        wire_counter_add(&writer, name, counter.value);
    }
    check_equal(&writer, span_of(bytes.data, cursor));
}

static void fuzz_questions(struct span bytes)
{
    struct wire_writer writer = writer_new();
    struct wire_hello hello;
    uint64_t number;
    uint16_t target;
    struct wire_replace replace;
    struct wire_members members;
    struct wire_backup backup;
    struct wire_backup_reply backup_reply;
    struct wire_list list;
    if (wire_hello_decode(bytes, &hello) == OK) {
        wire_hello_encode(&writer, &hello);
        check_equal(&writer, bytes);
    } else if (wire_transfer_decode(bytes, &number, &target) == OK) {
        wire_transfer_encode(&writer, number, target);
        check_equal(&writer, bytes);
    } else if (wire_replace_decode(bytes, &replace) == OK) {
        wire_replace_encode(&writer, &replace);
        check_equal(&writer, bytes);
    } else if (wire_members_decode(bytes, &members) == OK) {
        wire_members_encode(&writer, &members);
        check_equal(&writer, bytes);
    } else if (wire_list_decode(bytes, &list) == OK) {
        wire_list_encode(&writer, &list);
        check_equal(&writer, bytes);
        struct wire_list kept = wire_list_of_kept(span_of(bytes.data, wire_list_kept_bytes(&list)));
        CHECK(kept.number == list.number && span_is_equal(kept.after, list.after));
    } else if (wire_backup_decode(bytes, &backup) == OK) {
        wire_backup_encode(&writer, &backup);
        check_equal(&writer, bytes);
    } else if (wire_backup_reply_decode(bytes, &backup_reply) == OK) {
        wire_backup_reply_encode(&writer, &backup_reply);
        check_equal(&writer, bytes);
    }
}

static void fuzz_list(struct span bytes)
{
    struct wire_list_reply reply;
    if (wire_list_reply_decode(bytes, &reply) != OK)
        return;
    struct wire_writer writer = writer_new();
    size_t cursor = 0;
    wire_list_reply_begin(&writer, &reply.head);
    for (uint16_t i = 0; i < reply.entry_count; i++) {
        struct wire_list_entry entry = wire_list_entry_decode(reply.entries, &cursor);
        wire_list_reply_add(&writer, &entry);
    }
    wire_list_reply_end(&writer, reply.has_more ? &reply.last : NULL);
    check_equal(&writer, bytes);
}

static void fuzz_peer(struct span bytes)
{
    struct wire_peer_message message;
    if (wire_peer_decode(bytes, &message) != OK)
        return;
    struct wire_writer writer = writer_new();
    wire_peer_encode(&writer, &message);
    bool has_entries = message.type == WIRE_PEER_APPEND_REQUEST;
    size_t cursor = 0;
    for (uint16_t i = 0; has_entries && i < message.append_request.entry_count; i++) {
        struct wire_peer_entry entry;
        CHECK(wire_peer_entry_decode(message.append_request.entries, &cursor, &entry) == OK);
        wire_peer_add_entry(&writer, &entry);
    }
    check_equal(&writer, bytes);
}

/* What a relay looks at of the packet inside is read whatever it is. */
static void fuzz_relay(struct span bytes)
{
    for (uint8_t type = WIRE_RELAY; type <= WIRE_RELAY_BACK; type++) {
        struct wire_relay relay;
        if (wire_relay_decode(type, bytes, &relay) != OK)
            continue;
        CHECK((relay.node != 0) == (type == WIRE_RELAY));
        uint16_t sender = wire_packet_sender(relay.packet);
        uint16_t shard;
        CHECK(wire_packet_shard(relay.packet, &shard));
        if (wire_relay_may_carry(relay.packet, shard, sender))
            CHECK(!wire_type_is_relay(wire_packet_type(relay.packet)));
        struct wire_writer writer = {.data = room, .capacity_bytes = sizeof(room)};
        writer.size_bytes = wire_relay_encode(room, &relay);
        check_equal(&writer, bytes);
    }
}

static void fuzz_sessions(struct span bytes)
{
    struct wire_sessions question;
    struct wire_sessions_reply reply;
    uint64_t number;
    uint64_t session;
    struct wire_writer writer = writer_new();
    if (wire_sessions_decode(bytes, &question) == OK) {
        wire_sessions_encode(&writer, &question);
        check_equal(&writer, bytes);
    } else if (wire_session_end_decode(bytes, &number, &session) == OK) {
        wire_session_end_encode(&writer, number, session);
        check_equal(&writer, bytes);
    } else if (wire_sessions_reply_decode(bytes, &reply) == OK &&
               reply.head.status == WIRE_STATUS_OK) {
        wire_sessions_reply_begin(&writer, &reply.head);
        for (uint32_t i = 0; i < reply.entry_count; i++) {
            struct wire_session told = wire_session_at(&reply, i);
            wire_sessions_reply_add(&writer, &told);
        }
        wire_sessions_reply_end(&writer, &reply);
        CHECK(writer.size_bytes <= WIRE_SESSIONS_QUESTION_BYTES);
        check_equal(&writer, bytes);
    }
}

static void fuzz_path(struct span bytes)
{
    uint64_t number;
    struct wire_writer writer = writer_new();
    if (wire_path_decode(bytes, &number) != OK)
        return;
    wire_path_encode(&writer, number, (uint32_t)bytes.size_bytes);
    check_equal(&writer, bytes);
}

/* An entry of a journal, as a restart finds it. */
static void fuzz_entry(struct span bytes)
{
    struct wire_entry entry;
    struct wire_writer writer = writer_new();
    if (wire_entry_decode(bytes, &entry) != OK)
        return;
    writer.size_bytes = wire_entry_head_bytes(entry.name);
    wire_entry_head_encode(room, &entry);
    if (entry.request.size_bytes > 0)
        memcpy(room + writer.size_bytes, entry.request.data, entry.request.size_bytes);
    writer.size_bytes += entry.request.size_bytes;
    check_equal(&writer, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static void (*const targets[])(struct span) = {
        fuzz_packet, fuzz_write, fuzz_read,  fuzz_reply,    fuzz_status, fuzz_questions,
        fuzz_peer,   fuzz_list,  fuzz_relay, fuzz_sessions, fuzz_path,   fuzz_entry,
    };
    if (size_bytes < 1 || size_bytes > sizeof(room))
        return 0;
    targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](span_of(data + 1, size_bytes - 1));
    return 0;
}
