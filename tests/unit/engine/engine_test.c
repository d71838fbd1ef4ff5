/* The engine as a whole: options, hello and status, state hash, lookups of other threads. */
#include "tests/unit/engine/fixture.h"

static int setup(void **state)
{
    struct engine_options options = fixture_options();
    *state = fixture_new(&options);
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void send_nothing(void *context, const struct address *to, uint8_t type, struct span body)
{
    (void)context;
    (void)to;
    (void)type;
    (void)body;
}

static void test_engine_refuses_options_out_of_range(void **state)
{
    (void)state;
    struct engine_options good = fixture_options();
    good.sink.send = send_nothing;
    struct engine_options bad[16];
    for (size_t i = 0; i < 16; i++)
        bad[i] = good;
    bad[0].self = 0;
    bad[1].self = VOTER_ID_MAX + 1;
    bad[2].node_count = 0;
    bad[3].node_count = NODES_MAX + 1;
    bad[4].incarnation = 0;
    bad[5].keys_max = 0;
    bad[6].blocks_max = 0;
    bad[7].sessions_max = 0;
    bad[8].session_ttl_ns = 0;
    bad[9].batches_inflight_max = 0;
    bad[10].reads_pending_max = 0;
    bad[11].sink.send = NULL;
    bad[12].shard_count = 0;
    bad[13].shard_count = SHARDS_MAX + 1;
    bad[14].shard = 1;
    bad[15].lane = 1;
    struct arena arena;
    assert_int_equal(arena_init(&arena, engine_arena_bytes(&good)), OK);
    for (size_t i = 0; i < 16; i++) {
        struct engine *engine = NULL;
        assert_int_equal(engine_init(&bad[i], &arena, &engine), ERR_ARGUMENT);
        assert_null(engine);
        assert_int_equal(engine_arena_bytes(&bad[i]), 0);
    }
    arena_deinit(&arena);
}

static void test_engine_fingerprint_is_of_the_replicated_limits(void **state)
{
    (void)state;
    struct engine_options options = fixture_options();
    uint32_t fingerprint = engine_fingerprint(&options);
    options.self = 2;
    options.incarnation++;
    options.batches_inflight_max++;
    options.reads_pending_max++;
    assert_int_equal(engine_fingerprint(&options), fingerprint);
    options.keys_max++;
    assert_int_not_equal(engine_fingerprint(&options), fingerprint);
    options = fixture_options();
    options.blocks_max++;
    assert_int_not_equal(engine_fingerprint(&options), fingerprint);
    options = fixture_options();
    options.sessions_max++;
    assert_int_not_equal(engine_fingerprint(&options), fingerprint);
    options = fixture_options();
    options.session_ttl_ns++;
    assert_int_not_equal(engine_fingerprint(&options), fingerprint);
    options = fixture_options();
    options.shard_count++;
    assert_int_not_equal(engine_fingerprint(&options), fingerprint);
}

static void test_engine_answers_hello(void **state)
{
    struct fixture *f = *state;
    struct address client = fixture_client();
    f->view.contact_age_ns = 4000;
    f->view.granularity = 2;
    f->view.is_suspect = true;
    f->view.is_emulated = true;
    fixture_begin(f);
    uint8_t body[64];
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    wire_hello_encode(&writer, &(struct wire_hello){.nonce = 99});
    engine_receive(f->engine, &client, WIRE_HELLO, span_of(body, writer.size_bytes));
    struct wire_hello_reply reply;
    size_t end;
    assert_int_equal(f->messages[0].type, WIRE_HELLO_REPLY);
    assert_int_equal(wire_hello_reply_decode(
                         span_of(f->messages[0].data, f->messages[0].size_bytes), &end, &reply),
                     OK);
    assert_int_equal(end, f->messages[0].size_bytes);
    assert_int_equal(reply.nonce, 99);
    assert_true(reply.session_ttl_ns == 1000 * (uint64_t)FIXTURE_MS);
    assert_int_equal(reply.incarnation, FIXTURE_INCARNATION);
    assert_int_equal(reply.applied_index, 1);
    assert_int_equal(reply.contact_age_us, 4);
    assert_int_equal(reply.role, WIRE_ROLE_LEADER);
    assert_true(reply.has_fresh_quorum);
    assert_true(reply.is_suspect);
    assert_true(reply.is_emulated);
    assert_int_equal(reply.granularity, 2);
}

/* What a client would send writes on is what the intake would take. */
static void test_engine_says_hello_as_it_would_take_a_write(void **state)
{
    struct fixture *f = *state;
    struct wire_hello_reply reply;
    engine_hello(f->engine, 7, &reply);
    assert_int_equal(reply.nonce, 7);
    assert_true(reply.has_fresh_quorum);
    f->view.is_transferring = true;
    fixture_turn(f, 0);
    engine_hello(f->engine, 0, &reply);
    assert_false(reply.has_fresh_quorum);
    /* A new leader that has not applied yet what was committed before cannot tell the log time. */
    f->view.is_transferring = false;
    f->view.term = 2;
    f->view.commit_index = 2;
    fixture_turn(f, 0);
    engine_hello(f->engine, 0, &reply);
    assert_false(reply.has_fresh_quorum);
    engine_apply(f->engine, 2, 2, RAFT_ENTRY_NOOP, span_of(NULL, 0));
    fixture_turn(f, 0);
    engine_hello(f->engine, 0, &reply);
    assert_true(reply.has_fresh_quorum);
}

/* Two logs that lead to the same keys in another order, with the same number of records. */
static void test_engine_state_hash_does_not_know_the_order_of_insertion(void **state)
{
    struct fixture *f = *state;
    struct engine_options options = fixture_options();
    struct fixture *other = fixture_new(&options);
    enum { OPS = 20 };
    struct wire_op ops[OPS];
    struct wire_op reversed[OPS];
    char keys[OPS][8];
    for (uint32_t i = 0; i < OPS; i++) {
        keys[i][0] = (char)('a' + i);
        keys[i][1] = 0;
        ops[i] = op_set(i + 1, keys[i], "value");
        reversed[OPS - 1 - i] = ops[i];
    }
    struct fixture_write write = {.session = fixture_register(f)};
    assert_int_equal(fixture_register(other), write.session);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    fixture_write(f, &write, ops, OPS);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_true(engine_state_hash(f->engine) != engine_state_hash(other->engine));
    fixture_write(other, &write, reversed, OPS);
    assert_true(fixture_propose(other));
    fixture_commit(other);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(other->engine));
    fixture_free(other);
}

