/* The replay window: each number once, in any order within the window; compared with a plain list
 * over random walks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "security/replay_window.h"

#define WALK_STEPS   20000
#define WALK_NUMBERS 65536

static enum error take(struct replay_window *window, uint64_t number)
{
    enum error error = replay_window_check(window, number);
    if (error == OK)
        replay_window_note(window, number);
    return error;
}

static void test_replay_window_takes_a_number_once(void **state)
{
    (void)state;
    struct replay_window window = {0};
    for (uint64_t number = 1; number <= 5000; number++) {
        assert_int_equal(take(&window, number), OK);
        assert_int_equal(take(&window, number), ERR_REPLAYED);
    }
    assert_int_equal(take(&window, 0), ERR_RANGE);
}

static void test_replay_window_takes_late_numbers_within_it(void **state)
{
    (void)state;
    struct replay_window window = {0};
    const uint64_t high = 100000;
    assert_int_equal(take(&window, high), OK);
    assert_int_equal(take(&window, high - REPLAY_WINDOW_NUMBERS + 1), OK);
    assert_int_equal(take(&window, high - REPLAY_WINDOW_NUMBERS), ERR_REPLAYED);
    assert_int_equal(take(&window, 1), ERR_REPLAYED);
    assert_int_equal(take(&window, high - 1), OK);
    assert_int_equal(take(&window, high - 1), ERR_REPLAYED);
}

static void test_replay_window_forgets_nothing_when_it_jumps(void **state)
{
    (void)state;
    struct replay_window window = {0};
    assert_int_equal(take(&window, 7), OK);
    assert_int_equal(take(&window, 7 + UINT64_C(0x100000000)), OK);
    assert_int_equal(take(&window, 7), ERR_REPLAYED);
    /* As far behind as the ring is round. */
    assert_int_equal(take(&window, 6 + UINT64_C(0x100000000)), OK);
    assert_int_equal(take(&window, UINT64_MAX), OK);
    assert_int_equal(take(&window, UINT64_MAX), ERR_REPLAYED);
    assert_int_equal(take(&window, UINT64_MAX - 1), OK);
}

static void walk(uint64_t seed)
{
    static uint8_t has_come[WALK_NUMBERS];
    struct replay_window window = {0};
    struct prng prng;
    uint64_t highest = 0;
    prng_init(&prng, seed);
    memset(has_come, 0, sizeof(has_come));
    for (uint32_t i = 0; i < WALK_STEPS; i++) {
        uint64_t back = prng_range(&prng, 0, 2 * REPLAY_WINDOW_NUMBERS);
        uint64_t number = prng_chance(&prng, 125000) ? highest + prng_range(&prng, 1, 16)
                          : highest > back           ? highest - back
                                                     : 1;
        if (number >= WALK_NUMBERS)
            break;
        bool is_old = highest >= number && highest - number >= REPLAY_WINDOW_NUMBERS;
        assert_int_equal(take(&window, number), is_old || has_come[number] ? ERR_REPLAYED : OK);
        has_come[number] = 1;
        highest = number > highest ? number : highest;
    }
    assert_true(highest > REPLAY_WINDOW_NUMBERS);
}

static void test_replay_window_agrees_with_a_list(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        walk(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay_window_takes_a_number_once),
        cmocka_unit_test(test_replay_window_takes_late_numbers_within_it),
        cmocka_unit_test(test_replay_window_forgets_nothing_when_it_jumps),
        cmocka_unit_test(test_replay_window_agrees_with_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
