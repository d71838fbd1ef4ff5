/*
 * Names of cancels, by the format in force (engine/state/node_progress.h): keys that are made to
 * collide cancel one another's writes in format 0, as with the program that knows no other, and not
 * from format 1 on. What was cancelled stays so when the format rises, also through a snapshot.
 */
#include "tests/unit/engine/history.h"

#include "base/le.h"
#include "engine/state/key_hash.h"
#include "engine/state/rcu.h"

#define SERIES   2u
#define OWN_TAG  7u
#define SEQ_LAST 100u

struct scene {
    struct world *world;
    struct world *other; /* reads snapshots */
    uint64_t session;
    uint64_t seq;
};

static int setup(void **state)
{
    struct machine_options options = history_options();
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    rcu_thread_begin();
    scene->world = world_new(&options);
    scene->other = world_new(&options);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    world_free(scene->other);
    world_free(scene->world);
    free(scene);
    rcu_thread_end();
    return 0;
}

static uint64_t begin_record(struct world *world)
{
    uint64_t index = world->machine.applied_index + 1;
    (void)machine_begin_record(&world->machine, index, index);
    return index;
}

/* A record: a configuration of this format, of two storages. */
static void configure(struct world *world, uint16_t format)
{
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration members = {.cluster = 1, .era = 1, .format = format, .slot_count = 2};
    members.members[0] = (struct raft_member){.storage = {1, 1}, .membership = RAFT_VOTER};
    members.members[1] = (struct raft_member){.storage = {SERIES, 2}, .membership = RAFT_VOTER};
    uint64_t index = begin_record(world);
    machine_configure(&world->machine, index,
                      span_of(bytes, raft_configuration_encode(&members, bytes)));
}

/* A record of one request; what its last op came to. */
static struct op_result apply_ops(struct world *world, uint64_t session_id, uint64_t floor,
                                  const struct wire_op *ops, uint32_t count)
{
    uint8_t bytes[4096];
    struct op decoded[REQUEST_OPS_MAX];
    struct request request;
    struct op_result result = {0};
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    wire_request_begin(&writer, session_id, floor);
    for (uint32_t i = 0; i < count; i++)
        wire_request_add(&writer, &ops[i]);
    assert_false(writer.is_overflow);
    assert_int_equal(
        request_decode(span_of(bytes, writer.size_bytes), &world->machine.index, decoded, &request),
        OK);
    (void)begin_record(world);
    struct session *session = machine_begin_request(&world->machine, &request);
    for (uint16_t i = 0; i < request.op_count; i++)
        result = machine_execute(&world->machine, &session, &request.ops[i], i);
    world_turn(world);
    return result;
}

/* A client's set of the key, which cancels what SERIES has of it under this tag up to `seq`. */
static void cancel(struct scene *scene, struct span key, uint32_t tag, uint64_t seq)
{
    if (scene->session == 0) {
        struct wire_op opening = {.type = WIRE_OP_REGISTER, .seq = 1};
        scene->session = apply_ops(scene->world, 0, 0, &opening, 1).version;
    }
    const struct wire_op ops[] = {
        {.type = WIRE_OP_CANCEL, .node = 2, .series = SERIES, .tag = tag, .seq = seq},
        {.type = WIRE_OP_SET,
         .has_value = true,
         .seq = ++scene->seq,
         .key = key,
         .value = span_of("new", 3)}};
    assert_int_equal(apply_ops(scene->world, scene->session, 1, ops, 2).outcome, WIRE_OUTCOME_OK);
}

/* What becomes of a relaxed write of the key that the storage forwards. */
static uint8_t forward(struct world *world, struct span key, uint32_t tag, uint64_t seq)
{
    const struct wire_op op = {.type = WIRE_OP_SET,
                               .has_value = true,
                               .tag = tag,
                               .seq = seq,
                               .key = key,
                               .value = span_of("old", 3)};
    return apply_ops(world, WIRE_NODE_SESSION(SERIES), 0, &op, 1).outcome;
}

/* All of them have one value of key_hash. */
static struct span colliding_key(uint64_t number, uint8_t to[17])
{
    le64_store(to, UINT64_C(0xbb67ae8584caa73b));
    le64_store(to + 8, number);
    to[16] = 'k';
    return span_of(to, 17);
}

