/* Messages that no honest peer sends: refused whole, and nothing changes. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct cluster *shared;

static void assert_refused(uint16_t id, struct raft_message message, const uint64_t *terms,
                           enum error error)
{
    struct raft_status before = cluster_status(shared, id);
    uint64_t deadline_ns = raft_deadline_ns(shared->nodes[id].raft);
    assert_int_equal(cluster_receive(shared, message, terms), error);
    struct raft_status after = cluster_status(shared, id);
    assert_int_equal(before.role, after.role);
    assert_int_equal(before.term, after.term);
    assert_int_equal(before.leader, after.leader);
    assert_int_equal(before.last_index, after.last_index);
    assert_int_equal(before.commit_index, after.commit_index);
    assert_int_equal(before.durable_index, after.durable_index);
    assert_int_equal(before.leader_contact_ns, after.leader_contact_ns);
    assert_int_equal(deadline_ns, raft_deadline_ns(shared->nodes[id].raft));
    assert_int_equal(shared->packet_count, 0);
}

static int set_up(void **state)
{
    (void)state;
    shared = cluster_new_led(3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(cluster_propose(shared, 1), OK);
    cluster_settle(shared);
    cluster_run(shared, 20 * MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cluster_free(shared);
    return 0;
}

static void test_message_must_be_addressed(void **state)
{
    (void)state;
    assert_refused(2, cluster_message(RAFT_VOTE_REPLY, 0, 2, 1), NULL, ERR_RANGE);
    assert_refused(2, cluster_message(RAFT_VOTE_REPLY, 2, 2, 1), NULL, ERR_RANGE);
    assert_refused(1, cluster_message(RAFT_VOTE_REPLY, 2, 9, 1), NULL, ERR_RANGE);
    assert_refused(2, cluster_message(RAFT_VOTE_REPLY, 1, 2, 0), NULL, ERR_RANGE);
    assert_refused(2, cluster_message(RAFT_VOTE_REPLY, 1, 2, TERM_MAX + 1), NULL, ERR_RANGE);
    assert_refused(2, cluster_message(RAFT_MESSAGE_TYPE_END, 1, 2, 1), NULL, ERR_RANGE);
    assert_refused(2, cluster_message((enum raft_message_type)0, 1, 2, 1), NULL, ERR_RANGE);
}

/* The attack: one message of the highest term, after which nobody could ever lead. */
static void test_message_of_a_term_that_leaps(void **state)
{
    (void)state;
    uint64_t term = cluster_status(shared, 2).term;
    for (int type = RAFT_VOTE_REQUEST; type < RAFT_MESSAGE_TYPE_END; type++) {
        struct raft_message message = cluster_message((enum raft_message_type)type, 1, 2, TERM_MAX);
        assert_refused(2, message, NULL, ERR_TOO_LARGE);
        message.term = term + TERM_LEAP_MAX + 1;
        assert_refused(2, message, NULL, ERR_TOO_LARGE);
    }
}

static void test_message_of_a_term_far_ahead_counts(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    uint64_t term = cluster_status(cluster, 2).term + TERM_LEAP_MAX;
    assert_int_equal(cluster_receive(cluster, cluster_message(RAFT_VOTE_REPLY, 1, 2, term), NULL),
                     OK);
    assert_int_equal(cluster_status(cluster, 2).term, term);
    cluster_free(cluster);
}

/* It joins a cluster of any term. */
static void test_message_of_any_term_counts_for_a_new_storage(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    assert_int_equal(cluster_status(cluster, 2).term, 0);
    assert_int_equal(
        cluster_receive(cluster, cluster_message(RAFT_VOTE_REPLY, 1, 2, TERM_MAX), NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).term, TERM_MAX);
    cluster_free(cluster);
}

/* A node has one storage at a time; another one of it is not spoken to, nor spoken for. */
static void test_message_must_be_for_this_storage(void **state)
{
    (void)state;
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.to.birth = 102;
    assert_refused(2, message, NULL, ERR_STORAGE);
    message.to.birth = 0; /* whichever it has: only for who asks it to form a cluster */
    assert_refused(2, message, NULL, ERR_STORAGE);
    message = cluster_message(RAFT_VOTE_REQUEST, 1, 2, 1);
    message.to.birth = 0;
    message.vote_request.is_pre_vote = true;
    assert_refused(2, message, NULL, ERR_STORAGE);
    message.vote_request.formation = 5;
    message.vote_request.is_pre_vote = false;
    assert_refused(2, message, NULL, ERR_STORAGE);
    message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.from.birth = 0;
    assert_refused(2, message, NULL, ERR_RANGE);
    message.from.birth = 2; /* a copy of this storage */
    assert_refused(2, message, NULL, ERR_STORAGE);
}

