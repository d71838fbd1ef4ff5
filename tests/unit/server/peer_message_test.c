/* What the consensus core says arrives as it was said: every field of every type of message. */
#include "server/peer_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t buffer[4096];
static struct raft_entry entries[APPEND_ENTRIES_MAX];

static struct raft_message round_trip(const struct raft_message *message)
{
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    const struct peer_message_beside said = {.fingerprint = 0xF00DF00D,
                                             .cluster = {71, 72},
                                             .start = 73,
                                             .room = {.data_bytes = 6, .log_bytes = UINT64_MAX}};
    peer_message_encode(&writer, message, &said);
    assert_false(writer.is_overflow);
    struct peer_message_beside beside;
    struct raft_message ret;
    assert_int_equal(
        peer_message_decode(span_of(buffer, writer.size_bytes), &beside, &ret, entries), OK);
    assert_true(beside.fingerprint == 0xF00DF00D);
    assert_true(beside.cluster.cluster == 71 && beside.cluster.era == 72 && beside.start == 73);
    bool has_room = message->type == RAFT_APPEND_REPLY;
    assert_true(beside.room.data_bytes == (has_room ? 6 : 0));
    assert_true(beside.room.log_bytes == (has_room ? UINT64_MAX : 0));
    assert_true(ret.type == message->type && ret.term == message->term);
    assert_true(ret.from.id == message->from.id && ret.from.birth == message->from.birth);
    assert_true(ret.to.id == message->to.id && ret.to.birth == message->to.birth);
    return ret;
}

static void test_peer_message_votes_round_trip(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        struct raft_message message = {.type = RAFT_VOTE_REQUEST,
                                       .from = {.birth = 101, .id = 1},
                                       .to = {.birth = 102, .id = 2},
                                       .term = 7};
        message.vote_request.last_index = 11;
        message.vote_request.last_term = 6;
        message.vote_request.is_pre_vote = bits & 1;
        message.vote_request.is_transfer = bits & 2;
        struct raft_message ret = round_trip(&message);
        assert_true(ret.vote_request.last_index == 11 && ret.vote_request.last_term == 6);
        assert_int_equal(ret.vote_request.is_pre_vote, message.vote_request.is_pre_vote);
        assert_int_equal(ret.vote_request.is_transfer, message.vote_request.is_transfer);
        message = (struct raft_message){.type = RAFT_VOTE_REPLY,
                                        .from = {.birth = 102, .id = 2},
                                        .to = {.birth = 101, .id = 1},
                                        .term = 8};
        message.vote_reply.last_index = 11;
        message.vote_reply.last_term = 6;
        message.vote_reply.is_granted = bits & 1;
        message.vote_reply.is_pre_vote = bits & 2;
        message.vote_reply.is_suspect = bits & 4;
        ret = round_trip(&message);
        assert_true(ret.vote_reply.last_index == 11 && ret.vote_reply.last_term == 6);
        assert_int_equal(ret.vote_reply.is_granted, message.vote_reply.is_granted);
        assert_int_equal(ret.vote_reply.is_pre_vote, message.vote_reply.is_pre_vote);
        assert_int_equal(ret.vote_reply.is_suspect, message.vote_reply.is_suspect);
    }
    round_trip(&(struct raft_message){.type = RAFT_TIMEOUT_NOW,
                                      .from = {.birth = 101, .id = 1},
                                      .to = {.birth = 103, .id = 3},
                                      .term = 2});
}

static void test_peer_message_append_reply_round_trips(void **state)
{
    (void)state;
    for (uint32_t is_success = 0; is_success < 2; is_success++) {
        struct raft_message message = {.type = RAFT_APPEND_REPLY,
                                       .from = {.birth = 102, .id = 2},
                                       .to = {.birth = 101, .id = 1},
                                       .term = 8};
        message.append_reply.suspicion = 0x89ABCDEF * is_success;
        message.append_reply.is_success = is_success == 1;
        message.append_reply.match_index = 1;
        message.append_reply.round = 2;
        message.append_reply.conflict_term = 3;
        message.append_reply.conflict_index = 4;
        message.append_reply.rejected_index = 5;
        struct raft_message ret = round_trip(&message);
        assert_int_equal(ret.append_reply.is_success, is_success);
        assert_true(ret.append_reply.suspicion == message.append_reply.suspicion);
        assert_true(ret.append_reply.match_index == 1 && ret.append_reply.round == 2);
        assert_true(ret.append_reply.conflict_term == 3 && ret.append_reply.conflict_index == 4);
        assert_true(ret.append_reply.rejected_index == 5);
    }
}

static struct span append_of_two(void)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST,
                                   .from = {.birth = 101, .id = 1},
                                   .to = {.birth = 102, .id = 2},
                                   .term = 9};
    message.append_request.previous_index = 10;
    message.append_request.previous_term = 8;
    message.append_request.commit_index = 7;
    message.append_request.round = 6;
    message.append_request.quorum_age_ns = UINT64_MAX;
    message.append_request.entry_count = 2;
    message.append_request.suspicion = 3;
    struct wire_writer writer = {.data = buffer, .capacity_bytes = sizeof(buffer)};
    peer_message_encode(&writer, &message, &(struct peer_message_beside){.fingerprint = 5});
    peer_message_add_entry(&writer, &(struct raft_entry){.term = 8, .kind = RAFT_ENTRY_NOOP});
    peer_message_add_entry(&writer, &(struct raft_entry){.term = 9,
                                                         .payload = (const uint8_t *)"payload",
                                                         .size_bytes = 7,
                                                         .kind = RAFT_ENTRY_DATA});
    assert_false(writer.is_overflow);
    return span_of(buffer, writer.size_bytes);
}

static void test_peer_message_append_request_carries_its_entries(void **state)
{
    (void)state;
    struct peer_message_beside beside;
    struct raft_message ret;
    assert_int_equal(peer_message_decode(append_of_two(), &beside, &ret, entries), OK);
    assert_int_equal(beside.fingerprint, 5);
    assert_true(ret.append_request.previous_index == 10 && ret.append_request.previous_term == 8);
    assert_true(ret.append_request.commit_index == 7 && ret.append_request.round == 6);
    assert_true(ret.append_request.quorum_age_ns == UINT64_MAX);
    assert_int_equal(ret.append_request.entry_count, 2);
    assert_int_equal(ret.append_request.suspicion, 3);
    assert_true(entries[0].term == 8 && entries[0].size_bytes == 0);
    assert_int_equal(entries[0].kind, RAFT_ENTRY_NOOP);
    assert_true(entries[1].term == 9 && entries[1].kind == RAFT_ENTRY_DATA);
    assert_int_equal(entries[1].size_bytes, 7);
    assert_memory_equal(entries[1].payload, "payload", 7);
}

static void test_peer_message_changes_nothing_on_a_fault(void **state)
{
    (void)state;
    struct span bytes = append_of_two();
    struct peer_message_beside beside = {.fingerprint = 1};
    struct raft_message ret = {.term = 999};
    entries[0].term = 999;
    for (size_t size = 0; size < bytes.size_bytes; size++) {
        struct span cut = span_of(bytes.data, size);
        assert_int_equal(peer_message_decode(cut, &beside, &ret, entries), ERR_SHORT);
        assert_true(ret.term == 999 && beside.fingerprint == 1 && entries[0].term == 999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_message_votes_round_trip),
        cmocka_unit_test(test_peer_message_append_reply_round_trips),
        cmocka_unit_test(test_peer_message_append_request_carries_its_entries),
        cmocka_unit_test(test_peer_message_changes_nothing_on_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
