/* Mixes of operations. */
#include "bench/op_mix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_op_mix_reads_parts(void **state)
{
    (void)state;
    struct op_mix mix;
    assert_true(op_mix_parse("get=95,relaxed-set=4,rmw=1", &mix));
    assert_int_equal(mix.total, 100);
    assert_int_equal(mix.parts[LOAD_GET], 95);
    assert_int_equal(mix.parts[LOAD_RELAXED_SET], 4);
    assert_true(op_mix_has(&mix, LOAD_RMW));
    assert_false(op_mix_has(&mix, LOAD_SET));
}

static void test_op_mix_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",      "get",       "get=",   "get=0",  "get=1,", "get=1,set", "get=1,get=2",
        "put=1", "get=1;set", "get=-1", "fill=1", "=1",     "get=1 ",    "get=1000001"};
    struct op_mix mix = {.total = 17};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(op_mix_parse(wrong[i], &mix));
    }
    assert_int_equal(mix.total, 17);
}

static void test_op_mix_knows_ycsb(void **state)
{
    (void)state;
    struct op_mix mix;
    enum key_distribution distribution = KEYS_UNIFORM;
    assert_true(op_mix_workload("ycsb-a", &mix, &distribution));
    assert_int_equal(distribution, KEYS_ZIPF);
    assert_int_equal(mix.parts[LOAD_SET], 50);
    assert_true(op_mix_workload("ycsb-b", &mix, &distribution));
    assert_int_equal(mix.parts[LOAD_SET], 5);
    assert_true(op_mix_workload("ycsb-c", &mix, &distribution));
    assert_int_equal(mix.parts[LOAD_GET], mix.total);
    assert_true(op_mix_workload("ycsb-d", &mix, &distribution));
    assert_int_equal(distribution, KEYS_LATEST);
    assert_int_equal(mix.parts[LOAD_INSERT], 5);
    assert_true(op_mix_workload("ycsb-f", &mix, &distribution));
    assert_int_equal(mix.parts[LOAD_RMW], 50);
    assert_false(op_mix_workload("ycsb-e", &mix, &distribution));
}

static void test_op_mix_draws_by_parts(void **state)
{
    (void)state;
    struct op_mix mix;
    struct prng prng;
    uint32_t counts[LOAD_OP_COUNT] = {0};
    prng_init(&prng, 5);
    assert_true(op_mix_parse("get=3,swap=1", &mix));
    for (int i = 0; i < 40000; i++) {
        counts[op_mix_next(&mix, &prng)]++;
    }
    assert_in_range(counts[LOAD_GET], 29500, 30500);
    assert_int_equal(counts[LOAD_GET] + counts[LOAD_SWAP], 40000);
}

static void test_op_mix_relaxes_gets(void **state)
{
    (void)state;
    struct op_mix mix;
    assert_true(op_mix_parse("get=3,relaxed-get=2,set=1", &mix));
    assert_true(op_mix_has_reads(&mix));
    op_mix_relax(&mix);
    assert_int_equal(mix.parts[LOAD_RELAXED_GET], 5);
    assert_false(op_mix_has(&mix, LOAD_GET));
    assert_true(op_mix_has_reads(&mix));
    assert_int_equal(mix.first, LOAD_RELAXED_GET);
    op_mix_init(&mix, LOAD_SWAP);
    assert_int_equal(op_mix_next(&mix, NULL), LOAD_SWAP); /* nothing to draw */
    assert_false(op_mix_has_reads(&mix));
    assert_int_equal(mix.total, 1);
}

static void test_op_mix_names_ops(void **state)
{
    (void)state;
    enum load_op op = LOAD_SET;
    assert_true(load_op_parse("fill", &op));
    assert_int_equal(op, LOAD_FILL);
    assert_false(load_op_parse("fil", &op));
    assert_string_equal(load_op_name(LOAD_SWAP), "swap");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op_mix_reads_parts),  cmocka_unit_test(test_op_mix_refuses),
        cmocka_unit_test(test_op_mix_knows_ycsb),   cmocka_unit_test(test_op_mix_draws_by_parts),
        cmocka_unit_test(test_op_mix_relaxes_gets), cmocka_unit_test(test_op_mix_names_ops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
