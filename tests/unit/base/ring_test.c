/* The bounded ring: order, fullness, wrap-around, and one producer against one consumer. */
#include "base/ring.h"
#include "tests/unit/base/abort_expect.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define TRANSFERS_COUNT 300000u

struct element {
    uint64_t number;
    uint64_t complement; /* a torn copy shows as a wrong complement */
    uint8_t filler[24];
};

struct fixture {
    struct arena arena;
    struct ring ring;
};

static struct element element_of(uint64_t number)
{
    return (struct element){.number = number, .complement = ~number};
}

static int setup(void **state)
{
    static struct fixture fixture;
    assert_int_equal(arena_init(&fixture.arena, 1 << 16), OK);
    ring_init(&fixture.ring, &fixture.arena, 8, sizeof(struct element));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_deinit(&fixture->arena);
    return 0;
}

static void test_ring_starts_empty(void **state)
{
    struct fixture *fixture = *state;
    struct element out = element_of(77);
    assert_false(ring_pop(&fixture->ring, &out));
    assert_int_equal(out.number, 77); /* untouched on failure */
}

static void test_ring_refuses_when_full_and_keeps_order(void **state)
{
    struct fixture *fixture = *state;
    struct element in;
    for (uint64_t i = 0; i < 8; i++) {
        in = element_of(i);
        assert_true(ring_push(&fixture->ring, &in));
    }
    in = element_of(8);
    assert_false(ring_push(&fixture->ring, &in));
    for (uint64_t i = 0; i < 8; i++) {
        struct element out;
        assert_true(ring_pop(&fixture->ring, &out));
        assert_int_equal(out.number, i);
    }
    struct element out;
    assert_false(ring_pop(&fixture->ring, &out));
}

static void test_ring_wraps_many_times(void **state)
{
    struct fixture *fixture = *state;
    uint64_t pushed = 0;
    uint64_t popped = 0;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 1 + round % 8; i++) {
            struct element in = element_of(pushed);
            assert_true(ring_push(&fixture->ring, &in));
            pushed++;
        }
        struct element out;
        while (ring_pop(&fixture->ring, &out)) {
            assert_int_equal(out.number, popped);
            popped++;
        }
    }
    assert_int_equal(pushed, popped);
}

static void *produce(void *context)
{
    struct ring *ring = context;
    for (uint64_t i = 0; i < TRANSFERS_COUNT; i++) {
        struct element in = element_of(i);
        while (!ring_push(ring, &in))
            sched_yield();
    }
    return NULL;
}

static void test_ring_carries_everything_between_two_threads(void **state)
{
    struct fixture *fixture = *state;
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, &fixture->ring), 0);
    uint64_t wrong_count = 0;
    for (uint64_t i = 0; i < TRANSFERS_COUNT; i++) {
        struct element out;
        while (!ring_pop(&fixture->ring, &out))
            sched_yield();
        wrong_count += out.number != i || out.complement != ~i;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(wrong_count, 0);
    struct element out;
    assert_false(ring_pop(&fixture->ring, &out));
}

static void init_with_capacity_three(void *context)
{
    struct fixture *fixture = context;
    struct ring ring;
    ring_init(&ring, &fixture->arena, 3, 8);
}

static void init_with_empty_elements(void *context)
{
    struct fixture *fixture = context;
    struct ring ring;
    ring_init(&ring, &fixture->arena, 4, 0);
}

static void test_ring_aborts_on_bad_shape(void **state)
{
    assert_true(does_abort(init_with_capacity_three, *state));
    assert_true(does_abort(init_with_empty_elements, *state));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ring_starts_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_refuses_when_full_and_keeps_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ring_wraps_many_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_carries_everything_between_two_threads, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ring_aborts_on_bad_shape, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
