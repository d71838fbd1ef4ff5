/* Questions to nodes: ping, status, transfer; and the synchronous calls, against a node of its own
 * thread. */
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_limits.h"
#include "tests/unit/client/fake_thread.h"

#define RETRY_US 1500000

/* A node that lives in a thread, answers what it knows, and refuses transfers as it is told. */
struct live_node {
    struct fake fake;
    enum wire_status transfer_status;
    uint16_t transfer_target;
    bool is_transfer_lost; /* the answer to it */
    enum wire_status limits_status;
    enum wire_outcome limits_outcome;
    bool are_limits_lost; /* the answer to them */
    struct wire_limits limits;
    uint64_t limits_number;
    struct wire_op last_write; /* of keys; what it borrows is gone */
    struct fake_thread thread;
};

static void live_answer_status(struct fake *fake)
{
    uint8_t body[1024];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_hello_reply reply = {.incarnation = fake->incarnation,
                                     .cluster = FAKE_CLUSTER_NUMBER,
                                     .term = 6,
                                     .applied_index = 1,
                                     .commit_index = 2,
                                     .last_index = 3,
                                     .contact_age_us = 4,
                                     .node = fake->id,
                                     .leader = fake->id,
                                     .node_count = 5,
                                     .shard_count = 1,
                                     .lane_count = 1,
                                     .session_ttl_ns = FAKE_SESSION_TTL_NS,
                                     .role = WIRE_ROLE_LEADER,
                                     .has_fresh_quorum = true,
                                     .granularity = PLX_PAGE,
                                     .is_emulated = true};
    wire_hello_reply_encode(&writer, &reply);
    wire_counter_add(&writer, "keys", 10);
    wire_counter_add(&writer, "drops", 20);
    fake_send(fake, WIRE_STATUS_REPLY, span_of(body, writer.size_bytes));
}

static void live_answer_limits(struct live_node *node)
{
    struct fake *fake = &node->fake;
    assert_true(fake->request.session == 0 && fake->request.op_count == 1);
    assert_true(fake->write.incarnation == fake->incarnation);
    assert_int_equal(wire_limits_decode(fake->ops[0].value, &node->limits), OK);
    node->limits_number = fake->ops[0].seq;
    if (node->are_limits_lost)
        return;
    if (node->limits_status == WIRE_STATUS_OK)
        fake_outcome_all(fake, node->limits_outcome);
    else
        fake_refuse(fake, WIRE_WRITE_REPLY, fake->write.packet_number, node->limits_status);
    if (node->limits_status == WIRE_STATUS_NOT_LEADER)
        fake->is_leader = false;
}

