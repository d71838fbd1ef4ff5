/* The linearizability checker on histories whose verdict is known, and against a brute-force
 * search. */
#include "tests/checker/linearize.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STEPS_MAX 1000000

static struct lin_op get(uint64_t call, uint64_t end, uint64_t value)
{
    return (struct lin_op){.type = LIN_GET, .call_ns = call, .return_ns = end, .value = value};
}

static struct lin_op set(uint64_t call, uint64_t end, uint64_t value)
{
    return (struct lin_op){.type = LIN_SET, .call_ns = call, .return_ns = end, .value = value};
}

static struct lin_op maybe_set(uint64_t call, uint64_t value)
{
    return (struct lin_op){.type = LIN_SET,
                           .outcome = LIN_MAYBE,
                           .call_ns = call,
                           .return_ns = LIN_OPEN,
                           .value = value};
}

static struct lin_op swap(uint64_t call, uint64_t end, uint64_t old, uint64_t value)
{
    return (struct lin_op){
        .type = LIN_SWAP, .call_ns = call, .return_ns = end, .old = old, .value = value};
}

static struct lin_op maybe_swap(uint64_t call, uint64_t old, uint64_t value)
{
    struct lin_op op = swap(call, LIN_OPEN, old, value);
    op.outcome = LIN_MAYBE;
    return op;
}

static struct lin_op mismatch(uint64_t call, uint64_t end, uint64_t old, uint64_t seen)
{
    struct lin_op op = swap(call, end, old, 999);
    op.outcome = LIN_MISMATCH;
    op.seen = seen;
    return op;
}

static enum lin_verdict verdict_of(const struct lin_op *ops, uint32_t count)
{
    struct lin_report report;
    lin_check(ops, count, STEPS_MAX, &report);
    return report.verdict;
}

#define VERDICT(...)                                                                               \
    verdict_of((const struct lin_op[]){__VA_ARGS__},                                               \
               sizeof((const struct lin_op[]){__VA_ARGS__}) / sizeof(struct lin_op))

static void test_linearize_accepts_an_empty_history(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(NULL, 0), LIN_LINEARIZABLE);
}

static void test_linearize_accepts_sequential_operations(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(get(1, 2, LIN_ABSENT), set(3, 4, 7), get(5, 6, 7), swap(7, 8, 7, 8),
                             mismatch(9, 10, 7, 8), set(11, 12, LIN_ABSENT),
                             get(13, 14, LIN_ABSENT), swap(15, 16, LIN_ABSENT, 9), get(17, 18, 9)),
                     LIN_LINEARIZABLE);
}

static void test_linearize_accepts_concurrent_writes_in_either_order(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 10, 1), set(2, 9, 2), get(11, 12, 1)), LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(set(1, 10, 1), set(2, 9, 2), get(11, 12, 2)), LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(set(1, 10, 1), get(2, 3, 1), get(4, 5, 1)), LIN_LINEARIZABLE);
}

static void test_linearize_rejects_a_stale_read(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), set(3, 4, 2), get(5, 6, 1)), LIN_VIOLATION);
    assert_int_equal(VERDICT(set(1, 2, 1), get(3, 4, LIN_ABSENT)), LIN_VIOLATION);
}

static void test_linearize_rejects_a_read_that_goes_back(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), set(3, 20, 2), get(5, 6, 2), get(7, 8, 1)),
                     LIN_VIOLATION);
}

static void test_linearize_rejects_a_lost_write(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), swap(3, 4, 1, 2), get(5, 6, 1)), LIN_VIOLATION);
}

static void test_linearize_rejects_two_winners_of_one_swap(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), swap(3, 10, 1, 2), swap(4, 9, 1, 3)), LIN_VIOLATION);
    assert_int_equal(VERDICT(set(1, 2, 1), swap(3, 10, 1, 2), mismatch(4, 9, 1, 2)),
                     LIN_LINEARIZABLE);
}

static void test_linearize_rejects_a_mismatch_that_lied(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), mismatch(3, 4, 1, 1)), LIN_VIOLATION);
    assert_int_equal(VERDICT(set(1, 2, 1), mismatch(3, 4, 5, LIN_ABSENT)), LIN_VIOLATION);
}

static void test_linearize_lets_a_mismatch_keep_what_it_saw_to_itself(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), mismatch(3, 4, 5, LIN_ANY)), LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(set(1, 2, 1), mismatch(3, 4, 1, LIN_ANY)), LIN_VIOLATION);
}

