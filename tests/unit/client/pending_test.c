/*
 * Relaxed writes: acknowledged by one node and pending there, they are never in the way of a later
 * write of the same key by the same handle; and none is executed a second time.
 */
#include "client/client_internal.h"
#include "tests/unit/client/fake_pair.h"

static void assert_cancel(const struct wire_op *op, uint16_t node, uint64_t seq)
{
    assert_int_equal(op->type, WIRE_OP_CANCEL);
    assert_int_equal(op->node, node);
    assert_true(op->seq == seq);
}

static void test_pending_write_is_cancelled_by_a_later_one(void **state)
{
    (void)state;
    struct pair pair;
    struct ending endings[3] = {{0}};
    pair_open(&pair, 2);
    pair.options.preferred_endpoint = 1;
    pair.client = fake_client(&pair.options);
    struct fake *leader = &pair.fakes[0];
    set_relaxed(&pair, &pair.fakes[1], "key", SEQ);
    set_relaxed(&pair, &pair.fakes[1], "key", SEQ + 1);
    set_arrives(&pair, "other", &endings[0]);
    assert_int_equal(leader->request.op_count, 1);
    set_ends(&pair, &endings[0]);
    uint64_t late = fake_statistics(pair.client).replies_late;
    set_arrives(&pair, "key", &endings[1]);
    assert_int_equal(leader->request.op_count, 2);
    assert_cancel(&leader->ops[0], 2, SEQ + 1);
    assert_int_equal(leader->ops[0].tag, wire_tag(pair.fakes[1].request.session));
    assert_int_equal(leader->ops[1].type, WIRE_OP_SET);
    set_ends(&pair, &endings[1]);
    assert_true(fake_statistics(pair.client).replies_late == late);
    /* That took effect: there is nothing left to cancel. */
    set_arrives(&pair, "key", &endings[2]);
    assert_int_equal(leader->request.op_count, 1);
    set_ends(&pair, &endings[2]);
    pair_close(&pair);
}

static void test_pending_write_that_mismatched_swap_leaves_is_cancelled_later(void **state)
{
    (void)state;
    struct pair pair;
    struct ending swap = {0};
    struct ending set = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    struct plx_op op = set_op("key", "new", &swap);
    op.type = PLX_OP_SWAP;
    op.old_value = plx_text("old");
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    assert_cancel(&pair.fakes[0].ops[0], 1, SEQ);
    fake_outcome_all(&pair.fakes[0], WIRE_OUTCOME_MISMATCH);
    fake_finish(&pair.fakes[0], pair.client, &swap);
    assert_int_equal(swap.response.outcome, PLX_MISMATCH);
    set_arrives(&pair, "key", &set);
    assert_cancel(&pair.fakes[0].ops[0], 1, SEQ);
    set_ends(&pair, &set);
    pair_close(&pair);
}

static void test_pending_write_that_is_done_needs_no_cancel(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    pair.fakes[0].journal_done_seq = SEQ; /* which the next reply says */
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ + 1);
    set_arrives(&pair, "key", &ending);
    assert_int_equal(pair.fakes[0].request.op_count, 2);
    assert_cancel(&pair.fakes[0].ops[0], 1, SEQ + 1);
    set_ends(&pair, &ending);
    pair_close(&pair);
}