/* Whatever the status, a time is told: only one of them means it. */
static void live_answer_transfer(struct live_node *node, uint64_t number)
{
    uint8_t body[WIRE_REPLY_HEADER_SIZE_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply reply = fake_reply_head(&node->fake, number, node->transfer_status);
    reply.retry_us = RETRY_US;
    wire_reply_begin(&writer, &reply);
    fake_send(&node->fake, WIRE_TRANSFER_REPLY, span_of(body, writer.size_bytes));
}

static void live_answer(struct live_node *node)
{
    struct fake *fake = &node->fake;
    if (fake->type == WIRE_STATUS) {
        live_answer_status(fake);
    } else if (fake->type == WIRE_TRANSFER) {
        uint64_t number;
        assert_int_equal(wire_transfer_decode(fake->body, &number, &node->transfer_target), OK);
        if (node->transfer_status == WIRE_STATUS_NOT_LEADER)
            fake->is_leader = false; /* and says so from then on */
        if (!node->is_transfer_lost)
            live_answer_transfer(node, number);
    } else if (fake->type == WIRE_WRITE && fake->ops[0].type == WIRE_OP_LIMITS) {
        live_answer_limits(node);
    } else if (fake->type == WIRE_WRITE) {
        if (fake->ops[0].type != WIRE_OP_UNREGISTER)
            node->last_write = fake->ops[0];
        fake_outcome_all(fake, WIRE_OUTCOME_OK);
    } else if (fake->type == WIRE_READ) {
        fake_answer(fake, WIRE_READ_REPLY, fake->read.request_number,
                    &(struct wire_reply_op){.outcome = WIRE_OUTCOME_OK,
                                            .has_value = true,
                                            .version = 3,
                                            .value_size_bytes = 5,
                                            .chunk = span_of("value", 5)});
    }
}

static void live_turn(void *context)
{
    struct live_node *node = context;
    if (fake_try(&node->fake))
        live_answer(node);
    node->fake.is_mute &= node->fake.hellos == 0; /* to the first of them at most */
}

static void live_start(struct live_node *node)
{
    *node = (struct live_node){.transfer_status = WIRE_STATUS_OK,
                               .thread = {.fake = &node->fake, .turn = live_turn, .context = node}};
    fake_thread_start(&node->thread, 3);
}

static void test_node_ping_and_status_tell_what_the_node_says(void **state)
{
    (void)state;
    static struct plx_node told;
    struct live_node node;
    live_start(&node);
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_ping(client, 0, 0, 0, &told), PLX_OK);
    assert_int_equal(told.node, 3);
    assert_int_equal(told.counter_count, 0);
    assert_true(told.round_trip_ns > 0);
    assert_int_equal(plx_status(client, 0, 0, 0, &told), PLX_OK);
    assert_int_equal(told.node, 3);
    assert_int_equal(told.node_count, 5);
    assert_int_equal(told.role, PLX_LEADER);
    assert_int_equal(told.granularity, PLX_PAGE);
    assert_true(told.has_fresh_quorum && told.is_emulated && !told.is_suspect);
    assert_true(told.term == 6 && told.applied_index == 1 && told.commit_index == 2);
    assert_true(told.last_index == 3 && told.contact_age_ns == 4000);
    assert_int_equal(told.counter_count, 2);
    assert_string_equal(told.counters[1].name, "drops");
    assert_true(told.counters[1].value == 20);
    assert_int_equal(plx_ping(client, 1, 0, 0, &told), PLX_E_ARGUMENT);
    assert_int_equal(plx_status(client, 1, 0, 0, &told), PLX_E_ARGUMENT);
    plx_close(client);
    fake_thread_stop(&node.thread);
}

static void test_node_that_is_silent_is_unreachable(void **state)
{
    (void)state;
    static struct plx_node told = {.node = 77};
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_ping(client, 0, 0, 15000000, &told), PLX_E_UNREACHABLE);
    assert_int_equal(told.node, 0);
    told.node = 77;
    assert_int_equal(plx_status(client, 0, 0, 15000000, &told), PLX_E_UNREACHABLE);
    assert_int_equal(told.node, 0);
    assert_int_equal(plx_transfer(client, 0, 2, 15000000, NULL), PLX_TIMEOUT);
    plx_close(client);
    fake_close(&fake);
}

/* Asked again, a node seems no nearer than it is. */
static void test_node_ping_counts_from_the_first_packet(void **state)
{
    (void)state;
    static struct plx_node told;
    struct live_node node;
    live_start(&node);
    node.fake.is_mute = true;
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_ping(client, 0, 0, 0, &told), PLX_OK);
    assert_true(told.round_trip_ns >= 10000000); /* after which it was asked again */
    plx_close(client);
    fake_thread_stop(&node.thread);
}

