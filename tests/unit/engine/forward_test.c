/* Pending relaxed writes on their way into the log. */
#include "tests/unit/engine/pair.h"

static void test_forward_brings_pending_writes_into_the_log(void **state)
{
    struct pair *p = *state;
    struct kept kept;
    assert_false(keep_forward(p->node, &kept));
    fixture_pend(p->node, 1, "a", "1");
    uint64_t last = fixture_pend(p->node, 2, "b", "2");
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "1");
    assert_get(p->leader, "b", "2");
    assert_get(p->node, "b", "2");
    assert_int_equal(engine_journal_done(p->node->engine), last);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 2);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_pending, 0);
}

static void test_forward_applies_a_batch_that_is_sent_again_once(void **state)
{
    struct pair *p = *state;
    static struct kept first;
    static struct kept second;
    fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &first));
    assert_false(keep_forward(p->node, &second));
    assert_true(engine_deadline_ns(p->node->engine) > p->node->view.now_ns);
    fixture_turn(p->node, 1000);
    assert_true(keep_forward(p->node, &second));
    assert_memory_equal(first.data, second.data, first.size_bytes);
    deliver(p, &first);
    deliver(p, &second);
    struct wire_op other = op_set(p->next_seq, "a", "2");
    assert_int_equal(write_now(p, &other, 1), WIRE_OUTCOME_OK);
    /* Once more, after somebody else's write: decided, so not even appended. */
    deliver(p, &first);
    struct span payload;
    assert_false(engine_batch(p->leader->engine, &payload));
    fixture_apply_to(p->leader, p->node->engine);
    assert_get(p->node, "a", "2");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 1);
    assert_int_equal(engine_counters(p->node->engine)->ops_duplicate, 1);
}

static void test_forward_goes_to_the_next_leader(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    fixture_pend(p->node, 1, "a", "1");
    fixture_follow(p->node, 0, 2);
    assert_false(keep_forward(p->node, &kept));
    assert_int_equal(engine_deadline_ns(p->node->engine), UINT64_MAX);
    fixture_follow(p->node, 3, 2);
    assert_true(keep_forward(p->node, &kept));
    assert_false(keep_forward(p->node, &kept));
    fixture_follow(p->node, 1, 3);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "1");
}

static void test_forward_keeps_the_order_of_one_key(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    /* On its way already: what comes now queues behind it, and the two after it become one. */
    fixture_pend(p->node, 2, "a", "2");
    fixture_pend(p->node, 3, "b", "3");
    fixture_pend(p->node, 4, "a", "4");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_coalesced, 1);
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "1");
    struct wire_reply_op op = fixture_get(p->node, "a");
    assert_value(&op, "4");
    assert_true(op.is_pending);
    forward_all(p);
    assert_get(p->leader, "a", "4");
    assert_get(p->leader, "b", "3");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 3);
}

/* The largest record of a log may be small. */
static void test_forward_fits_a_record_of_the_log(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    static char value[1501];
    memset(value, 'x', sizeof(value) - 1);
    p->node->view.record_bytes_max = 8192;
    p->leader->view.record_bytes_max = 8192;
    fixture_turn(p->node, 0);
    fixture_turn(p->leader, 0);
    for (uint64_t seq = 1; seq <= 9; seq++) {
        char key[] = {(char)('a' + seq), 0};
        fixture_pend(p->node, seq, key, value);
    }
    uint32_t count = 0;
    fixture_turn(p->node, 0);
    while (keep_forward(p->node, &kept)) {
        assert_in_range(kept.size_bytes, 1, 8192);
        deliver(p, &kept);
        commit(p);
        count++;
    }
    assert_in_range(count, 2, 9);
    assert_int_equal(engine_counters(p->leader->engine)->forwards_refused, 0);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 9);
}

/* A batch without room leaves when a record before it applies: until then there is nothing to
 * do. */
static void test_forward_asks_for_no_turn_while_the_batch_is_full(void **state)
{
    struct pair *p = *state;
    static char large[BATCH_SIZE_BYTES_SOFT + 1];
    memset(large, 'x', BATCH_SIZE_BYTES_SOFT);
    fixture_pend(p->leader, 1, "a", large);
    fixture_turn(p->leader, 0);
    fixture_pend(p->leader, 2, "b", "2");
    fixture_turn(p->leader, 0);
    assert_int_equal(engine_deadline_ns(p->leader->engine), UINT64_MAX);
    commit(p);
    fixture_turn(p->leader, 0);
    commit(p);
    assert_get(p->leader, "b", "2");
}

