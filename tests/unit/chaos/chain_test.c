/* A good line of swaps passes; each way in which an answer can be untrue is found by its rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/chaos/chain.h"

#include <string.h>

#define OPS_MAX 16

/* What clients were told, and the truth in the places where that was unknown. */
struct trial {
    struct history_op told[OPS_MAX];
    struct history_op resolved[OPS_MAX];
    uint32_t count;
};

static struct history_op *add(struct trial *trial, enum history_type type)
{
    struct history_op *op = &trial->told[trial->count++];
    op->type = type;
    op->invoke_ns = 1000 * (uint64_t)trial->count;
    op->return_ns = op->invoke_ns + 500;
    return op;
}

/* Writes the value that is named after it; returns that. */
static uint64_t add_swap(struct trial *trial, uint64_t old, enum history_outcome told,
                         enum history_outcome truth)
{
    struct history_op *op = add(trial, HISTORY_SWAP);
    op->old = old;
    op->value = trial->count;
    op->outcome = told;
    op->version = truth == HISTORY_OK ? 10 * trial->count : 0;
    if (told == HISTORY_MISMATCH)
        op->seen = HISTORY_UNSEEN;
    trial->resolved[trial->count - 1].outcome = truth;
    return trial->count;
}

static void add_get(struct trial *trial, enum history_type type, uint64_t seen)
{
    struct history_op *op = add(trial, type);
    op->outcome = seen == HISTORY_ABSENT ? HISTORY_NOT_FOUND : HISTORY_OK;
    op->seen = seen;
    trial->resolved[trial->count - 1].outcome = op->outcome;
}

static struct chain_report check(struct trial *trial)
{
    struct chain_report report;
    for (uint32_t i = 0; i < trial->count; i++) {
        enum history_outcome truth = trial->resolved[i].outcome;
        trial->resolved[i] = trial->told[i];
        trial->resolved[i].outcome = truth;
    }
    struct history told = {.ops = trial->told, .count = trial->count};
    struct history resolved = {.ops = trial->resolved, .count = trial->count};
    chain_check(&told, &resolved, 2, &report);
    return report;
}

static void assert_broken(struct trial *trial, enum chain_rule rule)
{
    struct chain_report report = check(trial);
    assert_true(report.broken_counts[rule] > 0);
    assert_true(strlen(report.texts[rule]) > 0);
}

static void assert_good(struct trial *trial)
{
    struct chain_report report = check(trial);
    for (uint32_t rule = 0; rule < CHAIN_RULES; rule++)
        assert_int_equal(report.broken_counts[rule], 0);
}

/* 1 created, 2 in its place, a timeout, 4 known later, a mismatch, 6 never; 4 is read. */
static struct trial good(void)
{
    struct trial trial = {.count = 0};
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 1, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 2, HISTORY_TIMEOUT, HISTORY_TIMEOUT);
    add_swap(&trial, 2, HISTORY_UNKNOWN, HISTORY_OK);
    add_swap(&trial, 1, HISTORY_MISMATCH, HISTORY_MISMATCH);
    add_swap(&trial, 4, HISTORY_UNKNOWN, HISTORY_TIMEOUT);
    return trial;
}

static void test_chain_is_content_with_a_good_line(void **state)
{
    (void)state;
    struct trial trial = good();
    add_get(&trial, HISTORY_GET, 4);
    struct chain_report report = check(&trial);
    static const uint64_t checked[CHAIN_RULES] = {3, 1, 3, 2, 2};
    for (uint32_t rule = 0; rule < CHAIN_RULES; rule++) {
        assert_int_equal(report.broken_counts[rule], 0);
        assert_int_equal(report.checked_counts[rule], checked[rule]);
    }
    assert_int_equal(report.shown_counts[HISTORY_OK], 2);
    assert_int_equal(report.shown_counts[HISTORY_UNKNOWN], 1);
    assert_int_equal(report.shown_counts[HISTORY_TIMEOUT], 0);
}

static void test_chain_goes_on_after_a_deletion(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 4, HISTORY_OK, HISTORY_OK);
    trial.told[trial.count - 1].value = HISTORY_ABSENT;
    uint64_t again = add_swap(&trial, HISTORY_ABSENT, HISTORY_UNKNOWN, HISTORY_OK);
    struct trial deleted = trial;
    add_get(&trial, HISTORY_GET, again);
    assert_good(&trial);
    add_swap(&deleted, again, HISTORY_OK, HISTORY_OK);
    deleted.told[deleted.count - 1].value = HISTORY_ABSENT;
    add_get(&deleted, HISTORY_GET, HISTORY_ABSENT);
    assert_good(&deleted);
}

/* Created, deleted, created anew, and a deletion of nothing: all in one record. */
static void test_chain_takes_any_order_within_a_record(void **state)
{
    (void)state;
    struct trial trial = {.count = 0};
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 2, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 1, HISTORY_OK, HISTORY_OK);
    trial.told[2].value = HISTORY_ABSENT;
    trial.told[3].value = HISTORY_ABSENT;
    for (uint32_t i = 0; i < 4; i++)
        trial.told[i].version = 10;
    add_get(&trial, HISTORY_GET, 5);
    assert_good(&trial);
}

static void test_chain_finds_pieces_within_one_another(void **state)
{
    (void)state;
    struct trial trial = {.count = 0};
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 1, HISTORY_OK, HISTORY_OK);
    trial.told[1].value = HISTORY_ABSENT;
    trial.told[2].value = HISTORY_ABSENT;
    add_get(&trial, HISTORY_GET, HISTORY_ABSENT);
    assert_broken(&trial, CHAIN_rising);
}

