/* Snapshots: what is written is the state at one index, whatever is applied meanwhile. */
#include "tests/unit/engine/history.h"

#include <sched.h>

#include "engine/state/rcu.h"

#define SEEDS          40
#define RECORDS_BEFORE 250
#define RECORDS_DURING 600

/* Room for the sink, sometimes none, sometimes less than it needs. */
static size_t draw_room(struct history *history)
{
    switch (prng_range(&history->prng, 0, 3)) {
    case 0:
        return 0;
    case 1:
        return (size_t)prng_range(&history->prng, 1, 2 * SNAPSHOT_ROOM_MIN);
    default:
        return (size_t)prng_range(&history->prng, 1, 30000);
    }
}

/* One more record or one more slice. */
static bool go_on(struct history *history, struct world *world, struct stream *stream)
{
    struct machine *machine = &world->machine;
    world_turn(world);
    bool may_apply = history->record_count < RECORDS_BEFORE + RECORDS_DURING;
    if (may_apply && !snapshot_must_wait(machine) && prng_chance(&history->prng, 700000)) {
        history_go_on(history, world);
        return true;
    }
    size_t size = stream->size_bytes;
    stream->room_bytes = draw_room(history);
    size_t room = stream->room_bytes;
    uint64_t budget =
        prng_range(&history->prng, 1, prng_chance(&history->prng, 500000) ? 200 : 9000);
    bool is_running = snapshot_step(machine, (size_t)budget);
    assert_true(stream->size_bytes - size <= room);
    assert_true(stream->size_bytes - size <= budget + SNAPSHOT_ROOM_MIN);
    return is_running;
}

static void walk(struct history *history, struct world *world, struct stream *stream)
{
    struct snapshot_sink sink = stream_sink(stream);
    snapshot_begin(&world->machine, &sink);
    uint32_t steps = 0;
    while (go_on(history, world, stream)) {
        if (++steps % 16 == 0)
            machine_check_invariants(&world->machine);
    }
    machine_check_invariants(&world->machine);
}

/* What is read back is the state at the index, and goes on like it. */
static void expect_state(struct history *history, struct world *world, struct span stream,
                         const struct world *original, uint64_t hash)
{
    assert_int_equal(stream_read(stream, world, 5000, &history->prng), OK);
    machine_check_invariants(&world->machine);
    assert_int_equal(machine_state_hash(&world->machine), hash);
    for (uint64_t index = world->machine.applied_index + 1; index <= history->record_count; index++)
        history_repeat(history, index, world);
    assert_int_equal(machine_state_hash(&world->machine), machine_state_hash(&original->machine));
    machine_check_invariants(&world->machine);
}

static void seed_run(uint64_t seed)
{
    struct machine_options options = history_options();
    struct history *history = history_new(seed, seed % 8 == 0 ? VALUE_SIZE_BYTES_MAX : 20000);
    struct world *world = world_new(&options);
    struct world *other = world_new(&options);
    struct stream stream;
    for (uint32_t i = 0; i < RECORDS_BEFORE; i++)
        history_go_on(history, world);
    uint64_t hash = machine_state_hash(&world->machine);
    walk(history, world, &stream);
    assert_true(history->record_count > RECORDS_BEFORE);
    expect_state(history, other, span_of(stream.bytes, stream.size_bytes), world, hash);
    /* A second snapshot of the machine, read into one that had a state of its own. */
    stream_free(&stream);
    hash = machine_state_hash(&world->machine);
    walk(history, world, &stream);
    world_clear(other);
    expect_state(history, other, span_of(stream.bytes, stream.size_bytes), world, hash);
    stream_free(&stream);
    world_free(other);
    world_free(world);
    history_free(history);
}

static void test_snapshot_is_the_state_at_its_index(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        seed_run(seed);
}

static void test_snapshot_says_the_same_on_every_node(void **state)
{
    (void)state;
    struct machine_options options = history_options();
    struct history *history = history_new(77, 20000);
    struct world *world = world_new(&options);
    struct world *other = world_new(&options);
    struct stream first;
    struct stream second;
    for (uint32_t i = 0; i < RECORDS_BEFORE; i++) {
        history_go_on(history, world);
        history_repeat(history, history->record_count, other);
    }
    stream_take(&first, world);
    stream_take(&second, other);
    assert_int_equal(first.size_bytes, second.size_bytes);
    assert_memory_equal(first.bytes, second.bytes, first.size_bytes);
    stream_free(&first);
    stream_free(&second);
    world_free(other);
    world_free(world);
    history_free(history);
}

