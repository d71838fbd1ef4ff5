/* The logs of a majority are full: every form of a call that would need room ends at once, as
 * overloaded, and nothing of it ever happens. */
#include "tests/unit/client/fake_node.h"

static struct plx_op op_of_type(struct stage *stage, enum plx_op_type type)
{
    struct plx_op op = set_op("key", "value", &stage->ending);
    op.type = type;
    if (type == PLX_OP_SWAP)
        op.old_value = plx_text("old");
    stage->ending.count = 0;
    return op;
}

/* One packet goes out, is refused, and ends the call, although it may go on for ever. */
static void expect_overloaded(struct stage *stage, const struct plx_op *op, bool is_new_handle)
{
    assert_int_equal(plx_submit(stage->client, op), PLX_OK);
    fake_expect(&stage->fake, stage->client, WIRE_WRITE);
    assert_int_equal(stage->fake.ops[0].type == WIRE_OP_REGISTER, is_new_handle);
    fake_refuse(&stage->fake, WIRE_WRITE_REPLY, stage->fake.write.packet_number,
                WIRE_STATUS_LOG_FULL);
    fake_finish(NULL, stage->client, &stage->ending);
    assert_int_equal(stage->ending.response.outcome, PLX_E_OVERLOADED);
    assert_false(stage->ending.response.valid || stage->ending.response.timeout);
    assert_int_equal(fake_statistics(stage->client).fences, 0);
    assert_int_equal(plx_in_flight(stage->client), 0);
}

static void expect_every_form(struct stage *stage, bool is_new_handle)
{
    static const enum plx_op_type types[] = {PLX_OP_SET, PLX_OP_SWAP};
    for (uint32_t i = 0; i < 2; i++) {
        struct plx_op op = op_of_type(stage, types[i]);
        op.call.timeout_ns = UINT64_C(60) * 1000 * 1000 * 1000;
        expect_overloaded(stage, &op, is_new_handle);
        op.call = (struct plx_call){.is_blocking = true};
        stage->ending.count = 0;
        expect_overloaded(stage, &op, is_new_handle);
    }
    struct plx_op del = op_of_type(stage, PLX_OP_SET);
    del.value = PLX_ABSENT;
    del.call.is_blocking = true;
    expect_overloaded(stage, &del, is_new_handle);
}

/* Its first write needs a session, and that needs room. */
static void test_no_room_ends_every_write_of_a_new_handle(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage.fake.session = 0; /* registrations are for this test to answer */
    expect_every_form(&stage, true);
    stage.fake.session = FAKE_SESSION; /* there is room again */
    struct plx_op op = op_of_type(&stage, PLX_OP_SET);
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_int_equal(stage.fake.ops[0].type, WIRE_OP_SET);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_OK);
    stage_close(&stage);
}

static void test_no_room_ends_every_write_of_an_old_handle(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    struct plx_op op = op_of_type(&stage, PLX_OP_SET);
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    expect_every_form(&stage, false);
    stage_close(&stage);
}

/* All writes that waited for one session end with its refusal; what a callback submits does not. */
static void test_no_room_ends_all_that_wait_for_a_session(void **state)
{
    (void)state;
    struct stage stage;
    struct ending endings[3] = {0};
    stage_open(&stage, NULL);
    stage.fake.session = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct plx_op op = set_op("key", "value", &endings[i]);
        op.call.is_blocking = true;
        assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    }
    struct plx_op get = get_op("key", &stage.ending);
    assert_int_equal(plx_submit(stage.client, &get), PLX_OK);
    while (!fake_try(&stage.fake) || stage.fake.type != WIRE_WRITE)
        (void)plx_poll(stage.client, FAKE_POLL_NS);
    fake_refuse(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number,
                WIRE_STATUS_LOG_FULL);
    for (uint32_t i = 0; i < 3; i++) {
        fake_finish(NULL, stage.client, &endings[i]);
        assert_int_equal(endings[i].response.outcome, PLX_E_OVERLOADED);
    }
    /* A get needs no room and goes on. */
    assert_int_equal(stage.ending.count, 0);
    stage_close(&stage);
}

/* A copy of the write may have been taken before: its end is a fence, which has room reserved. */
static void test_no_room_is_definite_where_a_copy_may_have_been_taken(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    struct plx_op op = op_of_type(&stage, PLX_OP_SET);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE); /* this one is lost, or its answer is */
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    fake_refuse(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number,
                WIRE_STATUS_LOG_FULL);
    do {
        fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    } while (stage.fake.ops[0].type != WIRE_OP_FENCE);
    assert_int_equal(stage.ending.count, 0);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_FENCED);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_E_OVERLOADED);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_ends_every_write_of_a_new_handle),
        cmocka_unit_test(test_no_room_ends_every_write_of_an_old_handle),
        cmocka_unit_test(test_no_room_ends_all_that_wait_for_a_session),
        cmocka_unit_test(test_no_room_is_definite_where_a_copy_may_have_been_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
