/*
 * Relaxed writes: acknowledged by one node and pending there, they are never in the way of a later
 * write of the same key by the same handle; and none is executed a second time.
 */
#include "tests/unit/client/fake_node.h"

#define SEQ    UINT64_C(1000000) /* of a journal */
#define MILLIS UINT64_C(1000000)

struct bench {
    struct fake fakes[2];
    struct plx_options options;
    struct plx_client *client;
};

static void bench_open(struct bench *bench, size_t count)
{
    for (size_t i = 0; i < 2; i++)
        fake_open(&bench->fakes[i], (uint16_t)(i + 1));
    bench->fakes[1].is_leader = false;
    bench->options = fake_options(bench->fakes, count);
}

static void bench_close(struct bench *bench)
{
    plx_close(bench->client);
    fake_close(&bench->fakes[0]);
    fake_close(&bench->fakes[1]);
}

static struct plx_op relaxed_op(const char *key, const char *value, struct ending *ending)
{
    struct plx_op op = set_op(key, value, ending);
    op.call.is_relaxed = true;
    return op;
}

/* The relaxed write that arrived is accepted under this journal seq. */
static void fake_accept(struct fake *fake, uint64_t seq)
{
    const struct wire_op *op = &fake->ops[fake->request.op_count - 1];
    fake_answer(
        fake, WIRE_WRITE_REPLY, fake->write.packet_number,
        &(struct wire_reply_op){
            .seq = op->seq, .outcome = WIRE_OUTCOME_OK, .is_pending = true, .version = seq});
}

/* A relaxed set from beginning to end, at the home. */
static void set_relaxed(struct bench *bench, struct fake *home, const char *key, uint64_t seq)
{
    struct ending ending = {0};
    struct plx_op op = relaxed_op(key, "pending", &ending);
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
    fake_expect(home, bench->client, WIRE_WRITE);
    assert_true(home->write.is_relaxed && !home->write.is_recall);
    fake_accept(home, seq);
    fake_finish(home, bench->client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.is_pending && ending.response.version == seq);
}

/* A consistent set, up to its arrival at the leader. */
static void set_arrives(struct bench *bench, const char *key, struct ending *ending)
{
    struct plx_op op = set_op(key, "later", ending);
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
    fake_expect(&bench->fakes[0], bench->client, WIRE_WRITE);
    assert_false(bench->fakes[0].write.is_relaxed);
}

static void set_ends(struct bench *bench, const struct ending *ending)
{
    fake_outcome_all(&bench->fakes[0], WIRE_OUTCOME_OK);
    fake_finish(&bench->fakes[0], bench->client, ending);
    assert_int_equal(ending->response.outcome, PLX_OK);
}

static void assert_cancel(const struct wire_op *op, uint16_t node, uint64_t seq)
{
    assert_int_equal(op->type, WIRE_OP_CANCEL);
    assert_int_equal(op->node, node);
    assert_true(op->seq == seq);
}

static void test_pending_write_is_cancelled_by_a_later_one(void **state)
{
    (void)state;
    struct bench bench;
    struct ending endings[3] = {{0}};
    bench_open(&bench, 2);
    bench.options.home_endpoint = 1;
    bench.client = fake_client(&bench.options);
    struct fake *leader = &bench.fakes[0];
    set_relaxed(&bench, &bench.fakes[1], "key", SEQ);
    set_relaxed(&bench, &bench.fakes[1], "key", SEQ + 1);
    set_arrives(&bench, "other", &endings[0]);
    assert_int_equal(leader->request.op_count, 1);
    set_ends(&bench, &endings[0]);
    uint64_t late = fake_statistics(bench.client).replies_late;
    set_arrives(&bench, "key", &endings[1]);
    assert_int_equal(leader->request.op_count, 3);
    assert_cancel(&leader->ops[0], 2, SEQ);
    assert_cancel(&leader->ops[1], 2, SEQ + 1);
    assert_int_equal(leader->ops[2].type, WIRE_OP_SET);
    set_ends(&bench, &endings[1]);
    assert_true(fake_statistics(bench.client).replies_late == late);
    /* That took effect: there is nothing left to cancel. */
    set_arrives(&bench, "key", &endings[2]);
    assert_int_equal(leader->request.op_count, 1);
    set_ends(&bench, &endings[2]);
    bench_close(&bench);
}