static void test_node_transfer_answers_as_the_leader_did(void **state)
{
    (void)state;
    static const struct {
        enum wire_status status;
        enum plx_outcome outcome;
    } cases[] = {{WIRE_STATUS_OK, PLX_OK},
                 {WIRE_STATUS_BAD_REQUEST, PLX_E_ARGUMENT},
                 {WIRE_STATUS_OVERLOADED, PLX_E_OVERLOADED},
                 {WIRE_STATUS_UNSUPPORTED, PLX_E_UNSUPPORTED},
                 {WIRE_STATUS_TOO_SOON, PLX_E_TOO_SOON},
                 {WIRE_STATUS_NOT_LEADER, PLX_TIMEOUT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_node node;
        live_start(&node);
        node.transfer_status = cases[i].status;
        struct plx_options options = fake_options(&node.fake, 1);
        struct plx_client *client = fake_client(&options);
        uint64_t timeout_ns = cases[i].outcome == PLX_TIMEOUT ? 20000000 : 0;
        uint64_t retry_ns = 7;
        assert_int_equal(plx_transfer(client, 0, 4, timeout_ns, &retry_ns), cases[i].outcome);
        assert_int_equal(retry_ns, cases[i].outcome == PLX_E_TOO_SOON ? RETRY_US * 1000 : 0);
        plx_close(client);
        fake_thread_stop(&node.thread);
        assert_int_equal(node.transfer_target, 4);
    }
}

static const struct plx_limits limits_wanted = {
    .number = 3, .keys_max = 100, .store_size_bytes = 10 * 128 + 5, .sessions_max = 7};

static void test_node_limits_end_as_the_leader_says(void **state)
{
    (void)state;
    static const struct {
        enum wire_status status;
        enum wire_outcome outcome;
        enum plx_outcome expected;
    } cases[] = {{WIRE_STATUS_OK, WIRE_OUTCOME_OK, PLX_OK},
                 {WIRE_STATUS_OK, WIRE_OUTCOME_MISMATCH, PLX_MISMATCH},
                 {WIRE_STATUS_BAD_REQUEST, 0, PLX_E_ARGUMENT},
                 {WIRE_STATUS_OVERLOADED, 0, PLX_E_OVERLOADED},
                 {WIRE_STATUS_LOG_FULL, 0, PLX_E_OVERLOADED},
                 {WIRE_STATUS_UNSUPPORTED, 0, PLX_E_UNSUPPORTED},
                 {WIRE_STATUS_NOT_LEADER, 0, PLX_UNKNOWN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_node node;
        live_start(&node);
        node.limits_status = cases[i].status;
        node.limits_outcome = cases[i].outcome;
        struct plx_options options = fake_options(&node.fake, 1);
        struct plx_client *client = fake_client(&options);
        uint64_t timeout_ns = cases[i].expected == PLX_UNKNOWN ? 20000000 : 0;
        assert_int_equal(plx_limits_set(client, 0, &limits_wanted, timeout_ns), cases[i].expected);
        plx_close(client);
        fake_thread_stop(&node.thread);
        assert_true(node.limits_number == 3 && node.limits.keys_max == 100);
        assert_true(node.limits.blocks_max == 10 && node.limits.sessions_max == 7);
    }
}

/* Copies of the packet may be on their way: only the number rules them out. */
static void test_node_limits_that_are_not_answered_are_unknown(void **state)
{
    (void)state;
    struct live_node node;
    live_start(&node);
    node.are_limits_lost = true;
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_limits_set(client, 0, &limits_wanted, 50000000), PLX_UNKNOWN);
    struct plx_limits bad = limits_wanted;
    bad.number = 0;
    assert_int_equal(plx_limits_set(client, 0, &bad, 0), PLX_E_ARGUMENT);
    bad = limits_wanted;
    bad.store_size_bytes = 127;
    assert_int_equal(plx_limits_set(client, 0, &bad, 0), PLX_E_ARGUMENT);
    assert_int_equal(plx_limits_set(client, 1, &limits_wanted, 0), PLX_E_ARGUMENT);
    plx_close(client);
    fake_thread_stop(&node.thread);
}

static void test_node_limits_without_a_leader_time_out(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_limits_set(client, 0, &limits_wanted, 15000000), PLX_TIMEOUT);
    plx_close(client);
    fake_close(&fake);
}

