/* Relaxed and consistent reads, ranges, deadlines. */
#include "tests/unit/engine/fixture.h"

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    struct fixture *f = fixture_new(&options);
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a", "one");
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    fixture_forget_messages(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void read_one(struct fixture *f, const struct wire_read *read, const char *key)
{
    struct wire_read_op op = {.key = text(key)};
    fixture_read(f, read, &op, 1);
}

static void read_consistent(struct fixture *f, uint64_t number, uint32_t timeout_us)
{
    struct wire_read read = {
        .request_number = number, .is_consistent = true, .timeout_us = timeout_us};
    read_one(f, &read, "a");
}

static void expect_status(struct fixture *f, uint64_t number, enum wire_status status)
{
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    assert_string_equal(wire_status_name(reply.status), wire_status_name((uint8_t)status));
    assert_int_equal(reply.number, number);
    fixture_forget_messages(f);
}

static void test_reads_relaxed_are_answered_by_any_node_at_once(void **state)
{
    struct fixture *f = *state;
    f->view.is_leader = false;
    f->view.leader = 0;
    f->view.contact_age_ns = UINT64_MAX;
    fixture_begin(f);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_value(&op, "one");
    assert_int_equal(fixture_reply(f, WIRE_READ_REPLY).contact_age_us, UINT64_MAX);
    f->view.contact_age_ns = 7500;
    fixture_begin(f);
    op = fixture_get(f, "b");
    assert_int_equal(op.outcome, WIRE_OUTCOME_NOT_FOUND);
    assert_int_equal(fixture_reply(f, WIRE_READ_REPLY).contact_age_us, 8);
    assert_int_equal(engine_counters(f->engine)->reads_relaxed, 2);
}

static void test_reads_relaxed_refuse_what_cannot_be_promised(void **state)
{
    struct fixture *f = *state;
    f->view.contact_age_ns = 3 * (uint64_t)FIXTURE_MS;
    fixture_begin(f);
    struct wire_read read = {.request_number = 1, .min_index = engine_applied_index(f->engine) + 1};
    read_one(f, &read, "a");
    expect_status(f, 1, WIRE_STATUS_TOO_STALE);
    read.min_index--;
    read_one(f, &read, "a");
    expect_status(f, 1, WIRE_STATUS_OK);
    read.max_age_us = 2999;
    read_one(f, &read, "a");
    expect_status(f, 1, WIRE_STATUS_TOO_STALE);
    read.max_age_us = 3000;
    read_one(f, &read, "a");
    expect_status(f, 1, WIRE_STATUS_OK);
    f->view.contact_age_ns = UINT64_MAX;
    fixture_begin(f);
    read.max_age_us = UINT32_MAX;
    read_one(f, &read, "a");
    expect_status(f, 1, WIRE_STATUS_TOO_STALE);
    assert_int_equal(engine_counters(f->engine)->reads_refused, 3);
}

static void test_reads_consistent_wait_for_confirmation_and_index(void **state)
{
    struct fixture *f = *state;
    uint64_t applied = engine_applied_index(f->engine);
    assert_int_equal(engine_reads_wanted(f->engine), 0);
    read_consistent(f, 10, 0);
    read_consistent(f, 11, 0);
    uint64_t first = engine_reads_wanted(f->engine);
    assert_true(first > 0);
    assert_int_equal(engine_reads_wanted(f->engine), 0);
    read_consistent(f, 12, 0);
    uint64_t second = engine_reads_wanted(f->engine);
    assert_true(second > first);
    fixture_turn(f, 1);
    assert_int_equal(f->message_count, 0);

    engine_reads_released(f->engine, first, applied);
    engine_reads_released(f->engine, first, applied);
    fixture_turn(f, 1);
    assert_int_equal(f->message_count, 2);
    expect_status(f, 11, WIRE_STATUS_OK);

    /* Released at an index that is committed, but not applied here yet. */
    engine_reads_released(f->engine, second, applied + 1);
    fixture_turn(f, 1);
    assert_int_equal(f->message_count, 0);
    f->records[f->record_count++] = (struct fixture_record){.term = 1, .kind = RAFT_ENTRY_NOOP};
    fixture_commit(f);
    fixture_turn(f, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    struct wire_reply_op op = fixture_reply_op(&reply, 0);
    assert_value(&op, "one");
    expect_status(f, 12, WIRE_STATUS_OK);
    assert_int_equal(engine_counters(f->engine)->reads_consistent, 3);
}

static void test_reads_consistent_need_a_settled_leader(void **state)
{
    struct fixture *f = *state;
    f->view.has_fresh_quorum = false;
    fixture_begin(f);
    read_consistent(f, 1, 0);
    expect_status(f, 1, WIRE_STATUS_NO_QUORUM);
    f->view.has_fresh_quorum = true;
    f->view.has_own_commit = false;
    fixture_begin(f);
    read_consistent(f, 2, 0);
    expect_status(f, 2, WIRE_STATUS_NO_QUORUM);
    f->view.is_leader = false;
    fixture_begin(f);
    read_consistent(f, 3, 0);
    expect_status(f, 3, WIRE_STATUS_NOT_LEADER);
}

/* What is left is the end of the session that the values were written in. */
static void expect_no_read_waits(struct fixture *f)
{
    assert_true(engine_deadline_ns(f->engine) > f->view.now_ns + 100 * (uint64_t)FIXTURE_MS);
}

static void test_reads_expire_in_any_order(void **state)
{
    struct fixture *f = *state;
    read_consistent(f, 1, 9000);
    read_consistent(f, 2, 3000);
    read_consistent(f, 3, 0);
    uint64_t id = engine_reads_wanted(f->engine);
    assert_int_equal(engine_deadline_ns(f->engine), f->view.now_ns + 3 * (uint64_t)FIXTURE_MS);
    fixture_turn(f, 3);
    fixture_turn(f, 0);
    assert_int_equal(f->message_count, 1);
    expect_status(f, 2, WIRE_STATUS_EXPIRED);
    assert_int_equal(engine_deadline_ns(f->engine), f->view.now_ns + 6 * (uint64_t)FIXTURE_MS);
    fixture_turn(f, 6);
    fixture_turn(f, 0);
    expect_status(f, 1, WIRE_STATUS_EXPIRED);
    engine_reads_released(f->engine, id, 1);
    fixture_turn(f, 0);
    expect_status(f, 3, WIRE_STATUS_OK);
    expect_no_read_waits(f);
}

static void test_reads_are_refused_with_the_leadership(void **state)
{
    struct fixture *f = *state;
    read_consistent(f, 1, 0);
    uint64_t id = engine_reads_wanted(f->engine);
    read_consistent(f, 2, 0);
    engine_leadership_lost(f->engine);
    assert_int_equal(f->message_count, 2);
    expect_status(f, 2, WIRE_STATUS_NOT_LEADER);
    assert_int_equal(engine_reads_wanted(f->engine), 0);
    engine_reads_released(f->engine, id, 1);
    fixture_turn(f, 1);
    assert_int_equal(f->message_count, 0);
}

static void test_reads_over_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < f->options.reads_pending_max; i++)
        read_consistent(f, i, 0);
    assert_int_equal(f->message_count, 0);
    read_consistent(f, 99, 0);
    expect_status(f, 99, WIRE_STATUS_OVERLOADED);
}

