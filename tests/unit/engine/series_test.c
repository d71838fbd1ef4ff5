/*
 * Series: the relaxed writes of a storage apply while it is a member, and no others. See
 * engine/state/node_progress.h.
 */
#include "engine/engine_internal.h"
#include "tests/unit/engine/pair.h"

#define FORMER 2  /* the series of node 2 in the fixtures */
#define NEW    77 /* of the storage that takes its place */

/* The next record of the leader's log: the members are node 1 and, of node 2, this storage. */
static void configure(struct pair *p, uint64_t birth)
{
    struct fixture *f = p->leader;
    struct raft_configuration members = {.cluster = 1, .era = 1, .slot_count = 2};
    members.members[0] = (struct raft_member){.storage = {1, 1}, .membership = RAFT_VOTER};
    members.members[1] = (struct raft_member){.storage = {birth, 2}, .membership = RAFT_VOTER};
    struct fixture_record *record = &f->records[f->record_count++];
    *record = (struct fixture_record){.term = 1, .kind = RAFT_ENTRY_CONFIGURATION};
    record->data = malloc(RAFT_CONFIGURATION_BYTES_MAX);
    assert_non_null(record->data);
    record->size_bytes = raft_configuration_encode(&members, record->data);
    f->view.last_index = f->view.commit_index = f->record_count;
    engine_apply(f->engine, f->record_count, 1, record->kind,
                 span_of(record->data, record->size_bytes));
    fixture_turn(f, 0);
}

/* A batch with one set, as the storage of this series forwards it. */
static void forward_of(struct kept *kept, uint64_t series, uint64_t seq, const char *value)
{
    struct wire_writer writer = {.data = kept->data, .capacity_bytes = sizeof(kept->data)};
    struct wire_op op = op_set(seq, "a", value);
    op.tag = 5;
    wire_request_begin(&writer, WIRE_NODE_SESSION(series), 0);
    wire_request_add(&writer, &op);
    kept->size_bytes = writer.size_bytes;
}

static void send_forward(struct pair *p, uint64_t series, uint64_t seq, const char *value)
{
    static struct kept kept;
    forward_of(&kept, series, seq, value);
    deliver(p, &kept);
    while (fixture_propose(p->leader))
        fixture_commit(p->leader);
    fixture_turn(p->leader, 0);
}

static void test_series_of_a_new_storage_begins_anew(void **state)
{
    struct pair *p = *state;
    send_forward(p, FORMER, 1000000, "old");
    assert_get(p->leader, "a", "old");
    configure(p, NEW);
    send_forward(p, NEW, 3, "new");
    assert_get(p->leader, "a", "new");
    send_forward(p, NEW, 3, "again"); /* not twice */
    assert_get(p->leader, "a", "new");
}

static void test_series_that_is_closed_applies_no_more(void **state)
{
    struct pair *p = *state;
    static struct kept late;
    /* Taken by the leader before the record that closes the series, and in the log behind it. */
    forward_of(&late, FORMER, 9, "late");
    deliver(p, &late);
    configure(p, NEW);
    while (fixture_propose(p->leader))
        fixture_commit(p->leader);
    fixture_turn(p->leader, 0);
    assert_get(p->leader, "a", NULL);
    send_forward(p, FORMER, 10, "later");
    assert_get(p->leader, "a", NULL);
    assert_int_equal(engine_counters(p->leader->engine)->forwards_closed, 1);
}

static void test_series_that_is_not_open_yet_is_refused(void **state)
{
    struct pair *p = *state;
    send_forward(p, NEW, 1, "early");
    assert_get(p->leader, "a", NULL);
    configure(p, NEW);
    send_forward(p, NEW, 1, "in time");
    assert_get(p->leader, "a", "in time");
}

static void test_series_goes_on_where_it_was_closed(void **state)
{
    struct pair *p = *state;
    send_forward(p, FORMER, 9, "once");
    configure(p, NEW);
    configure(p, FORMER);
    struct wire_op later = op_set(p->next_seq, "a", "later");
    assert_int_equal(write_now(p, &later, 1), WIRE_OUTCOME_OK);
    send_forward(p, FORMER, 9, "twice");
    assert_get(p->leader, "a", "later");
    send_forward(p, FORMER, 10, "next");
    assert_get(p->leader, "a", "next");
}

/* The client knows of a write of a storage that is no member yet. */
static void test_series_is_cancelled_before_it_is_open(void **state)
{
    struct pair *p = *state;
    struct wire_op ops[] = {op_cancel(2, 4), op_set(p->next_seq, "a", "later")};
    ops[0].series = NEW;
    ops[0].tag = 5;
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    configure(p, NEW);
    send_forward(p, NEW, 4, "earlier");
    assert_get(p->leader, "a", "later");
    send_forward(p, NEW, 5, "newest");
    assert_get(p->leader, "a", "newest");
}

static struct series_member member(uint64_t series, uint16_t node)
{
    return (struct series_member){.series = series, .node = node};
}

static void test_series_that_was_closed_first_is_forgotten_first(void **state)
{
    (void)state;
    struct arena arena;
    struct nodes_progress all = {0};
    assert_int_equal(arena_init(&arena, nodes_progress_arena_bytes()), OK);
    nodes_progress_init(&all, &arena);
    for (uint64_t series = 1; series <= SERIES_STRANGERS_MAX + 2; series++) {
        struct series_member now = member(series, 3);
        nodes_progress_open(&all, &now, 1);
        node_progress_advance(node_progress_of(&all, series), 100 + series);
        nodes_progress_check_invariants(&all);
    }
    assert_int_equal(node_progress_of(&all, 1)->last_seq, 0);
    for (uint64_t series = 2; series <= SERIES_STRANGERS_MAX + 2; series++)
        assert_int_equal(node_progress_of(&all, series)->last_seq, 100 + series);
    (void)node_progress_name(&all, 5000);
    assert_int_equal(node_progress_of(&all, 2)->last_seq, 0);
    assert_int_equal(node_progress_of(&all, 3)->last_seq, 103);
    nodes_progress_check_invariants(&all);
    arena_deinit(&arena);
}

static void test_series_is_alone_when_its_node_has_no_other(void **state)
{
    (void)state;
    struct arena arena;
    struct nodes_progress all = {0};
    struct series_member members[] = {member(1, 1), member(2, 2), member(3, 2)};
    assert_int_equal(arena_init(&arena, nodes_progress_arena_bytes()), OK);
    nodes_progress_init(&all, &arena);
    nodes_progress_watch(&all, 3);
    assert_false(node_progress_own_is_alone(&all));
    nodes_progress_open(&all, members, 3);
    assert_ptr_equal(node_progress_own(&all), node_progress_of(&all, 3));
    assert_false(node_progress_own_is_alone(&all));
    members[1] = members[2];
    nodes_progress_open(&all, members, 2);
    assert_true(node_progress_own_is_alone(&all));
    nodes_progress_open(&all, members, 1);
    assert_false(node_progress_own_is_alone(&all));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_series_of_a_new_storage_begins_anew, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_series_that_is_closed_applies_no_more, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_series_that_is_not_open_yet_is_refused, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_series_goes_on_where_it_was_closed, pair_setup,
                                        pair_teardown),
        cmocka_unit_test_setup_teardown(test_series_is_cancelled_before_it_is_open, pair_setup,
                                        pair_teardown),
        cmocka_unit_test(test_series_that_was_closed_first_is_forgotten_first),
        cmocka_unit_test(test_series_is_alone_when_its_node_has_no_other),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
