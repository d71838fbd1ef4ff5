/* Sessions with nothing open end soon; a notice reaches the log only from a client that rests. */
#include "tests/unit/engine/fixture.h"
#include "engine/service/idle.h"

#define LIFETIME_MS 400000u /* its quarter is longer than 30 s */
#define IDLE_MS     30000u
#define WAIT_MS     1000u

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    options.session_ttl_ns = LIFETIME_MS * (uint64_t)FIXTURE_MS;
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static struct wire_op set(uint64_t seq)
{
    return (struct wire_op){.type = WIRE_OP_SET,
                            .has_value = true,
                            .seq = seq,
                            .key = span_of("key", 3),
                            .value = span_of("value", 5)};
}

static uint8_t do_set(struct fixture *f, uint64_t session, uint64_t seq)
{
    struct wire_op op = set(seq);
    return fixture_do(f, session, &op).outcome;
}

static void notice(struct fixture *f, uint64_t session, uint64_t floor)
{
    const struct wire_op idle = {.type = WIRE_OP_IDLE};
    fixture_forget_messages(f);
    fixture_write(f, &(struct fixture_write){.session = session, .floor = floor}, &idle, 1);
    assert_int_equal(f->message_count, 0); /* nobody answers */
}

/* A notice, and the record that it becomes. */
static void rest(struct fixture *f, uint64_t session, uint64_t floor)
{
    notice(f, session, floor);
    fixture_turn(f, WAIT_MS);
    assert_true(fixture_propose(f));
    fixture_commit(f);
}

static uint64_t open_count(const struct fixture *f)
{
    return engine_counters(f->engine)->sessions_open;
}

static void test_idle_session_that_was_never_used_ends_soon(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_NO_SESSION);
    assert_int_equal(open_count(f), 0);
}

static void test_idle_session_with_an_unacknowledged_outcome_keeps_its_lifetime(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    rest(f, session, 1); /* a notice that does not acknowledge seq 1 */
    fixture_turn(f, LIFETIME_MS - WAIT_MS - 1);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_OK);
    fixture_turn(f, LIFETIME_MS + 1);
    assert_int_equal(do_set(f, session, 3), WIRE_OUTCOME_NO_SESSION);
}

static void test_idle_session_ends_soon_once_all_is_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    rest(f, session, 2);
    fixture_turn(f, IDLE_MS);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_OK); /* and so it is open again */
    fixture_turn(f, 2 * IDLE_MS);
    assert_int_equal(do_set(f, session, 3), WIRE_OUTCOME_OK);
    rest(f, session, 4);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 4), WIRE_OUTCOME_NO_SESSION);
    /* A late copy of what was executed is not executed again. */
    assert_int_equal(do_set(f, session, 3), WIRE_OUTCOME_NO_SESSION);
    engine_check_invariants(f->engine);
}

/* A fence of whoever resolves a token is an outcome, too. */
static void test_idle_session_that_is_fenced_is_open_again(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    const struct wire_op fence = {.type = WIRE_OP_FENCE, .seq = 1};
    assert_int_equal(fixture_do(f, session, &fence).outcome, WIRE_OUTCOME_FENCED);
    fixture_turn(f, 2 * IDLE_MS);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_FENCED);
}

static void test_idle_keep_alive_says_that_something_is_open(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    const struct wire_op keep = {.type = WIRE_OP_KEEP_ALIVE};
    assert_int_equal(fixture_do(f, session, &keep).outcome, WIRE_OUTCOME_OK);
    fixture_turn(f, 2 * IDLE_MS);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
}

static void test_idle_share_of_a_short_lifetime(void **state)
{
    (void)state;
    assert_true(session_idle_ns(UINT64_C(3600) * 1000 * FIXTURE_MS) == SESSION_IDLE_NS);
    assert_true(session_idle_ns(4000) == 1000);
}

/* A client at work sends a notice after each call, and its log has nothing of them. */
static void test_idle_notices_of_a_client_at_work_are_not_logged(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    for (uint64_t seq = 1; seq < 40; seq++) {
        assert_int_equal(do_set(f, session, seq), WIRE_OUTCOME_OK);
        notice(f, session, seq + 1);
        fixture_turn(f, WAIT_MS / 10);
        assert_false(fixture_propose(f));
    }
    fixture_turn(f, WAIT_MS);
    assert_true(fixture_propose(f)); /* that of the last call */
    fixture_commit(f);
    assert_int_equal(engine_deadline_ns(f->engine),
                     f->view.now_ns + IDLE_MS * (uint64_t)FIXTURE_MS + 1);
}

