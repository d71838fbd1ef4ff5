/* A leader and a node that forwards to it: see tests/unit/engine/pair.h. */
#include "tests/unit/engine/pair.h"

#define FILL_NODE 8 /* whose writes carry the cancels */

#include "base/le.h"

struct pair *pair_new(const struct engine_options *options)
{
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    struct engine_options own = *options;
    own.self = 1;
    p->leader = fixture_new(&own);
    own.self = 2;
    own.series = 2;
    p->node = fixture_new(&own);
    fixture_follow(p->node, 1, 1);
    p->session = fixture_register(p->leader);
    p->next_seq = 1;
    fixture_apply_to(p->leader, p->node->engine);
    return p;
}

int pair_setup(void **state)
{
    struct engine_options options = fixture_relaxed_options(1);
    *state = pair_new(&options);
    return 0;
}

int pair_teardown(void **state)
{
    struct pair *p = *state;
    fixture_apply_to(p->leader, p->node->engine);
    engine_check_invariants(p->leader->engine);
    engine_check_invariants(p->node->engine);
    assert_true(engine_state_hash(p->leader->engine) == engine_state_hash(p->node->engine));
    fixture_free(p->leader);
    fixture_free(p->node);
    free(p);
    return 0;
}

bool keep_forward(struct fixture *f, struct kept *ret_kept)
{
    struct span body;
    if (!engine_forward(f->engine, &body))
        return false;
    assert_true(body.size_bytes <= sizeof(ret_kept->data));
    memcpy(ret_kept->data, body.data, body.size_bytes);
    ret_kept->size_bytes = body.size_bytes;
    return true;
}

void deliver(struct pair *p, const struct kept *kept)
{
    uint64_t series = le64_load(kept->data) & ~WIRE_NODE_SESSION_FLAG;
    engine_receive_forward(p->leader->engine, 2, series, span_of(kept->data, kept->size_bytes));
}

void commit(struct pair *p)
{
    while (fixture_propose(p->leader))
        fixture_commit(p->leader);
    fixture_turn(p->leader, 0);
    fixture_apply_to(p->leader, p->node->engine);
    fixture_turn(p->node, 0);
}

void forward_all(struct pair *p)
{
    struct kept kept;
    while (keep_forward(p->node, &kept)) {
        deliver(p, &kept);
        commit(p);
    }
}

uint8_t write_now(struct pair *p, const struct wire_op *ops, uint32_t count)
{
    struct fixture_write write = {.session = p->session, .floor = p->next_seq};
    fixture_forget_messages(p->leader);
    fixture_write(p->leader, &write, ops, count);
    assert_true(fixture_propose(p->leader));
    fixture_commit(p->leader);
    struct wire_reply reply = fixture_reply(p->leader, WIRE_WRITE_REPLY);
    uint8_t outcome = fixture_reply_op(&reply, reply.op_count - 1u).outcome;
    fixture_turn(p->leader, 0);
    p->next_seq++;
    return outcome;
}

void fill_cancels(struct pair *p, uint16_t node)
{
    static struct kept kept;
    char key[16];
    for (uint64_t seq = 1; seq <= NODE_CANCELS_MAX;) {
        struct wire_writer writer = {.data = kept.data, .capacity_bytes = sizeof(kept.data)};
        wire_request_begin(&writer, WIRE_NODE_SESSION(FILL_NODE), seq - 1);
        for (uint32_t i = 0; i < REQUEST_OPS_MAX / 2; i++, seq++) {
            snprintf(key, sizeof(key), "z%u", (unsigned)seq);
            struct wire_op cancel = op_cancel(node, seq);
            struct wire_op set = op_set(seq, key, NULL);
            wire_request_add(&writer, &cancel);
            wire_request_add(&writer, &set);
        }
        assert_false(writer.is_overflow);
        engine_receive_forward(p->leader->engine, FILL_NODE, FILL_NODE,
                               span_of(kept.data, writer.size_bytes));
        commit(p);
    }
}

void assert_get(struct fixture *f, const char *key, const char *value)
{
    struct wire_reply_op op = fixture_get(f, key);
    assert_value(&op, value);
    assert_false(op.is_pending);
}
