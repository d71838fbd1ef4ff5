/*
 * Random schedules over fixed seeds: loss, duplication, reordering, cuts, late durability, crashes
 * that keep only what was durable, and crashes that keep nothing, of fewer nodes at a time than a
 * majority. The harness checks election safety, leader append-only, leader
 * completeness, state machine safety and reads after every step (paper, figure 3); log matching is
 * checked here. After the faults stop, the cluster must elect, commit and converge.
 */
#include "base/prng.h"
#include "tests/unit/raft/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define SEEDS       300
#define STEPS       4000
#define CRASHES_MAX 400

struct odds { /* of a million, each step */
    uint32_t loss;
    uint32_t duplicate;
    uint32_t crash;
    uint32_t cut;
    uint32_t drain;
    uint32_t lost; /* of the crashes */
};

static uint64_t read_next;
/* Lost its log and has not been settled, durably, since. */
static bool is_lost[NODES_MAX + 1];

static uint16_t pick_node(struct cluster *cluster, struct prng *prng)
{
    return (uint16_t)prng_range(prng, 1, cluster->node_count);
}

static void make_cluster_random(struct cluster *cluster, struct prng *prng)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        struct raft_options *options = &cluster->nodes[id].options;
        cluster_crash(cluster, id);
        options->election_timeout_min_ns = 100 * MS;
        options->election_timeout_max_ns = 200 * MS;
        options->seed = prng_next(prng);
        options->inflight_max = (uint32_t)prng_range(prng, 1, 6);
        options->append_entries_max = (uint32_t)prng_range(prng, 1, 8);
        cluster->nodes[id].is_manual = true;
        cluster_start(cluster, id, false);
    }
}

static void touch_network(struct cluster *cluster, struct prng *prng, const struct odds *odds)
{
    if (cluster->packet_count == 0)
        return;
    uint32_t reach = cluster->packet_count < 24 ? cluster->packet_count : 24;
    uint32_t at = (uint32_t)prng_range(prng, 0, reach - 1);
    if (prng_chance(prng, odds->loss)) {
        cluster_drop(cluster, at);
        return;
    }
    if (prng_chance(prng, odds->duplicate) && cluster->packet_count < CLUSTER_PACKETS_MAX / 2) {
        cluster->packets[cluster->packet_count] = cluster->packets[at];
        cluster->packet_count++;
    }
    cluster_deliver(cluster, at);
}

static void crash(struct cluster *cluster, struct prng *prng, const struct odds *odds, uint16_t id)
{
    uint32_t lost_count = 0;
    cluster_crash(cluster, id);
    for (uint16_t i = 1; i <= cluster->node_count; i++)
        lost_count += is_lost[i] && i != id;
    if (!prng_chance(prng, odds->lost) || lost_count + 1 > cluster->node_count / 2)
        return;
    cluster_write(cluster, id, (struct raft_hard_state){0}, (const uint64_t[]){0});
    is_lost[id] = true;
}

static void drain(struct cluster *cluster, uint16_t id)
{
    cluster_drain(cluster, id);
    if (!cluster_status(cluster, id).is_tail_suspect)
        is_lost[id] = false;
}

static void touch_node(struct cluster *cluster, struct prng *prng, const struct odds *odds)
{
    uint16_t id = pick_node(cluster, prng);
    struct cluster_node *node = &cluster->nodes[id];
    if (!node->is_alive) {
        /* A node may doubt a tail that is whole: then it must only be slower to trust. */
        if (prng_chance(prng, 100000))
            cluster_start(cluster, id, prng_chance(prng, 300000) || is_lost[id]);
        return;
    }
    if (prng_chance(prng, odds->crash)) {
        crash(cluster, prng, odds, id);
        return;
    }
    if (raft_deadline_ns(node->raft) <= cluster->now_ns || raft_has_backlog(node->raft))
        assert_int_equal(cluster_tick(cluster, id), OK);
    if (prng_chance(prng, odds->drain))
        drain(cluster, id);
}

static void touch_client(struct cluster *cluster, struct prng *prng)
{
    uint16_t id = pick_node(cluster, prng);
    if (!cluster->nodes[id].is_alive)
        return;
    enum error error = OK;
    switch (prng_range(prng, 0, 9)) {
    case 0:
        error =
            cluster_transfer(cluster, id, prng_chance(prng, 500000) ? 0 : pick_node(cluster, prng));
        break;
    case 1:
        error = cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_STEP_DOWN});
        break;
    case 2:
    case 3:
        error = cluster_read(cluster, id, ++read_next);
        break;
    default:
        error = cluster_propose(cluster, id);
        break;
    }
    assert_true(error == OK || error == ERR_NOT_LEADER || error == ERR_BUSY ||
                error == ERR_ARGUMENT);
}

static void heal(struct cluster *cluster)
{
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        cluster_isolate(cluster, id, false);
        if (!cluster->nodes[id].is_alive)
            cluster_start(cluster, id, is_lost[id]);
        cluster->nodes[id].is_manual = false;
        cluster_drain(cluster, id);
    }
    cluster_run(cluster, 3000 * MS);
    uint16_t leader = cluster_leader(cluster);
    assert_int_not_equal(leader, 0);
    if (cluster_status(cluster, leader).is_transferring)
        cluster_run(cluster, 1000 * MS);
    leader = cluster_leader(cluster);
    assert_int_equal(cluster_propose(cluster, leader), OK);
    cluster_run(cluster, 100 * MS);
    uint64_t last = cluster_status(cluster, leader).last_index;
    for (uint16_t id = 1; id <= cluster->node_count; id++) {
        assert_int_equal(cluster_status(cluster, id).commit_index, last);
        assert_int_equal(cluster_status(cluster, id).last_index, last);
    }
}

static void run_seed(uint64_t seed, uint64_t *ret_committed)
{
    struct prng prng;
    prng_init(&prng, seed);
    struct cluster *cluster = cluster_new((uint32_t)prng_range(&prng, 1, 5));
    make_cluster_random(cluster, &prng);
    memset(is_lost, 0, sizeof(is_lost));
    struct odds odds = {
        .loss = (uint32_t)prng_range(&prng, 0, 150000),
        .duplicate = (uint32_t)prng_range(&prng, 0, 100000),
        .crash = (uint32_t)prng_range(&prng, 0, 3000),
        .cut = (uint32_t)prng_range(&prng, 0, 3000),
        .drain = (uint32_t)prng_range(&prng, 100000, 1000000),
        .lost = (uint32_t)prng_range(&prng, 0, 500000),
    };
    for (uint32_t step = 0; step < STEPS; step++) {
        cluster->now_ns += prng_range(&prng, 0, 2 * MS);
        for (uint32_t i = 0; i < 3; i++)
            touch_network(cluster, &prng, &odds);
        touch_node(cluster, &prng, &odds);
        if (prng_chance(&prng, 200000))
            touch_client(cluster, &prng);
        if (prng_chance(&prng, odds.cut)) {
            uint16_t from = pick_node(cluster, &prng);
            uint16_t to = pick_node(cluster, &prng);
            cluster->is_cut[from][to] = !cluster->is_cut[from][to];
        }
        if (step % 100 == 0)
            cluster_check_log_matching(cluster);
    }
    heal(cluster);
    cluster_check_log_matching(cluster);
    *ret_committed += cluster->committed_last;
    cluster_free(cluster);
}

static void test_random_keeps_every_promise(void **state)
{
    (void)state;
    uint64_t committed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, &committed);
    print_message("%d seeds, %llu records committed\n", SEEDS, (unsigned long long)committed);
    assert_true(committed > SEEDS * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_keeps_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
