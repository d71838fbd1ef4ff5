/* What hosts that nobody knows may take: sessions that they do not use, and relaxed sessions. */
#include "tests/unit/engine/fixture.h"

#include "engine/engine_internal.h"

#define SESSIONS 512u

static struct address address_at(uint8_t host, uint16_t port)
{
    const uint8_t ip[4] = {10, 0, 0, host};
    return address_of_ipv4(ip, port);
}

/* Delivers a write of these ops from there; with an answer its status and the first outcome. */
static uint8_t write_from(struct fixture *f, const struct address *from,
                          const struct fixture_write *write, const struct wire_op *ops,
                          uint32_t op_count)
{
    f->client = *from;
    fixture_forget_messages(f);
    fixture_write(f, write, ops, op_count);
    if (fixture_propose(f))
        fixture_commit(f);
    fixture_durable(f);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(reply.status, WIRE_STATUS_OK);
    return fixture_reply_op(&reply, 0).outcome;
}

/* Opens sessions from there, so many a packet, as long as that is granted; how many. */
static uint32_t register_all(struct fixture *f, const struct address *from, uint32_t a_packet)
{
    struct wire_op ops[REQUEST_OPS_MAX];
    uint32_t count = 0;
    while (count <= SESSIONS) {
        for (uint32_t i = 0; i < a_packet; i++)
            ops[i] = op_of(WIRE_OP_REGISTER, f->nonce += 2);
        struct fixture_write write = {.session = 0};
        uint8_t outcome = write_from(f, from, &write, ops, a_packet);
        if (outcome != WIRE_OUTCOME_OK) {
            assert_int_equal(outcome, WIRE_OUTCOME_SESSIONS_FULL);
            break;
        }
        count += a_packet;
    }
    return count;
}

static struct fixture *open_fixture(void)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.sessions_max = SESSIONS;
    options.session_ttl_ns = UINT64_C(3600000000000);
    return fixture_new(&options);
}

/* Packets full of registrations, from one address and from ever new ports of its host. */
static void test_newcomers_leave_sessions_to_other_hosts(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct address hostile = address_at(1, 1000);
    assert_int_equal(register_all(f, &hostile, REQUEST_OPS_MAX), NEWCOMER_SESSIONS_MIN);
    uint32_t count = NEWCOMER_SESSIONS_MIN;
    for (uint16_t port = 1001; port < 1064; port++) {
        hostile.port = port;
        count += register_all(f, &hostile, 1);
    }
    assert_int_equal(count, SESSIONS / 2);
    assert_true(engine_counters(f->engine)->sessions_over_share >= 63);
    struct address honest = address_at(2, 1000);
    assert_int_equal(register_all(f, &honest, 1), NEWCOMER_SESSIONS_MIN);
    fixture_free(f);
}

/* Whoever uses what he opens may open more. */
static void test_newcomers_that_use_their_sessions_are_none(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct address busy = address_at(1, 1000);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct wire_op op = op_of(WIRE_OP_REGISTER, f->nonce += 2);
        struct fixture_write write = {.session = 0};
        assert_int_equal(write_from(f, &busy, &write, &op, 1), WIRE_OUTCOME_OK);
        struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
        write.session = fixture_reply_op(&reply, 0).version;
        op = i % 2 == 0 ? op_set(1, "a", "x") : op_of(WIRE_OP_UNREGISTER, 0);
        assert_int_equal(write_from(f, &busy, &write, &op, 1), WIRE_OUTCOME_OK);
    }
    assert_int_equal(engine_counters(f->engine)->sessions_over_share, 0);
    fixture_free(f);
}

/* A registration that comes twice opens one session, and counts once. */
static void test_newcomers_may_repeat_a_registration(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct address from = address_at(1, 1000);
    struct wire_op op = op_of(WIRE_OP_REGISTER, 4711);
    struct fixture_write write = {.session = 0};
    for (uint32_t i = 0; i < 2 * NEWCOMER_SESSIONS_MIN; i++)
        assert_int_equal(write_from(f, &from, &write, &op, 1), WIRE_OUTCOME_OK);
    fixture_free(f);
}

/* One session more, from there. */
static uint64_t register_one(struct fixture *f, const struct address *from)
{
    struct wire_op op = op_of(WIRE_OP_REGISTER, f->nonce += 2);
    struct fixture_write write = {.session = 0};
    assert_int_equal(write_from(f, from, &write, &op, 1), WIRE_OUTCOME_OK);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    return fixture_reply_op(&reply, 0).version;
}

