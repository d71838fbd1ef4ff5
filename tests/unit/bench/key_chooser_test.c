/* How often which key is chosen. */
#include "bench/key_chooser.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define DRAWS 200000
#define KEYS  1000

static uint32_t counts[KEYS];

static void draw(enum key_distribution distribution, double theta)
{
    struct key_chooser chooser;
    struct prng prng;
    prng_init(&prng, 7);
    memset(counts, 0, sizeof(counts));
    key_chooser_init(&chooser, distribution, theta);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t key = key_chooser_next(&chooser, &prng, KEYS);
        assert_true(key < KEYS);
        counts[key]++;
    }
}

static uint32_t count_max(void)
{
    uint32_t max = 0;
    for (int i = 0; i < KEYS; i++) {
        max = counts[i] > max ? counts[i] : max;
    }
    return max;
}

static double zeta_of(double theta, uint64_t count)
{
    struct key_chooser chooser;
    key_chooser_init(&chooser, KEYS_ZIPF, theta);
    return key_chooser_zeta(&chooser, count);
}

static void test_key_chooser_sums_zeta_as_ycsb_has_it(void **state)
{
    (void)state;
    /* ScrambledZipfianGenerator.ZETAN, which YCSB computed term by term. */
    assert_true(fabs(zeta_of(0.99, KEY_CHOOSER_RANKS) - 26.46902820178302) < 1e-8);
    double sum = 0;
    for (int i = 1; i <= 5000; i++) {
        sum += pow(i, -0.7);
    }
    assert_true(fabs(zeta_of(0.7, 5000) - sum) < 1e-9);
    assert_true(fabs(zeta_of(0.7, 1) - 1) < 1e-12);
}

static void test_key_chooser_sums_zeta_again_for_another_count(void **state)
{
    (void)state;
    struct key_chooser chooser;
    key_chooser_init(&chooser, KEYS_LATEST, 0.5);
    double ten = key_chooser_zeta(&chooser, 10);
    assert_true(key_chooser_zeta(&chooser, 100000) > ten);
    assert_true(fabs(key_chooser_zeta(&chooser, 10) - ten) < 1e-12);
    assert_true(fabs(key_chooser_zeta(&chooser, 11) - ten - pow(11, -0.5)) < 1e-12);
}

static void test_key_chooser_uniform_prefers_none(void **state)
{
    (void)state;
    draw(KEYS_UNIFORM, 0.99);
    assert_true(count_max() < 2 * DRAWS / KEYS);
}

static void test_key_chooser_zipf_prefers_some_and_scatters_them(void **state)
{
    (void)state;
    draw(KEYS_ZIPF, 0.99);
    /* The most popular rank has 1 / 26.469 of all draws, and other ranks fall on its key, too. */
    double share = (double)count_max() / DRAWS;
    assert_true(share > 0.037 && share < 0.042);
    assert_true(counts[0] < DRAWS / 100);
    draw(KEYS_ZIPF, 0.5);
    assert_true((double)count_max() / DRAWS < 0.01);
}

static void test_key_chooser_latest_prefers_the_newest(void **state)
{
    (void)state;
    draw(KEYS_LATEST, 0.99);
    double share = (double)counts[KEYS - 1] / DRAWS;
    assert_true(fabs(share - 1 / zeta_of(0.99, KEYS)) < 0.01);
    assert_true(counts[KEYS - 1] > counts[KEYS - 2]);
    assert_true(counts[KEYS - 2] > counts[KEYS - 50]);
}

static void test_key_chooser_takes_few_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS_DISTRIBUTION_COUNT; i++) {
        struct key_chooser chooser;
        struct prng prng;
        prng_init(&prng, 3);
        key_chooser_init(&chooser, (enum key_distribution)i, 0.99);
        for (uint64_t count = 1; count < 100; count++) {
            assert_true(key_chooser_next(&chooser, &prng, count) < count);
            assert_true(key_chooser_next(&chooser, &prng, 1 + count % 3) < 1 + count % 3);
        }
    }
    assert_string_equal(key_distribution_name(KEYS_LATEST), "latest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_chooser_sums_zeta_as_ycsb_has_it),
        cmocka_unit_test(test_key_chooser_sums_zeta_again_for_another_count),
        cmocka_unit_test(test_key_chooser_uniform_prefers_none),
        cmocka_unit_test(test_key_chooser_zipf_prefers_some_and_scatters_them),
        cmocka_unit_test(test_key_chooser_latest_prefers_the_newest),
        cmocka_unit_test(test_key_chooser_takes_few_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