static void test_engine_lookup_copies_what_fits(void **state)
{
    struct fixture *f = *state;
    uint64_t session = fixture_register(f);
    struct wire_op op = op_set(1, "a", "0123456789");
    fixture_do(f, session, &op);
    char large[300];
    memset(large, 'x', sizeof(large) - 1);
    large[299] = 0;
    op = op_set(2, "b", large);
    fixture_do(f, session, &op);
    uint8_t to[400] = {0};
    struct engine_found found;
    assert_int_equal(engine_lookup(f->engine, text("c"), to, sizeof(to), &found), ERR_NOT_FOUND);
    assert_int_equal(engine_lookup(f->engine, text("a"), to, 4, &found), OK);
    assert_int_equal(found.value_size_bytes, 10);
    assert_int_equal(found.version, engine_applied_index(f->engine) - 1);
    assert_memory_equal(to, "0123\0", 5);
    assert_int_equal(engine_lookup(f->engine, text("b"), to, sizeof(to), &found), OK);
    assert_int_equal(found.value_size_bytes, 299);
    assert_memory_equal(to, large, 299);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_engine_refuses_options_out_of_range),
        T(test_engine_fingerprint_is_of_the_replicated_limits),
        T(test_engine_answers_hello),
        T(test_engine_says_hello_as_it_would_take_a_write),
        T(test_engine_state_hash_does_not_know_the_order_of_insertion),
        T(test_engine_lookup_copies_what_fits),
    };
#undef T
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
