/* Who leads a shard, by the rows of `pollux status` (tools/cli/cli_lead.h). */
#include "tools/cli/cli_lead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct plx_node nodes[4];
static struct cli_node_row rows[4];

/* Node 1 leads with a fresh quorum, nodes 2 and 3 follow it, node 4 does not answer. */
static int setup(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 4; i++) {
        nodes[i] = (struct plx_node){.node = (uint16_t)(i + 1),
                                     .leader = 1,
                                     .role = PLX_FOLLOWER,
                                     .contact_age_ns = 20 * MS};
        rows[i] = (struct cli_node_row){.node = &nodes[i], .outcome = PLX_OK};
    }
    nodes[0].role = PLX_LEADER;
    nodes[0].has_fresh_quorum = true;
    rows[3].outcome = PLX_E_UNREACHABLE;
    return 0;
}

static void test_lead_of_a_leader_that_answers(void **state)
{
    (void)state;
    struct lead lead = lead_find(rows, 4, 0);
    assert_int_equal(lead.kind, LEAD_SERVES);
    assert_int_equal(lead.node, 1);
    assert_int_equal(lead_find(rows, 4, 1).kind, LEAD_NOBODY);
}

static void test_lead_without_a_quorum_is_told_as_such(void **state)
{
    (void)state;
    nodes[0].has_fresh_quorum = false;
    struct lead lead = lead_find(rows, 4, 0);
    assert_int_equal(lead.kind, LEAD_NO_QUORUM);
    assert_int_equal(lead.node, 1);
}

/* Only followers were asked: what they say is told, and not that nobody leads. */
static void test_lead_of_a_leader_that_was_not_asked(void **state)
{
    (void)state;
    nodes[2].contact_age_ns = 5 * MS;
    struct lead lead = lead_find(rows + 1, 3, 0);
    assert_int_equal(lead.kind, LEAD_SILENT);
    assert_int_equal(lead.node, 1);
    assert_int_equal(lead.witness, 3);
    assert_int_equal(lead.contact_age_ns, 5 * MS);
    nodes[1].contact_age_ns = 1000 * MS;
    nodes[2].contact_age_ns = UINT64_MAX;
    assert_int_equal(lead_find(rows + 1, 3, 0).kind, LEAD_NOBODY);
}

/* A leader that was cut off still calls itself one; its successor does not answer. */
static void test_lead_of_a_successor_that_was_not_asked(void **state)
{
    (void)state;
    nodes[0].has_fresh_quorum = false;
    nodes[1].leader = 4;
    struct lead lead = lead_find(rows, 4, 0);
    assert_int_equal(lead.kind, LEAD_SILENT);
    assert_int_equal(lead.node, 4);
}

/* It has answered, and leads no more. */
static void test_lead_is_not_told_against_the_leaders_own_word(void **state)
{
    (void)state;
    nodes[0].role = PLX_FOLLOWER;
    nodes[0].leader = 0;
    assert_int_equal(lead_find(rows, 4, 0).kind, LEAD_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lead_of_a_leader_that_answers, setup),
        cmocka_unit_test_setup(test_lead_without_a_quorum_is_told_as_such, setup),
        cmocka_unit_test_setup(test_lead_of_a_leader_that_was_not_asked, setup),
        cmocka_unit_test_setup(test_lead_of_a_successor_that_was_not_asked, setup),
        cmocka_unit_test_setup(test_lead_is_not_told_against_the_leaders_own_word, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