static void test_message_formation_must_make_sense(void **state)
{
    (void)state;
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 2);
    message.vote_request.formation = 5;
    message.vote_request.last_index = 1; /* who has records has a cluster */
    message.vote_request.last_term = 1;
    assert_refused(2, message, NULL, ERR_RANGE);
    message.vote_request.last_index = 0;
    message.vote_request.last_term = 0;
    message.vote_request.is_transfer = true;
    assert_refused(2, message, NULL, ERR_RANGE);
}

static void test_message_with_a_bad_configuration_is_refused(void **state)
{
    (void)state;
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.append_request.previous_index = 5;
    message.append_request.previous_term = 1;
    message.append_request.entry_count = 2;
    const struct raft_entry entries[2] = {{.term = 1, .kind = RAFT_ENTRY_DATA},
                                          {.term = 1,
                                           .kind = RAFT_ENTRY_CONFIGURATION,
                                           .payload = (const uint8_t *)"?",
                                           .size_bytes = 1}};
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE,
                               .receive = {.message = &message, .entries = entries}};
    assert_int_equal(cluster_step(shared, 2, event), ERR_RANGE);
    assert_int_equal(cluster_status(shared, 2).last_index, 5);
}

/* A stranger's requests are judged by term and log; its answers count for nothing. */
static void test_message_of_a_stranger_counts_for_nothing(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 2, true);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    struct raft_message message = cluster_message(RAFT_APPEND_REPLY, 3, 1, 1);
    message.append_reply.is_success = true;
    message.append_reply.match_index = 2;
    message.from.birth = 103; /* of a voter's node, and not the voter */
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    message.from = cluster_storage(4);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 1);
    message.from = cluster_storage(3);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 1).commit_index, 2);
    cluster_free(cluster);
}

static void test_message_vote_request_must_make_sense(void **state)
{
    (void)state;
    struct raft_message message = cluster_message(RAFT_VOTE_REQUEST, 3, 2, 2);
    message.vote_request.last_term = 2; /* a record of the term it only now asks for */
    message.vote_request.last_index = 9;
    assert_refused(2, message, NULL, ERR_RANGE);
    message.vote_request.last_term = 0;
    assert_refused(2, message, NULL, ERR_RANGE);
    message.vote_request.last_term = 1;
    message.vote_request.last_index = 0;
    assert_refused(2, message, NULL, ERR_RANGE);
    message.vote_request.last_index = INDEX_MAX + 1;
    assert_refused(2, message, NULL, ERR_RANGE);
}

static struct raft_message append_request(uint64_t previous_index, uint64_t previous_term,
                                          uint32_t entry_count)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    message.append_request.previous_index = previous_index;
    message.append_request.previous_term = previous_term;
    message.append_request.entry_count = entry_count;
    return message;
}

static void test_message_append_request_must_make_sense(void **state)
{
    (void)state;
    const uint64_t fine[APPEND_ENTRIES_MAX] = {1, 1, 1, 1};
    assert_refused(2, append_request(5, 1, APPEND_ENTRIES_MAX + 1), fine, ERR_RANGE);
    assert_refused(2, append_request(INDEX_MAX, 1, 1), fine, ERR_RANGE);
    assert_refused(2, append_request(UINT64_MAX, 1, 1), fine, ERR_RANGE);
    assert_refused(2, append_request(0, 1, 1), fine, ERR_RANGE);
    assert_refused(2, append_request(5, 0, 1), fine, ERR_RANGE);
    assert_refused(2, append_request(5, 2, 0), fine, ERR_RANGE); /* above the message's term */
    assert_refused(2, append_request(5, 1, 2), (const uint64_t[]){1, 0}, ERR_RANGE);
    assert_refused(2, append_request(5, 1, 2), (const uint64_t[]){1, 2}, ERR_RANGE);
    struct raft_message falling = append_request(5, 1, 2);
    falling.term = 3;
    assert_refused(2, falling, (const uint64_t[]){3, 2}, ERR_RANGE);
}

/* Paper 5.2: a term has one leader. A second one is a liar, not a reason to stop. */
static void test_message_second_leader_is_refused(void **state)
{
    (void)state;
    struct raft_message message = append_request(5, 1, 0);
    message.from = cluster_storage(3);
    assert_refused(2, message, NULL, ERR_RANGE);
    message.to = cluster_storage(1); /* the leader itself */
    assert_refused(1, message, NULL, ERR_RANGE);
    message = cluster_message(RAFT_TIMEOUT_NOW, 3, 1, 1);
    assert_refused(1, message, NULL, ERR_RANGE);
}

/* Paper 5.4.3: what is committed is in every later leader's log. */
static void test_message_against_commitment_is_refused(void **state)
{
    (void)state;
    assert_true(cluster_status(shared, 2).commit_index == 5);
    struct raft_message message = append_request(2, 1, 1);
    message.term = 3;
    assert_refused(2, message, (const uint64_t[]){2}, ERR_RANGE);
    message = append_request(4, 2, 0);
    message.term = 3;
    assert_refused(2, message, NULL, ERR_RANGE);
}

