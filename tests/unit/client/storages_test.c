/* Members and replacement, asked of a node that the test plays in a thread of its own. */
#include "client/include/pollux_members.h"
#include "tests/unit/client/fake_thread.h"

struct told_node {
    struct fake fake;
    struct fake_thread thread;
    enum wire_status status;
    struct wire_replace replace; /* the last one; read after the join */
};

static struct wire_members members_told(const struct fake *fake, uint64_t number)
{
    static const uint8_t ipv4[4] = {10, 77, 0, 3};
    struct wire_members told = {.number = number,
                                .birth = 11,
                                .term = 6,
                                .configuration_index = 7,
                                .last_index = 8,
                                .node = fake->id,
                                .leader = fake->id,
                                .role = WIRE_ROLE_LEADER,
                                .membership = WIRE_VOTER,
                                .has_fresh_quorum = true,
                                .member_count = 2};
    told.members[0] = (struct wire_member){.birth = 11, .node = 1, .membership = WIRE_VOTER};
    told.members[1] = (struct wire_member){.birth = 12,
                                           .node = 3,
                                           .membership = WIRE_LEARNER,
                                           .is_told = true,
                                           .match_index = 5,
                                           .silent_us = 9,
                                           .address = address_of_ipv4(ipv4, 7400)};
    return told;
}

static void told_answer(struct told_node *node)
{
    struct fake *fake = &node->fake;
    if (fake->type == WIRE_MEMBERS) {
        uint8_t body[1400];
        struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
        uint64_t number;
        assert_int_equal(wire_members_ask_decode(fake->body, &number), OK);
        struct wire_members told = members_told(fake, number);
        wire_members_encode(&writer, &told);
        fake_send(fake, WIRE_MEMBERS_REPLY, span_of(body, writer.size_bytes));
    } else if (fake->type == WIRE_REPLACE) {
        assert_int_equal(wire_replace_decode(fake->body, &node->replace), OK);
        if (node->status == WIRE_STATUS_NO_QUORUM)
            fake->is_leader = false;
        fake_refuse(fake, WIRE_REPLACE_REPLY, node->replace.number, node->status);
    }
}

static void told_turn(void *context)
{
    struct told_node *node = context;
    if (fake_try(&node->fake))
        told_answer(node);
}

static void told_start(struct told_node *node, enum wire_status status)
{
    *node = (struct told_node){.status = status,
                               .thread = {.fake = &node->fake, .turn = told_turn, .context = node}};
    fake_thread_start(&node->thread, 1);
}

static void test_storages_members_are_told_as_the_node_has_them(void **state)
{
    (void)state;
    struct told_node node;
    struct plx_members told;
    told_start(&node, WIRE_STATUS_OK);
    struct plx_options options = fake_options(&node.fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_members(client, 0, 0, 0, &told), PLX_OK);
    assert_true(told.node == 1 && told.leader == 1 && told.shard == 0 && told.birth == 11);
    assert_true(told.role == PLX_LEADER && told.membership == PLX_VOTER && told.has_fresh_quorum);
    assert_true(told.term == 6 && told.configuration_index == 7 && told.last_index == 8);
    assert_int_equal(told.member_count, 2);
    assert_true(told.members[0].birth == 11 && !told.members[0].is_told);
    assert_true(told.members[1].birth == 12 && told.members[1].node == 3);
    assert_true(told.members[1].membership == PLX_LEARNER && told.members[1].is_told);
    assert_true(told.members[1].match_index == 5 && told.members[1].silent_ns == 9000);
    assert_true(told.members[1].ip[15] == 3 && told.members[1].port == 7400);
    assert_int_equal(plx_members(client, 1, 0, 0, &told), PLX_E_ARGUMENT);
    plx_close(client);
    fake_thread_stop(&node.thread);
}

static void test_storages_of_a_silent_node_are_not_told(void **state)
{
    (void)state;
    struct plx_members told = {.node = 77};
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_members(client, 0, 0, 15000000, &told), PLX_E_UNREACHABLE);
    assert_int_equal(told.node, 0);
    assert_int_equal(plx_replace(client, 0, &(struct plx_lost){.birth = 5, .node = 3}, 15000000),
                     PLX_TIMEOUT);
    plx_close(client);
    fake_close(&fake);
}

static void test_storages_replace_ends_as_the_leader_says(void **state)
{
    (void)state;
    static const struct {
        enum wire_status status;
        enum plx_outcome outcome;
    } cases[] = {{WIRE_STATUS_OK, PLX_OK},
                 {WIRE_STATUS_UNKNOWN, PLX_MISMATCH},
                 {WIRE_STATUS_PENDING, PLX_E_PERMISSION},
                 {WIRE_STATUS_BAD_REQUEST, PLX_E_ARGUMENT},
                 {WIRE_STATUS_NO_QUORUM, PLX_TIMEOUT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told_node node;
        told_start(&node, cases[i].status);
        struct plx_options options = fake_options(&node.fake, 1);
        struct plx_client *client = fake_client(&options);
        uint64_t timeout_ns = cases[i].outcome == PLX_TIMEOUT ? 20000000 : 0;
        assert_int_equal(
            plx_replace(client, 0, &(struct plx_lost){.birth = 5, .node = 3}, timeout_ns),
            cases[i].outcome);
        plx_close(client);
        fake_thread_stop(&node.thread);
        assert_true(node.replace.birth == 5 && node.replace.node == 3);
    }
}

static void test_storages_replace_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct fake fake;
    fake_open(&fake, 1);
    struct plx_options options = fake_options(&fake, 1);
    struct plx_client *client = fake_client(&options);
    assert_int_equal(plx_replace(client, 0, &(struct plx_lost){.birth = 0, .node = 3}, 0),
                     PLX_E_ARGUMENT);
    assert_int_equal(plx_replace(client, 0, &(struct plx_lost){.birth = 5, .node = 0}, 0),
                     PLX_E_ARGUMENT);
    assert_int_equal(plx_replace(client, 0, &(struct plx_lost){.birth = 5, .node = 256}, 0),
                     PLX_E_ARGUMENT);
    plx_close(client);
    fake_close(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storages_members_are_told_as_the_node_has_them),
        cmocka_unit_test(test_storages_of_a_silent_node_are_not_told),
        cmocka_unit_test(test_storages_replace_ends_as_the_leader_says),
        cmocka_unit_test(test_storages_replace_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
