/* Good histories with relaxed writes pass; each bad one breaks the rule that it is about. */
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

/* ---- good ---- */

static void test_relaxed_check_passes_a_pending_value_and_then_its_place_in_the_log(void **state)
{
    struct story *story = *state;
    uint32_t base = story_set(story, 2, 5);
    uint32_t write = story_relaxed(story, 3, 10);
    story_get_pending(story, 3, 5, write);
    story_get_relaxed(story, 2, 5, base); /* elsewhere nobody knows of it */
    uint32_t other = story_set(story, 2, 7);
    story_get_pending(story, 3, 7, write); /* and it hides what others wrote meanwhile */
    story_decide(story, write, 9);
    story_get_relaxed(story, 3, 9, write);
    story_get_relaxed(story, 2, 7, other);
    story_get(story, (struct history_op){.type = HISTORY_GET, .applied_index = 9}, write);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_passes_coalesced_writes(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    uint32_t newer = story_relaxed(story, 3, 11);
    story_get_pending(story, 3, 4, newer);
    story_decide(story, newer, 6);
    story_get_relaxed(story, 3, 6, newer);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_passes_what_its_client_overruled(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t later = story_set(story, 1, 6);
    story_get_pending(story, 3, 5, write);
    story_get_pending(story, 3, 7, write); /* it has not heard that its write is cancelled */
    story_get_relaxed(story, 3, 7, later);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_passes_what_a_write_through_its_server_overruled(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 1, 10);
    uint32_t later = story_set(story, 2, 6); /* appended by node 1 */
    story_get_relaxed(story, 1, 6, later);
    assert_int_equal(story_judge(story), RULE_NONE);
}

/* Node 1 took the client's later write, then appended another client's: that carries the cancel. */
static void test_relaxed_check_passes_what_an_overruled_write_overruled(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    story_relaxed(story, 1, 20);
    uint32_t last = story_set(story, 2, 6); /* appended by node 1 */
    story_get_relaxed(story, 3, 6, last);
    assert_int_equal(story_judge(story), RULE_NONE);
}

/* The client's later write came to the server when the consistent one was over. */
static void test_relaxed_check_breaks_on_a_write_overruled_by_none_that_was(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    story_set(story, 2, 6); /* appended by node 1 */
    uint32_t later = story_relaxed(story, 1, 20);
    story_get_pending(story, 1, 6, later);
    assert_int_equal(story_judge(story), RULE_RELAXED_DECIDED);
}

static void test_relaxed_check_passes_the_older_write_of_another_client_again(void **state)
{
    struct story *story = *state;
    uint32_t older = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .client = 2, .node = 3, .journal_seq = 9});
    uint32_t newer = story_relaxed(story, 3, 10);
    story_get_pending(story, 3, 0, newer);
    story_set(story, 1, 6); /* overrules the newer one */
    story_get_pending(story, 3, 7, older);
    story_decide(story, older, 8);
    story_get_relaxed(story, 3, 8, older);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_breaks_on_the_older_write_before_the_newer_is_overruled(void **state)
{
    struct story *story = *state;
    uint32_t older = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .client = 2, .node = 3, .journal_seq = 9});
    story_relaxed(story, 3, 10);
    story_get_pending(story, 3, 5, older);
    story_set(story, 1, 6);
    story_decide(story, older, 8);
    assert_int_equal(story_judge(story), RULE_RELAXED_READ_BACK);
}

