/* The seeded generator: a fixed sequence for a fixed seed, and draws that keep their bounds. */
#include "base/prng.h"
#include "tests/unit/base/abort_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_prng_matches_the_published_algorithm(void **state)
{
    (void)state;
    /* State 1, 2, 3, 4: xoshiro256** by hand: rotl(2 * 5, 7) * 9, then rotl(0, 7) * 9. */
    struct prng prng = {.state = {1, 2, 3, 4}};
    assert_int_equal(prng_next(&prng), 11520);
    assert_int_equal(prng_next(&prng), 0);
    assert_int_equal(prng_next(&prng), 1509978240);
    /* splitmix64 of seed 0 begins with this value in its author's reference. */
    prng_init(&prng, 0);
    assert_true(prng.state[0] == 0xE220A8397B1DCDAFu);
}

static void test_prng_repeats_for_an_equal_seed(void **state)
{
    (void)state;
    struct prng a;
    struct prng b;
    struct prng other;
    prng_init(&a, 42);
    prng_init(&b, 42);
    prng_init(&other, 43);
    int equal_to_other_count = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = prng_next(&a);
        assert_true(value == prng_next(&b));
        equal_to_other_count += value == prng_next(&other);
    }
    assert_int_equal(equal_to_other_count, 0);
}

static void test_prng_range_keeps_its_bounds_and_reaches_both(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t value = prng_range(&prng, 10, 15);
        assert_in_range(value, 10, 15);
        counts[value - 10]++;
    }
    for (size_t i = 0; i < 6; i++)
        assert_in_range(counts[i], 9000, 11000); /* ten standard deviations around 10,000 */
}

static void test_prng_range_accepts_one_value_and_all_values(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 8);
    assert_true(prng_range(&prng, 5, 5) == 5);
    assert_true(prng_range(&prng, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    uint64_t seen_bits = 0;
    for (int i = 0; i < 1000; i++)
        seen_bits |= prng_range(&prng, 0, UINT64_MAX);
    assert_true(seen_bits == UINT64_MAX);
}

static void test_prng_chance_is_never_always_and_between(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 9);
    int quarter_count = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(prng_chance(&prng, 0));
        assert_true(prng_chance(&prng, 1000000));
        quarter_count += prng_chance(&prng, 250000);
    }
    assert_in_range(quarter_count, 2200, 2800);
}

static void range_upside_down(void *context)
{
    (void)prng_range(context, 2, 1);
}

static void chance_above_certainty(void *context)
{
    (void)prng_chance(context, 1000001);
}

static void test_prng_aborts_on_bad_arguments(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 1);
    assert_true(does_abort(range_upside_down, &prng));
    assert_true(does_abort(chance_above_certainty, &prng));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prng_matches_the_published_algorithm),
        cmocka_unit_test(test_prng_repeats_for_an_equal_seed),
        cmocka_unit_test(test_prng_range_keeps_its_bounds_and_reaches_both),
        cmocka_unit_test(test_prng_range_accepts_one_value_and_all_values),
        cmocka_unit_test(test_prng_chance_is_never_always_and_between),
        cmocka_unit_test(test_prng_aborts_on_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