static void test_forward_keeps_a_pending_value_visible_when_others_commit(void **state)
{
    struct pair *p = *state;
    fixture_pend(p->node, 1, "a", "mine");
    struct wire_op other = op_set(p->next_seq, "a", "theirs");
    write_now(p, &other, 1);
    fixture_apply_to(p->leader, p->node->engine);
    struct wire_reply_op op = fixture_get(p->node, "a");
    assert_value(&op, "mine");
    assert_true(op.is_pending);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "mine");
}

static void test_forward_never_applies_what_was_cancelled_before(void **state)
{
    struct pair *p = *state;
    uint64_t first = fixture_pend(p->node, 1, "a", "old");
    fixture_pend(p->node, 2, "b", "kept");
    struct wire_op ops[] = {op_cancel(2, first), op_set(p->next_seq, "a", "new")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    fixture_apply_to(p->leader, p->node->engine);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "new");
    assert_get(p->leader, "b", "kept");
    assert_get(p->node, "a", "new");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_cancelled, 1);
}

static void test_forward_ignores_a_cancel_of_what_has_applied(void **state)
{
    struct pair *p = *state;
    uint64_t first = fixture_pend(p->node, 1, "a", "old");
    fixture_turn(p->node, 0);
    forward_all(p);
    struct wire_op ops[] = {op_cancel(2, first), op_set(p->next_seq, "a", "new")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    assert_get(p->leader, "a", "new");
}

static void test_forward_keeps_what_a_failed_write_would_have_cancelled(void **state)
{
    struct pair *p = *state;
    uint64_t first = fixture_pend(p->node, 1, "a", "old");
    struct wire_op swap[] = {op_cancel(2, first), op_swap(p->next_seq, "a", "new", "other")};
    assert_int_equal(write_now(p, swap, 2), WIRE_OUTCOME_MISMATCH);
    struct wire_op fence = op_of(WIRE_OP_FENCE, p->next_seq);
    write_now(p, &fence, 1);
    p->next_seq--;
    struct wire_op fenced[] = {op_cancel(2, first), op_set(p->next_seq, "a", "new")};
    fixture_forget_messages(p->leader);
    struct fixture_write write = {.session = p->session};
    fixture_write(p->leader, &write, fenced, 2);
    struct wire_reply reply = fixture_reply(p->leader, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_FENCED);
    p->next_seq++;
    fixture_apply_to(p->leader, p->node->engine);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "old");
}

static void test_forward_carries_cancels_of_relaxed_writes(void **state)
{
    struct pair *p = *state;
    /* A write accepted by node 3 is overruled by one that node 2 has accepted. */
    struct wire_op ops[] = {op_cancel(3, 50), op_set(1, "a", "2")};
    fixture_relaxed(p->node, 77, ops, 2);
    /* One that carries a cancel is not dropped for a newer one. */
    fixture_pend(p->node, 2, "a", "3");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_coalesced, 0);
    fixture_turn(p->node, 0);
    forward_all(p);
    static struct kept late;
    struct wire_writer writer = {.data = late.data, .capacity_bytes = sizeof(late.data)};
    struct wire_op old = op_set(50, "a", "1");
    old.tag = wire_tag(FIXTURE_IDENTITY);
    wire_request_begin(&writer, WIRE_NODE_SESSION(3), 0);
    wire_request_add(&writer, &old);
    engine_receive_forward(p->leader->engine, 3, 3, span_of(late.data, writer.size_bytes));
    commit(p);
    assert_get(p->leader, "a", "3");
}

static void test_forward_refuses_more_cancels_than_can_be_kept(void **state)
{
    struct pair *p = *state;
    fill_cancels(p, 9);
    struct wire_op ops[] = {op_cancel(9, 5000), op_set(p->next_seq, "a", "1")};
    struct fixture_write write = {.session = p->session};
    fixture_forget_messages(p->leader);
    fixture_write(p->leader, &write, ops, 2);
    struct wire_reply reply = fixture_reply(p->leader, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "log-full");
    assert_int_equal(engine_counters(p->leader->engine)->cancels_over_share, 1);
    assert_get(p->leader, "a", NULL);
    /* One that is noted already takes no more room. */
    ops[0].seq = 1;
    ops[1] = op_set(p->next_seq, "z1", "2");
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    assert_get(p->leader, "z1", "2");
}

