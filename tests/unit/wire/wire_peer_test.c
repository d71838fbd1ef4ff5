/* Messages between nodes: every field of every type comes back, and each fault is named. */
#include "base/le.h"
#include "wire/wire_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[8192];

static struct span encode(const struct wire_peer_message *message)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_peer_encode(&writer, message);
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static struct wire_peer_message round_trip(const struct wire_peer_message *message)
{
    struct wire_peer_message ret;
    assert_int_equal(wire_peer_decode(encode(message), &ret), OK);
    assert_true(ret.fingerprint == message->fingerprint);
    assert_true(ret.cluster == message->cluster && ret.era == message->era);
    assert_true(ret.start == message->start);
    assert_int_equal(ret.type, message->type);
    assert_int_equal(ret.from.id, message->from.id);
    assert_int_equal(ret.to.id, message->to.id);
    assert_true(ret.from.birth == message->from.birth && ret.to.birth == message->to.birth);
    assert_true(ret.term == message->term);
    return ret;
}

static enum error decode(struct span bytes)
{
    struct wire_peer_message ret = {.term = 999};
    enum error error = wire_peer_decode(bytes, &ret);
    assert_true(error == OK || ret.term == 999);
    return error;
}

static void test_wire_peer_votes_round_trip(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        struct wire_peer_message request = {.type = WIRE_PEER_VOTE_REQUEST,
                                            .from = {.birth = 101, .id = 1},
                                            .to = {.birth = 10255, .id = 255},
                                            .fingerprint = 0xF00DF00D,
                                            .cluster = 0x01020304,
                                            .era = 0x11121314,
                                            .start = UINT64_C(0x2122232425262728),
                                            .term = 7,
                                            .vote_request = {.last_index = 11,
                                                             .last_term = 6,
                                                             .is_pre_vote = bits & 1,
                                                             .is_transfer = bits & 2,
                                                             .formation = 0x89abcdef}};
        struct wire_peer_message ret = round_trip(&request);
        assert_true(ret.vote_request.last_index == 11 && ret.vote_request.last_term == 6);
        assert_int_equal(ret.vote_request.is_pre_vote, request.vote_request.is_pre_vote);
        assert_int_equal(ret.vote_request.is_transfer, request.vote_request.is_transfer);
        assert_true(ret.vote_request.formation == 0x89abcdef);
        struct wire_peer_message reply = {.type = WIRE_PEER_VOTE_REPLY,
                                          .from = {.birth = 102, .id = 2},
                                          .to = {.birth = 101, .id = 1},
                                          .term = 8,
                                          .vote_reply = {.last_index = 11,
                                                         .last_term = 6,
                                                         .is_granted = bits & 1,
                                                         .is_pre_vote = bits & 2,
                                                         .is_suspect = bits & 4}};
        ret = round_trip(&reply);
        assert_true(ret.vote_reply.last_index == 11 && ret.vote_reply.last_term == 6);
        assert_int_equal(ret.vote_reply.is_granted, reply.vote_reply.is_granted);
        assert_int_equal(ret.vote_reply.is_pre_vote, reply.vote_reply.is_pre_vote);
        assert_int_equal(ret.vote_reply.is_suspect, reply.vote_reply.is_suspect);
    }
}

static void test_wire_peer_append_reply_round_trip(void **state)
{
    (void)state;
    struct wire_peer_message reply = {.type = WIRE_PEER_APPEND_REPLY,
                                      .from = {.birth = 102, .id = 2},
                                      .to = {.birth = 101, .id = 1},
                                      .term = 8,
                                      .append_reply = {.is_success = true,
                                                       .match_index = 1,
                                                       .round = 2,
                                                       .conflict_term = 3,
                                                       .conflict_index = 4,
                                                       .rejected_index = 5,
                                                       .data_room_bytes = 6,
                                                       .log_room_bytes = UINT64_MAX,
                                                       .undrained = 18,
                                                       .priority = PRIORITY_MAX}};
    struct wire_peer_message ret = round_trip(&reply);
    assert_true(ret.append_reply.is_success);
    assert_true(ret.append_reply.match_index == 1 && ret.append_reply.round == 2);
    assert_true(ret.append_reply.conflict_term == 3 && ret.append_reply.conflict_index == 4);
    assert_true(ret.append_reply.rejected_index == 5 && ret.append_reply.data_room_bytes == 6);
    assert_true(ret.append_reply.log_room_bytes == UINT64_MAX);
    assert_int_equal(ret.append_reply.priority, PRIORITY_MAX);
    assert_int_equal(ret.append_reply.undrained, 18);
    struct span encoded = encode(&reply);
    le16_store(buffer + 10, PRIORITY_MAX + 1);
    assert_int_equal(decode(encoded), ERR_RANGE);
    reply.append_reply.is_success = false;
    assert_false(round_trip(&reply).append_reply.is_success);
    assert_int_equal(round_trip(&reply).append_reply.suspicion, 0);
    reply.append_reply.suspicion = 0x89abcdef;
    assert_true(round_trip(&reply).append_reply.suspicion == 0x89abcdef);
    struct wire_peer_message timeout_now = {.type = WIRE_PEER_TIMEOUT_NOW,
                                            .from = {.birth = 101, .id = 1},
                                            .to = {.birth = 103, .id = 3},
                                            .term = 2};
    round_trip(&timeout_now);
}

