/* Addresses that a handle learns from the cluster: nodes that were added, moved, or replaced. */
#include "client/include/pollux_cluster.h"
#include "client/roster.h"
#include "tests/unit/client/fake_pair.h"

#define OURS   UINT64_C(0x1111)
#define THEIRS UINT64_C(0x2222)

static const uint8_t loopback[4] = {127, 0, 0, 1};

static void members_add(struct wire_members *members, uint16_t node, uint16_t port)
{
    members->members[members->member_count++] =
        (struct wire_member){.birth = node,
                             .node = node,
                             .membership = WIRE_VOTER,
                             .address = address_of_ipv4(loopback, port)};
}

/* The first node tells of this configuration from now on. */
static void configure(struct pair *pair, struct wire_members *members, uint64_t index)
{
    members->configuration_index = index;
    members->node = 1;
    members->birth = 1;
    pair->fakes[0].members = members;
    pair->fakes[0].configuration_index = index;
    pair->fakes[0].commit_index = index;
}

/* The handle knows the first node alone; the members are both. */
static void roster_open(struct pair *pair, struct wire_members *members)
{
    *members = (struct wire_members){.member_count = 0};
    pair_open(pair, 1);
    pair->fakes[0].cluster = pair->fakes[1].cluster = OURS;
    pair->client = fake_client(&pair->options);
    members_add(members, 1, pair->fakes[0].port);
    members_add(members, 2, pair->fakes[1].port);
    configure(pair, members, 5);
}

static void set_at_first(struct pair *pair)
{
    struct ending ending = {0};
    set_arrives(pair, "key", &ending);
    set_ends(pair, &ending);
}

/* Lets both nodes do their routine for a while. */
static void both_turn(struct pair *pair, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        plx_poll(pair->client, MILLIS);
        (void)fake_try(&pair->fakes[0]);
        (void)fake_try(&pair->fakes[1]);
    }
}

/* The first node leads no more and tells nothing but that, and the second one leads. */
static void first_goes(struct pair *pair)
{
    pair->fakes[0].is_leader = false;
    pair->fakes[0].is_mute = true;
    pair->fakes[1].is_leader = true;
}

/* A set: it ends at the second node. */
static void set_at_second(struct pair *pair)
{
    struct ending ending = {0};
    struct plx_op op = set_op("key", "later", &ending);
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        plx_poll(pair->client, MILLIS);
        if (fake_try(&pair->fakes[0]))
            fake_refuse(&pair->fakes[0], WIRE_WRITE_REPLY, pair->fakes[0].write.packet_number,
                        WIRE_STATUS_NOT_LEADER);
        if (fake_try(&pair->fakes[1]))
            fake_outcome_all(&pair->fakes[1], WIRE_OUTCOME_OK);
    }
    assert_int_equal(ending.count, 1);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.node, pair->fakes[1].id);
}

/* A set that the first node refuses once: the handle greets it again, and hears of what is new. */
static void set_hears_again(struct pair *pair, const char *key)
{
    struct ending ending = {0};
    struct plx_op op = set_op(key, "other", &ending);
    op.call.timeout_ns = 50 * MILLIS;
    assert_int_equal(plx_submit(pair->client, &op), PLX_OK);
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    pair->fakes[0].is_leader = false;
    fake_refuse(&pair->fakes[0], WIRE_WRITE_REPLY, pair->fakes[0].write.packet_number,
                WIRE_STATUS_NOT_LEADER);
    both_turn(pair, 1);
    pair->fakes[0].is_leader = true;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        plx_poll(pair->client, MILLIS);
        if (fake_try(&pair->fakes[0]))
            fake_outcome_all(&pair->fakes[0], WIRE_OUTCOME_OK);
    }
    assert_int_equal(ending.count, 1);
    both_turn(pair, 3);
}

static void test_roster_goes_on_with_an_added_node(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    set_at_first(&pair);
    both_turn(&pair, 3);
    assert_int_equal(plx_learned_count(pair.client), 1);
    assert_int_equal(plx_endpoint_count(pair.client), 1);
    assert_int_equal(pair.fakes[0].members_asked, 1);
    assert_int_equal(pair.fakes[1].packets, 0); /* the first node answers */
    first_goes(&pair);
    set_at_second(&pair);
    pair_close(&pair);
}

