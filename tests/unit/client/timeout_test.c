/* Timeouts: definite on a refusal, on a fence, or before anything left; unknown otherwise. */
#include "tests/unit/client/fake_node.h"

#include <pthread.h>
#include <sys/select.h>
#include <time.h>

#define TIMEOUT_NS    (120 * 1000 * 1000)
#define FENCE_WAIT_NS (40 * 1000 * 1000)

struct bench {
    struct fake fake;
    struct plx_client *client;
    struct ending ending;
};

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){.client = NULL};
    fake_open(&bench->fake, 1);
    struct plx_options options = fake_options(&bench->fake, 1);
    options.fence_wait_ns = UINT64_C(5) * 1000 * 1000 * 1000;
    bench->client = fake_client(&options);
}

static void bench_close(struct bench *bench)
{
    plx_close(bench->client);
    fake_close(&bench->fake);
}

/* A swap that has its session already, so that its own packets are what the test sees. */
static void bench_swap(struct bench *bench, const struct plx_call *call)
{
    struct ending warm = {0};
    struct plx_op op = set_op("warm", "up", &warm);
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
    fake_expect(&bench->fake, bench->client, WIRE_WRITE);
    fake_outcome_all(&bench->fake, WIRE_OUTCOME_OK);
    fake_finish(&bench->fake, bench->client, &warm);
    op = set_op("key", "new", &bench->ending);
    op.type = PLX_OP_SWAP;
    op.old_value = plx_text("old");
    op.call = *call;
    assert_int_equal(plx_submit(bench->client, &op), PLX_OK);
}

/* Lets the operation run out of time; returns when its fence arrives at the node. */
static void bench_await_fence(struct bench *bench)
{
    do {
        fake_expect(&bench->fake, bench->client, WIRE_WRITE);
    } while (bench->fake.ops[0].type != WIRE_OP_FENCE);
    assert_true(bench->fake.ops[0].seq == 2);
    assert_true(bench->fake.request.session == FAKE_SESSION);
    assert_true(bench->fake.request.floor <= 2);
}

static void assert_token_equal(const struct plx_token *a, const struct plx_token *b)
{
    assert_true(a->cluster_id == b->cluster_id && a->shard == b->shard);
    assert_true(a->session == b->session && a->seq == b->seq);
}

static void test_timeout_is_definite_when_nothing_was_transmitted(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench.fake.is_leader = false;
    struct plx_op op = set_op("key", "value", &bench.ending);
    op.call.timeout_ns = TIMEOUT_NS;
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && bench.ending.count == 0; i++) {
        (void)plx_poll(bench.client, FAKE_POLL_NS);
        assert_false(fake_try(&bench.fake)); /* hellos, and nothing else */
    }
    assert_int_equal(bench.ending.response.outcome, PLX_TIMEOUT);
    assert_true(bench.ending.response.timeout && !bench.ending.response.valid);
    assert_true(bench.fake.hellos > 1);
    assert_int_equal(fake_statistics(bench.client).fences, 0);
    bench_close(&bench);
}

static void test_timeout_is_definite_when_every_transmission_was_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && bench.ending.count == 0; i++) {
        (void)plx_poll(bench.client, FAKE_POLL_NS);
        while (fake_try(&bench.fake)) {
            assert_int_equal(bench.fake.ops[0].type, WIRE_OP_SWAP);
            fake_refuse(&bench.fake, WIRE_WRITE_REPLY, bench.fake.write.packet_number,
                        WIRE_STATUS_OVERLOADED);
        }
    }
    assert_int_equal(bench.ending.count, 1);
    assert_int_equal(bench.ending.response.outcome, PLX_TIMEOUT);
    assert_true(fake_statistics(bench.client).refusals > 0);
    assert_int_equal(fake_statistics(bench.client).fences, 0);
    bench_close(&bench);
}

static void test_timeout_is_definite_when_the_fence_holds(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    bench_await_fence(&bench);
    assert_int_equal(bench.ending.count, 0); /* not a word before the fence is answered */
    fake_outcome(&bench.fake, bench.fake.write.packet_number, 2, WIRE_OUTCOME_FENCED);
    fake_finish(&bench.fake, bench.client, &bench.ending);
    assert_int_equal(bench.ending.response.outcome, PLX_TIMEOUT);
    assert_int_equal(fake_statistics(bench.client).fences, 1);
    bench_close(&bench);
}

