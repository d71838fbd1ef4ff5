/* What a client's write claims, and what there can be: see engine/service/claims.h. */
#include "tests/unit/engine/fixture.h"

#include "engine/engine_internal.h"
#include "tests/unit/engine/pair.h"

#define NONCE UINT64_C(0x5EC4E7) /* even, when doubled: its session has secret seqs */

struct scene {
    struct fixture *f;
    uint64_t session;
    uint64_t first; /* seq */
};

static int scene_setup(void **state)
{
    static struct scene scene;
    struct engine_options options = fixture_relaxed_options(1);
    scene.f = fixture_new(&options);
    struct wire_op op = {.type = WIRE_OP_REGISTER, .seq = 2 * NONCE};
    scene.session = fixture_do(scene.f, 0, &op).version;
    scene.first = wire_first_seq(2 * NONCE);
    assert_true(scene.session != 0 && scene.first >= WIRE_FIRST_SEQ_MIN);
    *state = &scene;
    return 0;
}

static int scene_teardown(void **state)
{
    fixture_free(((struct scene *)*state)->f);
    return 0;
}

/* The write is neither answered nor appended, and one more is counted. */
static void expect_dropped(struct scene *scene, const struct fixture_write *write,
                           struct wire_op op, const uint64_t *counter)
{
    struct span payload;
    uint64_t before = *counter;
    fixture_forget_messages(scene->f);
    fixture_write(scene->f, write, &op, 1);
    assert_int_equal(scene->f->message_count, 0);
    assert_false(engine_batch(scene->f->engine, &payload));
    assert_int_equal(*counter, before + 1);
}

/* The owner's next set. */
static void expect_set(struct scene *scene, uint64_t seq)
{
    struct fixture_write write = {.session = scene->session, .floor = seq};
    struct wire_op op = op_set(seq, "a", "owner");
    fixture_forget_messages(scene->f);
    fixture_write(scene->f, &write, &op, 1);
    assert_true(fixture_propose(scene->f));
    fixture_commit(scene->f);
    struct wire_reply reply = fixture_reply(scene->f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_OK);
    assert_int_equal(fixture_reply_op(&reply, 0).seq, seq);
}

/* Whoever knows the id alone can do nothing to the session: before its first use and after. */
static void test_claims_of_a_stranger_change_nothing(void **state)
{
    struct scene *scene = *state;
    const uint64_t *counter = &scene->f->engine->counters.claims_seq;
    struct fixture_write write = {.session = scene->session};
    for (uint32_t round = 0; round < 2; round++) {
        write.floor = 0;
        write.packet_number = INT64_MAX;
        expect_dropped(scene, &write, op_of(WIRE_OP_KEEP_ALIVE, 0), counter);
        expect_dropped(scene, &write, op_of(WIRE_OP_UNREGISTER, 0), counter);
        expect_dropped(scene, &write, op_of(WIRE_OP_IDLE, 0), counter);
        expect_dropped(scene, &write, op_set(1, "a", "stranger"), counter);
        expect_dropped(scene, &write, op_of(WIRE_OP_FENCE, UINT64_MAX), counter);
        write.floor = UINT64_MAX;
        expect_dropped(scene, &write, op_of(WIRE_OP_KEEP_ALIVE, 0), counter);
        expect_dropped(scene, &write, op_set(UINT64_MAX, "a", "stranger"), counter);
        write.floor = WIRE_FIRST_SEQ_MIN;
        expect_dropped(scene, &write, op_set(WIRE_FIRST_SEQ_MIN, "a", "stranger"), counter);
        expect_set(scene, scene->first + round);
    }
    expect_set(scene, scene->first + CLAIM_SEQS_AHEAD_MAX);
}

/* Late packets of the owner, and those far ahead of what has reached the session. */
static void test_claims_seqs_lie_near_those_of_the_session(void **state)
{
    struct scene *scene = *state;
    const uint64_t *counter = &scene->f->engine->counters.claims_seq;
    uint64_t reached = scene->first + CLAIM_SEQS_AHEAD_MAX;
    expect_set(scene, reached);
    struct fixture_write write = {.session = scene->session};
    expect_dropped(scene, &write, op_set(reached - CLAIM_SEQS_BEHIND_MAX - 1, "a", "x"), counter);
    expect_dropped(scene, &write, op_set(reached + CLAIM_SEQS_AHEAD_MAX + 1, "a", "x"), counter);
    write.floor = reached + CLAIM_SEQS_AHEAD_MAX + 1;
    expect_dropped(scene, &write, op_set(reached, "a", "x"), counter);
    /* Of these the outcome is known, whoever asks: also for a fence that comes very late. */
    struct wire_op late = op_set(reached - CLAIM_SEQS_BEHIND_MAX, "a", "x");
    assert_int_equal(fixture_do(scene->f, scene->session, &late).outcome, WIRE_OUTCOME_FORGOTTEN);
    late = op_of(WIRE_OP_FENCE, scene->first);
    assert_int_equal(fixture_do(scene->f, scene->session, &late).outcome, WIRE_OUTCOME_FORGOTTEN);
}