static void test_pending_write_is_cancelled_by_a_relaxed_one_through_another_node(void **state)
{
    (void)state;
    struct pair pair;
    struct ending moved = {0};
    struct ending ending = {0};
    pair_open(&pair, 2);
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    /* The home falls silent: a relaxed get moves to the other node, and writes follow. */
    struct plx_op get = get_op("elsewhere", &moved);
    get.call.is_relaxed = true;
    assert_int_equal(plx_submit(pair.client, &get), PLX_OK);
    fake_expect(&pair.fakes[1], pair.client, WIRE_READ);
    fake_answer(&pair.fakes[1], WIRE_READ_REPLY, pair.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&pair.fakes[1], pair.client, &moved);
    struct plx_op op = relaxed_op("key", "newer", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[1], pair.client, WIRE_WRITE);
    assert_int_equal(pair.fakes[1].request.op_count, 2);
    assert_cancel(&pair.fakes[1].ops[0], 1, SEQ);
    fake_accept(&pair.fakes[1], 5);
    fake_finish(&pair.fakes[1], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

/* However many were acknowledged by a node that is gone for good: nothing waits for it. */
static void test_pending_writes_of_a_lost_node_hold_up_nothing(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 2);
    pair.options.preferred_endpoint = 1;
    pair.client = fake_client(&pair.options);
    for (uint64_t i = 0; i < 100; i++)
        set_relaxed(&pair, &pair.fakes[1], "key", SEQ + i);
    pair.fakes[1].is_mute = true;
    set_arrives(&pair, "key", &ending);
    assert_int_equal(pair.fakes[0].request.op_count, 2);
    assert_cancel(&pair.fakes[0].ops[0], 2, SEQ + 99);
    set_ends(&pair, &ending);
    pair_close(&pair);
}

/* What a machine said of its journal is nothing that the next one at its address has said. */
static void test_pending_write_is_not_done_because_another_node_was(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    pair.fakes[0].journal_done_seq = SEQ + 100;
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ + 100);
    pair.fakes[0].id = 7;
    pair.fakes[0].journal_done_seq = 5;
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    set_relaxed(&pair, &pair.fakes[0], "other", SEQ + 1);
    set_arrives(&pair, "key", &ending);
    assert_int_equal(pair.fakes[0].request.op_count, 2);
    assert_cancel(&pair.fakes[0].ops[0], 7, SEQ);
    set_ends(&pair, &ending);
    pair.fakes[0].journal_done_seq = SEQ + 1;
    ending = (struct ending){0};
    set_arrives(&pair, "another", &ending);
    set_ends(&pair, &ending);
    ending = (struct ending){0};
    set_arrives(&pair, "other", &ending);
    assert_int_equal(pair.fakes[0].request.op_count, 1);
    set_ends(&pair, &ending);
    pair_close(&pair);
}

/* A replaced machine has another id each time; what is pending on the former ones stays known. */
static void test_pending_nodes_of_a_key_have_a_bound(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    for (uint16_t i = 0; i < PENDING_NODES_MAX; i++) {
        pair.fakes[0].id = (uint16_t)(100 + i);
        set_relaxed(&pair, &pair.fakes[0], "other", SEQ); /* whose reply tells the id */
        set_relaxed(&pair, &pair.fakes[0], "key", SEQ + 1);
        assert_int_equal(pair.fakes[0].request.op_count, 1 + i);
    }
    pair.fakes[0].id = 99;
    set_relaxed(&pair, &pair.fakes[0], "another", SEQ);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    struct ending last = {0};
    set_arrives(&pair, "key", &last);
    assert_int_equal(pair.fakes[0].request.op_count, 1 + PENDING_NODES_MAX);
    set_ends(&pair, &last);
    pair_close(&pair);
}

static void test_pending_keys_have_a_bound(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.options.relaxed_keys_max = 2;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "a", SEQ);
    set_relaxed(&pair, &pair.fakes[0], "b", SEQ + 1);
    struct plx_op op = relaxed_op("c", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    set_relaxed(&pair, &pair.fakes[0], "a", SEQ + 2);
    pair.fakes[0].journal_done_seq = SEQ + 1;
    set_relaxed(&pair, &pair.fakes[0], "a", SEQ + 3);
    set_relaxed(&pair, &pair.fakes[0], "c", SEQ + 4);
    pair_close(&pair);
}

/* The node that holds all the room is not the home any more, and nothing else is said to it. */
static void test_pending_write_waits_for_room_by_asking(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 2);
    pair.options.relaxed_keys_max = 1;
    pair.options.leader_fresh_ns = 20 * MILLIS;
    pair.fakes[0].is_mute = true;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[1], "a", SEQ);
    assert_false(fake_try(&pair.fakes[0])); /* hellos that it left unanswered */
    pair.fakes[0].is_mute = false;
    pair.fakes[1].is_mute = true;
    uint32_t hellos = pair.fakes[0].hellos;
    struct plx_op op = relaxed_op("b", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    for (int i = 0; i < FAKE_POLLS_MAX && pair.fakes[0].hellos == hellos; i++) {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
        assert_false(fake_try(&pair.fakes[0]));
        assert_false(fake_try(&pair.fakes[1]));
    }
    pair.fakes[1].is_mute = false;
    pair.fakes[1].journal_done_seq = SEQ;
    hellos = pair.fakes[1].hellos;
    for (int i = 0; i < FAKE_POLLS_MAX && pair.fakes[1].hellos == hellos; i++) {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
        assert_false(fake_try(&pair.fakes[0]));
        assert_false(fake_try(&pair.fakes[1]));
    }
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    fake_accept(&pair.fakes[0], SEQ + 1);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

static void test_pending_full_journal_is_overloaded(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_OVERLOADED);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    pair_close(&pair);
}

