/* See server/node_options.h. */
#include "server/node_options.h"

#include "base/check.h"
#include "base/prng.h"

#include <string.h>

/* A small store is not read over and over. */
#define SCRUB_PASS_NS UINT64_C(2000000000)
#define BIRTH_SALT    UINT64_C(0x6269727468)
#define START_SALT    UINT64_C(0x7374617274)

/* A whole number of pages, as log_open and journal_open take it. */
#define FILE_STEP_BYTES UINT64_C(4096)

static_assert(STORE_SIZE_BYTES_MAX / ENGINE_BLOCK_SIZE_BYTES <= STORE_BLOCKS_MAX,
              "every block of the largest store has a number");
static_assert(RELAXED_SIZE_BYTES_MAX / WIRE_OP_HEADER_SIZE_BYTES <= PENDING_WRITES_OPS_MAX,
              "every operation that the largest journal holds has a place in the queue");

/* A shard's part of what the configuration gives the node, rounded up to whole steps. */
static uint64_t part_of(uint64_t whole, uint16_t shard_count, uint64_t step)
{
    uint64_t part = (whole + shard_count - 1) / shard_count;
    return (part + step - 1) / step * step;
}

static void fill_raft(const struct config *config, uint64_t seed, struct replica_options *options)
{
    options->raft = (struct raft_options){
        .self = {.id = config->id},
        .founder_count = config->peer_count,
        .forms_none = config->is_joining,
        .election_timeout_min_ns = config->election_timeout_min_ns,
        .election_timeout_max_ns = config->election_timeout_max_ns,
        .heartbeat_interval_ns = config->heartbeat_interval_ns,
        .append_entries_max = APPEND_ENTRIES_MAX,
        .append_size_bytes_soft = APPEND_SIZE_BYTES_SOFT,
        .inflight_max = 64,
        .trail_runs_max = 65536,
        .format_max = FORMAT_KNOWN,
        .seed = seed,
    };
    for (uint32_t i = 0; i < config->peer_count; i++) {
        options->raft.founders[i] = config->peers[i].id;
        options->peers[i] = config->peers[i].address;
    }
}

static void fill_engine(const struct config *config, const struct node_start *start,
                        struct replica_options *options)
{
    uint16_t shards = config->shard_count;
    uint64_t blocks = config->store_size_bytes / ENGINE_BLOCK_SIZE_BYTES;
    uint64_t blocks_capacity = config->store_capacity_bytes / ENGINE_BLOCK_SIZE_BYTES;
    options->engine = (struct engine_options){
        .shard = options->shard,
        .shard_count = shards,
        .lane = options->shard % config->lane_count,
        .lane_count = config->lane_count,
        .incarnation = start->incarnation,
        .hash_key = start->hash_key,
        .keys_max = (uint32_t)part_of(config->keys_max, shards, 1),
        .blocks_max = (uint32_t)part_of(blocks, shards, 1),
        .sessions_max = config->sessions_max,
        .keys_capacity = (uint32_t)part_of(config->keys_capacity, shards, 1),
        .blocks_capacity = (uint32_t)part_of(blocks_capacity, shards, 1),
        .sessions_capacity = config->sessions_capacity,
        .session_ttl_ns = config->session_ttl_ns,
        .batches_inflight_max = 4096,
        .reads_pending_max = 4096,
    };
}

/* A number for each shard, never 0. */
static uint64_t draw(const struct node_start *start, uint16_t shard, uint64_t salt)
{
    struct prng prng;
    prng_init(&prng, start->seed ^ ((uint64_t)shard << 48 | salt));
    uint64_t drawn = prng_next(&prng);
    return drawn != 0 ? drawn : 1;
}

