/*
 * Later writes and pending ones: what a cancel hides, what a full store must not turn round, how
 * many cancels there may be, and what a restart must not forget.
 */
#include "engine/engine_internal.h"
#include "tests/unit/engine/pair.h"

static void assert_pending(struct fixture *f, const char *key, const char *value)
{
    struct wire_reply_op op = fixture_get(f, key);
    assert_value(&op, value);
    assert_true(op.is_pending);
}

/* The status of a consistent write of one op at the leader that must not be taken. */
static uint8_t refused_status(struct pair *p, const struct wire_op *op)
{
    struct fixture_write write = {.session = p->session, .floor = p->next_seq};
    fixture_forget_messages(p->leader);
    fixture_write(p->leader, &write, op, 1);
    struct wire_reply reply = fixture_reply(p->leader, WIRE_WRITE_REPLY);
    return reply.status;
}

/* The client that overruled its pending write must not read it again from the node that has it. */
static void test_overrule_hides_what_a_cancel_has_overruled(void **state)
{
    struct pair *p = *state;
    uint64_t first = fixture_pend(p->node, 1, "a", "mine");
    fixture_pend(p->node, 2, "b", "other");
    struct wire_op ops[] = {op_cancel(2, first), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    assert_pending(p->node, "a", "mine");
    fixture_apply_to(p->leader, p->node->engine);
    assert_get(p->node, "a", "later");
    assert_pending(p->node, "b", "other");
    engine_check_invariants(p->node->engine);
    /* A restart finds it in the journal, and keeps it hidden. */
    struct fixture *again = fixture_restarted(p->node, p->leader);
    assert_get(again, "a", "later");
    engine_check_invariants(again->engine);
    fixture_free(again);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->node, "a", "later");
    assert_get(p->leader, "b", "other");
}

/* What the overruled one had replaced is overruled with it, though it is on its way already. */
static void test_overrule_reaches_what_was_replaced(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    fixture_pend(p->node, 1, "a", "1");
    fixture_pend(p->node, 2, "b", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    uint64_t second = fixture_pend(p->node, 3, "a", "2");
    struct wire_op ops[] = {op_cancel(2, second), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    fixture_apply_to(p->leader, p->node->engine);
    assert_get(p->node, "a", "later");
    assert_pending(p->node, "b", "1");
    fixture_pend(p->node, 4, "a", "newer");
    assert_pending(p->node, "a", "newer");
    engine_check_invariants(p->node->engine);
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "later");
    assert_get(p->leader, "b", "1");
    assert_pending(p->node, "a", "newer");
    forward_all(p);
    assert_get(p->leader, "a", "newer");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_cancelled, 2);
}

/*
 * A node forwarded more writes of one key than any request has room to name, and is gone. A later
 * write of the same client names the newest; none of the others applies when its message arrives.
 */
static void test_overrule_names_the_newest_of_any_number(void **state)
{
    struct pair *p = *state;
    static struct kept kept[2 * REQUEST_OPS_MAX];
    uint64_t newest = 0;
    for (uint32_t i = 0; i < 2 * REQUEST_OPS_MAX; i++) {
        newest = fixture_pend(p->node, 1 + i, "a", "x");
        fixture_turn(p->node, 0);
        assert_true(keep_forward(p->node, &kept[i]));
    }
    struct wire_op ops[] = {op_cancel(2, newest), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    for (uint32_t i = 0; i < 2 * REQUEST_OPS_MAX; i++) {
        deliver(p, &kept[i]);
        commit(p);
        assert_get(p->leader, "a", "later");
    }
    assert_int_equal(engine_counters(p->node->engine)->relaxed_cancelled, 2 * REQUEST_OPS_MAX);
}

/*
 * A client has written through node 3 and then through node 2, where another client's write has
 * taken its place. What overrules that one must not let the write of node 3 come back: the one that
 * carries its cancel stays, and is shown again.
 */
static void test_overrule_spares_the_writes_of_other_clients(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    struct wire_op ops[] = {op_cancel(3, 50), op_set(1, "a", "second")};
    ops[0].tag = wire_tag(78);
    fixture_relaxed(p->node, 78, ops, 2);
    ops[0] = op_cancel(2, fixture_pend(p->node, 2, "a", "other"));
    ops[0].tag = wire_tag(77);
    ops[1] = op_set(p->next_seq, "a", "later");
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    fixture_apply_to(p->leader, p->node->engine);
    assert_pending(p->node, "a", "second");
    engine_check_invariants(p->node->engine);
    struct fixture *again = fixture_restarted(p->node, p->leader);
    assert_pending(again, "a", "second");
    fixture_free(again);
    struct wire_writer writer = {.data = late.data, .capacity_bytes = sizeof(late.data)};
    struct wire_op first = op_set(50, "a", "first");
    wire_request_begin(&writer, WIRE_NODE_SESSION(3), 0);
    wire_request_add(&writer, &first);
    engine_receive_forward(p->leader->engine, 3, 3, span_of(late.data, writer.size_bytes));
    commit(p);
    assert_get(p->leader, "a", "first");
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "second");
}

