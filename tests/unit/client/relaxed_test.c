/* Relaxed calls: they go to the home node, whoever leads, and move on when it is silent. */
#include "client/client_internal.h"
#include "tests/unit/client/fake_pair.h"

#include <time.h>

static void test_relaxed_get_needs_no_leader(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    fake.is_leader = false;
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.call = (struct plx_call){.is_relaxed = true, .min_index = 12, .max_age_ns = 9999};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    assert_false(fake.read.is_consistent);
    assert_true(fake.read.min_index == 12 && fake.read.max_age_us == 9);
    assert_true(fake.hellos > 0); /* which told the number of shards */
    fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK,
                                        .has_value = true,
                                        .is_pending = true,
                                        .value_size_bytes = 1,
                                        .chunk = span_of("v", 1)});
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_true(ending.response.is_pending);
    assert_true(ending.response.applied_index == 77 && ending.response.contact_age_ns == 9000);
    plx_close(client);
    fake_close(&fake);
}

static void test_relaxed_get_too_stale_is_an_outcome(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.call = (struct plx_call){.is_relaxed = true, .is_blocking = true, .min_index = 1000};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    fake_refuse(&fake, WIRE_READ_REPLY, fake.read.request_number, WIRE_STATUS_TOO_STALE);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_TOO_STALE);
    assert_false(ending.response.valid || ending.response.timeout);
    plx_close(client);
    fake_close(&fake);
}

/* On the wire its bound is 1 us, the least that is not "any". */
static void test_relaxed_get_is_never_older_than_a_bound_below_a_microsecond(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.call = (struct plx_call){.is_relaxed = true, .max_age_ns = 999};
    for (uint32_t age_us = 0; age_us < 2; age_us++) {
        ending.count = 0;
        fake.contact_age_us = age_us;
        assert_int_equal(plx_submit(client, &op), PLX_OK);
        fake_expect(&fake, client, WIRE_READ);
        assert_int_equal(fake.read.max_age_us, 1);
        fake_answer(&fake, WIRE_READ_REPLY, fake.read.request_number,
                    &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
        fake_finish(&fake, client, &ending);
        assert_int_equal(ending.response.outcome, age_us == 0 ? PLX_NOT_FOUND : PLX_E_TOO_STALE);
    }
    plx_close(client);
    fake_close(&fake);
}

static void test_relaxed_get_moves_to_a_node_that_answers(void **state)
{
    (void)state;
    struct fake fakes[2];
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    struct plx_options options = fake_options(fakes, 2);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.call.is_relaxed = true;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fakes[0], client, WIRE_READ); /* and is not answered */
    fake_expect(&fakes[1], client, WIRE_READ);
    fake_answer(&fakes[1], WIRE_READ_REPLY, fakes[1].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&fakes[1], client, &ending);
    assert_int_equal(ending.response.outcome, PLX_NOT_FOUND);
    assert_int_equal(ending.response.node, 2);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

/* No call lasts until an answer is late: of nodes that are far away, or by its own time. */
static void moves_on(uint64_t greeting_ns, uint64_t timeout_ns)
{
    struct pair pair;
    pair_open(&pair, 2);
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "key", SEQ);
    shard_at(pair.client, 0)->greeting_ns = greeting_ns;
    bool has_moved = false;
    uint32_t calls = 0;
    struct ending ending;
    for (; calls < 1000 && !has_moved; calls++) {
        ending = (struct ending){0};
        struct plx_op op = get_op("key", &ending);
        op.call = (struct plx_call){.is_relaxed = true, .timeout_ns = timeout_ns};
        assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
        while (ending.count == 0 && !has_moved) {
            (void)plx_poll(pair.client, FAKE_POLL_NS);
            has_moved = fake_try(&pair.fakes[1]) && pair.fakes[1].type == WIRE_READ;
        }
    }
    assert_true(has_moved && calls > 2);
    pair_close(&pair);
}

static void test_relaxed_get_moves_on_though_each_call_ends_early(void **state)
{
    (void)state;
    moves_on(GREETING_MAX_NS, 30 * MILLIS);
    moves_on(0, 2 * MILLIS);
}

/* Each node answers only once the other one is greeted: slower than a home is waited for. */
static void test_relaxed_set_finds_a_home_among_slow_nodes(void **state)
{
    (void)state;
    struct fake fakes[2];
    struct wire_hello hellos[2] = {{.nonce = 0}, {.nonce = 0}};
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    struct plx_options options = fake_options(fakes, 2);
    options.leader_fresh_ns = 1000 * 1000;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call = (struct plx_call){.is_relaxed = true, .is_blocking = true};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    uint32_t greeted = 0;
    bool has_arrived = false;
    while (!has_arrived && greeted < 40) {
        (void)plx_poll(client, FAKE_POLL_NS);
        for (uint32_t i = 0; i < 2; i++) {
            struct wire_hello *other = &hellos[1 - i];
            if (!fake_receive(&fakes[i]))
                continue;
            has_arrived |= fakes[i].type == WIRE_WRITE;
            if (fakes[i].type != WIRE_HELLO)
                continue;
            greeted++;
            assert_int_equal(wire_hello_decode(fakes[i].body, &hellos[i]), OK);
            if (other->nonce != 0)
                fake_hello(&fakes[1 - i], other->nonce);
            other->nonce = 0;
        }
    }
    assert_true(has_arrived);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

static void test_relaxed_get_stays_at_the_preferred_node(void **state)
{
    (void)state;
    struct fake fakes[2];
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    struct plx_options options = fake_options(fakes, 2);
    options.preferred_endpoint = 1;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = get_op("key", &ending);
    op.call = (struct plx_call){.is_relaxed = true, .is_blocking = true};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    for (uint32_t arrived = 0; arrived < 6; arrived += fake_try(&fakes[1])) {
        (void)plx_poll(client, FAKE_POLL_NS);
        assert_false(fake_try(&fakes[0]));
    }
    plx_cancel(client);
    while (ending.count == 0)
        (void)plx_poll(client, FAKE_POLL_NS);
    assert_false(fake_try(&fakes[0]));
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

static void test_relaxed_set_that_the_node_does_not_take_is_unsupported(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    fake.is_leader = false;
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call.is_relaxed = true;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.write.is_relaxed && fake.write.incarnation == fake.incarnation);
    assert_true(fake.request.session != 0);
    assert_int_equal(fake.registrations, 0);
    fake_refuse(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, WIRE_STATUS_UNSUPPORTED);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_UNSUPPORTED);
    plx_close(client);
    fake_close(&fake);
}