static void test_linearize_rejects_a_value_applied_twice(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), set(3, 4, 2), get(5, 6, 2), get(7, 8, 1)),
                     LIN_VIOLATION);
}

static void test_linearize_calls_a_value_nobody_wrote_a_phantom(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(set(1, 2, 1), get(3, 4, 5)), LIN_PHANTOM);
    assert_int_equal(VERDICT(get(3, 4, 5), set(5, 6, 5)), LIN_PHANTOM);
}

static void test_linearize_lets_an_unknown_write_happen_late_or_never(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(maybe_set(1, 1), set(2, 3, 2), get(4, 5, 2), get(6, 7, 1)),
                     LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(maybe_set(1, 1), set(2, 3, 2), get(4, 5, 2)), LIN_LINEARIZABLE);
    assert_int_equal(
        VERDICT(set(1, 2, 2), maybe_set(3, LIN_ABSENT), get(4, 5, 2), get(6, 7, LIN_ABSENT)),
        LIN_LINEARIZABLE);
}

static void test_linearize_lets_an_unknown_write_happen_only_once(void **state)
{
    (void)state;
    assert_int_equal(VERDICT(maybe_set(1, 1), get(4, 5, 1), set(6, 7, 2), get(8, 9, 1)),
                     LIN_VIOLATION);
    assert_int_equal(VERDICT(set(1, 2, 2), maybe_set(3, LIN_ABSENT), get(6, 7, LIN_ABSENT),
                             set(8, 9, 3), get(10, 11, LIN_ABSENT)),
                     LIN_VIOLATION);
}

static void test_linearize_follows_chains_of_unknown_swaps(void **state)
{
    (void)state;
    assert_int_equal(
        VERDICT(maybe_set(1, 1), maybe_swap(2, 1, 2), maybe_swap(3, 2, 3), get(10, 11, 3)),
        LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(maybe_swap(2, 1, 2), get(10, 11, 2)), LIN_PHANTOM);
    assert_int_equal(
        VERDICT(maybe_set(1, 1), maybe_swap(2, 1, LIN_ABSENT), get(10, 11, LIN_ABSENT)),
        LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(set(1, 2, 5), maybe_set(3, 1), maybe_swap(4, 1, LIN_ABSENT),
                             get(10, 11, LIN_ABSENT)),
                     LIN_LINEARIZABLE);
    assert_int_equal(VERDICT(set(1, 2, 5), maybe_swap(4, 1, LIN_ABSENT), get(10, 11, LIN_ABSENT)),
                     LIN_VIOLATION);
}

static void test_linearize_names_the_operation_that_does_not_fit(void **state)
{
    (void)state;
    const struct lin_op ops[] = {set(1, 2, 1), set(3, 4, 2), get(5, 6, 1), get(7, 8, 2)};
    struct lin_report report;
    lin_check(ops, 4, STEPS_MAX, &report);
    assert_int_equal(report.verdict, LIN_VIOLATION);
    assert_int_equal(report.suspect, 1); /* the second set comes too early for the third's answer */
    assert_int_equal(report.placed, 1);
}

static void test_linearize_says_when_it_gave_up(void **state)
{
    (void)state;
    const struct lin_op ops[] = {set(1, 2, 1), set(3, 4, 2), get(5, 6, 2)};
    struct lin_report report;
    lin_check(ops, 3, 2, &report);
    assert_int_equal(report.verdict, LIN_GAVE_UP);
}

/* A hundred concurrent sets that nobody read, then one order observed: instant only with memory. */
static void test_linearize_is_fast_on_wide_histories(void **state)
{
    (void)state;
    struct lin_op ops[400];
    uint32_t count = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        ops[count++] = set(i, 1000 + i, i);
        ops[count++] = maybe_set(i, 1000 + i);
        ops[count++] = get(2000 + 2 * i, 2001 + 2 * i, 100);
    }
    struct lin_report report;
    lin_check(ops, count, STEPS_MAX, &report);
    assert_int_equal(report.verdict, LIN_LINEARIZABLE);
    assert_true(report.steps < 100000);
}

/* ---- against brute force ---- */

#define SMALL_MAX 7

static bool step_of(const struct lin_op *op, uint64_t state, uint64_t *ret_state)
{
    *ret_state = op->type == LIN_GET || op->outcome == LIN_MISMATCH ? state : op->value;
    if (op->type == LIN_GET)
        return op->value == state;
    if (op->type == LIN_SWAP && op->outcome == LIN_MISMATCH)
        return op->seen == state && op->old != state;
    return op->type == LIN_SET || op->old == state;
}

