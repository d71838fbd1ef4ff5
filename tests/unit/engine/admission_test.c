/* Writes as they arrive: every refusal and why it is definite. */
#include "tests/unit/engine/fixture.h"

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

/* Delivers and expects this status at once, and nothing in the batch. */
static void expect_refused(struct fixture *f, const struct fixture_write *write, struct wire_op op,
                           enum wire_status status)
{
    struct span payload;
    fixture_forget_messages(f);
    uint64_t refused = engine_counters(f->engine)->writes_refused;
    fixture_write(f, write, &op, 1);
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), wire_status_name((uint8_t)status));
    assert_int_equal(reply.op_count, 0);
    assert_int_equal(reply.number,
                     write->packet_number != 0 ? write->packet_number : f->packet_number);
    assert_int_equal(engine_counters(f->engine)->writes_refused, refused + 1);
    assert_false(engine_batch(f->engine, &payload));
}

static void test_admission_names_the_leader(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    f->view.is_leader = false;
    f->view.leader = 3;
    f->view.term = 2;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NOT_LEADER);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(reply.leader, 3);
    assert_int_equal(reply.term, 2);
    assert_int_equal(reply.node, 1);
    assert_int_equal(reply.incarnation, FIXTURE_INCARNATION);
    assert_int_equal(reply.applied_index, engine_applied_index(f->engine));
}

static void test_admission_refuses_without_a_quorum(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    f->view.has_fresh_quorum = false;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NO_QUORUM);
    f->view.has_fresh_quorum = true;
    f->view.is_transferring = true;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NO_QUORUM);
    f->view.is_transferring = false;
    f->view.term = 2;
    f->view.has_own_commit = false;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NO_QUORUM);
    /* Settled, but its no-op is not applied: the newest log time is not known yet. */
    f->view.has_own_commit = true;
    f->view.commit_index = f->record_count + 1;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NO_QUORUM);
    f->view.commit_index = f->record_count;
    fixture_begin(f);
    struct wire_op op = op_set(1, "a", "x");
    assert_int_equal(fixture_do(f, write.session, &op).outcome, WIRE_OUTCOME_OK);
}

static void test_admission_refuses_what_it_does_not_offer(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct fixture_write relaxed = {.session = session, .is_relaxed = true};
    expect_refused(f, &relaxed, op_set(1, "a", "x"), WIRE_STATUS_UNSUPPORTED);
    struct fixture_write stale = {.session = session, .incarnation = FIXTURE_INCARNATION + 1};
    expect_refused(f, &stale, op_set(1, "a", "x"), WIRE_STATUS_INCARNATION);
    struct fixture_write stranger = {.session = 0};
    expect_refused(f, &stranger, op_set(1, "a", "x"), WIRE_STATUS_BAD_REQUEST);
    struct fixture_write member = {.session = session};
    expect_refused(f, &member, op_of(WIRE_OP_REGISTER, 1), WIRE_STATUS_BAD_REQUEST);
}

static void test_admission_refuses_what_fits_no_record(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    uint8_t *value = calloc(1, VALUE_SIZE_BYTES_MAX);
    struct wire_op ops[2] = {{.type = WIRE_OP_SWAP,
                              .seq = 1,
                              .key = text("a"),
                              .has_value = true,
                              .has_old = true,
                              .value = span_of(value, VALUE_SIZE_BYTES_MAX),
                              .old = span_of(value, VALUE_SIZE_BYTES_MAX)},
                             {.type = WIRE_OP_SET,
                              .seq = 2,
                              .key = text("b"),
                              .has_value = true,
                              .value = span_of(value, 56 * 1024)}};
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_BAD_REQUEST);
    /* The largest swap alone does fit. */
    assert_int_equal(fixture_do(f, write.session, &ops[0]).outcome, WIRE_OUTCOME_MISMATCH);
    free(value);
}

static void test_admission_drops_copies_of_a_packet(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f), .packet_number = 1000};
    f->view.has_fresh_quorum = false;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_NO_QUORUM);
    f->view.has_fresh_quorum = true;
    fixture_begin(f);
    /* The copy of a refused packet would make the refusal a lie. */
    struct wire_op op = op_set(1, "a", "x");
    struct span payload;
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->message_count, 0);
    assert_false(engine_batch(f->engine, &payload));
    assert_int_equal(engine_counters(f->engine)->writes_replayed, 1);
    write.packet_number = 1001;
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OK);
}

