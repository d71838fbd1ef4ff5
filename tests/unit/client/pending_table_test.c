/* The memory of pending relaxed writes: with many keys no step takes longer than with few. */
#include "client/client_internal.h"
#include "tests/unit/client/fake_node.h"

#define KEYS      4096u
#define SERIES    77
#define NODE      3
#define STEPS_MAX 24 /* entries of other keys in one bucket, and those of the key itself */

struct memory {
    struct fake fake;
    struct plx_client *client;
    char key[16];
    struct op op;
};

static void memory_open(struct memory *memory)
{
    *memory = (struct memory){.client = NULL};
    fake_open(&memory->fake, 1);
    struct plx_options options = fake_options(&memory->fake, 1);
    options.relaxed_keys_max = KEYS;
    memory->client = fake_client(&options);
}

static void memory_close(struct memory *memory)
{
    plx_close(memory->client);
    fake_close(&memory->fake);
}

static struct op *op_of_key(struct memory *memory, uint32_t number)
{
    snprintf(memory->key, sizeof(memory->key), "key %u", number);
    memory->op = (struct op){.phase = PHASE_SEND,
                             .shard = shard_at(memory->client, 0),
                             .class = CLASS_WRITE,
                             .request = {.type = PLX_OP_SET, .key = plx_text(memory->key)},
                             .endpoint = -1};
    return &memory->op;
}

static uint64_t steps_of(const struct memory *memory)
{
    return memory->client->pending.steps;
}

/* One write of each key, acknowledged by the node in the order of their seqs. */
static void remember_all(struct memory *memory)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t before = steps_of(memory);
        assert_true(pending_has_room(memory->client, op_of_key(memory, i), NODE));
        pending_remember(memory->client, &memory->op, NODE, SERIES, i + 1);
        assert_true(steps_of(memory) - before <= 3 * STEPS_MAX);
    }
}

static void test_pending_table_of_many_keys_finds_each_in_few_steps(void **state)
{
    (void)state;
    struct memory memory;
    struct wire_op cancels[CANCELS_MAX];
    memory_open(&memory);
    remember_all(&memory);
    uint64_t before = steps_of(&memory);
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_int_equal(pending_cancels(memory.client, op_of_key(&memory, i), cancels), 1);
        assert_int_equal(cancels[0].node, NODE);
        assert_true(cancels[0].seq == i + 1);
        assert_true(pending_elsewhere(memory.client, memory.op.request.key, NODE + 1));
        assert_false(pending_elsewhere(memory.client, memory.op.request.key, NODE));
    }
    /* On average: itself, three times, and hardly anybody else. */
    assert_true(steps_of(&memory) - before <= 6 * KEYS);
    assert_int_equal(pending_cancels(memory.client, op_of_key(&memory, KEYS), cancels), 0);
    assert_false(pending_has_room(memory.client, &memory.op, NODE));
    memory_close(&memory);
}

static void test_pending_table_ends_what_a_reply_decides_and_looks_at_no_more(void **state)
{
    (void)state;
    struct memory memory;
    memory_open(&memory);
    remember_all(&memory);
    for (uint32_t done = 0; done < KEYS; done += 64) {
        uint64_t before = steps_of(&memory);
        assert_true(pending_done(memory.client, shard_at(memory.client, 0), NODE,
                                 &(struct pending_news){SERIES, done + 64, false}));
        assert_true(steps_of(&memory) - before <= 64 * STEPS_MAX);
        assert_int_equal(memory.client->pending.count, KEYS - done - 64);
        before = steps_of(&memory);
        assert_false(pending_done(memory.client, shard_at(memory.client, 0), NODE,
                                  &(struct pending_news){SERIES, done + 64, false}));
        assert_false(pending_done(memory.client, shard_at(memory.client, 0), NODE + 1,
                                  &(struct pending_news){SERIES, KEYS, false}));
        assert_true(steps_of(&memory) == before);
    }
    assert_false(pending_is_on(shard_at(memory.client, 0), NODE));
    remember_all(&memory); /* all the room is free again */
    memory_close(&memory);
}