/* The node at the endpoint is at another address now, and tells its new incarnation there. */
static void test_roster_follows_a_node_that_moves(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    members.member_count = 0;
    members_add(&members, 1, pair.fakes[1].port);
    pair.fakes[1].id = 1;
    set_at_first(&pair);
    both_turn(&pair, 3);
    assert_int_equal(plx_learned_count(pair.client), 1);
    first_goes(&pair);
    set_at_second(&pair);
    assert_int_equal(plx_learned_count(pair.client), 1);
    pair_close(&pair);
}

static void test_roster_asks_once_for_a_configuration(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    for (uint32_t i = 0; i < 4; i++) {
        set_at_first(&pair);
        pair.fakes[0].incarnation++; /* the handle greets it again */
        struct ending ending = {0};
        struct plx_op op = set_op("key", "other", &ending);
        op.call.timeout_ns = 20 * MILLIS;
        assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
        fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
        fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                    WIRE_STATUS_INCARNATION);
        fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
        fake_outcome_all(&pair.fakes[0], WIRE_OUTCOME_OK);
        fake_finish(&pair.fakes[0], pair.client, &ending);
    }
    assert_true(pair.fakes[0].hellos > 4);
    assert_int_equal(pair.fakes[0].members_asked, 1);
    pair_close(&pair);
}

static void test_roster_leaves_out_what_is_not_committed(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    pair.fakes[0].commit_index = 4;
    set_at_first(&pair);
    both_turn(&pair, 3);
    assert_int_equal(pair.fakes[0].members_asked, 0);
    assert_int_equal(plx_learned_count(pair.client), 0);
    /* The answer is of a later one than was asked for: that need not be committed either. */
    pair.fakes[0].commit_index = 5;
    members.configuration_index = 6;
    set_hears_again(&pair, "key");
    assert_int_equal(pair.fakes[0].members_asked, 1);
    assert_int_equal(plx_learned_count(pair.client), 0);
    pair.fakes[0].commit_index = pair.fakes[0].configuration_index = 6;
    set_hears_again(&pair, "key");
    assert_int_equal(plx_learned_count(pair.client), 1);
    pair_close(&pair);
}

static void test_roster_listens_to_no_other_cluster(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    pair_open(&pair, 2);
    pair.fakes[0].cluster = OURS;
    pair.fakes[1].cluster = THEIRS;
    pair.fakes[1].is_leader = false;
    pair.client = fake_client(&pair.options);
    set_at_first(&pair);
    members = (struct wire_members){.configuration_index = 5, .node = 2};
    members_add(&members, 3, 9);
    pair.fakes[1].members = &members;
    pair.fakes[1].configuration_index = pair.fakes[1].commit_index = 5;
    first_goes(&pair);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "other", &ending);
    op.call.timeout_ns = 50 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_NOT_LEADER);
    while (ending.count == 0)
        both_turn(&pair, 1);
    assert_true(pair.fakes[1].hellos > 0);
    assert_int_equal(pair.fakes[1].members_asked, 0);
    assert_int_equal(plx_learned_count(pair.client), 0);
    pair_close(&pair);
}

/* None of the endpoints that the handle was given leads. */
static void test_roster_finds_the_leader_through_a_follower(void **state)
{
    struct pair pair;
    struct wire_members members;
    (void)state;
    roster_open(&pair, &members);
    pair.fakes[0].is_leader = false;
    pair.fakes[1].is_leader = true;
    set_at_second(&pair);
    assert_int_equal(plx_learned_count(pair.client), 1);
    pair_close(&pair);
}