static void test_pending_refusal_is_retried_in_a_moment(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    set_arrives(&pair, "key", &ending);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_PENDING);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    set_ends(&pair, &ending);
    pair_close(&pair);
}

/* A relaxed set that reached its home and was not answered. */
static void set_unanswered(struct pair *pair, struct ending *ending, uint64_t timeout_ns)
{
    struct plx_op op = relaxed_op("key", "value", ending);
    op.call.timeout_ns = timeout_ns;
    op.call.fence_wait_ns = 100 * MILLIS;
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    assert_false(pair->fakes[0].write.is_recall);
}

static void test_pending_retry_stays_with_its_node(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 2);
    pair.client = fake_client(&pair.options);
    set_unanswered(&pair, &ending, 0);
    uint64_t seq = pair.fakes[0].ops[0].seq;
    uint64_t identity = pair.fakes[0].request.session;
    for (int i = 0; i < 4; i++) {
        fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
        assert_true(pair.fakes[0].ops[0].seq == seq);
        assert_true(pair.fakes[0].request.session == identity);
        assert_false(pair.fakes[0].write.is_recall);
        assert_false(fake_try(&pair.fakes[1]));
    }
    fake_accept(&pair.fakes[0], SEQ);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

/* The home restarts before it answers; what it then knows of the write is the answer. */
static void restart_and_recall(struct pair *pair, struct ending *ending)
{
    pair_open(pair, 1);
    pair->client = fake_client(&pair->options);
    set_unanswered(pair, ending, 0);
    pair->fakes[0].incarnation++;
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    fake_refuse(&pair->fakes[0], WIRE_WRITE_REPLY, pair->fakes[0].write.packet_number,
                WIRE_STATUS_INCARNATION);
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    assert_true(pair->fakes[0].write.is_relaxed && pair->fakes[0].write.is_recall);
    assert_true(pair->fakes[0].write.incarnation == pair->fakes[0].incarnation);
}

static void test_pending_write_is_recalled_after_a_restart(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    restart_and_recall(&pair, &ending);
    fake_accept(&pair.fakes[0], SEQ);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

static void test_pending_write_that_the_restarted_node_does_not_know_is_unknown(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    restart_and_recall(&pair, &ending);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_UNKNOWN);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    assert_true(ending.response.token.session == 0);
    pair_close(&pair);
}

static void test_pending_write_out_of_time_is_only_asked_about(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.options.rto_min_ns = 90 * MILLIS;
    pair.client = fake_client(&pair.options);
    set_unanswered(&pair, &ending, 60 * MILLIS);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    assert_true(pair.fakes[0].write.is_recall);
    fake_accept(&pair.fakes[0], SEQ);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    /* And where nobody answers, it is unknown. */
    struct ending second = {0};
    set_unanswered(&pair, &second, 60 * MILLIS);
    fake_finish(NULL, pair.client, &second);
    assert_int_equal(second.response.outcome, PLX_UNKNOWN);
    pair_close(&pair);
}

