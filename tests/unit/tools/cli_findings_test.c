/* What a survey finds: obstacles, and nodes whose states differ at an index that both have. */
#include "tools/cli/cli_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct plx_node one;
static struct plx_node other;

static void add(struct plx_node *node, const char *name, uint64_t value)
{
    struct plx_counter *counter = &node->counters[node->counter_count++];
    snprintf(counter->name, sizeof(counter->name), "%s", name);
    counter->value = value;
}

static int setup(void **state)
{
    (void)state;
    one = (struct plx_node){.node = 1};
    other = (struct plx_node){.node = 2};
    add(&one, "state_index_0", 32);
    add(&one, "state_digest_0", 100);
    add(&one, "state_index_3", 256);
    add(&one, "state_digest_3", 200);
    add(&other, "state_index_1", 256);
    return 0;
}

static void test_findings_tell_what_is_pending(void **state)
{
    (void)state;
    uint64_t pending = 7;
    assert_false(findings_pending(&other, &pending));
    assert_int_equal(pending, 7);
    add(&other, "engine_relaxed_pending", 3);
    assert_true(findings_pending(&other, &pending));
    assert_int_equal(pending, 3);
}

static void test_findings_equal_digests_are_no_difference(void **state)
{
    (void)state;
    struct difference difference;
    add(&other, "state_digest_1", 200);
    assert_false(findings_differ(&one, &other, &difference));
}

static void test_findings_digests_differ_at_one_index(void **state)
{
    (void)state;
    struct difference difference;
    add(&other, "state_digest_1", 201);
    assert_true(findings_differ(&one, &other, &difference));
    assert_true(difference.index == 256 && difference.one == 200 && difference.other == 201);
    assert_true(findings_differ(&other, &one, &difference));
}

static void test_findings_indexes_of_one_node_only_say_nothing(void **state)
{
    (void)state;
    struct difference difference;
    other.counters[0].value = 512;
    add(&other, "state_digest_1", 7);
    assert_false(findings_differ(&one, &other, &difference));
    other.counters[0].value = 256;
    other.counter_count = 1; /* an index without its digest */
    assert_false(findings_differ(&one, &other, &difference));
}

static void test_findings_name_obstacles(void **state)
{
    (void)state;
    add(&one, "obstacle_fingerprint", 2);
    assert_string_equal(findings_obstacle(&one.counters[4]), "fingerprint");
    one.counters[4].value = 0;
    assert_null(findings_obstacle(&one.counters[4]));
    assert_null(findings_obstacle(&one.counters[0]));
}

static void test_findings_tell_journals_that_were_set_aside(void **state)
{
    (void)state;
    static struct plx_node node = {.counter_count = 3,
                                   .counters = {{"journals_aside", 2},
                                                {"journals_aside_writes", 17},
                                                {"journals_aside_series", 0xab}}};
    struct aside found;
    assert_true(findings_aside(&node, &found));
    assert_true(found.journals == 2 && found.writes == 17 && found.series == 0xab);
    node.counters[0].value = 0;
    assert_false(findings_aside(&node, &found));
    node.counter_count = 0; /* an older node says nothing of them */
    assert_false(findings_aside(&node, &found));
}

static void test_findings_add_up_damage(void **state)
{
    (void)state;
    static struct plx_node node = {.counter_count = 7,
                                   .counters = {{"records_rotten", 1},
                                                {"blocks_rotten", 2},
                                                {"entries_rotten", 4},
                                                {"heads_rotten", 8},
                                                {"scrub_age_s", 30},
                                                {"scrub_passes", 7},
                                                {"scrub_bytes", 900}}};
    struct damage found;
    assert_true(findings_damage(&node, &found));
    assert_int_equal(found.found, 15);
    assert_int_equal(found.age_s, 30);
    assert_int_equal(found.passes, 7);
    assert_int_equal(found.bytes, 900);
    for (int i = 0; i < 4; i++)
        node.counters[i].value = 0;
    assert_false(findings_damage(&node, &found));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        T(test_findings_tell_what_is_pending),
        T(test_findings_equal_digests_are_no_difference),
        T(test_findings_digests_differ_at_one_index),
        T(test_findings_indexes_of_one_node_only_say_nothing),
        T(test_findings_name_obstacles),
        T(test_findings_tell_journals_that_were_set_aside),
        T(test_findings_add_up_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