/* The follower of another cluster has answered before the leader of the handle's. */
static void test_roster_forgets_what_is_not_to_be_its_cluster(void **state)
{
    struct pair pair;
    struct wire_members members = {.member_count = 0};
    (void)state;
    pair_open(&pair, 2);
    pair.fakes[0].cluster = THEIRS;
    pair.fakes[1].cluster = OURS;
    pair.fakes[0].is_leader = false;
    pair.client = fake_client(&pair.options);
    members_add(&members, 1, pair.fakes[0].port);
    members_add(&members, 3, 9);
    configure(&pair, &members, 5);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && plx_learned_count(pair.client) == 0; i++) {
        plx_poll(pair.client, MILLIS);
        (void)fake_try(&pair.fakes[0]);
    }
    assert_int_equal(plx_learned_count(pair.client), 1);
    pair.fakes[1].is_leader = true;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        plx_poll(pair.client, MILLIS);
        if (fake_try(&pair.fakes[1]))
            fake_outcome_all(&pair.fakes[1], WIRE_OUTCOME_OK);
    }
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(plx_learned_count(pair.client), 0);
    pair_close(&pair);
}

static void test_roster_can_be_turned_off(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    plx_learn(pair.client, false);
    set_at_first(&pair);
    both_turn(&pair, 3);
    assert_int_equal(pair.fakes[0].members_asked, 0);
    assert_int_equal(plx_learned_count(pair.client), 0);
    pair_close(&pair);
}

/* What the handle knows by then is greeted no more, until it is turned on again. */
static void test_roster_can_be_turned_off_later(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    set_at_first(&pair);
    both_turn(&pair, 3);
    assert_int_equal(plx_learned_count(pair.client), 1);
    plx_learn(pair.client, false);
    first_goes(&pair);
    struct ending ending = {0};
    struct plx_op op = set_op("key", "other", &ending);
    op.call.timeout_ns = 50 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_NOT_LEADER);
    while (ending.count == 0)
        both_turn(&pair, 1);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    assert_int_equal(pair.fakes[1].packets, 0);
    plx_learn(pair.client, true);
    set_at_second(&pair);
    pair_close(&pair);
}

/* One configuration after the other has other nodes: their places are taken over, and the handle
 * finds the last one. */
static void test_roster_is_bounded(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    set_at_first(&pair);
    for (uint16_t round = 0; round < 6; round++) {
        members.member_count = 1;
        for (uint16_t i = 0; i < NODES_MAX - 2; i++)
            members_add(&members, (uint16_t)(10 + i), (uint16_t)(10 + NODES_MAX * round + i));
        members_add(&members, 2, pair.fakes[1].port);
        configure(&pair, &members, 10u + round);
        uint32_t asked = pair.fakes[0].members_asked;
        set_hears_again(&pair, "key");
        assert_true(pair.fakes[0].members_asked > asked);
        assert_int_equal(plx_learned_count(pair.client), NODES_MAX - 1);
    }
    first_goes(&pair);
    set_at_second(&pair);
    pair_close(&pair);
}

/* Addresses at which nobody answers are greeted more and more rarely. */
static void test_roster_gives_up_what_does_not_answer(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    roster_open(&pair, &members);
    set_at_first(&pair);
    both_turn(&pair, 3);
    pair.fakes[0].is_mute = pair.fakes[1].is_mute = true;
    uint32_t seen = pair.fakes[0].packets;
    struct ending ending = {0};
    struct plx_op op = set_op("key", "other", &ending);
    op.call.timeout_ns = 600 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    while (ending.count == 0)
        both_turn(&pair, 1);
    assert_true(pair.fakes[1].packets > 3);
    assert_true(pair.fakes[1].packets < 12);
    assert_true(pair.fakes[0].packets - seen > 2 * pair.fakes[1].packets);
    pair_close(&pair);
}

/* The members are those of shard 0, which a node that is removed leaves first. */
static void test_roster_finds_the_leader_of_another_shard(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members = {.member_count = 0};
    char keys[2][16];
    for (uint16_t i = 0; i < 2; i++) {
        fake_open_shards(&pair.fakes[i], (uint16_t)(i + 1), 2);
        pair.fakes[i].shards_unled = i == 0 ? 2 : 1; /* it leads the shard of its place */
        members_add(&members, (uint16_t)(i + 1), pair.fakes[i].port);
        uint32_t number = 0;
        do {
            snprintf(keys[i], sizeof(keys[i]), "key %u", number++);
        } while (plx_shard_of_key(plx_text(keys[i]), 2) != i);
    }
    pair.options = fake_options(pair.fakes, 1);
    pair.client = fake_client(&pair.options);
    configure(&pair, &members, 5);
    set_hears_again(&pair, keys[0]);
    assert_int_equal(plx_learned_count(pair.client), 1);
    members.member_count = 1;
    configure(&pair, &members, 6);
    set_hears_again(&pair, keys[0]);
    assert_int_equal(plx_learned_count(pair.client), 0);

    struct ending ending = {0};
    struct plx_op op = set_op(keys[1], "value", &ending);
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        plx_poll(pair.client, MILLIS);
        assert_false(fake_try(&pair.fakes[0]));
        if (fake_try(&pair.fakes[1]))
            fake_outcome_all(&pair.fakes[1], WIRE_OUTCOME_OK);
    }
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.node, 2);
    pair_close(&pair);
}