static void test_pending_write_that_mismatched_swap_leaves_is_cancelled_later(void **state)
{
    (void)state;
    struct bench bench;
    struct ending swap = {0};
    struct ending set = {0};
    bench_open(&bench, 1);
    bench.client = fake_client(&bench.options);
    set_relaxed(&bench, &bench.fakes[0], "key", SEQ);
    struct plx_op op = set_op("key", "new", &swap);
    op.type = PLX_OP_SWAP;
    op.old_value = plx_text("old");
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    assert_cancel(&bench.fakes[0].ops[0], 1, SEQ);
    fake_outcome_all(&bench.fakes[0], WIRE_OUTCOME_MISMATCH);
    fake_finish(&bench.fakes[0], bench.client, &swap);
    assert_int_equal(swap.response.outcome, PLX_MISMATCH);
    set_arrives(&bench, "key", &set);
    assert_cancel(&bench.fakes[0].ops[0], 1, SEQ);
    set_ends(&bench, &set);
    bench_close(&bench);
}

static void test_pending_write_that_is_done_needs_no_cancel(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.client = fake_client(&bench.options);
    set_relaxed(&bench, &bench.fakes[0], "key", SEQ);
    bench.fakes[0].journal_done_seq = SEQ; /* which the next reply says */
    set_relaxed(&bench, &bench.fakes[0], "key", SEQ + 1);
    set_arrives(&bench, "key", &ending);
    assert_int_equal(bench.fakes[0].request.op_count, 2);
    assert_cancel(&bench.fakes[0].ops[0], 1, SEQ + 1);
    set_ends(&bench, &ending);
    bench_close(&bench);
}

static void test_pending_write_is_cancelled_by_a_relaxed_one_through_another_node(void **state)
{
    (void)state;
    struct bench bench;
    struct ending moved = {0};
    struct ending ending = {0};
    bench_open(&bench, 2);
    bench.client = fake_client(&bench.options);
    set_relaxed(&bench, &bench.fakes[0], "key", SEQ);
    /* The home falls silent: a relaxed get moves to the other node, and writes follow. */
    struct plx_op get = get_op("elsewhere", &moved);
    get.call.is_relaxed = true;
    assert_int_equal(plx_submit(bench.client, &get), PLX_OK);
    fake_expect(&bench.fakes[1], bench.client, WIRE_READ);
    fake_answer(&bench.fakes[1], WIRE_READ_REPLY, bench.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&bench.fakes[1], bench.client, &moved);
    struct plx_op op = relaxed_op("key", "newer", &ending);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fakes[1], bench.client, WIRE_WRITE);
    assert_int_equal(bench.fakes[1].request.op_count, 2);
    assert_cancel(&bench.fakes[1].ops[0], 1, SEQ);
    fake_accept(&bench.fakes[1], 5);
    fake_finish(&bench.fakes[1], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    bench_close(&bench);
}

static void test_pending_writes_beyond_the_cancels_are_waited_for(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.client = fake_client(&bench.options);
    for (uint64_t i = 0; i <= 40; i++)
        set_relaxed(&bench, &bench.fakes[0], "key", SEQ + i);
    struct plx_op op = set_op("key", "later", &ending);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    uint32_t hellos = bench.fakes[0].hellos;
    while (bench.fakes[0].hellos < hellos + 3) {
        (void)plx_poll(bench.client, FAKE_POLL_NS);
        assert_false(fake_try(&bench.fakes[0]));
    }
    bench.fakes[0].journal_done_seq = SEQ + 40;
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    assert_int_equal(bench.fakes[0].request.op_count, 1);
    set_ends(&bench, &ending);
    bench_close(&bench);
}

static void test_pending_keys_have_a_bound(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.options.relaxed_keys_max = 2;
    bench.client = fake_client(&bench.options);
    set_relaxed(&bench, &bench.fakes[0], "a", SEQ);
    set_relaxed(&bench, &bench.fakes[0], "b", SEQ + 1);
    struct plx_op op = relaxed_op("c", "value", &ending);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    set_relaxed(&bench, &bench.fakes[0], "a", SEQ + 2);
    bench.fakes[0].journal_done_seq = SEQ + 1;
    set_relaxed(&bench, &bench.fakes[0], "a", SEQ + 3);
    set_relaxed(&bench, &bench.fakes[0], "c", SEQ + 4);
    bench_close(&bench);
}

static void test_pending_full_journal_is_overloaded(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.client = fake_client(&bench.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    fake_refuse(&bench.fakes[0], WIRE_WRITE_REPLY, bench.fakes[0].write.packet_number,
                WIRE_STATUS_OVERLOADED);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_OVERLOADED);
    bench_close(&bench);
}

