/* The heap of delayed frames: order, ties, bound. Frames are only handles to it. */
#include "tools/switch/delay_queue.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct delay_queue queue;

static int setup(void **state)
{
    (void)state;
    delay_queue_init(&queue);
    return 0;
}

static struct dp_frame *handle(uintptr_t number)
{
    return (struct dp_frame *)(number * 8);
}

static void test_delay_queue_releases_in_due_order(void **state)
{
    (void)state;
    struct prng prng;
    uint32_t port = 0;
    uint64_t last_ns = 0;
    prng_init(&prng, 3);
    for (uintptr_t i = 1; i <= 1000; i++) {
        assert_true(delay_queue_push(&queue, handle(i), 2, prng_range(&prng, 0, 100)));
    }
    for (int i = 0; i < 1000; i++) {
        uint64_t due_ns = delay_queue_deadline_ns(&queue);
        assert_true(due_ns >= last_ns);
        last_ns = due_ns;
        assert_non_null(delay_queue_pop(&queue, 100, &port));
        assert_int_equal(port, 2);
    }
    assert_int_equal(delay_queue_deadline_ns(&queue), DELAY_QUEUE_NO_FRAME);
    assert_null(delay_queue_pop(&queue, UINT64_MAX, &port));
}

static void test_delay_queue_keeps_the_order_of_equals(void **state)
{
    (void)state;
    uint32_t port = 0;
    for (uintptr_t i = 1; i <= 100; i++) {
        assert_true(delay_queue_push(&queue, handle(i), 1, 50));
    }
    for (uintptr_t i = 1; i <= 100; i++) {
        assert_ptr_equal(delay_queue_pop(&queue, 50, &port), handle(i));
    }
}

static void test_delay_queue_holds_until_due(void **state)
{
    (void)state;
    uint32_t port = 0;
    assert_true(delay_queue_push(&queue, handle(1), 4, 50));
    assert_null(delay_queue_pop(&queue, 49, &port));
    assert_ptr_equal(delay_queue_pop(&queue, 50, &port), handle(1));
    assert_int_equal(port, 4);
}

static void test_delay_queue_is_bounded(void **state)
{
    (void)state;
    for (uintptr_t i = 1; i <= DELAY_QUEUE_MAX; i++) {
        assert_true(delay_queue_push(&queue, handle(i), 1, i));
    }
    assert_false(delay_queue_push(&queue, handle(1), 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_delay_queue_releases_in_due_order, setup),
        cmocka_unit_test_setup(test_delay_queue_keeps_the_order_of_equals, setup),
        cmocka_unit_test_setup(test_delay_queue_holds_until_due, setup),
        cmocka_unit_test_setup(test_delay_queue_is_bounded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
