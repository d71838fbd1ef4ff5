/* Who may do what: each operation of a client whose rights do not cover it is refused when it
 * arrives, before anything of it is queued, and the others of its packet are not done either. */
#include "tests/unit/engine/fixture.h"

static uint8_t table_data[VALUE_SIZE_BYTES_MAX];

static int setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* A table with one principal, who has these rights to what begins with "a/". */
static struct span table_of(uint8_t rights)
{
    struct rights_builder builder;
    struct span bytes;
    rights_builder_begin(&builder, table_data);
    rights_builder_principal(&builder, text("ann"), 0);
    if (rights != 0)
        rights_builder_line(&builder, rights, text((rights & RIGHT_ADMIN) != 0 ? "" : "a/"));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    return bytes;
}

static void act_with(struct fixture *f, uint8_t rights)
{
    struct rights_table table;
    struct rights_principal principal;
    assert_int_equal(rights_table_decode(table_of(rights), &table), OK);
    assert_true(rights_table_find(&table, text("ann"), &principal));
    engine_set_rights(f->engine, &(struct rights){.lines = principal.lines});
}

/* The last answer refuses, and names these ops alone. */
static void expect_denied(struct fixture *f, uint8_t type, const uint64_t *seqs, uint32_t count)
{
    struct span payload;
    assert_int_equal(f->message_count, 1);
    struct wire_reply reply = fixture_reply(f, type);
    assert_string_equal(wire_status_name(reply.status), "denied");
    assert_int_equal(reply.op_count, count);
    size_t cursor = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct wire_reply_op op;
        assert_int_equal(wire_reply_op_decode(reply.ops, &cursor, &op), OK);
        assert_int_equal(op.seq, seqs[i]);
        assert_string_equal(wire_outcome_name(op.outcome), "denied");
    }
    assert_false(engine_batch(f->engine, &payload));
    assert_int_equal(engine_reads_wanted(f->engine), 0);
    assert_int_equal(f->entry_count, 0);
}

static void expect_write_denied(struct fixture *f, const struct fixture_write *write,
                                struct wire_op op)
{
    fixture_forget_messages(f);
    uint64_t denied = engine_counters(f->engine)->writes_denied;
    fixture_write(f, write, &op, 1);
    expect_denied(f, WIRE_WRITE_REPLY, &op.seq, 1);
    assert_int_equal(engine_counters(f->engine)->writes_denied, denied + 1);
}

/* Of the whole request. */
static enum wire_status status_of(struct fixture *f, const struct fixture_write *write,
                                  struct wire_op op)
{
    fixture_forget_messages(f);
    fixture_write(f, write, &op, 1);
    assert_int_equal(f->message_count, 1);
    return (enum wire_status)fixture_reply(f, WIRE_WRITE_REPLY).status;
}

static void test_permission_is_of_each_kind_of_write(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    struct fixture_write relaxed = {.session = FIXTURE_IDENTITY, .is_relaxed = true};
    struct wire_op set = op_set(1, "a/k", "v");
    act_with(f, RIGHT_WRITE);
    assert_int_equal(fixture_do(f, write.session, &set).outcome, WIRE_OUTCOME_OK);
    expect_write_denied(f, &write, op_set(2, "b/k", "v"));
    expect_write_denied(f, &write, op_swap(3, "a/k", "w", "v")); /* it may return a value */
    expect_write_denied(f, &relaxed, op_set(1, "a/k", "v"));
    act_with(f, RIGHT_READ | RIGHT_WRITE);
    struct wire_op swap = op_swap(4, "a/k", "w", "v");
    assert_int_equal(fixture_do(f, write.session, &swap).outcome, WIRE_OUTCOME_OK);
    act_with(f, RIGHT_RELAXED_WRITE);
    expect_write_denied(f, &write, op_set(5, "a/k", "v"));
    expect_write_denied(f, &relaxed, op_set(1, "b/k", "v"));
    struct wire_op pend = op_set(2, "a/k", "v");
    assert_int_equal(fixture_relaxed(f, FIXTURE_IDENTITY, &pend, 1).outcome, WIRE_OUTCOME_OK);
}

static void test_permission_names_what_it_denies_and_does_nothing_of_the_rest(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op ops[] = {op_set(1, "a/1", "x"), op_set(2, "b/2", "x"), op_set(3, "a/3", "x"),
                            op_set(4, "c/4", "x")};
    const uint64_t denied[] = {2, 4};
    act_with(f, RIGHT_WRITE);
    fixture_forget_messages(f);
    fixture_write(f, &write, ops, 4);
    expect_denied(f, WIRE_WRITE_REPLY, denied, 2);
    fixture_begin(f);
    engine_set_rights(f->engine, &(struct rights){.is_free = true});
    assert_int_equal(fixture_get(f, "a/1").outcome, WIRE_OUTCOME_NOT_FOUND);
    /* The others are taken in a packet of their own. */
    act_with(f, RIGHT_WRITE);
    assert_int_equal(fixture_do(f, write.session, &ops[0]).outcome, WIRE_OUTCOME_OK);
}