static void test_timeout_gives_way_to_the_outcome_that_came_first(void **state)
{
    (void)state;
    static const struct {
        enum wire_outcome wire;
        enum plx_outcome outcome;
    } cases[] = {{WIRE_OUTCOME_OK, PLX_OK}, {WIRE_OUTCOME_MISMATCH, PLX_MISMATCH}};
    for (uint32_t i = 0; i < 2; i++) {
        struct bench bench;
        bench_open(&bench);
        bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
        bench_await_fence(&bench);
        fake_outcome(&bench.fake, bench.fake.write.packet_number, 2, cases[i].wire);
        fake_finish(&bench.fake, bench.client, &bench.ending);
        assert_int_equal(bench.ending.response.outcome, cases[i].outcome);
        bench_close(&bench);
    }
}

static void test_timeout_takes_a_late_reply_to_the_operation_itself(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    fake_expect(&bench.fake, bench.client, WIRE_WRITE);
    uint64_t number = bench.fake.write.packet_number;
    bench_await_fence(&bench);
    fake_outcome(&bench.fake, number, 2, WIRE_OUTCOME_OK);
    fake_finish(&bench.fake, bench.client, &bench.ending);
    assert_int_equal(bench.ending.response.outcome, PLX_OK);
    bench_close(&bench);
}

/* A refusal of one transmission says nothing about another that was never answered. */
static void test_timeout_fences_when_one_transmission_stays_unanswered(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    fake_expect(&bench.fake, bench.client, WIRE_WRITE); /* lost, for all that anybody knows */
    bool has_fence = false;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && !has_fence; i++) {
        (void)plx_poll(bench.client, FAKE_POLL_NS);
        while (!has_fence && fake_try(&bench.fake)) {
            has_fence = bench.fake.ops[0].type == WIRE_OP_FENCE;
            if (!has_fence)
                fake_refuse(&bench.fake, WIRE_WRITE_REPLY, bench.fake.write.packet_number,
                            WIRE_STATUS_OVERLOADED);
        }
    }
    assert_true(has_fence);
    assert_int_equal(bench.ending.count, 0);
    bench_close(&bench);
}

/* A node that restarted refuses packets of its former life; a copy may have been taken in it. */
static void test_timeout_fences_after_a_refusal_by_a_later_incarnation(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    fake_expect(&bench.fake, bench.client, WIRE_WRITE);
    bench.fake.incarnation++;
    fake_refuse(&bench.fake, WIRE_WRITE_REPLY, bench.fake.write.packet_number,
                WIRE_STATUS_INCARNATION);
    bench_await_fence(&bench);
    bench_close(&bench);
}

static void bench_until_unknown(struct bench *bench)
{
    bench_swap(bench, &(struct plx_call){.timeout_ns = TIMEOUT_NS, .fence_wait_ns = FENCE_WAIT_NS});
    fake_finish(&bench->fake, bench->client, &bench->ending); /* only hellos are answered */
    assert_int_equal(bench->ending.response.outcome, PLX_UNKNOWN);
    assert_false(bench->ending.response.valid || bench->ending.response.timeout);
    const struct plx_token *token = &bench->ending.response.token;
    assert_true(token->cluster_id == wire_cluster_id(FAKE_CLUSTER));
    assert_true(token->session == FAKE_SESSION && token->seq == fake_wire_seq(&bench->fake, 2));
    assert_int_equal(fake_statistics(bench->client).unknowns, 1);
}

static void test_timeout_is_unknown_when_nobody_answers(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_until_unknown(&bench);
    /* The floor stays at the seq whose token is outstanding, until the caller lets go of it. */
    struct ending next = {0};
    struct plx_op op = set_op("other", "1", &next);
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fake, bench.client, WIRE_WRITE);
    assert_true(bench.fake.ops[0].seq == 3 && bench.fake.request.floor == 2);
    fake_outcome_all(&bench.fake, WIRE_OUTCOME_OK);
    fake_finish(&bench.fake, bench.client, &next);
    plx_forget(bench.client, &bench.ending.response.token);
    next.count = 0;
    assert_int_equal(plx_submit(bench.client, &op), PLX_OK);
    fake_expect(&bench.fake, bench.client, WIRE_WRITE);
    assert_true(bench.fake.ops[0].seq == 4 && bench.fake.request.floor == 4);
    bench_close(&bench);
}