static void test_pending_refusal_is_retried_in_a_moment(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.client = fake_client(&bench.options);
    set_arrives(&bench, "key", &ending);
    fake_refuse(&bench.fakes[0], WIRE_WRITE_REPLY, bench.fakes[0].write.packet_number,
                WIRE_STATUS_PENDING);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    set_ends(&bench, &ending);
    bench_close(&bench);
}

/* A relaxed set that reached its home and was not answered. */
static void set_unanswered(struct bench *bench, struct ending *ending, uint64_t timeout_ns)
{
    struct plx_op op = relaxed_op("key", "value", ending);
    op.call.timeout_ns = timeout_ns;
    op.call.fence_wait_ns = 100 * MILLIS;
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
    fake_expect(&bench->fakes[0], bench->client, WIRE_WRITE);
    assert_false(bench->fakes[0].write.is_recall);
}

static void test_pending_retry_stays_with_its_node(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 2);
    bench.client = fake_client(&bench.options);
    set_unanswered(&bench, &ending, 0);
    uint64_t seq = bench.fakes[0].ops[0].seq;
    uint64_t identity = bench.fakes[0].request.session;
    for (int i = 0; i < 4; i++) {
        fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
        assert_true(bench.fakes[0].ops[0].seq == seq);
        assert_true(bench.fakes[0].request.session == identity);
        assert_false(bench.fakes[0].write.is_recall);
        assert_false(fake_try(&bench.fakes[1]));
    }
    fake_accept(&bench.fakes[0], SEQ);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    bench_close(&bench);
}

/* The home restarts before it answers; what it then knows of the write is the answer. */
static void restart_and_recall(struct bench *bench, struct ending *ending)
{
    bench_open(bench, 1);
    bench->client = fake_client(&bench->options);
    set_unanswered(bench, ending, 0);
    bench->fakes[0].incarnation++;
    fake_expect(&bench->fakes[0], bench->client, WIRE_WRITE);
    fake_refuse(&bench->fakes[0], WIRE_WRITE_REPLY, bench->fakes[0].write.packet_number,
                WIRE_STATUS_INCARNATION);
    fake_expect(&bench->fakes[0], bench->client, WIRE_WRITE);
    assert_true(bench->fakes[0].write.is_relaxed && bench->fakes[0].write.is_recall);
    assert_true(bench->fakes[0].write.incarnation == bench->fakes[0].incarnation);
}

static void test_pending_write_is_recalled_after_a_restart(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    restart_and_recall(&bench, &ending);
    fake_accept(&bench.fakes[0], SEQ);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    bench_close(&bench);
}

static void test_pending_write_that_the_restarted_node_does_not_know_is_unknown(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    restart_and_recall(&bench, &ending);
    fake_refuse(&bench.fakes[0], WIRE_WRITE_REPLY, bench.fakes[0].write.packet_number,
                WIRE_STATUS_UNKNOWN);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    assert_true(ending.response.token.session == 0);
    bench_close(&bench);
}

static void test_pending_write_out_of_time_is_only_asked_about(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.options.rto_min_ns = 90 * MILLIS;
    bench.client = fake_client(&bench.options);
    set_unanswered(&bench, &ending, 60 * MILLIS);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    assert_true(bench.fakes[0].write.is_recall);
    fake_accept(&bench.fakes[0], SEQ);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    /* And where nobody answers, it is unknown. */
    struct ending second = {0};
    set_unanswered(&bench, &second, 60 * MILLIS);
    fake_finish(NULL, bench.client, &second);
    assert_int_equal(second.response.outcome, PLX_UNKNOWN);
    bench_close(&bench);
}