static void fill_replica(const struct config *config, const struct node_start *start,
                         uint16_t shard, struct node_options *node)
{
    struct lane_options *lane = &node->lanes[shard % config->lane_count];
    /* The lane reads through a const pointer what is filled here. */
    size_t at = (size_t)(lane->replicas - node->replicas) + lane->replica_count++;
    struct replica_options *options = &node->replicas[at];
    *options = (struct replica_options){
        .shard = shard,
        .cluster_id = wire_cluster_id(config->cluster),
        .board = &node->board,
        .medium_stall_ns = 4 * config->election_timeout_max_ns,
        .priority = (uint8_t)config->priority,
        .transfer_interval_ns = config->transfer_interval_ns,
    };
    if (start->security != NULL)
        options->security = *start->security;
    fill_raft(config, start->seed + shard, options);
    fill_engine(config, start, options);
    node_log_name(config, shard, node->log_names[shard]);
    node_journal_name(config, shard, node->journal_names[shard]);
    node_snapshot_name(config, shard, node->snapshot_names[shard]);
    node_identity_name(config, shard, node->identity_names[shard]);
    options->identity_path = node->identity_names[shard];
    size_t log_size_bytes = part_of(config->log_size_bytes, config->shard_count, FILE_STEP_BYTES);
    options->log = (struct log_options){
        .path = node->log_names[shard],
        .size_bytes = log_size_bytes,
        .segment_size_bytes = log_segment_size_bytes(log_size_bytes),
        .is_created = true,
        .birth = draw(start, shard, BIRTH_SALT),
        .start = draw(start, shard, START_SALT),
        .identity = {.cluster_id = options->cluster_id, .node = config->id, .shard = shard},
    };
    options->journal = (struct journal_options){
        .path = node->journal_names[shard],
        .size_bytes = part_of(config->relaxed_size_bytes, config->shard_count, FILE_STEP_BYTES),
    };
    options->snapshots = (struct snapshots_options){
        .path = node->snapshot_names[shard],
        .size_bytes = snapshots_file_bytes(engine_snapshot_bytes_max(&options->engine)),
    };
    options->snapshot_rate = config->snapshot_rate_bytes;
    options->scrub_pass_ns = SCRUB_PASS_NS;
    options->scrub_rate = config->scrub_bytes / config->shard_count;
    if (options->scrub_rate == 0 && config->scrub_bytes != 0)
        options->scrub_rate = 1;
}

static struct dp_port_options port_options(const struct config *config, uint16_t lane,
                                           struct dp_frame_port *frames)
{
    const struct config_peer *self = config_self(config);
    struct dp_port_options port = {
        .frames = frames,
        .queue = lane,
        .queue_count = config->lane_count,
        .udp_port_count = config->shard_count,
        .ipv4_prefix_bits = config->ipv4_prefix_bits,
        .ipv6_prefix_bits = config->ipv6_prefix_bits,
        .ipv6 = config->ipv6,
        .neighbours = config->neighbours,
        .neighbour_count = config->neighbour_count,
    };
    memcpy(port.gateway_ipv4, config->gateway_ipv4, sizeof(config->gateway_ipv4));
    port.ipv6.port = self->address.port;
    if (address_is_ipv4(&self->address))
        port.ipv4 = self->address;
    else
        port.ipv6 = self->address;
    return port;
}

void node_options_fill(const struct config *config, const struct node_start *start,
                       struct node_options *ret_options)
{
    CHECK(config->lane_count >= 1 && config->lane_count <= config->shard_count);
    CHECK(config->shard_count <= SHARDS_MAX);
    *ret_options = (struct node_options){.lane_count = config->lane_count};
    shard_directory_init(&ret_options->directory);
    membership_board_init(&ret_options->board, config->shard_count);
    struct replica_options *replicas = ret_options->replicas;
    for (uint16_t lane = 0; lane < config->lane_count; lane++) {
        ret_options->lanes[lane] = (struct lane_options){
            .lane = lane,
            .lane_count = config->lane_count,
            .shard_count = config->shard_count,
            .replicas = replicas,
            .directory = config->lane_count > 1 ? &ret_options->directory : NULL,
            .cookie_seed = start->cookie_seed,
            .unproven_rate = config->unproven_rate_bytes,
            .client_rates = {.operations = config->client_operations_rate,
                             .bytes = config->client_bytes_rate},
            .mtu_bytes = config->mtu_bytes,
            .port = port_options(config, lane, start->frames),
        };
        replicas += (config->shard_count - lane + config->lane_count - 1) / config->lane_count;
    }
    for (uint16_t shard = 0; shard < config->shard_count; shard++)
        fill_replica(config, start, shard, ret_options);
}
