/* Writes on their way to a record: pipelining, deadlines, lost leaderships, log time. */
#include "base/le.h"
#include "tests/unit/engine/fixture.h"

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void deliver(struct fixture *f, uint64_t session, uint64_t seq, uint32_t timeout_us)
{
    struct fixture_write write = {.session = session, .timeout_us = timeout_us};
    struct wire_op op = op_set(seq, "a", "x");
    fixture_write(f, &write, &op, 1);
}

static uint64_t log_time_of(const struct fixture *f, uint64_t index)
{
    return le64_load(f->records[index - 1].data);
}

static void test_batch_groups_a_turn_into_one_record(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    uint64_t before = f->record_count;
    deliver(f, session, 1, 0);
    deliver(f, session, 2, 0);
    assert_true(fixture_propose(f));
    assert_false(fixture_propose(f));
    assert_int_equal(f->record_count, before + 1);
    assert_int_equal(le32_load(f->records[before].data + 8), 2);
    assert_int_equal(le32_load(f->records[before].data + 12), 0);
    assert_int_equal(f->records[before].size_bytes % 8, 0);
    assert_int_equal(engine_counters(f->engine)->batches, 2);
}

static void test_batch_holds_back_over_the_pipeline_limit(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    for (uint64_t i = 0; i < f->options.batches_inflight_max; i++) {
        deliver(f, session, i + 1, 0);
        assert_true(fixture_propose(f));
    }
    deliver(f, session, 50, 0);
    assert_false(fixture_propose(f));
    fixture_commit(f);
    assert_true(fixture_propose(f));
    fixture_forget_messages(f);
    fixture_commit(f);
    assert_int_equal(f->message_count, 1);
}

static void test_batch_refuses_what_ran_out_while_held(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    deliver(f, session, 1, 5000);
    deliver(f, session, 2, 0);
    deliver(f, session, 3, 5000);
    deliver(f, session, 4, 9000);
    assert_int_equal(engine_deadline_ns(f->engine), f->view.now_ns + 5 * (uint64_t)FIXTURE_MS);
    fixture_forget_messages(f);
    fixture_turn(f, 5);
    /* The turn that ended was still in time; the one that began is not. */
    assert_int_equal(f->message_count, 0);
    assert_true(fixture_propose(f));
    assert_int_equal(f->message_count, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_EXPIRED);
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
    assert_int_equal(le32_load(f->records[f->record_count - 1].data + 8), 2);
    fixture_forget_messages(f);
    fixture_commit(f);
    assert_int_equal(f->message_count, 2);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).seq, 4);
}

static void test_batch_refused_tells_its_clients(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct span payload;
    deliver(f, session, 1, 0);
    deliver(f, session, 2, 0);
    assert_true(engine_batch(f->engine, &payload));
    fixture_forget_messages(f);
    engine_batch_refused(f->engine, WIRE_STATUS_LOG_FULL);
    assert_int_equal(f->message_count, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_LOG_FULL);
    assert_false(engine_batch(f->engine, &payload));
}

static void test_batch_unproposed_is_refused_with_the_leadership(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    deliver(f, session, 1, 0);
    fixture_forget_messages(f);
    engine_leadership_lost(f->engine);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_NOT_LEADER);
    /* Until the next turn's view says otherwise, this node is no leader. */
    deliver(f, session, 1, 0);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_NOT_LEADER);
    assert_int_equal(f->message_count, 2);
}

static void test_batch_of_an_older_term_is_not_appended(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct span payload;
    deliver(f, session, 1, 0);
    f->view.term = 3;
    fixture_forget_messages(f);
    fixture_begin(f);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_NOT_LEADER);
    assert_false(engine_batch(f->engine, &payload));
}

static void test_batch_proposed_and_committed_answers_without_leadership(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    deliver(f, session, 1, 0);
    assert_true(fixture_propose(f));
    fixture_forget_messages(f);
    engine_leadership_lost(f->engine);
    assert_int_equal(f->message_count, 0);
    fixture_commit(f);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OK);
}

static void test_batch_superseded_by_another_leader_answers_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    deliver(f, session, 1, 0);
    assert_true(fixture_propose(f));
    deliver(f, session, 2, 0);
    assert_true(fixture_propose(f));
    engine_leadership_lost(f->engine);
    fixture_forget_messages(f);
    /* The same bytes at the same index, but from the leader of another term. */
    f->records[f->record_count - 2].term = 2;
    f->records[f->record_count - 1].term = 2;
    fixture_commit(f);
    assert_int_equal(f->message_count, 0);
}

static void test_batch_forgets_superseded_records_when_it_leads_again(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        deliver(f, session, seq, 0);
        assert_true(fixture_propose(f));
    }
    engine_leadership_lost(f->engine);
    /* Its three records were truncated; it leads again in term 3 after its no-op. */
    for (uint32_t i = 0; i < 3; i++)
        free(f->records[--f->record_count].data);
    f->records[f->record_count++] = (struct fixture_record){.term = 3, .kind = RAFT_ENTRY_NOOP};
    f->view.term = 3;
    fixture_commit(f);
    fixture_begin(f);
    fixture_forget_messages(f);
    deliver(f, session, 9, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).seq, 9);
}

static void test_batch_makes_log_time_from_leadership(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    uint64_t first = log_time_of(f, f->record_count);
    fixture_turn(f, 30);
    deliver(f, session, 1, 0);
    assert_true(fixture_propose(f));
    assert_int_equal(log_time_of(f, f->record_count) - first, 30 * (uint64_t)FIXTURE_MS);
    deliver(f, session, 2, 0);
    assert_true(fixture_propose(f));
    assert_int_equal(log_time_of(f, f->record_count) - first, 30 * (uint64_t)FIXTURE_MS);
    fixture_commit(f);

    /* A second leader continues from what it applied, whatever its own clock shows. */
    struct fixture *other = fixture_new(&f->options);
    other->view.is_leader = false;
    other->view.now_ns = 5000 * (uint64_t)FIXTURE_MS;
    fixture_begin(other);
    fixture_apply_to(f, other->engine);
    free(other->records[0].data);
    other->record_count = f->record_count;
    memset(other->records, 0, sizeof(other->records));
    other->view.is_leader = true;
    other->view.term = 4;
    other->view.commit_index = f->record_count;
    fixture_begin(other);
    fixture_turn(other, 7);
    deliver(other, session, 3, 0);
    assert_true(fixture_propose(other));
    assert_int_equal(log_time_of(other, other->record_count) - first, 37 * (uint64_t)FIXTURE_MS);
    fixture_free(other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_batch_groups_a_turn_into_one_record),
        T(test_batch_holds_back_over_the_pipeline_limit),
        T(test_batch_refuses_what_ran_out_while_held),
        T(test_batch_refused_tells_its_clients),
        T(test_batch_unproposed_is_refused_with_the_leadership),
        T(test_batch_of_an_older_term_is_not_appended),
        T(test_batch_proposed_and_committed_answers_without_leadership),
        T(test_batch_superseded_by_another_leader_answers_nobody),
        T(test_batch_forgets_superseded_records_when_it_leads_again),
        T(test_batch_makes_log_time_from_leadership),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
