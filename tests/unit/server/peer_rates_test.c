/* What clients may ask is no limit for nodes: on real lanes and ports, the network in one thread
 * (tests/unit/server/lanes_stage.h). A client may ask for less in a second than the heartbeats of a
 * leader and their answers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/server/lanes_stage.h"

#define RATE    5u /* operations a second; a leader sends 20 heartbeats */
#define STEP_NS UINT64_C(10000000)
#define STEPS   500u

static struct lanes_stage stage;
static struct gauge_cluster *const cluster = &stage.cluster;

static int setup(void **state)
{
    (void)state;
    lanes_stage_open(&stage, &(struct gauge_options){.format_max = FORMAT_KNOWN,
                                                     .unproven_rate = GAUGE_UNPROVEN_RATE,
                                                     .client_rates = {.operations = RATE}});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lanes_stage_close(&stage);
    return 0;
}

static struct raft_status status_of(uint32_t host)
{
    struct raft_status status;
    replica_raft_status(lane_replica(cluster->lanes[host], 0), &status);
    return status;
}

static void test_peer_rates_are_none(void **state)
{
    (void)state;
    uint64_t term = status_of(cluster->leader).term;
    uint64_t messages[GAUGE_NODES_MAX];
    for (uint32_t host = 0; host < cluster->node_count; host++)
        messages[host] = lane_counters(cluster->lanes[host])->rx_messages;
    for (uint32_t step = 0; step < STEPS; step++) {
        cluster->now_ns += STEP_NS;
        for (uint32_t host = 0; host < cluster->node_count; host++) {
            gauge_cluster_turn(cluster, host);
            gauge_cluster_route(cluster, host);
        }
    }
    for (uint32_t host = 0; host < cluster->node_count; host++) {
        const struct lane_counters *counters = lane_counters(cluster->lanes[host]);
        assert_in_range(counters->rx_messages - messages[host], 2 * RATE * STEPS / 100, UINT32_MAX);
        assert_int_equal(counters->drop_rate, 0);
        assert_int_equal(status_of(host).term, term);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_rates_are_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
