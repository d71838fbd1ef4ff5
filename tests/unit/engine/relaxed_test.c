/*
 * Relaxed writes at the node that takes them: the rules of the contract that one node keeps by
 * itself, refusals and duplicates.
 */
#include "engine/engine_internal.h"
#include "tests/unit/engine/fixture.h"

static void test_relaxed_set_is_served_here_without_a_leader(void **state)
{
    struct fixture *f = *state;
    uint64_t seq = fixture_pend(f, 1, "a", "x");
    assert_int_equal(seq, FIXTURE_FIRST_SEQ);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_int_equal(op.outcome, WIRE_OUTCOME_OK);
    assert_true(op.is_pending && op.version == seq);
    assert_value(&op, "x");
    op = fixture_get(f, "b");
    assert_int_equal(op.outcome, WIRE_OUTCOME_NOT_FOUND);
    assert_false(op.is_pending);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    assert_int_equal(reply.journal_done_seq, seq - 1);
}

static void test_relaxed_set_is_neither_seen_nor_answered_before_it_is_durable(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    struct wire_op op = op_set(1, "a", "x");
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->entry_count, 1);
    assert_int_equal(f->message_count, 0);
    struct wire_reply_op got = fixture_get(f, "a");
    assert_int_equal(got.outcome, WIRE_OUTCOME_NOT_FOUND);
    fixture_forget_messages(f);
    fixture_durable(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(reply.status, WIRE_STATUS_OK);
    assert_int_equal(reply.number, f->packet_number);
    got = fixture_get(f, "a");
    assert_value(&got, "x");
}

/* The range of a write that its client gave up is passed by a recall: a late packet of it is
 * refused, and later writes get numbers above the range. */
static void test_relaxed_set_is_not_accepted_outside_its_range(void **state)
{
    struct fixture *f = *state;
    uint64_t first = fixture_pend(f, 1, "a", "x");
    struct fixture_write late = {.session = 77, .is_relaxed = true, .floor = first};
    struct fixture_write recall = late;
    recall.is_recall = true;
    fixture_expect_status(f, &recall, op_set(2, "a", "late"), WIRE_STATUS_PASSED);
    fixture_expect_status(f, &late, op_set(2, "a", "late"), WIRE_STATUS_PASSED);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(reply.given_seq, first + WIRE_RELAXED_SPAN);
    struct fixture_write later = {
        .session = 77, .is_relaxed = true, .floor = reply.given_seq + WIRE_RELAXED_SPAN};
    struct wire_op set = op_set(3, "a", "later");
    fixture_forget_messages(f);
    fixture_write(f, &later, &set, 1);
    fixture_durable(f);
    reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(reply.status, WIRE_STATUS_OK);
    assert_int_equal(fixture_reply_op(&reply, 0).version, later.floor + 1);
    /* No client skips more than its share of the numbers at once, nor what nobody can have seen. It
     * may be right, and the node was set back. */
    later.floor += 2 * SKIP_ROOM_MAX;
    fixture_expect_status(f, &later, op_set(4, "a", "far"), WIRE_STATUS_PENDING);
    later.floor += 2 * SKIP_AHEAD_MAX;
    fixture_expect_status(f, &later, op_set(5, "a", "farther"), WIRE_STATUS_PENDING);
}

static void test_relaxed_delete_hides_the_applied_value(void **state)
{
    struct fixture *f = *state;
    fixture_follow(f, 1, 3);
    f->view.commit_index = f->record_count;
    fixture_begin(f);
    uint64_t session = fixture_register(f);
    struct wire_op set = op_set(1, "a", "x");
    fixture_do(f, session, &set);
    fixture_follow(f, 0, 4);
    fixture_pend(f, 1, "a", NULL);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_int_equal(op.outcome, WIRE_OUTCOME_NOT_FOUND);
    assert_true(op.is_pending);
    uint8_t value[8];
    struct engine_found found;
    assert_int_equal(engine_lookup(f->engine, text("a"), value, 8, &found), ERR_NOT_FOUND);
    fixture_pend(f, 2, "a", "yy");
    assert_int_equal(engine_lookup(f->engine, text("a"), value, 8, &found), OK);
    assert_true(found.is_pending && found.value_size_bytes == 2);
    assert_memory_equal(value, "yy", 2);
}

