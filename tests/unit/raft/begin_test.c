/*
 * A log that begins above index 1: what was put away is committed, and only the term of its last
 * record is known. Node 1 of three, records 10 to 12 of terms 4 4 5, commit index 10.
 */
#include "raft/raft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct raft *raft;
static void *memory;
static struct raft_effects effects;
static uint64_t now_ns;

static uint32_t record_size(const void *context, uint64_t index)
{
    (void)context;
    assert_true(index >= 10);
    return 100;
}

static struct raft_options options_new(void)
{
    return (struct raft_options){.self = {.birth = 1, .id = 1},
                                 .founders = {1, 2, 3},
                                 .founder_count = 3,
                                 .election_timeout_min_ns = 100 * MS,
                                 .election_timeout_max_ns = 100 * MS,
                                 .heartbeat_interval_ns = 10 * MS,
                                 .append_entries_max = 8,
                                 .append_size_bytes_soft = 4096,
                                 .inflight_max = 8,
                                 .trail_runs_max = 8,
                                 .seed = 1,
                                 .sizes = {.size_bytes = record_size}};
}

static struct raft_configuration configuration_of(uint16_t voter_count)
{
    struct raft_configuration configuration = {.cluster = 1};
    for (uint16_t id = 1; id <= voter_count; id++) {
        const struct raft_member member = {.storage = {id, id}, .membership = RAFT_VOTER};
        assert_int_equal(raft_configuration_add(&configuration, &member), OK);
    }
    return configuration;
}

static struct raft_restored restored_new(void)
{
    struct raft_restored restored = {.hard_state = {.term = 5},
                                     .first_index = 10,
                                     .term_before = 4,
                                     .commit_index = 10,
                                     .configuration_index = 1};
    restored.configuration = configuration_of(3);
    return restored;
}

static int setup(void **state)
{
    (void)state;
    struct raft_options options = options_new();
    struct raft_restored restored = restored_new();
    memory = aligned_alloc(64, raft_size(&options));
    now_ns = 1000 * MS;
    static const uint64_t terms[] = {4, 4, 5};
    if (raft_init(memory, &options, &restored, now_ns, &raft) != OK)
        return 1;
    for (uint64_t i = 0; i < 3; i++) {
        if (raft_restore_entry(raft, 10 + i, terms[i]) != OK)
            return 1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static enum error step(const struct raft_event *event)
{
    enum error error = raft_step(raft, event, &effects);
    raft_check_invariants(raft);
    return error;
}

static enum error receive(const struct raft_message *message, const struct raft_entry *entries)
{
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE,
                               .now_ns = now_ns,
                               .receive = {.message = message, .entries = entries}};
    return step(&event);
}

static struct raft_message append_request(uint64_t previous, uint64_t previous_term, uint32_t count)
{
    struct raft_message message = {
        .type = RAFT_APPEND_REQUEST, .from = {2, 2}, .to = {1, 1}, .term = 6};
    message.append_request.previous_index = previous;
    message.append_request.previous_term = previous_term;
    message.append_request.entry_count = count;
    message.append_request.round = 1;
    return message;
}

static void test_begin_is_restored(void **state)
{
    (void)state;
    struct raft_status status;
    raft_status(raft, &status);
    assert_true(status.last_index == 12 && status.durable_index == 12);
    assert_true(status.commit_index == 10);
    assert_int_equal(raft_term_at(raft, 8), 0);
    assert_int_equal(raft_term_at(raft, 9), 4);
    assert_int_equal(raft_term_at(raft, 11), 4);
    raft_check_invariants(raft);
}

static void test_begin_refuses_what_contradicts_itself(void **state)
{
    (void)state;
    struct raft_options options = options_new();
    struct raft_restored restored = restored_new();
    restored.term_before = 0;
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), ERR_ARGUMENT);
    restored.term_before = 6; /* above the hard state's */
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), ERR_ARGUMENT);
    restored = restored_new();
    restored.commit_index = 8; /* what was put away was not committed */
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), ERR_ARGUMENT);
    restored = restored_new();
    restored.first_index = 1;
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), ERR_ARGUMENT);
    restored = restored_new();
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), OK);
    assert_int_equal(raft_restore_entry(raft, 1, 1), ERR_RANGE);
    assert_int_equal(raft_restore_entry(raft, 10, 3), ERR_RANGE); /* below the term before */
    assert_int_equal(raft_restore_entry(raft, 10, 4), OK);
}

