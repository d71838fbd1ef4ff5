/* ReadIndex: thesis 6.4. */
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct raft_message echo(uint16_t from, uint64_t term, uint64_t round)
{
    struct raft_message message = cluster_message(RAFT_APPEND_REPLY, from, 1, term);
    message.append_reply.is_success = true;
    message.append_reply.match_index = 1;
    message.append_reply.round = round;
    return message;
}

static void test_read_is_released_by_a_majority(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(5);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_int_equal(cluster_propose(cluster, 1), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_read(cluster, 1, 7), OK);
    assert_int_equal(effects->now_count, 4); /* asked at once */
    assert_int_equal(effects->read_released_id, 0);
    uint64_t round = effects->now[0].append_request.round;
    assert_int_equal(cluster_receive(cluster, echo(2, 1, round), NULL), OK);
    assert_int_equal(effects->read_released_id, 0);
    assert_int_equal(cluster_receive(cluster, echo(2, 1, round), NULL), OK); /* twice is once */
    assert_int_equal(effects->read_released_id, 0);
    assert_int_equal(cluster_receive(cluster, echo(3, 1, round), NULL), OK);
    assert_int_equal(effects->read_released_id, 7);
    assert_int_equal(effects->read_released_index, 2);
    cluster_free(cluster);
}

/* Echoes of a round from before the read prove nothing about now. */
static void test_read_ignores_older_rounds(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_int_equal(cluster_read(cluster, 1, 1), OK);
    uint64_t round = effects->now[0].append_request.round;
    assert_int_equal(cluster_read(cluster, 1, 2), OK);
    assert_int_equal(effects->now[0].append_request.round, round + 1);
    assert_int_equal(cluster_receive(cluster, echo(2, 1, round), NULL), OK);
    assert_int_equal(effects->read_released_id, 1);
    assert_int_equal(cluster_receive(cluster, echo(3, 1, round), NULL), OK);
    assert_int_equal(effects->read_released_id, 1);
    assert_int_equal(cluster_receive(cluster, echo(3, 1, round + 1), NULL), OK);
    assert_int_equal(effects->read_released_id, 2);
    assert_int_equal(cluster_receive(cluster, echo(3, 1, round + 2), NULL), ERR_RANGE);
    cluster_free(cluster);
}

/* 6.4, step 1: before a record of its own term is committed a leader does not know what is. */
static void test_read_waits_for_the_first_own_commit(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new(3);
    cluster->nodes[2].is_manual = true;
    cluster->nodes[3].is_manual = true;
    cluster->now_ns = raft_deadline_ns(cluster->nodes[1].raft);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    while (cluster_status(cluster, 1).role != RAFT_LEADER) {
        cluster_settle(cluster);
        cluster_drain(cluster, 2);
    }
    cluster->packet_count = 0;
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_false(cluster_status(cluster, 1).has_own_commit);
    assert_int_equal(cluster_read(cluster, 1, 4), OK);
    uint64_t round = effects->now[0].append_request.round;
    struct raft_message reply = echo(2, 1, round);
    reply.append_reply.match_index = 0; /* leadership is confirmed, nothing is durable */
    assert_int_equal(cluster_receive(cluster, reply, NULL), OK);
    assert_int_equal(effects->read_released_id, 0);
    assert_int_equal(cluster_status(cluster, 1).quorum_contact_ns, 0); /* nor is it fresh */
    assert_int_equal(cluster_receive(cluster, echo(2, 1, round), NULL), OK);
    assert_true(cluster_status(cluster, 1).has_own_commit);
    assert_int_equal(cluster_status(cluster, 1).quorum_contact_ns, cluster->now_ns);
    assert_int_equal(effects->read_released_id, 4);
    assert_int_equal(effects->read_released_index, 1);
    cluster_free(cluster);
}

