/* The sealed arena: zeroed, aligned, bounded, and closed for good once it is sealed. */
#include "base/arena.h"
#include "tests/unit/base/abort_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The test links with --wrap=malloc and its kin: every request of the test program is counted. */
static int allocations_count;

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);

void *__wrap_malloc(size_t size_bytes)
{
    allocations_count++;
    return __real_malloc(size_bytes);
}

void *__wrap_calloc(size_t count, size_t size_bytes)
{
    allocations_count++;
    return __real_calloc(count, size_bytes);
}

static struct arena arena_of(size_t capacity_bytes)
{
    struct arena arena;
    assert_int_equal(arena_init(&arena, capacity_bytes), OK);
    return arena;
}

static void take_64(void *context)
{
    (void)arena_take(context, 64, 8);
}

static void take_misaligned(void *context)
{
    (void)arena_take(context, 8, 24);
}

static void init_empty(void *context)
{
    (void)!arena_init(context, 0);
}

static void test_arena_gives_zeroed_memory(void **state)
{
    (void)state;
    struct arena arena = arena_of(4096);
    const uint8_t *bytes = arena_take(&arena, 4096, 1);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(bytes[i], 0);
    arena_deinit(&arena);
}

static void test_arena_aligns_and_does_not_overlap(void **state)
{
    (void)state;
    struct arena arena = arena_of(64 * 1024);
    uint8_t *before_end = NULL;
    for (size_t align = 1; align <= 4096; align *= 2) {
        uint8_t *taken = arena_take(&arena, 3, align);
        assert_int_equal((uintptr_t)taken % align, 0);
        assert_true(before_end == NULL || taken >= before_end);
        before_end = taken + 3;
    }
    arena_deinit(&arena);
}

static void test_arena_gives_its_last_byte_and_no_more(void **state)
{
    (void)state;
    struct arena arena = arena_of(128);
    uint8_t *first = arena_take(&arena, 64, 64);
    uint8_t *last = arena_take(&arena, 64, 64);
    assert_ptr_equal(last, first + 64);
    assert_int_equal(arena.used_bytes, arena.capacity_bytes);
    assert_true(does_abort(take_64, &arena));
    arena_deinit(&arena);
}

static void test_arena_aborts_after_seal(void **state)
{
    (void)state;
    struct arena arena = arena_of(4096);
    assert_false(does_abort(take_64, &arena));
    arena_seal(&arena);
    assert_true(does_abort(take_64, &arena));
    arena_deinit(&arena);
}

static void test_arena_aborts_on_a_bad_request(void **state)
{
    (void)state;
    struct arena arena = arena_of(4096);
    assert_true(does_abort(take_misaligned, &arena));
    assert_true(does_abort(init_empty, &arena));
    arena_deinit(&arena);
}

static void test_arena_refuses_what_the_kernel_lacks(void **state)
{
    (void)state;
    struct arena arena = {.used_bytes = 7};
    assert_int_equal(arena_init(&arena, SIZE_MAX / 2), ERR_NO_MEMORY);
    assert_int_equal(arena.used_bytes, 7); /* outputs are untouched on failure */
}

static void test_arena_never_calls_malloc(void **state)
{
    (void)state;
    void *volatile probe = malloc(1);   /* volatile: a compiler may drop an unused allocation */
    assert_true(allocations_count > 0); /* the counter does count */
    free(probe);
    int before = allocations_count;
    struct arena arena = arena_of(1 << 20);
    for (int i = 0; i < 1000; i++)
        (void)arena_take(&arena, 100, 8);
    arena_seal(&arena);
    arena_deinit(&arena);
    assert_int_equal(allocations_count, before);
}

static void test_arena_deinit_twice_is_harmless(void **state)
{
    (void)state;
    struct arena arena = arena_of(4096);
    arena_deinit(&arena);
    assert_null(arena.base);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_gives_zeroed_memory),
        cmocka_unit_test(test_arena_aligns_and_does_not_overlap),
        cmocka_unit_test(test_arena_gives_its_last_byte_and_no_more),
        cmocka_unit_test(test_arena_aborts_after_seal),
        cmocka_unit_test(test_arena_aborts_on_a_bad_request),
        cmocka_unit_test(test_arena_refuses_what_the_kernel_lacks),
        cmocka_unit_test(test_arena_never_calls_malloc),
        cmocka_unit_test(test_arena_deinit_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
