/* A client without the right: every form of a call that is denied ends at once as PLX_E_DENIED, and
 * nothing of it ever happens; what shared its packet goes on. */
#include "tests/unit/client/fake_node.h"

/* A refusal that names these ops. */
static void deny(struct fake *fake, uint8_t type, uint64_t number, const uint64_t *seqs,
                 uint32_t count)
{
    uint8_t body[1024];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(fake, number, WIRE_STATUS_DENIED);
    wire_reply_begin(&writer, &reply);
    for (uint32_t i = 0; i < count; i++)
        wire_reply_add(&writer,
                       &(struct wire_reply_op){.seq = seqs[i], .outcome = WIRE_OUTCOME_DENIED});
    assert_false(writer.is_overflow);
    fake_send(fake, type, span_of(body, writer.size_bytes));
}

static void deny_first_op(struct stage *stage)
{
    struct fake *fake = &stage->fake;
    bool is_read = fake->type == WIRE_READ;
    uint64_t seq = is_read ? 0 : fake_wire_seq(fake, fake->ops[0].seq);
    deny(fake, is_read ? WIRE_READ_REPLY : WIRE_WRITE_REPLY,
         is_read ? fake->read.request_number : fake->write.packet_number, &seq, 1);
}

static void expect_denied(struct stage *stage, struct plx_op op)
{
    stage->ending.count = 0;
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(stage->client, &op), PLX_OK);
    fake_expect(&stage->fake, stage->client, op.type == PLX_OP_GET ? WIRE_READ : WIRE_WRITE);
    deny_first_op(stage);
    fake_finish(&stage->fake, stage->client, &stage->ending);
    assert_int_equal(stage->ending.response.outcome, PLX_E_DENIED);
    assert_false(stage->ending.response.valid || stage->ending.response.timeout);
    assert_int_equal(fake_statistics(stage->client).fences, 0);
    assert_int_equal(plx_in_flight(stage->client), 0);
}

static void test_denied_ends_every_form_of_a_call(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    for (uint32_t is_relaxed = 0; is_relaxed < 2; is_relaxed++) {
        struct plx_op set = set_op("key", "value", &stage.ending);
        struct plx_op get = get_op("key", &stage.ending);
        set.call.is_relaxed = get.call.is_relaxed = is_relaxed == 1;
        expect_denied(&stage, set);
        expect_denied(&stage, get);
        set.value = PLX_ABSENT;
        expect_denied(&stage, set);
    }
    struct plx_op swap = set_op("key", "value", &stage.ending);
    swap.type = PLX_OP_SWAP;
    swap.old_value = plx_text("old");
    expect_denied(&stage, swap);
    assert_int_equal(plx_outcome_exit_code(PLX_E_DENIED), 5);
    assert_string_equal(plx_outcome_name(PLX_E_DENIED), "PLX_E_DENIED");
    stage_close(&stage);
}

/* A client that may write nothing gets no session: what waits for one ends. */
static void test_denied_ends_what_waits_for_a_session(void **state)
{
    (void)state;
    struct stage stage;
    struct ending endings[3] = {0};
    stage_open(&stage, NULL);
    stage.fake.session = 0; /* registrations are for this test to answer */
    for (uint32_t i = 0; i < 3; i++) {
        struct plx_op op = set_op("key", "value", &endings[i]);
        op.call.is_blocking = true;
        assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    }
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_int_equal(stage.fake.ops[0].type, WIRE_OP_REGISTER);
    uint64_t nonce = stage.fake.ops[0].seq;
    deny(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number, &nonce, 1);
    for (uint32_t i = 0; i < 3; i++) {
        fake_finish(NULL, stage.client, &endings[i]);
        assert_int_equal(endings[i].response.outcome, PLX_E_DENIED);
    }
    stage_close(&stage);
}

/* Of two in one packet the first is denied; the second is sent again, and done. */
static void test_denied_leaves_the_others_of_the_packet(void **state)
{
    (void)state;
    struct stage stage;
    struct ending endings[2] = {0};
    stage_open(&stage, NULL);
    struct plx_op first = set_op("no", "value", &endings[0]);
    struct plx_op second = set_op("yes", "value", &endings[1]);
    first.call.is_blocking = second.call.is_blocking = true;
    assert_int_equal(plx_submit(stage.client, &first), PLX_OK);
    assert_int_equal(plx_submit(stage.client, &second), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_int_equal(stage.fake.request.op_count, 2);
    deny_first_op(&stage);
    fake_finish(&stage.fake, stage.client, &endings[0]);
    assert_int_equal(endings[0].response.outcome, PLX_E_DENIED);
    assert_int_equal(endings[1].count, 0);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_int_equal(stage.fake.request.op_count, 1);
    assert_true(span_is_equal(stage.fake.ops[0].key, span_of("yes", 3)));
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    fake_finish(&stage.fake, stage.client, &endings[1]);
    assert_int_equal(endings[1].response.outcome, PLX_OK);
    stage_close(&stage);
}

/* A copy of the write may have been taken before the right was gone: a fence tells. */
static void test_denied_is_definite_where_a_copy_may_have_been_taken(void **state)
{
    (void)state;
    static const enum wire_outcome fenced[] = {WIRE_OUTCOME_FENCED, WIRE_OUTCOME_OK};
    static const enum plx_outcome told[] = {PLX_E_DENIED, PLX_OK};
    for (uint32_t i = 0; i < 2; i++) {
        struct stage stage;
        stage_open(&stage, NULL);
        struct plx_op op = set_op("key", "value", &stage.ending);
        op.call.is_blocking = true;
        assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
        fake_expect(&stage.fake, stage.client, WIRE_WRITE); /* lost, or its answer is */
        fake_expect(&stage.fake, stage.client, WIRE_WRITE);
        deny_first_op(&stage);
        do {
            fake_expect(&stage.fake, stage.client, WIRE_WRITE);
        } while (stage.fake.ops[0].type != WIRE_OP_FENCE);
        assert_int_equal(stage.ending.count, 0);
        fake_outcome_all(&stage.fake, fenced[i]);
        fake_finish(&stage.fake, stage.client, &stage.ending);
        assert_int_equal(stage.ending.response.outcome, told[i]);
        stage_close(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denied_ends_every_form_of_a_call),
        cmocka_unit_test(test_denied_ends_what_waits_for_a_session),
        cmocka_unit_test(test_denied_leaves_the_others_of_the_packet),
        cmocka_unit_test(test_denied_is_definite_where_a_copy_may_have_been_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
