/* The replicated state machine, driven by requests as clients send them. */
#include "tests/unit/engine/fixture.h"

/* Twice as many as the machine ends in one record, and more. */
#define EXPIRED_SESSIONS 150

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void expect_outcome(struct fixture *f, uint64_t session, struct wire_op op, uint8_t outcome)
{
    struct wire_reply_op reply = fixture_do(f, session, &op);
    assert_string_equal(wire_outcome_name(reply.outcome), wire_outcome_name(outcome));
    assert_int_equal(reply.seq, op.seq);
}

static void expect_stored(struct fixture *f, const char *key, const char *value)
{
    struct wire_reply_op reply = fixture_get(f, key);
    assert_int_equal(reply.outcome, value == NULL ? WIRE_OUTCOME_NOT_FOUND : WIRE_OUTCOME_OK);
    assert_value(&reply, value);
}

static void test_machine_sets_and_deletes(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_stored(f, "a", NULL);
    expect_outcome(f, session, op_set(1, "a", "one"), WIRE_OUTCOME_OK);
    expect_stored(f, "a", "one");
    expect_outcome(f, session, op_set(2, "a", ""), WIRE_OUTCOME_OK);
    expect_stored(f, "a", "");
    expect_outcome(f, session, op_set(3, "a", NULL), WIRE_OUTCOME_OK);
    expect_stored(f, "a", NULL);
    expect_outcome(f, session, op_set(4, "a", NULL), WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->keys, 0);
    assert_int_equal(engine_counters(f->engine)->blocks, 0);
}

static void test_machine_versions_a_key_by_its_record(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a", "one");
    struct wire_reply_op reply = fixture_do(f, session, &op);
    assert_int_equal(reply.version, engine_applied_index(f->engine));
    assert_int_equal(fixture_get(f, "a").version, engine_applied_index(f->engine));
}

static void test_machine_swaps_with_absent_on_either_side(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_swap(1, "a", "x", "y"), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_swap(2, "a", "x", NULL), WIRE_OUTCOME_OK);
    expect_stored(f, "a", "x");
    expect_outcome(f, session, op_swap(3, "a", "y", NULL), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_swap(4, "a", "y", "xx"), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_swap(5, "a", "y", "x"), WIRE_OUTCOME_OK);
    expect_stored(f, "a", "y");
    expect_outcome(f, session, op_swap(6, "a", NULL, "x"), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_swap(7, "a", NULL, "y"), WIRE_OUTCOME_OK);
    expect_stored(f, "a", NULL);
    expect_outcome(f, session, op_swap(8, "a", NULL, NULL), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_swap(9, "a", "", NULL), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_swap(10, "a", "z", NULL), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_swap(11, "a", "z", ""), WIRE_OUTCOME_OK);
}

static void test_machine_returns_the_value_that_did_not_match(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_set(1, "a", "one"), WIRE_OUTCOME_OK);
    uint64_t version = engine_applied_index(f->engine);
    struct wire_op op = op_swap(2, "a", "two", "zero");
    struct wire_reply_op reply = fixture_do(f, session, &op);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(reply.version, version);
    assert_value(&reply, "one");
    op = op_swap(3, "b", "two", "zero");
    reply = fixture_do(f, session, &op);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(reply.version, 0);
    assert_value(&reply, NULL);
}

static void test_machine_executes_a_retry_once(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_swap(1, "n", "1", NULL), WIRE_OUTCOME_OK);
    uint64_t version = engine_applied_index(f->engine);
    expect_outcome(f, session, op_set(2, "n", NULL), WIRE_OUTCOME_OK);
    /* Executed again, it would create the key anew. */
    struct wire_op retry = op_swap(1, "n", "1", NULL);
    struct wire_reply_op reply = fixture_do(f, session, &retry);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_OK);
    assert_int_equal(reply.version, version);
    expect_stored(f, "n", NULL);
}

/* Two copies of one op in the log: what intake cannot catch while the first is not applied. */
static void test_machine_executes_two_copies_in_the_log_once(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_swap(1, "n", "1", NULL);
    struct fixture_write write = {.session = session};
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(f->message_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct wire_reply reply;
        assert_int_equal(
            wire_reply_decode(span_of(f->messages[i].data, f->messages[i].size_bytes), &reply), OK);
        assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    }
    assert_int_equal(engine_counters(f->engine)->ops_duplicate, 2);
}

