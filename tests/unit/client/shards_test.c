/* Shards: one handle hides them, and none of them holds up another. */
#include "tests/unit/client/fake_pair.h"

#define SHARDS 4

struct scene {
    struct fake fake;
    struct plx_options options;
    struct plx_client *client;
    char keys[SHARDS][16]; /* one of each shard */
};

static void scene_open(struct scene *scene, uint16_t shard_count)
{
    *scene = (struct scene){.client = NULL};
    fake_open_shards(&scene->fake, 1, shard_count);
    scene->options = fake_options(&scene->fake, 1);
    for (uint16_t shard = 0; shard < shard_count; shard++) {
        char *key = scene->keys[shard];
        uint32_t number = 0;
        do {
            snprintf(key, sizeof(scene->keys[0]), "key %u", number++);
        } while (plx_shard_of_key(plx_text(key), shard_count) != shard);
    }
}

static void scene_begin(struct scene *scene)
{
    scene->client = fake_client(&scene->options);
}

static void scene_close(struct scene *scene)
{
    plx_close(scene->client);
    fake_close(&scene->fake);
}

/* A set of the shard's key, up to its arrival. */
static void set_leaves(struct scene *scene, uint16_t shard, struct ending *ending)
{
    struct plx_op op = set_op(scene->keys[shard], "value", ending);
    ending->count = 0;
    assert_int_equal(plx_submit(scene->client, &op), PLX_OK);
    fake_expect(&scene->fake, scene->client, WIRE_WRITE);
    assert_int_equal(scene->fake.shard, shard);
}

static void set_whole(struct scene *scene, uint16_t shard)
{
    struct ending ending = {0};
    set_leaves(scene, shard, &ending);
    fake_outcome_all(&scene->fake, WIRE_OUTCOME_OK);
    fake_finish(&scene->fake, scene->client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
}

static void test_shards_get_the_keys_that_belong_to_them(void **state)
{
    (void)state;
    struct scene scene;
    uint64_t numbers[SHARDS];
    scene_open(&scene, SHARDS);
    scene_begin(&scene);
    for (uint16_t round = 0; round < 3; round++) {
        for (uint16_t shard = 0; shard < SHARDS; shard++) {
            set_whole(&scene, shard);
            /* What happens in other shards leaves no gap in the numbers of this one, but for the
             * notice that nothing was open, ... */
            if (round > 1)
                assert_true(scene.fake.write.packet_number == numbers[shard] + 2);
            numbers[shard] = scene.fake.write.packet_number;
            /* ...nor in those of its operations. */
            assert_true(scene.fake.ops[0].seq == round + 1u);
        }
    }
    assert_int_equal(scene.fake.registrations, SHARDS);
    scene_close(&scene);
}

/* Together they would fit one packet. */
static void test_shards_share_no_packet(void **state)
{
    (void)state;
    struct scene scene;
    struct ending endings[2] = {{0}};
    scene_open(&scene, 2);
    scene_begin(&scene);
    set_whole(&scene, 0);
    set_whole(&scene, 1);
    for (uint16_t shard = 0; shard < 2; shard++) {
        struct plx_op op = set_op(scene.keys[shard], "value", &endings[shard]);
        assert_int_equal(plx_submit(scene.client, &op), PLX_OK);
    }
    uint32_t shards_seen = 0;
    for (uint32_t i = 0; i < 2; i++) {
        fake_expect(&scene.fake, scene.client, WIRE_WRITE);
        assert_int_equal(scene.fake.request.op_count, 1);
        shards_seen |= 1u << scene.fake.shard;
        fake_outcome_all(&scene.fake, WIRE_OUTCOME_OK);
    }
    assert_int_equal(shards_seen, 3);
    fake_finish(&scene.fake, scene.client, &endings[0]);
    fake_finish(&scene.fake, scene.client, &endings[1]);
    scene_close(&scene);
}

static void test_shards_that_no_key_needs_are_left_alone(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, SHARDS);
    scene_begin(&scene);
    set_whole(&scene, 2);
    assert_true(scene.fake.packets_of_shard[0] > 0); /* which told how many there are */
    assert_int_equal(scene.fake.packets_of_shard[1], 0);
    assert_int_equal(scene.fake.packets_of_shard[3], 0);
    assert_int_equal(scene.fake.registrations, 1);
    scene_close(&scene);
}