static void test_begin_follower_passes_over_what_was_put_away(void **state)
{
    (void)state;
    struct raft_entry entries[7];
    for (uint32_t i = 0; i < 7; i++) /* records 6 .. 12, and the last is of the new leader */
        entries[i] = (struct raft_entry){.term = i < 6 ? 4 : 6, .kind = RAFT_ENTRY_DATA};
    struct raft_message message = append_request(5, 3, 7);
    assert_int_equal(receive(&message, entries), OK);
    assert_true(effects.truncate_from == 12 && effects.append_first == 12);
    assert_int_equal(effects.append_count, 1);
    assert_int_equal(effects.append_skip, 6);
    assert_int_equal(effects.after_count, 1);
    assert_true(effects.after[0].append_reply.is_success);
    assert_true(effects.after[0].append_reply.match_index == 12);
}

static void test_begin_follower_takes_a_request_that_ends_before_its_log(void **state)
{
    (void)state;
    struct raft_entry entries[2] = {{.term = 3, .kind = RAFT_ENTRY_DATA},
                                    {.term = 3, .kind = RAFT_ENTRY_DATA}};
    struct raft_message message = append_request(3, 3, 2);
    assert_int_equal(receive(&message, entries), OK);
    assert_int_equal(effects.append_count, 0);
    assert_true(effects.truncate_from == 0);
}

static void test_begin_follower_refuses_another_past(void **state)
{
    (void)state;
    struct raft_entry entry = {.term = 3, .kind = RAFT_ENTRY_DATA}; /* record 9, known as term 4 */
    struct raft_message message = append_request(8, 3, 1);
    assert_int_equal(receive(&message, &entry), ERR_RANGE);
    message = append_request(9, 3, 0);
    assert_int_equal(receive(&message, NULL), ERR_RANGE);
    message = append_request(9, 4, 0);
    assert_int_equal(receive(&message, NULL), OK);
}

/* Times out, wins pre-vote and vote with node 2, and leads in term 6. */
static void lead(void)
{
    now_ns += 200 * MS;
    struct raft_event tick = {.type = RAFT_EVENT_TICK, .now_ns = now_ns};
    assert_int_equal(step(&tick), OK);
    for (int is_pre_vote = 1; is_pre_vote >= 0; is_pre_vote--) {
        struct raft_message vote = {
            .type = RAFT_VOTE_REPLY, .from = {2, 2}, .to = {1, 1}, .term = 6};
        vote.vote_reply.is_granted = true;
        vote.vote_reply.is_pre_vote = is_pre_vote;
        vote.vote_reply.last_index = is_pre_vote ? 0 : 12;
        vote.vote_reply.last_term = is_pre_vote ? 0 : raft_term_at(raft, 12);
        assert_int_equal(receive(&vote, NULL), OK);
    }
    struct raft_event durable = {.type = RAFT_EVENT_DURABLE,
                                 .now_ns = now_ns,
                                 .durable = {.hard_state = {.term = 6, .vote = 1}}};
    assert_int_equal(step(&durable), OK);
    struct raft_status status;
    raft_status(raft, &status);
    assert_int_equal(status.role, RAFT_LEADER);
    assert_true(status.last_index == 13);
}

static const struct raft_message *append_to(uint16_t to)
{
    for (uint32_t i = 0; i < effects.now_count; i++) {
        if (effects.now[i].to.id == to && effects.now[i].type == RAFT_APPEND_REQUEST)
            return &effects.now[i];
    }
    return NULL;
}

