/* Cancelled: whatever is in flight ends as if out of time; what begins later is left alone. */
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_logs.h"
#include "tests/unit/client/fake_node.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#define LONG_NS (UINT64_C(3600) * 1000 * 1000 * 1000)

static void test_cancel_fences_a_blocking_call(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    plx_cancel(stage.client);
    stage_await_fence(&stage);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_FENCED);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_TIMEOUT);
    stage_close(&stage);
}

static void test_cancel_before_the_first_transmission_is_definite(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage.fake.is_leader = false;
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && stage.fake.hellos < 3; i++) {
        (void)plx_poll(stage.client, FAKE_POLL_NS);
        assert_false(fake_try(&stage.fake));
    }
    plx_cancel(stage.client);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_TIMEOUT);
    assert_int_equal(fake_statistics(stage.client).fences, 0);
    stage_close(&stage);
}

static void test_cancel_leaves_alone_what_begins_later(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    plx_cancel(stage.client); /* nothing is in flight */
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_int_equal(stage.fake.ops[0].type, WIRE_OP_SWAP);
    /* And one that begins between the cancel and the turn that carries it out. */
    struct ending later = {0};
    struct plx_op op = set_op("later", "1", &later);
    op.call.is_blocking = true;
    plx_cancel(stage.client);
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    while (stage.ending.count == 0) {
        fake_expect(&stage.fake, stage.client, WIRE_WRITE);
        for (uint32_t i = 0; i < stage.fake.request.op_count; i++) {
            const struct wire_op *wire = &stage.fake.ops[i];
            assert_int_equal(wire->type, wire->seq == 1 ? WIRE_OP_FENCE : WIRE_OP_SET);
            fake_outcome(&stage.fake, stage.fake.write.packet_number, wire->seq,
                         wire->seq == 1 ? WIRE_OUTCOME_FENCED : WIRE_OUTCOME_OK);
        }
        (void)plx_poll(stage.client, FAKE_POLL_NS);
    }
    fake_finish(&stage.fake, stage.client, &later);
    assert_int_equal(stage.ending.response.outcome, PLX_TIMEOUT);
    assert_int_equal(later.response.outcome, PLX_OK);
    stage_close(&stage);
}

static void test_cancel_again_lets_a_fence_go_on(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    plx_cancel(stage.client);
    stage_await_fence(&stage);
    plx_cancel(stage.client);
    (void)plx_poll(stage.client, 0);
    assert_int_equal(stage.ending.count, 0);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK); /* it had come first */
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_OK);
    stage_close(&stage);
}

/* A blocking call that is fenced because it was refused waits for its fence for ever. */
static void test_cancel_bounds_the_fence_of_a_blocking_call(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE); /* not answered */
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    fake_refuse(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number,
                WIRE_STATUS_BAD_REQUEST);
    stage_await_fence(&stage);
    plx_cancel(stage.client);
    (void)plx_poll(stage.client, 0);
    assert_int_equal(stage.ending.count, 0);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_FENCED);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_E_ARGUMENT);
    stage_close(&stage);
}

struct blocked_call {
    struct plx_client *client;
    struct plx_response response;
    _Atomic bool is_done; /* release after the response is written; acquire before it is read */
};

static void *blocked_call_run(void *context)
{
    struct blocked_call *call = context;
    call->response =
        plx_get(call->client, plx_text("key"), &(struct plx_call){.is_blocking = true});
    atomic_store_explicit(&call->is_done, true, memory_order_release);
    return NULL;
}

static void test_cancel_ends_a_waiting_call_of_another_thread(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage.fake.is_leader = false;
    struct blocked_call call = {.client = stage.client};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, blocked_call_run, &call), 0);
    /* A cancel from before the call begins is none of its business, so cancel until it ends. */
    while (!atomic_load_explicit(&call.is_done, memory_order_acquire)) {
        plx_cancel(stage.client);
        (void)fake_try(&stage.fake);
        sched_yield();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(call.response.outcome, PLX_TIMEOUT);
    stage_close(&stage);
}

static struct plx_client *signalled_client;

static void on_alarm(int number)
{
    (void)number;
    plx_cancel(signalled_client);
}

/* Again and again: the first may come before the call that it is meant for. */
static void alarms_begin(struct plx_client *client)
{
    signalled_client = client;
    assert_true(signal(SIGALRM, on_alarm) != SIG_ERR);
    const struct itimerval every = {{0, 10000}, {0, 10000}};
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

static void alarms_end(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(signal(SIGALRM, SIG_DFL) != SIG_ERR);
}

static void test_cancel_from_a_signal_handler_wakes_whoever_waits(void **state)
{
    (void)state;
    struct stage stage;
    struct plx_node node;
    struct plx_logs_state logs;
    stage_open(&stage, NULL);
    alarms_begin(stage.client);
    assert_int_equal(plx_poll(stage.client, UINT64_MAX), 0); /* for nothing */
    assert_int_equal(plx_ping(stage.client, 0, 0, LONG_NS, &node), PLX_E_UNREACHABLE);
    assert_int_equal(plx_transfer(stage.client, 0, 0, LONG_NS, NULL), PLX_TIMEOUT);
    struct plx_call call = {.is_blocking = true};
    assert_int_equal(plx_get(stage.client, plx_text("key"), &call).outcome, PLX_TIMEOUT);
    assert_int_equal(plx_logs_cursor(stage.client, "server", &call, &logs).outcome, PLX_TIMEOUT);
    alarms_end();
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_fences_a_blocking_call),
        cmocka_unit_test(test_cancel_before_the_first_transmission_is_definite),
        cmocka_unit_test(test_cancel_leaves_alone_what_begins_later),
        cmocka_unit_test(test_cancel_again_lets_a_fence_go_on),
        cmocka_unit_test(test_cancel_bounds_the_fence_of_a_blocking_call),
        cmocka_unit_test(test_cancel_ends_a_waiting_call_of_another_thread),
        cmocka_unit_test(test_cancel_from_a_signal_handler_wakes_whoever_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