/* It is older than what its session has sent since, in whatever order they come. */
static void test_idle_notice_is_dropped_when_something_came_after_it(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    notice(f, session, 2);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK); /* from the window: no record */
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    const struct wire_op idle = {.type = WIRE_OP_IDLE};
    uint64_t late = f->packet_number - 1;
    fixture_write(f, &(struct fixture_write){session, 2, .packet_number = late}, &idle, 1);
    fixture_turn(f, 2 * WAIT_MS);
    assert_false(fixture_propose(f));
}

static void test_idle_notice_of_a_deposed_leader_is_forgotten(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    notice(f, session, 2);
    f->view.is_leader = false;
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
}

static void test_idle_notice_waits_for_a_quorum(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    f->view.has_fresh_quorum = false;
    notice(f, session, 2);
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
    f->view.has_fresh_quorum = true;
    fixture_turn(f, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_NO_SESSION);
}

/* A handle was closed, and nobody is there to send that again. */
static void test_idle_session_whose_end_was_refused_ends_soon(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    const struct wire_op end = {.type = WIRE_OP_UNREGISTER};
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    notice(f, session, 2);
    f->view.has_fresh_quorum = false;
    fixture_turn(f, 0);
    fixture_write(f, &(struct fixture_write){.session = session, .floor = 2}, &end, 1);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_NO_QUORUM);
    f->view.has_fresh_quorum = true;
    fixture_turn(f, WAIT_MS);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(open_count(f), 1);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_NO_SESSION);
}

/* What comes after the end of an idle session learns from which seq on nothing was executed. */
static void test_idle_session_that_ended_tells_what_was_never_executed(void **state)
{
    struct fixture *f = *state;
    uint64_t idle = fixture_register(f);
    uint64_t active = fixture_register(f);
    const struct wire_op op = set(2);
    assert_int_equal(do_set(f, idle, 1), WIRE_OUTCOME_OK);
    assert_int_equal(do_set(f, active, 1), WIRE_OUTCOME_OK);
    rest(f, idle, 2);
    fixture_turn(f, IDLE_MS + 1);
    for (uint32_t i = 0; i < 2; i++) { /* from the log, then at admission */
        struct wire_reply_op reply = fixture_do(f, idle, &op);
        assert_int_equal(reply.outcome, WIRE_OUTCOME_NO_SESSION);
        assert_true(reply.version == 2);
    }
    fixture_turn(f, LIFETIME_MS);
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_reply_op reply = fixture_do(f, active, &op);
        assert_int_equal(reply.outcome, WIRE_OUTCOME_NO_SESSION);
        assert_true(reply.version == 0);
    }
}

static void test_idle_notice_with_company_is_refused(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    const struct wire_op ops[] = {{.type = WIRE_OP_IDLE}, set(1)};
    fixture_forget_messages(f);
    fixture_write(f, &(struct fixture_write){.session = session}, ops, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_BAD_REQUEST);
}

/* No other record moves the log time on, so the leader writes one, and none before it is due. */
static void test_idle_sessions_end_in_a_quiet_log(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 5; i++)
        (void)fixture_register(f);
    assert_true(engine_deadline_ns(f->engine) > f->view.now_ns);
    fixture_turn(f, IDLE_MS);
    assert_false(fixture_propose(f));
    fixture_turn(f, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(open_count(f), 0);
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
    fixture_turn(f, 10 * IDLE_MS);
    assert_false(fixture_propose(f));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_idle_session_that_was_never_used_ends_soon),
        T(test_idle_session_with_an_unacknowledged_outcome_keeps_its_lifetime),
        T(test_idle_session_ends_soon_once_all_is_acknowledged),
        T(test_idle_session_that_is_fenced_is_open_again),
        T(test_idle_keep_alive_says_that_something_is_open),
        T(test_idle_share_of_a_short_lifetime),
        T(test_idle_notices_of_a_client_at_work_are_not_logged),
        T(test_idle_notice_is_dropped_when_something_came_after_it),
        T(test_idle_notice_of_a_deposed_leader_is_forgotten),
        T(test_idle_notice_waits_for_a_quorum),
        T(test_idle_session_whose_end_was_refused_ends_soon),
        T(test_idle_session_that_ended_tells_what_was_never_executed),
        T(test_idle_notice_with_company_is_refused),
        T(test_idle_sessions_end_in_a_quiet_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