/* A deposed leader that does not know it yet answers nobody. */
static void test_read_is_not_released_by_a_deposed_leader(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    cluster_isolate(cluster, 1, true);
    cluster->nodes[1].is_alive = false; /* it sleeps while the others elect and commit */
    cluster_run(cluster, 90 * MS);
    cluster->nodes[1].is_alive = true;
    assert_int_equal(cluster_status(cluster, 1).role, RAFT_LEADER);
    assert_int_equal(cluster_read(cluster, 1, 9), OK);
    assert_int_equal(effects->read_released_id, 0);
    cluster_isolate(cluster, 1, false);
    cluster->nodes[1].is_alive = false;
    cluster_run(cluster, 100 * MS);
    cluster->nodes[1].is_alive = true;
    cluster_run(cluster, 50 * MS);
    assert_int_not_equal(cluster_leader(cluster), 1);
    assert_int_equal(cluster_status(cluster, 1).leader, cluster_leader(cluster));
    assert_int_equal(effects->read_released_id, 0);
    cluster_free(cluster);
}

static void test_read_releases_are_cleared_with_leadership(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_int_equal(cluster_read(cluster, 1, 3), OK);
    cluster_settle(cluster);
    assert_int_equal(cluster_tick(cluster, 1), OK);
    assert_int_equal(effects->read_released_id, 3);
    assert_int_equal(cluster_read(cluster, 1, 4), OK);
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    assert_int_equal(cluster_step(cluster, 1, event), OK);
    assert_int_equal(effects->read_released_id, 0);
    assert_int_equal(effects->read_released_index, 0);
    cluster_settle(cluster);
    assert_int_equal(effects->read_released_id, 0);
    assert_int_equal(cluster_read(cluster, 1, 5), ERR_NOT_LEADER);
    assert_int_equal(cluster_read(cluster, 2, 5), ERR_NOT_LEADER);
    cluster_free(cluster);
}

/* More rounds in flight than are told apart: the newest share one, and all are released in the
 * end. */
static void test_read_batches_without_bound(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft_effects *effects = &cluster->nodes[1].effects;
    assert_int_equal(cluster_read(cluster, 1, 1), OK);
    uint64_t first = effects->now[0].append_request.round;
    for (uint64_t id = 2; id <= 300; id++)
        assert_int_equal(cluster_read(cluster, 1, id), OK);
    cluster->packet_count = 0;
    assert_int_equal(cluster_receive(cluster, echo(2, 1, first + 9), NULL), OK);
    assert_int_equal(effects->read_released_id, 10);
    assert_int_equal(cluster_receive(cluster, echo(2, 1, first + 298), NULL), OK);
    assert_int_equal(effects->read_released_id, 63); /* the 64th slot waits for the last round */
    assert_int_equal(cluster_receive(cluster, echo(2, 1, first + 299), NULL), OK);
    assert_int_equal(effects->read_released_id, 300);
    cluster_free(cluster);
}

/* An echo of an older term's round must not confirm this term's. */
static void test_read_ignores_rounds_of_other_terms(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_new_led(3);
    const struct raft_effects *effects = &cluster->nodes[2].effects;
    struct raft_message higher = cluster_message(RAFT_APPEND_REQUEST, 3, 2, 2);
    assert_int_equal(cluster_receive(cluster, higher, NULL), OK);
    struct raft_message older = cluster_message(RAFT_APPEND_REQUEST, 1, 2, 1);
    older.append_request.round = 40;
    assert_int_equal(cluster_receive(cluster, older, NULL), OK);
    assert_int_equal(effects->now[0].term, 2);
    assert_int_equal(effects->now[0].append_reply.round, 0);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_is_released_by_a_majority),
        cmocka_unit_test(test_read_ignores_older_rounds),
        cmocka_unit_test(test_read_waits_for_the_first_own_commit),
        cmocka_unit_test(test_read_is_not_released_by_a_deposed_leader),
        cmocka_unit_test(test_read_releases_are_cleared_with_leadership),
        cmocka_unit_test(test_read_batches_without_bound),
        cmocka_unit_test(test_read_ignores_rounds_of_other_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