static void test_relaxed_newer_set_replaces_the_pending_one(void **state)
{
    struct fixture *f = *state;
    fixture_pend(f, 1, "a", "1");
    fixture_pend(f, 2, "b", "1");
    uint64_t last = fixture_pend(f, 3, "a", "2");
    struct wire_reply_op op = fixture_get(f, "a");
    assert_value(&op, "2");
    assert_int_equal(op.version, last);
    assert_int_equal(engine_counters(f->engine)->relaxed_coalesced, 1);
    fixture_turn(f, 0);
    assert_int_equal(engine_counters(f->engine)->relaxed_pending, 2);
    /* The first is decided: it will never be seen. The second still is to come. */
    assert_int_equal(engine_journal_done(f->engine), FIXTURE_FIRST_SEQ);
}

static void test_relaxed_never_counts_for_a_consistent_get(void **state)
{
    struct fixture *f = *state;
    fixture_pend(f, 1, "a", "x");
    fixture_follow(f, 1, 3);
    f->view.commit_index = f->record_count;
    fixture_begin(f);
    fixture_forget_messages(f);
    struct wire_read read = {.request_number = 5, .is_consistent = true};
    struct wire_read_op get = {.key = text("a")};
    fixture_read(f, &read, &get, 1);
    uint64_t id = engine_reads_wanted(f->engine);
    engine_reads_released(f->engine, id, engine_applied_index(f->engine));
    engine_end_turn(f->engine);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    struct wire_reply_op op = fixture_reply_op(&reply, 0);
    assert_int_equal(op.outcome, WIRE_OUTCOME_NOT_FOUND);
    assert_false(op.is_pending);
}

static void test_relaxed_retry_is_answered_once_executed(void **state)
{
    struct fixture *f = *state;
    uint64_t seq = fixture_pend(f, 1, "a", "x");
    fixture_pend(f, 2, "a", "y");
    assert_int_equal(fixture_pend(f, 1, "a", "x"), seq);
    assert_int_equal(f->entry_count, 2);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_value(&op, "y");
    /* A retry of something that waits for durability waits with it. */
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    struct wire_op ops[] = {op_set(3, "a", "z"), op_set(1, "a", "x")};
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 1);
    fixture_write(f, &write, ops, 2);
    assert_int_equal(f->entry_count, 3);
    assert_int_equal(f->message_count, 0);
    fixture_durable(f);
    assert_int_equal(f->message_count, 2);
    assert_int_equal(engine_counters(f->engine)->relaxed_accepted, 3);
}

static void test_relaxed_forgets_what_its_client_has_long_finished(void **state)
{
    struct fixture *f = *state;
    fixture_pend(f, 1, "a", "x");
    fixture_pend(f, 1 + SESSION_WINDOW, "a", "y");
    struct wire_op op = op_set(1, "a", "x");
    struct wire_reply_op reply = fixture_relaxed(f, 77, &op, 1);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_FORGOTTEN);
    assert_int_equal(f->entry_count, 2);
}

static void test_relaxed_write_of_several_ops_is_one_entry(void **state)
{
    struct fixture *f = *state;
    struct wire_op ops[] = {op_set(1, "a", "1"), op_cancel(3, 5), op_set(2, "b", "2")};
    struct wire_reply_op last = fixture_relaxed(f, 77, ops, 3);
    assert_int_equal(last.version, FIXTURE_FIRST_SEQ + 1);
    assert_int_equal(f->entry_count, 1);
    assert_int_equal(f->entries[0].seq, FIXTURE_FIRST_SEQ + 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).version, FIXTURE_FIRST_SEQ);
    assert_int_equal(fixture_reply_op(&reply, 0).seq, 1);
    assert_int_equal(fixture_reply_op(&reply, 1).seq, 2);
}