/* A second cancel of a client's writes of a key takes the place of the first. */
static void test_overrule_keeps_one_cancel_for_each_key_and_client(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    uint64_t seqs[3];
    for (uint64_t i = 0; i < 3; i++) {
        seqs[i] = fixture_pend(p->node, 1 + i, "a", "x");
        fixture_turn(p->node, 0);
        assert_true(keep_forward(p->node, &kept));
    }
    const uint64_t named[] = {seqs[1], seqs[2], seqs[0]};
    const struct node_progress *session = node_progress_of(&p->leader->engine->machine.nodes, 2);
    const uint64_t sessions[] = {p->session, fixture_register(p->leader)};
    uint64_t next_seqs[] = {p->next_seq, 1};
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t client = 0; client < 2; client++) {
            p->session = sessions[client];
            p->next_seq = next_seqs[client]++;
            struct wire_op ops[] = {op_cancel(2, named[i]), op_set(p->next_seq, "a", "later")};
            ops[0].tag = wire_tag(77 + client);
            assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
        }
        assert_int_equal(session->cancel_count, 2);
        assert_int_equal(session->cancels[0].seq, i == 0 ? seqs[1] : seqs[2]);
    }
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_get(p->leader, "a", "later");
    assert_int_equal(session->cancel_count, 0);
}

static struct pair *pair_of_one_key(void)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.keys_max = 1;
    struct pair *p = pair_new(&options);
    struct wire_op taken = op_set(p->next_seq, "taken", "1");
    assert_int_equal(write_now(p, &taken, 1), WIRE_OUTCOME_OK);
    return p;
}

/*
 * The pending write is in the log, a later one behind it; the first finds the store full, the
 * second does not. Tried again once there is room, the first would overwrite the second.
 */
