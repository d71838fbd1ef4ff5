/* Answers against the log, its order against time, bounds of staleness, reading one's writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/sim/story.h"

static int setup(void **state)
{
    static struct story story;
    story_init(&story);
    *state = &story;
    return 0;
}

static int teardown(void **state)
{
    story_deinit(*state);
    return 0;
}

static void add_consistent_get(struct story *story, uint64_t applied, uint32_t number)
{
    story_get(story, (struct history_op){.type = HISTORY_GET, .applied_index = applied}, number);
}

static void test_order_check_passes_what_the_log_says(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    uint32_t second = story_set(story, 2, 5);
    story_get_absent(story, 3, 2);
    story_get_relaxed(story, 3, 4, first);
    add_consistent_get(story, 5, second);
    uint32_t gone = story_write(story, (struct history_op){.type = HISTORY_DEL});
    story_decide(story, gone, 8);
    story_get_absent(story, 3, 8);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_order_check_passes_the_last_of_two_writes_of_one_record(void **state)
{
    struct story *story = *state;
    uint32_t first = story_write(story, (struct history_op){.type = HISTORY_SET});
    uint32_t second = story_write(story, (struct history_op){.type = HISTORY_SET});
    story_at(story, first)->return_ns = story->now_ns; /* both at one time */
    story_at(story, second)->return_ns = story->now_ns;
    story_decide(story, first, 3);
    story_decide(story, second, 3);
    story_at(story, second)->place.within = 1;
    story_get_relaxed(story, 3, 4, second);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_order_check_breaks_on_another_answer_than_the_logs(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 1, 5);
    story_get_relaxed(story, 3, 6, first);
    assert_int_equal(story_judge(story), RULE_LOG_ANSWER);
}

static void test_order_check_breaks_on_a_stale_consistent_get(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 1, 5);
    add_consistent_get(story, 4, first);
    assert_int_equal(story_judge(story), RULE_REAL_TIME);
}

static void test_order_check_breaks_on_a_get_behind_a_decided_relaxed_write(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 2, 3);
    uint32_t write = story_relaxed(story, 3, 10);
    story_decide(story, write, 5);
    add_consistent_get(story, 4, first);
    assert_int_equal(story_judge(story), RULE_REAL_TIME);
}

static void test_order_check_breaks_on_a_write_before_what_was_over(void **state)
{
    struct story *story = *state;
    story_set(story, 1, 5);
    story_set(story, 1, 3);
    assert_int_equal(story_judge(story), RULE_REAL_TIME);
}

static void test_order_check_breaks_on_an_acknowledged_write_outside_the_log(void **state)
{
    struct story *story = *state;
    story_write(story, (struct history_op){.type = HISTORY_SET});
    assert_int_equal(story_judge(story), RULE_EXACTLY_ONCE);
}

static void test_order_check_breaks_on_a_timed_out_write_in_the_log(void **state)
{
    struct story *story = *state;
    uint32_t write =
        story_write(story, (struct history_op){.type = HISTORY_SET, .outcome = HISTORY_TIMEOUT});
    story_decide(story, write, 4);
    assert_int_equal(story_judge(story), RULE_DEFINITE_OUTCOME);
}

/* ---- freshness ---- */

static uint32_t add_bounded_get(struct story *story, struct history_op op, uint32_t number)
{
    op.type = HISTORY_RELAXED_GET;
    return story_get(story, op, number);
}

static void test_freshness_check_passes_answers_within_their_bounds(void **state)
{
    struct story *story = *state;
    story->history.staleness_slack_ns = STORY_STEP_NS;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 1, 5);
    const struct history_op bounded = {.applied_index = 4,
                                       .min_index = 4,
                                       .max_age_ns = 2 * STORY_STEP_NS,
                                       .contact_age_ns = 2 * STORY_STEP_NS};
    add_bounded_get(story, bounded, first);
    uint32_t refused = add_bounded_get(story, bounded, first);
    story_at(story, refused)->outcome = HISTORY_TOO_STALE;
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_freshness_check_breaks_on_an_index_below_the_bound(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    add_bounded_get(story, (struct history_op){.applied_index = 4, .min_index = 5}, first);
    assert_int_equal(story_judge(story), RULE_STALENESS);
}

static void test_freshness_check_breaks_on_a_contact_older_than_the_bound(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    add_bounded_get(
        story, (struct history_op){.applied_index = 4, .max_age_ns = 5000, .contact_age_ns = 6000},
        first);
    assert_int_equal(story_judge(story), RULE_STALENESS);
}

static void test_freshness_check_breaks_on_a_state_older_than_the_age(void **state)
{
    struct story *story = *state;
    story->history.staleness_slack_ns = STORY_STEP_NS;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 1, 5);
    story->now_ns += 10 * STORY_STEP_NS;
    add_bounded_get(story, (struct history_op){.applied_index = 4, .max_age_ns = STORY_STEP_NS},
                    first);
    assert_int_equal(story_judge(story), RULE_STALENESS);
}

static void test_freshness_check_breaks_on_a_refusal_that_nothing_asked_for(void **state)
{
    struct story *story = *state;
    uint32_t get = story_get_absent(story, 3, 0);
    story_at(story, get)->outcome = HISTORY_TOO_STALE;
    assert_int_equal(story_judge(story), RULE_STALENESS);
}