/* What a swap that nobody answers waits for, from plx_submit to its end. */
static uint64_t wait_of_unanswered(struct bench *bench, const struct plx_call *call)
{
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    bench_swap(bench, call);
    fake_finish(&bench->fake, bench->client, &bench->ending);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(bench->ending.response.outcome, PLX_UNKNOWN);
    return (uint64_t)(end.tv_sec - begin.tv_sec) * 1000000000u + (uint64_t)end.tv_nsec -
           (uint64_t)begin.tv_nsec;
}

/* Without a word a call has 50 ms, and its fence 1 s beyond them; each call may say otherwise. */
static void test_timeout_and_the_wait_beyond_it_are_bounded(void **state)
{
    (void)state;
    struct plx_options defaults;
    plx_options_init(&defaults);
    static const struct {
        struct plx_call call;
        uint64_t least_ns;
    } cases[] = {{{.timeout_ns = 0}, 1050000000u},
                 {{.fence_wait_ns = 1000000}, 51000000},
                 {{.timeout_ns = 1000000, .fence_wait_ns = 1000000}, 2000000}};
    for (uint32_t i = 0; i < 3; i++) {
        struct bench bench = {.client = NULL};
        fake_open(&bench.fake, 1);
        struct plx_options options = fake_options(&bench.fake, 1);
        options.timeout_ns = defaults.timeout_ns;
        options.fence_wait_ns = defaults.fence_wait_ns;
        bench.client = fake_client(&options);
        uint64_t wait_ns = wait_of_unanswered(&bench, &cases[i].call);
        assert_true(wait_ns >= cases[i].least_ns);
        assert_true(wait_ns <
                    cases[i].least_ns + 5000000000u); /* for all that a busy machine adds */
        bench_close(&bench);
    }
}

/* A node that answers one fence from another thread, because plx_resolve waits. */
struct resolver {
    struct plx_options options;
    struct plx_token token;
    struct plx_response response;
};

static void *resolver_run(void *context)
{
    struct resolver *resolver = context;
    struct plx_client *client = NULL;
    if (plx_open(&resolver->options, &client, NULL, 0) == PLX_OK)
        resolver->response = plx_resolve(client, &resolver->token, NULL);
    plx_close(client);
    return NULL;
}

static struct plx_response resolve_with(struct fake *fake, const struct plx_token *token,
                                        enum wire_outcome outcome)
{
    struct resolver resolver = {.options = fake_options(fake, 1), .token = *token};
    resolver.options.timeout_ns = 1000;
    resolver.options.fence_wait_ns = UINT64_MAX; /* waits for both, which is for ever */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, resolver_run, &resolver), 0);
    bool is_answered = false;
    for (uint32_t i = 0; i < 100 * FAKE_POLLS_MAX && !is_answered; i++) {
        struct timeval wait = {.tv_usec = 1000};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fake->fds[0], &set);
        (void)select(fake->fds[0] + 1, &set, NULL, NULL, &wait);
        if (fake_try(fake)) {
            assert_int_equal(fake->ops[0].type, WIRE_OP_FENCE);
            assert_true(fake->request.session == token->session);
            assert_true(fake_wire_seq(fake, fake->ops[0].seq) == token->seq);
            /* A stranger moves nobody's floor: it is the lowest that there can be. */
            assert_true(fake->request.floor ==
                        (token->seq < SESSION_WINDOW ? 0 : token->seq - (SESSION_WINDOW - 1)));
            fake_outcome_all(fake, outcome);
            is_answered = true;
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    return resolver.response;
}

static void test_timeout_token_is_resolved_by_another_handle(void **state)
{
    (void)state;
    static const struct {
        enum wire_outcome wire;
        enum plx_outcome outcome;
    } cases[] = {{WIRE_OUTCOME_OK, PLX_OK},
                 {WIRE_OUTCOME_MISMATCH, PLX_MISMATCH},
                 {WIRE_OUTCOME_FENCED, PLX_TIMEOUT},
                 {WIRE_OUTCOME_FORGOTTEN, PLX_E_SESSION_EXPIRED},
                 {WIRE_OUTCOME_NO_SESSION, PLX_E_SESSION_EXPIRED}};
    struct bench bench;
    bench_open(&bench);
    bench_until_unknown(&bench);
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plx_response response =
            resolve_with(&bench.fake, &bench.ending.response.token, cases[i].wire);
        assert_int_equal(response.outcome, cases[i].outcome);
    }
    struct plx_token foreign = bench.ending.response.token;
    foreign.cluster_id++;
    assert_int_equal(plx_resolve(bench.client, &foreign, NULL).outcome, PLX_E_ARGUMENT);
    bench_close(&bench);
}

