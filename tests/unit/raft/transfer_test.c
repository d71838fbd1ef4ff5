/* Leadership transfer: thesis 3.10. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_transfer_hands_over_at_once(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_transfer(cluster, 1, 3), OK);
    assert_true(cluster_status(cluster, 1).is_transferring);
    cluster_settle(cluster); /* no clock: neither a timeout nor a pre-vote is waited for */
    assert_int_equal(cluster_leader(cluster), 3);
    assert_int_equal(cluster_status(cluster, 3).term, 2);
    assert_true(cluster_status(cluster, 3).has_own_commit);
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_FOLLOWER);
    assert_false(cluster_status(cluster, 1).is_transferring);
    cluster_free(cluster);
}

static void test_transfer_campaigns_without_pre_vote(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster->nodes[2].is_manual = true;
    struct raft_message message = cluster_message(RAFT_TIMEOUT_NOW, 1, 2, 1);
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    assert_int_equal(cluster_status(cluster, 2).role, RAFT_CANDIDATE);
    assert_int_equal(effects->now_count, 2);
    assert_int_equal(effects->after_count, 0);
    assert_true(effects->now[0].vote_request.is_transfer);
    assert_false(effects->now[0].vote_request.is_pre_vote);
    /* The message twice: the term has moved on. */
    assert_int_equal(cluster_receive(cluster, message, NULL), OK);
    assert_int_equal(cluster_status(cluster, 2).term, 2);
    /* Only the leader may ask. */
    message = cluster_message(RAFT_TIMEOUT_NOW, 2, 3, 1);
    assert_int_equal(cluster_receive(cluster, message, NULL), ERR_RANGE);
    cluster_free(cluster);
}

static void test_transfer_picks_the_most_up_to_date(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(5);
    for (uint16_t id = 2; id <= 5; id++)
        cluster_isolate(cluster, id, id != 4);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    for (uint16_t id = 2; id <= 5; id++)
        cluster_isolate(cluster, id, false);
    assert_int_equal(cluster_transfer(cluster, 1, 0), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_leader(cluster), 4);
    cluster_free(cluster);
}

static void test_transfer_catches_the_target_up_first(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    for (int i = 0; i < 50; i++)
        assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    cluster_isolate(cluster, 3, false);
    assert_int_equal(cluster_transfer(cluster, 1, 3), OK);
    assert_int_equal(cluster_find(cluster, RAFT_TIMEOUT_NOW, 3, 0), UINT32_MAX);
    cluster_run(cluster, 60 * MS);
    assert_int_equal(cluster_leader(cluster), 3);
    assert_int_equal(cluster_status(cluster, 3).last_index, 52);
    cluster_free(cluster);
}

static void test_transfer_refuses_what_it_must(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    assert_int_equal(cluster_transfer(cluster, 2, 3), ERR_NOT_LEADER);
    assert_int_equal(cluster_transfer(cluster, 1, 1), ERR_ARGUMENT);
    assert_int_equal(cluster_transfer(cluster, 1, 77), ERR_ARGUMENT);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_transfer(cluster, 1, 3), OK);
    assert_int_equal(cluster_transfer(cluster, 1, 2), ERR_BUSY);
    assert_int_equal(cluster_propose(cluster, 1), ERR_BUSY);
    assert_int_equal(cluster_read(cluster, 1, 1), OK); /* reads go on */
    cluster_settle(cluster);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(cluster->nodes[1].effects.read_released_id, 1);
    cluster_free(cluster);
}

static void test_transfer_gives_up(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    cluster_isolate(cluster, 3, true);
    assert_int_equal(cluster_transfer(cluster, 1, 3), OK);
    cluster_run(cluster, 99 * MS);
    assert_true(cluster_status(cluster, 1).is_transferring);
    cluster_run(cluster, 2 * MS);
    assert_false(cluster_status(cluster, 1).is_transferring);
    assert_int_equal(cluster_propose(cluster, 1), OK);
    assert_int_equal(cluster_leader(cluster), 1);
    cluster_free(cluster);
}

/* A lost message is made up for with the target's next reply. */
static void test_transfer_repeats_a_lost_message(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    assert_int_equal(cluster_transfer(cluster, 1, 2), OK);
    cluster->packet_count = 0;
    cluster_run(cluster, 30 * MS);
    assert_int_equal(cluster_leader(cluster), 2);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer_hands_over_at_once),
        cmocka_unit_test(test_transfer_campaigns_without_pre_vote),
        cmocka_unit_test(test_transfer_picks_the_most_up_to_date),
        cmocka_unit_test(test_transfer_catches_the_target_up_first),
        cmocka_unit_test(test_transfer_refuses_what_it_must),
        cmocka_unit_test(test_transfer_gives_up),
        cmocka_unit_test(test_transfer_repeats_a_lost_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