static void test_shard_without_a_leader_holds_up_no_other(void **state)
{
    (void)state;
    struct scene scene;
    struct ending waiting = {0};
    scene_open(&scene, 2);
    scene.fake.shards_unled = 1u << 1;
    scene_begin(&scene);
    struct plx_op op = set_op(scene.keys[1], "value", &waiting);
    op.call.is_blocking = true;
    assert_int_equal(plx_submit(scene.client, &op), PLX_OK);
    for (uint32_t i = 0; i < 10; i++)
        set_whole(&scene, 0);
    assert_int_equal(waiting.count, 0);
    scene.fake.shards_unled = 0;
    fake_expect(&scene.fake, scene.client, WIRE_WRITE);
    assert_int_equal(scene.fake.shard, 1);
    fake_outcome_all(&scene.fake, WIRE_OUTCOME_OK);
    fake_finish(&scene.fake, scene.client, &waiting);
    assert_int_equal(waiting.response.outcome, PLX_OK);
    scene_close(&scene);
}

static void test_shard_without_a_leader_times_out_for_sure(void **state)
{
    (void)state;
    struct scene scene;
    struct ending ending = {0};
    scene_open(&scene, 2);
    scene.fake.shards_unled = 1u << 1;
    scene_begin(&scene);
    struct plx_op op = set_op(scene.keys[1], "value", &ending);
    op.call.timeout_ns = 30 * MILLIS;
    assert_int_equal(plx_submit(scene.client, &op), PLX_OK);
    fake_finish(&scene.fake, scene.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    scene_close(&scene);
}

static void test_shards_resolve_their_own_tokens(void **state)
{
    (void)state;
    struct scene scene;
    struct ending ending = {0};
    scene_open(&scene, SHARDS);
    scene.options.timeout_ns = 30 * MILLIS;
    scene.options.fence_wait_ns = 30 * MILLIS;
    scene_begin(&scene);
    set_whole(&scene, 1);
    set_leaves(&scene, 3, &ending); /* and is never answered */
    fake_finish(&scene.fake, scene.client, &ending);
    assert_int_equal(ending.response.outcome, PLX_UNKNOWN);
    struct plx_token token = ending.response.token;
    assert_int_equal(token.shard, 3);
    assert_true(token.session == FAKE_SESSION); /* that of shard 1 has the same id */
    struct plx_call call = {.timeout_ns = 20 * MILLIS};
    while (fake_try(&scene.fake))
        continue;
    assert_int_equal(plx_resolve(scene.client, &token, &call).outcome, PLX_UNKNOWN);
    assert_true(fake_try(&scene.fake));
    assert_int_equal(scene.fake.ops[0].type, WIRE_OP_FENCE);
    assert_int_equal(scene.fake.shard, 3);
    assert_true(fake_wire_seq(&scene.fake, scene.fake.ops[0].seq) == token.seq);
    token.shard = SHARDS;
    assert_int_equal(plx_resolve(scene.client, &token, &call).outcome, PLX_E_ARGUMENT);
    scene_close(&scene);
}

static void read_relaxed(struct scene *scene, uint16_t shard, uint64_t min_index)
{
    struct ending ending = {0};
    struct plx_op op = get_op(scene->keys[shard], &ending);
    op.call.is_relaxed = true;
    assert_int_equal(plx_submit(scene->client, &op), PLX_OK);
    fake_expect(&scene->fake, scene->client, WIRE_READ);
    assert_int_equal(scene->fake.shard, shard);
    assert_true(scene->fake.read.min_index == min_index);
    fake_answer(&scene->fake, WIRE_READ_REPLY, scene->fake.read.request_number,
                &(struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND});
    fake_finish(&scene->fake, scene->client, &ending);
}

/* An index of one shard's log says nothing of another. */
static void test_shards_read_ones_own_writes_by_their_own_indices(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 2);
    scene.options.read_your_writes = true;
    scene_begin(&scene);
    set_whole(&scene, 1); /* of version 50 */
    read_relaxed(&scene, 0, 0);
    read_relaxed(&scene, 1, 50);
    scene_close(&scene);
}

static void set_pending(struct scene *scene, uint16_t shard, uint64_t seq)
{
    struct ending ending = {0};
    struct plx_op op = relaxed_op(scene->keys[shard], "pending", &ending);
    assert_int_equal(plx_submit(scene->client, &op), PLX_OK);
    fake_expect(&scene->fake, scene->client, WIRE_WRITE);
    assert_int_equal(scene->fake.shard, shard);
    fake_accept(&scene->fake, seq);
    fake_finish(&scene->fake, scene->client, &ending);
    assert_int_equal(ending.response.outcome, PLX_OK);
}

