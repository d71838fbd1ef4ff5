/* Packets that a release has sent are read for ever: those of tests/fixtures. */
#include "wire/wire.h"
#include "wire/wire_forward.h"
#include "wire/wire_peer.h"
#include "wire/wire_presence.h"
#include "wire/wire_snapshot.h"
#include "wire/wire_start.h"
#include "wire/wire_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE_BYTES (2 * PACKET_SIZE_BYTES_MAX + 16)
#define TYPES_MIN  20 /* that the fixtures have */

static const struct wire_keys keys = {.is_sealed = false};

/* Of nodes to one another. */
static enum error peer_body_decode(uint8_t type, struct span body)
{
    union {
        struct wire_peer_message peer;
        struct wire_forward forward;
        struct wire_snapshot_message snapshot;
        struct wire_storage_message storage;
        struct wire_start_message start;
        struct wire_presence presence;
        struct wire_missing missing;
    } found;
    switch (type) {
    case WIRE_RAFT:
        return wire_peer_decode(body, &found.peer);
    case WIRE_FORWARD:
        return wire_forward_decode(body, &found.forward);
    case WIRE_SNAPSHOT:
        return wire_snapshot_decode(body, &found.snapshot);
    case WIRE_STORAGE:
        return wire_storage_decode(body, &found.storage);
    case WIRE_START:
        return wire_start_decode(body, &found.start);
    case WIRE_PRESENCE:
        return wire_presence_decode(body, &found.presence);
    case WIRE_MISSING:
        return wire_missing_decode(body, &found.missing);
    default:
        return ERR_TYPE;
    }
}

/* Of clients and operators to nodes. */
static enum error question_decode(uint8_t type, struct span body)
{
    uint64_t number;
    uint16_t target;
    union {
        struct wire_hello hello;
        struct wire_write write;
        struct wire_read read;
        struct wire_change change;
        struct wire_replace replace;
        struct wire_backup backup;
    } found;
    switch (type) {
    case WIRE_HELLO:
        return wire_hello_decode(body, &found.hello);
    case WIRE_WRITE:
        return wire_write_decode(body, &found.write);
    case WIRE_READ:
        return wire_read_decode(body, &found.read);
    case WIRE_STATUS:
        return body.size_bytes == 0 ? OK : ERR_TRAILING;
    case WIRE_TRANSFER:
        return wire_transfer_decode(body, &number, &target);
    case WIRE_MEMBERS:
        return wire_members_ask_decode(body, &number);
    case WIRE_CHANGE:
        return wire_change_decode(body, &found.change);
    case WIRE_REPLACE:
        return wire_replace_decode(body, &found.replace);
    case WIRE_BACKUP:
        return wire_backup_decode(body, &found.backup);
    default:
        return ERR_TYPE;
    }
}

static enum error answer_decode(uint8_t type, struct span body)
{
    size_t end;
    static struct wire_members members;
    union {
        struct wire_hello_reply hello;
        struct wire_reply reply;
        struct wire_backup_reply backup;
    } found;
    switch (type) {
    case WIRE_HELLO_REPLY:
    case WIRE_STATUS_REPLY:
        return wire_hello_reply_decode(body, &end, &found.hello);
    case WIRE_MEMBERS_REPLY:
        return wire_members_decode(body, &members);
    case WIRE_BACKUP_REPLY:
        return wire_backup_reply_decode(body, &found.backup);
    case WIRE_WRITE_REPLY:
    case WIRE_READ_REPLY:
    case WIRE_TRANSFER_REPLY:
    case WIRE_REPLACE_REPLY:
    case WIRE_CHANGE_REPLY:
        return wire_reply_decode(body, &found.reply);
    default:
        return ERR_TYPE;
    }
}

static enum error body_decode(uint8_t type, struct span body)
{
    enum error error = peer_body_decode(type, body);
    if (error == ERR_TYPE)
        error = question_decode(type, body);
    return error == ERR_TYPE ? answer_decode(type, body) : error;
}

/* "TYPE HEX": returns the bytes of the packet. */
static size_t line_decode(const char *line, uint8_t *bytes)
{
    const char *hex = strchr(line, ' ');
    size_t size_bytes = 0;
    unsigned byte;
    assert_non_null(hex);
    for (hex++; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bytes[size_bytes++] = (uint8_t)byte;
    return size_bytes;
}

/* Each packet is read, and written again it is the same. */
static void packet_check(struct span packet, uint8_t type, uint8_t version)
{
    struct wire_packet found;
    uint8_t again[PACKET_SIZE_BYTES_MAX];
    uint64_t cluster = wire_cluster_id("fixture");
    assert_int_equal(wire_packet_decode(packet, &keys, cluster, &found), OK);
    assert_true(found.header.type == type && found.header.version == version);
    assert_string_equal(error_name(body_decode(type, found.payload)), "OK");
    assert_int_equal(wire_piece_encode(again, &keys, &found.header, found.payload, 0),
                     packet.size_bytes);
    assert_memory_equal(again, packet.data, packet.size_bytes);
}

static void test_released_packets_of_format_0_are_read(void **state)
{
    (void)state;
    static char line[LINE_BYTES];
    static uint8_t bytes[PACKET_SIZE_BYTES_MAX];
    bool seen[UINT8_MAX + 1] = {false};
    uint32_t types = 0;
    FILE *file = fopen(FIXTURES "/format-0/packets.hex", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        uint8_t type = (uint8_t)strtoul(line, NULL, 10);
        size_t size_bytes = line_decode(line, bytes);
        packet_check(span_of(bytes, size_bytes), type, 9);
        types += !seen[type];
        seen[type] = true;
    }
    assert_int_equal(fclose(file), 0);
    assert_true(types >= TYPES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_released_packets_of_format_0_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
