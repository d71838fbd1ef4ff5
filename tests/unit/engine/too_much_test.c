/* A client that asks too much: what it begins is refused, and the refusal is definite; what it ends
 * is carried out. */
#include "tests/unit/engine/fixture.h"

#define RETRY_US 12345u

static int setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static uint64_t refused(const struct fixture *f)
{
    return engine_counters(f->engine)->rate_refused;
}

/* The last answer says that the client is to come again then. */
static void expect_refused(struct fixture *f, uint8_t type)
{
    struct span payload;
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, type);
    assert_string_equal(wire_status_name(reply.status), "overloaded");
    assert_int_equal(reply.retry_us, RETRY_US);
    assert_false(engine_batch(f->engine, &payload));
    assert_int_equal(engine_reads_wanted(f->engine), 0);
    fixture_forget_messages(f);
}

static void write_too_much(struct fixture *f, const struct fixture_write *write, struct wire_op op)
{
    fixture_forget_messages(f);
    engine_set_retry(f->engine, RETRY_US);
    fixture_write(f, write, &op, 1);
}

/* No copy of the refused packet is taken later, when the client may ask again. */
static void test_too_much_refuses_a_write_for_good(void **state)
{
    struct fixture *f = *state;
    struct span payload;
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op set = op_set(1, "k", "v");
    write_too_much(f, &write, set);
    expect_refused(f, WIRE_WRITE_REPLY);
    assert_int_equal(refused(f), 1);
    write.packet_number = f->packet_number; /* a copy */
    fixture_write(f, &write, &set, 1);
    assert_false(engine_batch(f->engine, &payload));
    assert_int_equal(f->message_count, 0);
    assert_int_equal(fixture_do(f, write.session, &set).outcome, WIRE_OUTCOME_OK);
}

/* Of what was executed the client learns the outcome. */
static void test_too_much_tells_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op set = op_set(1, "k", "v");
    assert_int_equal(fixture_do(f, write.session, &set).outcome, WIRE_OUTCOME_OK);
    write_too_much(f, &write, set);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(refused(f), 0);
}

static void test_too_much_lets_fences_in(void **state)
{
    struct fixture *f = *state;
    struct span payload;
    struct fixture_write write = {.session = fixture_register(f)};
    write_too_much(f, &write, op_of(WIRE_OP_FENCE, 1));
    assert_true(engine_batch(f->engine, &payload));
    assert_int_equal(f->message_count, 0);
    assert_int_equal(refused(f), 0);
}

static void test_too_much_opens_no_session(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = 0};
    write_too_much(f, &write, op_of(WIRE_OP_REGISTER, 4242));
    expect_refused(f, WIRE_WRITE_REPLY);
}

/* Only who leads refuses for good: a follower says who leads. */
static void test_too_much_is_told_by_the_leader(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    f->view.is_leader = false;
    f->view.leader = 2;
    fixture_begin(f);
    write_too_much(f, &write, op_set(1, "k", "v"));
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_string_equal(wire_status_name(reply.status), "not-leader");
    assert_int_equal(reply.retry_us, 0);
    assert_int_equal(refused(f), 0);
}

static void test_too_much_refuses_relaxed_writes(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = FIXTURE_IDENTITY, .is_relaxed = true};
    struct wire_op set = op_set(1, "k", "v");
    write_too_much(f, &write, set);
    expect_refused(f, WIRE_WRITE_REPLY);
    write.packet_number = f->packet_number; /* a copy */
    fixture_write(f, &write, &set, 1);
    assert_int_equal(f->message_count, 0);
    assert_int_equal(f->entry_count, 0);
    assert_int_equal(fixture_relaxed(f, FIXTURE_IDENTITY, &set, 1).outcome, WIRE_OUTCOME_OK);
    write.packet_number = 0;
    write.is_recall = true;
    write_too_much(f, &write, set); /* what is known of it is told */
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(refused(f), 1);
}

static void test_too_much_refuses_reads(void **state)
{
    struct fixture *f = *state;
    struct wire_read_op op = {.key = text("k")};
    for (uint32_t i = 0; i < 2; i++) {
        const struct wire_read read = {.request_number = i, .is_consistent = i == 0};
        fixture_forget_messages(f);
        engine_set_retry(f->engine, RETRY_US);
        fixture_read(f, &read, &op, 1);
        expect_refused(f, WIRE_READ_REPLY);
        assert_int_equal(refused(f), i + 1);
    }
    fixture_read(f, &(struct wire_read){.request_number = 3}, &op, 1);
    assert_string_equal(wire_status_name(fixture_reply(f, WIRE_READ_REPLY).status), "ok");
}

static void test_too_much_refuses_lists(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[LIST_QUESTION_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct address from = fixture_client();
    const struct wire_list list = {.number = 5, .page_bytes = LIST_PAGE_BYTES_MAX};
    struct wire_list_reply reply;
    wire_list_encode(&writer, &list);
    fixture_forget_messages(f);
    engine_set_retry(f->engine, RETRY_US);
    engine_receive(f->engine, &from, WIRE_LIST, span_of(bytes, writer.size_bytes));
    assert_int_equal(f->message_count, 1);
    const struct fixture_message *message = &f->messages[0];
    assert_int_equal(wire_list_reply_decode(span_of(message->data, message->size_bytes), &reply),
                     OK);
    assert_string_equal(wire_status_name(reply.head.status), "overloaded");
    assert_int_equal(reply.head.retry_us, RETRY_US);
    assert_int_equal(refused(f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_too_much_refuses_a_write_for_good),
        TEST(test_too_much_tells_what_is_known),
        TEST(test_too_much_lets_fences_in),
        TEST(test_too_much_opens_no_session),
        TEST(test_too_much_is_told_by_the_leader),
        TEST(test_too_much_refuses_relaxed_writes),
        TEST(test_too_much_refuses_reads),
        TEST(test_too_much_refuses_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