/* Tries one order given as digits; operations behind `used` places did not happen. */
static bool order_fits(const struct lin_op *ops, uint32_t count, const uint32_t *order,
                       uint32_t used)
{
    uint64_t now = 0;
    uint64_t state = LIN_ABSENT;
    bool is_placed[SMALL_MAX] = {false};
    for (uint32_t i = 0; i < used; i++) {
        const struct lin_op *op = &ops[order[i]];
        now = op->call_ns > now ? op->call_ns : now;
        if (op->return_ns < now || !step_of(op, state, &state))
            return false;
        is_placed[order[i]] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_placed[i] && ops[i].outcome != LIN_MAYBE)
            return false;
    }
    return true;
}

static bool next_permutation(uint32_t *order, uint32_t count)
{
    uint32_t i = count - 1;
    while (i > 0 && order[i - 1] >= order[i])
        i--;
    if (i == 0)
        return false;
    uint32_t j = count - 1;
    while (order[j] <= order[i - 1])
        j--;
    uint32_t kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
    for (uint32_t low = i, high = count - 1; low < high; low++, high--) {
        kept = order[low];
        order[low] = order[high];
        order[high] = kept;
    }
    return true;
}

static bool brute_force(const struct lin_op *ops, uint32_t count)
{
    uint32_t order[SMALL_MAX];
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    do {
        for (uint32_t used = 0; used <= count; used++) {
            if (order_fits(ops, count, order, used))
                return true;
        }
    } while (next_permutation(order, count));
    return false;
}

static struct lin_op random_op(struct prng *prng, uint64_t unique)
{
    uint64_t call = prng_range(prng, 1, 20);
    struct lin_op op = {.type = (enum lin_type)prng_range(prng, 0, 2),
                        .call_ns = call,
                        .return_ns = call + prng_range(prng, 0, 8),
                        .value = prng_range(prng, 0, 4),
                        .old = prng_range(prng, 0, 4),
                        .seen = prng_range(prng, 0, 4)};
    if (op.type != LIN_GET) {
        op.value = prng_chance(prng, 300000) ? LIN_ABSENT : unique;
        op.outcome = prng_chance(prng, 350000) ? LIN_MAYBE : LIN_OK;
    }
    if (op.type == LIN_SWAP && op.outcome == LIN_OK && prng_chance(prng, 300000))
        op.outcome = LIN_MISMATCH;
    if (op.outcome == LIN_MAYBE)
        op.return_ns = LIN_OPEN;
    return op;
}

static void test_linearize_agrees_with_brute_force(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 20);
    uint32_t good = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        struct lin_op ops[SMALL_MAX];
        uint32_t count = (uint32_t)prng_range(&prng, 1, round % 20 == 0 ? 6 : 5);
        for (uint32_t i = 0; i < count; i++)
            ops[i] = random_op(&prng, i % 4 + 1 + (i / 4) * 10);
        bool is_good = brute_force(ops, count);
        good += is_good;
        assert_int_equal(verdict_of(ops, count) == LIN_LINEARIZABLE, is_good);
    }
    assert_true(good > 300 && good < 5700); /* both verdicts must have been met often */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linearize_accepts_an_empty_history),
        cmocka_unit_test(test_linearize_accepts_sequential_operations),
        cmocka_unit_test(test_linearize_accepts_concurrent_writes_in_either_order),
        cmocka_unit_test(test_linearize_rejects_a_stale_read),
        cmocka_unit_test(test_linearize_rejects_a_read_that_goes_back),
        cmocka_unit_test(test_linearize_rejects_a_lost_write),
        cmocka_unit_test(test_linearize_rejects_two_winners_of_one_swap),
        cmocka_unit_test(test_linearize_rejects_a_mismatch_that_lied),
        cmocka_unit_test(test_linearize_lets_a_mismatch_keep_what_it_saw_to_itself),
        cmocka_unit_test(test_linearize_rejects_a_value_applied_twice),
        cmocka_unit_test(test_linearize_calls_a_value_nobody_wrote_a_phantom),
        cmocka_unit_test(test_linearize_lets_an_unknown_write_happen_late_or_never),
        cmocka_unit_test(test_linearize_lets_an_unknown_write_happen_only_once),
        cmocka_unit_test(test_linearize_follows_chains_of_unknown_swaps),
        cmocka_unit_test(test_linearize_names_the_operation_that_does_not_fit),
        cmocka_unit_test(test_linearize_says_when_it_gave_up),
        cmocka_unit_test(test_linearize_is_fast_on_wide_histories),
        cmocka_unit_test(test_linearize_agrees_with_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