static void test_chain_finds_a_timeout_that_a_get_shows(void **state)
{
    (void)state;
    static const enum history_type gets[] = {HISTORY_GET, HISTORY_RELAXED_GET};
    for (uint32_t i = 0; i < 2; i++) {
        struct trial trial = good();
        add_get(&trial, gets[i], 3);
        add_get(&trial, HISTORY_GET, 4);
        assert_broken(&trial, CHAIN_silent);
        assert_int_equal(check(&trial).shown_counts[HISTORY_TIMEOUT], 1);
    }
}

/* Nobody reads it; only another swap says that it replaced it. */
static void test_chain_finds_a_timeout_that_only_another_swap_shows(void **state)
{
    (void)state;
    struct trial trial = good();
    uint64_t after = add_swap(&trial, 3, HISTORY_OK, HISTORY_OK);
    add_get(&trial, HISTORY_GET, after);
    assert_broken(&trial, CHAIN_silent);
    assert_broken(&trial, CHAIN_linked);
    assert_int_equal(check(&trial).shown_counts[HISTORY_TIMEOUT], 1);
}

static void test_chain_finds_a_timeout_that_only_a_mismatch_shows(void **state)
{
    (void)state;
    struct trial trial = good();
    trial.told[4].seen = 3;
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_silent);
}

static void test_chain_finds_a_mismatch_that_took_effect(void **state)
{
    (void)state;
    struct trial trial = good();
    add_get(&trial, HISTORY_RELAXED_GET, 5);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_silent);
    assert_int_equal(check(&trial).shown_counts[HISTORY_MISMATCH], 1);
}

static void test_chain_finds_an_unknown_resolved_to_a_lie(void **state)
{
    (void)state;
    struct trial trial = good(); /* "timeout", and another followed it */
    uint64_t after = add_swap(&trial, 6, HISTORY_OK, HISTORY_OK);
    add_get(&trial, HISTORY_GET, after);
    assert_broken(&trial, CHAIN_truthful);
    trial = good(); /* "ok", and another had replaced what it expected */
    add_swap(&trial, 2, HISTORY_UNKNOWN, HISTORY_OK);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_linked);
    assert_broken(&trial, CHAIN_truthful);
}

static void test_chain_finds_an_unknown_left_open(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 1, HISTORY_UNKNOWN, HISTORY_UNKNOWN);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_truthful);
}

/* "ok", and the key still has what was there before. */
static void test_chain_finds_a_swap_that_was_lost(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 4, HISTORY_OK, HISTORY_OK);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_whole);
}

static void test_chain_finds_two_that_followed_one(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 2, HISTORY_OK, HISTORY_OK);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_linked);
    assert_broken(&trial, CHAIN_whole);
}

static void test_chain_finds_a_deletion_that_said_timeout(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 4, HISTORY_TIMEOUT, HISTORY_TIMEOUT);
    trial.told[trial.count - 1].value = HISTORY_ABSENT;
    struct trial created = trial;
    add_get(&trial, HISTORY_GET, HISTORY_ABSENT);
    assert_broken(&trial, CHAIN_whole);
    uint64_t again = add_swap(&created, HISTORY_ABSENT, HISTORY_OK, HISTORY_OK);
    add_get(&created, HISTORY_GET, again);
    assert_broken(&created, CHAIN_whole);
}

static void test_chain_finds_a_ring_that_nothing_leads_to(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 8, HISTORY_OK, HISTORY_OK);
    add_swap(&trial, 7, HISTORY_OK, HISTORY_OK);
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_whole);
}

static void test_chain_finds_versions_that_fall(void **state)
{
    (void)state;
    struct trial trial = good();
    trial.told[3].version = 15;
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_rising);
}

static void test_chain_finds_a_key_that_was_not_read_in_the_end(void **state)
{
    (void)state;
    struct trial trial = good();
    assert_broken(&trial, CHAIN_whole);
    add_get(&trial, HISTORY_GET, 4);
    add_swap(&trial, 4, HISTORY_TIMEOUT, HISTORY_TIMEOUT);
    assert_broken(&trial, CHAIN_whole);
}

/* A value of key 0 that key 1 shows is no value of key 1. */
static void test_chain_keeps_keys_apart(void **state)
{
    (void)state;
    struct trial trial = good();
    add_swap(&trial, 4, HISTORY_OK, HISTORY_OK);
    trial.told[trial.count - 1].key = 1;
    add_get(&trial, HISTORY_GET, 4);
    assert_broken(&trial, CHAIN_linked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_is_content_with_a_good_line),
        cmocka_unit_test(test_chain_goes_on_after_a_deletion),
        cmocka_unit_test(test_chain_takes_any_order_within_a_record),
        cmocka_unit_test(test_chain_finds_pieces_within_one_another),
        cmocka_unit_test(test_chain_finds_a_timeout_that_a_get_shows),
        cmocka_unit_test(test_chain_finds_a_timeout_that_only_another_swap_shows),
        cmocka_unit_test(test_chain_finds_a_timeout_that_only_a_mismatch_shows),
        cmocka_unit_test(test_chain_finds_a_mismatch_that_took_effect),
        cmocka_unit_test(test_chain_finds_an_unknown_resolved_to_a_lie),
        cmocka_unit_test(test_chain_finds_an_unknown_left_open),
        cmocka_unit_test(test_chain_finds_a_swap_that_was_lost),
        cmocka_unit_test(test_chain_finds_two_that_followed_one),
        cmocka_unit_test(test_chain_finds_a_deletion_that_said_timeout),
        cmocka_unit_test(test_chain_finds_a_ring_that_nothing_leads_to),
        cmocka_unit_test(test_chain_finds_versions_that_fall),
        cmocka_unit_test(test_chain_finds_a_key_that_was_not_read_in_the_end),
        cmocka_unit_test(test_chain_keeps_keys_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
