/* What a restart finds of relaxed writes: the entries of the journal, beside the log. */
#include "engine/engine_internal.h"
#include "tests/unit/engine/fixture.h"

static void test_relaxed_restart_keeps_what_was_accepted(void **state)
{
    struct fixture *old = *state;
    fixture_pend(old, 1, "a", "1");
    struct wire_op ops[] = {op_set(2, "b", "2"), op_set(3, "a", "3"), op_set(4, "c", NULL)};
    fixture_relaxed(old, 77, ops, 3);
    struct fixture *f = fixture_restarted(old, old);
    fixture_begin(f); /* whoever asks in the first turn is told */
    assert_int_equal(engine_counters(f->engine)->relaxed_pending, 3);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_value(&op, "3");
    assert_true(op.is_pending);
    op = fixture_get(f, "c");
    assert_true(op.is_pending && op.outcome == WIRE_OUTCOME_NOT_FOUND);
    /* What was acknowledged is known, and new writes go behind it. */
    struct fixture_write recall = {.session = 77, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &recall, op_set(1, "a", "1"), WIRE_STATUS_OK);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).version, FIXTURE_FIRST_SEQ);
    assert_int_equal(fixture_pend(f, 5, "a", "5"), FIXTURE_FIRST_SEQ + 4);
    engine_check_invariants(f->engine);
    fixture_free(f);
}

/* More clients have written than a node remembers: the newest are known. */
static void test_relaxed_restart_knows_the_newest_clients(void **state)
{
    struct fixture *old = *state;
    struct wire_op op = op_set(1, "a", "x");
    for (uint64_t i = 1; i <= RELAXED_SESSIONS_MAX; i++)
        fixture_relaxed(old, i, &op, 1);
    fixture_turn(old, 61 * 1000);
    fixture_relaxed(old, 5000, &op, 1);
    struct fixture *f = fixture_restarted(old, old);
    struct fixture_write first = {.session = 1, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &first, op, WIRE_STATUS_UNKNOWN);
    struct fixture_write last = {.session = 5000, .is_relaxed = true, .is_recall = true};
    fixture_expect_status(f, &last, op, WIRE_STATUS_OK);
    fixture_free(f);
}

static void test_relaxed_restart_refuses_what_is_no_entry(void **state)
{
    struct fixture *f = *state;
    fixture_pend(f, 1, "a", "1");
    struct fixture_entry *entry = &f->entries[0];
    struct fixture *new = fixture_new(&f->options);
    struct span whole = span_of(entry->data, entry->size_bytes);
    assert_int_equal(engine_journal_restore(new->engine, entry->seq + 1, whole), ERR_CORRUPT);
    assert_int_equal(engine_journal_restore(new->engine, entry->seq,
                                            span_of(entry->data, entry->size_bytes - 1)),
                     ERR_CORRUPT);
    entry->data[WIRE_REQUEST_HEADER_SIZE_BYTES] = WIRE_OP_SWAP;
    assert_int_equal(engine_journal_restore(new->engine, entry->seq, whole), ERR_CORRUPT);
    entry->data[WIRE_REQUEST_HEADER_SIZE_BYTES] = WIRE_OP_SET;
    assert_int_equal(engine_journal_restore(new->engine, entry->seq, whole), OK);
    assert_int_equal(engine_journal_restore(new->engine, entry->seq, whole), ERR_CORRUPT);
    fixture_free(new);
    struct engine_options small = f->options;
    small.pending_blocks_max = 1;
    new = fixture_new(&small);
    assert_int_equal(engine_journal_restore(new->engine, entry->seq, whole), OK);
    fixture_pend(f, 2, "b", "1");
    entry = &f->entries[1];
    assert_int_equal(
        engine_journal_restore(new->engine, entry->seq, span_of(entry->data, entry->size_bytes)),
        ERR_FULL);
    fixture_free(new);
}

int main(void)
{
#define T(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, fixture_relaxed_wide_setup, fixture_relaxed_teardown)
    rcu_thread_begin();
    const struct CMUnitTest tests[] = {
        T(test_relaxed_restart_keeps_what_was_accepted),
        T(test_relaxed_restart_knows_the_newest_clients),
        T(test_relaxed_restart_refuses_what_is_no_entry),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