/* Nothing of the session has reached the log, and somebody else fences its first seq. */
static void test_claims_of_whoever_resolves_a_token_are_taken(void **state)
{
    struct scene *scene = *state;
    uint64_t seq = scene->first + 5;
    struct fixture_write write = {
        .session = scene->session, .floor = seq - (SESSION_WINDOW - 1), .packet_number = 7};
    struct wire_op op = op_of(WIRE_OP_FENCE, seq);
    fixture_forget_messages(scene->f);
    fixture_write(scene->f, &write, &op, 1);
    assert_true(fixture_propose(scene->f));
    fixture_commit(scene->f);
    struct wire_reply reply = fixture_reply(scene->f, WIRE_WRITE_REPLY);
    assert_int_equal(fixture_reply_op(&reply, 0).outcome, WIRE_OUTCOME_FENCED);
    /* Those before it are not forgotten. */
    op = op_set(scene->first, "a", "owner");
    assert_int_equal(fixture_do(scene->f, scene->session, &op).outcome, WIRE_OUTCOME_OK);
}

static void test_claims_packet_numbers_rise_in_steps(void **state)
{
    struct scene *scene = *state;
    const uint64_t *counter = &scene->f->engine->counters.claims_packet;
    struct fixture_write write = {
        .session = scene->session, .floor = scene->first, .packet_number = UINT64_MAX};
    expect_dropped(scene, &write, op_of(WIRE_OP_KEEP_ALIVE, 0), counter);
    expect_set(scene, scene->first);
    write.packet_number = scene->f->packet_number + CLAIM_PACKETS_AHEAD_MAX + 1;
    expect_dropped(scene, &write, op_of(WIRE_OP_KEEP_ALIVE, 0), counter);
    expect_set(scene, scene->first + 1);
    scene->f->packet_number += CLAIM_PACKETS_AHEAD_MAX - 1;
    expect_set(scene, scene->first + 2);
}

/* A program that knows nothing of secret seqs begins at 1. */
static void test_claims_of_older_programs_are_taken(void **state)
{
    struct scene *scene = *state;
    scene->session = fixture_register(scene->f);
    struct wire_op op = op_of(WIRE_OP_KEEP_ALIVE, 0);
    assert_int_equal(fixture_do(scene->f, scene->session, &op).outcome, WIRE_OUTCOME_OK);
    expect_set(scene, 1);
    expect_set(scene, CLAIM_SEQS_AHEAD_MAX + 5);
    struct fixture_write write = {.session = scene->session, .floor = UINT64_MAX};
    expect_dropped(scene, &write, op_of(WIRE_OP_KEEP_ALIVE, 0),
                   &scene->f->engine->counters.claims_seq);
    expect_set(scene, CLAIM_SEQS_AHEAD_MAX + 6);
}

/* Delivers a set of `key` with this cancel; its status. */
static uint8_t status_of(struct fixture *f, const struct fixture_write *write,
                         const struct wire_op *cancel, uint64_t seq, const char *key)
{
    struct wire_op ops[] = {*cancel, op_set(seq, key, "x")};
    fixture_forget_messages(f);
    fixture_write(f, write, ops, 2);
    if (fixture_propose(f))
        fixture_commit(f);
    fixture_durable(f);
    return fixture_reply(f, WIRE_WRITE_REPLY).status;
}

/* Of writes that no node can have accepted, or of somebody else. */
static void test_claims_cancel_only_what_there_can_be(void **state)
{
    struct scene *scene = *state;
    struct fixture *f = scene->f;
    struct fixture_write write = {.session = scene->session, .floor = scene->first};
    struct fixture_write relaxed = {.session = FIXTURE_IDENTITY, .is_relaxed = true};
    uint64_t newest = fixture_pend(f, 1, "mine", "x");
    fixture_turn(f, 0);
    const struct wire_op good = op_cancel(1, newest);
    struct wire_op bad[] = {good, good, op_cancel(2, 5), op_cancel(2, UINT64_C(1) << 63)};
    bad[0].tag = 0;
    bad[1].seq = newest + 2 + SKIP_AHEAD_MAX;
    bad[2].tag = 0;
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t before = engine_counters(f->engine)->claims_cancel;
        /* The node may have lost what it accepted, and the client is right. */
        enum wire_status wanted = i == 1 ? WIRE_STATUS_PENDING : WIRE_STATUS_BAD_REQUEST;
        assert_int_equal(status_of(f, &write, &bad[i], scene->first, "a"), wanted);
        assert_int_equal(status_of(f, &relaxed, &bad[i], 2, "a"), wanted);
        assert_int_equal(engine_counters(f->engine)->claims_cancel, before + 2);
    }
    assert_int_equal(status_of(f, &write, &good, scene->first, "a"), WIRE_STATUS_OK);
    /* One session has one tag, and a relaxed one its own. */
    struct wire_op other = op_cancel(2, 5);
    other.tag = wire_tag(FIXTURE_IDENTITY + 1);
    assert_int_equal(status_of(f, &write, &other, scene->first + 1, "b"), WIRE_STATUS_BAD_REQUEST);
    assert_int_equal(status_of(f, &relaxed, &other, 2, "b"), WIRE_STATUS_BAD_REQUEST);
    other.tag = wire_tag(FIXTURE_IDENTITY);
    assert_int_equal(status_of(f, &relaxed, &other, 2, "b"), WIRE_STATUS_OK);
}