static void test_relaxed_refuses_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    fixture_pend(f, 1, "a", "x");
    f->entries_max = 1;
    fixture_expect_status(f, &write, op_set(2, "a", "y"), WIRE_STATUS_OVERLOADED);
    struct wire_reply_op got = fixture_get(f, "a");
    assert_value(&got, "x");
    f->entries_max = FIXTURE_ENTRIES_MAX;
    /* The refused one may be sent again, and is executed then. */
    fixture_pend(f, 2, "a", "y");
    fixture_expect_status(f, &write, op_of(WIRE_OP_FENCE, 3), WIRE_STATUS_BAD_REQUEST);
    fixture_expect_status(f, &write, op_swap(3, "a", "b", NULL), WIRE_STATUS_BAD_REQUEST);
    fixture_expect_status(f, &write, op_cancel(2, 3), WIRE_STATUS_BAD_REQUEST);
    struct fixture_write nobody = {.is_relaxed = true};
    fixture_expect_status(f, &nobody, op_set(3, "a", "z"), WIRE_STATUS_BAD_REQUEST);
    struct fixture_write late = {.session = 77, .is_relaxed = true, .incarnation = 5};
    fixture_expect_status(f, &late, op_set(3, "a", "z"), WIRE_STATUS_INCARNATION);
    struct fixture_write recall = {.session = 77, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &recall, op_set(3, "a", "z"), WIRE_STATUS_UNKNOWN);
    fixture_expect_status(f, &recall, op_set(2, "a", "y"), WIRE_STATUS_OK);
    assert_int_equal(f->entry_count, 2);
}

/* Delivers a copy of a packet, to which there must be no answer. */
static void expect_silence(struct fixture *f, const struct fixture_write *write, struct wire_op op)
{
    uint32_t entries = f->entry_count;
    fixture_forget_messages(f);
    fixture_write(f, write, &op, 1);
    fixture_durable(f);
    assert_int_equal(f->message_count, 0);
    assert_int_equal(f->entry_count, entries);
}

/* Refused is refused: its client may have told so, or gone to another node with it. */
static void test_relaxed_copy_of_a_refused_packet_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true, .packet_number = 500};
    f->entries_max = 0;
    fixture_expect_status(f, &write, op_set(1, "a", "x"), WIRE_STATUS_OVERLOADED);
    f->entries_max = FIXTURE_ENTRIES_MAX;
    expect_silence(f, &write, op_set(1, "a", "x"));
    /* One that was never seen is another transmission, and a recall executes nothing. */
    write.packet_number = 499;
    expect_silence(f,
                   &(struct fixture_write){
                       .session = 77, .is_relaxed = true, .packet_number = 500 - PACKET_WINDOW},
                   op_set(1, "a", "x"));
    fixture_forget_messages(f);
    struct wire_op op = op_set(1, "a", "x");
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->entry_count, 1);
    write.is_recall = true;
    fixture_write(f, &write, &op, 1);
    fixture_durable(f);
    assert_int_equal(f->message_count, 2);
}

/* A copy must not be refused in the name of the packet that was taken. */
static void test_relaxed_copy_of_a_taken_packet_is_not_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true, .packet_number = 500};
    struct wire_op op = op_set(1, "a", "x");
    fixture_write(f, &write, &op, 1);
    write.packet_number = 501;
    for (uint32_t i = 1; i < RELAXED_WAITERS_MAX; i++, write.packet_number++)
        fixture_write(f, &write, &op, 1);
    assert_int_equal(f->message_count, 0);
    fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
    write.packet_number = 500;
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->message_count, 0);
}

/* The client has given its session back, and copies of what it sent arrive. */
static void test_relaxed_copy_from_before_the_end_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true, .packet_number = 500};
    struct fixture_write end = {.session = 77, .is_relaxed = true, .packet_number = 503};
    const struct wire_op last = {.type = WIRE_OP_UNREGISTER};
    struct wire_op both[] = {op_set(1, "a", "x"), last};
    fixture_write(f, &write, both, 1);
    fixture_durable(f);
    fixture_write(f, &end, both, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_BAD_REQUEST);
    for (uint32_t i = 0; i < 2; i++, end.packet_number++) {
        fixture_expect_status(f, &end, last, WIRE_STATUS_OK);
        assert_int_equal(engine_counters(f->engine)->relaxed_given_back, i + 1);
    }
    assert_null(relaxed_sessions_find(&f->engine->relaxed.sessions, 77));
    for (write.packet_number = 499; write.packet_number < 503; write.packet_number++)
        expect_silence(f, &write, both[0]);
    assert_int_equal(f->entry_count, 1);
}

