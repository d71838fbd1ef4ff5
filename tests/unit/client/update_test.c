/* A value changed by a function: read, swapped, and begun again after a lost race. */
#include "tests/unit/client/fake_thread.h"

#include <inttypes.h>
#include <stdlib.h>

#define VALUE_SIZE 32

/* A node that keeps one value, and lets somebody else write before so many swaps. */
struct keeper {
    struct fake fake;
    struct fake_thread thread;
    bool has_value;
    uint64_t number;
    uint64_t version;
    uint32_t races_left;
    uint32_t swaps;
    uint64_t last_seq; /* a copy of that one is answered as it was */
    enum wire_outcome last_outcome;
};

static void keeper_read(struct keeper *keeper)
{
    char text[VALUE_SIZE];
    int size = snprintf(text, sizeof(text), "%" PRIu64, keeper->number);
    struct wire_reply_op found = {.outcome = WIRE_OUTCOME_OK,
                                  .has_value = true,
                                  .version = keeper->version,
                                  .value_size_bytes = (uint32_t)size,
                                  .chunk = span_of(text, (size_t)size)};
    if (!keeper->has_value)
        found = (struct wire_reply_op){.outcome = WIRE_OUTCOME_NOT_FOUND};
    fake_answer(&keeper->fake, WIRE_READ_REPLY, keeper->fake.read.request_number, &found);
}

static bool keeper_has(const struct keeper *keeper, const struct wire_op *op)
{
    char text[VALUE_SIZE];
    int size = snprintf(text, sizeof(text), "%" PRIu64, keeper->number);
    return op->has_old == keeper->has_value &&
           (!op->has_old ||
            (op->old.size_bytes == (size_t)size && memcmp(op->old.data, text, (size_t)size) == 0));
}

static void keeper_swap(struct keeper *keeper)
{
    const struct wire_op *op = &keeper->fake.ops[0];
    char text[VALUE_SIZE] = "";
    if (op->seq == keeper->last_seq) {
        fake_outcome(&keeper->fake, keeper->fake.write.packet_number, op->seq,
                     keeper->last_outcome);
        return;
    }
    keeper->swaps++;
    if (keeper->races_left > 0) {
        keeper->races_left--;
        keeper->has_value = true;
        keeper->number += 100;
        keeper->version++;
    }
    bool is_stored = keeper_has(keeper, op);
    if (is_stored) {
        memcpy(text, op->value.data, op->value.size_bytes);
        keeper->has_value = op->has_value;
        keeper->number = strtoull(text, NULL, 10);
        keeper->version++;
    }
    keeper->last_seq = op->seq;
    keeper->last_outcome = is_stored ? WIRE_OUTCOME_OK : WIRE_OUTCOME_MISMATCH;
    fake_outcome(&keeper->fake, keeper->fake.write.packet_number, op->seq, keeper->last_outcome);
}

static void keeper_turn(void *context)
{
    struct keeper *keeper = context;
    if (!fake_try(&keeper->fake))
        return;
    if (keeper->fake.type == WIRE_READ)
        keeper_read(keeper);
    else if (keeper->fake.type == WIRE_WRITE && keeper->fake.ops[0].type == WIRE_OP_SWAP)
        keeper_swap(keeper);
}

static struct plx_client *keeper_start(struct keeper *keeper)
{
    keeper->thread =
        (struct fake_thread){.fake = &keeper->fake, .turn = keeper_turn, .context = keeper};
    fake_thread_start(&keeper->thread, 1);
    struct plx_options options = fake_options(&keeper->fake, 1);
    options.timeout_ns = UINT64_C(20) * 1000 * 1000 * 1000;
    return fake_client(&options);
}

static char next[VALUE_SIZE];

/* One more; 1 where there was none. */
static void one_more(void *context, struct plx_bytes stored, struct plx_bytes *ret_value)
{
    uint32_t *calls = context;
    char text[VALUE_SIZE] = "0";
    (*calls)++;
    assert_true(plx_is_absent(stored) || stored.data != NULL);
    memcpy(text, stored.data, stored.size_bytes);
    snprintf(next, sizeof(next), "%llu", strtoull(text, NULL, 10) + 1);
    *ret_value = plx_text(next);
}

static void leave(void *context, struct plx_bytes stored, struct plx_bytes *ret_value)
{
    (void)context;
    (void)stored;
    (void)ret_value;
}

static void test_update_creates_and_changes(void **state)
{
    (void)state;
    struct keeper keeper = {.number = 0};
    struct plx_client *client = keeper_start(&keeper);
    uint32_t calls = 0;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(plx_update(client, plx_text("key"), one_more, &calls, NULL).outcome,
                         PLX_OK);
    plx_close(client);
    fake_thread_stop(&keeper.thread);
    assert_int_equal(keeper.number, 3);
    assert_int_equal(calls, 3);
    assert_int_equal(keeper.swaps, 3);
}

static void test_update_begins_again_after_lost_races(void **state)
{
    (void)state;
    struct keeper keeper = {.number = 7, .has_value = true, .races_left = 12};
    struct plx_client *client = keeper_start(&keeper);
    const struct plx_call blocking = {.is_blocking = true};
    uint32_t calls = 0;
    struct plx_response response = plx_update(client, plx_text("key"), one_more, &calls, &blocking);
    plx_close(client);
    fake_thread_stop(&keeper.thread);
    assert_int_equal(response.outcome, PLX_OK);
    assert_int_equal(calls, 13);
    assert_int_equal(keeper.swaps, 13);
    assert_int_equal(keeper.number, 7 + 1200 + 1); /* no change of another was undone */
}

static void test_update_that_never_wins_times_out_and_changes_nothing(void **state)
{
    (void)state;
    struct keeper keeper = {.number = 7, .has_value = true, .races_left = UINT32_MAX};
    struct plx_client *client = keeper_start(&keeper);
    const struct plx_call call = {.timeout_ns = UINT64_C(200) * 1000 * 1000};
    uint32_t calls = 0;
    struct plx_response response = plx_update(client, plx_text("key"), one_more, &calls, &call);
    plx_close(client);
    fake_thread_stop(&keeper.thread);
    assert_true(response.outcome == PLX_TIMEOUT && response.timeout && !response.valid);
    assert_true(calls > 1);
    assert_int_equal((keeper.number - 7) % 100, 0);
}

static void test_update_leaves_what_is_to_stay(void **state)
{
    (void)state;
    struct keeper keeper = {.number = 7, .has_value = true};
    struct plx_client *client = keeper_start(&keeper);
    uint32_t calls = 0;
    const struct plx_call relaxed = {.is_relaxed = true};
    const struct plx_bytes key = plx_text("key");
    struct plx_response response = plx_update(client, key, leave, NULL, NULL);
    assert_int_equal(response.outcome, PLX_MISMATCH);
    assert_true(response.has_value && response.value.size_bytes == 1);
    assert_memory_equal(response.value.data, "7", 1);
    assert_int_equal(plx_update(client, key, NULL, NULL, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_update(NULL, key, leave, NULL, NULL).outcome, PLX_E_ARGUMENT);
    assert_int_equal(plx_update(client, key, one_more, &calls, &relaxed).outcome, PLX_E_ARGUMENT);
    plx_close(client);
    fake_thread_stop(&keeper.thread);
    assert_int_equal(keeper.swaps + calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_creates_and_changes),
        cmocka_unit_test(test_update_begins_again_after_lost_races),
        cmocka_unit_test(test_update_that_never_wins_times_out_and_changes_nothing),
        cmocka_unit_test(test_update_leaves_what_is_to_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