/* Two processes send in one session: its owner, and whoever resolves a token of it. */
static void test_admission_takes_fences_whatever_their_packet_number(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f), .packet_number = 1000000};
    struct wire_op op = op_set(1, "a", "x");
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    struct wire_op fence = {.type = WIRE_OP_FENCE, .seq = 2};
    /* By a clock that is behind, and then by one that is ahead. */
    for (uint32_t i = 0; i < 2; i++) {
        write.packet_number = i == 0 ? 5 : 9000000;
        fence.seq = 2 + i;
        fixture_forget_messages(f);
        fixture_write(f, &write, &fence, 1);
        assert_true(fixture_propose(f));
        fixture_commit(f);
        struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
        assert_int_equal(reply.status, WIRE_STATUS_OK);
        assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_FENCED);
    }
    /* The owner goes on where it was. */
    write.packet_number = 1000001;
    op = op_set(4, "a", "y");
    fixture_write(f, &write, &op, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(engine_counters(f->engine)->writes_replayed, 0);
}

static void test_admission_is_silent_about_sessions_it_may_not_know_yet(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a", "x");
    struct fixture_write future = {.session = session + (UINT64_C(5) << 12)};
    fixture_forget_messages(f);
    fixture_write(f, &future, &op, 1);
    assert_int_equal(f->message_count, 0);
    struct fixture_write dead = {.session = session + 1};
    fixture_write(f, &dead, &op, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_NO_SESSION);
    assert_int_equal(fixture_reply_op(&reply, 0).seq, 1);
    struct span payload;
    assert_false(engine_batch(f->engine, &payload));
}

static void test_admission_answers_a_retry_from_the_window(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op ops[2] = {op_set(1, "a", "x"), op_swap(2, "a", "y", "z")};
    fixture_write(f, &write, ops, 2);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    /* An outcome is a fact: who is no leader any more tells it, too. */
    f->view.is_leader = false;
    fixture_begin(f);
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 2);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(fixture_reply_op(&reply, 1).outcome, WIRE_OUTCOME_MISMATCH);
    struct wire_reply_op op = fixture_reply_op(&reply, 1);
    assert_value(&op, "x");
    assert_int_equal(engine_counters(f->engine)->writes_answered_from_window, 1);
    /* One of them unknown: the whole request has to go through the log. */
    ops[1].seq = 3;
    fixture_write(f, &write, ops, 2);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_NOT_LEADER);
}

static void test_admission_keeps_log_room_for_fences(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct fixture_write write = {.session = session};
    f->view.log_room_bytes = 64 * 1024;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "x"), WIRE_STATUS_LOG_FULL);
    struct fixture_write stranger = {.session = 0};
    expect_refused(f, &stranger, op_of(WIRE_OP_REGISTER, 1), WIRE_STATUS_LOG_FULL);
    struct wire_op fence = op_of(WIRE_OP_FENCE, 1);
    assert_int_equal(fixture_do(f, session, &fence).outcome, WIRE_OUTCOME_FENCED);
    struct wire_op keep = op_of(WIRE_OP_KEEP_ALIVE, 0);
    assert_int_equal(fixture_do(f, session, &keep).outcome, WIRE_OUTCOME_OK);
    struct wire_op end = op_of(WIRE_OP_UNREGISTER, 0);
    assert_int_equal(fixture_do(f, session, &end).outcome, WIRE_OUTCOME_OK);
    session = 0;
    f->view.log_room_bytes = 0;
    fixture_begin(f);
    expect_refused(f, &stranger, op_of(WIRE_OP_REGISTER, 1), WIRE_STATUS_LOG_FULL);
}

/* The room for data may end before that for everything else does. */
static void test_admission_refuses_data_that_a_majority_has_no_room_for(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct fixture_write write = {.session = session};
    struct fixture_write stranger = {.session = 0};
    f->view.data_room_bytes = 64;
    fixture_begin(f);
    expect_refused(f, &write, op_set(1, "a", "some value that does not fit"), WIRE_STATUS_LOG_FULL);
    f->view.data_room_bytes = 0;
    fixture_begin(f);
    expect_refused(f, &write, op_swap(1, "a", "x", "y"), WIRE_STATUS_LOG_FULL);
    expect_refused(f, &stranger, op_of(WIRE_OP_REGISTER, 1), WIRE_STATUS_LOG_FULL);
    struct wire_op fence = op_of(WIRE_OP_FENCE, 1);
    assert_int_equal(fixture_do(f, session, &fence).outcome, WIRE_OUTCOME_FENCED);
    f->view.data_room_bytes = 4096;
    fixture_begin(f);
    struct wire_op set = op_set(2, "a", "x");
    assert_int_equal(fixture_do(f, session, &set).outcome, WIRE_OUTCOME_OK);
}

