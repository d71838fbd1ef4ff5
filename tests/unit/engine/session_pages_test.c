/* What operators ask about sessions: pages of the table; and a session that is ended at their word
 * executes nothing any more, and nothing is concluded from a copy of what it has executed. */
#include "tests/unit/engine/fixture.h"

#include "engine/engine_internal.h"

#define SESSIONS  600u
#define FIRST_SEQ 1u

static struct address operator_address(void)
{
    const uint8_t ip[4] = {10, 0, 0, 99};
    return address_of_ipv4(ip, 5000);
}

static struct fixture *open_fixture(void)
{
    struct engine_options options = fixture_options();
    options.sessions_max = SESSIONS;
    options.session_ttl_ns = UINT64_C(3600000000000);
    return fixture_new(&options);
}

/* Asks for the page that begins there; the answer must be one. */
static struct wire_sessions_reply page_from(struct fixture *f, uint32_t place)
{
    uint8_t body[WIRE_SESSIONS_QUESTION_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_sessions_reply reply;
    struct address from = operator_address();
    fixture_forget_messages(f);
    wire_sessions_encode(&writer, &(struct wire_sessions){.number = 5, .from = place});
    engine_receive(f->engine, &from, WIRE_SESSIONS, span_of(body, writer.size_bytes));
    assert_int_equal(f->message_count, 1);
    const struct fixture_message *message = &f->messages[0];
    assert_int_equal(message->type, WIRE_SESSIONS_REPLY);
    assert_true(address_is_equal(&message->to, &from));
    assert_int_equal(
        wire_sessions_reply_decode(span_of(message->data, message->size_bytes), &reply), OK);
    assert_int_equal(reply.head.number, 5);
    return reply;
}

/* The session as the table has it; id 0: it is not there. */
static struct wire_session look(struct fixture *f, uint64_t id)
{
    uint32_t place = 0;
    do {
        struct wire_sessions_reply page = page_from(f, place);
        for (uint32_t i = 0; i < page.entry_count; i++) {
            struct wire_session session = wire_session_at(&page, i);
            if (session.id == id)
                return session;
        }
        place = page.next;
    } while (place != 0);
    return (struct wire_session){.id = 0};
}

/* Asks for the end of the session; the answer comes when the record is applied, if there is one. */
static struct wire_reply end_session(struct fixture *f, uint64_t id)
{
    uint8_t body[WIRE_SESSION_END_QUESTION_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct address from = operator_address();
    f->asked_from = from;
    fixture_forget_messages(f);
    wire_session_end_encode(&writer, 6, id);
    engine_receive(f->engine, &from, WIRE_SESSION_END, span_of(body, writer.size_bytes));
    if (fixture_propose(f))
        fixture_commit(f);
    assert_int_equal(f->message_count, 1);
    assert_true(address_is_equal(&f->messages[0].to, &from));
    struct wire_reply reply = fixture_reply(f, WIRE_SESSION_END_REPLY);
    assert_int_equal(reply.number, 6);
    return reply;
}

static void expect_end(struct fixture *f, uint64_t id, enum wire_outcome outcome)
{
    struct wire_reply reply = end_session(f, id);
    assert_int_equal(reply.status, WIRE_STATUS_OK);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, outcome);
}

static void test_session_pages_have_each_session_once(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    bool seen[SESSIONS] = {false};
    uint64_t ids[SESSIONS];
    for (uint32_t i = 0; i < 50; i++)
        ids[i] = fixture_register(f);
    expect_end(f, ids[7], WIRE_OUTCOME_OK); /* a free place between them */
    uint32_t place = 0;
    uint32_t count = 0;
    do {
        struct wire_sessions_reply page = page_from(f, place);
        assert_true(page.count == 49 && page.sessions_max == SESSIONS);
        for (uint32_t i = 0; i < page.entry_count; i++) {
            struct wire_session session = wire_session_at(&page, i);
            uint32_t at = 0;
            while (ids[at] != session.id)
                at++;
            assert_false(seen[at]);
            seen[at] = true;
            count++;
        }
        place = page.next;
    } while (place != 0);
    assert_int_equal(count, 49);
    assert_false(seen[7]);
    assert_int_equal(page_from(f, UINT32_MAX).entry_count, 0);
    fixture_free(f);
}

static void test_session_pages_tell_what_is_known(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    uint64_t id = fixture_register(f);
    struct wire_session session = look(f, id);
    assert_int_equal(session.state, WIRE_SESSION_UNUSED);
    assert_true(session.heard_us == UINT64_MAX && session.outcomes == 0);
    assert_true(session.address.port != 0); /* of whoever has opened it */
    struct wire_op op = op_set(FIRST_SEQ, "a", "1");
    assert_int_equal(fixture_do(f, id, &op).outcome, WIRE_OUTCOME_OK);
    fixture_turn(f, 2000);
    session = look(f, id);
    assert_int_equal(session.state, WIRE_SESSION_OPEN);
    assert_int_equal(session.outcomes, 1);
    assert_true(session.quiet_us >= 2000000 && session.quiet_us < 3000000);
    assert_true(session.heard_us >= 2000000 && session.heard_us < 3000000);
    assert_true(session.left_us + session.quiet_us == UINT64_C(3600000000));
    assert_true(session.address.port != 0);
    fixture_free(f);
}

static void test_session_end_is_final(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    uint64_t id = fixture_register(f);
    struct wire_op op = op_set(FIRST_SEQ, "a", "1");
    assert_int_equal(fixture_do(f, id, &op).outcome, WIRE_OUTCOME_OK);
    expect_end(f, id, WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->sessions_operator_ended, 1);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 0);
    assert_int_equal(look(f, id).id, 0);
    expect_end(f, id, WIRE_OUTCOME_NO_SESSION);
    op = op_set(FIRST_SEQ + 1, "a", "2");
    assert_int_equal(fixture_do(f, id, &op).outcome, WIRE_OUTCOME_NO_SESSION);
    struct wire_reply_op value = fixture_get(f, "a");
    assert_value(&value, "1");
    fixture_free(f);
}

