/* The faults of the switch: what is drawn, on which pairs, and that a seed repeats it. */
#include "tools/switch/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define PORTS 6

static struct fault_table table;

static int setup(void **state)
{
    (void)state;
    fault_init(&table, PORTS, 7);
    return 0;
}

static void test_fault_leaves_a_perfect_wire_alone(void **state)
{
    (void)state;
    struct fault_verdict verdict = fault_decide(&table, 1, 2, 60);
    assert_true(fault_is_clean(&table, 1, 2));
    assert_false(verdict.is_cut || verdict.is_lost || verdict.is_duplicated ||
                 verdict.is_corrupted || verdict.is_reordered);
    assert_int_equal(verdict.delay_ns, 0);
}

static void test_fault_loses_the_share_asked_for(void **state)
{
    (void)state;
    struct fault_link link = {.loss_ppm = 250000};
    uint32_t lost = 0;
    fault_set(&table, FAULT_LOSS, 1U << 1, 1U << 2, &link);
    for (int i = 0; i < 100000; i++) {
        lost += fault_decide(&table, 1, 2, 60).is_lost;
    }
    assert_in_range(lost, 24000, 26000);
    assert_true(fault_is_clean(&table, 2, 1));
    link.loss_ppm = FAULT_PPM_MAX;
    fault_set(&table, FAULT_LOSS, 1U << 1, 1U << 2, &link);
    assert_true(fault_decide(&table, 1, 2, 60).is_lost);
}

static void test_fault_repeats_with_its_seed(void **state)
{
    (void)state;
    static struct fault_table twin;
    struct fault_link link = {.loss_ppm = 100000,
                              .duplicate_ppm = 100000,
                              .corrupt_ppm = 100000,
                              .reorder_ppm = 100000,
                              .reorder_ns = 5,
                              .delay_ns = 1000,
                              .jitter_ns = 1000};
    fault_init(&twin, PORTS, 7);
    for (int kind = FAULT_LOSS; kind <= FAULT_DELAY; kind++) {
        fault_set(&table, (enum fault_kind)kind, UINT32_MAX, UINT32_MAX, &link);
        fault_set(&twin, (enum fault_kind)kind, UINT32_MAX, UINT32_MAX, &link);
    }
    for (int i = 0; i < 1000; i++) {
        struct fault_verdict a = fault_decide(&table, 3, 4, 100);
        struct fault_verdict b = fault_decide(&twin, 3, 4, 100);
        assert_int_equal(a.is_lost, b.is_lost);
        assert_int_equal(a.is_duplicated, b.is_duplicated);
        assert_int_equal(a.corrupt_offset, b.corrupt_offset);
        assert_int_equal(a.delay_ns, b.delay_ns);
    }
}

static void test_fault_corrupts_within_the_frame(void **state)
{
    (void)state;
    struct fault_link link = {.corrupt_ppm = FAULT_PPM_MAX};
    fault_set(&table, FAULT_CORRUPT, 1U << 1, 1U << 2, &link);
    for (int i = 0; i < 1000; i++) {
        struct fault_verdict verdict = fault_decide(&table, 1, 2, 3);
        assert_true(verdict.is_corrupted);
        assert_in_range(verdict.corrupt_offset, 0, 2);
        assert_int_not_equal(verdict.corrupt_mask, 0);
    }
}

static void test_fault_delays_with_jitter_and_holds_back(void **state)
{
    (void)state;
    struct fault_link link = {.delay_ns = 1000, .jitter_ns = 500};
    struct fault_link reorder = {.reorder_ppm = FAULT_PPM_MAX, .reorder_ns = 10000};
    fault_set(&table, FAULT_DELAY, 1U << 1, 1U << 2, &link);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(fault_decide(&table, 1, 2, 60).delay_ns, 1000, 1500);
    }
    fault_set(&table, FAULT_REORDER, 1U << 1, 1U << 2, &reorder);
    struct fault_verdict verdict = fault_decide(&table, 1, 2, 60);
    assert_true(verdict.is_reordered);
    assert_in_range(verdict.delay_ns, 11000, 11500);
}

