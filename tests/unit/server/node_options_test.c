/* What a configuration makes of a node: where shards live, and what each of them gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/node_options.h"

static const struct node_start start = {.incarnation = 5, .seed = 7};

static struct config config_of(uint16_t shard_count, uint16_t lane_count)
{
    uint8_t ip[4] = {10, 77, 0, 2};
    struct config config = {
        .id = 2,
        .directory = "/tmp/x",
        .log_size_bytes = UINT64_C(1) << 30,
        .relaxed_size_bytes = UINT64_C(64) << 20,
        .cluster = "test",
        .election_timeout_min_ns = 150000000,
        .election_timeout_max_ns = 300000000,
        .heartbeat_interval_ns = 30000000,
        .shard_count = shard_count,
        .keys_max = 1000001,
        .store_size_bytes = UINT64_C(512) << 20,
        .sessions_max = 64,
        .session_ttl_ns = 1000000000,
        .peer_count = 1,
        .lane_count = lane_count,
    };
    config.peers[0] = (struct config_peer){.id = 2, .address = address_of_ipv4(ip, 7400)};
    return config;
}

static void test_node_options_put_each_shard_on_its_lane(void **state)
{
    (void)state;
    static struct node_options options;
    struct config config = config_of(5, 2);
    node_options_fill(&config, &start, &options);
    assert_int_equal(options.lane_count, 2);
    assert_int_equal(options.lanes[0].replica_count, 3);
    assert_int_equal(options.lanes[1].replica_count, 2);
    uint32_t seen = 0;
    for (uint16_t lane = 0; lane < 2; lane++) {
        const struct lane_options *of_lane = &options.lanes[lane];
        assert_int_equal(of_lane->port.queue, lane);
        assert_int_equal(of_lane->port.queue_count, 2);
        assert_int_equal(of_lane->port.udp_port_count, 5);
        for (uint32_t i = 0; i < of_lane->replica_count; i++) {
            const struct replica_options *replica = &of_lane->replicas[i];
            assert_int_equal(replica->shard, lane + 2 * i);
            assert_int_equal(replica->engine.shard, replica->shard);
            assert_int_equal(replica->engine.lane, lane);
            assert_int_equal(replica->log.identity.shard, replica->shard);
            seen |= 1u << replica->shard;
        }
    }
    assert_int_equal(seen, 31);
    assert_string_equal(options.log_names[4], "/tmp/x/shard-4.raft");
    assert_string_equal(options.journal_names[4], "/tmp/x/shard-4.journal");
}

static void test_node_options_name_the_files_of_a_single_shard(void **state)
{
    (void)state;
    static struct node_options options;
    struct config config = config_of(1, 1);
    node_options_fill(&config, &start, &options);
    assert_string_equal(options.lanes[0].replicas[0].log.path, "/tmp/x/shard-0.raft");
    assert_string_equal(options.lanes[0].replicas[0].journal.path, "/tmp/x/shard-0.journal");
    assert_int_equal(options.lanes[0].replicas[0].engine.keys_max, 1000001);
}

static void test_node_options_divide_what_is_given_to_the_node(void **state)
{
    (void)state;
    static struct node_options one;
    static struct node_options four;
    struct config config = config_of(1, 1);
    node_options_fill(&config, &start, &one);
    config = config_of(4, 1);
    node_options_fill(&config, &start, &four);
    uint64_t keys = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const struct replica_options *replica = &four.replicas[i];
        keys += replica->engine.keys_max;
        bytes += replica_arena_bytes(replica);
        assert_int_equal(replica->log.size_bytes, 256u << 20);
        assert_int_equal(replica->journal.size_bytes, 16u << 20);
        assert_int_equal(replica->engine.sessions_max, 64);
    }
    assert_in_range(keys, 1000001, 1000004);
    /* What each shard has for itself, whatever its size: batches, queues, slack of the store. */
    assert_true(bytes < replica_arena_bytes(&one.replicas[0]) * 3 / 2);
}

static void test_node_options_divide_the_capacity_as_the_limits(void **state)
{
    (void)state;
    static struct node_options same;
    static struct node_options larger;
    struct config config = config_of(3, 1);
    node_options_fill(&config, &start, &same);
    config.keys_capacity = 2000000;
    config.store_capacity_bytes = UINT64_C(1) << 30;
    config.sessions_capacity = 100;
    node_options_fill(&config, &start, &larger);
    const struct engine_options *engine = &larger.replicas[0].engine;
    assert_int_equal(engine->keys_max, same.replicas[0].engine.keys_max);
    assert_int_equal(engine->keys_capacity, 666667);
    assert_int_equal(engine->blocks_capacity, ((1u << 23) + 2) / 3);
    assert_int_equal(engine->sessions_capacity, 100);
    assert_int_equal(engine_fingerprint(engine), engine_fingerprint(&same.replicas[0].engine));
    assert_true(larger.replicas[0].snapshots.size_bytes > same.replicas[0].snapshots.size_bytes);
    assert_true(replica_arena_bytes(&larger.replicas[0]) > replica_arena_bytes(&same.replicas[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_options_put_each_shard_on_its_lane),
        cmocka_unit_test(test_node_options_name_the_files_of_a_single_shard),
        cmocka_unit_test(test_node_options_divide_what_is_given_to_the_node),
        cmocka_unit_test(test_node_options_divide_the_capacity_as_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
