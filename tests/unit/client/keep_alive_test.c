/* Keep-alives: sent for what is open alone, and a session that may have expired is not used. */
#include "tests/unit/client/fake_node.h"

#include <time.h>

#define MILLISECOND_NS UINT64_C(1000000)
#define TTL_NS         (240 * MILLISECOND_NS)

struct keeper {
    struct fake fake;
    struct plx_client *client;
    struct ending ending;
    uint64_t session; /* of the last good write */
    uint64_t seq;
};

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MILLISECOND_NS + (uint64_t)now.tv_nsec;
}

static void keeper_open(struct keeper *keeper, uint64_t ttl_ns, uint64_t keep_alive_ns)
{
    *keeper = (struct keeper){.client = NULL};
    fake_open(&keeper->fake, 1);
    keeper->fake.session_ttl_ns = ttl_ns;
    struct plx_options options = fake_options(&keeper->fake, 1);
    options.keep_alive_ns = keep_alive_ns;
    keeper->client = fake_client(&options);
}

static void keeper_close(struct keeper *keeper)
{
    plx_close(keeper->client);
    fake_close(&keeper->fake);
}

static void submit(struct keeper *keeper, const struct plx_call *call)
{
    struct plx_op op = set_op("key", "value", &keeper->ending);
    op.call = *call;
    keeper->ending.count = 0;
    assert_int_equal(plx_submit(keeper->client, &op), PLX_OK);
}

/* A write to its good end. Keep-alives before it are answered, the giving back of a session is
 * counted. Returns how many sessions were given back. */
static uint32_t write_ok(struct keeper *keeper)
{
    uint32_t given_back = 0;
    submit(keeper, &(struct plx_call){.is_relaxed = false});
    for (;;) {
        fake_expect(&keeper->fake, keeper->client, WIRE_WRITE);
        if (keeper->fake.ops[0].type == WIRE_OP_SET)
            break;
        given_back += keeper->fake.ops[0].type == WIRE_OP_UNREGISTER;
        fake_outcome_all(&keeper->fake, WIRE_OUTCOME_OK);
    }
    keeper->session = keeper->fake.request.session;
    keeper->seq = keeper->fake.ops[0].seq;
    fake_outcome_all(&keeper->fake, WIRE_OUTCOME_OK);
    fake_finish(&keeper->fake, keeper->client, &keeper->ending);
    assert_int_equal(keeper->ending.response.outcome, PLX_OK);
    return given_back;
}

/* What has come stays unanswered. */
static void fake_drain(struct fake *fake)
{
    while (fake_try(fake)) {
    }
}

/* A write whose requests, and whose fences, nobody answers. On a busy machine its time may be over
 * before it leaves, and then it is known what became of it. */
static struct plx_token leave_unknown(struct keeper *keeper)
{
    do {
        submit(keeper, &(struct plx_call){.timeout_ns = 2 * MILLISECOND_NS,
                                          .fence_wait_ns = MILLISECOND_NS});
        while (keeper->ending.count == 0) {
            (void)plx_poll(keeper->client, FAKE_POLL_NS);
            (void)fake_try(&keeper->fake);
        }
        fake_drain(&keeper->fake);
    } while (keeper->ending.response.outcome == PLX_TIMEOUT);
    assert_int_equal(keeper->ending.response.outcome, PLX_UNKNOWN);
    return keeper->ending.response.token;
}

/* How many keep-alives come, and are answered, in that time of polling. */
static uint32_t count_keep_alives(struct keeper *keeper, uint64_t wait_ns)
{
    uint32_t count = 0;
    uint64_t end_ns = clock_ns() + wait_ns;
    while (clock_ns() < end_ns) {
        (void)plx_poll(keeper->client, FAKE_POLL_NS);
        if (!fake_try(&keeper->fake))
            continue;
        assert_int_equal(keeper->fake.type, WIRE_WRITE);
        assert_int_equal(keeper->fake.ops[0].type, WIRE_OP_KEEP_ALIVE);
        assert_true(keeper->fake.request.session == FAKE_SESSION);
        fake_outcome_all(&keeper->fake, WIRE_OUTCOME_OK);
        count++;
    }
    return count;
}