static void test_overrule_survives_a_store_that_was_full_in_between(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    options.keys_max = 1;
    struct pair *p = pair_new(&options);
    struct fixture *f = p->leader;
    struct fixture_write write = {.session = p->session};
    struct wire_op taken = op_set(p->next_seq++, "taken", "1");
    fixture_write(f, &write, &taken, 1);
    assert_true(fixture_propose(f)); /* and not applied yet: there still is room */
    fixture_pend(f, 1, "a", "earlier");
    fixture_turn(f, 0);
    struct wire_op ops[] = {op_set(p->next_seq, "taken", NULL),
                            op_set(p->next_seq + 1, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    p->next_seq++;
    assert_int_equal(engine_counters(f->engine)->relaxed_blocked, 1);
    assert_get(f, "a", "later");
    fixture_turn(f, 1000);
    commit(p);
    assert_get(f, "a", "later");
    assert_int_equal(engine_counters(f->engine)->relaxed_cancelled, 1);
    void *rest = p;
    pair_teardown(&rest);
}

/* The pending write that is overruled was to cancel one of another node: its cancels take effect in
 * its stead. */
static void test_overrule_through_the_leader_takes_over_cancels(void **state)
{
    (void)state;
    struct pair *p = pair_of_one_key();
    struct fixture *f = p->leader;
    static struct kept late;
    struct wire_op carrier[] = {op_cancel(3, 50), op_set(1, "a", "second")};
    carrier[0].tag = wire_tag(78);
    fixture_relaxed(f, 78, carrier, 2);
    fixture_turn(f, 0);
    struct wire_op ops[] = {op_set(p->next_seq, "taken", NULL),
                            op_set(p->next_seq + 1, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    p->next_seq++;
    assert_int_equal(engine_counters(f->engine)->relaxed_blocked, 1);
    struct wire_writer writer = {.data = late.data, .capacity_bytes = sizeof(late.data)};
    struct wire_op first = op_set(50, "a", "first");
    first.tag = wire_tag(78);
    wire_request_begin(&writer, WIRE_NODE_SESSION(3), 0);
    wire_request_add(&writer, &first);
    engine_receive_forward(f->engine, 3, 3, span_of(late.data, writer.size_bytes));
    commit(p);
    assert_get(f, "a", "later");
    fixture_turn(f, 1000);
    commit(p);
    assert_get(f, "a", "later");
    void *rest = p;
    pair_teardown(&rest);
}

/* What would make room must not wait for what needs it. */
static void test_overrule_lets_clients_write_while_the_backlog_is_blocked(void **state)
{
    (void)state;
    struct pair *p = pair_of_one_key();
    struct fixture *f = p->leader;
    fixture_pend(f, 1, "a", "x");
    fixture_pend(f, 2, "taken", "2");
    struct wire_op del = op_set(p->next_seq, "taken", NULL);
    assert_int_equal(refused_status(p, &del), WIRE_STATUS_PENDING);
    fixture_turn(f, 0);
    commit(p);
    assert_int_equal(engine_counters(f->engine)->relaxed_blocked, 1);
    assert_int_equal(write_now(p, &del, 1), WIRE_OUTCOME_OK);
    /* The delete came later than what is pending of its key: that never applies. */
    fixture_turn(f, 1000);
    commit(p);
    assert_get(f, "a", "x");
    assert_get(f, "taken", NULL);
    /* Nothing is blocked any more: what is pending goes first again. */
    fixture_pend(f, 3, "a", "y");
    struct wire_op later = op_set(p->next_seq, "a", "z");
    assert_int_equal(refused_status(p, &later), WIRE_STATUS_PENDING);
    void *rest = p;
    pair_teardown(&rest);
}

/* A swap that changes nothing overrules nothing, in the log or out of it. */
static void test_overrule_is_undone_by_a_mismatch(void **state)
{
    (void)state;
    struct pair *p = pair_of_one_key();
    struct fixture *f = p->leader;
    fixture_pend(f, 1, "a", "x");
    fixture_turn(f, 0);
    commit(p);
    struct wire_op swap = op_swap(p->next_seq, "a", "y", "other");
    assert_int_equal(write_now(p, &swap, 1), WIRE_OUTCOME_MISMATCH);
    assert_pending(f, "a", "x");
    struct wire_op del = op_set(p->next_seq, "taken", NULL);
    assert_int_equal(write_now(p, &del, 1), WIRE_OUTCOME_OK);
    fixture_turn(f, 1000);
    commit(p);
    assert_get(f, "a", "x");
    void *rest = p;
    pair_teardown(&rest);
}

/* What was acknowledged applies, however long another node stays away. */
static void test_overrule_never_blocks_a_backlog_for_an_absent_node(void **state)
{
    struct pair *p = *state;
    struct wire_op ops[] = {op_cancel(9, 5000), op_set(1, "a", "x")};
    fixture_relaxed(p->node, 77, ops, 2);
    fill_cancels(p, 9);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "a", "x");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_blocked, 0);
    /* From here on it knows, and takes no more: a definite answer, and nothing is lost. */
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    ops[0].seq = 5001;
    ops[1].seq = 2;
    fixture_forget_messages(p->node);
    fixture_write(p->node, &write, ops, 2);
    struct wire_reply reply = fixture_reply(p->node, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "overloaded");
    fixture_pend(p->node, 2, "a", "y");
}

/* Each node accepts its share only, by what it has applied and what is pending there. */
static void test_overrule_accepts_a_share_of_the_cancels(void **state)
{
    struct pair *p = *state;
    struct wire_op ops[REQUEST_OPS_MAX];
    char key[16];
    uint64_t seq = 1;
    for (uint64_t i = 1; seq <= NODE_CANCELS_MAX; i++) {
        for (uint32_t j = 0; j < REQUEST_OPS_MAX / 2; j++) {
            ops[j] = op_cancel(9, seq++);
            ops[j].tag = wire_tag(1000 + i);
        }
        snprintf(key, sizeof(key), "k%u", (unsigned)i);
        ops[REQUEST_OPS_MAX / 2] = op_set(i, key, "1");
        fixture_relaxed(p->node, 1000 + i, ops, REQUEST_OPS_MAX / 2 + 1);
    }
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    ops[0] = op_cancel(9, seq);
    ops[1] = op_set(1000, "a", "1");
    fixture_forget_messages(p->node);
    fixture_write(p->node, &write, ops, 2);
    struct wire_reply reply = fixture_reply(p->node, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "overloaded");
    ops[0] = op_cancel(8, seq);
    fixture_relaxed(p->node, 77, ops, 2);
    fixture_turn(p->node, 0);
    forward_all(p);
    assert_get(p->leader, "k32", "1");
}

/*
 * Dropped for a newer one after the restart, the first may still apply: it was forwarded before. So
 * its client must go on cancelling it until the log has decided.
 */
static void test_overrule_is_called_for_until_the_log_has_decided(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    uint64_t first = fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    struct fixture *old = p->node;
    p->node = fixture_restarted(old, p->leader);
    p->node->view.now_ns = old->view.now_ns;
    fixture_follow(p->node, 1, 1);
    uint64_t second = fixture_pend(p->node, 2, "a", "2");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_coalesced, 1);
    assert_true(engine_journal_done(p->node->engine) >= first);
    assert_true(engine_pending_done(p->node->engine) < first);
    struct wire_op ops[] = {op_cancel(2, first), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "later");
    forward_all(p);
    assert_true(engine_pending_done(p->node->engine) >= second);
    fixture_free(old);
}

/* The node starts anew, without the journal in which it accepted the write `lost`. */
static struct fixture *lose_journal(struct pair *p, uint64_t lost)
{
    struct fixture *old = p->node;
    struct engine_options options = old->options;
    options.has_lost_journal = true;
    options.journal_first_seq = lost + 1000;
    p->node = fixture_new(&options);
    fixture_apply_to(p->leader, p->node->engine);
    p->node->view.now_ns = old->view.now_ns;
    fixture_follow(p->node, 0, 1);
    return old;
}

/* Lost with the journal, a write may be on its way still: who starts anew knows nothing of it. */
static void test_overrule_is_called_for_when_the_journal_was_lost(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    uint64_t lost = fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    struct fixture *old = lose_journal(p, lost);
    assert_true(engine_pending_done(p->node->engine) < lost);
    /* So its client goes on cancelling it. */
    struct wire_op ops[] = {op_cancel(2, lost), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "a", "later");
    /* A write of the new journal is decided: no older one can apply any more. */
    fixture_follow(p->node, 1, 1);
    uint64_t first = fixture_pend(p->node, 2, "b", "2");
    forward_all(p);
    assert_true(engine_pending_done(p->node->engine) >= first);
    fixture_free(old);
}

/* And not for ever, though nobody writes there any more. */
static void test_overrule_is_called_for_no_more_behind_a_fence(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    static struct kept fence;
    uint64_t lost = fixture_pend(p->node, 1, "a", "1");
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &late));
    struct fixture *old = lose_journal(p, lost);
    assert_int_equal(engine_deadline_ns(p->node->engine), UINT64_MAX);
    fixture_follow(p->node, 1, 2);
    assert_true(engine_deadline_ns(p->node->engine) <= p->node->view.now_ns);
    assert_true(keep_forward(p->node, &fence));
    assert_false(keep_forward(p->node, &fence));
    assert_true(engine_deadline_ns(p->node->engine) > p->node->view.now_ns);
    fixture_turn(p->node, 1000);
    assert_true(keep_forward(p->node, &fence));
    deliver(p, &fence);
    commit(p);
    assert_true(engine_pending_done(p->node->engine) >= lost);
    assert_false(keep_forward(p->node, &fence));
    assert_int_equal(engine_deadline_ns(p->node->engine), UINT64_MAX);
    deliver(p, &late);
    commit(p);
    assert_get(p->leader, "a", NULL);
    fixture_pend(p->node, 2, "a", "2");
    forward_all(p);
    assert_get(p->leader, "a", "2");
    fixture_free(old);
}