static void test_message_append_reply_must_make_sense(void **state)
{
    (void)state;
    struct raft_message message = cluster_message(RAFT_APPEND_REPLY, 2, 1, 1);
    message.append_reply.is_success = true;
    message.append_reply.match_index = 6; /* more than there is */
    assert_refused(1, message, NULL, ERR_RANGE);
    message.append_reply.match_index = 5;
    message.append_reply.round = 1000;
    assert_refused(1, message, NULL, ERR_RANGE);
    message = cluster_message(RAFT_APPEND_REPLY, 2, 1, 1);
    message.append_reply.conflict_index = 3;
    assert_refused(1, message, NULL, ERR_RANGE);
    message.append_reply.rejected_index = 2;
    assert_refused(1, message, NULL, ERR_RANGE); /* a conflict behind what was rejected */
    message.append_reply.conflict_index = 0;
    assert_refused(1, message, NULL, ERR_RANGE);
    message.append_reply.rejected_index = 6;
    message.append_reply.conflict_index = 1;
    assert_refused(1, message, NULL, ERR_RANGE);
    message.append_reply.rejected_index = 5;
    message.append_reply.conflict_term = 2;
    assert_refused(1, message, NULL, ERR_RANGE);
}

/* A trail without room for one more term refuses the records whole, and cannot lead. */
static void test_message_full_trail_refuses(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster_crash(cluster, 2);
    cluster->nodes[2].options.trail_runs_max = 3;
    cluster_write(cluster, 2, (struct raft_hard_state){.term = 2}, (const uint64_t[]){1, 2, 2, 0});
    cluster_start(cluster, 2, false);
    struct raft_message message = append_request(3, 2, 2);
    message.term = 4;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3, 4}), ERR_FULL);
    assert_int_equal(cluster_status(cluster, 2).term, 2);
    assert_int_equal(cluster_status(cluster, 2).last_index, 3);
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){3, 3}), OK);
    assert_int_equal(cluster_status(cluster, 2).last_index, 5);
    /* Replacing runs needs no more room than there is. */
    message = append_request(1, 1, 2);
    message.term = 5;
    assert_int_equal(cluster_receive(cluster, message, (const uint64_t[]){4, 5}), OK);
    assert_int_equal(cluster_status(cluster, 2).last_index, 3);
    cluster->now_ns = raft_deadline_ns(cluster->nodes[2].raft);
    assert_int_equal(cluster_tick(cluster, 2), OK);
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_FOLLOWER);
    assert_int_equal(cluster->nodes[2].effects.now_count, 0);
    cluster_free(cluster);
}

static void test_message_role_changes_are_told(void **state)
{
    (void)state;
    assert_int_equal(cluster_tick(shared, 2), OK);
    assert_false(shared->nodes[2].effects.role_changed);
    assert_false(shared->nodes[2].effects.hard_state_changed);
    struct raft_message message = append_request(5, 1, 0);
    message.term = 6;
    message.from = cluster_storage(3);
    assert_int_equal(cluster_receive(shared, message, NULL), OK);
    assert_true(shared->nodes[2].effects.role_changed);
    assert_true(shared->nodes[2].effects.hard_state_changed);
    assert_int_equal(shared->nodes[2].effects.hard_state.term, 6);
    assert_int_equal(shared->nodes[2].effects.hard_state.vote, 0);
    assert_int_equal(cluster_status(shared, 2).leader, 3);
    assert_int_equal(cluster_status(shared, 2).leader_contact_ns, shared->now_ns);
    shared->packet_count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_must_be_addressed),
        cmocka_unit_test(test_message_of_a_term_that_leaps),
        cmocka_unit_test(test_message_of_a_term_far_ahead_counts),
        cmocka_unit_test(test_message_of_any_term_counts_for_a_new_storage),
        cmocka_unit_test(test_message_must_be_for_this_storage),
        cmocka_unit_test(test_message_formation_must_make_sense),
        cmocka_unit_test(test_message_with_a_bad_configuration_is_refused),
        cmocka_unit_test(test_message_of_a_stranger_counts_for_nothing),
        cmocka_unit_test(test_message_vote_request_must_make_sense),
        cmocka_unit_test(test_message_append_request_must_make_sense),
        cmocka_unit_test(test_message_second_leader_is_refused),
        cmocka_unit_test(test_message_against_commitment_is_refused),
        cmocka_unit_test(test_message_append_reply_must_make_sense),
        cmocka_unit_test(test_message_full_trail_refuses),
        cmocka_unit_test(test_message_role_changes_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