static void test_machine_keeps_a_window_of_outcomes(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_set(SESSION_WINDOW, "a", "edge"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(SESSION_WINDOW + 1, "a", "over"), WIRE_OUTCOME_WINDOW);
    expect_stored(f, "a", "edge");
    expect_outcome(f, session, op_set(1, "a", "first"), WIRE_OUTCOME_OK);

    struct fixture_write write = {.session = session, .floor = 2};
    struct wire_op ops[] = {op_set(SESSION_WINDOW + 1, "a", "over"), op_set(1, "a", "again"),
                            op_set(SESSION_WINDOW + 2, "a", "far")};
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 3);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(fixture_reply_op(&reply, 1).outcome, WIRE_OUTCOME_FORGOTTEN);
    assert_int_equal(fixture_reply_op(&reply, 2).outcome, WIRE_OUTCOME_WINDOW);
    expect_stored(f, "a", "over");
    expect_outcome(f, session, op_set(UINT64_C(1) << 40, "a", "absurd"), WIRE_OUTCOME_WINDOW);
}

static void test_machine_never_lowers_the_floor(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct fixture_write write = {.session = session, .floor = 50};
    struct wire_op op = op_set(50, "a", "b");
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    expect_outcome(f, session, op_set(49, "a", "late"), WIRE_OUTCOME_FORGOTTEN);
    expect_stored(f, "a", "b");
}

static void test_machine_fences_what_has_not_come(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_of(WIRE_OP_FENCE, 1), WIRE_OUTCOME_FENCED);
    expect_outcome(f, session, op_set(1, "a", "late"), WIRE_OUTCOME_FENCED);
    expect_stored(f, "a", NULL);
    assert_int_equal(engine_counters(f->engine)->ops_fenced, 1);
}

static void test_machine_fence_tells_what_came_first(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_set(1, "a", "x"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_swap(2, "a", "y", "z"), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_of(WIRE_OP_FENCE, 1), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_of(WIRE_OP_FENCE, 2), WIRE_OUTCOME_MISMATCH);
    expect_outcome(f, session, op_of(WIRE_OP_FENCE, 1 + SESSION_WINDOW), WIRE_OUTCOME_WINDOW);
}

/* In the log before the original, though it left later. */
static void test_machine_fence_overtakes_the_original(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op fence = op_of(WIRE_OP_FENCE, 7);
    struct wire_op original = op_set(7, "a", "x");
    struct fixture_write write = {.session = session};
    fixture_write(f, &write, &fence, 1);
    fixture_write(f, &write, &original, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_FENCED);
    expect_stored(f, "a", NULL);
}

static void test_machine_returns_a_mismatch_again(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_set(1, "a", "one"), WIRE_OUTCOME_OK);
    struct wire_op swap = op_swap(2, "a", "two", "zero");
    struct wire_reply_op reply = fixture_do(f, session, &swap);
    uint64_t version = reply.version;
    reply = fixture_do(f, session, &swap);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(reply.version, version);
    assert_value(&reply, "one");

    /* The value has changed, and would not match either: it is told. */
    expect_outcome(f, session, op_set(3, "a", "three"), WIRE_OUTCOME_OK);
    reply = fixture_do(f, session, &swap);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_MISMATCH);
    assert_true(reply.version > version);
    assert_value(&reply, "three");

    /* It would match now: a value beside "did not match" would be a contradiction. */
    expect_outcome(f, session, op_set(4, "a", "zero"), WIRE_OUTCOME_OK);
    reply = fixture_do(f, session, &swap);
    assert_int_equal(reply.outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(reply.version, version);
    assert_value(&reply, NULL);
    expect_stored(f, "a", "zero");
}

/* What came later in the same record has the same version, and may be what the swap expected. */
static void test_machine_tells_no_value_that_would_have_matched(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op ops[] = {op_set(1, "a", "one"), op_swap(2, "a", "three", "two"),
                            op_set(3, "a", "two")};
    fixture_write(f, &write, ops, 3);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply all = fixture_reply(f, WIRE_WRITE_REPLY);
    struct wire_reply_op first = fixture_reply_op(&all, 1);
    assert_int_equal(first.outcome, WIRE_OUTCOME_MISMATCH);
    assert_value(&first, "one");
    struct wire_reply_op again = fixture_do(f, write.session, &ops[1]);
    assert_int_equal(again.outcome, WIRE_OUTCOME_MISMATCH);
    assert_value(&again, NULL);
}

