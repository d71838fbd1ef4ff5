/* The trail against a plain array of terms. */
#include "raft/trail.h"

#include "base/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define RECORDS_MAX 400

static void test_trail_merges_equal_terms(void **state)
{
    (void)state;
    struct trail_run runs[2];
    struct trail trail;
    trail_init(&trail, runs, 2);
    assert_int_equal(trail_term_at(&trail, 0), 0);
    assert_int_equal(trail_term_at(&trail, 1), 0);
    trail_append(&trail, 3);
    trail_append(&trail, 3);
    trail_append(&trail, 5);
    assert_int_equal(trail.run_count, 2);
    assert_int_equal(trail.last_index, 3);
    assert_int_equal(trail_term_at(&trail, 2), 3);
    assert_int_equal(trail_term_at(&trail, 3), 5);
    assert_int_equal(trail_term_at(&trail, 4), 0);
    assert_int_equal(trail_run_first_index(&trail, 2), 1);
    assert_int_equal(trail_term_last_index(&trail, 3), 2);
    assert_int_equal(trail_term_last_index(&trail, 5), 3);
    assert_int_equal(trail_term_last_index(&trail, 4), 0);
    assert_int_equal(trail_term_last_index(&trail, 6), 0);
}

static void test_trail_says_when_it_is_full(void **state)
{
    (void)state;
    struct trail_run runs[1];
    struct trail trail;
    trail_init(&trail, runs, 1);
    assert_true(trail_has_room(&trail, 1));
    trail_append(&trail, 1);
    assert_true(trail_has_room(&trail, 1));
    assert_false(trail_has_room(&trail, 2));
    trail_truncate(&trail, 1);
    assert_int_equal(trail.last_index, 0);
    assert_true(trail_has_room(&trail, 2));
}

static void test_trail_begins_behind_what_was_put_away(void **state)
{
    (void)state;
    struct trail_run runs[2];
    struct trail trail;
    trail_init(&trail, runs, 2);
    trail_begin(&trail, 10, 4);
    assert_int_equal(trail.last_index, 9);
    assert_int_equal(trail_term_at(&trail, 0), 0);
    assert_int_equal(trail_term_at(&trail, 8), 0);
    assert_int_equal(trail_term_at(&trail, 9), 4);
    assert_int_equal(trail_term_at(&trail, 10), 0);
    assert_int_equal(trail_term_last_index(&trail, 4), 9);
    assert_int_equal(trail_term_last_index(&trail, 3), 0);
    trail_append(&trail, 4); /* the same term begins a run all the same: run 0 is at the first */
    trail_append(&trail, 6);
    assert_int_equal(trail.run_count, 2);
    assert_int_equal(trail_term_at(&trail, 10), 4);
    assert_int_equal(trail_run_first_index(&trail, 10), 10);
    assert_int_equal(trail_term_last_index(&trail, 4), 10);
    assert_int_equal(trail_runs_below(&trail, 10), 0);
    trail_truncate(&trail, 10);
    assert_int_equal(trail.run_count, 0);
    assert_int_equal(trail.last_index, 9);
    assert_int_equal(trail_term_at(&trail, 9), 4);
}

static void compare(const struct trail *trail, const uint64_t *terms, uint64_t last)
{
    uint64_t first = 0;
    uint32_t runs = 0;
    assert_int_equal(trail->last_index, last);
    for (uint64_t i = 1; i <= last; i++) {
        if (terms[i] != terms[i - 1]) {
            first = i;
            runs++;
        }
        assert_int_equal(trail_term_at(trail, i), terms[i]);
        assert_int_equal(trail_run_first_index(trail, i), first);
        assert_int_equal(trail_runs_below(trail, i + 1), runs);
        if (i == last || terms[i + 1] != terms[i])
            assert_int_equal(trail_term_last_index(trail, terms[i]), i);
    }
}

static void test_trail_equals_an_array(void **state)
{
    (void)state;
    struct trail_run runs[RECORDS_MAX];
    uint64_t terms[RECORDS_MAX + 2] = {0};
    struct trail trail;
    struct prng prng;
    prng_init(&prng, 7);
    trail_init(&trail, runs, RECORDS_MAX);
    uint64_t last = 0;
    for (int step = 0; step < 3000; step++) {
        if (last == RECORDS_MAX || (last > 0 && prng_chance(&prng, 30000))) {
            uint64_t from = prng_range(&prng, 1, last + 1);
            trail_truncate(&trail, from);
            last = from - 1;
        } else {
            uint64_t term = (last > 0 ? terms[last] : 1) + prng_range(&prng, 0, 5) / 4;
            trail_append(&trail, term);
            terms[++last] = term;
        }
        if (step % 20 == 0)
            compare(&trail, terms, last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trail_merges_equal_terms),
        cmocka_unit_test(test_trail_says_when_it_is_full),
        cmocka_unit_test(test_trail_begins_behind_what_was_put_away),
        cmocka_unit_test(test_trail_equals_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