static void test_forward_goes_before_later_writes_through_the_leader(void **state)
{
    struct pair *p = *state;
    struct fixture *f = p->leader;
    fixture_pend(f, 1, "a", "earlier");
    struct fixture_write write = {.session = p->session};
    struct wire_op later = op_set(p->next_seq, "a", "later");
    fixture_forget_messages(f);
    fixture_write(f, &write, &later, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "pending");
    /* From the next turn on it is in the batch, before what clients send. */
    fixture_turn(f, 0);
    fixture_forget_messages(f);
    fixture_write(f, &write, &later, 1);
    assert_int_equal(f->message_count, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    fixture_turn(f, 0);
    assert_get(f, "a", "later");
    assert_int_equal(engine_counters(f->engine)->relaxed_applied, 1);
}

static void test_forward_lets_a_leaders_batches_follow_one_another(void **state)
{
    struct pair *p = *state;
    struct fixture *f = p->leader;
    for (uint64_t round = 0; round < 3; round++) {
        fixture_pend(f, 1 + 2 * round, "a", "x");
        fixture_pend(f, 2 + 2 * round, "b", "y");
        fixture_turn(f, 0);
        assert_true(fixture_propose(f));
    }
    assert_int_equal(engine_counters(f->engine)->relaxed_coalesced, 0);
    fixture_commit(f);
    assert_int_equal(engine_counters(f->engine)->relaxed_applied, 6);
}

/* A batch that is full now has room when it has become a record: nothing of it is a failure. */
static void test_forward_joins_as_soon_as_the_batch_has_room(void **state)
{
    struct pair *p = *state;
    struct fixture *f = p->leader;
    static uint8_t large[BATCH_SIZE_BYTES_SOFT];
    struct fixture_write write = {.session = p->session};
    struct wire_op op = op_set(p->next_seq, "large", NULL);
    op.has_value = true;
    op.value = span_of(large, sizeof(large));
    fixture_write(f, &write, &op, 1);
    fixture_pend(f, 1, "a", "x");
    fixture_turn(f, 0);
    assert_true(fixture_propose(f));
    fixture_turn(f, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_get(f, "a", "x");
}

static void test_forward_starts_anew_when_the_leaders_batch_is_refused(void **state)
{
    struct pair *p = *state;
    struct fixture *f = p->leader;
    struct span payload;
    fixture_pend(f, 1, "a", "x");
    fixture_turn(f, 0);
    assert_true(engine_batch(f->engine, &payload));
    engine_batch_refused(f->engine, WIRE_STATUS_LOG_FULL);
    fixture_turn(f, 0);
    assert_false(engine_batch(f->engine, &payload));
    fixture_turn(f, 1000);
    assert_true(fixture_propose(f));
    /* Proposed, and lost with the leadership: the next leader gets it from here. */
    free(f->records[--f->record_count].data);
    fixture_follow(f, 2, 2);
    static struct kept kept;
    assert_true(keep_forward(f, &kept));
    fixture_follow(f, 1, 3);
    f->view.commit_index = f->record_count;
    fixture_begin(f);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    fixture_turn(f, 0);
    assert_get(f, "a", "x");
}

static void test_forward_waits_while_the_store_is_full(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    options.keys_max = 1;
    struct pair *p = pair_new(&options);
    fixture_pend(p->node, 1, "a", "x");
    fixture_pend(p->node, 2, "taken", "2");
    fixture_turn(p->node, 0);
    struct fixture_write write = {.session = p->session};
    struct wire_op taken = op_set(p->next_seq++, "taken", "1");
    fixture_write(p->leader, &write, &taken, 1);
    static struct kept kept;
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept); /* while there still was room */
    commit(p);
    /* Neither applies, both stay, in order. */
    assert_get(p->leader, "taken", "1");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_blocked, 2);
    struct wire_reply_op op = fixture_get(p->node, "a");
    assert_value(&op, "x");
    struct wire_op del = op_set(p->next_seq, "taken", NULL);
    assert_int_equal(write_now(p, &del, 1), WIRE_OUTCOME_OK);
    fixture_turn(p->node, 1000);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "x");
    op = fixture_get(p->node, "taken");
    assert_true(op.is_pending);
    void *rest = p;
    pair_teardown(&rest);
}

static void test_forward_applies_nothing_across_a_gap(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    struct wire_writer writer = {.data = late.data, .capacity_bytes = sizeof(late.data)};
    struct wire_op op = op_set(60, "a", "1");
    wire_request_begin(&writer, WIRE_NODE_SESSION(2), 50);
    wire_request_add(&writer, &op);
    late.size_bytes = writer.size_bytes;
    deliver(p, &late);
    commit(p);
    assert_get(p->leader, "a", NULL);
}

