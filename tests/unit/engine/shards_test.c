/* One engine of several shards: what it takes, what it refuses, what it tells. */
#include "tests/unit/engine/fixture.h"

#define SHARDS 4

/* "a" is of shard 3 of 4, "config/port" of shard 0. */
static int setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.shard = 3;
    options.shard_count = SHARDS;
    options.lane = 1;
    options.lane_count = 2;
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void expect_wrong_shard(struct fixture *f, uint8_t reply_type)
{
    struct wire_reply reply = fixture_reply(f, reply_type);
    assert_int_equal(reply.status, WIRE_STATUS_WRONG_SHARD);
    assert_int_equal(reply.op_count, 0);
    fixture_forget_messages(f);
}

static void test_shards_refuse_writes_of_other_keys(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op own = op_set(1, "a", "1");
    assert_int_equal(fixture_do(f, session, &own).outcome, WIRE_OUTCOME_OK);
    fixture_forget_messages(f);
    struct wire_op mixed[] = {op_set(2, "a", "2"), op_swap(3, "config/port", "2", NULL)};
    struct fixture_write write = {.session = session};
    fixture_write(f, &write, mixed, 2);
    expect_wrong_shard(f, WIRE_WRITE_REPLY);
    assert_false(fixture_propose(f));
    struct fixture_write relaxed = {.session = 77, .is_relaxed = true};
    struct wire_op foreign = op_set(1, "config/port", "2");
    fixture_write(f, &relaxed, &foreign, 1);
    expect_wrong_shard(f, WIRE_WRITE_REPLY);
    assert_int_equal(f->entry_count, 0);
    assert_int_equal(engine_counters(f->engine)->keys_of_other_shards, 2);
    fixture_pend(f, 1, "a", "3");
}

static void test_shards_refuse_reads_of_other_keys(void **state)
{
    struct fixture *f = *state;
    struct wire_read_op ops[] = {{.key = text("a")}, {.key = text("config/port")}};
    struct wire_read read = {.request_number = 5};
    fixture_read(f, &read, ops, 1);
    assert_int_equal(fixture_reply(f, WIRE_READ_REPLY).status, WIRE_STATUS_OK);
    fixture_read(f, &read, ops, 2);
    expect_wrong_shard(f, WIRE_READ_REPLY);
    read.is_consistent = true;
    fixture_read(f, &read, ops, 2);
    expect_wrong_shard(f, WIRE_READ_REPLY);
    assert_int_equal(engine_reads_wanted(f->engine), 0);
}

static void test_shards_and_lanes_are_told(void **state)
{
    struct fixture *f = *state;
    struct wire_hello_reply reply;
    engine_hello(f->engine, 9, &reply);
    assert_int_equal(reply.shard_count, SHARDS);
    assert_int_equal(reply.lane, 1);
    assert_int_equal(reply.lane_count, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_shards_refuse_writes_of_other_keys),
        T(test_shards_refuse_reads_of_other_keys),
        T(test_shards_and_lanes_are_told),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
