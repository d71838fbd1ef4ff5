/* The judge is content with a good history and finds the one bad answer in each bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chaos/judge.h"

#include <string.h>

#define OPS_MAX 8

struct trial {
    struct history_op ops[OPS_MAX];
    uint32_t count;
};

/* One after another, a microsecond each. */
static struct history_op *add(struct trial *trial, enum history_type type,
                              enum history_outcome outcome)
{
    struct history_op *op = &trial->ops[trial->count];
    op->type = type;
    op->outcome = outcome;
    op->invoke_ns = 1000 + 1000 * (uint64_t)trial->count;
    op->return_ns = op->invoke_ns + 500;
    if (type == HISTORY_SET || type == HISTORY_SWAP)
        op->value = (uint64_t)trial->count + 1;
    trial->count++;
    return op;
}

static void add_get(struct trial *trial, enum history_type type, uint64_t seen, uint64_t version)
{
    struct history_op *op = add(trial, type, HISTORY_OK);
    op->seen = seen;
    op->version = version;
}

static struct judge judge_trial(const struct trial *trial)
{
    struct judge judge;
    struct history history = {.ops = (struct history_op *)trial->ops, .count = trial->count};
    judge_history(&history, 2, &judge);
    return judge;
}

/* Exactly this rule is broken, and the breach is told. */
static void assert_broken(const struct trial *trial, enum judge_rule rule)
{
    struct judge judge = judge_trial(trial);
    assert_false(judge_is_content(&judge));
    assert_true(judge.broken_counts[rule] > 0);
    assert_true(strlen(judge.texts[rule]) > 0);
}

/* Set 1, swap it for 2, read 2; a swap that lost saw it, too. */
static struct trial good(void)
{
    struct trial trial = {.count = 0};
    add(&trial, HISTORY_SET, HISTORY_OK);
    add(&trial, HISTORY_SWAP, HISTORY_OK)->old = 1;
    add_get(&trial, HISTORY_GET, 2, 7);
    struct history_op *lost = add(&trial, HISTORY_SWAP, HISTORY_MISMATCH);
    lost->old = 1;
    lost->seen = 2;
    add_get(&trial, HISTORY_RELAXED_GET, 2, 7);
    return trial;
}

static void test_judge_is_content_with_a_good_history(void **state)
{
    (void)state;
    struct trial trial = good();
    struct judge judge = judge_trial(&trial);
    assert_true(judge_is_content(&judge));
    assert_true(judge.checked_counts[JUDGE_linearizable] == 1);
    assert_true(judge.checked_counts[JUDGE_written] == 4);
}

static void test_judge_is_not_content_with_nothing(void **state)
{
    (void)state;
    struct trial trial = {.count = 0};
    struct judge judge = judge_trial(&trial);
    assert_false(judge_is_content(&judge));
}

static void test_judge_finds_a_stale_read(void **state)
{
    (void)state;
    struct trial trial = good();
    add_get(&trial, HISTORY_GET, 1, 5);
    assert_broken(&trial, JUDGE_linearizable);
}

static void test_judge_finds_a_timeout_that_shows(void **state)
{
    (void)state;
    static const enum history_outcome definite[] = {HISTORY_TIMEOUT, HISTORY_REFUSED};
    for (uint32_t i = 0; i < 2; i++) {
        struct trial trial = good();
        add(&trial, HISTORY_SET, definite[i]);
        add_get(&trial, HISTORY_RELAXED_GET, trial.count, 9);
        assert_broken(&trial, JUDGE_definite);
    }
    struct trial trial = good();
    add_get(&trial, HISTORY_RELAXED_GET, 4, 9); /* of the swap that lost */
    assert_broken(&trial, JUDGE_definite);
}

static void test_judge_finds_values_of_nobody_and_of_other_keys(void **state)
{
    (void)state;
    struct trial trial = good();
    add_get(&trial, HISTORY_RELAXED_GET, 100, 9);
    assert_broken(&trial, JUDGE_written);
    trial = good();
    add_get(&trial, HISTORY_RELAXED_GET, 2, 7);
    trial.ops[trial.count - 1].key = 1;
    assert_broken(&trial, JUDGE_written);
    trial = good();
    trial.ops[4].seen = 6; /* written only after it was seen */
    add(&trial, HISTORY_SET, HISTORY_OK);
    assert_broken(&trial, JUDGE_written);
}

static void test_judge_finds_a_write_that_took_effect_twice(void **state)
{
    (void)state;
    struct trial trial = good();
    add_get(&trial, HISTORY_RELAXED_GET, 2, 8);
    assert_broken(&trial, JUDGE_once);
    trial = good(); /* its client was told of one version, the readers saw another */
    trial.ops[1].version = 6;
    assert_broken(&trial, JUDGE_once);
}

static void test_judge_finds_what_has_not_ended(void **state)
{
    (void)state;
    static const enum history_outcome open[] = {HISTORY_PENDING, HISTORY_UNKNOWN};
    for (uint32_t i = 0; i < 2; i++) {
        struct trial trial = good();
        add(&trial, HISTORY_SET, open[i])->return_ns = UINT64_MAX;
        assert_broken(&trial, JUDGE_ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge_is_content_with_a_good_history),
        cmocka_unit_test(test_judge_is_not_content_with_nothing),
        cmocka_unit_test(test_judge_finds_a_stale_read),
        cmocka_unit_test(test_judge_finds_a_timeout_that_shows),
        cmocka_unit_test(test_judge_finds_values_of_nobody_and_of_other_keys),
        cmocka_unit_test(test_judge_finds_a_write_that_took_effect_twice),
        cmocka_unit_test(test_judge_finds_what_has_not_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