static void test_machine_ends_a_session_by_request(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op ops[] = {op_set(1, "a", "x"), op_of(WIRE_OP_UNREGISTER, 0), op_set(2, "a", "y")};
    struct fixture_write write = {.session = session};
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 3);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(fixture_reply_op(&reply, 1).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(fixture_reply_op(&reply, 2).outcome, WIRE_OUTCOME_NO_SESSION);
    expect_stored(f, "a", "x");
    assert_int_equal(engine_counters(f->engine)->sessions_open, 0);
}

static void test_machine_expires_sessions_and_never_executes_their_retry(void **state)
{
    struct fixture *f = *state;
    uint64_t idle = fixture_register(f);
    uint64_t busy = fixture_register(f);
    expect_outcome(f, idle, op_swap(1, "n", "1", NULL), WIRE_OUTCOME_OK);
    expect_outcome(f, busy, op_set(1, "n", NULL), WIRE_OUTCOME_OK);
    fixture_turn(f, 600);
    expect_outcome(f, busy, op_of(WIRE_OP_KEEP_ALIVE, 0), WIRE_OUTCOME_OK);
    fixture_turn(f, 600);
    /* In the same record: the busy one's op, then the idle one's retry. */
    struct fixture_write write = {.session = idle};
    struct wire_op retry = op_swap(1, "n", "1", NULL);
    struct wire_op fresh = op_set(2, "m", "x");
    fixture_forget_messages(f);
    fixture_write(f, &write, &fresh, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_NO_SESSION);
    expect_outcome(f, idle, retry, WIRE_OUTCOME_NO_SESSION);
    expect_stored(f, "n", NULL);
    expect_stored(f, "m", NULL);
    expect_outcome(f, busy, op_set(2, "n", "still"), WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->sessions_expired, 1);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
}