static struct span append_of_two(void)
{
    struct wire_peer_message message = {.type = WIRE_PEER_APPEND_REQUEST,
                                        .from = {.birth = 101, .id = 1},
                                        .to = {.birth = 102, .id = 2},
                                        .fingerprint = 5,
                                        .term = 9,
                                        .append_request = {.previous_index = 10,
                                                           .previous_term = 8,
                                                           .commit_index = 7,
                                                           .round = 6,
                                                           .entry_count = 2,
                                                           .quorum_age_ns = UINT64_MAX - 1,
                                                           .suspicion = UINT32_MAX}};
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    wire_peer_encode(&writer, &message);
    wire_peer_add_entry(&writer,
                        &(struct wire_peer_entry){.term = 8, .kind = WIRE_PEER_ENTRY_NOOP});
    wire_peer_add_entry(&writer, &(struct wire_peer_entry){.term = 9,
                                                           .kind = WIRE_PEER_ENTRY_DATA,
                                                           .payload = span_of("payload", 7)});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_wire_peer_append_request_carries_its_entries(void **state)
{
    (void)state;
    struct wire_peer_message ret;
    assert_int_equal(wire_peer_decode(append_of_two(), &ret), OK);
    assert_int_equal(ret.fingerprint, 5);
    assert_true(ret.append_request.previous_index == 10 && ret.append_request.previous_term == 8);
    assert_true(ret.append_request.commit_index == 7 && ret.append_request.round == 6);
    assert_int_equal(ret.append_request.entry_count, 2);
    assert_true(ret.append_request.quorum_age_ns == UINT64_MAX - 1);
    assert_true(ret.append_request.suspicion == UINT32_MAX);
    struct wire_peer_entry entry;
    size_t cursor = 0;
    assert_int_equal(wire_peer_entry_decode(ret.append_request.entries, &cursor, &entry), OK);
    assert_true(entry.term == 8 && entry.payload.size_bytes == 0);
    assert_int_equal(entry.kind, WIRE_PEER_ENTRY_NOOP);
    assert_int_equal(wire_peer_entry_decode(ret.append_request.entries, &cursor, &entry), OK);
    assert_true(entry.term == 9 && entry.kind == WIRE_PEER_ENTRY_DATA);
    assert_true(span_is_equal(entry.payload, span_of("payload", 7)));
    assert_int_equal(cursor, ret.append_request.entries.size_bytes);
}

static void test_wire_peer_names_each_fault(void **state)
{
    (void)state;
    struct span bytes = append_of_two();
    for (size_t size = 0; size < bytes.size_bytes; size++)
        assert_int_equal(decode(span_of(buffer, size)), ERR_SHORT);
    assert_int_equal(decode(span_of(buffer, bytes.size_bytes + 1)), ERR_TRAILING);
    buffer[4] = 0;
    assert_int_equal(decode(bytes), ERR_TYPE);
    buffer[4] = WIRE_PEER_TYPE_END;
    assert_int_equal(decode(bytes), ERR_TYPE);
    append_of_two();
    buffer[5] = 1; /* a flag of another type */
    assert_int_equal(decode(bytes), ERR_RESERVED);
    append_of_two();
    le16_store(buffer + 6, 0);
    assert_int_equal(decode(bytes), ERR_RANGE);
    append_of_two();
    le16_store(buffer + 8, VOTER_ID_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
    append_of_two();
    le16_store(buffer + 10, APPEND_ENTRIES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_RANGE);
    struct wire_peer_message vote = {.type = WIRE_PEER_VOTE_REPLY,
                                     .from = {.birth = 101, .id = 1},
                                     .to = {.birth = 102, .id = 2}};
    struct span vote_bytes = encode(&vote);
    le16_store(buffer + 10, 1); /* entries on a vote */
    assert_int_equal(decode(vote_bytes), ERR_RANGE);
    vote_bytes = encode(&vote);
    buffer[12] = 1; /* a suspicion where there is none */
    assert_int_equal(decode(vote_bytes), ERR_RESERVED);
}

static void test_wire_peer_entry_names_each_fault(void **state)
{
    (void)state;
    struct span bytes = append_of_two();
    uint8_t *second = buffer + 56 + 5 * 8;
    second[12] = 0;
    assert_int_equal(decode(bytes), ERR_TYPE);
    append_of_two();
    second[15] = 1;
    assert_int_equal(decode(bytes), ERR_RESERVED);
    append_of_two();
    le32_store(second + 8, RECORD_PAYLOAD_SIZE_BYTES_MAX + 1);
    assert_int_equal(decode(bytes), ERR_TOO_LARGE);
    append_of_two();
    le32_store(second + 8, 8);
    assert_int_equal(decode(bytes), ERR_SHORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_peer_votes_round_trip),
        cmocka_unit_test(test_wire_peer_append_reply_round_trip),
        cmocka_unit_test(test_wire_peer_append_request_carries_its_entries),
        cmocka_unit_test(test_wire_peer_names_each_fault),
        cmocka_unit_test(test_wire_peer_entry_names_each_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