/* Takes all sessions but one, from many hosts. */
static void crowd(struct fixture *f)
{
    for (uint8_t i = 2; engine_counters(f->engine)->sessions_open < SESSIONS - 8; i++) {
        struct address host = address_at(i, 1000);
        (void)register_all(f, &host, 8);
    }
}

static uint8_t set_in(struct fixture *f, uint64_t session, uint64_t seq)
{
    struct address host = address_at(1, 1000);
    struct wire_op op = op_set(seq, "a", "x");
    struct fixture_write write = {.session = session, .floor = seq};
    return write_from(f, &host, &write, &op, 1);
}

/* Where the table is three quarters full, what is not used ends within seconds; what is, stays. */
static void test_newcomers_unused_sessions_end_under_pressure(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct address host = address_at(1, 1000);
    uint64_t used = register_one(f, &host);
    uint64_t seq = 1;
    assert_int_equal(set_in(f, used, seq++), WIRE_OUTCOME_OK);
    crowd(f);
    for (uint32_t turn = 0; turn < 64; turn++) {
        fixture_turn(f, 125);
        while (fixture_propose(f))
            fixture_commit(f);
        assert_int_equal(set_in(f, used, seq++), WIRE_OUTCOME_OK);
    }
    assert_in_range(engine_counters(f->engine)->sessions_open, 1, SESSIONS * 3 / 4);
    assert_true(engine_counters(f->engine)->sessions_unused_ended >= SESSIONS / 4 - 8);
    assert_int_equal(set_in(f, used, seq), WIRE_OUTCOME_OK);
    fixture_free(f);
}

/* The first write comes at the last moment: into the batch that would have ended the session. */
static void test_newcomers_first_write_keeps_the_session(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct address host = address_at(1, 1000);
    uint64_t late = register_one(f, &host);
    uint64_t used = register_one(f, &host);
    crowd(f);
    fixture_turn(f, NEWCOMER_UNUSED_NS / FIXTURE_MS + 1000);
    assert_int_equal(set_in(f, used, 1), WIRE_OUTCOME_OK); /* log time goes on */
    assert_int_equal(set_in(f, late, 1), WIRE_OUTCOME_OK);
    assert_true(engine_counters(f->engine)->sessions_unused_ended > 0);
    assert_int_equal(set_in(f, late, 2), WIRE_OUTCOME_OK);
    fixture_free(f);
}

/* A thousand identities from one address, then from one host: others still find room. */
static void test_newcomers_leave_relaxed_sessions_to_others(void **state)
{
    (void)state;
    struct fixture *f = open_fixture();
    struct relaxed_sessions *sessions = &f->engine->relaxed.sessions;
    struct address hostile = address_at(1, 1000);
    uint64_t id = 1;
    for (uint32_t i = 0; i < 2 * RELAXED_SESSIONS_MAX; i++) {
        hostile.port = (uint16_t)(1000 + (i < RELAXED_SESSIONS_MAX ? 0 : i));
        if (relaxed_sessions_is_over_share(sessions, &hostile, f->view.now_ns)) {
            assert_true(sessions->slots_used == RELAXED_SESSIONS_OF_ADDRESS ||
                        sessions->slots_used == RELAXED_SESSIONS_MAX / 2);
            continue;
        }
        struct relaxed_session *session = relaxed_sessions_take(sessions, id++, f->view.now_ns);
        assert_non_null(session);
        relaxed_sessions_note_opener(sessions, session, &hostile);
    }
    assert_int_equal(sessions->slots_used, RELAXED_SESSIONS_MAX / 2);
    struct fixture_write write = {.session = UINT64_C(1) << 40, .is_relaxed = true};
    struct wire_op op = op_set(1, "a", "x");
    hostile.port = 999;
    f->client = hostile;
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OVERLOADED);
    assert_int_equal(engine_counters(f->engine)->relaxed_over_share, 1);
    struct address honest = address_at(2, 1000);
    write.session++;
    assert_int_equal(write_from(f, &honest, &write, &op, 1), WIRE_OUTCOME_OK);
    /* Those that were silent for long enough count no more. */
    fixture_turn(f, RELAXED_SESSION_IDLE_NS / FIXTURE_MS);
    write.session++;
    assert_int_equal(write_from(f, &hostile, &write, &op, 1), WIRE_OUTCOME_OK);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newcomers_leave_sessions_to_other_hosts),
        cmocka_unit_test(test_newcomers_that_use_their_sessions_are_none),
        cmocka_unit_test(test_newcomers_may_repeat_a_registration),
        cmocka_unit_test(test_newcomers_unused_sessions_end_under_pressure),
        cmocka_unit_test(test_newcomers_first_write_keeps_the_session),
        cmocka_unit_test(test_newcomers_leave_relaxed_sessions_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