/* A relaxed write that the first node leaves unanswered, when the members have it at the address of
 * the second one. */
static void relaxed_is_left(struct pair *pair, struct wire_members *members, struct plx_op *op)
{
    roster_open(pair, members);
    members->member_count = 0;
    members_add(members, 1, pair->fakes[1].port);
    pair->fakes[1].id = 1;
    set_at_first(pair);
    both_turn(pair, 3);
    assert_int_equal(plx_submit(pair->client, op), PLX_OK);
    fake_expect(&pair->fakes[0], pair->client, WIRE_WRITE);
    assert_true(pair->fakes[0].write.is_relaxed);
    first_goes(pair);
}

/* Until the second node gets a request, or the operation has ended; true: it got one. */
static bool second_is_asked(struct pair *pair, const struct ending *ending)
{
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending->count == 0; i++) {
        plx_poll(pair->client, MILLIS);
        (void)fake_try(&pair->fakes[0]);
        if (fake_try(&pair->fakes[1]))
            return true;
    }
    return false;
}

static void test_roster_follows_a_relaxed_write_to_its_storage(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    struct ending ending = {0};
    struct plx_op op = relaxed_op("key", "pending", &ending);
    op.call.is_blocking = true;
    relaxed_is_left(&pair, &members, &op);
    assert_true(second_is_asked(&pair, &ending));
    /* The storage was opened anew there: the handle asks whether it has the write. */
    assert_true(pair.fakes[1].write.is_relaxed && pair.fakes[1].write.is_recall);
    assert_true(pair.fakes[1].write.incarnation == pair.fakes[1].incarnation);
    fake_accept(&pair.fakes[1], SEQ);
    fake_finish(&pair.fakes[1], pair.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
    assert_int_equal(ending.response.version, SEQ);
    pair_close(&pair);
}

/* Another storage under the same node id knows nothing of the write. */
static void test_roster_asks_no_other_storage_about_a_relaxed_write(void **state)
{
    (void)state;
    struct pair pair;
    struct wire_members members;
    struct ending ending = {0};
    struct plx_op op = relaxed_op("key", "pending", &ending);
    op.call.timeout_ns = 1200 * MILLIS;
    relaxed_is_left(&pair, &members, &op);
    pair.fakes[1].series = 9;
    assert_false(second_is_asked(&pair, &ending));
    assert_int_equal(ending.count, 1);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    assert_true(pair.fakes[1].hellos > 0);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roster_goes_on_with_an_added_node),
        cmocka_unit_test(test_roster_follows_a_node_that_moves),
        cmocka_unit_test(test_roster_asks_once_for_a_configuration),
        cmocka_unit_test(test_roster_leaves_out_what_is_not_committed),
        cmocka_unit_test(test_roster_listens_to_no_other_cluster),
        cmocka_unit_test(test_roster_finds_the_leader_through_a_follower),
        cmocka_unit_test(test_roster_forgets_what_is_not_to_be_its_cluster),
        cmocka_unit_test(test_roster_can_be_turned_off),
        cmocka_unit_test(test_roster_can_be_turned_off_later),
        cmocka_unit_test(test_roster_is_bounded),
        cmocka_unit_test(test_roster_gives_up_what_does_not_answer),
        cmocka_unit_test(test_roster_finds_the_leader_of_another_shard),
        cmocka_unit_test(test_roster_follows_a_relaxed_write_to_its_storage),
        cmocka_unit_test(test_roster_asks_no_other_storage_about_a_relaxed_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
