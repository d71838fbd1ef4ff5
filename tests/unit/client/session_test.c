/* Sessions: opened once, renewed, lost without a second execution, retired for their tokens. */
#include "tests/unit/client/fake_node.h"

#define MILLISECOND_NS (1000 * 1000)

static void submit(struct plx_client *client, struct ending *ending, const struct plx_call *call)
{
    struct plx_op op = set_op("key", "value", ending);
    if (call != NULL)
        op.call = *call;
    ending->count = 0;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
}

static void write_ok(struct fake *fake, struct plx_client *client)
{
    struct ending ending = {0};
    submit(client, &ending, NULL);
    fake_expect(fake, client, WIRE_WRITE);
    fake_outcome_all(fake, WIRE_OUTCOME_OK);
    fake_finish(fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
}

static void test_session_is_opened_by_the_first_write_only(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    struct plx_op get = get_op("key", &ending);
    assert_int_equal(plx_submit(client, &get), PLX_OK);
    fake_expect(&fake, client, WIRE_READ);
    assert_int_equal(fake.registrations, 0);
    write_ok(&fake, client);
    write_ok(&fake, client);
    assert_int_equal(fake.registrations, 1);
    assert_int_equal(fake_statistics(client).sessions, 1);
    plx_close(client);
    /* It is given back at the end. */
    do {
        assert_true(fake_try(&fake));
    } while (fake.type != WIRE_WRITE || fake.ops[0].type != WIRE_OP_UNREGISTER);
    assert_true(fake.request.session == FAKE_SESSION);
    fake_close(&fake);
}

/* Nobody has said for a while that it leads, but it may still. */
static void test_session_is_given_back_long_after_the_last_answer(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.leader_fresh_ns = 50 * MILLISECOND_NS;
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    assert_int_equal(plx_poll(client, 60 * MILLISECOND_NS), 0);
    plx_close(client);
    do {
        assert_true(fake_try(&fake));
    } while (fake.type != WIRE_WRITE || fake.ops[0].type != WIRE_OP_UNREGISTER);
    assert_true(fake.request.session == FAKE_SESSION);
    fake_close(&fake);
}

static void test_session_registration_repeats_its_nonce(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    fake.session = 0; /* registrations are for this test to answer */
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    submit(client, &ending, NULL);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.ops[0].type, WIRE_OP_REGISTER);
    assert_true(fake.request.session == 0);
    uint64_t nonce = fake.ops[0].seq;
    uint64_t number = fake.write.packet_number;
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.ops[0].seq == nonce && fake.write.packet_number > number);
    /* The answer to another nonce opens nothing. */
    struct wire_reply_op op = {.seq = nonce + 1, .outcome = WIRE_OUTCOME_OK, .version = 7};
    fake_answer(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, &op);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.ops[0].type, WIRE_OP_REGISTER);
    op = (struct wire_reply_op){.seq = nonce, .outcome = WIRE_OUTCOME_OK, .version = 8};
    fake_answer(&fake, WIRE_WRITE_REPLY, fake.write.packet_number, &op);
    do {
        fake_expect(&fake, client, WIRE_WRITE);
    } while (fake.ops[0].type == WIRE_OP_REGISTER);
    assert_true(fake.request.session == 8 && fake.ops[0].seq == 1);
    plx_close(client);
    fake_close(&fake);
}

/* The nonce of the first registration by a new handle of this seed; answered FORGOTTEN until
 * another comes, that of the second. */
static uint64_t registered_nonce(bool is_second)
{
    struct fake fake;
    fake_open(&fake, 1);
    fake.session = 0;
    struct plx_options options = fake_options(&fake, 1);
    options.seed = 42;
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    submit(client, &ending, &(struct plx_call){.is_blocking = true});
    fake_expect(&fake, client, WIRE_WRITE);
    uint64_t nonce = fake.ops[0].seq;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && is_second && fake.ops[0].seq == nonce; i++) {
        assert_int_equal(fake.ops[0].type, WIRE_OP_REGISTER);
        fake_outcome_all(&fake, WIRE_OUTCOME_FORGOTTEN);
        fake_expect(&fake, client, WIRE_WRITE);
    }
    assert_true(!is_second || fake.ops[0].seq != nonce);
    plx_close(client);
    fake_close(&fake);
    return nonce;
}

/* Two handles of one seed are two clients; a nonce that is somebody else's is given up. */
static void test_session_nonce_is_of_one_handle_alone(void **state)
{
    (void)state;
    assert_true(registered_nonce(false) != registered_nonce(true));
}