/* Reads of the largest size: their bytes run out before their number, and wrap. */
static void test_reads_bytes_are_bounded_and_reused(void **state)
{
    struct fixture *f = *state;
    char key[KEY_SIZE_BYTES_MAX];
    memset(key, 'k', sizeof(key));
    struct wire_read_op ops[REQUEST_OPS_MAX];
    for (uint32_t i = 0; i < REQUEST_OPS_MAX; i++)
        ops[i] = (struct wire_read_op){.key = span_of(key, sizeof(key) - i)};
    struct wire_read read = {.is_consistent = true};
    for (uint64_t round = 0; round < 20; round++) {
        uint32_t waiting = 0;
        fixture_forget_messages(f);
        for (; waiting < f->options.reads_pending_max && f->message_count == 0; waiting++) {
            read.request_number = round * 100 + waiting;
            fixture_read(f, &read, ops, REQUEST_OPS_MAX);
        }
        if (f->message_count == 1) {
            assert_in_range(waiting, 2, 3);
            expect_status(f, read.request_number, WIRE_STATUS_OVERLOADED);
            waiting--;
        }
        engine_reads_released(f->engine, engine_reads_wanted(f->engine), 1);
        fixture_turn(f, 0);
        assert_int_equal(f->message_count, waiting);
        struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
        assert_int_equal(reply.op_count, REQUEST_OPS_MAX);
    }
}

static void set_value(struct fixture *f, uint64_t seq, const char *key, struct span value)
{
    struct wire_op op = {
        .type = WIRE_OP_SET, .seq = seq, .key = text(key), .has_value = true, .value = value};
    uint64_t session = fixture_register(f);
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
}

/* The whole value by ranges of one version. */
static void expect_ranges(struct fixture *f, const char *key, struct span value)
{
    size_t offset = 0;
    uint64_t version = 0;
    do {
        fixture_forget_messages(f);
        struct wire_read read = {.request_number = 1};
        struct wire_read_op op = {
            .key = text(key), .offset_bytes = (uint32_t)offset, .version = version};
        fixture_read(f, &read, &op, 1);
        struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
        struct wire_reply_op reply_op = fixture_reply_op(&reply, 0);
        assert_int_equal(reply_op.outcome, WIRE_OUTCOME_OK);
        assert_true(reply_op.has_value);
        assert_int_equal(reply_op.value_size_bytes, value.size_bytes);
        assert_true(value.size_bytes == 0 || reply_op.chunk.size_bytes > 0);
        assert_true(reply_op.chunk.size_bytes <= value.size_bytes - offset);
        assert_memory_equal(reply_op.chunk.data, value.data + offset, reply_op.chunk.size_bytes);
        offset += reply_op.chunk.size_bytes;
        version = reply_op.version;
    } while (offset < value.size_bytes);
}

