/* Absent, empty, failed: three things, and none of them is taken for another by accident. */
#include "client/include/pollux_backup.h"
#include "client/include/pollux_cluster.h"
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_limits.h"
#include "client/include/pollux_logs.h"
#include "client/include/pollux_members.h"
#include "tests/unit/client/fake_node.h"

static const struct plx_bytes nothing;

/* What a program has that forgot to fill the value, or whose vector is empty. */
static void test_absent_is_never_meant_by_null_data(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    struct plx_client *client = stage.client;
    const struct plx_bytes key = plx_text("key");
    const struct plx_bytes value = plx_text("value");
    assert_int_equal(plx_set(client, key, nothing, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_set(client, key, plx_text(NULL), NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_swap(client, key, nothing, value, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_swap(client, key, value, nothing, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_set(client, nothing, value, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_set(client, PLX_ABSENT, value, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_del(client, nothing, NULL).outcome, PLX_E_ARGUMENT);
    struct plx_op op = set_op("key", NULL, &stage.ending);
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    op.type = PLX_OP_SWAP;
    op.value = value;
    assert_int_equal(plx_submit(client, &op), PLX_E_ARGUMENT);
    assert_int_equal(fake_statistics(client).packets_sent, 0);
    stage_close(&stage);
}

static void test_absent_is_a_value_of_its_own(void **state)
{
    (void)state;
    assert_true(plx_is_absent(PLX_ABSENT));
    assert_int_equal(PLX_ABSENT.size_bytes, 0);
    assert_false(plx_is_absent(plx_text("")));
    assert_false(plx_is_absent(plx_text(NULL)));
    assert_false(plx_is_absent(nothing));
}

static struct plx_response answered(struct stage *stage, struct plx_op op,
                                    const struct wire_reply_op *answer)
{
    struct wire_reply_op reply = *answer;
    stage->ending.count = 0;
    assert_int_equal(plx_submit(stage->client, &op), PLX_OK);
    bool is_read = op.type == PLX_OP_GET;
    fake_expect(&stage->fake, stage->client, is_read ? WIRE_READ : WIRE_WRITE);
    reply.seq = is_read ? 0 : stage->fake.ops[0].seq;
    fake_answer(&stage->fake, is_read ? WIRE_READ_REPLY : WIRE_WRITE_REPLY,
                is_read ? stage->fake.read.request_number : stage->fake.write.packet_number,
                &reply);
    fake_finish(&stage->fake, stage->client, &stage->ending);
    return stage->ending.response;
}

/* So what a call returned can be what the next one expects. */
static void test_absent_empty_and_failed_differ_in_responses(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    struct plx_op get = get_op("key", &stage.ending);
    struct plx_response response =
        answered(&stage, get, &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    assert_int_equal(response.outcome, PLX_NOT_FOUND);
    assert_true(plx_is_absent(response.value) && !response.has_value);
    struct plx_op create = set_op("key", "new", &stage.ending);
    create.type = PLX_OP_SWAP;
    create.old_value = response.value;
    response = answered(&stage, create, &(struct wire_reply_op){.outcome = WIRE_OUTCOME_MISMATCH});
    assert_false(stage.fake.ops[0].has_old);
    assert_true(plx_is_absent(response.value) && !response.has_value);
    response = answered(&stage, create,
                        &(struct wire_reply_op){.outcome = WIRE_OUTCOME_MISMATCH, .version = 9});
    assert_true(response.value.data == NULL && !response.has_value); /* it is gone by now */
    response =
        answered(&stage, get,
                 &(struct wire_reply_op){
                     .outcome = WIRE_OUTCOME_OK, .has_value = true, .chunk = span_of("", 0)});
    assert_true(response.has_value && response.value.data != NULL);
    assert_true(!plx_is_absent(response.value) && response.value.size_bytes == 0);
    stage.fake.is_mute = true;
    response = plx_get(stage.client, plx_text("key"), &(struct plx_call){.timeout_ns = 1000000});
    assert_int_equal(response.outcome, PLX_TIMEOUT);
    assert_true(response.value.data == NULL && response.value.size_bytes == 0);
    stage_close(&stage);
}

/* A program that goes on after a failed open, and one that forgot an argument. */
static void test_absent_arguments_are_refused(void **state)
{
    (void)state;
    char reason[64] = "as before";
    struct plx_client *client = (struct plx_client *)&reason;
    assert_int_equal(plx_open(NULL, &client, reason, sizeof(reason)), PLX_E_ARGUMENT);
    assert_null(client);
    assert_string_equal(reason, "options: NULL");
    assert_int_equal(plx_open(NULL, NULL, reason, sizeof(reason)), PLX_E_ARGUMENT);
    const struct plx_bytes key = plx_text("key");
    assert_int_equal(plx_get(NULL, key, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_set(NULL, key, key, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_swap(NULL, key, key, key, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_resolve(NULL, NULL, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_submit(NULL, NULL), PLX_E_ARGUMENT);
    assert_int_equal(plx_logs_take(NULL, "host", NULL, 0, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_logs_confirm(NULL, "host", NULL, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_logs_release(NULL, "host", NULL, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_transfer(NULL, 0, 0, 0, NULL), PLX_E_ARGUMENT);
    assert_int_equal(plx_limits_set(NULL, 0, NULL, 0), PLX_E_ARGUMENT);
    assert_int_equal(plx_replace(NULL, 0, NULL, 0), PLX_E_ARGUMENT);
    assert_int_equal(plx_change(NULL, NULL, 0), PLX_E_ARGUMENT);
    assert_int_equal(plx_backup_block(NULL, NULL, NULL, 0, NULL), PLX_E_ARGUMENT);
    assert_int_equal(plx_poll(NULL, 0) + plx_in_flight(NULL) + plx_endpoint_count(NULL), 0);
    assert_int_equal(plx_descriptor(NULL), -1);
    assert_null(plx_endpoint_name(NULL, 0));
    plx_forget(NULL, NULL);
    plx_cancel(NULL);
    plx_flush(NULL);
    plx_learn(NULL, true);
    plx_close(NULL);
}

static void assert_zero(const void *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        assert_int_equal(((const uint8_t *)bytes)[i], 0);
}

static void test_absent_answers_leave_outputs_of_zeros(void **state)
{
    (void)state;
    struct stage stage;
    struct plx_node node;
    struct plx_members members;
    struct plx_snapshot snapshot;
    struct plx_logs_state logs;
    struct plx_cluster cluster;
    struct plx_token token;
    struct plx_logs_id id;
    stage_open(&stage, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        struct plx_client *client = i == 0 ? NULL : stage.client;
        const struct plx_backup_from from = {.endpoint = 7};
        memset(&node, 0xAA, sizeof(node));
        memset(&members, 0xAA, sizeof(members));
        memset(&snapshot, 0xAA, sizeof(snapshot));
        memset(&logs, 0xAA, sizeof(logs));
        memset(&cluster, 0xAA, sizeof(cluster));
        assert_int_equal(plx_ping(client, 7, 0, 0, &node), PLX_E_ARGUMENT);
        assert_zero(&node, sizeof(node));
        assert_int_equal(plx_members(client, 7, 0, 0, &members), PLX_E_ARGUMENT);
        assert_zero(&members, sizeof(members));
        assert_int_equal(plx_backup_find(client, &from, 0, &snapshot), PLX_E_ARGUMENT);
        assert_true(snapshot.id == 0 && snapshot.block_count == 0 && snapshot.node == 0);
        assert_int_equal(plx_logs_cursor(client, "", NULL, &logs).outcome, PLX_E_ARGUMENT);
        assert_true(logs.serial == 0 && logs.handed_out == 0 && logs.lease_left_ns == 0);
        assert_false(plx_endpoint_is_stranger(client, 7, &cluster));
        assert_true(cluster.number == 0 && cluster.era == 0);
    }
    memset(&token, 0xAA, sizeof(token));
    memset(&id, 0xAA, sizeof(id));
    assert_false(plx_token_parse("no token", &token));
    assert_true(token.session == 0 && token.seq == 0 && token.cluster == 0);
    assert_false(plx_logs_id_parse("no id", &id));
    assert_true(id.serial == 0 && id.nonce == 0);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_is_never_meant_by_null_data),
        cmocka_unit_test(test_absent_is_a_value_of_its_own),
        cmocka_unit_test(test_absent_empty_and_failed_differ_in_responses),
        cmocka_unit_test(test_absent_arguments_are_refused),
        cmocka_unit_test(test_absent_answers_leave_outputs_of_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
