/* What keeps a node from taking part: told once, then rarely, and shown while it lasts. */
#include "server/obstacles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static struct obstacles obstacles;
static struct process_watch watch;

static void see(enum obstacle_kind kind, uint16_t node, uint64_t now_ns)
{
    obstacles_note(&obstacles,
                   &(struct obstacle){.kind = kind, .node = node, .here = 1, .there = 2}, now_ns);
}

static int setup(void **state)
{
    (void)state;
    obstacles = (struct obstacles){0};
    memset(&watch, 0, sizeof(watch));
    return 0;
}

static void test_obstacles_are_told_once_and_then_rarely(void **state)
{
    (void)state;
    struct obstacle told;
    assert_false(obstacles_next(&obstacles, SECOND_NS, &told));
    see(OBSTACLE_FINGERPRINT, 3, SECOND_NS);
    assert_true(obstacles_next(&obstacles, SECOND_NS, &told));
    assert_true(told.kind == OBSTACLE_FINGERPRINT && told.node == 3 && told.here == 1 &&
                told.there == 2);
    see(OBSTACLE_FINGERPRINT, 3, 2 * SECOND_NS);
    assert_false(obstacles_next(&obstacles, 600 * SECOND_NS, &told));
    assert_true(obstacles_next(&obstacles, 601 * SECOND_NS, &told));
    assert_false(obstacles_next(&obstacles, 5000 * SECOND_NS, &told)); /* it was not seen again */
}

static void test_obstacles_are_told_for_each_node_and_kind(void **state)
{
    (void)state;
    struct obstacle told;
    see(OBSTACLE_FINGERPRINT, 3, SECOND_NS);
    see(OBSTACLE_FINGERPRINT, 4, SECOND_NS);
    see(OBSTACLE_VERSION, 4, SECOND_NS);
    for (int i = 0; i < 3; i++)
        assert_true(obstacles_next(&obstacles, SECOND_NS, &told));
    assert_false(obstacles_next(&obstacles, SECOND_NS, &told));
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_FINGERPRINT, SECOND_NS), 2);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_VERSION, SECOND_NS), 1);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_ADDRESS, SECOND_NS), 0);
}

static void test_obstacles_are_over_when_not_seen_any_more(void **state)
{
    (void)state;
    see(OBSTACLE_VERSION, 3, SECOND_NS);
    obstacles_note_lasting(&obstacles, &(struct obstacle){.kind = OBSTACLE_SLOW_MEDIUM, .node = 1},
                           SECOND_NS);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_VERSION, 11 * SECOND_NS), 1);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_VERSION, 12 * SECOND_NS), 0);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_SLOW_MEDIUM, 9999 * SECOND_NS), 1);
}

static void test_obstacles_beyond_the_table_are_left_out(void **state)
{
    (void)state;
    for (uint16_t node = 1; node <= OBSTACLES_MAX + 5; node++)
        see(OBSTACLE_ADDRESS, node, SECOND_NS);
    assert_int_equal(obstacles_present(&obstacles, OBSTACLE_ADDRESS, SECOND_NS), OBSTACLES_MAX);
}

static void test_obstacles_name_their_settings(void **state)
{
    (void)state;
    for (int kind = 0; kind < OBSTACLE_KINDS; kind++) {
        assert_true(strlen(obstacle_name((enum obstacle_kind)kind)) > 0);
        assert_true(strlen(obstacle_setting((enum obstacle_kind)kind)) > 0);
        assert_true(strlen(obstacle_meaning((enum obstacle_kind)kind)) > 0);
    }
}

static void test_two_processes_take_turns_and_a_restart_does_not(void **state)
{
    (void)state;
    uint64_t other = 0;
    assert_false(process_watch_note(&watch, 2, 10, SECOND_NS, &other));
    assert_false(process_watch_note(&watch, 2, 20, SECOND_NS, &other)); /* restarted */
    assert_false(process_watch_note(&watch, 2, 10, SECOND_NS, &other)); /* a late packet */
    assert_false(process_watch_note(&watch, 2, 20, SECOND_NS, &other));
    assert_false(process_watch_note(&watch, 2, 20, SECOND_NS, &other));
    assert_false(process_watch_note(&watch, 2, 10, SECOND_NS, &other));
    assert_true(process_watch_note(&watch, 2, 20, SECOND_NS, &other));
    assert_int_equal(other, 10);
    assert_false(process_watch_note(&watch, 3, 20, SECOND_NS, &other));      /* another node */
    assert_false(process_watch_note(&watch, 2, 10, 12 * SECOND_NS, &other)); /* long after */
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(test_obstacles_are_told_once_and_then_rarely),
        T(test_obstacles_are_told_for_each_node_and_kind),
        T(test_obstacles_are_over_when_not_seen_any_more),
        T(test_obstacles_beyond_the_table_are_left_out),
        T(test_obstacles_name_their_settings),
        T(test_two_processes_take_turns_and_a_restart_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