static void test_reads_values_of_every_size(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0,   1,     78,    79,    80,    203,
                                   204, 32767, 32768, 32769, 70000, VALUE_SIZE_BYTES_MAX};
    uint8_t *value = malloc(VALUE_SIZE_BYTES_MAX);
    for (size_t i = 0; i < VALUE_SIZE_BYTES_MAX; i++)
        value[i] = (uint8_t)(i * 31 + i / 251);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct engine_options options = fixture_options();
        struct fixture *fresh = fixture_new(&options);
        set_value(fresh, 1, "k", span_of(value, sizes[i]));
        expect_ranges(fresh, "k", span_of(value, sizes[i]));
        fixture_free(fresh);
    }
    free(value);
    (void)f;
}

static void test_reads_tell_a_changed_version(void **state)
{
    struct fixture *f = *state;
    uint64_t version = fixture_get(f, "a").version;
    set_value(f, 1, "a", text("two"));
    fixture_forget_messages(f);
    struct wire_read read = {.request_number = 1};
    struct wire_read_op ops[] = {{.key = text("a"), .version = version},
                                 {.key = text("gone"), .version = version},
                                 {.key = text("a"), .offset_bytes = 99},
                                 {.key = text("a"), .offset_bytes = 1}};
    fixture_read(f, &read, ops, 4);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    struct wire_reply_op op = fixture_reply_op(&reply, 0);
    assert_int_equal(op.outcome, WIRE_OUTCOME_VERSION);
    assert_true(op.version > version);
    assert_false(op.has_value);
    op = fixture_reply_op(&reply, 1);
    assert_int_equal(op.outcome, WIRE_OUTCOME_VERSION);
    assert_int_equal(op.version, 0);
    op = fixture_reply_op(&reply, 2);
    assert_int_equal(op.outcome, WIRE_OUTCOME_OK);
    assert_int_equal(op.value_size_bytes, 3);
    assert_int_equal(op.chunk.size_bytes, 0);
    op = fixture_reply_op(&reply, 3);
    assert_true(span_is_equal(op.chunk, text("wo")));
}

static void test_reads_of_many_large_values_fit_one_reply(void **state)
{
    struct fixture *f = *state;
    uint8_t *value = calloc(1, VALUE_SIZE_BYTES_MAX);
    set_value(f, 1, "large", span_of(value, VALUE_SIZE_BYTES_MAX));
    fixture_forget_messages(f);
    struct wire_read_op ops[REQUEST_OPS_MAX];
    for (uint32_t i = 0; i < REQUEST_OPS_MAX; i++)
        ops[i] = (struct wire_read_op){.key = text("large")};
    struct wire_read read = {.request_number = 1};
    fixture_read(f, &read, ops, REQUEST_OPS_MAX);
    assert_true(f->messages[0].size_bytes <= 60 * 1024);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    assert_int_equal(reply.op_count, REQUEST_OPS_MAX);
    struct wire_reply_op op = fixture_reply_op(&reply, 0);
    assert_int_equal(op.chunk.size_bytes, REPLY_CHUNK_SIZE_BYTES_MAX);
    op = fixture_reply_op(&reply, REQUEST_OPS_MAX - 1);
    assert_int_equal(op.value_size_bytes, VALUE_SIZE_BYTES_MAX);
    assert_int_equal(op.chunk.size_bytes, 0);
    free(value);
}

/* Whoever looks for reads that are out of time walks all that wait: not once for each of them. */
static void test_reads_are_looked_through_once_in_a_while(void **state)
{
    struct fixture *f = *state;
    uint64_t start_ns = f->view.now_ns;
    read_consistent(f, 1, 1000);
    read_consistent(f, 2, 1100);
    fixture_turn(f, 1);
    fixture_turn(f, 0);
    expect_status(f, 1, WIRE_STATUS_EXPIRED);
    assert_int_equal(engine_deadline_ns(f->engine), start_ns + 2 * (uint64_t)FIXTURE_MS);
    f->view.now_ns = start_ns + 1200 * (uint64_t)1000;
    fixture_begin(f);
    engine_end_turn(f->engine);
    assert_int_equal(f->message_count, 0);
    f->view.now_ns = start_ns + 2 * (uint64_t)FIXTURE_MS;
    fixture_begin(f);
    engine_end_turn(f->engine);
    expect_status(f, 2, WIRE_STATUS_EXPIRED);
    expect_no_read_waits(f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_reads_relaxed_are_answered_by_any_node_at_once),
        T(test_reads_relaxed_refuse_what_cannot_be_promised),
        T(test_reads_consistent_wait_for_confirmation_and_index),
        T(test_reads_consistent_need_a_settled_leader),
        T(test_reads_expire_in_any_order),
        T(test_reads_are_looked_through_once_in_a_while),
        T(test_reads_are_refused_with_the_leadership),
        T(test_reads_over_the_limit_are_refused),
        T(test_reads_bytes_are_bounded_and_reused),
        T(test_reads_values_of_every_size),
        T(test_reads_tell_a_changed_version),
        T(test_reads_of_many_large_values_fit_one_reply),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
