/* Whole backups pass; each bad one breaks the rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/sim/backup_check.h"
#include "tests/unit/sim/story.h"

static struct story story;

static int setup(void **state)
{
    (void)state;
    story_init(&story);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    story_deinit(&story);
    return 0;
}

/* Of one shard with key 0, of two nodes without anything pending; begun now. */
static struct copied backup_of(uint64_t index, uint32_t write)
{
    const struct history_op *op = story_at(&story, write);
    struct copied copied = {.node_count = 2, .shard_count = 1, .key_count = 1};
    copied.shards[0] = (struct copied_shard){.begun_ns = story.now_ns, .index = index};
    copied.shards[0].notes[0].is_told = true;
    copied.shards[0].notes[1].is_told = true;
    copied.keys[0] = (struct copied_key){op->value, op->place.index};
    return copied;
}

static enum rule judge(const struct copied *copied)
{
    struct verdict verdict = {.rule = RULE_NONE};
    backup_check(&story.history, copied, &verdict);
    return verdict.rule;
}

static void test_backup_check_passes_the_state_of_its_record(void **state)
{
    (void)state;
    uint32_t write = story_set(&story, 1, 5);
    struct copied copied = backup_of(6, write);
    story_set(&story, 1, 7);
    assert_int_equal(judge(&copied), RULE_NONE);
}

static void test_backup_check_sees_a_value_of_another_record(void **state)
{
    (void)state;
    uint32_t write = story_set(&story, 1, 5);
    story_set(&story, 1, 6);
    struct copied copied = backup_of(6, write);
    assert_int_equal(judge(&copied), RULE_BACKUP);
}

static void test_backup_check_sees_another_version(void **state)
{
    (void)state;
    uint32_t write = story_set(&story, 1, 5);
    struct copied copied = backup_of(6, write);
    copied.keys[0].version = 4;
    assert_int_equal(judge(&copied), RULE_BACKUP);
}

static void test_backup_check_sees_what_was_acknowledged_before_left_out(void **state)
{
    (void)state;
    uint32_t write = story_set(&story, 1, 5);
    story_set(&story, 1, 7);
    struct copied copied = backup_of(6, write);
    assert_int_equal(judge(&copied), RULE_BACKUP);
    copied.shards[0].begun_ns = 0; /* it was acknowledged later */
    assert_int_equal(judge(&copied), RULE_NONE);
}

/* Accepted by node 2, and decided behind the record of the backup. */
static struct copied backup_without_relaxed(void)
{
    uint32_t write = story_set(&story, 1, 5);
    uint32_t relaxed = story_relaxed(&story, 2, 10);
    struct copied copied = backup_of(6, write);
    story_decide(&story, relaxed, 7);
    return copied;
}

static void test_backup_check_wants_nodes_with_pending_writes_named(void **state)
{
    (void)state;
    struct copied copied = backup_without_relaxed();
    assert_int_equal(judge(&copied), RULE_BACKUP);
    copied.shards[0].notes[1].pending = 1;
    assert_int_equal(judge(&copied), RULE_NONE);
}

static void test_backup_check_passes_a_node_that_was_silent(void **state)
{
    (void)state;
    struct copied copied = backup_without_relaxed();
    copied.shards[0].notes[1].is_silent = true;
    assert_int_equal(judge(&copied), RULE_NONE);
}

static void test_backup_check_passes_a_node_that_had_lost_its_journal(void **state)
{
    (void)state;
    struct copied copied = backup_without_relaxed();
    history_lose(&story.history, &(struct history_loss){.node = 2, .at_ns = story.now_ns});
    assert_int_equal(judge(&copied), RULE_NONE);
}

static void test_backup_check_wants_every_node_named(void **state)
{
    (void)state;
    struct copied copied = backup_of(6, story_set(&story, 1, 5));
    copied.shards[0].notes[1].is_told = false;
    assert_int_equal(judge(&copied), RULE_BACKUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_backup_check_passes_the_state_of_its_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_sees_a_value_of_another_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_sees_another_version, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_backup_check_sees_what_was_acknowledged_before_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_wants_nodes_with_pending_writes_named,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_passes_a_node_that_was_silent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_passes_a_node_that_had_lost_its_journal,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_check_wants_every_node_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
