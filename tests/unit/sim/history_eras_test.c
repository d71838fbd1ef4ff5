/* Histories with a rescue in them: two eras, each judged by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/sim/story.h"

#define OLD_LIFE    1
#define NEW_LIFE    2
#define SILENT_LIFE 3

static int setup(void **state)
{
    static struct story story;
    story_init(&story);
    story.history.is_log_known = true;
    *state = &story;
    return 0;
}

static int teardown(void **state)
{
    story_deinit(*state);
    return 0;
}

/* What was committed up to `kept` stays; node 2 lives in the new era. Both lives tell their era. */
static void rescue(struct story *story, uint64_t kept)
{
    const uint64_t kept_index[HISTORY_SHARDS_MAX] = {kept};
    history_rescued(&story->history, kept_index, story->now_ns);
    history_set_era(&story->history, 0, NEW_LIFE, 1);
    history_name(&story->history, &(struct history_naming){0, OLD_LIFE, story->now_ns});
    history_name(&story->history, &(struct history_naming){0, NEW_LIFE, story->now_ns});
    story->now_ns += STORY_STEP_NS;
}

static void get_at(struct story *story, uint64_t life, uint32_t era, uint64_t applied,
                   uint32_t number)
{
    struct history_op op = {
        .type = HISTORY_GET, .incarnation = life, .node = 2, .applied_index = applied, .era = era};
    story_get(story, op, number);
}

static uint32_t set_in_new_era(struct story *story, uint64_t index)
{
    uint32_t number = story_write(story, (struct history_op){.type = HISTORY_SET, .era = 1});
    struct history_op *op = story_at(story, number);
    const struct history_place place = {.index = index, .leader = 2, .era = 1};
    op->version = index;
    history_decided(&story->history, number, &place, op->return_ns - 100);
    return number;
}

static void test_history_eras_passes_what_a_rescue_names_as_lost(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    uint32_t lost = story_set(story, 2, 5);
    get_at(story, OLD_LIFE, 0, 5, lost);
    rescue(story, 3);
    get_at(story, NEW_LIFE, 1, 4, first);
    uint32_t next = set_in_new_era(story, 5);
    get_at(story, NEW_LIFE, 1, 5, next);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_history_eras_breaks_where_more_is_lost(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    story_set(story, 2, 5);
    rescue(story, 5);
    get_at(story, NEW_LIFE, 1, 6, first);
    assert_int_equal(story_judge(story), RULE_LOG_ANSWER);
}

static void test_history_eras_passes_the_era_before_that_goes_on(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    rescue(story, 3);
    uint32_t old = story_set(story, 2, 4);
    uint32_t next = set_in_new_era(story, 4);
    story_at(story, old)->place = story_at(story, old)->before.place; /* for story_get */
    get_at(story, OLD_LIFE, 0, 4, old);
    story_at(story, old)->place = (struct history_place){0};
    get_at(story, NEW_LIFE, 1, 4, next);
    get_at(story, OLD_LIFE, 0, 3, first);
    assert_int_equal(story_judge(story), RULE_REAL_TIME); /* the last one, in the era before */
}

static void test_history_eras_breaks_on_an_answer_of_an_era_that_is_over(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    rescue(story, 3);
    get_at(story, NEW_LIFE, 1, 3, first);
    get_at(story, OLD_LIFE, 1, 3, first);
    assert_int_equal(story_judge(story), RULE_ERA);
}

/* Its client could not know. */
static void test_history_eras_passes_an_answer_of_a_node_that_names_no_era(void **state)
{
    struct story *story = *state;
    uint32_t first = story_set(story, 1, 3);
    rescue(story, 3);
    get_at(story, NEW_LIFE, 1, 3, first);
    get_at(story, SILENT_LIFE, 1, 3, first);
    assert_int_equal(story_judge(story), RULE_NONE);
    const struct history_naming late = {0, SILENT_LIFE, story->now_ns};
    history_name(&story->history, &late);
    get_at(story, SILENT_LIFE, 1, 3, first);
    assert_int_equal(story_judge(story), RULE_ERA);
}

/* A client of the era before may be told that a write never happens, and lose that. */
static void test_history_eras_passes_an_end_that_is_lost(void **state)
{
    struct story *story = *state;
    struct history_op op = {.type = HISTORY_SET, .outcome = HISTORY_TIMEOUT};
    uint32_t late = story_write(story, op);
    rescue(story, 3);
    const struct history_place place = {.index = 4, .leader = 2, .era = 1};
    history_decided(&story->history, late, &place, story->now_ns);
    story->now_ns += STORY_STEP_NS;
    get_at(story, NEW_LIFE, 1, 4, late);
    assert_int_equal(story_judge(story), RULE_NONE);
    story_at(story, late)->era = 1; /* told by the new one */
    assert_int_equal(story_judge(story), RULE_DEFINITE_OUTCOME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_history_eras_passes_what_a_rescue_names_as_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_history_eras_breaks_where_more_is_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_history_eras_passes_the_era_before_that_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_history_eras_breaks_on_an_answer_of_an_era_that_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_history_eras_passes_an_answer_of_a_node_that_names_no_era, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history_eras_passes_an_end_that_is_lost, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