/* Acknowledgements come in any order, and a key's newest write moves it to the end. */
static void test_pending_table_keeps_the_order_of_a_node_whatever_comes_first(void **state)
{
    (void)state;
    static const uint64_t seqs[] = {5, 3, 9, 1, 7};
    struct memory memory;
    memory_open(&memory);
    for (uint32_t i = 0; i < 5; i++)
        pending_remember(memory.client, op_of_key(&memory, i), NODE, SERIES, seqs[i]);
    pending_remember(memory.client, op_of_key(&memory, 3), NODE, SERIES, 8); /* was 1 */
    pending_remember(memory.client, op_of_key(&memory, 3), NODE, SERIES, 2); /* late: 8 stands */
    pending_remember(memory.client, op_of_key(&memory, 0), NODE + 1, SERIES, 1);
    static const uint32_t left[] = {6, 6, 6, 5, 5, 4, 4, 3, 2, 1};
    for (uint64_t done = 0; done < 10; done++) {
        (void)pending_done(memory.client, shard_at(memory.client, 0), NODE,
                           &(struct pending_news){SERIES, done, false});
        assert_int_equal(memory.client->pending.count, left[done]);
    }
    assert_true(pending_is_on(shard_at(memory.client, 0), NODE + 1));
    memory_close(&memory);
}

static void test_pending_table_drops_of_a_key_only_what_a_write_overruled(void **state)
{
    (void)state;
    struct memory memory;
    memory_open(&memory);
    for (uint16_t node = 1; node <= 5; node++)
        pending_remember(memory.client, op_of_key(&memory, 0), node, SERIES, 10);
    pending_remember(memory.client, op_of_key(&memory, 1), 1, SERIES, 11);
    struct op *op = op_of_key(&memory, 0);
    op->pending_stamp = 3;
    pending_overruled(memory.client, op);
    assert_int_equal(memory.client->pending.count, 3);
    struct wire_op cancels[CANCELS_MAX];
    assert_int_equal(pending_cancels(memory.client, op, cancels), 2);
    memory_close(&memory);
}

/* What was accepted by a storage that its node has lost is cancelled until the node says that it is
 * alone, and seqs of the new one are compared with none of the old one. */
static void test_pending_table_keeps_what_a_lost_storage_accepted(void **state)
{
    (void)state;
    struct memory memory;
    struct wire_op cancels[CANCELS_MAX];
    memory_open(&memory);
    struct shard_state *shard = shard_at(memory.client, 0);
    const struct pending_news old = {SERIES, 0, true};
    struct pending_news new = {SERIES + 1, 100, false};
    assert_false(pending_done(memory.client, shard, NODE, &old));
    pending_remember(memory.client, op_of_key(&memory, 0), NODE, SERIES, 50);
    pending_remember(memory.client, op_of_key(&memory, 1), NODE, SERIES, 60);
    assert_false(pending_done(memory.client, shard, NODE, &new));
    assert_true(pending_has_lost(shard, NODE));
    pending_remember(memory.client, op_of_key(&memory, 0), NODE, SERIES + 1, 101);
    assert_int_equal(pending_cancels(memory.client, op_of_key(&memory, 0), cancels), 2);
    assert_true(cancels[0].series + cancels[1].series == 2 * SERIES + 1);
    new.is_alone = true;
    assert_true(pending_done(memory.client, shard, NODE, &new));
    assert_false(pending_has_lost(shard, NODE));
    assert_int_equal(memory.client->pending.count, 1);
    new.done_seq = 101;
    assert_true(pending_done(memory.client, shard, NODE, &new));
    assert_int_equal(memory.client->pending.count, 0);
    memory_close(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending_table_of_many_keys_finds_each_in_few_steps),
        cmocka_unit_test(test_pending_table_ends_what_a_reply_decides_and_looks_at_no_more),
        cmocka_unit_test(test_pending_table_keeps_the_order_of_a_node_whatever_comes_first),
        cmocka_unit_test(test_pending_table_drops_of_a_key_only_what_a_write_overruled),
        cmocka_unit_test(test_pending_table_keeps_what_a_lost_storage_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