/* Its client would take the answer for a sign that nothing was executed. */
static void test_session_end_leaves_copies_unanswered(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    uint64_t id = fixture_register(f);
    struct wire_op op = op_set(FIRST_SEQ, "a", "1");
    const struct fixture_write first = {.session = id, .floor = FIRST_SEQ};
    fixture_write(f, &first, &op, 1);
    uint64_t number = f->packet_number;
    assert_true(fixture_propose(f));
    fixture_commit(f);
    expect_end(f, id, WIRE_OUTCOME_OK);
    fixture_forget_messages(f);
    const struct fixture_write copy = {.session = id, .floor = FIRST_SEQ, .packet_number = number};
    fixture_write(f, &copy, &op, 1);
    assert_int_equal(f->message_count, 0);
    assert_false(fixture_propose(f));
    /* What was sent since cannot have been executed; and a fence is answered whatever its number,
     * for it is no sign of anything. */
    fixture_write(f, &first, &op, 1);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_NO_SESSION);
    fixture_forget_messages(f);
    struct wire_op fence = op_of(WIRE_OP_FENCE, FIRST_SEQ);
    fixture_write(f, &copy, &fence, 1);
    reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_NO_SESSION);
    fixture_free(f);
}

/* Nothing was executed in it, and nodes say so. */
static void test_session_end_of_an_unused_one_is_told(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    uint64_t id = fixture_register(f);
    expect_end(f, id, WIRE_OUTCOME_OK);
    struct wire_op op = op_set(FIRST_SEQ, "a", "1");
    struct wire_reply_op answer = fixture_do(f, id, &op);
    assert_int_equal(answer.outcome, WIRE_OUTCOME_NO_SESSION);
    assert_true(answer.version != 0 && answer.version <= FIRST_SEQ);
    fixture_free(f);
}

static void test_session_end_is_refused_where_it_cannot_be(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    uint64_t id = fixture_register(f);
    assert_int_equal(end_session(f, WIRE_NODE_SESSION_FLAG | 1).status, WIRE_STATUS_BAD_REQUEST);
    assert_int_equal(end_session(f, 0).status, WIRE_STATUS_BAD_REQUEST);
    fixture_follow(f, 2, 2);
    assert_int_equal(end_session(f, id).status, WIRE_STATUS_NOT_LEADER);
    assert_int_equal(page_from(f, 0).head.status, WIRE_STATUS_NOT_LEADER);
    fixture_forget_messages(f);
    struct address from = operator_address();
    engine_receive(f->engine, &from, WIRE_SESSIONS, span_of("x", 1));
    engine_receive(f->engine, &from, WIRE_SESSION_END, span_of("x", 1));
    assert_int_equal(f->message_count, 0);
    assert_int_equal(engine_counters(f->engine)->requests_malformed, 2);
    fixture_free(f);
}

static void test_session_end_and_pages_take_the_right(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    const struct rights none = {.is_free = false};
    uint64_t id = fixture_register(f);
    engine_set_rights(f->engine, &none);
    assert_int_equal(page_from(f, 0).head.status, WIRE_STATUS_DENIED);
    assert_int_equal(end_session(f, id).status, WIRE_STATUS_DENIED);
    assert_int_equal(engine_counters(f->engine)->operators_denied, 2);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
    fixture_free(f);
}

/* A leader ends none whose copies it would not know: the places of one id are used up. */
static void test_session_end_waits_for_a_place(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct machine *machine = &f->engine->machine;
    fixture_turn(f, 10);
    uint64_t id = fixture_register(f);
    uint64_t later_ns = machine->log_time_ns + machine->session_ttl_ns / 2;
    for (uint32_t i = 0; i < CLOSED_SESSIONS_MAX; i++)
        machine->closed.places[i] =
            (struct closed_session){.id = i + 1, .packet_highest = 1, .until_ns = later_ns};
    assert_int_equal(end_session(f, id).status, WIRE_STATUS_OVERLOADED);
    for (uint32_t i = 0; i < CLOSED_SESSIONS_MAX; i++)
        machine->closed.places[i].until_ns = 0;
    expect_end(f, id, WIRE_OUTCOME_OK);
    fixture_free(f);
}

/* Another node applies the same log to the same state. */
static void test_session_end_is_of_all_nodes(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct fixture *other = open_fixture();
    uint64_t id = fixture_register(f);
    struct wire_op op = op_set(FIRST_SEQ, "a", "1");
    assert_int_equal(fixture_do(f, id, &op).outcome, WIRE_OUTCOME_OK);
    expect_end(f, id, WIRE_OUTCOME_OK);
    fixture_apply_to(f, other->engine);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    fixture_free(f);
    fixture_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_pages_have_each_session_once),
        cmocka_unit_test(test_session_pages_tell_what_is_known),
        cmocka_unit_test(test_session_end_is_final),
        cmocka_unit_test(test_session_end_leaves_copies_unanswered),
        cmocka_unit_test(test_session_end_of_an_unused_one_is_told),
        cmocka_unit_test(test_session_end_is_refused_where_it_cannot_be),
        cmocka_unit_test(test_session_end_and_pages_take_the_right),
        cmocka_unit_test(test_session_end_waits_for_a_place),
        cmocka_unit_test(test_session_end_is_of_all_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