/* A registration whose reply was lost is sent again, by the client or by the network. */
static void test_machine_opens_one_session_for_all_copies_of_a_registration(void **state)
{
    struct fixture *f = *state;
    struct wire_op op = op_of(WIRE_OP_REGISTER, 9);
    struct fixture_write stranger = {.session = 0};
    fixture_forget_messages(f);
    fixture_write(f, &stranger, &op, 1);
    fixture_write(f, &stranger, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    uint64_t id = fixture_reply_op(&reply, 0).version;
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
    for (uint32_t i = 0; i < 3 * f->options.sessions_max; i++) {
        struct wire_reply_op again = fixture_do(f, 0, &op);
        assert_int_equal(again.outcome, WIRE_OUTCOME_OK);
        assert_true(again.version == id);
    }
    /* Each copy renews it, as any request does. */
    fixture_turn(f, 200);
    assert_true(fixture_do(f, 0, &op).version == id);
    fixture_turn(f, 200);
    expect_outcome(f, id, op_set(1, "a", "x"), WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
    engine_check_invariants(f->engine);
}

/* Its client has the id by then: who asks is late, or drew the same nonce by chance. */
static void test_machine_leads_nobody_into_a_session_in_use(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_of(WIRE_OP_REGISTER, f->nonce);
    expect_outcome(f, session, op_of(WIRE_OP_FENCE, 1), WIRE_OUTCOME_FENCED);
    expect_outcome(f, 0, op, WIRE_OUTCOME_FORGOTTEN);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
    /* And it keeps nothing alive. */
    fixture_turn(f, 900);
    expect_outcome(f, 0, op, WIRE_OUTCOME_FORGOTTEN);
    fixture_turn(f, 900);
    struct wire_reply_op next = fixture_do(f, 0, &op);
    assert_int_equal(next.outcome, WIRE_OUTCOME_OK);
    assert_true(next.version > session);
    expect_outcome(f, session, op_set(2, "a", "x"), WIRE_OUTCOME_NO_SESSION);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
}

static void test_machine_opens_another_session_once_the_first_has_ended(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_of(WIRE_OP_REGISTER, f->nonce);
    expect_outcome(f, session, op_of(WIRE_OP_UNREGISTER, 0), WIRE_OUTCOME_OK);
    struct wire_reply_op next = fixture_do(f, 0, &op);
    assert_int_equal(next.outcome, WIRE_OUTCOME_OK);
    assert_true(next.version > session);
    assert_true(fixture_do(f, 0, &op).version == next.version);
    assert_int_equal(engine_counters(f->engine)->sessions_open, 1);
}

/* More sessions are due than one record ends: the last of them is met before its turn. */
static void test_machine_never_answers_with_an_expired_session(void **state)
{
    fixture_free(*state);
    struct engine_options options = fixture_options();
    options.sessions_max = EXPIRED_SESSIONS;
    struct fixture *f = fixture_new(&options);
    *state = f;
    uint64_t last = 0;
    for (uint32_t i = 0; i < EXPIRED_SESSIONS; i++)
        last = fixture_register(f);
    fixture_turn(f, 2000);
    struct wire_op op = op_of(WIRE_OP_REGISTER, f->nonce);
    struct wire_reply_op next = fixture_do(f, 0, &op);
    assert_int_equal(next.outcome, WIRE_OUTCOME_OK);
    assert_true(next.version > last);
    assert_true(engine_counters(f->engine)->sessions_open > 1);
    assert_true(fixture_do(f, 0, &op).version == next.version);
    engine_check_invariants(f->engine);
    /* The same log leads to the same sessions elsewhere, and after a restart. */
    struct fixture *other = fixture_new(&options);
    fixture_apply_to(f, other->engine);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    fixture_free(other);
}

static void test_machine_refuses_sessions_over_the_limit(void **state)
{
    struct fixture *f = *state;
    uint64_t first = fixture_register(f);
    for (uint32_t i = 1; i < f->options.sessions_max; i++)
        fixture_register(f);
    struct wire_op op = op_of(WIRE_OP_REGISTER, 9);
    assert_int_equal(fixture_do(f, 0, &op).outcome, WIRE_OUTCOME_SESSIONS_FULL);
    /* A full table still answers the retry of a registration that it took. */
    expect_outcome(f, 0, op_of(WIRE_OP_REGISTER, f->nonce), WIRE_OUTCOME_OK);
    expect_outcome(f, first, op_set(1, "a", "x"), WIRE_OUTCOME_OK);
    expect_outcome(f, first, op_of(WIRE_OP_UNREGISTER, 0), WIRE_OUTCOME_OK);
    uint64_t next = fixture_register(f);
    assert_true(next > first);
    expect_outcome(f, first, op_set(2, "a", "y"), WIRE_OUTCOME_NO_SESSION);
}

static void test_machine_refuses_keys_over_the_limit(void **state)
{
    fixture_free(*state);
    struct engine_options options = fixture_options();
    options.keys_max = 2;
    struct fixture *f = fixture_new(&options);
    *state = f;
    uint64_t session = fixture_register(f);
    expect_outcome(f, session, op_set(1, "a", "1"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(2, "b", "1"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(3, "c", "1"), WIRE_OUTCOME_STORE_FULL);
    expect_outcome(f, session, op_swap(4, "c", "1", NULL), WIRE_OUTCOME_STORE_FULL);
    expect_outcome(f, session, op_set(5, "a", "2"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(6, "b", NULL), WIRE_OUTCOME_OK);
    /* Refused then, refused for ever: the outcome is remembered. */
    expect_outcome(f, session, op_set(3, "c", "1"), WIRE_OUTCOME_STORE_FULL);
    expect_outcome(f, session, op_set(7, "c", "1"), WIRE_OUTCOME_OK);
    expect_stored(f, "c", "1");
}

static void test_machine_refuses_blocks_over_the_limit(void **state)
{
    fixture_free(*state);
    struct engine_options options = fixture_options();
    options.blocks_max = 4;
    struct fixture *f = fixture_new(&options);
    *state = f;
    uint64_t session = fixture_register(f);
    char large[204]; /* with its key of one byte: two blocks exactly */
    memset(large, 'v', sizeof(large) - 1);
    large[sizeof(large) - 1] = 0;
    expect_outcome(f, session, op_set(1, "a", large), WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->blocks, 2);
    expect_outcome(f, session, op_set(2, "b", "small"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(3, "c", large), WIRE_OUTCOME_STORE_FULL);
    expect_outcome(f, session, op_set(4, "b", large), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(5, "c", ""), WIRE_OUTCOME_STORE_FULL);
    expect_outcome(f, session, op_set(6, "a", "x"), WIRE_OUTCOME_OK);
    expect_outcome(f, session, op_set(7, "c", ""), WIRE_OUTCOME_OK);
    assert_int_equal(engine_counters(f->engine)->blocks, 4);
    expect_stored(f, "b", large);
}

/* Draws from a small space, so that everything meets everything. */
static struct wire_op drawn_op(uint64_t draw, uint64_t seq)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g"};
    static const char *const values[] = {"1", "22", "333", ""};
    static char large[700];
    memset(large, 'L', sizeof(large) - 1);
    const char *key = keys[draw % 7];
    const char *value = draw >> 8 & 1 ? values[draw >> 9 & 3] : large;
    switch (draw >> 16 & 7) {
    case 0:
    case 1:
    case 2:
        return op_set(seq, key, value);
    case 3:
        return op_set(seq, key, NULL);
    case 4:
        return op_of(WIRE_OP_FENCE, seq);
    default:
        return op_swap(seq, key, value, draw >> 20 & 1 ? values[draw >> 21 & 3] : NULL);
    }
}

static void test_machine_applies_equal_logs_to_equal_states(void **state)
{
    fixture_free(*state);
    struct engine_options options = fixture_options();
    options.keys_max = 5;
    options.blocks_max = 17;
    struct fixture *f = fixture_new(&options);
    struct fixture *other = fixture_new(&options);
    *state = f;
    uint64_t sessions[2] = {fixture_register(f), fixture_register(f)};
    uint64_t draw = 88172645463325252u;
    uint64_t full = 0;
    for (uint64_t i = 1; i <= 3000; i++) {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        uint64_t seq = i / 2 + 1 > 3 ? i / 2 + 1 - (draw >> 40) % 3 : i / 2 + 1;
        struct wire_op op = drawn_op(draw, seq);
        struct fixture_write write = {.session = sessions[i % 2],
                                      .floor = i / 2 > 100 ? i / 2 - 100 : 0};
        fixture_forget_messages(f);
        fixture_write(f, &write, &op, 1);
        if (fixture_propose(f))
            fixture_commit(f);
        struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
        full += fixture_reply_op(&reply, 0).outcome == WIRE_OUTCOME_STORE_FULL;
        fixture_turn(f, draw % 5);
        engine_check_invariants(f->engine);
    }
    assert_true(full > 10);
    assert_int_not_equal(engine_state_hash(f->engine), engine_state_hash(other->engine));
    fixture_apply_to(f, other->engine);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    assert_int_equal(other->message_count, 0);
    engine_check_invariants(other->engine);
    fixture_free(other);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_machine_sets_and_deletes),
        T(test_machine_versions_a_key_by_its_record),
        T(test_machine_swaps_with_absent_on_either_side),
        T(test_machine_returns_the_value_that_did_not_match),
        T(test_machine_executes_a_retry_once),
        T(test_machine_executes_two_copies_in_the_log_once),
        T(test_machine_keeps_a_window_of_outcomes),
        T(test_machine_never_lowers_the_floor),
        T(test_machine_fences_what_has_not_come),
        T(test_machine_fence_tells_what_came_first),
        T(test_machine_fence_overtakes_the_original),
        T(test_machine_returns_a_mismatch_again),
        T(test_machine_tells_no_value_that_would_have_matched),
        T(test_machine_ends_a_session_by_request),
        T(test_machine_expires_sessions_and_never_executes_their_retry),
        T(test_machine_opens_one_session_for_all_copies_of_a_registration),
        T(test_machine_leads_nobody_into_a_session_in_use),
        T(test_machine_opens_another_session_once_the_first_has_ended),
        T(test_machine_never_answers_with_an_expired_session),
        T(test_machine_refuses_sessions_over_the_limit),
        T(test_machine_refuses_keys_over_the_limit),
        T(test_machine_refuses_blocks_over_the_limit),
        T(test_machine_applies_equal_logs_to_equal_states),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