static void test_session_table_full_names_sessions(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    fake.session = 0;
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    submit(client, &ending, &(struct plx_call){.timeout_ns = 30 * MILLISECOND_NS});
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        (void)plx_poll(client, FAKE_POLL_NS);
        if (fake_try(&fake)) {
            assert_int_equal(fake.ops[0].type, WIRE_OP_REGISTER);
            fake_outcome_all(&fake, WIRE_OUTCOME_SESSIONS_FULL);
        }
    }
    assert_int_equal(ending.response.outcome, PLX_E_SESSIONS);
    /* Another registration would take room in the log: it is not tried for a while. */
    ending.count = 0;
    submit(client, &ending, &(struct plx_call){.timeout_ns = 300 * MILLISECOND_NS});
    fake_finish(NULL, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_E_SESSIONS);
    assert_false(fake_try(&fake));
    /* Nobody says so any more. */
    ending.count = 0;
    submit(client, &ending, &(struct plx_call){.timeout_ns = 1500 * MILLISECOND_NS});
    while (ending.count == 0)
        (void)plx_poll(client, 100 * MILLISECOND_NS);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    plx_close(client);
    fake_close(&fake);
}

/* A call that may go on for ever is told, and so is the next one. One with a timeout waits on. */
static void test_session_table_full_ends_calls_that_block(void **state)
{
    (void)state;
    struct fake fake;
    struct ending patient = {0};
    struct ending blocking = {0};
    fake_open(&fake, 1);
    fake.session = 0;
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    submit(client, &patient, &(struct plx_call){.timeout_ns = UINT64_C(60000) * MILLISECOND_NS});
    for (uint32_t i = 0; i < 2; i++) {
        submit(client, &blocking, &(struct plx_call){.is_blocking = true});
        fake_expect(&fake, client, WIRE_WRITE);
        assert_int_equal(fake.ops[0].type, WIRE_OP_REGISTER);
        fake_outcome_all(&fake, WIRE_OUTCOME_SESSIONS_FULL);
        fake_finish(NULL, client, &blocking);
        assert_int_equal(blocking.response.outcome, PLX_E_SESSIONS);
        assert_int_equal(patient.count, 0);
    }
    fake.session = FAKE_SESSION; /* somebody has left */
    fake_expect(&fake, client, WIRE_WRITE);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &patient);
    assert_int_equal(patient.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

static void test_session_expiry_replaces_an_operation_that_was_never_executed(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    struct ending ending = {0};
    submit(client, &ending, NULL);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.ops[0].seq == 2);
    uint64_t old_number = fake.write.packet_number;
    fake.session = 99;
    fake_outcome_all(&fake, WIRE_OUTCOME_NO_SESSION); /* its one transmission: not executed */
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.registrations, 2);
    assert_true(fake.request.session == 99 && fake.ops[0].seq == 1);
    /* Whatever is said of the old session's seq now has nothing to do with it. */
    fake_outcome(&fake, old_number, 1, WIRE_OUTCOME_MISMATCH);
    fake_outcome(&fake, fake.write.packet_number, 1, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    plx_close(client);
    fake_close(&fake);
}