static void test_keep_alive_is_not_sent_for_an_idle_session(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, TTL_NS, 2 * MILLISECOND_NS);
    (void)write_ok(&keeper);
    assert_int_equal(count_keep_alives(&keeper, 50 * MILLISECOND_NS), 0);
    keeper_close(&keeper);
}

static void test_keep_alive_renews_at_a_third_of_the_lifetime_for_a_token(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, TTL_NS, 0);
    (void)write_ok(&keeper);
    struct plx_token token = leave_unknown(&keeper);
    uint32_t count = count_keep_alives(&keeper, TTL_NS * 3 / 2);
    assert_true(count >= 1 && count <= 4); /* 4, or fewer where the machine is slow */
    plx_forget(keeper.client, &token);
    assert_int_equal(count_keep_alives(&keeper, TTL_NS / 2), 0);
    keeper_close(&keeper);
}

static void test_keep_alive_as_asked_for_where_that_is_sooner(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, FAKE_SESSION_TTL_NS, 5 * MILLISECOND_NS);
    (void)write_ok(&keeper);
    (void)leave_unknown(&keeper);
    assert_true(count_keep_alives(&keeper, 200 * MILLISECOND_NS) >= 2);
    keeper_close(&keeper);
}

static void test_keep_alive_is_never_later_than_a_third_of_the_lifetime(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, 30 * MILLISECOND_NS, FAKE_SESSION_TTL_NS);
    (void)write_ok(&keeper);
    (void)leave_unknown(&keeper);
    assert_true(count_keep_alives(&keeper, 200 * MILLISECOND_NS) >= 2);
    keeper_close(&keeper);
}

static void test_keep_alive_is_sent_while_an_operation_is_in_flight(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, 30 * MILLISECOND_NS, 0);
    submit(&keeper, &(struct plx_call){.is_blocking = true});
    uint64_t seq = 0;
    do {
        fake_expect(&keeper.fake, keeper.client, WIRE_WRITE);
        if (keeper.fake.ops[0].type == WIRE_OP_SET)
            seq = keeper.fake.ops[0].seq;
    } while (keeper.fake.ops[0].type != WIRE_OP_KEEP_ALIVE);
    assert_true(seq == 1);
    keeper_close(&keeper);
}

/* The session that was renewed turns out to be gone. */
static void test_keep_alive_told_that_the_session_is_gone_opens_another(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, FAKE_SESSION_TTL_NS, 5 * MILLISECOND_NS);
    (void)write_ok(&keeper);
    (void)leave_unknown(&keeper);
    fake_expect(&keeper.fake, keeper.client, WIRE_WRITE);
    assert_int_equal(keeper.fake.ops[0].type, WIRE_OP_KEEP_ALIVE);
    keeper.fake.session = 99;
    fake_outcome_all(&keeper.fake, WIRE_OUTCOME_NO_SESSION);
    (void)write_ok(&keeper);
    assert_true(keeper.session == 99 && keeper.seq == 1);
    keeper_close(&keeper);
}

/* It may have expired, so nothing is sent under it but the request that ends it. */
static void test_keep_alive_idle_session_is_replaced_when_it_may_be_gone(void **state)
{
    (void)state;
    struct keeper keeper;
    const uint64_t ttl_ns = 8 * TTL_NS; /* an eighth is longer than two writes take */
    keeper_open(&keeper, ttl_ns, 0);
    (void)write_ok(&keeper);
    (void)write_ok(&keeper);
    assert_true(keeper.session == FAKE_SESSION && keeper.seq == 2);
    assert_int_equal(count_keep_alives(&keeper, session_idle_ns(ttl_ns) / 2 + MILLISECOND_NS), 0);
    keeper.fake.session = 99;
    assert_in_range(write_ok(&keeper), 1, 2); /* on a busy machine it is sent again */
    assert_true(keeper.session == 99 && keeper.seq == 1);
    assert_true(keeper.fake.registrations >= 2); /* on a busy machine one is sent again */
    assert_int_equal(fake_statistics(keeper.client).unknowns, 0);
    keeper_close(&keeper);
}