/* The attack: a cancel of everything that a node will ever accept of a key, by anybody. */
static void test_claims_leave_later_relaxed_writes_alone(void **state)
{
    struct scene *scene = *state;
    struct fixture *f = scene->f;
    struct fixture_write write = {.session = scene->session, .floor = scene->first};
    struct wire_op cancel = {.type = WIRE_OP_CANCEL, .node = 1, .series = 1, .seq = UINT64_MAX};
    (void)status_of(f, &write, &cancel, scene->first, "a");
    fixture_turn(f, 0);
    fixture_pend(f, 1, "a", "acknowledged");
    fixture_turn(f, 0);
    assert_true(fixture_propose(f));
    fixture_commit(f);
    fixture_turn(f, 0);
    struct wire_reply_op op = fixture_get(f, "a");
    assert_value(&op, "acknowledged");
}

/* Cancels writes of node 9 under as many keys as it may; how many. What was cancelled in the last
 * second counts twice. */
static uint32_t cancel_all(struct fixture *f, uint64_t session)
{
    char key[32];
    bool has_waited = false;
    uint32_t count = 0;
    while (count <= NODE_CANCELS_MAX) {
        struct fixture_write write = {.session = session, .floor = count + 1};
        struct wire_op cancel = op_cancel(9, 50);
        snprintf(key, sizeof(key), "k%u-%u", (unsigned)(session & 0xffff), count);
        if (status_of(f, &write, &cancel, count + 1, key) == WIRE_STATUS_OK) {
            count++;
            has_waited = false;
            continue;
        }
        if (has_waited)
            break;
        fixture_turn(f, 1001);
        has_waited = true;
    }
    return count;
}

/* No session takes the cancels of a node from the others: each leaves as many as it has. */
static void test_claims_share_the_cancels_of_a_node(void **state)
{
    (void)state;
    struct engine_options options = fixture_relaxed_options(1);
    options.session_ttl_ns = UINT64_C(1) << 60;
    struct fixture *f = fixture_new(&options);
    uint64_t sessions[] = {fixture_register(f), fixture_register(f)};
    assert_int_equal(cancel_all(f, sessions[0]), NODE_CANCELS_MAX / 2);
    assert_int_equal(cancel_all(f, sessions[1]), NODE_CANCELS_MAX / 4);
    assert_true(engine_counters(f->engine)->cancels_over_share > 0);
    /* Of another node there is room. */
    struct fixture_write write = {.session = sessions[0], .floor = 1000};
    struct wire_op cancel = op_cancel(8, 50);
    assert_int_equal(status_of(f, &write, &cancel, 1000, "a"), WIRE_STATUS_OK);
    fixture_free(f);
}

/* The same for what relaxed writes cancel, whose clients are told apart by their sessions. */
static void test_claims_share_the_cancels_of_relaxed_writes(void **state)
{
    struct scene *scene = *state;
    struct fixture *f = scene->f;
    uint32_t counts[2] = {0};
    char key[16];
    for (uint32_t client = 0; client < 2; client++) {
        struct fixture_write write = {.session = 500 + client, .is_relaxed = true};
        for (; counts[client] <= NODE_CANCELS_MAX; counts[client] += REQUEST_OPS_MAX - 1) {
            struct wire_op ops[REQUEST_OPS_MAX];
            for (uint32_t i = 0; i < REQUEST_OPS_MAX - 1; i++) {
                ops[i] = op_cancel(9, 50 + i);
                ops[i].tag = wire_tag(write.session);
            }
            snprintf(key, sizeof(key), "k%u-%u", client, counts[client]);
            ops[REQUEST_OPS_MAX - 1] = op_set(counts[client] + 1, key, "x");
            fixture_forget_messages(f);
            fixture_write(f, &write, ops, REQUEST_OPS_MAX);
            fixture_durable(f);
            if (fixture_reply(f, WIRE_WRITE_REPLY).status != WIRE_STATUS_OK)
                break;
        }
    }
    assert_in_range(counts[0], NODE_CANCELS_MAX / 2 - REQUEST_OPS_MAX, NODE_CANCELS_MAX / 2);
    assert_in_range(counts[1], NODE_CANCELS_MAX / 4 - REQUEST_OPS_MAX, NODE_CANCELS_MAX / 4);
    assert_int_equal(engine_counters(f->engine)->cancels_over_share, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_claims_of_a_stranger_change_nothing),
        T(test_claims_seqs_lie_near_those_of_the_session),
        T(test_claims_of_whoever_resolves_a_token_are_taken),
        T(test_claims_packet_numbers_rise_in_steps),
        T(test_claims_of_older_programs_are_taken),
        T(test_claims_cancel_only_what_there_can_be),
        T(test_claims_leave_later_relaxed_writes_alone),
        cmocka_unit_test(test_claims_share_the_cancels_of_a_node),
        T(test_claims_share_the_cancels_of_relaxed_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
