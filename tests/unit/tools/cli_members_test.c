/* The storages of a shard, out of what nodes say; and what a replacement does next. */
#include "tools/cli/cli_members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct members_view view;

/* Node `id`, whose storage is 10 * id: a cluster of three such voters. */
static struct plx_members answer_of(uint16_t id)
{
    struct plx_members made = {.node = id,
                               .shard = 1,
                               .role = PLX_FOLLOWER,
                               .membership = PLX_VOTER,
                               .birth = 10u * id,
                               .term = 5,
                               .configuration_index = 1,
                               .last_index = 100,
                               .member_count = 3};
    for (uint16_t i = 1; i <= 3; i++)
        made.members[i - 1] = (struct plx_member){.birth = 10u * i,
                                                  .node = i,
                                                  .membership = PLX_VOTER,
                                                  .ip = {[10] = 0xff, [11] = 0xff, 10, 77, 0, 1},
                                                  .port = 7400};
    return made;
}

static struct plx_members leader_of(uint16_t id)
{
    struct plx_members made = answer_of(id);
    made.role = PLX_LEADER;
    made.has_fresh_quorum = true;
    for (uint16_t i = 0; i < 3; i++) {
        made.members[i].is_told = true;
        made.members[i].match_index = 100u - i;
    }
    return made;
}

/* Node `id` has lost its storage and has one with this birth. */
static struct plx_members empty_of(uint16_t id, uint64_t birth)
{
    return (struct plx_members){
        .node = id, .shard = 1, .membership = PLX_NO_CLUSTER, .birth = birth};
}

static const struct members_row *row_with(uint64_t birth)
{
    for (uint32_t i = 0; i < view.count; i++) {
        if (view.rows[i].birth == birth)
            return &view.rows[i];
    }
    fail_msg("no row of storage %lu", (unsigned long)birth);
    return NULL;
}

static void test_cli_members_takes_the_word_of_the_leader(void **state)
{
    (void)state;
    struct plx_members answers[] = {answer_of(1), leader_of(2), answer_of(3)};
    answers[0].configuration_index = 9; /* newer, and not a leader's */
    answers[0].members[2].membership = PLX_LEARNER;
    members_view_make(answers, 3, &view);
    assert_true(view.leader == 2 && view.shard == 1 && view.count == 3 && view.member_count == 3);
    assert_true(members_are_voters(&view));
    const struct members_row *row = row_with(30);
    assert_true(row->is_here && row->is_told && row->match_index == 98 && row->behind == 2);
    assert_string_equal(row->address, "10.77.0.1:7400");
    assert_int_equal(members_replace_step(&view, 3).state, REPLACE_DONE);
}

static void test_cli_members_of_two_leaders_takes_the_newer(void **state)
{
    (void)state;
    struct plx_members answers[] = {leader_of(1), leader_of(2), answer_of(3)};
    answers[1].term = 6;
    members_view_make(answers, 3, &view);
    assert_int_equal(view.leader, 2);
}

static void test_cli_members_shows_a_storage_that_is_no_member(void **state)
{
    (void)state;
    struct plx_members answers[] = {leader_of(1), answer_of(2), empty_of(3, 33)};
    answers[0].members[2].silent_ns = UINT64_MAX;
    members_view_make(answers, 3, &view);
    assert_int_equal(view.count, 4);
    assert_false(members_are_voters(&view));
    assert_true(row_with(33)->membership == PLX_NO_MEMBER && row_with(33)->is_here);
    assert_true(row_with(30)->membership == PLX_VOTER && !row_with(30)->is_here);
    assert_string_equal(row_with(33)->address, "");
    struct replace_step step = members_replace_step(&view, 3);
    assert_int_equal(step.state, REPLACE_WANTED);
    assert_true(step.birth == 33 && step.lost.birth == 30 && step.lost.node == 3);
}

static void test_cli_members_follows_a_replacement(void **state)
{
    (void)state;
    struct plx_members answers[] = {leader_of(1), answer_of(2), empty_of(3, 33)};
    struct plx_member *added = &answers[0].members[3];
    answers[0].member_count = 4;
    *added = (struct plx_member){
        .birth = 33, .node = 3, .membership = PLX_LEARNER, .is_told = true, .match_index = 60};
    members_view_make(answers, 3, &view);
    struct replace_step step = members_replace_step(&view, 3);
    assert_true(step.state == REPLACE_LEARNING && step.birth == 33 && step.behind == 40);
    assert_false(members_are_voters(&view));
    added->membership = PLX_INCOMING;
    answers[0].members[2].membership = PLX_OUTGOING;
    members_view_make(answers, 3, &view);
    assert_int_equal(members_replace_step(&view, 3).state, REPLACE_JOINING);
    answers[0].members[2] = *added;
    answers[0].members[2].membership = PLX_VOTER;
    answers[0].member_count = 3;
    members_view_make(answers, 3, &view);
    assert_int_equal(members_replace_step(&view, 3).state, REPLACE_DONE);
    assert_true(members_are_voters(&view));
}