static void test_timeout_resolve_stays_unknown_without_a_majority(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_until_unknown(&bench);
    bench.fake.is_leader = false;
    struct plx_token token = bench.ending.response.token;
    struct plx_response response =
        plx_resolve(bench.client, &token, &(struct plx_call){.timeout_ns = TIMEOUT_NS});
    assert_int_equal(response.outcome, PLX_UNKNOWN);
    assert_token_equal(&response.token, &token);
    bench_close(&bench);
}

static void test_timeout_of_a_full_log_is_overloaded(void **state)
{
    (void)state;
    static const enum wire_status statuses[] = {WIRE_STATUS_LOG_FULL, WIRE_STATUS_UNSUPPORTED,
                                                WIRE_STATUS_BAD_REQUEST};
    static const enum plx_outcome outcomes[] = {PLX_E_OVERLOADED, PLX_E_UNSUPPORTED,
                                                PLX_E_ARGUMENT};
    for (uint32_t i = 0; i < 3; i++) {
        struct bench bench;
        bench_open(&bench);
        bench_swap(&bench, &(struct plx_call){.is_blocking = true});
        fake_expect(&bench.fake, bench.client, WIRE_WRITE);
        assert_int_equal(bench.fake.write.timeout_us, 0);
        fake_refuse(&bench.fake, WIRE_WRITE_REPLY, bench.fake.write.packet_number, statuses[i]);
        fake_finish(&bench.fake, bench.client, &bench.ending);
        assert_int_equal(bench.ending.response.outcome, outcomes[i]);
        bench_close(&bench);
    }
}

static void test_timeout_store_full_is_overloaded(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    bench_swap(&bench, &(struct plx_call){.is_blocking = true});
    fake_expect(&bench.fake, bench.client, WIRE_WRITE);
    fake_outcome_all(&bench.fake, WIRE_OUTCOME_STORE_FULL);
    fake_finish(&bench.fake, bench.client, &bench.ending);
    assert_int_equal(bench.ending.response.outcome, PLX_E_OVERLOADED);
    bench_close(&bench);
}

/* Nothing of it was sent, so that much is certain. */
static void test_timeout_of_a_call_that_finds_the_window_full(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.window = 1;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    struct plx_call call = {.timeout_ns = FENCE_WAIT_NS};
    struct plx_response response = plx_set(client, plx_text("other"), plx_text("1"), &call);
    assert_int_equal(response.outcome, PLX_TIMEOUT);
    assert_true(response.timeout);
    struct plx_token token = {
        .cluster_id = wire_cluster_id(FAKE_CLUSTER), .session = FAKE_SESSION, .seq = 1};
    response = plx_resolve(client, &token, &call);
    assert_int_equal(response.outcome, PLX_UNKNOWN);
    assert_token_equal(&response.token, &token);
    assert_int_equal(ending.count, 0);
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout_is_definite_when_nothing_was_transmitted),
        cmocka_unit_test(test_timeout_is_definite_when_every_transmission_was_refused),
        cmocka_unit_test(test_timeout_is_definite_when_the_fence_holds),
        cmocka_unit_test(test_timeout_gives_way_to_the_outcome_that_came_first),
        cmocka_unit_test(test_timeout_takes_a_late_reply_to_the_operation_itself),
        cmocka_unit_test(test_timeout_fences_when_one_transmission_stays_unanswered),
        cmocka_unit_test(test_timeout_fences_after_a_refusal_by_a_later_incarnation),
        cmocka_unit_test(test_timeout_is_unknown_when_nobody_answers),
        cmocka_unit_test(test_timeout_and_the_wait_beyond_it_are_bounded),
        cmocka_unit_test(test_timeout_token_is_resolved_by_another_handle),
        cmocka_unit_test(test_timeout_resolve_stays_unknown_without_a_majority),
        cmocka_unit_test(test_timeout_of_a_full_log_is_overloaded),
        cmocka_unit_test(test_timeout_store_full_is_overloaded),
        cmocka_unit_test(test_timeout_of_a_call_that_finds_the_window_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