static void test_snapshot_holds_records_back_before_the_reserve_ends(void **state)
{
    (void)state;
    struct machine_options options = history_options();
    options.limits.blocks_max = options.capacity.blocks_max = 30000;
    struct history *history = history_new(5, 300000);
    struct world *world = world_new(&options);
    struct stream stream;
    struct snapshot_sink sink = stream_sink(&stream);
    while (world->machine.blocks < 25000) {
        history_go_on(history, world);
        world_turn(world);
    }
    uint64_t hash = machine_state_hash(&world->machine);
    snapshot_begin(&world->machine, &sink);
    uint32_t applied = 0;
    uint32_t waits = 0;
    for (bool is_running = true; is_running;) {
        while (!snapshot_must_wait(&world->machine) && applied < 3000) {
            history_go_on(history, world);
            world_turn(world);
            applied++;
        }
        waits += snapshot_must_wait(&world->machine);
        machine_check_invariants(&world->machine);
        stream.room_bytes = 300000;
        is_running = snapshot_step(&world->machine, 300000);
    }
    assert_true(waits > 0);
    assert_false(snapshot_must_wait(&world->machine));
    struct world *other = world_new(&options);
    expect_state(history, other, span_of(stream.bytes, stream.size_bytes), world, hash);
    stream_free(&stream);
    world_free(other);
    world_free(world);
    history_free(history);
}

/* One record of keep-alives, or of registrations, for 64 sessions. */
static void renew_sessions(struct world *world, uint32_t first, bool is_register)
{
    struct machine *machine = &world->machine;
    (void)machine_begin_record(machine, machine->applied_index + 1, 5);
    for (uint32_t i = 0; i < 64; i++) {
        struct op op = {.type = is_register ? WIRE_OP_REGISTER : WIRE_OP_KEEP_ALIVE,
                        .seq = first + i + 1};
        struct request request = {.session = is_register ? 0 : sessions_id(1 + (first + i) / 64, i),
                                  .floor = 1,
                                  .ops = &op,
                                  .op_count = 1};
        struct session *session = machine_begin_request(machine, &request);
        struct op_result result = machine_execute(machine, &session, &op, i);
        assert_int_equal(result.outcome, WIRE_OUTCOME_OK);
    }
}

static void test_snapshot_holds_records_back_before_sessions_have_no_room(void **state)
{
    (void)state;
    struct machine_options options = history_options();
    options.limits.sessions_max = options.capacity.sessions_max = 64 * 400;
    struct world *world = world_new(&options);
    struct stream stream;
    struct snapshot_sink sink = stream_sink(&stream);
    for (uint32_t i = 0; i < options.limits.sessions_max; i += 64)
        renew_sessions(world, i, true);
    /* Little more than one record may need: room for the encoded sessions of a few. */
    world->machine.snapshot.images_capacity =
        SNAPSHOT_RECORD_SESSIONS_MAX * (SNAPSHOT_SESSION_BYTES_MAX + 8) + 20000;
    uint64_t hash = machine_state_hash(&world->machine);
    snapshot_begin(&world->machine, &sink);
    uint32_t waits = 0;
    for (uint32_t i = 0; i < options.limits.sessions_max; i += 64) {
        for (; snapshot_must_wait(&world->machine); waits++) {
            stream.room_bytes = 100000;
            assert_true(snapshot_step(&world->machine, 100000));
        }
        renew_sessions(world, options.limits.sessions_max - 64 - i, false);
    }
    assert_true(waits > 0);
    stream.room_bytes = SIZE_MAX;
    assert_false(snapshot_step(&world->machine, SIZE_MAX));
    struct world *other = world_new(&options);
    assert_int_equal(stream_read(span_of(stream.bytes, stream.size_bytes), other, 70000, NULL), OK);
    assert_int_equal(machine_state_hash(&other->machine), hash);
    stream_free(&stream);
    world_free(other);
    world_free(world);
}