/* A packet that was denied is not taken when its client may, in any copy. */
static void test_permission_denied_is_definite(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f), .packet_number = 900};
    struct wire_op op = op_set(1, "b/k", "v");
    act_with(f, RIGHT_WRITE);
    expect_write_denied(f, &write, op);
    engine_set_rights(f->engine, &(struct rights){.is_free = true});
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    assert_int_equal(f->message_count, 0);
    struct span payload;
    assert_false(engine_batch(f->engine, &payload));
    assert_int_equal(engine_counters(f->engine)->writes_replayed, 1);
}

/* Whose rights are gone learns what became of what he did before. */
static void test_permission_tells_what_was_done_before(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a/k", "v");
    act_with(f, RIGHT_WRITE);
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    act_with(f, 0);
    fixture_forget_messages(f);
    fixture_write(f, &(struct fixture_write){.session = session}, &op, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    struct wire_op fence = op_of(WIRE_OP_FENCE, 2);
    assert_int_equal(fixture_do(f, session, &fence).outcome, WIRE_OUTCOME_FENCED);
}

static void test_permission_opens_sessions_for_who_may_write(void **state)
{
    struct fixture *f = *state;
    const struct fixture_write write = {0};
    act_with(f, RIGHT_READ | RIGHT_RELAXED_READ | RIGHT_RELAXED_WRITE);
    expect_write_denied(f, &write, op_of(WIRE_OP_REGISTER, 4));
    act_with(f, RIGHT_LOGS);
    assert_true(fixture_register(f) != 0);
}

static void test_permission_is_told_by_who_leads(void **state)
{
    struct fixture *f = *state;
    struct fixture_write write = {.session = fixture_register(f)};
    act_with(f, 0);
    fixture_follow(f, 3, 2);
    assert_int_equal(status_of(f, &write, op_set(1, "a/k", "v")), WIRE_STATUS_NOT_LEADER);
    struct wire_read read = {.request_number = 7, .is_consistent = true};
    struct wire_read_op op = {.key = text("a/k")};
    fixture_forget_messages(f);
    fixture_read(f, &read, &op, 1);
    assert_int_equal(fixture_reply(f, WIRE_READ_REPLY).status, WIRE_STATUS_NOT_LEADER);
}

static void test_permission_is_of_each_kind_of_read(void **state)
{
    struct fixture *f = *state;
    struct wire_read_op ops[] = {{.key = text("a/k")}, {.key = text("b/k")}};
    const uint64_t both[] = {0, 1};
    for (uint32_t is_consistent = 0; is_consistent < 2; is_consistent++) {
        struct wire_read read = {.request_number = 7, .is_consistent = is_consistent == 1};
        fixture_turn(f, 1);
        act_with(f, is_consistent == 1 ? RIGHT_RELAXED_READ : RIGHT_READ);
        fixture_forget_messages(f);
        fixture_read(f, &read, ops, 2);
        expect_denied(f, WIRE_READ_REPLY, both, 2);
        act_with(f, is_consistent == 1 ? RIGHT_READ : RIGHT_RELAXED_READ);
        fixture_forget_messages(f);
        fixture_read(f, &read, ops, 2);
        expect_denied(f, WIRE_READ_REPLY, &both[1], 1);
        fixture_forget_messages(f);
        fixture_read(f, &read, ops, 1);
        if (is_consistent == 1)
            assert_int_not_equal(engine_reads_wanted(f->engine), 0);
        else
            assert_int_equal(fixture_reply(f, WIRE_READ_REPLY).status, WIRE_STATUS_OK);
    }
    assert_int_equal(engine_counters(f->engine)->reads_denied, 4);
}

static void test_permission_to_change_limits_is_an_administrators(void **state)
{
    struct fixture *f = *state;
    const struct fixture_write write = {0};
    const struct wire_limits limits = {.keys_max = 1, .blocks_max = 1, .sessions_max = 1};
    uint8_t value[WIRE_LIMITS_SIZE_BYTES];
    wire_limits_encode(value, &limits);
    struct wire_op op = {.type = WIRE_OP_LIMITS,
                         .has_value = true,
                         .seq = 1,
                         .value = span_of(value, sizeof(value))};
    act_with(f, RIGHTS_EVERY & ~RIGHT_ADMIN);
    expect_write_denied(f, &write, op);
    act_with(f, RIGHT_ADMIN);
    fixture_forget_messages(f);
    fixture_write(f, &write, &op, 1);
    struct span payload;
    assert_true(engine_batch(f->engine, &payload));
}

static struct wire_op swap_of_rights(uint64_t seq, struct span value, struct span old)
{
    return (struct wire_op){.type = WIRE_OP_SWAP,
                            .has_value = value.size_bytes > 0,
                            .has_old = old.size_bytes > 0,
                            .seq = seq,
                            .key = rights_key(),
                            .value = value,
                            .old = old};
}

static void test_permission_keeps_the_table_for_administrators(void **state)
{
    struct fixture *f = *state;
    const struct span none = {0};
    const struct rights all = {.is_all = true};
    struct fixture_write write = {.session = fixture_register(f)};
    struct span table = table_of(RIGHT_READ);
    /* Without a table, too. */
    expect_write_denied(f, &write, swap_of_rights(1, table, none));
    engine_set_rights(f->engine, &all);
    struct wire_op op = swap_of_rights(2, table, none);
    assert_int_equal(fixture_do(f, write.session, &op).outcome, WIRE_OUTCOME_OK);
    struct wire_read read = {.request_number = 7};
    struct wire_read_op get = {.key = rights_key()};
    const uint64_t first = 0;
    engine_set_rights(f->engine, &(struct rights){.is_free = true});
    fixture_forget_messages(f);
    fixture_read(f, &read, &get, 1);
    expect_denied(f, WIRE_READ_REPLY, &first, 1);
    engine_set_rights(f->engine, &all);
    fixture_forget_messages(f);
    fixture_read(f, &read, &get, 1);
    struct wire_reply reply = fixture_reply(f, WIRE_READ_REPLY);
    assert_true(span_is_equal(fixture_reply_op(&reply, 0).chunk, table));
}

static void test_permission_to_break_the_table_has_nobody(void **state)
{
    struct fixture *f = *state;
    const struct span none = {0};
    const struct rights all = {.is_all = true};
    struct fixture_write write = {.session = fixture_register(f)};
    struct fixture_write relaxed = {.session = FIXTURE_IDENTITY, .is_relaxed = true};
    struct span table = table_of(RIGHT_READ);
    struct wire_op set = swap_of_rights(1, table, none);
    struct wire_op other = swap_of_rights(1, table, none);
    engine_set_rights(f->engine, &all);
    assert_int_equal(status_of(f, &write, swap_of_rights(1, text("no table"), none)),
                     WIRE_STATUS_BAD_REQUEST);
    assert_int_equal(status_of(f, &write, swap_of_rights(1, none, table)),
                     WIRE_STATUS_BAD_REQUEST); /* it would be deleted */
    set.type = WIRE_OP_SET;
    assert_int_equal(status_of(f, &write, set), WIRE_STATUS_BAD_REQUEST);
    assert_int_equal(status_of(f, &relaxed, set), WIRE_STATUS_BAD_REQUEST);
    other.key = span_of("\0pollux/other", 13);
    assert_int_equal(status_of(f, &write, other), WIRE_STATUS_BAD_REQUEST);
    assert_int_equal(engine_counters(f->engine)->rights_refused, 5);
}

static void test_permission_publishes_the_table(void **state)
{
    struct fixture *f = *state;
    const struct rights all = {.is_all = true};
    uint8_t copy[1024];
    size_t size_bytes;
    uint64_t version;
    uint64_t session = fixture_register(f);
    f->view.is_settled = true;
    fixture_turn(f, 1);
    assert_true(engine_rights(f->engine).is_known && engine_rights(f->engine).is_settled);
    assert_int_equal(engine_rights(f->engine).version, 0);
    assert_int_equal(engine_read_rights(f->engine, copy, &size_bytes, &version), ERR_NOT_FOUND);
    engine_set_rights(f->engine, &all);
    struct span table = table_of(RIGHT_READ);
    struct wire_op op = swap_of_rights(1, table, (struct span){0});
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    fixture_turn(f, 1);
    assert_int_equal(engine_rights(f->engine).version, engine_applied_index(f->engine));
    assert_int_equal(engine_read_rights(f->engine, copy, &size_bytes, &version), OK);
    assert_true(span_is_equal(span_of(copy, size_bytes), table));
    assert_int_equal(version, engine_rights(f->engine).version);
    fixture_follow(f, 3, 2);
    engine_install_begin(f->engine);
    assert_false(engine_rights(f->engine).is_known);
    assert_int_equal(engine_read_rights(f->engine, copy, &size_bytes, &version), ERR_NOT_YET);
}

#define PERMISSION_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERMISSION_TEST(test_permission_is_of_each_kind_of_write),
        PERMISSION_TEST(test_permission_names_what_it_denies_and_does_nothing_of_the_rest),
        PERMISSION_TEST(test_permission_denied_is_definite),
        PERMISSION_TEST(test_permission_tells_what_was_done_before),
        PERMISSION_TEST(test_permission_opens_sessions_for_who_may_write),
        PERMISSION_TEST(test_permission_is_told_by_who_leads),
        PERMISSION_TEST(test_permission_is_of_each_kind_of_read),
        PERMISSION_TEST(test_permission_to_change_limits_is_an_administrators),
        PERMISSION_TEST(test_permission_keeps_the_table_for_administrators),
        PERMISSION_TEST(test_permission_to_break_the_table_has_nobody),
        PERMISSION_TEST(test_permission_publishes_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
