/* Which persists of a medium are waited for, and since when. */
#include "server/medium_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void test_medium_watch_sees_a_stall(void **state)
{
    (void)state;
    struct medium_watch watch = {0};
    assert_true(medium_watch_is_idle(&watch));
    assert_false(medium_watch_is_stalled(&watch, 9000 * MS, 100 * MS));
    medium_watch_ask(&watch, 1, 1000 * MS);
    medium_watch_ask(&watch, 2, 1050 * MS);
    assert_false(medium_watch_is_idle(&watch));
    assert_false(medium_watch_is_stalled(&watch, 1099 * MS, 100 * MS));
    assert_true(medium_watch_is_stalled(&watch, 1100 * MS, 100 * MS));
    /* The first is done: the second has been waited for since then. */
    medium_watch_collect(&watch, 1, 1120 * MS);
    assert_false(medium_watch_is_idle(&watch));
    assert_false(medium_watch_is_stalled(&watch, 1219 * MS, 100 * MS));
    medium_watch_collect(&watch, 1, 1219 * MS);
    assert_true(medium_watch_is_stalled(&watch, 1220 * MS, 100 * MS));
    medium_watch_collect(&watch, 2, 1230 * MS);
    assert_true(medium_watch_is_idle(&watch));
    assert_false(medium_watch_is_stalled(&watch, 9000 * MS, 100 * MS));
}

/* A log that settles asks its medium for a persist that the replica knows nothing of: an idle
 * leader must not take it for one that never ends. */
static void test_medium_watch_waits_for_nobody_elses_ticket(void **state)
{
    (void)state;
    struct medium_watch watch = {0};
    medium_watch_ask(&watch, 3, 1000 * MS);
    medium_watch_collect(&watch, 3, 1010 * MS);
    medium_watch_collect(&watch, 4, 1020 * MS);
    assert_true(medium_watch_is_idle(&watch));
    assert_false(medium_watch_is_stalled(&watch, 9000 * MS, 100 * MS));
    /* Nor where it becomes durable together with, or before, what the replica asked for. */
    medium_watch_ask(&watch, 6, 2000 * MS);
    medium_watch_collect(&watch, 5, 2010 * MS);
    assert_false(medium_watch_is_idle(&watch));
    medium_watch_collect(&watch, 7, 2020 * MS);
    assert_false(medium_watch_is_stalled(&watch, 9000 * MS, 100 * MS));
}

static void test_medium_watch_advises_a_timeout(void **state)
{
    (void)state;
    assert_true(medium_watch_timeout_ns(200 * MS) == 800 * MS);
    assert_true(medium_watch_timeout_ns(37 * MS) == 150 * MS);
    assert_true(medium_watch_timeout_ns(38 * MS) == 160 * MS);
    assert_true(medium_watch_timeout_ns(1) == 10 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_medium_watch_sees_a_stall),
        cmocka_unit_test(test_medium_watch_waits_for_nobody_elses_ticket),
        cmocka_unit_test(test_medium_watch_advises_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
