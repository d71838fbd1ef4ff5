/* Peers' packets are received before those of clients, which lie before them in the port: on real
 * lanes and ports, the network in one thread (tests/unit/server/lanes_stage.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"

#define FLOOD 400u /* of the 512 places of a port */
#define BYTES 64

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;

static int setup(void **state)
{
    (void)state;
    lanes_stage_open(&stage, &(struct gauge_options){.format_max = 0});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

/* Packets that are no packets: what matters is how many. */
static void flood(uint32_t host, uint32_t count)
{
    const struct address to = gauge_cluster_address(host);
    for (uint32_t i = 1; i <= count; i++) {
        uint8_t *room = dp_port_tx_reserve(cluster->client, 0, &to);
        assert_non_null(room);
        memset(room, 0, BYTES);
        dp_port_tx_commit(cluster->client, BYTES);
        if (i % 16 != 0 && i != count)
            continue;
        dp_port_tx_flush(cluster->client);
        gauge_cluster_route(cluster, cluster->node_count);
    }
}

static uint64_t commit_index(void)
{
    struct raft_status status;
    replica_raft_status(lane_replica(cluster->lanes[cluster->leader], 0), &status);
    return status.commit_index;
}

static void begin_set(void)
{
    gauge_cluster_send_set(cluster, 0, span_of("key", 3), span_of("value", 5));
    gauge_cluster_turn(cluster, cluster->leader);
    gauge_cluster_route(cluster, cluster->leader);
    for (uint32_t i = 0; i < cluster->node_count - 1; i++)
        gauge_cluster_turn(cluster, cluster->followers[i]);
}

/* The followers' replies come to the leader behind a flood: one turn reads them. */
static void test_peers_first_behind_a_flood(void **state)
{
    (void)state;
    const struct lane *leader = cluster->lanes[cluster->leader];
    begin_set();
    uint64_t before = commit_index();
    flood(cluster->leader, FLOOD);
    for (uint32_t i = 0; i < cluster->node_count - 1; i++)
        gauge_cluster_route(cluster, cluster->followers[i]);
    uint64_t dropped = lane_counters(leader)->drop_magic;
    gauge_cluster_turn(cluster, cluster->leader);
    assert_int_equal(commit_index(), before + 1);
    /* Of the flood it has looked at a burst; the rest waits. */
    assert_int_equal(lane_counters(leader)->drop_magic - dropped, RX_BURST_MAX);
    assert_int_equal(lane_clients_waiting(leader), FLOOD - RX_BURST_MAX);
    gauge_cluster_route(cluster, cluster->leader);
    gauge_cluster_take_answer(cluster);
    for (uint32_t i = 0; i < FLOOD / RX_BURST_MAX; i++) {
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
    }
    assert_int_equal(lane_clients_waiting(leader), 0);
    assert_int_equal(lane_counters(leader)->drop_magic - dropped, FLOOD);
    assert_int_equal(lane_counters(leader)->drop_clients, 0);
}

/* More than can wait is dropped and counted, and the port is empty nevertheless. */
static void test_peers_first_drops_what_finds_no_place(void **state)
{
    (void)state;
    const struct lane *leader = cluster->lanes[cluster->leader];
    for (uint32_t i = 0; i < 4; i++) {
        flood(cluster->leader, FLOOD);
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
    }
    assert_int_equal(lane_counters(leader)->drop_clients + lane_clients_waiting(leader),
                     4 * FLOOD - 4 * RX_BURST_MAX);
    assert_true(lane_counters(leader)->drop_clients > 0);
    begin_set(); /* it waits behind the flood, and comes */
    for (uint32_t i = 0; i < 100 && lane_clients_waiting(leader) > 0; i++) {
        gauge_cluster_turn(cluster, cluster->leader);
        gauge_cluster_route(cluster, cluster->leader);
    }
    assert_int_equal(lane_clients_waiting(leader), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers_first_behind_a_flood),
        cmocka_unit_test(test_peers_first_drops_what_finds_no_place),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
