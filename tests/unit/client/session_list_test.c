/* Pages of sessions and the end of one, as a program of an operator asks for them. */
#include "client/include/pollux_sessions.h"
#include "tests/unit/client/fake_thread.h"

struct live_node {
    struct fake fake;
    enum wire_status status;
    enum wire_outcome outcome;
    uint64_t ended;
    uint32_t asked; /* the place that was asked for last */
    uint32_t pages; /* asked for so far */
    bool restarts;  /* after the first page */
    struct fake_thread thread;
};

static void answer_page(struct live_node *node, const struct wire_sessions *question)
{
    uint8_t body[WIRE_SESSIONS_QUESTION_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply head = fake_reply_head(&node->fake, question->number, node->status);
    node->asked = question->from;
    if (node->restarts && node->pages > 0)
        head.incarnation++;
    node->pages++;
    if (node->status != WIRE_STATUS_OK) {
        wire_reply_begin(&writer, &head);
    } else {
        wire_sessions_reply_begin(&writer, &head);
        wire_sessions_reply_add(&writer, &(struct wire_session){.id = 100 + question->from,
                                                                .quiet_us = 2,
                                                                .heard_us = UINT64_MAX,
                                                                .left_us = 4,
                                                                .address = {.port = 9},
                                                                .state = WIRE_SESSION_IDLE,
                                                                .outcomes = 3});
        wire_sessions_reply_end(
            &writer, &(struct wire_sessions_reply){
                         .next = question->from == 0 ? 7 : 0, .count = 2, .sessions_max = 5});
    }
    fake_send(&node->fake, WIRE_SESSIONS_REPLY, span_of(body, writer.size_bytes));
}

static void answer_end(struct live_node *node, uint64_t number)
{
    uint8_t body[WIRE_SESSION_END_QUESTION_BYTES];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    struct wire_reply head = fake_reply_head(&node->fake, number, node->status);
    wire_reply_begin(&writer, &head);
    if (node->status == WIRE_STATUS_OK)
        wire_reply_add(&writer, &(struct wire_reply_op){.outcome = (uint8_t)node->outcome});
    fake_send(&node->fake, WIRE_SESSION_END_REPLY, span_of(body, writer.size_bytes));
}

static void live_turn(void *context)
{
    struct live_node *node = context;
    struct wire_sessions question;
    uint64_t number;
    if (!fake_try(&node->fake))
        return;
    if (node->status == WIRE_STATUS_NOT_LEADER)
        node->fake.is_leader = false;
    if (node->fake.type == WIRE_SESSIONS) {
        assert_int_equal(wire_sessions_decode(node->fake.body, &question), OK);
        answer_page(node, &question);
    } else if (node->fake.type == WIRE_SESSION_END) {
        assert_int_equal(wire_session_end_decode(node->fake.body, &number, &node->ended), OK);
        answer_end(node, number);
    }
}

static struct plx_client *begin(struct live_node *node, enum wire_status status)
{
    *node = (struct live_node){.status = status,
                               .outcome = WIRE_OUTCOME_OK,
                               .thread = {.fake = &node->fake, .turn = live_turn, .context = node}};
    fake_thread_start(&node->thread, 3);
    struct plx_options options = fake_options(&node->fake, 1);
    return fake_client(&options);
}

static void end(struct live_node *node, struct plx_client *client)
{
    plx_close(client);
    fake_thread_stop(&node->thread);
}

static void test_session_list_goes_from_page_to_page(void **state)
{
    (void)state;
    static struct plx_sessions page;
    struct live_node node;
    struct plx_client *client = begin(&node, WIRE_STATUS_OK);
    assert_int_equal(plx_sessions_list(client, 0, &page, 0), PLX_OK);
    assert_true(page.next == 7 && page.count == 2 && page.sessions_max == 5 && page.node == 3);
    assert_true(page.entry_count == 1 && page.entries[0].id == 100);
    assert_true(page.entries[0].quiet_ns == 2000 && page.entries[0].heard_ns == UINT64_MAX);
    assert_true(page.entries[0].left_ns == 4000 && page.entries[0].outcomes == 3);
    assert_true(page.entries[0].state == PLX_SESSION_IDLE && page.entries[0].port == 9);
    assert_int_equal(plx_sessions_list(client, 0, &page, 0), PLX_OK);
    assert_true(page.next == 0 && page.entries[0].id == 107);
    assert_int_equal(plx_sessions_list(client, 0, NULL, 0), PLX_E_ARGUMENT);
    assert_int_equal(plx_sessions_list(client, 1, &page, 0), PLX_E_ARGUMENT);
    end(&node, client);
}

/* Places mean nothing after a restart. */
static void test_session_list_begins_anew_after_a_restart(void **state)
{
    (void)state;
    static struct plx_sessions page;
    struct live_node node;
    page.next = 0;
    struct plx_client *client = begin(&node, WIRE_STATUS_OK);
    node.restarts = true;
    assert_int_equal(plx_sessions_list(client, 0, &page, 0), PLX_OK);
    assert_int_equal(plx_sessions_list(client, 0, &page, 0), PLX_MISMATCH);
    end(&node, client);
}

static void test_session_list_and_end_answer_as_the_leader_did(void **state)
{
    (void)state;
    static struct plx_sessions page;
    static const struct {
        enum wire_status status;
        enum plx_outcome outcome;
    } cases[] = {{WIRE_STATUS_DENIED, PLX_E_DENIED},
                 {WIRE_STATUS_OVERLOADED, PLX_E_OVERLOADED},
                 {WIRE_STATUS_BAD_REQUEST, PLX_E_ARGUMENT},
                 {WIRE_STATUS_NOT_LEADER, PLX_TIMEOUT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct live_node node;
        struct plx_client *client = begin(&node, cases[i].status);
        uint64_t timeout_ns = cases[i].outcome == PLX_TIMEOUT ? 20000000 : 0;
        page.next = 0;
        assert_int_equal(plx_sessions_list(client, 0, &page, timeout_ns), cases[i].outcome);
        assert_int_equal(plx_session_end(client, 0, 12, timeout_ns), cases[i].outcome);
        end(&node, client);
    }
}

static void test_session_end_tells_whether_there_was_one(void **state)
{
    (void)state;
    struct live_node node;
    struct plx_client *client = begin(&node, WIRE_STATUS_OK);
    assert_int_equal(plx_session_end(client, 0, 4096, 0), PLX_OK);
    node.outcome = WIRE_OUTCOME_NO_SESSION;
    assert_int_equal(plx_session_end(client, 0, 4097, 0), PLX_NOT_FOUND);
    assert_int_equal(plx_session_end(client, 1, 4096, 0), PLX_E_ARGUMENT);
    end(&node, client);
    assert_int_equal(node.ended, 4097);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_list_goes_from_page_to_page),
        cmocka_unit_test(test_session_list_begins_anew_after_a_restart),
        cmocka_unit_test(test_session_list_and_end_answer_as_the_leader_did),
        cmocka_unit_test(test_session_end_tells_whether_there_was_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