static void test_snapshot_gives_back_what_it_kept_when_abandoned(void **state)
{
    (void)state;
    struct machine_options options = history_options();
    struct history *history = history_new(9, 100000);
    struct world *world = world_new(&options);
    struct stream stream;
    struct snapshot_sink sink = stream_sink(&stream);
    for (uint32_t i = 0; i < RECORDS_BEFORE; i++)
        history_go_on(history, world);
    for (uint32_t round = 0; round < 10; round++) {
        snapshot_begin(&world->machine, &sink);
        stream.room_bytes = 2000 * (round + 1);
        (void)snapshot_step(&world->machine, SIZE_MAX);
        for (uint32_t i = 0; i < 30; i++) {
            history_go_on(history, world);
            world_turn(world);
        }
        assert_true(world->machine.snapshot.kept_blocks > 0);
        size_t size = stream.size_bytes;
        snapshot_abandon(&world->machine);
        machine_check_invariants(&world->machine);
        uint32_t steps = 0;
        while (snapshot_step(&world->machine, 1000))
            assert_true(++steps < 10000);
        assert_int_equal(stream.size_bytes, size);
        assert_int_equal(world->machine.snapshot.kept_blocks, 0);
        machine_check_invariants(&world->machine);
    }
    stream_free(&stream);
    world_free(world);
    history_free(history);
}

/* One record that sets a key to `size_bytes` of `byte`. */
static void set_key(struct world *world, const char *key, uint8_t byte, size_t size_bytes)
{
    struct machine *machine = &world->machine;
    uint64_t index = machine->applied_index + 1;
    uint8_t *bytes = malloc(size_bytes + 1024);
    uint8_t *value = malloc(size_bytes);
    struct op op;
    struct request_builder builder = {
        .writer = {.data = bytes, .capacity_bytes = size_bytes + 1024}, .ops = &op};
    struct wire_op set = {.type = WIRE_OP_SET, .has_value = true, .tag = 1, .seq = index};
    memset(value, byte, size_bytes);
    set.key = span_of(key, strlen(key));
    set.value = span_of(value, size_bytes);
    request_builder_begin(&builder, WIRE_NODE_SESSION(1), 0);
    request_builder_add(&builder, &set, index_hash(&machine->index, set.key));
    struct request request = request_builder_end(&builder);
    (void)machine_begin_record(machine, index, 5);
    struct session *session = machine_begin_request(machine, &request);
    assert_int_equal(machine_execute(machine, &session, &op, 0).outcome, WIRE_OUTCOME_OK);
    free(value);
    free(bytes);
}

/* Its blocks must not be used again before its last byte is written. */
static void test_snapshot_finishes_an_entry_that_is_replaced_meanwhile(void **state)
{
    (void)state;
    struct machine_options options = history_options();
    struct world *world = world_new(&options);
    struct stream stream;
    struct snapshot_sink sink = stream_sink(&stream);
    set_key(world, "large", 1, VALUE_SIZE_BYTES_MAX);
    uint64_t hash = machine_state_hash(&world->machine);
    snapshot_begin(&world->machine, &sink);
    stream.room_bytes = VALUE_SIZE_BYTES_MAX / 2;
    assert_true(snapshot_step(&world->machine, SIZE_MAX));
    for (uint8_t i = 2; i < 10; i++) {
        set_key(world, "large", i, VALUE_SIZE_BYTES_MAX);
        machine_check_invariants(&world->machine);
        while (store_retire_backlog(&world->machine.store) > 0) {
            world_turn(world);
            sched_yield();
        }
    }
    stream.room_bytes = SIZE_MAX;
    while (snapshot_step(&world->machine, 100000))
        assert_true(snapshot_is_running(&world->machine));
    struct world *other = world_new(&options);
    assert_int_equal(stream_read(span_of(stream.bytes, stream.size_bytes), other, 9000, NULL), OK);
    assert_int_equal(machine_state_hash(&other->machine), hash);
    stream_free(&stream);
    world_free(other);
    world_free(world);
}

static int thread_setup(void **state)
{
    (void)state;
    rcu_thread_begin();
    return 0;
}

static int thread_teardown(void **state)
{
    (void)state;
    rcu_thread_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_is_the_state_at_its_index),
        cmocka_unit_test(test_snapshot_says_the_same_on_every_node),
        cmocka_unit_test(test_snapshot_holds_records_back_before_the_reserve_ends),
        cmocka_unit_test(test_snapshot_holds_records_back_before_sessions_have_no_room),
        cmocka_unit_test(test_snapshot_gives_back_what_it_kept_when_abandoned),
        cmocka_unit_test(test_snapshot_finishes_an_entry_that_is_replaced_meanwhile),
    };
    return cmocka_run_group_tests(tests, thread_setup, thread_teardown);
}