static void reject_from(uint16_t from, const struct raft_message *request, uint64_t conflict_index)
{
    struct raft_message reply = {
        .type = RAFT_APPEND_REPLY, .from = {from, from}, .to = {1, 1}, .term = 6};
    reply.append_reply.round = request->append_request.round;
    reply.append_reply.rejected_index = request->append_request.previous_index;
    reply.append_reply.conflict_index = conflict_index;
    assert_int_equal(receive(&reply, NULL), OK);
}

static void test_begin_leader_starts_a_peer_at_its_first_record(void **state)
{
    (void)state;
    lead();
    struct raft_message request = *append_to(3);
    assert_true(request.append_request.previous_index == 12);
    reject_from(3, &request, 10);
    assert_int_equal(effects.behind_begin, 0);
    request = *append_to(3);
    assert_true(request.append_request.previous_index == 9);
    assert_true(request.append_request.previous_term == 4);
    assert_int_equal(request.append_request.entry_count, 4);
}

static void test_begin_leader_tells_who_needs_older_records(void **state)
{
    (void)state;
    lead();
    struct raft_message request = *append_to(3);
    reject_from(3, &request, 4);
    assert_int_equal(effects.behind_begin, 3);
    assert_null(append_to(3)); /* nothing that it could take */
    now_ns += 10 * MS;
    struct raft_event tick = {.type = RAFT_EVENT_TICK, .now_ns = now_ns};
    assert_int_equal(step(&tick), OK);
    assert_int_equal(effects.behind_begin, 0);
    request = *append_to(3); /* a heartbeat, at the first record that there is */
    assert_true(request.append_request.previous_index == 9);
    assert_int_equal(request.append_request.entry_count, 0);
    reject_from(3, &request, 4);
    assert_int_equal(effects.behind_begin, 3);
    assert_null(append_to(3));
}

static void test_begin_can_move_up_to_the_commit_index(void **state)
{
    (void)state;
    lead(); /* records 10 to 13 of terms 4 4 5 6, commit index 10 */
    struct raft_message reply = {
        .type = RAFT_APPEND_REPLY, .from = {2, 2}, .to = {1, 1}, .term = 6};
    reply.append_reply.is_success = true;
    reply.append_reply.match_index = 13;
    struct raft_event durable = {
        .type = RAFT_EVENT_DURABLE, .now_ns = now_ns, .durable = {.index = 13}};
    assert_int_equal(receive(&reply, NULL), OK);
    assert_int_equal(step(&durable), OK);
    assert_true(effects.commit_index == 13);
    raft_log_dropped(raft, 12);
    raft_check_invariants(raft);
    assert_true(raft_term_at(raft, 10) == 0);
    assert_true(raft_term_at(raft, 11) == 4);
    assert_true(raft_term_at(raft, 12) == 5);
    raft_log_dropped(raft, 14);
    raft_check_invariants(raft);
    assert_true(raft_term_at(raft, 13) == 6);
    /* The other peer, which took nothing, is sent no record any more. */
    reject_from(3, &(struct raft_message){.append_request.previous_index = 13}, 4);
    assert_int_equal(effects.behind_begin, 3);
    assert_null(append_to(3));
}

static enum error install(uint64_t index, uint64_t term)
{
    struct raft_event event = {.type = RAFT_EVENT_INSTALLED,
                               .now_ns = now_ns,
                               .installed = {.index = index, .term = term}};
    return step(&event);
}

/* What is put away leaves room for the terms of later leaders. */
static void test_begin_moves_and_makes_room_for_terms(void **state)
{
    (void)state;
    struct raft_message message = append_request(12, 5, 0);
    message.append_request.commit_index = 12;
    assert_true(raft_first_index(raft) == 10);
    assert_int_equal(raft_terms_room(raft), 8 - 2);
    assert_int_equal(receive(&message, NULL), OK);
    raft_log_dropped(raft, 12);
    assert_true(raft_first_index(raft) == 12);
    assert_int_equal(raft_terms_room(raft), 8 - 1);
    raft_log_dropped(raft, 13);
    assert_int_equal(raft_terms_room(raft), 8);
    assert_int_equal(raft_term_at(raft, 12), 5);
    raft_check_invariants(raft);
}