/* However long its node decides nothing: without a quorum, for as long as there is none. */
static void test_relaxed_set_asks_for_room_less_and_less_often(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    struct timespec begin;
    struct timespec end;
    pair_open(&pair, 1);
    pair.options.relaxed_keys_max = 1;
    pair.client = fake_client(&pair.options);
    set_relaxed(&pair, &pair.fakes[0], "a", SEQ);
    struct plx_op op = relaxed_op("b", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    uint32_t enough = pair.fakes[0].hellos + 9;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (pair.fakes[0].hellos < enough) {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
        assert_false(fake_try(&pair.fakes[0]));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    /* 2, 4, 8, 16, 32 ms, and 64 from then on. */
    int64_t passed_ns =
        (int64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + (end.tv_nsec - begin.tv_nsec);
    assert_true(passed_ns > 200 * (int64_t)MILLIS);
    pair.fakes[0].journal_done_seq = SEQ;
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    pair_close(&pair);
}

/* Another write than this one, which is asked for again meanwhile. */
static void expect_other(struct pair *pair, uint64_t seq)
{
    do {
        fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    } while (pair->fakes[0].ops[0].seq == seq);
}

/* A node remembers the outcomes of a window: what is that far ahead of a write under way would make
 * it forget whether it has executed that. */
static void test_relaxed_set_waits_for_one_that_is_a_window_behind(void **state)
{
    (void)state;
    struct pair pair;
    struct ending first = {0};
    pair_open(&pair, 1);
    pair.options.packet_ops_max = 1;
    pair.client = fake_client(&pair.options);
    struct fake *home = &pair.fakes[0];
    struct plx_op op = relaxed_op("first", "value", &first);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(home, pair.client, WIRE_WRITE);
    uint64_t seq = home->ops[0].seq;
    uint64_t number = home->write.packet_number;
    struct ending endings[SESSION_WINDOW] = {0};
    for (uint64_t i = 1; i < SESSION_WINDOW; i++) {
        op = relaxed_op("others", "value", &endings[i]);
        assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
        expect_other(&pair, seq);
        assert_true(home->ops[0].seq == seq + i);
        fake_accept(home, SEQ + i);
        fake_finish(home, pair.client, &endings[i]);
    }
    op = relaxed_op("last", "value", &endings[0]);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    for (int i = 0; i < 40; i++) {
        (void)plx_poll(pair.client, FAKE_POLL_NS);
        assert_false(fake_try(home) && home->ops[0].seq != seq);
    }
    fake_answer(home, WIRE_WRITE_REPLY, number,
                &(struct wire_reply_op){.seq = seq, .outcome = WIRE_OUTCOME_OK, .version = 1});
    expect_other(&pair, seq);
    assert_int_equal(first.count, 1);
    assert_true(home->ops[0].seq == seq + SESSION_WINDOW);
    fake_accept(home, SEQ + SESSION_WINDOW);
    fake_finish(home, pair.client, &endings[0]);
    pair_close(&pair);
}

/* One that was refused, again and again, is not remembered anywhere, and holds nobody up. */
static void test_relaxed_set_that_was_refused_takes_another_seq(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open(&pair, 1);
    pair.client = fake_client(&pair.options);
    struct fake *home = &pair.fakes[0];
    struct plx_op op = relaxed_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(home, pair.client, WIRE_WRITE);
    uint64_t seq = home->ops[0].seq;
    fake_refuse(home, WIRE_WRITE_REPLY, home->write.packet_number, WIRE_STATUS_OVERLOADED);
    fake_expect(home, pair.client, WIRE_WRITE);
    assert_false(home->write.is_recall);
    assert_true(home->ops[0].seq == seq + 1);
    fake_accept(home, SEQ);
    fake_finish(home, pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relaxed_get_needs_no_leader),
        cmocka_unit_test(test_relaxed_get_too_stale_is_an_outcome),
        cmocka_unit_test(test_relaxed_get_is_never_older_than_a_bound_below_a_microsecond),
        cmocka_unit_test(test_relaxed_get_moves_to_a_node_that_answers),
        cmocka_unit_test(test_relaxed_get_moves_on_though_each_call_ends_early),
        cmocka_unit_test(test_relaxed_set_finds_a_home_among_slow_nodes),
        cmocka_unit_test(test_relaxed_get_stays_at_the_preferred_node),
        cmocka_unit_test(test_relaxed_set_asks_for_room_less_and_less_often),
        cmocka_unit_test(test_relaxed_set_that_the_node_does_not_take_is_unsupported),
        cmocka_unit_test(test_relaxed_set_waits_for_one_that_is_a_window_behind),
        cmocka_unit_test(test_relaxed_set_that_was_refused_takes_another_seq),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
