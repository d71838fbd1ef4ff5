/* How many pending relaxed writes are on their way to another node at a time. */
#include "tests/unit/engine/pair.h"

static void pend_many(struct pair *p, uint32_t count)
{
    char key[16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        fixture_pend(p->node, 1 + i, key, "v");
    }
    fixture_turn(p->node, 0);
}

static int roomy_setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.keys_max = 2000;
    options.pending_max = 2000;
    options.pending_blocks_max = 8000;
    *state = pair_new(&options);
    return 0;
}

static void test_forward_sends_on_while_a_part_of_the_queue_is_on_its_way(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    uint32_t messages = 0;
    pend_many(p, 1100);
    while (keep_forward(p->node, &kept)) {
        deliver(p, &kept);
        messages++;
    }
    /* 1024 ops, 64 a message: the rest waits until some of them are decided. */
    assert_int_equal(messages, 16);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_forwarded, 1024);
    assert_true(engine_deadline_ns(p->node->engine) > p->node->view.now_ns);
    commit(p);
    assert_get(p->leader, "k1023", "v");
    assert_get(p->leader, "k1024", NULL);
    forward_all(p);
    assert_get(p->leader, "k1099", "v");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 1100);
    assert_int_equal(engine_counters(p->leader->engine)->ops_duplicate, 0);
}

/* What takes many packets goes alone. */
static void test_forward_sends_little_at_a_time_of_large_values(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    static char value[100 * 1024];
    char key[16];
    memset(value, 'v', sizeof(value) - 1);
    for (uint32_t i = 0; i < 6; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        fixture_pend(p->node, 1 + i, key, value);
    }
    fixture_turn(p->node, 0);
    assert_true(keep_forward(p->node, &kept));
    assert_int_equal(engine_counters(p->node->engine)->relaxed_forwarded, 2);
    assert_false(keep_forward(p->node, &kept));
    assert_true(engine_deadline_ns(p->node->engine) > p->node->view.now_ns);
    deliver(p, &kept);
    commit(p);
    assert_true(keep_forward(p->node, &kept));
    assert_int_equal(engine_counters(p->node->engine)->relaxed_forwarded, 4);
    assert_false(keep_forward(p->node, &kept));
}

/* A leader, too: its journal forgets only what later records know to be decided. */
static void test_forward_joins_little_at_a_time_of_large_values(void **state)
{
    struct pair *p = *state;
    static char value[100 * 1024];
    char key[16];
    memset(value, 'v', sizeof(value) - 1);
    for (uint32_t i = 0; i < 6; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        fixture_pend(p->leader, 1 + i, key, value);
    }
    for (uint32_t i = 0; i < 3; i++) {
        fixture_turn(p->leader, 1);
        assert_true(fixture_propose(p->leader) == (i == 0));
        assert_int_equal(engine_counters(p->leader->engine)->relaxed_forwarded, 2);
    }
    assert_true(engine_deadline_ns(p->leader->engine) > p->leader->view.now_ns);
    fixture_commit(p->leader);
    for (uint32_t i = 0; i < 3; i++) {
        fixture_turn(p->leader, 0);
        commit(p);
    }
    assert_int_equal(engine_counters(p->leader->engine)->keys, 6);
}

static void test_forward_sends_all_again_when_a_message_is_lost(void **state)
{
    struct pair *p = *state;
    static struct kept kept;
    pend_many(p, 200);
    assert_true(keep_forward(p->node, &kept)); /* lost */
    while (keep_forward(p->node, &kept))
        deliver(p, &kept);
    commit(p);
    assert_get(p->leader, "k100", NULL);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 0);
    assert_false(keep_forward(p->node, &kept));
    fixture_turn(p->node, 1000);
    forward_all(p);
    assert_get(p->leader, "k0", "v");
    assert_get(p->leader, "k199", "v");
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 200);
}

static void test_forward_gives_what_is_on_its_way_new_time_with_each_progress(void **state)
{
    struct pair *p = *state;
    static struct kept first;
    static struct kept second;
    pend_many(p, 128);
    assert_true(keep_forward(p->node, &first));
    assert_true(keep_forward(p->node, &second));
    uint64_t due_ns = engine_deadline_ns(p->node->engine);
    fixture_turn(p->node, (due_ns - p->node->view.now_ns) / 1000000 - 1);
    deliver(p, &first);
    commit(p);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 64);
    assert_true(engine_deadline_ns(p->node->engine) > due_ns);
    assert_false(keep_forward(p->node, &first));
    deliver(p, &second);
    commit(p);
    assert_int_equal(engine_counters(p->node->engine)->relaxed_applied, 128);
}

static int full_setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    options.keys_max = 1;
    options.pending_max = 2000;
    struct pair *p = pair_new(&options);
    struct wire_op taken = op_set(p->next_seq, "taken", "1");
    assert_int_equal(write_now(p, &taken, 1), WIRE_OUTCOME_OK);
    fixture_apply_to(p->leader, p->node->engine);
    *state = p;
    return 0;
}

/* Two minutes, in which what is due goes out. */
static void let_time_pass(struct pair *p)
{
    static struct kept kept;
    for (uint32_t i = 0; i < 1200; i++) {
        fixture_turn(p->leader, 100);
        fixture_turn(p->node, 100);
        while (keep_forward(p->node, &kept))
            deliver(p, &kept);
        commit(p);
    }
}

static uint64_t log_bytes(const struct fixture *f)
{
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < f->record_count; i++)
        bytes += f->records[i].size_bytes;
    return bytes;
}

/* The log has an end: what does not apply must not fill it, however long the store is full. */
static void test_forward_spares_the_log_while_the_store_is_full(void **state)
{
    struct pair *p = *state;
    pend_many(p, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        fixture_pend(p->leader, 1 + i, i % 2 == 0 ? "a" : "b", "v");
    uint64_t before = log_bytes(p->leader);
    let_time_pass(p);
    assert_true(log_bytes(p->leader) - before < 10000);
    assert_true(engine_deadline_ns(p->leader->engine) > p->leader->view.now_ns);
    assert_true(engine_deadline_ns(p->node->engine) > p->node->view.now_ns);
    p->session = fixture_register(p->leader); /* the old one has expired */
    p->next_seq = 1;
    struct wire_op del = op_set(p->next_seq, "taken", NULL);
    assert_int_equal(write_now(p, &del, 1), WIRE_OUTCOME_OK);
    let_time_pass(p);
    assert_int_equal(engine_counters(p->leader->engine)->keys, 1);
    assert_true(log_bytes(p->leader) - before < 100000);
}

static void test_forward_splits_a_long_backlog(void **state)
{
    struct pair *p = *state;
    pend_many(p, 200);
    forward_all(p);
    assert_int_equal(engine_counters(p->leader->engine)->forwards_received, 4);
    assert_get(p->leader, "k0", "v");
    assert_get(p->leader, "k199", "v");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_forward_sends_on_while_a_part_of_the_queue_is_on_its_way, roomy_setup,
            pair_teardown),
        cmocka_unit_test_setup_teardown(test_forward_sends_little_at_a_time_of_large_values,
                                        roomy_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_forward_joins_little_at_a_time_of_large_values,
                                        roomy_setup, pair_teardown),
        T(test_forward_sends_all_again_when_a_message_is_lost),
        T(test_forward_gives_what_is_on_its_way_new_time_with_each_progress),
        cmocka_unit_test_setup_teardown(test_forward_spares_the_log_while_the_store_is_full,
                                        full_setup, pair_teardown),
        T(test_forward_splits_a_long_backlog),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