/* There is no identity to remember it by. */
static void test_relaxed_copy_of_a_strangers_refused_packet_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct wire_op op = op_set(1, "a", "x");
    for (uint64_t i = 1; i <= RELAXED_SESSIONS_MAX; i++)
        fixture_relaxed(f, i, &op, 1);
    fixture_turn(f, 59 * 1000);
    struct fixture_write write = {.session = 5000, .is_relaxed = true, .packet_number = 500};
    fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
    expect_silence(f, &write, op);
    fixture_turn(f, 2 * 1000);
    expect_silence(f, &write, op);
    fixture_relaxed(f, 5000, &op, 1);
    assert_int_equal(f->entry_count, RELAXED_SESSIONS_MAX + 1);
    /* More than can be remembered are not answered at all, until copies of the first are gone. */
    write.session = 6000;
    fixture_relaxed(f, 6000, &op, 1);
    for (uint64_t i = 2; i < RELAXED_SESSIONS_MAX; i++)
        fixture_relaxed(f, 7000 + i, &op, 1);
    for (write.session = 9000; write.session < 9000 + STRANGERS_MAX - 1; write.session++)
        fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
    expect_silence(f, &write, op);
    fixture_turn(f, 10 * 1000);
    fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
}

static void test_relaxed_backlog_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    char key[16];
    for (uint32_t i = 0; i < f->options.pending_max; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        fixture_pend(f, 1 + i, key, "x");
    }
    fixture_expect_status(f, &write, op_set(1000, "z", "x"), WIRE_STATUS_OVERLOADED);
    struct wire_reply_op got = fixture_get(f, "k0");
    assert_value(&got, "x");
    assert_int_equal(engine_counters(f->engine)->relaxed_refused, 1);
}

/* What it took before is answered as ever: its client must not take it for refused. */
static void test_relaxed_write_is_refused_by_a_removed_node_unless_it_was_taken(void **state)
{
    struct fixture *f = *state;
    const struct fixture_write write = {.session = 77, .is_relaxed = true};
    uint64_t seq = fixture_pend(f, 1, "a", "x");
    f->view.is_removed = true;
    fixture_begin(f);
    fixture_expect_status(f, &write, op_set(2, "a", "y"), WIRE_STATUS_OVERLOADED);
    assert_int_equal(fixture_pend(f, 1, "a", "x"), seq);
    assert_int_equal(f->entry_count, 1);
}

/* What it has taken goes into the log, and nothing more comes: then it may go. */
static void test_relaxed_write_is_refused_by_a_node_that_leaves_unless_it_was_taken(void **state)
{
    struct fixture *f = *state;
    const struct fixture_write write = {.session = 77, .is_relaxed = true};
    assert_int_equal(engine_relaxed_pending(f->engine), 0);
    uint64_t seq = fixture_pend(f, 1, "a", "x");
    f->view.leaves = true;
    fixture_begin(f);
    fixture_expect_status(f, &write, op_set(2, "a", "y"), WIRE_STATUS_OVERLOADED);
    assert_int_equal(fixture_pend(f, 1, "a", "x"), seq);
    assert_int_equal(engine_relaxed_pending(f->engine), 1);
    f->view.leaves = false; /* it stays after all */
    fixture_begin(f);
    assert_true(fixture_pend(f, 3, "b", "z") > seq);
    assert_int_equal(engine_relaxed_pending(f->engine), 2);
}

/* A journal that is about to move says "not yet": nothing was refused, and the retry is taken. */
static void test_relaxed_write_is_postponed_while_the_journal_moves(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    f->is_journal_moving = true;
    fixture_expect_status(f, &write, op_set(1, "k", "x"), WIRE_STATUS_PENDING);
    assert_int_equal(engine_counters(f->engine)->relaxed_postponed, 1);
    assert_int_equal(engine_counters(f->engine)->relaxed_refused, 0);
    f->is_journal_moving = false;
    fixture_pend(f, 1, "k", "x");
    struct wire_reply_op got = fixture_get(f, "k");
    assert_value(&got, "x");
    assert_int_equal(engine_counters(f->engine)->relaxed_postponed, 1);
}

