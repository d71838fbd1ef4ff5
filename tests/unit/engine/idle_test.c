/* Sessions with nothing open end soon; a notice reaches the log only from a client that rests. */
#include "tests/unit/engine/pair.h"

#include "base/le.h"
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

static int setup_pair(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.session_ttl_ns = LIFETIME_MS * (uint64_t)FIXTURE_MS;
    *state = pair_new(&options);
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

/* A session with one write, which was executed. */
static uint64_t used_session(struct fixture *f)
{
    uint64_t session = fixture_register(f);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    return session;
}

/* The notice goes into the log, and so the session ends. */
static void expect_end(struct fixture *f, uint64_t session)
{
    assert_true(fixture_propose(f));
    fixture_commit(f);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_NO_SESSION);
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
    uint64_t session = used_session(f);
    const struct wire_op op = set(2);
    fixture_write(f, &(struct fixture_write){.session = session}, &op, 1);
    assert_true(fixture_propose(f)); /* and applied only after the notice is in the log, too: */
    rest(f, session, 2);             /* it does not acknowledge seq 2 */
    fixture_turn(f, LIFETIME_MS - WAIT_MS - 1);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_OK);
    assert_int_equal(do_set(f, session, 3), WIRE_OUTCOME_OK);
    fixture_turn(f, LIFETIME_MS + 1);
    assert_int_equal(do_set(f, session, 4), WIRE_OUTCOME_NO_SESSION);
}

static void test_idle_session_ends_soon_once_all_is_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
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
    uint64_t rests_ns = f->view.now_ns;
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f)); /* it has looked once more */
    assert_int_equal(engine_deadline_ns(f->engine), rests_ns + IDLE_MS * (uint64_t)FIXTURE_MS + 1);
}

/* Its session is in use, perhaps. */
static void test_idle_notice_waits_longer_when_something_came_after_it(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    notice(f, session, 2);
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK); /* from the window: no record */
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    fixture_turn(f, WAIT_MS);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    /* What is executed then overtakes it for good. */
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_OK);
    notice(f, session, 3);
    assert_int_equal(do_set(f, session, 3), WIRE_OUTCOME_OK);
    fixture_turn(f, 2 * WAIT_MS);
    assert_false(fixture_propose(f));
}

/* The record that was to end the session is lost, and the handle is closed. */
static void test_idle_session_whose_end_was_lost_ends_soon(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    const struct wire_op end = {.type = WIRE_OP_UNREGISTER};
    struct span payload;
    assert_int_equal(do_set(f, session, 1), WIRE_OUTCOME_OK);
    notice(f, session, 2);
    fixture_write(f, &(struct fixture_write){.session = session, .floor = 2}, &end, 1);
    assert_true(engine_batch(f->engine, &payload));
    engine_batch_refused(f->engine, WIRE_STATUS_NOT_LEADER);
    fixture_turn(f, WAIT_MS);
    if (!fixture_propose(f)) {
        fixture_turn(f, WAIT_MS);
        assert_true(fixture_propose(f));
    }
    fixture_commit(f);
    assert_int_equal(open_count(f), 1);
    fixture_turn(f, IDLE_MS + 1);
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_NO_SESSION);
}

/* So many looks at what waits; returns at which one the node had a notice to hand over first, 0:
 * at none. */
static uint32_t look_on(struct fixture *f, uint32_t looks)
{
    struct span request;
    uint32_t first = 0;
    for (uint32_t i = 1; i <= looks; i++) {
        fixture_turn(f, WAIT_MS);
        assert_false(fixture_propose(f));
        if (engine_forward(f->engine, &request) && first == 0)
            first = i;
    }
    return first;
}

/* Its client may be gone by now, and nobody else has the notice. */
static void test_idle_notice_of_a_deposed_leader_is_handed_over(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    notice(f, session, 2);
    fixture_follow(f, 2, 2);
    assert_int_equal(look_on(f, IDLE_FORWARD_LOOKS - 1), 0);
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    struct span request;
    assert_true(engine_forward(f->engine, &request));
    assert_true(le64_load(request.data) == session && le64_load(request.data + 8) == 2);
    assert_false(engine_forward(f->engine, &request));
    assert_true(engine_counters(f->engine)->notices_forwarded == 1);
    /* As often as the looks double; and after a minute no more. */
    (void)look_on(f, IDLE_LOOKS_MAX - IDLE_FORWARD_LOOKS);
    assert_true(engine_counters(f->engine)->notices_forwarded == 4); /* 4, 8, 16 and 32 */
    assert_true(engine_counters(f->engine)->notices_forgotten == 1);
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
}

/* Clients tell all nodes: one of them leads next. */
static void test_idle_notice_is_kept_by_who_leads_next(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    fixture_follow(f, 2, 2);
    notice(f, session, 2);
    assert_int_equal(look_on(f, 2), 0);
    fixture_follow(f, f->options.self, 3);
    fixture_turn(f, WAIT_MS);
    expect_end(f, session);
}

/* What the log shows already, or something newer, costs it nothing. */
static void test_idle_notice_that_says_nothing_new_is_not_logged(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    rest(f, session, 2);
    notice(f, session, 2);
    fixture_turn(f, 2 * WAIT_MS);
    assert_false(fixture_propose(f));
    assert_int_equal(do_set(f, session, 2), WIRE_OUTCOME_OK);
    notice(f, session, 2); /* sent before that, by its floor */
    fixture_turn(f, 2 * WAIT_MS);
    assert_false(fixture_propose(f));
}

