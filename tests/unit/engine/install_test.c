/* A snapshot of one node's engine installed at another: the state, and what must outlive it. */
#include "tests/unit/engine/fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "engine/engine_internal.h"
#include "tests/unit/engine/history.h"
#include "tests/unit/engine/pair.h"

struct nodes {
    struct fixture *leader;
    struct fixture *node;
    struct stream stream;
    uint64_t session;
};

static int setup(void **state)
{
    struct nodes *nodes = calloc(1, sizeof(*nodes));
    struct engine_options options = fixture_options();
    nodes->leader = fixture_new(&options);
    nodes->node = fixture_new(&options);
    fixture_follow(nodes->node, 2, 1);
    nodes->session = fixture_register(nodes->leader);
    *state = nodes;
    return 0;
}

static int teardown(void **state)
{
    struct nodes *nodes = *state;
    stream_free(&nodes->stream);
    fixture_free(nodes->node);
    fixture_free(nodes->leader);
    free(nodes);
    return 0;
}

static void take(struct nodes *nodes)
{
    struct snapshot_sink sink = stream_sink(&nodes->stream);
    nodes->stream.room_bytes = SIZE_MAX;
    engine_snapshot_begin(nodes->leader->engine, &sink);
    while (engine_snapshot_step(nodes->leader->engine, 1000))
        assert_true(engine_snapshot_is_running(nodes->leader->engine));
}

static void clear(struct nodes *nodes)
{
    engine_install_begin(nodes->node->engine);
    while (engine_install_clear(nodes->node->engine, 10))
        assert_true(engine_is_installing(nodes->node->engine));
}

static void install(struct nodes *nodes)
{
    struct engine *engine = nodes->node->engine;
    enum error error;
    clear(nodes);
    assert_int_equal(
        engine_install_read(engine, span_of(nodes->stream.bytes, nodes->stream.size_bytes)), OK);
    do {
        error = engine_install_end(engine, 1);
    } while (error == ERR_NOT_YET);
    assert_int_equal(error, OK);
    assert_false(engine_is_installing(engine));
    engine_check_invariants(engine);
}

static void lead(struct fixture *f)
{
    fixture_turn(f, 1);
    fixture_follow(f, f->options.self, f->view.term + 1);
}

static bool has_batch(struct fixture *f)
{
    struct span payload;
    return engine_batch(f->engine, &payload);
}

static void set(struct nodes *nodes, uint64_t seq, const char *key, const char *value)
{
    struct wire_op op = op_set(seq, key, value);
    assert_int_equal(fixture_do(nodes->leader, nodes->session, &op).outcome, WIRE_OUTCOME_OK);
}

static void test_install_replaces_the_state(void **state)
{
    struct nodes *nodes = *state;
    set(nodes, 1, "a", "one");
    set(nodes, 2, "b", "two");
    fixture_apply_to(nodes->leader, nodes->node->engine);
    set(nodes, 3, "a", NULL);
    set(nodes, 4, "c", "three");
    take(nodes);
    set(nodes, 5, "c", "four");
    install(nodes);
    assert_int_equal(engine_counters(nodes->node->engine)->keys, 2);
    assert_int_equal(fixture_get(nodes->node, "a").outcome, WIRE_OUTCOME_NOT_FOUND);
    struct wire_reply_op reply = fixture_get(nodes->node, "c");
    assert_value(&reply, "three");
    fixture_apply_to(nodes->leader, nodes->node->engine);
    assert_int_equal(engine_state_hash(nodes->node->engine),
                     engine_state_hash(nodes->leader->engine));
}

/* The node refused the packet. Its client has concluded that the write never takes effect. */
static void test_install_keeps_refusals(void **state)
{
    struct nodes *nodes = *state;
    struct wire_op op = op_set(1, "a", "refused");
    struct fixture_write write = {.session = nodes->session, .packet_number = 7};
    fixture_apply_to(nodes->leader, nodes->node->engine);
    fixture_write(nodes->node, &write, &op, 1);
    assert_int_equal(fixture_reply(nodes->node, WIRE_WRITE_REPLY).status, WIRE_STATUS_NOT_LEADER);
    set(nodes, 2, "b", "two");
    take(nodes);
    install(nodes);
    lead(nodes->node);
    fixture_forget_messages(nodes->node);
    fixture_write(nodes->node, &write, &op, 1);
    assert_int_equal(nodes->node->message_count, 0);
    assert_int_equal(engine_counters(nodes->node->engine)->writes_replayed, 1);
    assert_false(has_batch(nodes->node));
    write.packet_number = 8;
    fixture_write(nodes->node, &write, &op, 1);
    assert_true(has_batch(nodes->node));
}

/* What was executed before the snapshot is answered, not executed again. */
static void test_install_keeps_outcomes(void **state)
{
    struct nodes *nodes = *state;
    set(nodes, 1, "a", "one");
    uint64_t version = engine_applied_index(nodes->leader->engine);
    set(nodes, 2, "a", NULL);
    take(nodes);
    install(nodes);
    lead(nodes->node);
    struct wire_op op = op_set(1, "a", "one");
    struct fixture_write write = {.session = nodes->session};
    fixture_forget_messages(nodes->node);
    fixture_write(nodes->node, &write, &op, 1);
    struct wire_reply reply = fixture_reply(nodes->node, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).version, version);
    assert_false(has_batch(nodes->node));
}