/* A session with a token is used on, however long it was silent: only it can resolve the token. */
static void test_keep_alive_session_with_a_token_is_not_replaced(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, TTL_NS, 0);
    (void)write_ok(&keeper);
    (void)leave_unknown(&keeper);
    assert_int_equal(plx_poll(keeper.client, TTL_NS / 2 + MILLISECOND_NS), 0);
    fake_drain(&keeper.fake); /* keep-alives, unanswered */
    assert_int_equal(write_ok(&keeper), 0);
    assert_true(keeper.session == FAKE_SESSION && keeper.seq == 3);
    keeper_close(&keeper);
}

/* The nodes cannot know that the last answer has arrived, and nobody may call the handle again. */
static void test_keep_alive_idle_session_is_told_in_the_turn_of_the_answer(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, FAKE_SESSION_TTL_NS, 0);
    for (uint32_t i = 1; i < 10; i++) {
        (void)write_ok(&keeper); /* its last poll has ended the operation */
        fake_drain(&keeper.fake);
        assert_true(keeper.fake.idle_notices >= i); /* on a busy machine it is said again */
        assert_true(keeper.fake.idle_session == FAKE_SESSION && keeper.fake.idle_floor == i + 1);
    }
    assert_int_equal(plx_poll(keeper.client, 20 * MILLISECOND_NS), 0);
    fake_drain(&keeper.fake);
    assert_true(keeper.fake.idle_notices >= 9); /* a packet may be lost: it is said again */
    assert_true(keeper.fake.idle_floor == 10);
    keeper_close(&keeper);
}

static void test_keep_alive_notices_are_few_where_calls_are_many(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, FAKE_SESSION_TTL_NS, 0);
    uint64_t begin_ns = clock_ns();
    for (uint32_t i = 0; i < 1000; i++)
        (void)write_ok(&keeper);
    uint64_t allowed = 64 + 2 + (clock_ns() - begin_ns) / MILLISECOND_NS;
    fake_drain(&keeper.fake);
    assert_true(keeper.fake.idle_notices >= 64 && keeper.fake.idle_notices <= allowed);
    /* What was held back for that is sent as soon as it may be. */
    (void)plx_poll(keeper.client, 20 * MILLISECOND_NS);
    fake_drain(&keeper.fake);
    assert_true(keeper.fake.idle_floor == 1001);
    keeper_close(&keeper);
}

static void test_keep_alive_session_with_a_token_is_not_told_idle(void **state)
{
    (void)state;
    struct keeper keeper;
    keeper_open(&keeper, FAKE_SESSION_TTL_NS, 0);
    (void)write_ok(&keeper);
    struct plx_token token = leave_unknown(&keeper);
    (void)write_ok(&keeper);
    fake_drain(&keeper.fake);
    uint32_t before = keeper.fake.idle_notices;
    assert_true(before >= 1);
    assert_true(keeper.fake.idle_floor == 2);
    plx_forget(keeper.client, &token);
    (void)plx_poll(keeper.client, 0);
    fake_drain(&keeper.fake);
    assert_true(keeper.fake.idle_notices > before);
    assert_true(keeper.fake.idle_floor == 4);
    keeper_close(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive_is_not_sent_for_an_idle_session),
        cmocka_unit_test(test_keep_alive_renews_at_a_third_of_the_lifetime_for_a_token),
        cmocka_unit_test(test_keep_alive_as_asked_for_where_that_is_sooner),
        cmocka_unit_test(test_keep_alive_is_never_later_than_a_third_of_the_lifetime),
        cmocka_unit_test(test_keep_alive_is_sent_while_an_operation_is_in_flight),
        cmocka_unit_test(test_keep_alive_told_that_the_session_is_gone_opens_another),
        cmocka_unit_test(test_keep_alive_idle_session_is_replaced_when_it_may_be_gone),
        cmocka_unit_test(test_keep_alive_session_with_a_token_is_not_replaced),
        cmocka_unit_test(test_keep_alive_idle_session_is_told_in_the_turn_of_the_answer),
        cmocka_unit_test(test_keep_alive_notices_are_few_where_calls_are_many),
        cmocka_unit_test(test_keep_alive_session_with_a_token_is_not_told_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
