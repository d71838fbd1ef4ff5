/* The table of rights as a lane follows it: unknown, absent, in force, replaced, broken; and what
 * it gives to whom. */
#include "server/lane_rights.h"
#include "tests/unit/engine/fixture.h"

static uint8_t table_data[VALUE_SIZE_BYTES_MAX];
static struct arena arena;
static struct lane_rights rights;

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    *state = fixture_new(&options);
    assert_int_equal(arena_init(&arena, lane_rights_arena_bytes()), OK);
    lane_rights_init(&rights, &arena);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    arena_deinit(&arena);
    return 0;
}

/* One principal "ann" of this generation, who may read everything. */
static struct span table_of(uint32_t generation)
{
    struct rights_builder builder;
    struct span bytes;
    rights_builder_begin(&builder, table_data);
    rights_builder_principal(&builder, text("ann"), generation);
    rights_builder_line(&builder, RIGHT_READ, text(""));
    assert_int_equal(rights_builder_end(&builder, &bytes), OK);
    return bytes;
}

static void swap_in(struct fixture *f, uint64_t session, uint64_t seq, struct span value,
                    struct span old)
{
    const struct rights all = {.is_all = true};
    struct wire_op op = {.type = WIRE_OP_SWAP,
                         .has_value = true,
                         .has_old = old.size_bytes > 0,
                         .seq = seq,
                         .key = rights_key(),
                         .value = value,
                         .old = old};
    engine_set_rights(f->engine, &all);
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    fixture_turn(f, 1);
}

static bool may_read(const char *name, uint32_t generation)
{
    struct rights found;
    const struct rights_asker asker = {.name = text(name), .generation = generation};
    assert_true(lane_rights_of(&rights, &asker, &found));
    return rights_allow(&found, RIGHT_READ, text("key"));
}

static void test_lane_rights_are_unknown_until_the_storage_has_joined(void **state)
{
    struct fixture *f = *state;
    struct rights found;
    const struct rights_asker asker = {.name = text("ann")};
    lane_rights_follow(&rights, NULL);
    assert_int_equal(rights.state, RIGHTS_UNKNOWN);
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.state, RIGHTS_UNKNOWN);
    assert_false(lane_rights_of(&rights, &asker, &found));
    f->view.is_settled = true;
    fixture_turn(f, 1);
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.state, RIGHTS_ABSENT);
    assert_true(may_read("anybody", 0));
    /* It is known from now on, whatever becomes of the membership. */
    f->view.is_settled = false;
    fixture_turn(f, 1);
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.state, RIGHTS_ABSENT);
}

static void test_lane_rights_follow_each_change(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    uint8_t before[256];
    swap_in(f, session, 1, table_of(0), (struct span){0});
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.state, RIGHTS_IN_FORCE);
    uint32_t number = rights.number;
    assert_true(may_read("ann", 0));
    assert_false(may_read("bob", 0));
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.number, number); /* nothing is new */
    struct span old = table_of(0);
    memcpy(before, old.data, old.size_bytes);
    swap_in(f, session, 2, table_of(2), span_of(before, old.size_bytes));
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.number, number + 1);
    assert_false(may_read("ann", 1)); /* of an older generation */
    assert_true(may_read("ann", 2));
    assert_true(may_read("ann", 3));
}

/* What an older program has stored there, which does not look at it: nobody may do anything. */
static void test_lane_rights_of_what_is_no_table_are_nobodys(void **state)
{
    struct fixture *f = *state;
    struct engine_options options = fixture_options();
    struct fixture *other = fixture_new(&options);
    uint64_t session = fixture_register(f);
    char key[sizeof(RIGHTS_KEY)] = RIGHTS_KEY;
    key[0] = 'x';
    struct wire_op op = op_set(1, key, "no table");
    assert_int_equal(fixture_do(f, session, &op).outcome, WIRE_OUTCOME_OK);
    struct fixture_record *record = &f->records[f->record_count - 1];
    uint8_t *at = memmem(record->data, record->size_bytes, key, strlen(key));
    assert_non_null(at);
    *at = 0;
    fixture_apply_to(f, other->engine);
    fixture_turn(other, 1);
    lane_rights_follow(&rights, other->engine);
    assert_int_equal(rights.state, RIGHTS_BROKEN);
    assert_false(may_read("ann", 0));
    fixture_free(other);
}

/* As fresh as what shard 0 has applied of what is committed. */
static void test_lane_rights_tell_how_fresh_they_are(void **state)
{
    struct fixture *f = *state;
    f->view.contact_age_ns = UINT64_MAX;
    fixture_turn(f, 0);
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.fresh_ns, 0);
    f->view.contact_age_ns = 5 * FIXTURE_MS;
    fixture_turn(f, 100);
    fixture_turn(f, 1);
    lane_rights_follow(&rights, f->engine);
    uint64_t fresh_ns = f->view.now_ns - 5 * FIXTURE_MS;
    assert_int_equal(rights.fresh_ns, fresh_ns);
    f->view.commit_index++; /* and not applied: there may be a change in it */
    fixture_turn(f, 100);
    fixture_turn(f, 100);
    lane_rights_follow(&rights, f->engine);
    assert_int_equal(rights.fresh_ns, fresh_ns);
}

/* Where clients are not told apart, nothing is copied. */
static void test_lane_rights_may_be_off(void **state)
{
    struct fixture *f = *state;
    struct lane_rights off = {0};
    f->view.is_settled = true;
    fixture_turn(f, 1);
    lane_rights_follow(&off, f->engine);
    assert_int_equal(off.state, RIGHTS_UNKNOWN);
}

#define LANE_RIGHTS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LANE_RIGHTS_TEST(test_lane_rights_are_unknown_until_the_storage_has_joined),
        LANE_RIGHTS_TEST(test_lane_rights_follow_each_change),
        LANE_RIGHTS_TEST(test_lane_rights_of_what_is_no_table_are_nobodys),
        LANE_RIGHTS_TEST(test_lane_rights_tell_how_fresh_they_are),
        LANE_RIGHTS_TEST(test_lane_rights_may_be_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
