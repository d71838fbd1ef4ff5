/* Nodes of two clusters that have one name: a handle keeps to one of them. */
#include "client/include/pollux_cluster.h"
#include "tests/unit/client/fake_pair.h"

#define OURS   UINT64_C(0x1111)
#define THEIRS UINT64_C(0x2222)

static void stage_open_of(struct stage *stage, uint64_t cluster, uint32_t era)
{
    stage_open(stage, NULL);
    stage->fake.cluster = cluster;
    stage->fake.era = era;
}

/* The handle and the token of a swap whose outcome is unknown. */
static struct plx_token token_left(struct stage *stage)
{
    stage_swap(stage, &(struct plx_call){.timeout_ns = 20 * MILLIS, .fence_wait_ns = MILLIS});
    fake_expect(&stage->fake, stage->client, WIRE_WRITE);
    while (stage->ending.count == 0)
        plx_poll(stage->client, MILLIS);
    assert_int_equal(stage->ending.response.outcome, PLX_UNKNOWN);
    while (fake_try(&stage->fake)) /* the fence */
        assert_int_equal(stage->fake.type, WIRE_WRITE);
    return stage->ending.response.token;
}

static void pair_open_of(struct pair *pair, uint64_t first, uint64_t second)
{
    pair_open(pair, 2);
    pair->fakes[0].cluster = first;
    pair->fakes[1].cluster = second;
    pair->fakes[1].is_leader = true;
    pair->client = fake_client(&pair->options);
}

/* Lets both nodes do their routine until they have seen so many hellos, and their answers came. */
static void both_greet(struct pair *pair, uint32_t hellos)
{
    uint32_t wanted = pair->fakes[1].hellos + hellos;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && pair->fakes[1].hellos < wanted; i++) {
        plx_poll(pair->client, MILLIS);
        for (uint32_t at = 0; at < 2; at++)
            (void)fake_try(&pair->fakes[at]);
    }
    assert_true(pair->fakes[1].hellos >= wanted);
    plx_poll(pair->client, MILLIS);
}

static void test_cluster_of_the_first_leader_is_kept(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    struct plx_cluster cluster;
    pair_open_of(&pair, OURS, THEIRS);
    pair.fakes[1].is_mute = true;
    set_arrives(&pair, "key", &ending);
    set_ends(&pair, &ending);
    plx_cluster(pair.client, &cluster);
    assert_true(cluster.number == OURS && cluster.era == 0);
    assert_false(plx_endpoint_is_stranger(pair.client, 0, &cluster));
    assert_false(plx_endpoint_is_stranger(pair.client, 1, &cluster)); /* has said nothing yet */
    assert_true(cluster.number == 0);

    /* The leader is gone; a leader of another cluster is not taken for its successor. */
    pair.fakes[1].is_mute = false;
    pair.fakes[0].is_leader = false;
    ending = (struct ending){0};
    struct plx_op op = set_op("key", "other", &ending);
    op.call.timeout_ns = 200 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_WRITE);
    fake_refuse(&pair.fakes[0], WIRE_WRITE_REPLY, pair.fakes[0].write.packet_number,
                WIRE_STATUS_NOT_LEADER);
    both_greet(&pair, 2);
    while (ending.count == 0)
        both_greet(&pair, 1);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    assert_int_equal(pair.fakes[1].registrations, 0);
    assert_true(fake_statistics(pair.client).strangers > 0);
    assert_true(plx_endpoint_is_stranger(pair.client, 1, &cluster));
    assert_true(cluster.number == THEIRS);
    pair_close(&pair);
}

