/* What counts, in which second, and as which kind. */
#include "bench/load_result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static void end(struct load_result *result, enum load_op op, uint64_t due_ns, uint64_t now_ns,
                enum plx_outcome outcome)
{
    const struct plx_response response = {.outcome = outcome};
    load_result_offer(result, due_ns);
    load_result_end(result, op, due_ns, now_ns, &response);
}

static void begin(struct load_result *result)
{
    assert_int_equal(load_result_init(result, 2), OK);
    result->begin_ns = 10 * SECOND;
    result->end_ns = 12 * SECOND;
    result->elapsed_ns = 2 * SECOND;
}

static void test_load_result_counts_what_was_due_in_time(void **state)
{
    (void)state;
    struct load_result result;
    begin(&result);
    end(&result, LOAD_SET, 10 * SECOND - 1, 10 * SECOND, PLX_OK); /* before */
    end(&result, LOAD_SET, 10 * SECOND, 10 * SECOND + 5000, PLX_OK);
    end(&result, LOAD_GET, 11 * SECOND - 1, 11 * SECOND, PLX_OK); /* ends in the next second */
    end(&result, LOAD_GET, 12 * SECOND - 1, 12 * SECOND, PLX_OK); /* ends too late */
    end(&result, LOAD_GET, 12 * SECOND, 12 * SECOND, PLX_OK);     /* behind */
    assert_int_equal(result.offered, 3);
    assert_int_equal(result.finished, 2);
    assert_int_equal(result.own_second, 1);
    assert_int_equal(result.seconds[0].offered, 2);
    assert_int_equal(result.seconds[0].finished, 1);
    assert_int_equal(result.seconds[1].finished, 1);
    assert_int_equal(result.seconds[0].latencies.total, 2);
    assert_int_equal(result.seconds[0].latencies.max, 5000);
    assert_int_equal(result.kinds[LOAD_SET].finished, 1);
    assert_int_equal(result.kinds[LOAD_GET].finished, 1);
    assert_int_equal(result.kinds[LOAD_GET].latencies.total, 2);
    assert_true(load_result_per_second(&result) == 1.0);
    load_result_deinit(&result);
}

static void test_load_result_counts_errors(void **state)
{
    (void)state;
    struct load_result result;
    begin(&result);
    end(&result, LOAD_SET, 10 * SECOND, 10 * SECOND, PLX_OK);
    assert_true(load_result_is_good(&result));
    end(&result, LOAD_SET, 10 * SECOND, 10 * SECOND, PLX_TIMEOUT);
    assert_int_equal(result.outcomes[PLX_TIMEOUT], 1);
    assert_int_equal(result.kinds[LOAD_SET].errors, 1);
    assert_false(load_result_is_good(&result));
    result.unfinished = 2;
    assert_int_equal(load_result_errors(&result), 3);
    load_result_deinit(&result);
}

static void test_load_result_is_not_good_when_a_key_is_lost(void **state)
{
    (void)state;
    struct load_result result;
    begin(&result);
    assert_false(load_result_is_good(&result)); /* nothing finished */
    end(&result, LOAD_SET, 10 * SECOND, 10 * SECOND, PLX_OK);
    result.verdict.lost = 1;
    assert_false(load_result_is_good(&result));
    load_result_deinit(&result);
}

static void test_load_result_counts_a_missed_key_as_finished(void **state)
{
    (void)state;
    struct load_result result;
    begin(&result);
    load_result_end_missed(&result, 10 * SECOND, 10 * SECOND + 7);
    load_result_end_missed(&result, 12 * SECOND, 12 * SECOND + 7);
    assert_int_equal(result.missed, 1);
    assert_int_equal(result.finished, 1);
    assert_int_equal(result.kinds[LOAD_RELAXED_GET].finished, 1);
    assert_int_equal(load_result_errors(&result), 0);
    load_result_deinit(&result);
}

static void test_load_result_adds_up(void **state)
{
    (void)state;
    struct load_result result;
    struct load_result part;
    begin(&result);
    begin(&part);
    end(&part, LOAD_SET, 10 * SECOND, 10 * SECOND + 50, PLX_OK);
    end(&part, LOAD_GET, 11 * SECOND, 11 * SECOND + 20, PLX_OK);
    part.verdict.checked = 4;
    load_result_add(&result, &part);
    load_result_add(&result, &part);
    assert_int_equal(result.finished, 4);
    assert_int_equal(result.latencies.total, 4);
    assert_int_equal(result.latencies.max, 50);
    assert_int_equal(result.seconds[1].latencies.total, 2);
    assert_int_equal(result.kinds[LOAD_GET].finished, 2);
    assert_int_equal(result.verdict.checked, 8);
    load_result_deinit(&part);
    load_result_deinit(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_result_counts_what_was_due_in_time),
        cmocka_unit_test(test_load_result_counts_errors),
        cmocka_unit_test(test_load_result_is_not_good_when_a_key_is_lost),
        cmocka_unit_test(test_load_result_counts_a_missed_key_as_finished),
        cmocka_unit_test(test_load_result_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
