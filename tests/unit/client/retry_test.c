/* Transmission: the same seq under new numbers, whoever leads; every reply at most once. */
#include "tests/unit/client/fake_node.h"

#include <time.h>

#define NS_PER_MS UINT64_C(1000000)
#define RETRY_US  UINT64_C(300000)

static void test_retry_keeps_the_seq_and_takes_a_new_number(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);

    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.request.session == FAKE_SESSION && fake.request.floor == 1);
    assert_true(fake.write.incarnation == fake.incarnation);
    assert_in_range(fake.write.timeout_us, 1, 5000000);
    assert_int_equal(fake.request.op_count, 1);
    assert_int_equal(fake.ops[0].type, WIRE_OP_SET);
    assert_true(span_is_equal(fake.ops[0].key, span_of("key", 3)));
    assert_true(span_is_equal(fake.ops[0].value, span_of("value", 5)));
    uint64_t first_number = fake.write.packet_number;
    uint64_t seq = fake.ops[0].seq;
    assert_true(seq == 1);

    fake_expect(&fake, client, WIRE_WRITE); /* unanswered: sent again */
    assert_true(fake.write.packet_number > first_number);
    assert_true(fake.ops[0].seq == seq);
    assert_int_equal(ending.count, 0);

    /* The answer to the first transmission is as good as any. */
    fake_outcome(&fake, first_number, seq, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.valid && !ending.response.timeout);
    assert_true(ending.response.version == 50 && ending.response.applied_index == 77);
    assert_true(ending.response.contact_age_ns == 9000);
    assert_int_equal(ending.response.node, 1);
    assert_true(fake_statistics(client).retransmissions >= 1);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_ignores_duplicate_and_late_replies(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending first = {0};
    struct ending second = {0};
    struct plx_op op = set_op("a", "1", &first);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    uint64_t number = fake.write.packet_number;
    fake_outcome(&fake, number, 1, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &first);

    op = set_op("b", "2", &second);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.ops[0].seq == 2 && fake.request.floor == 2);
    uint64_t late = fake_statistics(client).replies_late;
    /* Again the first answer; then one with the second's seq under the first's number. */
    fake_outcome(&fake, number, 1, WIRE_OUTCOME_MISMATCH);
    fake_outcome(&fake, number, 2, WIRE_OUTCOME_MISMATCH);
    fake_outcome(&fake, number + 100000, 2, WIRE_OUTCOME_MISMATCH);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && fake_statistics(client).replies_late < late + 3; i++)
        (void)plx_poll(client, FAKE_POLL_NS);
    assert_true(fake_statistics(client).replies_late == late + 3);
    assert_int_equal(second.count, 0);
    fake_outcome(&fake, fake.write.packet_number, 2, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &second);
    assert_int_equal(second.response.outcome, PLX_OK);
    assert_int_equal(first.count, 1);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_drops_packets_of_another_cluster_and_of_strangers(void **state)
{
    (void)state;
    struct fake fakes[2];
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2); /* not among the endpoints */
    struct plx_options options = fake_options(fakes, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("a", "1", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fakes[0], client, WIRE_WRITE);

    uint8_t body[256];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply =
        fake_reply_head(&fakes[0], fakes[0].write.packet_number, WIRE_STATUS_OK);
    wire_reply_begin(&writer, &reply);
    wire_reply_add(&writer, &(struct wire_reply_op){.seq = fake_wire_seq(&fakes[0], 1),
                                                    .outcome = WIRE_OUTCOME_OK});
    struct span answer = span_of(body, writer.size_bytes);
    fake_send_as(&fakes[0], wire_cluster_id("other"), WIRE_WRITE_REPLY, answer);
    fakes[1].from = fakes[0].from;
    fake_send(&fakes[1], WIRE_WRITE_REPLY, answer);
    fake_send(&fakes[0], WIRE_WRITE_REPLY, span_of("garbage", 7));
    fake_send(&fakes[0], WIRE_WRITE, answer); /* nodes do not write to clients */
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && fake_statistics(client).packets_dropped < 4; i++)
        (void)plx_poll(client, FAKE_POLL_NS);
    assert_true(fake_statistics(client).packets_dropped == 4);
    assert_int_equal(ending.count, 0);
    fake_send(&fakes[0], WIRE_WRITE_REPLY, answer);
    fake_finish(&fakes[0], client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

static void test_retry_follows_the_leader(void **state)
{
    (void)state;
    struct fake fakes[2];
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    fakes[1].is_leader = false;
    struct plx_options options = fake_options(fakes, 2);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("a", "1", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fakes[0], client, WIRE_WRITE);
    uint64_t number = fakes[0].write.packet_number;
    fakes[0].is_leader = false;
    fakes[1].is_leader = true;
    fake_refuse(&fakes[0], WIRE_WRITE_REPLY, number, WIRE_STATUS_NOT_LEADER);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && !fake_try(&fakes[1]); i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        assert_false(fake_try(&fakes[0])); /* hellos only */
    }
    assert_int_equal(fakes[1].type, WIRE_WRITE);
    assert_true(fakes[1].ops[0].seq == 1 && fakes[1].write.packet_number > number);
    assert_true(fakes[1].write.incarnation == fakes[1].incarnation);
    fake_outcome_all(&fakes[1], WIRE_OUTCOME_OK);
    fake_finish(&fakes[1], client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.node, 2);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

static void test_retry_greets_a_restarted_node_anew(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("a", "1", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    uint64_t number = fake.write.packet_number;
    uint32_t hellos = fake.hellos;
    fake.incarnation = 4711;
    fake_refuse(&fake, WIRE_WRITE_REPLY, number, WIRE_STATUS_INCARNATION);
    do {
        fake_expect(&fake, client, WIRE_WRITE);
    } while (fake.write.incarnation != 4711);
    assert_true(fake.hellos > hellos);
    assert_true(fake.ops[0].seq == 1 && fake.write.packet_number > number);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_gathers_operations_in_packets(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.packet_ops_max = 4;
    struct plx_client *client = fake_client(&options);
    struct ending endings[10] = {{0}};
    for (uint32_t i = 0; i < 10; i++) {
        struct plx_op op = set_op("key", "value", &endings[i]);
        assert_int_equal(plx_submit(client, &op), PLX_OK);
    }
    assert_int_equal(plx_in_flight(client), 10);
    static const uint16_t expected[] = {4, 4, 2};
    uint64_t seqs = 0;
    for (uint32_t i = 0; i < 3; i++) {
        fake_expect(&fake, client, WIRE_WRITE);
        assert_int_equal(fake.request.op_count, expected[i]);
        for (uint32_t k = 0; k < fake.request.op_count; k++)
            seqs |= UINT64_C(1) << fake.ops[k].seq;
        fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    }
    assert_true(seqs == 0x7FE); /* 1 to 10, each once */
    for (uint32_t i = 0; i < 10; i++) {
        fake_finish(&fake, client, &endings[i]);
        assert_int_equal(endings[i].response.outcome, PLX_OK);
    }
    assert_int_equal(plx_in_flight(client), 0);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_sends_a_full_packet_without_a_poll(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.packet_ops_max = 2;
    struct plx_client *client = fake_client(&options);
    struct ending endings[5] = {{0}};
    struct plx_op op = set_op("key", "value", &endings[0]);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &endings[0]);
    for (uint32_t i = 1; i < 4; i++) {
        op = set_op("key", "value", &endings[i]);
        assert_int_equal(plx_submit(client, &op), PLX_OK);
        assert_true(fake_try(&fake) == (i == 2));
    }
    assert_int_equal(fake.request.op_count, 2);
    plx_flush(client);
    assert_true(fake_try(&fake));
    assert_int_equal(fake.request.op_count, 1);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_refuses_more_than_the_window(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.window = 2;
    struct plx_client *client = fake_client(&options);
    struct ending endings[3] = {{0}};
    for (uint32_t i = 0; i < 3; i++) {
        struct plx_op op = set_op("key", "value", &endings[i]);
        assert_int_equal(plx_submit(client, &op), i < 2 ? PLX_OK : PLX_E_FULL);
    }
    fake_expect(&fake, client, WIRE_WRITE);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &endings[0]);
    struct plx_op op = set_op("key", "value", &endings[2]);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* All of a window leave before the first is answered, each under a seq of its own. */
static void test_retry_keeps_a_whole_window_in_flight(void **state)
{
    (void)state;
    static struct ending endings[PLX_WINDOW_MAX];
    static_assert(PLX_WINDOW_MAX >= 64 && SESSION_WINDOW >= PLX_WINDOW_MAX,
                  "what a handle keeps in flight, the nodes remember");
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.rto_min_ns = 100 * 1000 * 1000;
    struct plx_client *client = fake_client(&options);
    bool is_seen[PLX_WINDOW_MAX + 1] = {false};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < PLX_WINDOW_MAX; i++) {
        struct plx_op op = set_op("key", "value", &endings[i]);
        assert_int_equal(plx_submit(client, &op), PLX_OK);
    }
    assert_int_equal(plx_in_flight(client), PLX_WINDOW_MAX);
    while (seen < PLX_WINDOW_MAX) {
        fake_expect(&fake, client, WIRE_WRITE);
        assert_int_equal(fake.request.floor, 1);
        for (uint32_t i = 0; i < fake.request.op_count; i++) {
            assert_in_range(fake.ops[i].seq, 1, PLX_WINDOW_MAX);
            seen += !is_seen[fake.ops[i].seq];
            is_seen[fake.ops[i].seq] = true;
        }
    }
    assert_int_equal(plx_in_flight(client), PLX_WINDOW_MAX);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_backs_off_when_overloaded(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    static const enum wire_status passing[] = {WIRE_STATUS_OVERLOADED, WIRE_STATUS_NO_QUORUM,
                                               WIRE_STATUS_EXPIRED};
    for (uint32_t i = 0; i < 3; i++) {
        fake_expect(&fake, client, WIRE_WRITE);
        fake_refuse(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, passing[i]);
    }
    fake_expect(&fake, client, WIRE_WRITE);
    fake_outcome_all(&fake, WIRE_OUTCOME_WINDOW); /* as passing as the others */
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.ops[0].seq == 1);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(fake_statistics(client).refusals == 3);
    plx_close(client);
    fake_close(&fake);
}

/* A node that has no room for long is asked less and less often. */
static void test_retry_spares_a_node_that_stays_overloaded(void **state)
{
    (void)state;
    struct fake fake;
    struct ending ending = {0};
    struct timespec begin;
    struct timespec end;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.rto_min_ns = 2 * 1000 * 1000;
    struct plx_client *client = fake_client(&options);
    struct plx_op op = set_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    for (uint32_t i = 1; i <= 10; i++) {
        while (!fake_try(&fake))
            (void)plx_poll(client, FAKE_POLL_NS);
        if (i == 8)
            clock_gettime(CLOCK_MONOTONIC, &begin);
        fake_refuse(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, WIRE_STATUS_OVERLOADED);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    /* 200 and 400 ms between the last three: lost packets are sent again after 100 ms. */
    int64_t passed_ns =
        (int64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + (end.tv_nsec - begin.tv_nsec);
    assert_true(passed_ns > 500 * 1000 * 1000);
    while (!fake_try(&fake))
        (void)plx_poll(client, FAKE_POLL_NS);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Who asks too much waits for as long as the node says: not much less, and no longer than a second,
 * whatever it says. */
static void expect_wait(const struct plx_call *call, enum plx_outcome last)
{
    struct fake fake;
    struct ending ending = {0};
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct plx_op op = set_op("key", "value", &ending);
    op.call = *call;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    int64_t begin_ns = clock_ns();
    fake_refuse_until(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, RETRY_US);
    if (last == PLX_OK) {
        while (!fake_try(&fake))
            (void)plx_poll(client, FAKE_POLL_NS);
        assert_in_range(clock_ns() - begin_ns, RETRY_US * 1000, INT64_MAX);
        fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    }
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, last);
    plx_close(client);
    fake_close(&fake);
}

static void test_retry_waits_as_long_as_it_is_told(void **state)
{
    (void)state;
    expect_wait(&(struct plx_call){.is_blocking = true}, PLX_OK);
    expect_wait(&(struct plx_call){.is_relaxed = true, .timeout_ns = 5000 * NS_PER_MS}, PLX_OK);
    /* Nothing was executed, which is certain without a fence. */
    expect_wait(&(struct plx_call){.timeout_ns = 50 * NS_PER_MS}, PLX_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_keeps_the_seq_and_takes_a_new_number),
        cmocka_unit_test(test_retry_ignores_duplicate_and_late_replies),
        cmocka_unit_test(test_retry_drops_packets_of_another_cluster_and_of_strangers),
        cmocka_unit_test(test_retry_follows_the_leader),
        cmocka_unit_test(test_retry_greets_a_restarted_node_anew),
        cmocka_unit_test(test_retry_gathers_operations_in_packets),
        cmocka_unit_test(test_retry_sends_a_full_packet_without_a_poll),
        cmocka_unit_test(test_retry_refuses_more_than_the_window),
        cmocka_unit_test(test_retry_keeps_a_whole_window_in_flight),
        cmocka_unit_test(test_retry_backs_off_when_overloaded),
        cmocka_unit_test(test_retry_spares_a_node_that_stays_overloaded),
        cmocka_unit_test(test_retry_waits_as_long_as_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