static void test_cluster_token_of_another_is_refused(void **state)
{
    (void)state;
    struct stage ours;
    struct stage theirs;
    stage_open_of(&ours, OURS, 0);
    stage_open_of(&theirs, THEIRS, 0);
    struct plx_token token = token_left(&ours);
    assert_true(token.cluster == OURS && token.era == 0);
    (void)token_left(&theirs);
    uint32_t packets = theirs.fake.packets;
    assert_int_equal(plx_resolve(theirs.client, &token, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(theirs.fake.packets, packets);
    stage_close(&ours);
    stage_close(&theirs);
}

static void test_cluster_token_waits_until_the_cluster_is_known(void **state)
{
    (void)state;
    struct stage ours;
    stage_open_of(&ours, OURS, 0);
    struct plx_token token = token_left(&ours);
    struct plx_options options = fake_options(&ours.fake, 1);
    struct plx_client *other = fake_client(&options);
    struct plx_response response =
        plx_resolve(other, &token, &(struct plx_call){.timeout_ns = 20 * MILLIS});
    assert_int_equal(response.outcome, PLX_UNKNOWN);
    assert_true(response.token.seq == token.seq);
    plx_close(other);
    stage_close(&ours);
}

/* A shard may have formed, and its leader serve, before shard 0 tells the cluster's number. */
static void test_cluster_without_a_number_is_led_by_nobody(void **state)
{
    (void)state;
    struct stage stage;
    stage_open_of(&stage, 0, 0);
    stage_swap(&stage, &(struct plx_call){.timeout_ns = 20 * MILLIS});
    while (stage.ending.count == 0) {
        plx_poll(stage.client, MILLIS);
        while (fake_try(&stage.fake)) /* hellos, which it answers */
            assert_int_not_equal(stage.fake.type, WIRE_WRITE);
    }
    assert_int_equal(stage.ending.response.outcome, PLX_TIMEOUT);
    assert_true(stage.fake.hellos > 0);
    stage_close(&stage);
}

static void test_cluster_of_a_later_era_ends_sessions(void **state)
{
    (void)state;
    struct stage stage;
    struct plx_cluster cluster;
    stage_open_of(&stage, OURS, 1);
    struct plx_token token = token_left(&stage);
    stage.ending = (struct ending){0};
    stage_swap(&stage, &(struct plx_call){.is_blocking = true});
    fake_expect(&stage.fake, stage.client, WIRE_WRITE);
    /* The cluster is put together anew, and the node restarts. */
    stage.fake.era = 2;
    stage.fake.incarnation++;
    fake_refuse(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number,
                WIRE_STATUS_INCARNATION);
    fake_finish(&stage.fake, stage.client, &stage.ending);
    assert_int_equal(stage.ending.response.outcome, PLX_UNKNOWN);
    assert_int_equal(stage.ending.response.token.era, 1);
    plx_cluster(stage.client, &cluster);
    assert_true(cluster.number == OURS && cluster.era == 2);
    assert_int_equal(plx_resolve(stage.client, &token, NULL).outcome, PLX_E_SESSION_EXPIRED);

    /* A node of the era that is over counts for nothing any more. */
    stage.fake.era = 1;
    stage.fake.incarnation++;
    stage.ending = (struct ending){0};
    struct plx_op op = set_op("key", "value", &stage.ending);
    op.call.timeout_ns = 100 * MILLIS;
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    while (stage.ending.count == 0) {
        plx_poll(stage.client, MILLIS);
        if (fake_try(&stage.fake))
            fake_refuse(&stage.fake, WIRE_WRITE_REPLY, stage.fake.write.packet_number,
                        WIRE_STATUS_INCARNATION);
    }
    assert_int_equal(stage.ending.response.outcome, PLX_UNKNOWN);
    assert_true(plx_endpoint_is_stranger(stage.client, 0, &cluster));
    assert_true(cluster.number == OURS && cluster.era == 1);
    stage_close(&stage);
}

/* A read has no incarnation: the answer tells that the node is another one than was asked. */
static void test_cluster_of_a_read_is_looked_at(void **state)
{
    (void)state;
    struct stage stage;
    struct ending ending = {0};
    stage_open_of(&stage, OURS, 0);
    struct plx_op op = get_op("key", &ending);
    op.call.is_relaxed = true;
    op.call.timeout_ns = 100 * MILLIS;
    assert_int_equal(plx_submit(stage.client, &op), PLX_OK);
    fake_expect(&stage.fake, stage.client, WIRE_READ);
    assert_true(stage.fake.hellos > 0);
    stage.fake.incarnation++;
    stage.fake.cluster = THEIRS;
    fake_answer(&stage.fake, WIRE_READ_REPLY, stage.fake.read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    while (ending.count == 0) {
        plx_poll(stage.client, MILLIS);
        assert_false(fake_try(&stage.fake));
    }
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    stage_close(&stage);
}

static bool has_seen_era(struct plx_client *client, uint32_t era)
{
    struct plx_cluster cluster;
    plx_cluster(client, &cluster);
    return cluster.era == era;
}

/* An answer is on its way when the handle hears that the era of its sender is over. */
static void test_cluster_of_an_earlier_era_is_not_listened_to(void **state)
{
    (void)state;
    struct pair pair;
    struct ending ending = {0};
    pair_open_of(&pair, OURS, OURS);
    pair.fakes[1].is_leader = false;
    pair.fakes[1].is_mute = true;
    struct plx_op op = get_op("key", &ending);
    op.call.timeout_ns = 400 * MILLIS;
    assert_int_equal(plx_submit(pair.client, &op), PLX_OK);
    fake_expect(&pair.fakes[0], pair.client, WIRE_READ);
    assert_true(has_seen_era(pair.client, 0));
    pair.fakes[1].is_mute = false;
    pair.fakes[1].era = 1;
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && !has_seen_era(pair.client, 1); i++) {
        plx_poll(pair.client, MILLIS);
        (void)fake_try(&pair.fakes[1]);
    }
    assert_true(has_seen_era(pair.client, 1));
    assert_int_equal(ending.count, 0);
    fake_answer(&pair.fakes[0], WIRE_READ_REPLY, pair.fakes[0].read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    while (ending.count == 0) {
        plx_poll(pair.client, MILLIS);
        (void)fake_try(&pair.fakes[1]);
    }
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster_of_the_first_leader_is_kept),
        cmocka_unit_test(test_cluster_token_of_another_is_refused),
        cmocka_unit_test(test_cluster_token_waits_until_the_cluster_is_known),
        cmocka_unit_test(test_cluster_without_a_number_is_led_by_nobody),
        cmocka_unit_test(test_cluster_of_a_later_era_ends_sessions),
        cmocka_unit_test(test_cluster_of_a_read_is_looked_at),
        cmocka_unit_test(test_cluster_of_an_earlier_era_is_not_listened_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