/* The same where the node itself leads. */
static void test_overrule_is_fenced_by_a_leader_itself(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    options.has_lost_journal = true;
    struct fixture *f = fixture_new(&options);
    assert_true(engine_pending_done(f->engine) < FIXTURE_FIRST_SEQ - 1);
    fixture_turn(f, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_true(engine_pending_done(f->engine) == FIXTURE_FIRST_SEQ - 1);
    fixture_turn(f, 1000);
    assert_false(fixture_propose(f));
    fixture_free(f);
}

/* A node that was full when it stopped, and whose log knows less after the restart, must start. */
static void test_overrule_restart_has_room_for_what_was_decided(void **state)
{
    struct pair *p = *state;
    char key[16];
    for (uint32_t i = 0; i < p->node->options.pending_max; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        fixture_pend(p->node, 1 + i, key, "x");
    }
    fixture_turn(p->node, 0);
    static struct kept kept;
    assert_true(keep_forward(p->node, &kept));
    deliver(p, &kept);
    commit(p);
    uint32_t more = (uint32_t)(p->node->options.pending_max -
                               engine_counters(p->node->engine)->relaxed_pending);
    assert_true(more > 10);
    for (uint32_t i = 0; i < more; i++) {
        snprintf(key, sizeof(key), "m%u", i);
        fixture_pend(p->node, 1000 + i, key, "x");
    }
    struct fixture *again = fixture_restarted(p->node, NULL);
    assert_pending(again, "k0", "x");
    assert_pending(again, "m0", "x");
    engine_check_invariants(again->engine);
    fixture_free(again);
}

/* The same, for what the log has no room for: a later write of the key is told, or goes first. */
static void test_overrule_keeps_nobody_waiting_for_room_in_the_log(void **state)
{
    struct pair *p = *state;
    struct fixture *f = p->leader;
    char value[1000] = {0};
    memset(value, 'v', sizeof(value) - 1);
    fixture_pend(f, 1, "a", value);
    f->view.log_room_bytes = 64 * 1024 + 500;
    fixture_turn(f, 0);
    assert_false(fixture_propose(f));
    struct wire_op large = op_set(p->next_seq, "a", value);
    assert_int_equal(refused_status(p, &large), WIRE_STATUS_LOG_FULL);
    struct wire_op small = op_set(p->next_seq, "a", "small");
    assert_int_equal(write_now(p, &small, 1), WIRE_OUTCOME_OK);
    assert_get(f, "a", "small");
    f->view.log_room_bytes = (size_t)1 << 30;
    fixture_turn(f, 1000);
    commit(p);
    assert_get(f, "a", "small");
    assert_int_equal(engine_counters(f->engine)->relaxed_cancelled, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)
    const struct CMUnitTest tests[] = {
        T(test_overrule_hides_what_a_cancel_has_overruled),
        T(test_overrule_reaches_what_was_replaced),
        T(test_overrule_names_the_newest_of_any_number),
        T(test_overrule_spares_the_writes_of_other_clients),
        T(test_overrule_keeps_one_cancel_for_each_key_and_client),
        cmocka_unit_test(test_overrule_survives_a_store_that_was_full_in_between),
        cmocka_unit_test(test_overrule_through_the_leader_takes_over_cancels),
        cmocka_unit_test(test_overrule_lets_clients_write_while_the_backlog_is_blocked),
        cmocka_unit_test(test_overrule_is_undone_by_a_mismatch),
        T(test_overrule_never_blocks_a_backlog_for_an_absent_node),
        T(test_overrule_accepts_a_share_of_the_cancels),
        T(test_overrule_keeps_nobody_waiting_for_room_in_the_log),
        T(test_overrule_is_called_for_until_the_log_has_decided),
        T(test_overrule_is_called_for_when_the_journal_was_lost),
        T(test_overrule_is_called_for_no_more_behind_a_fence),
        cmocka_unit_test(test_overrule_is_fenced_by_a_leader_itself),
        T(test_overrule_restart_has_room_for_what_was_decided),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