static void test_fault_duplicates(void **state)
{
    (void)state;
    struct fault_link link = {.duplicate_ppm = FAULT_PPM_MAX, .delay_ns = 7};
    fault_set(&table, FAULT_DUPLICATE, 1U << 1, 1U << 2, &link);
    assert_true(fault_decide(&table, 1, 2, 60).is_duplicated);
    assert_int_equal(fault_decide(&table, 1, 2, 60).delay_ns, 0);
}

static void test_fault_cuts_one_way(void **state)
{
    (void)state;
    struct fault_link cut = {.is_cut = true};
    fault_set(&table, FAULT_CUT, 1U << 1, 1U << 2, &cut);
    assert_true(fault_decide(&table, 1, 2, 60).is_cut);
    assert_true(fault_is_clean(&table, 2, 1));
    assert_true(fault_is_clean(&table, 1, 1));
}

static void test_fault_partition_replaces_cuts_and_spares_others(void **state)
{
    (void)state;
    const uint32_t groups[2] = {1U << 1 | 1U << 2, 1U << 3 | 1U << 4};
    struct fault_link cut = {.is_cut = true};
    fault_set(&table, FAULT_CUT, 1U << 1, 1U << 2, &cut);
    fault_partition(&table, groups, 2);
    assert_true(fault_is_clean(&table, 1, 2));
    assert_true(fault_decide(&table, 1, 3, 60).is_cut);
    assert_true(fault_decide(&table, 4, 2, 60).is_cut);
    assert_true(fault_is_clean(&table, 0, 3));
    assert_true(fault_is_clean(&table, 5, 1));
}

static void test_fault_heals_a_pair_or_all(void **state)
{
    (void)state;
    struct fault_link link = {.loss_ppm = 1};
    fault_set(&table, FAULT_LOSS, UINT32_MAX, UINT32_MAX, &link);
    fault_heal(&table, 1U << 1, 1U << 2);
    assert_true(fault_is_clean(&table, 1, 2));
    assert_false(fault_is_clean(&table, 2, 1));
    fault_heal(&table, UINT32_MAX, UINT32_MAX);
    assert_true(fault_is_clean(&table, 2, 1));
}

static void test_fault_describes_what_is_faulty(void **state)
{
    (void)state;
    char text[512];
    struct fault_link link = {.loss_ppm = 1234};
    assert_int_equal(fault_describe(&table, text, sizeof(text)), 0);
    fault_set(&table, FAULT_LOSS, 1U << 1, 1U << 2, &link);
    size_t size_bytes = fault_describe(&table, text, sizeof(text));
    assert_int_equal(size_bytes, strlen(text));
    assert_non_null(strstr(text, "link 1 2 cut 0 loss_ppm 1234 "));
    fault_set(&table, FAULT_LOSS, UINT32_MAX, UINT32_MAX, &link);
    assert_int_equal(fault_describe(&table, text, sizeof(text)), sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fault_leaves_a_perfect_wire_alone, setup),
        cmocka_unit_test_setup(test_fault_loses_the_share_asked_for, setup),
        cmocka_unit_test_setup(test_fault_repeats_with_its_seed, setup),
        cmocka_unit_test_setup(test_fault_corrupts_within_the_frame, setup),
        cmocka_unit_test_setup(test_fault_delays_with_jitter_and_holds_back, setup),
        cmocka_unit_test_setup(test_fault_duplicates, setup),
        cmocka_unit_test_setup(test_fault_cuts_one_way, setup),
        cmocka_unit_test_setup(test_fault_partition_replaces_cuts_and_spares_others, setup),
        cmocka_unit_test_setup(test_fault_heals_a_pair_or_all, setup),
        cmocka_unit_test_setup(test_fault_describes_what_is_faulty, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