struct keys {
    uint8_t bytes[2][17];
    struct span mine;
    struct span theirs;
};

static void make_keys(struct keys *keys)
{
    keys->mine = colliding_key(1, keys->bytes[0]);
    keys->theirs = colliding_key(2, keys->bytes[1]);
    assert_false(span_is_equal(keys->mine, keys->theirs));
    assert_true(key_hash(keys->mine) == key_hash(keys->theirs));
}

static void test_cancel_names_collide_in_format_0(void **state)
{
    struct scene *scene = *state;
    struct keys keys;
    make_keys(&keys);
    configure(scene->world, 0);
    cancel(scene, keys.mine, OWN_TAG, SEQ_LAST);
    assert_int_equal(forward(scene->world, keys.theirs, OWN_TAG, 5), WIRE_OUTCOME_FENCED);
}

/* The attack: somebody's acknowledged write, cancelled by a key that was made for it. */
static void test_cancel_names_of_other_keys_differ_from_format_1_on(void **state)
{
    struct scene *scene = *state;
    struct keys keys;
    make_keys(&keys);
    configure(scene->world, 0);
    configure(scene->world, 1);
    cancel(scene, keys.mine, OWN_TAG, SEQ_LAST);
    assert_int_equal(forward(scene->world, keys.theirs, OWN_TAG, 5), WIRE_OUTCOME_OK);
    assert_int_equal(forward(scene->world, keys.mine, OWN_TAG + 1, 6), WIRE_OUTCOME_OK);
    assert_int_equal(forward(scene->world, keys.mine, OWN_TAG, 7), WIRE_OUTCOME_FENCED);
    assert_int_equal(forward(scene->world, keys.mine, OWN_TAG, SEQ_LAST), WIRE_OUTCOME_FENCED);
    assert_int_equal(forward(scene->world, keys.mine, OWN_TAG, SEQ_LAST + 1), WIRE_OUTCOME_OK);
}

/* Tags are part of the name: with 64 bits a tag and a key could be chosen together. */
static void test_cancel_names_without_a_tag_are_of_all_clients(void **state)
{
    struct scene *scene = *state;
    configure(scene->world, 1);
    cancel(scene, span_of("a", 1), 0, SEQ_LAST);
    assert_int_equal(forward(scene->world, span_of("a", 1), OWN_TAG, 5), WIRE_OUTCOME_FENCED);
    assert_int_equal(forward(scene->world, span_of("b", 1), OWN_TAG, 6), WIRE_OUTCOME_OK);
}

static const struct node_progress *progress_of(const struct world *world)
{
    return node_progress_of(&world->machine.nodes, SERIES);
}

/* Reads a snapshot of the scene into the other world. */
static void copy(struct scene *scene)
{
    struct stream stream;
    stream_take(&stream, scene->world);
    assert_int_equal(stream_read(span_of(stream.bytes, stream.size_bytes), scene->other, 100, NULL),
                     OK);
    stream_free(&stream);
    assert_int_equal(machine_state_hash(&scene->other->machine),
                     machine_state_hash(&scene->world->machine));
    machine_check_invariants(&scene->other->machine);
}

