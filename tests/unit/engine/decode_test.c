/*
 * A request is decoded once on each node. The linker leads every call of wire_op_decode here, where
 * it is counted; wire_request_decode, which would walk the ops unseen, must not be called at all.
 */
#include "tests/unit/engine/fixture.h"

#define OPS 16

static uint32_t op_decodes;

enum error __real_wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op);
enum error __wrap_wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op);
enum error __wrap_wire_request_decode(struct span bytes, struct wire_request *ret_request);

enum error __wrap_wire_op_decode(struct span ops, size_t *cursor, struct wire_op *ret_op)
{
    op_decodes++;
    return __real_wire_op_decode(ops, cursor, ret_op);
}

enum error __wrap_wire_request_decode(struct span bytes, struct wire_request *ret_request)
{
    (void)bytes;
    (void)ret_request;
    fail_msg("%s", "the engine decodes a request by request_decode");
    return ERR_TYPE;
}

static void fill_ops(struct wire_op ops[OPS], uint64_t first_seq)
{
    static char keys[OPS][16];
    for (uint32_t i = 0; i < OPS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key-%u", i);
        ops[i] = i % 4 == 3 ? op_swap(first_seq + i, keys[i], "new", "not this")
                            : op_set(first_seq + i, keys[i], "value");
    }
}

static void test_decode_of_a_write_happens_once_a_node(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    struct fixture *follower = fixture_new(&options);
    struct fixture_write write = {.session = fixture_register(f)};
    struct wire_op ops[OPS];
    fill_ops(ops, 1);
    fixture_apply_to(f, follower->engine);
    fixture_forget_messages(f);
    op_decodes = 0;
    fixture_write(f, &write, ops, OPS);
    assert_int_equal(op_decodes, OPS);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(f->message_count, 1);
    assert_int_equal(op_decodes, OPS);
    fixture_apply_to(f, follower->engine);
    assert_int_equal(op_decodes, 2 * OPS);
    /* A retry is a request of its own, answered from what is remembered. */
    fixture_write(f, &write, ops, OPS);
    assert_int_equal(f->message_count, 2);
    assert_int_equal(op_decodes, 3 * OPS);
    assert_true(engine_state_hash(f->engine) == engine_state_hash(follower->engine));
    fixture_free(follower);
    fixture_free(f);
}

static void test_decode_of_a_relaxed_write_happens_once_a_node(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(2);
    struct fixture *node = fixture_new(&options);
    fixture_follow(node, 1, 2);
    options.self = 1;
    struct fixture *leader = fixture_new(&options);
    struct fixture_write write = {.session = 77, .is_relaxed = true};
    struct wire_op ops[OPS];
    fill_ops(ops, 1);
    for (uint32_t i = 0; i < OPS; i++)
        ops[i] = op_set(1 + i, (const char *)ops[i].key.data, "value");
    op_decodes = 0;
    fixture_write(node, &write, ops, OPS);
    fixture_durable(node);
    assert_int_equal(op_decodes, OPS);
    struct span body;
    assert_true(engine_forward(node->engine, &body));
    assert_int_equal(op_decodes, OPS);
    engine_receive_forward(leader->engine, 2, 2, body);
    assert_int_equal(op_decodes, 2 * OPS);
    assert_true(fixture_propose(leader));
    fixture_commit(leader);
    assert_int_equal(op_decodes, 2 * OPS);
    /* The record is another request than the one that the client sent to this node. */
    fixture_apply_to(leader, node->engine);
    assert_int_equal(op_decodes, 3 * OPS);
    assert_int_equal(engine_counters(node->engine)->relaxed_applied, OPS);
    fixture_free(leader);
    fixture_free(node);
}

/* What this node brings into the log itself was decoded when it came. */
static void test_decode_of_own_pending_writes_is_not_repeated(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    struct fixture *f = fixture_new(&options);
    op_decodes = 0;
    fixture_pend(f, 1, "a", "1");
    fixture_pend(f, 2, "b", "2");
    fixture_turn(f, 1);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    assert_int_equal(engine_counters(f->engine)->relaxed_applied, 2);
    assert_int_equal(op_decodes, 2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_of_a_write_happens_once_a_node),
        cmocka_unit_test(test_decode_of_a_relaxed_write_happens_once_a_node),
        cmocka_unit_test(test_decode_of_own_pending_writes_is_not_repeated),
    };
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