static void test_cli_members_replace_names_what_is_in_the_way(void **state)
{
    (void)state;
    struct plx_members answers[] = {leader_of(1), answer_of(2), empty_of(3, 33)};
    members_view_make(answers, 2, &view);
    assert_int_equal(members_replace_step(&view, 3).state, REPLACE_NO_NODE);
    answers[0].has_fresh_quorum = false;
    members_view_make(answers, 3, &view);
    assert_int_equal(view.leader, 0);
    assert_int_equal(members_replace_step(&view, 3).state, REPLACE_NO_LEADER);
    answers[0].has_fresh_quorum = true;
    answers[2].node = 4;
    members_view_make(answers, 3, &view);
    assert_int_equal(members_replace_step(&view, 4).state, REPLACE_NO_VOTER);
}

static void test_cli_members_without_a_cluster(void **state)
{
    (void)state;
    struct plx_members answers[] = {empty_of(1, 11), empty_of(2, 22)};
    members_view_make(answers, 2, &view);
    assert_true(view.count == 2 && view.leader == 0 && view.member_count == 0);
    assert_false(members_are_voters(&view));
    assert_int_equal(view.rows[1].membership, PLX_NO_CLUSTER);
    members_view_make(answers, 0, &view);
    assert_false(members_are_voters(&view));
}

static void test_cli_members_writes_addresses_of_both_kinds(void **state)
{
    (void)state;
    struct plx_members answers[] = {answer_of(1)};
    static const uint8_t ipv6[16] = {0xfd, [15] = 1};
    memcpy(answers[0].members[0].ip, ipv6, sizeof(ipv6));
    answers[0].members[1].port = 0;
    members_view_make(answers, 1, &view);
    assert_string_equal(view.rows[0].address, "[fd00::1]:7400");
    assert_string_equal(view.rows[1].address, "");
}

static void test_cli_members_names_memberships(void **state)
{
    (void)state;
    assert_string_equal(membership_text(PLX_NO_MEMBER), "no member");
    assert_string_equal(membership_text(PLX_VOTER), "voter");
    assert_string_equal(membership_text(PLX_NO_CLUSTER), "no cluster");
    assert_string_equal(membership_text(PLX_SET_BACK), "set back");
    assert_string_equal(membership_text(PLX_ERA_OVER), "era over");
    assert_string_equal(membership_text(PLX_ERA_OVER + 1), "?");
}

static void test_cli_members_parses_a_node(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0", "256", "-1", "3x", " 3", "99999999999999999999"};
    uint16_t node = 77;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(members_node_parse(bad[i], &node));
    assert_int_equal(node, 77);
    assert_true(members_node_parse("255", &node));
    assert_int_equal(node, 255);
}

static void test_members_at_finds_who_has_the_address(void **state)
{
    (void)state;
    struct plx_members answers[1] = {leader_of(1)};
    struct plx_change change = {.action = PLX_CHANGE_UPDATE, .node = 3};
    for (uint16_t i = 0; i < 3; i++)
        answers[0].members[i].ip[15] = (uint8_t)(i + 1);
    members_view_make(answers, 1, &view);
    assert_null(members_at(&view, &change, 2)); /* it names no place */
    assert_true(members_address_parse("10.77.0.2:7401", &change));
    assert_int_equal(members_at(&view, &change, 2)->node, 2);
    assert_null(members_at(&view, &change, 1));
    assert_true(members_address_parse("10.77.0.3:7400", &change));
    assert_null(members_at(&view, &change, 2)); /* its own */
    assert_true(members_address_parse("10.77.0.4:7400", &change));
    assert_null(members_at(&view, &change, 2));
}

static void test_members_has_node_of_members_and_of_others(void **state)
{
    (void)state;
    const struct plx_members answers[2] = {leader_of(1), empty_of(4, 77)};
    members_view_make(answers, 2, &view);
    assert_true(members_has_node(&view, 2) && members_has_node(&view, 4));
    assert_false(members_has_node(&view, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cli_members_takes_the_word_of_the_leader),
        cmocka_unit_test(test_cli_members_of_two_leaders_takes_the_newer),
        cmocka_unit_test(test_cli_members_shows_a_storage_that_is_no_member),
        cmocka_unit_test(test_cli_members_follows_a_replacement),
        cmocka_unit_test(test_cli_members_replace_names_what_is_in_the_way),
        cmocka_unit_test(test_cli_members_without_a_cluster),
        cmocka_unit_test(test_cli_members_writes_addresses_of_both_kinds),
        cmocka_unit_test(test_cli_members_names_memberships),
        cmocka_unit_test(test_cli_members_parses_a_node),
        cmocka_unit_test(test_members_at_finds_who_has_the_address),
        cmocka_unit_test(test_members_has_node_of_members_and_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