static void test_relaxed_check_passes_what_was_lost_with_the_journal(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    history_lose(&story->history, &(struct history_loss){.node = 3, .at_ns = story->now_ns});
    story->now_ns += STORY_STEP_NS;
    story_get_absent(story, 3, 0);
    uint32_t write = story_relaxed(story, 3, 20);
    story_get_pending(story, 3, 0, write);
    story_decide(story, write, 2);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_passes_an_unknown_write_either_way(void **state)
{
    struct story *story = *state;
    const struct history_op unknown = {
        .type = HISTORY_RELAXED_SET, .outcome = HISTORY_UNKNOWN, .node = 3};
    story_write(story, unknown);
    uint32_t taken = story_write(story, unknown);
    story_get_absent(story, 3, 0);
    story_at(story, taken)->journal_seq = 12; /* as the log said in the end */
    story_get_pending(story, 3, 0, taken);
    story_decide(story, taken, 4);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_passes_a_pending_absence(void **state)
{
    struct story *story = *state;
    story_set(story, 2, 3);
    uint32_t write = story_write(
        story, (struct history_op){.type = HISTORY_RELAXED_DEL, .node = 3, .journal_seq = 8});
    story_get_pending(story, 3, 3, write);
    story_decide(story, write, 5);
    story_get_absent(story, 3, 5);
    assert_int_equal(story_judge(story), RULE_NONE);
}

/* What the node accepts after it has lost its file takes the place of nothing that went with it. */
static void test_relaxed_check_passes_a_write_that_was_lost_before_a_newer_one(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_relaxed(story, 2, 4);
    history_lose(&story->history, &(struct history_loss){.node = 2, .at_ns = story->now_ns});
    uint32_t newer = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .client = 2, .node = 2, .journal_seq = 5});
    story_decide(story, newer, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_leaves_writes_open_in_an_unsettled_history(void **state)
{
    struct story *story = *state;
    story->history.is_settled = false;
    story_relaxed(story, 3, 10);
    assert_int_equal(story_judge(story), RULE_NONE);
}

/* ---- bad ---- */

static void test_relaxed_check_breaks_on_an_older_pending_value(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t newer = story_relaxed(story, 3, 11);
    story_get_pending(story, 3, 0, write);
    story_decide(story, newer, 4);
    assert_int_equal(story_judge(story), RULE_RELAXED_READ_BACK);
}

static void test_relaxed_check_breaks_on_a_pending_value_of_another_node(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_get_pending(story, 2, 0, write);
    story_decide(story, write, 4);
    assert_int_equal(story_judge(story), RULE_RELAXED_READ_BACK);
}

static void test_relaxed_check_breaks_on_a_pending_absence_that_nobody_wrote(void **state)
{
    struct story *story = *state;
    uint32_t get = story_get_absent(story, 3, 0);
    story_at(story, get)->is_pending = true;
    story_at(story, get)->version = 7;
    assert_int_equal(story_judge(story), RULE_RELAXED_READ_BACK);
}

static void test_relaxed_check_breaks_on_a_write_forgotten_at_a_restart(void **state)
{
    struct story *story = *state;
    uint32_t base = story_set(story, 2, 5);
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t get = story_get_relaxed(story, 3, 5, base);
    story_at(story, get)->incarnation = 2;
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_VISIBLE);
}

static void test_relaxed_check_breaks_on_a_write_hidden_by_a_commit(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t other = story_set(story, 2, 5);
    story_get_relaxed(story, 3, 5, other);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_VISIBLE);
}

static void test_relaxed_check_breaks_on_a_write_hidden_before_it_is_overruled(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    story_get_absent(story, 3, 5);
    story_set(story, 1, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_VISIBLE);
}

static void test_relaxed_check_breaks_on_a_value_pending_after_its_decision(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_decide(story, write, 6);
    story_get_pending(story, 3, 6, write);
    assert_int_equal(story_judge(story), RULE_RELAXED_VISIBLE);
}

static void test_relaxed_check_breaks_on_an_acknowledged_write_never_decided(void **state)
{
    struct story *story = *state;
    story_relaxed(story, 3, 10);
    story_set(story, 2, 5); /* of another client: overrules nothing */
    assert_int_equal(story_judge(story), RULE_RELAXED_DECIDED);
}

static void test_relaxed_check_breaks_on_the_wrong_order_of_acceptance(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t newer = story_relaxed(story, 3, 9);
    story_decide(story, newer, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_ORDER);
}

static void test_relaxed_check_breaks_on_the_wrong_order_of_decision(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t newer = story_relaxed(story, 3, 11);
    story_decide(story, newer, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_ORDER);
}

static void test_relaxed_check_breaks_on_a_later_write_of_the_client_overwritten(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_set(story, 1, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_OVERRULED);
}

static void test_relaxed_check_breaks_on_a_later_relaxed_write_elsewhere_overwritten(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    uint32_t later = story_relaxed(story, 2, 4);
    story_decide(story, later, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_OVERRULED);
}

static void test_relaxed_check_breaks_on_a_later_write_through_the_server_overwritten(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 1, 10);
    story_set(story, 2, 5); /* appended by node 1 */
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_OVERRULED);
}

static void test_relaxed_check_breaks_on_a_cancel_lost_with_a_replaced_write(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_relaxed(story, 2, 4); /* by the same client; another takes its place */
    uint32_t newer = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .client = 2, .node = 2, .journal_seq = 5});
    story_decide(story, newer, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_OVERRULED);
}

static void test_relaxed_check_allows_another_clients_write_through_another_server(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_set(story, 2, 5);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_NONE);
}

static void test_relaxed_check_breaks_on_a_pending_value_in_a_consistent_get(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_get(story, (struct history_op){.type = HISTORY_GET, .node = 3, .is_pending = true},
              write);
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_RELAXED_APART);
}

