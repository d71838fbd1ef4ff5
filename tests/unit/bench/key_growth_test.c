/* How many keys there are while inserts are in flight. */
#include "bench/key_growth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_key_growth_counts_what_has_ended_without_gaps(void **state)
{
    (void)state;
    struct key_growth growth;
    uint64_t numbers[3] = {0};
    assert_int_equal(key_growth_init(&growth, 10), OK);
    for (int i = 0; i < 3; i++) {
        assert_true(key_growth_begin(&growth, &numbers[i]));
        assert_int_equal(numbers[i], 10 + i);
    }
    key_growth_end(&growth, 12);
    key_growth_end(&growth, 11);
    assert_int_equal(key_growth_count(&growth), 10);
    key_growth_end(&growth, 10);
    assert_int_equal(key_growth_count(&growth), 13);
    key_growth_deinit(&growth);
}

static void test_key_growth_waits_for_the_oldest(void **state)
{
    (void)state;
    struct key_growth growth;
    uint64_t number = 0;
    assert_int_equal(key_growth_init(&growth, 1), OK);
    for (uint32_t i = 0; i < KEY_GROWTH_WINDOW; i++) {
        assert_true(key_growth_begin(&growth, &number));
    }
    assert_false(key_growth_begin(&growth, &number));
    assert_int_equal(number, KEY_GROWTH_WINDOW);
    key_growth_end(&growth, 1);
    assert_true(key_growth_begin(&growth, &number));
    assert_int_equal(number, KEY_GROWTH_WINDOW + 1);
    key_growth_deinit(&growth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_growth_counts_what_has_ended_without_gaps),
        cmocka_unit_test(test_key_growth_waits_for_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