static void test_idle_notice_waits_for_room_in_the_log(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    uint64_t room = f->view.log_room_bytes;
    f->view.log_room_bytes = 0;
    notice(f, session, 2);
    for (uint32_t i = 0; i < 3; i++) {
        fixture_turn(f, WAIT_MS);
        assert_false(fixture_propose(f));
    }
    f->view.log_room_bytes = room;
    fixture_turn(f, WAIT_MS);
    expect_end(f, session);
}

/* A record that never became the log's took the notice with it. */
static void test_idle_notice_is_written_again_when_its_record_is_lost(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    notice(f, session, 2);
    fixture_turn(f, WAIT_MS);
    struct span payload;
    assert_true(engine_batch(f->engine, &payload));
    engine_batch_refused(f->engine, WIRE_STATUS_NOT_LEADER);
    fixture_turn(f, WAIT_MS);
    expect_end(f, session);
}

static void test_idle_notice_waits_for_a_quorum(void **state)
{
    struct fixture *f = *state;
    uint64_t session = used_session(f);
    f->view.has_fresh_quorum = false;
    notice(f, session, 2);
    fixture_turn(f, WAIT_MS);
    assert_false(fixture_propose(f));
    assert_int_equal(engine_deadline_ns(f->engine), UINT64_MAX);
    f->view.has_fresh_quorum = true;
    fixture_turn(f, 0);
    expect_end(f, session);
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

/* The leader never got the notice, and its client is gone: the other node hands it over. */
static void test_idle_notice_reaches_the_leader_by_way_of_another_node(void **state)
{
    struct pair *p = *state;
    struct kept kept;
    const struct wire_op op = op_set(1, "key", "value");
    const struct wire_op idle = {.type = WIRE_OP_IDLE};
    assert_int_equal(write_now(p, &op, 1), WIRE_OUTCOME_OK);
    uint64_t sessions = open_count(p->leader);
    fixture_write(p->node, &(struct fixture_write){p->session, 2, .packet_number = 9}, &idle, 1);
    for (uint32_t i = 0; i < IDLE_FORWARD_LOOKS; i++) {
        assert_false(keep_forward(p->node, &kept));
        fixture_turn(p->node, WAIT_MS);
        fixture_turn(p->leader, WAIT_MS);
        assert_false(fixture_propose(p->node));
        assert_false(fixture_propose(p->leader));
    }
    assert_true(keep_forward(p->node, &kept));
    engine_receive_forward(p->leader->engine, 2, 2, span_of(kept.data, kept.size_bytes));
    fixture_turn(p->leader, WAIT_MS);
    commit(p);
    fixture_turn(p->node, WAIT_MS);
    fixture_turn(p->leader, IDLE_MS + 1);
    commit(p);
    assert_true(open_count(p->leader) == sessions - 1);
    /* It has learned so by applying, and asks for nothing any more. */
    fixture_turn(p->node, IDLE_LOOKS_MAX * WAIT_MS);
    assert_false(fixture_propose(p->node));
    assert_false(keep_forward(p->node, &kept));
}

/* What a node hands over is held against the session as what a client sends. */
static void test_idle_notice_handed_over_is_of_its_session(void **state)
{
    struct pair *p = *state;
    const struct wire_op op = op_set(1, "key", "value");
    const struct wire_op idle = {.type = WIRE_OP_IDLE, .seq = 9};
    uint8_t bytes[128];
    assert_int_equal(write_now(p, &op, 1), WIRE_OUTCOME_OK);
    uint64_t before = engine_counters(p->leader->engine)->claims_seq;
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    wire_request_begin(&writer, p->session, UINT64_MAX / 2);
    wire_request_add(&writer, &idle);
    engine_receive_forward(p->leader->engine, 2, 2, span_of(bytes, writer.size_bytes));
    assert_true(engine_counters(p->leader->engine)->claims_seq == before + 1);
    /* An op that no node hands over. */
    before = engine_counters(p->leader->engine)->requests_malformed;
    writer.size_bytes = 0;
    wire_request_begin(&writer, p->session, 2);
    wire_request_add(&writer, &(struct wire_op){.type = WIRE_OP_UNREGISTER});
    engine_receive_forward(p->leader->engine, 2, 2, span_of(bytes, writer.size_bytes));
    assert_true(engine_counters(p->leader->engine)->requests_malformed == before + 1);
    fixture_turn(p->leader, 2 * WAIT_MS);
    assert_false(fixture_propose(p->leader));
}

#define P(name) cmocka_unit_test_setup_teardown(name, setup_pair, pair_teardown)
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
        T(test_idle_notice_waits_longer_when_something_came_after_it),
        T(test_idle_notice_of_a_deposed_leader_is_handed_over),
        T(test_idle_notice_is_kept_by_who_leads_next),
        T(test_idle_notice_that_says_nothing_new_is_not_logged),
        T(test_idle_notice_waits_for_room_in_the_log),
        T(test_idle_notice_is_written_again_when_its_record_is_lost),
        P(test_idle_notice_reaches_the_leader_by_way_of_another_node),
        P(test_idle_notice_handed_over_is_of_its_session),
        T(test_idle_notice_waits_for_a_quorum),
        T(test_idle_session_whose_end_was_refused_ends_soon),
        T(test_idle_session_whose_end_was_lost_ends_soon),
        T(test_idle_session_that_ended_tells_what_was_never_executed),
        T(test_idle_notice_with_company_is_refused),
        T(test_idle_sessions_end_in_a_quiet_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