static void test_relaxed_blocks_are_bounded(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[VALUE_SIZE_BYTES_MAX];
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    struct wire_op op = op_set(1, "a", NULL);
    op.has_value = true;
    op.value = span_of(large, sizeof(large));
    fixture_relaxed(f, 77, &op, 1);
    op.seq = 2;
    op.key = text("b");
    fixture_relaxed(f, 77, &op, 1);
    op.seq = 3;
    op.key = text("c");
    fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
}

static void test_relaxed_identities_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct wire_op op = op_set(1, "a", "x");
    for (uint64_t i = 1; i <= 1024; i++) {
        fixture_relaxed(f, i, &op, 1);
        fixture_turn(f, 1);
    }
    struct fixture_write write = {.session = 5000, .is_relaxed = true};
    fixture_expect_status(f, &write, op, WIRE_STATUS_OVERLOADED);
    fixture_turn(f, 60 * 1000);
    fixture_relaxed(f, 5000, &op, 1);
    /* The first gave way, the second is known still. */
    struct fixture_write first = {.session = 1, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &first, op, WIRE_STATUS_UNKNOWN);
    struct fixture_write second = {.session = 2, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &second, op, WIRE_STATUS_OK);
}

/* A client that asks again and again for one write is not silent. */
static void test_relaxed_identity_that_retries_does_not_give_way(void **state)
{
    struct fixture *f = *state;
    struct wire_op op = op_set(1, "a", "x");
    for (uint64_t i = 1; i <= 1024; i++)
        fixture_relaxed(f, i, &op, 1);
    fixture_turn(f, 50 * 1000);
    fixture_relaxed(f, 1, &op, 1);
    fixture_turn(f, 50 * 1000);
    fixture_relaxed(f, 5000, &op, 1);
    uint32_t entries = f->entry_count;
    fixture_relaxed(f, 1, &op, 1);
    assert_int_equal(f->entry_count, entries);
}

static void test_relaxed_needs_a_journal(void **state)
{
    (void)state;
    struct engine_options options = fixture_options();
    struct fixture *f = fixture_new(&options);
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    struct span body;
    fixture_expect_status(f, &write, op_set(1, "a", "x"), WIRE_STATUS_UNSUPPORTED);
    assert_int_equal(engine_journal_restore(f->engine, 1, text("x")), ERR_CORRUPT);
    engine_journal_durable(f->engine, 9);
    assert_false(engine_forward(f->engine, &body));
    assert_int_equal(engine_journal_done(f->engine), 0);
    fixture_free(f);
}

int main(void)
{
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, fixture_relaxed_setup, fixture_relaxed_teardown)
#define W(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, fixture_relaxed_wide_setup, fixture_relaxed_teardown)
    rcu_thread_begin();
    const struct CMUnitTest tests[] = {
        T(test_relaxed_set_is_served_here_without_a_leader),
        T(test_relaxed_set_is_neither_seen_nor_answered_before_it_is_durable),
        T(test_relaxed_set_is_not_accepted_outside_its_range),
        T(test_relaxed_delete_hides_the_applied_value),
        T(test_relaxed_newer_set_replaces_the_pending_one),
        T(test_relaxed_never_counts_for_a_consistent_get),
        T(test_relaxed_retry_is_answered_once_executed),
        T(test_relaxed_forgets_what_its_client_has_long_finished),
        T(test_relaxed_write_of_several_ops_is_one_entry),
        T(test_relaxed_refuses_and_loses_nothing),
        T(test_relaxed_copy_of_a_refused_packet_is_not_taken),
        T(test_relaxed_copy_of_a_taken_packet_is_not_refused),
        T(test_relaxed_copy_from_before_the_end_is_not_taken),
        W(test_relaxed_copy_of_a_strangers_refused_packet_is_not_taken),
        T(test_relaxed_backlog_is_bounded),
        T(test_relaxed_write_is_refused_by_a_removed_node_unless_it_was_taken),
        T(test_relaxed_write_is_refused_by_a_node_that_leaves_unless_it_was_taken),
        T(test_relaxed_write_is_postponed_while_the_journal_moves),
        T(test_relaxed_blocks_are_bounded),
        W(test_relaxed_identities_are_bounded),
        W(test_relaxed_identity_that_retries_does_not_give_way),
        cmocka_unit_test(test_relaxed_needs_a_journal),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
