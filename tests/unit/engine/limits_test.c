/* Limits that a record changes, and a node whose memory is not made for them. */
#include "tests/unit/engine/fixture.h"

#include "base/le.h"
#include "engine/state/snapshot_format.h"

static struct engine_options small_options(void)
{
    struct engine_options options = fixture_options();
    options.keys_max = 2;
    options.keys_capacity = 4;
    options.blocks_max = 10;
    options.blocks_capacity = 20;
    options.sessions_max = 2;
    options.sessions_capacity = 3;
    return options;
}

static int setup(void **state)
{
    struct engine_options options = small_options();
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static const struct engine_counters *counters(const struct fixture *f)
{
    return engine_counters(f->engine);
}

static uint8_t value[WIRE_LIMITS_SIZE_BYTES];

/* Lends `value`. */
static struct wire_op op_limits(uint64_t number, uint32_t keys, uint32_t blocks, uint32_t sessions)
{
    const struct wire_limits limits = {keys, blocks, sessions};
    wire_limits_encode(value, &limits);
    return (struct wire_op){.type = WIRE_OP_LIMITS,
                            .has_value = true,
                            .seq = number,
                            .value = span_of(value, sizeof(value))};
}

static void write_limits(struct fixture *f, uint64_t session, struct wire_op op)
{
    const struct fixture_write write = {.session = session};
    fixture_write(f, &write, &op, 1);
}

static struct wire_reply_op set_limits(struct fixture *f, struct wire_op op)
{
    return fixture_do(f, 0, &op);
}

static void expect_set(struct fixture *f, uint64_t session, struct wire_op op, uint8_t outcome)
{
    assert_int_equal(fixture_do(f, session, &op).outcome, outcome);
}

static void test_limits_are_in_force_when_their_record_is_applied(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    expect_set(f, session, op_set(1, "a", "1"), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(2, "b", "1"), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(3, "c", "1"), WIRE_OUTCOME_STORE_FULL);
    uint64_t hash = engine_state_hash(f->engine);
    fixture_forget_messages(f);
    write_limits(f, 0, op_limits(1, 3, 10, 2));
    assert_true(fixture_propose(f));
    assert_int_equal(counters(f)->keys_max, 2);
    assert_true(engine_state_hash(f->engine) == hash);
    fixture_commit(f);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    struct wire_reply_op told = fixture_reply_op(&reply, 0);
    assert_int_equal(told.outcome, WIRE_OUTCOME_OK);
    assert_int_equal(told.version, 1);
    assert_int_equal(counters(f)->keys_max, 3);
    assert_int_equal(counters(f)->limits_number, 1);
    assert_int_equal(counters(f)->keys_capacity, 4);
    expect_set(f, session, op_set(4, "c", "1"), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(5, "d", "1"), WIRE_OUTCOME_STORE_FULL);
}

static void test_limits_take_the_next_number_only(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(set_limits(f, op_limits(2, 4, 10, 2)).outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(set_limits(f, op_limits(1, 4, 20, 3)).outcome, WIRE_OUTCOME_OK);
    struct wire_reply_op late = set_limits(f, op_limits(1, 1, 1, 1));
    assert_int_equal(late.outcome, WIRE_OUTCOME_MISMATCH);
    assert_int_equal(late.version, 1);
    assert_int_equal(counters(f)->keys_max, 4);
    assert_int_equal(counters(f)->blocks_max, 20);
    assert_int_equal(counters(f)->sessions_max, 3);
    assert_int_equal(set_limits(f, op_limits(2, 1, 1, 1)).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(counters(f)->keys_max, 1);
}

static void expect_status(struct fixture *f, enum wire_status status)
{
    assert_int_equal(fixture_reply(f, WIRE_WRITE_REPLY).status, status);
    fixture_forget_messages(f);
}

static void test_limits_above_the_leaders_capacity_are_refused(void **state)
{
    struct fixture *f = *state;
    write_limits(f, 0, op_limits(1, 5, 10, 2));
    expect_status(f, WIRE_STATUS_UNSUPPORTED);
    write_limits(f, 0, op_limits(1, 2, 21, 2));
    expect_status(f, WIRE_STATUS_UNSUPPORTED);
    write_limits(f, 0, op_limits(1, 2, 10, 4));
    expect_status(f, WIRE_STATUS_UNSUPPORTED);
    assert_false(fixture_propose(f));
}

static void test_limits_come_alone_and_one_at_a_time(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    fixture_forget_messages(f);
    write_limits(f, session, op_limits(1, 3, 10, 2));
    expect_status(f, WIRE_STATUS_BAD_REQUEST);
    const struct wire_op two[] = {op_limits(1, 3, 10, 2), op_of(WIRE_OP_REGISTER, 99)};
    const struct fixture_write write = {0};
    fixture_write(f, &write, two, 2);
    expect_status(f, WIRE_STATUS_BAD_REQUEST);
    const struct fixture_write relaxed = {.session = 5, .is_relaxed = true};
    fixture_write(f, &relaxed, two, 1);
    expect_status(f, WIRE_STATUS_BAD_REQUEST);
    write_limits(f, 0, op_limits(1, 3, 10, 2));
    write_limits(f, 0, op_limits(1, 4, 10, 2));
    expect_status(f, WIRE_STATUS_OVERLOADED);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(counters(f)->keys_max, 3);
}

/* The record that `f` applied last, for `other`. */
static bool can_apply(const struct fixture *f, const struct fixture *other,
                      struct engine_lack *ret_lack)
{
    const struct fixture_record *record = &f->records[f->record_count - 1];
    return engine_can_apply(other->engine, record->kind, span_of(record->data, record->size_bytes),
                            ret_lack);
}

static void test_limits_above_its_capacity_stop_a_node(void **state)
{
    struct fixture *f = *state;
    struct engine_options options = small_options();
    options.keys_capacity = 3;
    options.blocks_capacity = 19;
    options.sessions_capacity = 2;
    struct fixture *other = fixture_new(&options);
    struct engine_lack lack = {0};
    fixture_register(f);
    assert_true(can_apply(f, other, &lack));
    static const struct engine_lack expected[] = {
        {ENGINE_LIMIT_KEYS, 4, 3}, {ENGINE_LIMIT_BLOCKS, 20, 19}, {ENGINE_LIMIT_SESSIONS, 3, 2}};
    assert_int_equal(set_limits(f, op_limits(1, 3, 19, 2)).outcome, WIRE_OUTCOME_OK);
    assert_true(can_apply(f, other, &lack));
    assert_int_equal(lack.limit, ENGINE_LIMIT_NONE);
    fixture_apply_to(f, other->engine);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    /* Too late to take effect: nothing to be afraid of. */
    assert_int_equal(set_limits(f, op_limits(1, 4, 20, 3)).outcome, WIRE_OUTCOME_MISMATCH);
    assert_true(can_apply(f, other, &lack));
    const uint32_t wanted[][3] = {{4, 20, 3}, {3, 20, 3}, {3, 19, 3}};
    for (uint32_t i = 0; i < 3; i++) {
        struct fixture *third = fixture_new(&options);
        struct fixture *leader = fixture_new(&f->options);
        struct wire_op op = op_limits(1, wanted[i][0], wanted[i][1], wanted[i][2]);
        assert_int_equal(set_limits(leader, op).outcome, WIRE_OUTCOME_OK);
        assert_false(can_apply(leader, third, &lack));
        assert_memory_equal(&lack, &expected[i], sizeof(lack));
        fixture_free(leader);
        fixture_free(third);
    }
    fixture_free(other);
}

static void test_limits_of_a_snapshot_above_the_capacity_are_noticed(void **state)
{
    struct fixture *f = *state;
    uint8_t begin[SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_HEAD_BYTES] = {0};
    uint8_t *head = begin + SNAPSHOT_ITEM_HEADER_BYTES;
    struct engine_lack lack = {0};
    le32_store(begin, SNAPSHOT_HEAD);
    le64_store(head, SNAPSHOT_MAGIC);
    le32_store(head + 8, SNAPSHOT_VERSION);
    le32_store(head + 12, 7);
    le32_store(head + 48, 4);
    le32_store(head + 52, 20);
    le32_store(head + 56, 3);
    assert_true(engine_can_install(f->engine, span_of(begin, sizeof(begin)), &lack));
    le32_store(head + 48, 5);
    assert_false(engine_can_install(f->engine, span_of(begin, sizeof(begin)), &lack));
    assert_int_equal(lack.limit, ENGINE_LIMIT_KEYS);
    assert_int_equal(lack.wanted, 5);
    /* What is no head, or has the limits of the configuration, is for the reader to judge. */
    assert_true(engine_can_install(f->engine, span_of(begin, sizeof(begin) - 1), &lack));
    le32_store(head + 12, 0);
    assert_true(engine_can_install(f->engine, span_of(begin, sizeof(begin)), &lack));
}

static void test_limits_below_what_is_in_use_refuse_what_is_new(void **state)
{
    struct fixture *f = *state;
    static char large[300]; /* 4 blocks */
    memset(large, 'v', sizeof(large) - 1);
    uint64_t session = fixture_register(f);
    assert_true(fixture_register(f) != 0);
    expect_set(f, session, op_set(1, "a", large), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(2, "b", large), WIRE_OUTCOME_OK);
    assert_int_equal(set_limits(f, op_limits(1, 1, 1, 1)).outcome, WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(3, "c", "1"), WIRE_OUTCOME_STORE_FULL);
    expect_set(f, session, op_set(4, "a", large), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(5, "b", "small"), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(6, "b", large), WIRE_OUTCOME_STORE_FULL);
    expect_set(f, session, op_of(WIRE_OP_FENCE, 7), WIRE_OUTCOME_FENCED);
    struct wire_op more = op_of(WIRE_OP_REGISTER, 1234567);
    assert_int_equal(fixture_do(f, 0, &more).outcome, WIRE_OUTCOME_SESSIONS_FULL);
    expect_set(f, session, op_set(8, "a", NULL), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(9, "b", NULL), WIRE_OUTCOME_OK);
    expect_set(f, session, op_set(10, "c", "1"), WIRE_OUTCOME_OK);
    engine_check_invariants(f->engine);
}

static void test_limits_of_the_options_are_within_the_capacity(void **state)
{
    (void)state;
    struct engine_options bad[3] = {small_options(), small_options(), small_options()};
    bad[0].keys_capacity = 1;
    bad[1].blocks_capacity = 9;
    bad[2].sessions_capacity = 1;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(engine_arena_bytes(&bad[i]), 0);
    struct engine_options larger = small_options();
    larger.blocks_capacity *= 2;
    struct engine_options same = small_options();
    assert_true(engine_snapshot_bytes_max(&larger) > engine_snapshot_bytes_max(&same));
    assert_int_equal(engine_fingerprint(&larger), engine_fingerprint(&same));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_limits_are_in_force_when_their_record_is_applied),
        T(test_limits_take_the_next_number_only),
        T(test_limits_above_the_leaders_capacity_are_refused),
        T(test_limits_come_alone_and_one_at_a_time),
        T(test_limits_above_its_capacity_stop_a_node),
        T(test_limits_of_a_snapshot_above_the_capacity_are_noticed),
        T(test_limits_below_what_is_in_use_refuse_what_is_new),
        T(test_limits_of_the_options_are_within_the_capacity),
    };
    rcu_thread_begin();
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return result;
}