/* Each shard has a journal of its own on a node, and says of that one what it has decided. */
static void test_shards_cancel_what_is_pending_in_them(void **state)
{
    (void)state;
    struct scene scene;
    struct ending ending = {0};
    scene_open(&scene, 2);
    scene_begin(&scene);
    set_pending(&scene, 0, SEQ);
    uint64_t identity = scene.fake.request.session;
    set_pending(&scene, 1, SEQ + 5);
    assert_true(scene.fake.request.session != identity);
    identity = scene.fake.request.session;
    scene.fake.journal_done_seq = SEQ + 9; /* the next reply, of shard 0, says so */
    set_whole(&scene, 0);
    scene.fake.journal_done_seq = 0;
    set_leaves(&scene, 1, &ending);
    assert_int_equal(scene.fake.request.op_count, 2);
    assert_int_equal(scene.fake.ops[0].type, WIRE_OP_CANCEL);
    assert_true(scene.fake.ops[0].seq == SEQ + 5);
    assert_int_equal(scene.fake.ops[0].tag, wire_tag(identity));
    fake_outcome_all(&scene.fake, WIRE_OUTCOME_OK);
    fake_finish(&scene.fake, scene.client, &ending);
    set_leaves(&scene, 0, &ending);
    assert_int_equal(scene.fake.request.op_count, 1);
    fake_outcome_all(&scene.fake, WIRE_OUTCOME_OK);
    fake_finish(&scene.fake, scene.client, &ending);
    scene_close(&scene);
}

static void test_shards_get_their_sessions_back_at_the_end(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, SHARDS);
    scene_begin(&scene);
    for (uint16_t shard = 0; shard < 3; shard++)
        set_whole(&scene, shard);
    plx_close(scene.client);
    uint32_t shards_seen = 0;
    while (fake_try(&scene.fake)) {
        assert_int_equal(scene.fake.ops[0].type, WIRE_OP_UNREGISTER);
        shards_seen |= 1u << scene.fake.shard;
    }
    assert_int_equal(shards_seen, 7);
    fake_close(&scene.fake);
}

/* The number of shards is fixed for a cluster's life: whoever says otherwise is wrong. */
static void test_shards_keep_the_number_that_was_told_first(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, SHARDS);
    scene.options.leader_fresh_ns = 1; /* so that there are hellos again */
    scene_begin(&scene);
    struct ending ending = {0};
    struct plx_op op = get_op(scene.keys[0], &ending);
    op.call.timeout_ns = 200 * MILLIS;
    assert_int_equal(plx_submit(scene.client, &op), PLX_OK);
    for (uint32_t i = 0; i < FAKE_POLLS_MAX && ending.count == 0; i++) {
        (void)plx_poll(scene.client, FAKE_POLL_NS);
        (void)fake_try(&scene.fake);
        scene.fake.shard_count = scene.fake.hellos > 0 ? 1 : SHARDS;
    }
    scene.fake.shard_count = SHARDS;
    assert_true(fake_statistics(scene.client).shard_count_mismatches > 0);
    read_relaxed(&scene, 3, 0);
    scene_close(&scene);
}

/* One of them has not heard that the cluster was put together anew. */
static void test_shard_of_an_earlier_era_counts_for_nothing(void **state)
{
    (void)state;
    struct scene scene;
    struct ending ending = {0};
    scene_open(&scene, 2);
    scene.fake.era = 1;
    scene.fake.shards_behind = 2;
    scene_begin(&scene);
    set_whole(&scene, 0);
    struct plx_op op = set_op(scene.keys[1], "value", &ending);
    op.call.timeout_ns = 100 * MILLIS;
    assert_int_equal(plx_submit(scene.client, &op), PLX_OK);
    while (ending.count == 0) {
        plx_poll(scene.client, MILLIS);
        if (fake_try(&scene.fake))
            assert_int_not_equal(scene.fake.type, WIRE_WRITE);
    }
    assert_int_equal(ending.response.outcome, PLX_TIMEOUT);
    assert_true(fake_statistics(scene.client).strangers > 0);
    scene.fake.shards_behind = 0;
    set_whole(&scene, 1);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards_get_the_keys_that_belong_to_them),
        cmocka_unit_test(test_shards_share_no_packet),
        cmocka_unit_test(test_shards_that_no_key_needs_are_left_alone),
        cmocka_unit_test(test_shard_without_a_leader_holds_up_no_other),
        cmocka_unit_test(test_shard_without_a_leader_times_out_for_sure),
        cmocka_unit_test(test_shards_resolve_their_own_tokens),
        cmocka_unit_test(test_shards_read_ones_own_writes_by_their_own_indices),
        cmocka_unit_test(test_shards_cancel_what_is_pending_in_them),
        cmocka_unit_test(test_shards_get_their_sessions_back_at_the_end),
        cmocka_unit_test(test_shards_keep_the_number_that_was_told_first),
        cmocka_unit_test(test_shard_of_an_earlier_era_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