/* One transmission was never answered: it may have been executed before the session expired. */
static void test_session_expiry_never_executes_twice(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    struct ending ending = {0};
    submit(client, &ending, &(struct plx_call){.is_blocking = true});
    fake_expect(&fake, client, WIRE_WRITE);
    fake_expect(&fake, client, WIRE_WRITE);
    fake_outcome_all(&fake, WIRE_OUTCOME_NO_SESSION);
    fake_finish(NULL, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    assert_true(ending.response.token.session == FAKE_SESSION);
    assert_true(ending.response.token.seq == fake_wire_seq(&fake, 2));
    assert_int_equal(fake_statistics(client).unknowns_expired, 1);
    while (fake_try(&fake))
        assert_int_not_equal(fake.request.session, 0); /* nothing was sent anew */
    plx_close(client);
    fake_close(&fake);
}

/* The client was cut off in an idle session, and the node says that nothing was executed in that
 * from seq 2 on. */
static void told_idle(struct fake *fake, uint64_t seq)
{
    fake_answer(fake, WIRE_WRITE_REPLY, fake->write.packet_number,
                &(struct wire_reply_op){.seq = seq,
                                        .outcome = WIRE_OUTCOME_NO_SESSION,
                                        .version = fake_wire_seq(fake, 2)});
}

static void test_session_that_ended_idle_leaves_nothing_unknown(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    struct ending ending = {0};
    submit(client, &ending, &(struct plx_call){.is_blocking = true});
    fake_expect(&fake, client, WIRE_WRITE);
    fake_expect(&fake, client, WIRE_WRITE); /* two transmissions, one answer */
    fake.session = 99;
    told_idle(&fake, 2);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_true(fake.request.session == 99 && fake.ops[0].seq == 1);
    fake_outcome(&fake, fake.write.packet_number, 1, WIRE_OUTCOME_OK);
    fake_finish(&fake, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(fake_statistics(client).unknowns, 0);
    plx_close(client);
    fake_close(&fake);
}

/* What the node says of later seqs is nothing about an earlier one. */
static void test_session_that_ended_idle_vouches_for_no_earlier_seq(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    submit(client, &ending, &(struct plx_call){.is_blocking = true});
    fake_expect(&fake, client, WIRE_WRITE);
    fake_expect(&fake, client, WIRE_WRITE);
    told_idle(&fake, 1);
    fake_finish(NULL, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    plx_close(client);
    fake_close(&fake);
}

/* A copy of a packet, delayed in the network beyond the session's life, is refused long after
 * another copy may have been executed: such an answer proves nothing. */
static void test_session_expiry_told_late_is_unknown(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    options.keep_alive_ns = MILLISECOND_NS;
    options.rto_min_ns = 100 * MILLISECOND_NS; /* one transmission is all there will be */
    struct plx_client *client = fake_client(&options);
    struct ending ending = {0};
    submit(client, &ending, NULL);
    fake_expect(&fake, client, WIRE_WRITE);
    uint64_t number = fake.write.packet_number;
    assert_true(fake.ops[0].seq == 1);
    fake_expect(&fake, client, WIRE_WRITE);
    assert_int_equal(fake.ops[0].type, WIRE_OP_KEEP_ALIVE);
    assert_int_equal(plx_poll(client, 2 * MILLISECOND_NS), 0);
    fake_outcome(&fake, number, 1, WIRE_OUTCOME_NO_SESSION);
    fake_finish(NULL, client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    plx_close(client);
    fake_close(&fake);
}

/* Leaves one seq of the session in use unknown. */
static struct plx_token leave_unknown(struct fake *fake, struct plx_client *client)
{
    struct ending ending = {0};
    submit(client, &ending,
           &(struct plx_call){.timeout_ns = 2 * MILLISECOND_NS, .fence_wait_ns = MILLISECOND_NS});
    while (ending.count == 0) {
        (void)plx_poll(client, FAKE_POLL_NS);
        (void)fake_try(fake); /* swallowed */
    }
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    return ending.response.token;
}

static void test_session_is_retired_when_tokens_fill_its_window(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    struct plx_token token = leave_unknown(&fake, client);
    assert_true(token.seq == fake_wire_seq(&fake, 2));
    for (uint32_t i = 3; i < 2 + SESSION_WINDOW; i++) {
        write_ok(&fake, client);
        assert_true(fake.request.session == FAKE_SESSION && fake.request.floor == 2);
    }
    assert_true(fake.ops[0].seq == 2 + SESSION_WINDOW - 1);
    fake.session = 99;
    write_ok(&fake, client); /* one more would be beyond the window */
    assert_true(fake.request.session == 99 && fake.ops[0].seq == 1);
    assert_int_equal(fake_statistics(client).sessions, 2);
    plx_forget(client, &token);
    fake_expect(&fake, client, WIRE_WRITE); /* the retired one serves nobody any more */
    assert_true(fake.request.session == FAKE_SESSION && fake.ops[0].type == WIRE_OP_UNREGISTER);
    fake_outcome_all(&fake, WIRE_OUTCOME_OK);
    write_ok(&fake, client);
    assert_true(fake.request.session == 99 && fake.request.floor == 2);
    plx_close(client);
    fake_close(&fake);
}

static void test_session_with_tokens_is_not_given_back(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    write_ok(&fake, client);
    (void)leave_unknown(&fake, client);
    plx_close(client);
    while (fake_try(&fake))
        assert_int_not_equal(fake.ops[0].type, WIRE_OP_UNREGISTER);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_is_opened_by_the_first_write_only),
        cmocka_unit_test(test_session_is_given_back_long_after_the_last_answer),
        cmocka_unit_test(test_session_that_ended_idle_leaves_nothing_unknown),
        cmocka_unit_test(test_session_that_ended_idle_vouches_for_no_earlier_seq),
        cmocka_unit_test(test_session_registration_repeats_its_nonce),
        cmocka_unit_test(test_session_nonce_is_of_one_handle_alone),
        cmocka_unit_test(test_session_table_full_names_sessions),
        cmocka_unit_test(test_session_table_full_ends_calls_that_block),
        cmocka_unit_test(test_session_expiry_replaces_an_operation_that_was_never_executed),
        cmocka_unit_test(test_session_expiry_never_executes_twice),
        cmocka_unit_test(test_session_expiry_told_late_is_unknown),
        cmocka_unit_test(test_session_is_retired_when_tokens_fill_its_window),
        cmocka_unit_test(test_session_with_tokens_is_not_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