static void test_forward_refuses_what_no_node_sends(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    const struct wire_op bad[][2] = {
        {op_set(5, "a", "1"), op_set(5, "b", "1")},
        {op_set(5, "a", "1"), op_swap(6, "b", "1", NULL)},
        {op_set(5, "a", "1"), op_cancel(1, 2)},
        {op_set(5, "a", "1"), op_of(WIRE_OP_REGISTER, 1)},
    };
    for (size_t i = 0; i < 5; i++) {
        struct wire_writer writer = {.data = kept.data, .capacity_bytes = sizeof(kept.data)};
        wire_request_begin(&writer, WIRE_NODE_SESSION(i < 4 ? 2 : 3), 0);
        wire_request_add(&writer, &bad[i % 4][0]);
        if (i < 4)
            wire_request_add(&writer, &bad[i][1]);
        kept.size_bytes = writer.size_bytes;
        deliver(p, &kept);
    }
    struct span payload;
    assert_int_equal(engine_counters(p->leader->engine)->requests_malformed, 4);
    assert_int_equal(engine_counters(p->leader->engine)->forwards_closed, 1); /* of node 3 */
    assert_false(engine_batch(p->leader->engine, &payload));
    /* A follower, and a leader without a quorum, let it pass. */
    fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    p->leader->view.has_fresh_quorum = false;
    fixture_turn(p->leader, 0);
    deliver(p, &kept);
    assert_int_equal(engine_counters(p->leader->engine)->forwards_refused, 1);
    assert_false(engine_batch(p->leader->engine, &payload));
    /* A client cannot speak for a node. */
    struct fixture_write write = {.session = WIRE_NODE_SESSION(2)};
    struct wire_op op = op_set(1, "a", "1");
    fixture_forget_messages(p->leader);
    fixture_write(p->leader, &write, &op, 1);
    struct wire_reply reply = fixture_reply(p->leader, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "bad-request");
}

static void test_forward_after_a_restart_applies_nothing_twice(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    fixture_pend(p->node, 1, "a", "1");
    fixture_pend(p->node, 2, "b", "2");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    while (fixture_propose(p->leader))
        fixture_commit(p->leader);
    fixture_turn(p->leader, 0);
    struct wire_op other = op_set(p->next_seq, "a", "later");
    write_now(p, &other, 1);
    /* The node restarts with its journal, before it has learnt of either record. */
    struct fixture *old = p->node;
    p->node = fixture_restarted(old, NULL);
    fixture_follow(p->node, 1, 1);
    struct wire_reply_op op = fixture_get(p->node, "a");
    assert_value(&op, "1");
    assert_true(keep_forward(p->node, &kept));
    fixture_apply_to(p->leader, p->node->engine);
    fixture_turn(p->node, 0);
    deliver(p, &kept);
    commit(p);
    assert_get(p->node, "a", "later");
    fixture_free(old);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)
    const struct CMUnitTest tests[] = {
        T(test_forward_brings_pending_writes_into_the_log),
        T(test_forward_applies_a_batch_that_is_sent_again_once),
        T(test_forward_goes_to_the_next_leader),
        T(test_forward_keeps_the_order_of_one_key),
        T(test_forward_asks_for_no_turn_while_the_batch_is_full),
        T(test_forward_fits_a_record_of_the_log),
        T(test_forward_keeps_a_pending_value_visible_when_others_commit),
        T(test_forward_never_applies_what_was_cancelled_before),
        T(test_forward_ignores_a_cancel_of_what_has_applied),
        T(test_forward_keeps_what_a_failed_write_would_have_cancelled),
        T(test_forward_carries_cancels_of_relaxed_writes),
        T(test_forward_refuses_more_cancels_than_can_be_kept),
        T(test_forward_goes_before_later_writes_through_the_leader),
        T(test_forward_lets_a_leaders_batches_follow_one_another),
        T(test_forward_joins_as_soon_as_the_batch_has_room),
        T(test_forward_starts_anew_when_the_leaders_batch_is_refused),
        cmocka_unit_test(test_forward_waits_while_the_store_is_full),
        T(test_forward_applies_nothing_across_a_gap),
        T(test_forward_refuses_what_no_node_sends),
        T(test_forward_after_a_restart_applies_nothing_twice),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