static void test_admission_bounds_the_requests_of_a_batch(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    fixture_forget_messages(f);
    for (uint64_t i = 0; i < BATCH_REQUESTS_MAX; i++) {
        struct wire_op op = op_set(i + 1, "a", "x");
        fixture_write(f, &write, &op, 1);
    }
    assert_int_equal(f->message_count, 0);
    struct wire_op op = op_set(BATCH_REQUESTS_MAX + 1, "a", "x");
    fixture_write(f, &write, &op, 1);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OVERLOADED);
    fixture_forget_messages(f);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(f->message_count, BATCH_REQUESTS_MAX);
}

static void test_admission_bounds_the_bytes_of_a_batch(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    uint8_t *value = calloc(1, VALUE_SIZE_BYTES_MAX);
    struct wire_op op = {.type = WIRE_OP_SET,
                         .seq = 1,
                         .key = text("a"),
                         .has_value = true,
                         .value = span_of(value, VALUE_SIZE_BYTES_MAX)};
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->message_count, 0);
    struct wire_op small = op_set(2, "b", "x");
    fixture_write(f, &write, &small, 1);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OVERLOADED);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, WIRE_STATUS_OK);
    assert_int_equal(fixture_do(f, write.session, &small).outcome, WIRE_OUTCOME_OK);
    free(value);
}

static void test_admission_counts_what_does_not_decode(void **state)
{
    struct fixture *f = *state;
    struct address client = fixture_client();
    static const uint8_t zeroes[64];
    static const uint8_t types[] = {WIRE_WRITE, WIRE_READ, WIRE_HELLO, WIRE_STATUS, WIRE_RAFT, 200};
    fixture_forget_messages(f);
    for (size_t i = 0; i < sizeof(types); i++)
        engine_receive(f->engine, &client, types[i], span_of(zeroes, 5));
    engine_receive(f->engine, &client, WIRE_WRITE, span_of(zeroes, sizeof(zeroes)));
    engine_receive(f->engine, &client, WIRE_READ, span_of(zeroes, sizeof(zeroes)));
    assert_int_equal(engine_counters(f->engine)->requests_malformed, sizeof(types) + 2);
    assert_int_equal(f->message_count, 0);
}

/* Every byte of a good write, changed in every bit: refused, dropped or harmless, never a crash. */
static void test_admission_survives_flipped_bits(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct address client = fixture_client();
    struct wire_op ops[] = {op_swap(1, "key", "value", "old"), op_of(WIRE_OP_FENCE, 2),
                            op_of(WIRE_OP_KEEP_ALIVE, 0)};
    struct fixture_write write = {.session = session};
    fixture_write(f, &write, ops, 3);
    size_t size = 24 + 24 + 3 * 24 + 11;
    uint8_t *body = f->buffer + MESSAGE_SIZE_BYTES_MAX;
    for (size_t bit = 0; bit < size * 8; bit++) {
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        engine_receive(f->engine, &client, WIRE_WRITE, span_of(body, size));
        engine_receive(f->engine, &client, WIRE_WRITE, span_of(body, bit / 8));
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (fixture_propose(f))
            fixture_commit(f);
        fixture_forget_messages(f);
    }
    assert_true(engine_counters(f->engine)->requests_malformed > size);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_admission_names_the_leader),
        T(test_admission_refuses_without_a_quorum),
        T(test_admission_refuses_what_it_does_not_offer),
        T(test_admission_refuses_what_fits_no_record),
        T(test_admission_drops_copies_of_a_packet),
        T(test_admission_takes_fences_whatever_their_packet_number),
        T(test_admission_is_silent_about_sessions_it_may_not_know_yet),
        T(test_admission_answers_a_retry_from_the_window),
        T(test_admission_keeps_log_room_for_fences),
        T(test_admission_refuses_data_that_a_majority_has_no_room_for),
        T(test_admission_bounds_the_requests_of_a_batch),
        T(test_admission_bounds_the_bytes_of_a_batch),
        T(test_admission_counts_what_does_not_decode),
        T(test_admission_survives_flipped_bits),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