static void test_cancel_names_stay_when_the_format_rises(void **state)
{
    struct scene *scene = *state;
    struct keys keys;
    make_keys(&keys);
    configure(scene->world, 0);
    cancel(scene, span_of("a", 1), OWN_TAG, SEQ_LAST);
    cancel(scene, span_of("before", 6), OWN_TAG, SEQ_LAST);
    configure(scene->world, 1);
    /* The same again, and another one: both kinds of names stand side by side. */
    cancel(scene, span_of("a", 1), OWN_TAG, SEQ_LAST + 10);
    cancel(scene, span_of("b", 1), OWN_TAG, SEQ_LAST + 20);
    assert_int_equal(progress_of(scene->world)->cancel_count, 4);
    assert_int_equal(progress_of(scene->world)->wide_count, 2);
    machine_check_invariants(&scene->world->machine);
    copy(scene);
    for (int i = 0; i < 2; i++) {
        struct world *world = i == 0 ? scene->world : scene->other;
        assert_int_equal(forward(world, span_of("a", 1), OWN_TAG, 5), WIRE_OUTCOME_FENCED);
        assert_int_equal(forward(world, span_of("b", 1), OWN_TAG, 6), WIRE_OUTCOME_FENCED);
        assert_int_equal(forward(world, span_of("before", 6), OWN_TAG, 7), WIRE_OUTCOME_FENCED);
        assert_int_equal(forward(world, span_of("c", 1), OWN_TAG, SEQ_LAST), WIRE_OUTCOME_OK);
        assert_int_equal(progress_of(world)->cancel_count, 2);
        assert_int_equal(progress_of(world)->wide_count, 2);
        assert_int_equal(forward(world, span_of("a", 1), OWN_TAG, SEQ_LAST + 1),
                         WIRE_OUTCOME_FENCED);
        assert_int_equal(forward(world, span_of("c", 1), OWN_TAG, SEQ_LAST + 20), WIRE_OUTCOME_OK);
        assert_int_equal(progress_of(world)->cancel_count, 0);
        assert_int_equal(progress_of(world)->wide_count, 0);
    }
}

/* The body of the series' item in a snapshot of the scene. */
static struct span series_item(struct scene *scene, struct stream *stream)
{
    stream_take(stream, scene->world);
    for (size_t at = 0; at < stream->size_bytes;) {
        const uint8_t *item = stream->bytes + at;
        size_t size = le32_load(item + 4);
        at += SNAPSHOT_ITEM_HEADER_BYTES + size;
        if (le32_load(item) == SNAPSHOT_NODE &&
            le64_load(item + SNAPSHOT_ITEM_HEADER_BYTES + 16) == SERIES)
            return span_of(item + SNAPSHOT_ITEM_HEADER_BYTES, size);
    }
    fail();
    return span_of(NULL, 0);
}

/* An older program reads it: byte for byte what it would have written. */
static void test_cancel_names_of_format_0_are_written_as_ever(void **state)
{
    struct scene *scene = *state;
    struct stream stream;
    configure(scene->world, 0);
    cancel(scene, span_of("a", 1), OWN_TAG, SEQ_LAST);
    struct span item = series_item(scene, &stream);
    assert_int_equal(item.size_bytes, SNAPSHOT_NODE_BYTES + 16);
    assert_int_equal(le64_load(item.data + SNAPSHOT_NODE_BYTES), SEQ_LAST);
    assert_true(le64_load(item.data + SNAPSHOT_NODE_BYTES + 8) ==
                (key_hash(span_of("a", 1)) ^ OWN_TAG * UINT64_C(0x9e3779b97f4a7c15)));
    stream_free(&stream);
    copy(scene);
    assert_int_equal(progress_of(scene->other)->wide_count, 0);
}

static void test_cancel_names_of_format_1_have_256_bits_in_a_snapshot(void **state)
{
    struct scene *scene = *state;
    struct stream stream;
    uint8_t tag[4];
    uint8_t name[CONTENT_NAME_SIZE_BYTES];
    configure(scene->world, 1);
    cancel(scene, span_of("a", 1), OWN_TAG, SEQ_LAST);
    struct span item = series_item(scene, &stream);
    assert_int_equal(item.size_bytes, SNAPSHOT_NODE_BYTES + 40);
    le32_store(tag, OWN_TAG);
    const struct span parts[] = {span_of("a", 1), span_of(tag, sizeof(tag))};
    content_name("pollux cancel", parts, 2, name);
    assert_memory_equal(item.data + SNAPSHOT_NODE_BYTES + 8, name, sizeof(name));
    stream_free(&stream);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_cancel_names_collide_in_format_0),
        T(test_cancel_names_of_other_keys_differ_from_format_1_on),
        T(test_cancel_names_without_a_tag_are_of_all_clients),
        T(test_cancel_names_stay_when_the_format_rises),
        T(test_cancel_names_of_format_0_are_written_as_ever),
        T(test_cancel_names_of_format_1_have_256_bits_in_a_snapshot),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