/* It may have begun: that is no timeout. */
static void test_node_transfer_that_is_not_answered_is_unreachable(void **state)
{
    (void)state;
    struct live_node node;
    live_start(&node);
    node.is_transfer_lost = true;
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_transfer(client, 0, 4, 50000000, NULL), PLX_E_UNREACHABLE);
    plx_close(client);
    fake_thread_stop(&node.thread);
    assert_int_equal(node.transfer_target, 4);
}

static void test_node_serves_the_synchronous_calls(void **state)
{
    (void)state;
    struct live_node node;
    live_start(&node);
    struct plx_options options = fake_options(&node.fake, 1);
    options.spin_ns = 50000;
    struct plx_client *client = fake_client(&options);
    struct plx_bytes key = plx_text("key");
    assert_int_equal(plx_set(client, key, plx_text("value"), NULL).outcome, PLX_OK);
    assert_int_equal(plx_swap(client, key, plx_text("b"), plx_text("a"), NULL).outcome, PLX_OK);
    assert_int_equal(plx_del(client, key, NULL).outcome, PLX_OK);
    struct plx_response response = plx_get(client, key, NULL);
    assert_int_equal(response.outcome, PLX_OK);
    assert_int_equal(response.value.size_bytes, 5);
    assert_memory_equal(response.value.data, "value", 5);
    char buffer[3];
    struct plx_call call = {.buffer = buffer, .buffer_size_bytes = sizeof(buffer)};
    response = plx_get(client, key, &call);
    assert_true(response.is_truncated && response.value.data == buffer);
    assert_memory_equal(buffer, "val", 3);
    plx_close(client);
    fake_thread_stop(&node.thread);
    /* The last write was the deletion: a set to absent. */
    assert_int_equal(node.last_write.type, WIRE_OP_SET);
    assert_false(node.last_write.has_value);
}

/* A callback may submit, and nothing else. */
struct chain {
    struct plx_client *client;
    uint32_t left;
    uint32_t refused;
};

static void chain_done(void *context, const struct plx_response *response)
{
    struct chain *chain = context;
    assert_int_equal(response->outcome, PLX_OK);
    chain->refused += plx_get(chain->client, plx_text("key"), NULL).outcome == PLX_E_ARGUMENT;
    chain->refused += plx_poll(chain->client, 0) == 0;
    if (--chain->left == 0)
        return;
    struct plx_op op = {
        .type = PLX_OP_GET, .key = plx_text("key"), .done = chain_done, .context = chain};
    assert_int_equal(plx_submit(chain->client, &op), PLX_OK);
}

static void test_node_callbacks_may_submit_more(void **state)
{
    (void)state;
    struct live_node node;
    live_start(&node);
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    struct chain chain = {.client = client, .left = 20};
    struct plx_op op = {.type = PLX_OP_SET,
                        .key = plx_text("key"),
                        .value = plx_text("value"),
                        .done = chain_done,
                        .context = &chain};
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    plx_flush(client);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && chain.left > 0; i++)
        (void)plx_poll(client, 1000000);
    assert_int_equal(chain.left, 0);
    assert_int_equal(chain.refused, 40);
    assert_int_equal(plx_in_flight(client), 0);
    plx_close(client);
    fake_thread_stop(&node.thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_ping_and_status_tell_what_the_node_says),
        cmocka_unit_test(test_node_that_is_silent_is_unreachable),
        cmocka_unit_test(test_node_ping_counts_from_the_first_packet),
        cmocka_unit_test(test_node_transfer_answers_as_the_leader_did),
        cmocka_unit_test(test_node_transfer_that_is_not_answered_is_unreachable),
        cmocka_unit_test(test_node_limits_end_as_the_leader_says),
        cmocka_unit_test(test_node_limits_that_are_not_answered_are_unknown),
        cmocka_unit_test(test_node_limits_without_a_leader_time_out),
        cmocka_unit_test(test_node_serves_the_synchronous_calls),
        cmocka_unit_test(test_node_callbacks_may_submit_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