static void test_snapshot_ahead_replaces_the_log(void **state)
{
    (void)state;
    assert_true(raft_needs_snapshot(raft, 20));
    assert_int_equal(install(20, 7), OK);
    assert_true(effects.is_log_reset);
    assert_true(effects.commit_index == 20);
    assert_true(effects.hard_state_changed && effects.hard_state.term == 7);
    struct raft_status status;
    raft_status(raft, &status);
    assert_true(status.last_index == 20 && status.durable_index == 20);
    struct raft_message request = {
        .type = RAFT_APPEND_REQUEST, .from = {2, 2}, .to = {1, 1}, .term = 7};
    request.append_request.previous_index = 20;
    request.append_request.previous_term = 7;
    request.append_request.entry_count = 1;
    request.append_request.commit_index = 20;
    const struct raft_entry entry = {.term = 7, .kind = RAFT_ENTRY_NOOP};
    assert_int_equal(receive(&request, &entry), OK);
    assert_true(effects.append_first == 21 && effects.append_count == 1);
    assert_int_equal(install(20, 7), OK);
    assert_false(effects.is_log_reset);
}

/* Record 11 of term 4 is in the log: what follows it is kept. */
static void test_snapshot_of_a_record_in_the_log_keeps_what_follows(void **state)
{
    (void)state;
    assert_int_equal(install(11, 4), OK);
    assert_false(effects.is_log_reset);
    assert_true(effects.commit_index == 11);
    assert_true(raft_term_at(raft, 12) == 5);
}

static void test_snapshot_that_conflicts_replaces_the_log(void **state)
{
    (void)state;
    assert_int_equal(install(11, 5), OK);
    assert_true(effects.is_log_reset);
    assert_true(raft_term_at(raft, 11) == 5);
    assert_true(raft_term_at(raft, 12) == 0);
    assert_int_equal(install(0, 5), ERR_RANGE);
    assert_int_equal(install(30, 0), ERR_RANGE);
}

static enum error install_members(uint64_t index, uint64_t term, uint16_t voter_count,
                                  uint64_t configuration_index)
{
    const struct raft_configuration configuration = configuration_of(voter_count);
    struct raft_event event = {.type = RAFT_EVENT_INSTALLED,
                               .now_ns = now_ns,
                               .installed = {.index = index,
                                             .term = term,
                                             .configuration = &configuration,
                                             .configuration_index = configuration_index}};
    return step(&event);
}

static void assert_members(uint32_t voter_count, uint64_t index)
{
    uint64_t configuration_index;
    const struct raft_configuration *configuration =
        raft_configuration_of(raft, &configuration_index);
    assert_int_equal(configuration->slot_count, voter_count);
    assert_int_equal(configuration_index, index);
}

static void test_snapshot_brings_its_configuration(void **state)
{
    (void)state;
    assert_members(3, 1);
    assert_int_equal(install_members(20, 7, 5, 17), OK);
    assert_true(effects.is_log_reset);
    assert_members(5, 17);
    assert_int_equal(install_members(21, 7, 4, 17), OK); /* the one of the same record */
    assert_true(effects.is_log_reset);
    assert_members(4, 17);
}

/* The log is kept, and a configuration in it is the newer one. */
static void test_snapshot_keeps_a_newer_configuration_of_the_log(void **state)
{
    (void)state;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    const struct raft_configuration configuration = configuration_of(4);
    struct raft_entry entry = {.term = 6, .kind = RAFT_ENTRY_CONFIGURATION, .payload = bytes};
    entry.size_bytes = (uint32_t)raft_configuration_encode(&configuration, bytes);
    struct raft_message message = append_request(12, 5, 1);
    assert_int_equal(receive(&message, &entry), OK);
    assert_members(4, 13);
    assert_int_equal(install_members(11, 4, 2, 10), OK);
    assert_false(effects.is_log_reset);
    assert_members(4, 13);
    assert_int_equal(install_members(12, 6, 2, 10), OK); /* another record 12: 13 goes, too */
    assert_true(effects.is_log_reset);
    assert_members(2, 10);
}

