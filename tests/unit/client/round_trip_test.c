/* Round trips: how long a reply is waited for, from near and from far. Source: RFC 6298. */
#include "client/client_internal.h"
#include "tests/unit/client/fake_node.h"

#define MILLISECOND_NS UINT64_C(1000000)

/* With the jitter that every wait has. */
static void assert_wait(struct plx_client *client, uint32_t attempts, uint64_t wait_ns)
{
    uint64_t timeout_ns = round_trip_timeout_ns(client, shard_at(client, 0), false, attempts);
    assert_in_range(timeout_ns, wait_ns, wait_ns + wait_ns / 4);
}

static void sample(struct plx_client *client, uint64_t round_trip_ns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct transmission transmission = {.sent_ns = client->now_ns};
        client->now_ns += round_trip_ns;
        round_trip_sample(client, shard_at(client, 0), &transmission);
        client->now_ns += round_trip_ns;
        round_trip_sample(client, shard_at(client, 0),
                          &transmission); /* a second reply to it counts for nothing */
    }
}

static struct plx_client *client_open(struct fake *fake)
{
    fake_open(fake, 1);
    struct plx_options options = fake_options(fake, 1);
    options.rto_min_ns = 2 * MILLISECOND_NS;
    return fake_client(&options);
}

static void test_round_trip_before_the_first_sample_backs_off_from_10_ms(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client = client_open(&fake);
    static const uint64_t waits_ms[] = {10, 20, 40, 80, 100, 100};
    for (uint32_t i = 0; i < 6; i++)
        assert_wait(client, i, waits_ms[i] * MILLISECOND_NS);
    plx_close(client);
    fake_close(&fake);
}

/* A far node is not asked twice before its first answer can be here. */
static void test_round_trip_of_the_hello_counts_until_there_is_a_sample(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client = client_open(&fake);
    struct shard_state *shard = shard_at(client, 0);
    round_trip_greeted(client, shard, client->now_ns - MILLISECOND_NS);
    assert_wait(client, 0, 10 * MILLISECOND_NS);
    round_trip_greeted(client, shard, client->now_ns - 80 * MILLISECOND_NS);
    assert_wait(client, 0, 240 * MILLISECOND_NS);
    assert_wait(client, 1, 240 * MILLISECOND_NS);
    round_trip_greeted(client, shard, client->now_ns - 240 * MILLISECOND_NS); /* with a handshake */
    assert_wait(client, 0, 300 * MILLISECOND_NS);
    round_trip_greeted(client, shard, client->now_ns - 900 * MILLISECOND_NS); /* it was not there */
    assert_wait(client, 0, 300 * MILLISECOND_NS);
    round_trip_greeted(client, shard, client->now_ns - 20 * MILLISECOND_NS);
    assert_wait(client, 0, 60 * MILLISECOND_NS);
    sample(client, 5 * MILLISECOND_NS, 100);
    assert_wait(client, 0, 7 * MILLISECOND_NS);
    plx_close(client);
    fake_close(&fake);
}

/* Near or far, steady as it is: a reply may be late by the margin before it is asked for again. */
static void test_round_trip_that_hardly_varies_keeps_a_margin(void **state)
{
    (void)state;
    static const uint64_t trips_ms[] = {1, 5, 20, 100, 300};
    for (uint32_t i = 0; i < 5; i++) {
        struct fake fake;
        struct plx_client *client = client_open(&fake);
        uint64_t trip_ns = trips_ms[i] * MILLISECOND_NS;
        sample(client, trip_ns, 100);
        assert_wait(client, 0, trip_ns + 2 * MILLISECOND_NS);
        /* The end of backing off is never before that. */
        uint64_t longest_ns =
            trip_ns < 98 * MILLISECOND_NS ? 100 * MILLISECOND_NS : trip_ns + 2 * MILLISECOND_NS;
        assert_wait(client, 20, longest_ns);
        plx_close(client);
        fake_close(&fake);
    }
}

static void test_round_trip_that_varies_is_waited_for_longer(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client = client_open(&fake);
    for (uint32_t i = 0; i < 100; i++)
        sample(client, (i % 2 == 0 ? 5 : 15) * MILLISECOND_NS, 1);
    assert_true(round_trip_timeout_ns(client, shard_at(client, 0), false, 0) > 25 * MILLISECOND_NS);
    assert_wait(client, 20, 100 * MILLISECOND_NS);
    plx_close(client);
    fake_close(&fake);
}

/* A node held a request until there was a quorum again: that says nothing of the way to it. */
static void test_round_trip_that_waited_at_the_node_does_not_last(void **state)
{
    (void)state;
    struct fake fake;
    struct plx_client *client = client_open(&fake);
    sample(client, 40000 * MILLISECOND_NS, 3);
    assert_in_range(round_trip_timeout_ns(client, shard_at(client, 0), false, 20), MILLISECOND_NS,
                    1250 * MILLISECOND_NS);
    sample(client, MILLISECOND_NS, 80);
    assert_true(round_trip_timeout_ns(client, shard_at(client, 0), false, 0) < 20 * MILLISECOND_NS);
    plx_close(client);
    fake_close(&fake);
}

/* The first hello of a swap is answered so much later. */
static void answer_the_first_hello_after(struct stage *stage, uint64_t wait_ns)
{
    struct wire_hello first;
    stage_open(stage, NULL);
    stage->fake.is_mute = true;
    stage_swap(stage, &(struct plx_call){.is_blocking = true});
    (void)plx_poll(stage->client, 0);
    while (stage->fake.hellos == 0)
        assert_false(fake_try(&stage->fake));
    assert_int_equal(wire_hello_decode(stage->fake.body, &first), OK);
    uint64_t until_ns = clock_monotonic_ns() + wait_ns;
    while (clock_monotonic_ns() < until_ns) {
        (void)plx_poll(stage->client, FAKE_POLL_NS);
        assert_false(fake_try(&stage->fake));
    }
    fake_hello(&stage->fake, first.nonce);
    fake_expect(&stage->fake, stage->client, WIRE_WRITE);
}

/* A node so far away that hellos go out many times before the first is answered. */
static void test_round_trip_of_300_ms_finds_its_leader(void **state)
{
    (void)state;
    struct stage stage;
    answer_the_first_hello_after(&stage, 300 * MILLISECOND_NS);
    assert_true(stage.fake.hellos > 5);
    assert_int_equal(stage.fake.ops[0].type, WIRE_OP_SWAP);
    stage_close(&stage);
}

static void test_round_trip_is_told_by_an_answer_to_a_hello(void **state)
{
    (void)state;
    struct stage stage;
    answer_the_first_hello_after(&stage, 40 * MILLISECOND_NS);
    assert_true(shard_at(stage.client, 0)->greeting_ns >= 40 * MILLISECOND_NS);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_before_the_first_sample_backs_off_from_10_ms),
        cmocka_unit_test(test_round_trip_of_the_hello_counts_until_there_is_a_sample),
        cmocka_unit_test(test_round_trip_that_hardly_varies_keeps_a_margin),
        cmocka_unit_test(test_round_trip_that_varies_is_waited_for_longer),
        cmocka_unit_test(test_round_trip_that_waited_at_the_node_does_not_last),
        cmocka_unit_test(test_round_trip_of_300_ms_finds_its_leader),
        cmocka_unit_test(test_round_trip_is_told_by_an_answer_to_a_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
