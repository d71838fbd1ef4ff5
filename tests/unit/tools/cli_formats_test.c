/* Which format the nodes know, and whether the next one may be put in force. */
#include "tools/cli/cli_formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct formats_view view;

static void add_counter(struct plx_node *node, const char *name, uint64_t value)
{
    struct plx_counter *counter = &node->counters[node->counter_count++];
    snprintf(counter->name, sizeof(counter->name), "%s", name);
    counter->value = value;
}

static void note(uint16_t id, uint64_t known, uint64_t in_force)
{
    static struct plx_node node;
    memset(&node, 0, sizeof(node));
    node.node = id;
    add_counter(&node, "raft_rx", 7);
    add_counter(&node, "format", in_force);
    add_counter(&node, "format_known", known);
    formats_note(&view, &node);
}

static void note_older(uint16_t id)
{
    static struct plx_node node;
    memset(&node, 0, sizeof(node));
    node.node = id;
    add_counter(&node, "raft_rx", 7);
    formats_note(&view, &node);
}

static int setup(void **state)
{
    (void)state;
    memset(&view, 0, sizeof(view));
    for (uint16_t id = 1; id <= 3; id++)
        formats_note_member(&view, id);
    return 0;
}

static void test_formats_may_rise_when_all_members_know(void **state)
{
    (void)state;
    note(1, 1, 0);
    note(2, 1, 0);
    note(3, 2, 0);
    assert_int_equal(formats_known(&view), 1);
    assert_int_equal(formats_in_force(&view), 0);
    for (uint32_t i = 0; i < view.count; i++)
        assert_null(formats_lack(&view.rows[i], 1));
    assert_non_null(formats_lack(&view.rows[0], 2));
    assert_null(formats_lack(&view.rows[2], 2));
    assert_false(formats_are_at(&view, 1));
    assert_true(formats_are_at(&view, 0));
}

static void test_formats_name_an_older_program(void **state)
{
    (void)state;
    note(1, 1, 0);
    note_older(2);
    note(3, 1, 0);
    assert_int_equal(formats_known(&view), 0);
    assert_true(view.rows[1].is_older);
    assert_false(view.rows[0].is_older);
    assert_non_null(strstr(formats_lack(&view.rows[1], 1), "older program"));
}

static void test_formats_name_a_member_that_is_silent(void **state)
{
    (void)state;
    note(1, 1, 0);
    note(3, 1, 0);
    assert_int_equal(formats_known(&view), 0);
    assert_non_null(strstr(formats_lack(&view.rows[1], 1), "does not answer"));
    assert_false(formats_are_at(&view, 0));
}

/* Who is no member does not count: a node that is to be added, or was removed. */
static void test_formats_of_members_alone_count(void **state)
{
    (void)state;
    note(1, 1, 0);
    note(2, 1, 0);
    note(3, 1, 0);
    note_older(4);
    assert_int_equal(view.count, 4);
    assert_int_equal(formats_known(&view), 1);
    assert_null(formats_lack(&view.rows[3], 1));
}

/* A node has it in force when all of its shards have. */
static void test_formats_in_force_is_the_lowest(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= 3; id++) {
        note(id, 1, 1);
        note(id, 1, id == 2 ? 0 : 1);
        note(id, 1, 1);
    }
    assert_int_equal(view.count, 3);
    assert_int_equal(formats_in_force(&view), 0);
    assert_false(formats_are_at(&view, 1));
    memset(&view, 0, sizeof(view));
    formats_note_member(&view, 1);
    note(1, 1, 1);
    assert_true(formats_are_at(&view, 1));
    assert_int_equal(formats_in_force(&view), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_formats_may_rise_when_all_members_know, setup),
        cmocka_unit_test_setup(test_formats_name_an_older_program, setup),
        cmocka_unit_test_setup(test_formats_name_a_member_that_is_silent, setup),
        cmocka_unit_test_setup(test_formats_of_members_alone_count, setup),
        cmocka_unit_test_setup(test_formats_in_force_is_the_lowest, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