static void test_install_drops_what_comes_meanwhile(void **state)
{
    struct nodes *nodes = *state;
    struct engine_found found;
    uint8_t value[8];
    set(nodes, 1, "a", "one");
    fixture_apply_to(nodes->leader, nodes->node->engine);
    take(nodes);
    clear(nodes);
    fixture_forget_messages(nodes->node);
    struct wire_op op = op_set(2, "a", "two");
    struct fixture_write write = {.session = nodes->session};
    fixture_write(nodes->node, &write, &op, 1);
    struct wire_read read = {.request_number = 1};
    struct wire_read_op read_op = {.key = text("a")};
    fixture_read(nodes->node, &read, &read_op, 1);
    fixture_turn(nodes->node, 1);
    assert_int_equal(nodes->node->message_count, 0);
    assert_int_equal(engine_lookup(nodes->node->engine, text("a"), value, sizeof(value), &found),
                     ERR_NOT_YET);
    /* A stream that ends too early; then the whole. */
    assert_int_equal(engine_install_read(nodes->node->engine, span_of(nodes->stream.bytes, 90)),
                     OK);
    assert_int_equal(engine_install_end(nodes->node->engine, 10), ERR_SHORT);
    assert_true(engine_is_installing(nodes->node->engine));
    install(nodes);
    struct wire_reply_op reply = fixture_get(nodes->node, "a");
    assert_value(&reply, "one");
}

/* Who waits for the answer to a record that came with the snapshot gets none, and asks again. */
static void test_install_forgets_records_that_it_proposed(void **state)
{
    struct nodes *nodes = *state;
    fixture_apply_to(nodes->leader, nodes->node->engine);
    lead(nodes->node);
    struct wire_op op = op_set(1, "a", "mine");
    struct fixture_write write = {.session = nodes->session};
    struct span payload;
    fixture_write(nodes->node, &write, &op, 1);
    uint64_t index = engine_applied_index(nodes->node->engine) + 1;
    assert_true(engine_batch(nodes->node->engine, &payload));
    engine_batch_proposed(nodes->node->engine, index, nodes->node->view.term);
    fixture_follow(nodes->node, 2, 3);
    for (uint64_t seq = 1; seq <= 3; seq++)
        set(nodes, seq, "a", "theirs");
    take(nodes);
    install(nodes);
    set(nodes, 4, "a", "later");
    fixture_forget_messages(nodes->node);
    fixture_apply_to(nodes->leader, nodes->node->engine);
    assert_int_equal(nodes->node->message_count, 0);
    assert_int_equal(engine_state_hash(nodes->node->engine),
                     engine_state_hash(nodes->leader->engine));
}

/* Another thread that looks a key up, turn by turn. */
struct looker {
    struct engine *engine;
    _Atomic bool is_over;
    _Atomic uint64_t found;
    _Atomic uint64_t not_yet;
    _Atomic uint64_t wrong;
};

static void count(_Atomic uint64_t *counter, bool is_counted)
{
    atomic_fetch_add_explicit(counter, is_counted, memory_order_relaxed);
}

static void *look(void *context)
{
    struct looker *looker = context;
    struct engine_found found;
    uint8_t value[8];
    rcu_thread_begin();
    while (!atomic_load_explicit(&looker->is_over, memory_order_acquire)) {
        enum error error = engine_lookup(looker->engine, text("a"), value, sizeof(value), &found);
        bool is_one = error == OK && memcmp(value, "one", 3) == 0;
        count(&looker->found, is_one);
        count(&looker->not_yet, error == ERR_NOT_YET);
        count(&looker->wrong, !is_one && error != ERR_NOT_YET);
        rcu_turn();
    }
    rcu_thread_end();
    return NULL;
}

/* The key is in every state: whoever is answered finds it. */
static void test_install_shows_other_threads_whole_states_only(void **state)
{
    struct nodes *nodes = *state;
    struct looker looker = {.engine = nodes->node->engine};
    pthread_t thread;
    set(nodes, 1, "a", "one");
    for (uint64_t seq = 2; seq < 30; seq++) {
        char key[8];
        snprintf(key, sizeof(key), "b%u", (unsigned)seq);
        set(nodes, seq, key, "other");
    }
    take(nodes);
    install(nodes);
    assert_int_equal(pthread_create(&thread, NULL, look, &looker), 0);
    while (looker.found < 1000 || looker.not_yet < 1000) {
        install(nodes);
        fixture_turn(nodes->node, 1);
        sched_yield();
    }
    atomic_store_explicit(&looker.is_over, true, memory_order_release);
    rcu_offline();
    pthread_join(thread, NULL);
    rcu_online();
    assert_int_equal(looker.wrong, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A cancel that comes with the state hides the pending write as one does that is applied here. */
static void test_install_hides_what_it_has_cancelled(void **state)
{
    (void)pair_setup(state);
    struct pair *p = *state;
    struct nodes nodes = {.leader = p->leader, .node = p->node, .session = p->session};
    uint64_t seq = fixture_pend(p->node, 1, "a", "mine");
    struct wire_op ops[] = {op_cancel(2, seq), op_set(p->next_seq, "a", "later")};
    assert_int_equal(write_now(p, ops, 2), WIRE_OUTCOME_OK);
    take(&nodes);
    install(&nodes);
    struct wire_reply_op reply = fixture_get(p->node, "a");
    assert_value(&reply, "later");
    assert_false(reply.is_pending);
    stream_free(&nodes.stream);
    (void)pair_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_install_replaces_the_state),
        T(test_install_keeps_refusals),
        T(test_install_keeps_outcomes),
        T(test_install_drops_what_comes_meanwhile),
        T(test_install_forgets_records_that_it_proposed),
        T(test_install_shows_other_threads_whole_states_only),
        cmocka_unit_test(test_install_hides_what_it_has_cancelled),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