static void test_relaxed_check_breaks_on_a_timed_out_write_that_shows(void **state)
{
    struct story *story = *state;
    uint32_t write = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .outcome = HISTORY_TIMEOUT, .node = 3});
    story_get_pending(story, 3, 0, write);
    assert_int_equal(story_judge(story), RULE_DEFINITE_OUTCOME);
}

static void test_relaxed_check_breaks_on_a_refused_write_in_the_log(void **state)
{
    struct story *story = *state;
    uint32_t write = story_write(
        story,
        (struct history_op){.type = HISTORY_RELAXED_SET, .outcome = HISTORY_REFUSED, .node = 3});
    story_decide(story, write, 6);
    assert_int_equal(story_judge(story), RULE_DEFINITE_OUTCOME);
}

static void test_relaxed_check_breaks_on_a_second_place_in_the_log(void **state)
{
    struct story *story = *state;
    uint32_t write = story_relaxed(story, 3, 10);
    story_decide(story, write, 6);
    story_decide(story, write, 6); /* another node applies the same record */
    story_decide(story, write, 8);
    assert_int_equal(story_judge(story), RULE_EXACTLY_ONCE);
}

static void test_relaxed_check_knows_the_seqs_of_each_shard_apart(void **state)
{
    struct story *story = *state;
    uint32_t here = story_relaxed(story, 3, 9);
    uint32_t there = story_write(story, (struct history_op){.type = HISTORY_RELAXED_SET,
                                                            .key = 1,
                                                            .shard = 1,
                                                            .node = 3,
                                                            .journal_seq = 9,
                                                            .version = 9});
    history_lose(&story->history, &(struct history_loss){3, 1, story->now_ns});
    story_get_pending(story, 3, 1, here);
    story_decide(story, here, 5);
    assert_int_equal(story_judge(story), RULE_NONE);
    story_at(story, there)->shard = 0; /* its journal was never lost */
    assert_int_equal(story_judge(story), RULE_RELAXED_DECIDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_relaxed_check_knows_the_seqs_of_each_shard_apart),
        TEST(test_relaxed_check_passes_a_pending_value_and_then_its_place_in_the_log),
        TEST(test_relaxed_check_passes_coalesced_writes),
        TEST(test_relaxed_check_passes_what_its_client_overruled),
        TEST(test_relaxed_check_passes_what_a_write_through_its_server_overruled),
        TEST(test_relaxed_check_passes_what_an_overruled_write_overruled),
        TEST(test_relaxed_check_breaks_on_a_write_overruled_by_none_that_was),
        TEST(test_relaxed_check_passes_the_older_write_of_another_client_again),
        TEST(test_relaxed_check_breaks_on_the_older_write_before_the_newer_is_overruled),
        TEST(test_relaxed_check_passes_what_was_lost_with_the_journal),
        TEST(test_relaxed_check_passes_an_unknown_write_either_way),
        TEST(test_relaxed_check_passes_a_pending_absence),
        TEST(test_relaxed_check_passes_a_write_that_was_lost_before_a_newer_one),
        TEST(test_relaxed_check_leaves_writes_open_in_an_unsettled_history),
        TEST(test_relaxed_check_breaks_on_an_older_pending_value),
        TEST(test_relaxed_check_breaks_on_a_pending_value_of_another_node),
        TEST(test_relaxed_check_breaks_on_a_pending_absence_that_nobody_wrote),
        TEST(test_relaxed_check_breaks_on_a_write_forgotten_at_a_restart),
        TEST(test_relaxed_check_breaks_on_a_write_hidden_by_a_commit),
        TEST(test_relaxed_check_breaks_on_a_write_hidden_before_it_is_overruled),
        TEST(test_relaxed_check_breaks_on_a_value_pending_after_its_decision),
        TEST(test_relaxed_check_breaks_on_an_acknowledged_write_never_decided),
        TEST(test_relaxed_check_breaks_on_the_wrong_order_of_acceptance),
        TEST(test_relaxed_check_breaks_on_the_wrong_order_of_decision),
        TEST(test_relaxed_check_breaks_on_a_later_write_of_the_client_overwritten),
        TEST(test_relaxed_check_breaks_on_a_later_relaxed_write_elsewhere_overwritten),
        TEST(test_relaxed_check_breaks_on_a_later_write_through_the_server_overwritten),
        TEST(test_relaxed_check_breaks_on_a_cancel_lost_with_a_replaced_write),
        TEST(test_relaxed_check_allows_another_clients_write_through_another_server),
        TEST(test_relaxed_check_breaks_on_a_pending_value_in_a_consistent_get),
        TEST(test_relaxed_check_breaks_on_a_timed_out_write_that_shows),
        TEST(test_relaxed_check_breaks_on_a_refused_write_in_the_log),
        TEST(test_relaxed_check_breaks_on_a_second_place_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