static void test_snapshot_with_a_bad_configuration_is_refused(void **state)
{
    (void)state;
    assert_int_equal(install_members(20, 7, 5, 21), ERR_RANGE); /* behind its last record */
    assert_int_equal(install_members(20, 7, 0, 17), ERR_RANGE); /* nobody */
    assert_members(3, 1);
}

/* Records that a snapshot covers bring nothing new, and those behind it do. */
static void test_begin_restores_the_newest_configuration(void **state)
{
    (void)state;
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_options options = options_new();
    struct raft_restored restored = restored_new();
    restored.first_index = 0; /* the log is whole, and its snapshot of record 2 besides */
    restored.term_before = 0;
    restored.commit_index = 2;
    restored.configuration_index = 2;
    assert_int_equal(raft_init(memory, &options, &restored, now_ns, &raft), OK);
    static const uint32_t in_force[] = {3, 3, 4, 5};
    for (uint16_t i = 0; i < 4; i++) {
        const struct raft_configuration configuration = configuration_of((uint16_t)(i + 2));
        size_t size_bytes = raft_configuration_encode(&configuration, bytes);
        assert_int_equal(raft_restore_entry(raft, i + 1u, 1), OK);
        assert_int_equal(raft_restore_configuration(raft, bytes, size_bytes), OK);
        assert_members(in_force[i], i < 2 ? 2 : i + 1u);
    }
    raft_check_invariants(raft);
    bytes[0] = 0;
    assert_int_equal(raft_restore_configuration(raft, bytes, 64), ERR_RANGE);
}

static void test_wait_anew_puts_an_election_off(void **state)
{
    (void)state;
    uint64_t deadline_ns = raft_deadline_ns(raft);
    now_ns = deadline_ns;
    raft_wait_anew(raft, now_ns);
    assert_true(raft_deadline_ns(raft) == deadline_ns + 100 * MS);
    struct raft_event tick = {.type = RAFT_EVENT_TICK, .now_ns = now_ns};
    assert_int_equal(step(&tick), OK);
    assert_int_equal(effects.now_count, 0);
}

/* A leader has every committed record, and what is committed here is not taken back. */
static void test_snapshot_that_helps_nobody_changes_nothing(void **state)
{
    (void)state;
    assert_false(raft_needs_snapshot(raft, 10));
    assert_int_equal(install(10, 4), OK);
    assert_false(effects.is_log_reset);
    lead();
    assert_false(raft_needs_snapshot(raft, 20));
    assert_int_equal(install(20, 6), OK);
    assert_false(effects.is_log_reset);
    assert_true(effects.commit_index == 10);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_begin_is_restored),
        CASE(test_begin_refuses_what_contradicts_itself),
        CASE(test_begin_follower_passes_over_what_was_put_away),
        CASE(test_begin_follower_takes_a_request_that_ends_before_its_log),
        CASE(test_begin_follower_refuses_another_past),
        CASE(test_begin_leader_starts_a_peer_at_its_first_record),
        CASE(test_begin_leader_tells_who_needs_older_records),
        CASE(test_begin_can_move_up_to_the_commit_index),
        CASE(test_begin_moves_and_makes_room_for_terms),
        CASE(test_snapshot_ahead_replaces_the_log),
        CASE(test_snapshot_of_a_record_in_the_log_keeps_what_follows),
        CASE(test_snapshot_that_conflicts_replaces_the_log),
        CASE(test_snapshot_brings_its_configuration),
        CASE(test_snapshot_keeps_a_newer_configuration_of_the_log),
        CASE(test_snapshot_with_a_bad_configuration_is_refused),
        CASE(test_begin_restores_the_newest_configuration),
        CASE(test_snapshot_that_helps_nobody_changes_nothing),
        CASE(test_wait_anew_puts_an_election_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