static void test_pending_write_cancelled_by_its_caller_is_asked_about(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.options.rto_min_ns = 90 * MILLIS;
    bench.client = fake_client(&bench.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    plx_cancel(bench.client);
    fake_expect(&bench.fakes[0], bench.client, WIRE_WRITE);
    assert_true(bench.fakes[0].write.is_recall);
    fake_accept(&bench.fakes[0], SEQ);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    bench_close(&bench);
}

static void test_pending_write_that_no_node_takes_is_a_timeout(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 1);
    bench.fakes[0].is_mute = true;
    bench.client = fake_client(&bench.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.timeout_ns = 60 * MILLIS;
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_finish(&bench.fakes[0], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    bench_close(&bench);
}

static void test_pending_write_goes_to_a_node_that_answers(void **state)
{
    (void)state;
    struct bench bench;
    struct ending ending = {0};
    bench_open(&bench, 2);
    bench.fakes[0].is_mute = true;
    bench.client = fake_client(&bench.options);
    struct plx_op op = relaxed_op("key", "value", &ending);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fakes[1], bench.client, WIRE_WRITE);
    fake_accept(&bench.fakes[1], SEQ);
    fake_finish(&bench.fakes[1], bench.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.node, 2);
    bench_close(&bench);
}

/* A relaxed get at this home, up to its arrival. */
static void get_arrives(struct bench *bench, struct fake *home, const char *key,
                        struct ending *ending)
{
    struct plx_op op = get_op(key, ending);
    op.call.is_relaxed = true;
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
    fake_expect(home, bench->client, WIRE_READ);
    assert_false(home->read.is_consistent);
}

static void test_pending_reader_carries_what_it_has_seen(void **state)
{
    (void)state;
    struct bench bench;
    struct ending set = {0};
    struct ending get = {0};
    bench_open(&bench, 2);
    bench.options.home_endpoint = 1;
    bench.options.read_your_writes = true;
    bench.options.max_age_ns = 7000;
    bench.client = fake_client(&bench.options);
    set_arrives(&bench, "key", &set);
    set_ends(&bench, &set);
    get_arrives(&bench, &bench.fakes[1], "key", &get);
    assert_true(bench.fakes[1].read.min_index == set.response.version);
    assert_int_equal(bench.fakes[1].read.max_age_us, 7);
    fake_refuse(&bench.fakes[1], WIRE_READ_REPLY, bench.fakes[1].read.request_number,
                WIRE_STATUS_TOO_STALE);
    fake_finish(&bench.fakes[1], bench.client, &get);
    assert_int_equal(get.response.outcome, PLX_E_TOO_STALE);
    bench_close(&bench);
}

static void test_pending_reader_is_not_shown_less_than_its_own_write(void **state)
{
    (void)state;
    struct bench bench;
    struct ending first = {0};
    struct ending second = {0};
    bench_open(&bench, 2);
    bench.options.read_your_writes = true;
    bench.client = fake_client(&bench.options);
    set_relaxed(&bench, &bench.fakes[0], "key", SEQ);
    /* The home is silent; another node answers, which cannot have the pending write. */
    get_arrives(&bench, &bench.fakes[1], "key", &first);
    fake_answer(&bench.fakes[1], WIRE_READ_REPLY, bench.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&bench.fakes[1], bench.client, &first);
    assert_int_equal(first.response.outcome, PLX_E_TOO_STALE);
    /* The former home was asked: it is replicated, so the answer is as good as of anybody that
     * has applied as much. */
    bench.fakes[0].journal_done_seq = SEQ;
    uint32_t hellos = bench.fakes[0].hellos;
    while (bench.fakes[0].hellos == hellos)
        assert_true(!fake_try(&bench.fakes[0]) || bench.fakes[0].type == WIRE_READ);
    (void)plx_poll(bench.client, 0);
    get_arrives(&bench, &bench.fakes[1], "key", &second);
    assert_int_equal(bench.fakes[1].read.min_index, 77);
    fake_answer(&bench.fakes[1], WIRE_READ_REPLY, bench.fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&bench.fakes[1], bench.client, &second);
    assert_int_equal(second.response.outcome, PLX_NOT_FOUND);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending_write_is_cancelled_by_a_later_one),
        cmocka_unit_test(test_pending_write_that_mismatched_swap_leaves_is_cancelled_later),
        cmocka_unit_test(test_pending_write_that_is_done_needs_no_cancel),
        cmocka_unit_test(test_pending_write_is_cancelled_by_a_relaxed_one_through_another_node),
        cmocka_unit_test(test_pending_writes_beyond_the_cancels_are_waited_for),
        cmocka_unit_test(test_pending_keys_have_a_bound),
        cmocka_unit_test(test_pending_full_journal_is_overloaded),
        cmocka_unit_test(test_pending_refusal_is_retried_in_a_moment),
        cmocka_unit_test(test_pending_retry_stays_with_its_node),
        cmocka_unit_test(test_pending_write_is_recalled_after_a_restart),
        cmocka_unit_test(test_pending_write_that_the_restarted_node_does_not_know_is_unknown),
        cmocka_unit_test(test_pending_write_out_of_time_is_only_asked_about),
        cmocka_unit_test(test_pending_write_cancelled_by_its_caller_is_asked_about),
        cmocka_unit_test(test_pending_write_that_no_node_takes_is_a_timeout),
        cmocka_unit_test(test_pending_write_goes_to_a_node_that_answers),
        cmocka_unit_test(test_pending_reader_carries_what_it_has_seen),
        cmocka_unit_test(test_pending_reader_is_not_shown_less_than_its_own_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