static void test_freshness_check_passes_a_handle_that_reads_its_writes(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    const struct history_op own = {.client = 1, .applied_index = 4, .reads_own = true};
    add_bounded_get(story, own, first);
    story_set(story, 2, 6);
    add_bounded_get(story, own, first); /* another client's write need not be there */
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_freshness_check_breaks_on_a_handle_that_misses_its_write(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 2, 3);
    story_set(story, 1, 5);
    add_bounded_get(story, (struct history_op){.client = 1, .applied_index = 4, .reads_own = true},
                    first);
    assert_int_equal(story_judge(story), RULE_READ_YOUR_WRITES);
}

static void test_freshness_check_breaks_on_a_handle_that_misses_its_relaxed_write(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 2, 3);
    uint32_t write = story_relaxed(story, 3, 10);
    add_bounded_get(
        story, (struct history_op){.client = 1, .node = 2, .applied_index = 4, .reads_own = true},
        first);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_READ_YOUR_WRITES);
}

static void test_freshness_check_passes_a_handles_later_write_at_another_node(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t later = story_relaxed(story, 2, 20);
    const struct history_op own = {
        .client = 1, .node = 2, .applied_index = 4, .is_pending = true, .reads_own = true};
    add_bounded_get(story, own, later);
    story_decide(story, write, 6);
    story_decide(story, later, 7);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_freshness_check_breaks_on_a_handle_that_sees_what_it_overruled(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_set(story, 1, 5);
    add_bounded_get(
        story,
        (struct history_op){
            .client = 1, .node = 3, .applied_index = 5, .is_pending = true, .reads_own = true},
        write);
    assert_int_equal(story_judge(story), RULE_READ_YOUR_WRITES);
}

static void test_freshness_check_lets_another_life_of_the_client_begin_anew(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 2, 3);
    story_set(story, 1, 5);
    add_bounded_get(
        story, (struct history_op){.client = 1, .life = 1, .applied_index = 4, .reads_own = true},
        first);
    assert_int_equal(story_judge(story), RULE_NONE);
}

/* ---- one life of one node ---- */

static void test_history_check_breaks_on_an_applied_index_that_falls(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    story_get_relaxed(story, 3, 7, first);
    story_get_relaxed(story, 3, 6, first);
    assert_int_equal(story_judge(story), RULE_RELAXED_MONOTONE);
}

static void test_history_check_breaks_on_a_version_that_falls(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    uint32_t second = story_set(story, 1, 5);
    story_get_relaxed(story, 3, 7, second);
    story_get_relaxed(story, 3, 7, first);
    assert_int_equal(story_judge(story), RULE_RELAXED_MONOTONE);
}

static void test_history_check_breaks_on_a_second_version_of_a_value(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    story_get_relaxed(story, 3, 7, first);
    uint32_t get = story_get_relaxed(story, 2, 9, first);
    story_at(story, get)->version = 9;
    assert_int_equal(story_judge(story), RULE_EXACTLY_ONCE);
}

static void test_history_check_breaks_on_reads_that_fit_no_order(void **state)
{
    struct story *story = *state;
    story->history.is_log_known = false;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 1, 5);
    add_consistent_get(story, 7, first);
    assert_int_equal(story_judge(story), RULE_LINEARIZABILITY);
}

static void test_order_check_compares_no_indexes_of_two_shards(void **state)
{
    struct story *story = *state;
    uint32_t far = story_write(story, (struct history_op){.type = HISTORY_SET});
    story_decide(story, far, 90);
    uint32_t near =
        story_write(story, (struct history_op){.type = HISTORY_SET, .key = 1, .shard = 1});
    story_decide(story, near, 3);
    story_get(story,
              (struct history_op){.type = HISTORY_RELAXED_GET,
                                  .key = 1,
                                  .shard = 1,
                                  .client = 1,
                                  .applied_index = 3,
                                  .reads_own = true},
              near);
    assert_int_equal(story_judge(story), RULE_NONE);
    story_at(story, near)->shard = 0;
    assert_int_equal(story_judge(story), RULE_REAL_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_order_check_passes_what_the_log_says),
        TEST(test_order_check_passes_the_last_of_two_writes_of_one_record),
        TEST(test_order_check_breaks_on_another_answer_than_the_logs),
        TEST(test_order_check_breaks_on_a_stale_consistent_get),
        TEST(test_order_check_breaks_on_a_get_behind_a_decided_relaxed_write),
        TEST(test_order_check_breaks_on_a_write_before_what_was_over),
        TEST(test_order_check_breaks_on_an_acknowledged_write_outside_the_log),
        TEST(test_order_check_breaks_on_a_timed_out_write_in_the_log),
        TEST(test_order_check_compares_no_indexes_of_two_shards),
        TEST(test_freshness_check_passes_answers_within_their_bounds),
        TEST(test_freshness_check_breaks_on_an_index_below_the_bound),
        TEST(test_freshness_check_breaks_on_a_contact_older_than_the_bound),
        TEST(test_freshness_check_breaks_on_a_state_older_than_the_age),
        TEST(test_freshness_check_breaks_on_a_refusal_that_nothing_asked_for),
        TEST(test_freshness_check_passes_a_handle_that_reads_its_writes),
        TEST(test_freshness_check_breaks_on_a_handle_that_misses_its_write),
        TEST(test_freshness_check_breaks_on_a_handle_that_misses_its_relaxed_write),
        TEST(test_freshness_check_passes_a_handles_later_write_at_another_node),
        TEST(test_freshness_check_breaks_on_a_handle_that_sees_what_it_overruled),
        TEST(test_freshness_check_lets_another_life_of_the_client_begin_anew),
        TEST(test_history_check_breaks_on_an_applied_index_that_falls),
        TEST(test_history_check_breaks_on_a_version_that_falls),
        TEST(test_history_check_breaks_on_a_second_version_of_a_value),
        TEST(test_history_check_breaks_on_reads_that_fit_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
