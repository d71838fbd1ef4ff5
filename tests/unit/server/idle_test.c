/* The back-off: spin, yield, sleep, in that order and within their bounds. */
#include "server/idle.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define FAR_NS 1000000000ULL

static struct idle idle_of(uint32_t spin_turns, uint32_t yield_turns)
{
    return (struct idle){
        .options = {.spin_turns = spin_turns, .yield_turns = yield_turns, .sleep_max_ns = 50000}};
}

static void test_idle_sleeps_after_spins_and_yields(void **state)
{
    (void)state;
    struct idle idle = idle_of(3, 2);
    for (int i = 0; i < 5; i++)
        assert_int_equal(idle_wait(&idle, 0, FAR_NS), 0);
    assert_int_equal(idle_wait(&idle, 0, FAR_NS), 50000);
    idle_reset(&idle);
    assert_int_equal(idle_wait(&idle, 0, FAR_NS), 0);
}

static void test_idle_sleeps_to_the_deadline_at_most(void **state)
{
    (void)state;
    struct idle idle = idle_of(0, 0);
    assert_int_equal(idle_wait(&idle, 1000, 1000 + 30000), 30000);
    assert_int_equal(idle_wait(&idle, 1000, 1000 + 500), 0);
    assert_int_equal(idle_wait(&idle, 1000, 500), 0);
}

static void test_idle_spins_for_ever_where_told(void **state)
{
    (void)state;
    struct idle idle = idle_of(UINT32_MAX, 0);
    idle.turns = UINT32_MAX - 1;
    assert_int_equal(idle_wait(&idle, 0, FAR_NS), 0);
    assert_int_equal(idle_wait(&idle, 0, FAR_NS), 0);
}

static void test_idle_thread_asks_for_short_slices(void **state)
{
    (void)state;
    uint64_t attributes[6] = {0}; /* size and policy, flags, nice and priority, slice, ... */
    idle_thread_begin();
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1);
    if (syscall(SYS_sched_getattr, 0, attributes, sizeof(attributes), 0) != 0 ||
        attributes[0] >> 32 != SCHED_OTHER || attributes[3] == 0)
        skip(); /* a kernel without slices of one's own, or a real-time thread */
    assert_int_equal(attributes[3], IDLE_SLICE_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_sleeps_after_spins_and_yields),
        cmocka_unit_test(test_idle_sleeps_to_the_deadline_at_most),
        cmocka_unit_test(test_idle_spins_for_ever_where_told),
        cmocka_unit_test(test_idle_thread_asks_for_short_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
