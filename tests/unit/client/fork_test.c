/* A handle in a process that has forked: it stays the parent's, and the child's calls say so. */
#include "client/include/pollux_cluster.h"
#include "client/include/pollux_leadership.h"
#include "client/include/pollux_logs.h"
#include "client/include/pollux_members.h"
#include "tests/unit/client/fake_node.h"

#include <stdlib.h>
#include <sys/wait.h>

#define CHILD_SECONDS_MAX 10

/* In the child: 0 if every call refuses, else which one does not. */
static int refused_calls(struct plx_client *client)
{
    const struct plx_call blocking = {.is_blocking = true};
    const struct plx_bytes key = plx_text("key");
    const struct plx_token token = {.cluster_id = 1, .session = 2, .seq = 3};
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    struct plx_node node;
    struct plx_members members;
    (void)alarm(CHILD_SECONDS_MAX); /* a blocking call that is not refused would wait for ever */
    if (plx_set(client, key, plx_text("child"), &blocking).outcome != PLX_E_FORKED)
        return 1;
    if (plx_get(client, key, NULL).outcome != PLX_E_FORKED)
        return 2;
    if (plx_swap(client, key, key, PLX_ABSENT, NULL).outcome != PLX_E_FORKED)
        return 3;
    if (plx_resolve(client, &token, &blocking).outcome != PLX_E_FORKED)
        return 4;
    if (plx_submit(client, &op) != PLX_E_FORKED)
        return 5;
    if (plx_logs_take(client, "host", NULL, 0, NULL).outcome != PLX_E_FORKED)
        return 6;
    if (plx_ping(client, 0, 0, 0, &node) != PLX_E_FORKED ||
        plx_members(client, 0, 0, 0, &members) != PLX_E_FORKED)
        return 7;
    if (plx_transfer(client, 0, 0, 0, NULL) != PLX_E_FORKED)
        return 8;
    plx_cancel(client);
    plx_flush(client);
    if (plx_poll(client, UINT64_MAX) != 0 || plx_in_flight(client) != 0)
        return 9;
    plx_close(client);
    return 0;
}

static void assert_child_is_well(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Every packet that is at the node. */
static uint32_t packets_of(struct fake *fake)
{
    while (fake_receive(fake))
        continue;
    return fake->packets;
}

static void test_fork_leaves_the_handle_to_the_parent(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    uint32_t packets = packets_of(&stage.fake);
    pid_t child = fork();
    if (child == 0)
        _exit(refused_calls(stage.client));
    assert_child_is_well(child);
    assert_int_equal(packets_of(&stage.fake), packets);
    assert_int_equal(plx_in_flight(stage.client), 1);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE); /* sent again: nothing took its answer */
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_OK);
    stage_close(&stage);
}

struct forking {
    struct ending ending;
    pid_t child; /* 0: this is it */
};

static void fork_done(void *context, const struct plx_response *response)
{
    struct forking *forking = context;
    ending_done(&forking->ending, response);
    forking->child = fork();
}

/* The turn around the callback goes on in the child, and must not speak for the parent. */
static void test_fork_in_a_callback_ends_the_call_of_the_child(void **state)
{
    (void)state;
    struct stage stage;
    struct forking forking = {.child = -1};
    struct ending later = {0};
    stage_open(&stage, NULL);
    struct plx_op op = set_op("key", "first", NULL);
    op.done = fork_done;
    op.context = &forking;
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    uint32_t packets = packets_of(&stage.fake);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    op = set_op("key", "second", &later);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    (void)plx_poll(stage.client, UINT64_C(1000000000));
    if (forking.child == 0)
        _exit(refused_calls(stage.client));
    assert_true(forking.child > 0);
    assert_child_is_well(forking.child);
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    assert_true(stage.fake.packets > packets);
    fake_outcome_all(&stage.fake, WIRE_OUTCOME_OK);
    fake_finish(&stage.fake, stage.client, &later);
    assert_int_equal(later.response.outcome, PLX_OK);
    stage_close(&stage);
}

static void test_fork_lets_the_child_open_its_own(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, NULL);
    pid_t child = fork();
    if (child == 0) {
        struct plx_options options = fake_options(&stage.fake, 1);
        struct plx_client *own;
        bool is_open = plx_open(&options, &own, NULL, 0) == PLX_OK;
        plx_close(stage.client);
        _exit(is_open && plx_poll(own, 0) == 0 && plx_in_flight(own) == 0 ? 0 : 1);
    }
    assert_child_is_well(child);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_leaves_the_handle_to_the_parent),
        cmocka_unit_test(test_fork_in_a_callback_ends_the_call_of_the_child),
        cmocka_unit_test(test_fork_lets_the_child_open_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