static void test_pending_write_cancelled_by_its_caller_is_asked_about(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.options.rto_min_ns = 90 * MILLIS;
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    plx_cancel(pair.client);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    assert_true(pair.fakes[0].write.is_recall);
    fake_accept(&pair.fakes[0], SEQ);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

static void refuse_overloaded(struct fake *fake, uint64_t number)
{
    fake_refuse(fake, WIRE_WRITE_REPLY, number, WIRE_STATUS_OVERLOADED);
}

/* The home is asked what became of the write, and has not heard of it. */
static void expect_recall_of_nothing(struct pair *pair)
{
    struct fake *home = &pair->fakes[0];
    do {
        fake_expect(home, pair->client, WIRE_WRITE);
    } while (!home->write.is_recall);
    fake_refuse(home, WIRE_WRITE_REPLY, home->write.packet_number, WIRE_STATUS_UNKNOWN);
}

/* Two copies, of which one is refused before the other. */
static void test_pending_write_of_which_every_copy_is_refused_did_not_happen(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    uint64_t first = pair.fakes[0].write.packet_number;
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    uint64_t second = pair.fakes[0].write.packet_number;
    assert_false(pair.fakes[0].write.is_recall);
    refuse_overloaded(&pair.fakes[0], first);
    expect_recall_of_nothing(&pair);
    expect_recall_of_nothing(&pair);
    assert_int_equal(ending.count, 0);
    refuse_overloaded(&pair.fakes[0], second);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    pair_close(&pair);
}

static void test_pending_write_of_which_a_copy_is_never_answered_is_unknown(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.timeout_ns = 10 * MILLIS;
    op.call.fence_wait_ns = UINT64_MAX;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
        if (fake_try(&pair.fakes[0]) && pair.fakes[0].write.is_recall)
            fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                        WIRE_STATUS_UNKNOWN);
    }
    assert_int_equal(ending.count, 1);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    pair_close(&pair);
}

/* The node may have executed it and forgotten that. */
static void test_pending_retry_executes_nothing_after_its_time(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    struct op *begun = &pair.client->ops[pair.client->active[0]];
    begun->first_transmitted_ns -= RELAXED_RETRY_NS;
    begun->transmitted_ns -= RELAXED_RETRY_NS;
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    assert_true(pair.fakes[0].write.is_recall);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_UNKNOWN);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    pair_close(&pair);
}

static void test_pending_write_that_no_node_takes_is_a_timeout(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.fakes[0].is_mute = true;
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.timeout_ns = 60 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_finish(&pair.fakes[0], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    pair_close(&pair);
}

static void test_pending_write_goes_to_a_node_that_answers(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 2);
    pair.fakes[0].is_mute = true;
    pair.client = fake_client(&pair.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[1], pair.client, WIRE_WRITE);
    fake_accept(&pair.fakes[1], SEQ);
    fake_finish(&pair.fakes[1], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.node, 2);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending_write_is_cancelled_by_a_later_one),
        cmocka_unit_test(test_pending_write_that_mismatched_swap_leaves_is_cancelled_later),
        cmocka_unit_test(test_pending_write_that_is_done_needs_no_cancel),
        cmocka_unit_test(test_pending_write_is_cancelled_by_a_relaxed_one_through_another_node),
        cmocka_unit_test(test_pending_writes_of_a_lost_node_hold_up_nothing),
        cmocka_unit_test(test_pending_write_is_not_done_because_another_node_was),
        cmocka_unit_test(test_pending_nodes_of_a_key_have_a_bound),
        cmocka_unit_test(test_pending_keys_have_a_bound),
        cmocka_unit_test(test_pending_write_waits_for_room_by_asking),
        cmocka_unit_test(test_pending_full_journal_is_overloaded),
        cmocka_unit_test(test_pending_refusal_is_retried_in_a_moment),
        cmocka_unit_test(test_pending_retry_stays_with_its_node),
        cmocka_unit_test(test_pending_write_is_recalled_after_a_restart),
        cmocka_unit_test(test_pending_write_that_the_restarted_node_does_not_know_is_unknown),
        cmocka_unit_test(test_pending_write_out_of_time_is_only_asked_about),
        cmocka_unit_test(test_pending_write_cancelled_by_its_caller_is_asked_about),
        cmocka_unit_test(test_pending_write_of_which_every_copy_is_refused_did_not_happen),
        cmocka_unit_test(test_pending_write_of_which_a_copy_is_never_answered_is_unknown),
        cmocka_unit_test(test_pending_retry_executes_nothing_after_its_time),
        cmocka_unit_test(test_pending_write_that_no_node_takes_is_a_timeout),
        cmocka_unit_test(test_pending_write_goes_to_a_node_that_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
