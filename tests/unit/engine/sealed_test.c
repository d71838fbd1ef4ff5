/*
 * A sealed engine allocates nothing, whatever its clients send: malloc is this file's own here, and
 * counts. (Sanitizers bring their own malloc; the arena's seal still aborts in their builds.)
 */
#include "tests/unit/engine/fixture.h"

#include <stdatomic.h>
#include <stdio.h>

static _Atomic uint64_t allocations;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#define IS_COUNTED 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_realloc(memory, size);
}
#else
#define IS_COUNTED 0
#endif

static uint64_t sent;

static void count_sent(void *context, const struct address *to, uint8_t type, struct span body)
{
    (void)context;
    (void)to;
    (void)type;
    sent += body.size_bytes > 0;
}

/* One round of everything a client can ask for, in messages built without the heap. */
static void serve(struct fixture *f, uint64_t session, uint64_t *seq)
{
    char key[16];
    snprintf(key, sizeof(key), "k%u", (unsigned)(*seq % 300));
    struct fixture_write write = {.session = session, .floor = *seq};
    struct wire_op ops[] = {op_set(*seq, key, "value"), op_swap(*seq + 1, key, "two", "value"),
                            op_set(*seq + 2, key, *seq % 3 == 0 ? NULL : "three"),
                            op_of(WIRE_OP_FENCE, *seq + 3)};
    fixture_write(f, &write, ops, 4);
    *seq += 4;
    struct fixture_write stranger = {.session = 0};
    struct wire_op other = op_of(WIRE_OP_REGISTER, *seq);
    fixture_write(f, &stranger, &other, 1);
    struct wire_read read = {.request_number = 1, .is_consistent = *seq % 8 == 1};
    struct wire_read_op read_op = {.key = text(key)};
    fixture_read(f, &read, &read_op, 1);
    struct span payload;
    assert_true(engine_batch(f->engine, &payload));
    uint64_t index = engine_applied_index(f->engine) + 1;
    engine_batch_proposed(f->engine, index, f->view.term);
    engine_apply(f->engine, index, f->view.term, RAFT_ENTRY_DATA, payload);
    uint64_t id = engine_reads_wanted(f->engine);
    if (id != 0)
        engine_reads_released(f->engine, id, index);
    f->view.commit_index = index;
    fixture_turn(f, 1);
}

static void test_sealed_engine_allocates_nothing(void **state)
{
    (void)state;
    struct engine_options options = fixture_options();
    struct fixture *f = fixture_new(&options);
    uint64_t session = fixture_register(f);
    fixture_forget_messages(f);
    fixture_free(f);

    options.sink = (struct engine_sink){.send = count_sent};
    f = fixture_new(&options);
    session = fixture_register(f);
    fixture_forget_messages(f);
    /* The same engine, its replies now counted instead of kept. */
    f->options.sink.send = count_sent;
    assert_true(f->arena.is_sealed);
    engine_deinit(f->engine);
    arena_deinit(&f->arena);
    assert_int_equal(arena_init(&f->arena, engine_arena_bytes(&f->options)), OK);
    assert_int_equal(engine_init(&f->options, &f->arena, &f->engine), OK);
    arena_seal(&f->arena);
    fixture_apply_to(f, f->engine);
    f->view.commit_index = f->record_count;
    fixture_begin(f);

    uint64_t seq = 1;
    uint64_t before = atomic_load(&allocations);
    assert_true(before > 0 || !IS_COUNTED);
    for (uint32_t i = 0; i < 2000; i++)
        serve(f, session, &seq);
    assert_int_equal(atomic_load(&allocations), before);
    assert_true(sent >= 6000);
    assert_int_equal(engine_counters(f->engine)->ops_applied, 1 + 2000 * 5);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sealed_engine_allocates_nothing)};
    rcu_thread_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_end();
    return failed;
}
