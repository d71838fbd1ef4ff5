/*
 * A lane's life: everything it will ever need is taken in lane_open, replica by replica and in
 * layer order, then sealed.
 */
#include "engine/state/rcu.h"
#include "server/lane_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool are_options_valid(const struct lane_options *options)
{
    if (options->replica_count < 1 || options->replica_count > SHARDS_MAX ||
        options->shard_count > SHARDS_MAX || options->lane_count < 1)
        return false;
    for (uint32_t i = 0; i < options->replica_count; i++) {
        uint16_t shard = options->replicas[i].shard;
        if (shard >= options->shard_count || shard % options->lane_count != options->lane)
            return false;
        if (i > 0 && shard <= options->replicas[i - 1].shard)
            return false;
    }
    return true;
}

static bool tells_clients_apart(const struct lane_options *options)
{
    return options->replicas[0].security.clients != SECURITY_NONE;
}

static bool has_rates(const struct lane_options *options)
{
    return options->client_rates.operations != 0 || options->client_rates.bytes != 0;
}

/* A lane's share of what a client may ask of the node: never nothing. */
static uint64_t share_of_lane(const struct lane_options *options, uint64_t rate)
{
    return rate == 0 ? 0 : (rate + options->lane_count - 1) / options->lane_count;
}

static void open_rates(struct lane *lane, const struct lane_options *options)
{
    const struct client_rates_limits limits = {
        .operations = share_of_lane(options, options->client_rates.operations),
        .bytes = share_of_lane(options, options->client_rates.bytes)};
    if (has_rates(options))
        lane->shared.rates = client_rates_init(&lane->shared.arena, &options->cookie_seed, &limits);
}

static uint16_t lane_mtu(const struct lane_options *options)
{
    return options->mtu_bytes == 0 ? MTU_USUAL : options->mtu_bytes;
}

static size_t arena_bytes(const struct lane_options *options)
{
    size_t bytes = reassembly_arena_bytes(LANE_PEER_SLOTS) +
                   reassembly_arena_bytes(LANE_CLIENT_SLOTS) +
                   client_queue_arena_bytes(path_limit_of_mtu(lane_mtu(options))) +
                   MESSAGE_SIZE_BYTES_MAX + sent_messages_arena_bytes() +
                   engine_reader_arena_bytes() + 4096; /* alignment of the parts */
    for (uint32_t i = 0; i < options->replica_count; i++)
        bytes += replica_arena_bytes(&options->replicas[i]);
    if (tells_clients_apart(options))
        bytes += lane_rights_arena_bytes();
    if (has_rates(options))
        bytes += client_rates_arena_bytes();
    return bytes;
}

static enum error open_replicas(struct lane *lane, const struct lane_options *options,
                                struct lane_report *report)
{
    for (uint32_t i = 0; i < options->replica_count; i++) {
        struct replica *replica;
        report->shard = options->replicas[i].shard;
        enum error error = replica_open(&options->replicas[i], &lane->shared, &replica,
                                        report->reason, sizeof(report->reason));
        if (error != OK)
            return error;
        uint32_t place = lane->replica_count++;
        lane->replicas[place] = replica;
        lane->shared.replicas[report->shard] = replica;
        lane->place_of[report->shard] = (uint8_t)place;
        lane->deadlines_ns[place] = 0; /* all take part in the first turn */
    }
    return OK;
}

/* The other lanes find this lane's engines from now on. */
static void publish_engines(struct lane *lane, struct shard_directory *directory)
{
    lane->directory = directory;
    for (uint32_t i = 0; i < lane->replica_count && directory != NULL; i++) {
        struct replica *replica = lane->replicas[i];
        shard_directory_publish(directory, replica_shard(replica), replica_engine(replica));
    }
}

/* No other lane reads them any more when this returns. */
static void withdraw_engines(struct lane *lane)
{
    if (lane->directory == NULL)
        return;
    for (uint32_t i = 0; i < lane->replica_count; i++)
        shard_directory_withdraw(lane->directory, replica_shard(lane->replicas[i]));
    rcu_wait();
}

/* What sealing needs, where any replica seals. */
static enum error open_security(struct lane *lane, const struct lane_options *options,
                                struct lane_report *report)
{
    bool is_any = false;
    for (uint32_t i = 0; i < options->replica_count; i++)
        is_any |= options->replicas[i].security.mode != SECURITY_NONE ||
                  options->replicas[i].security.clients != SECURITY_NONE;
    if (!is_any)
        return OK;
    enum error error = seal_engine_init(&lane->shared.engine);
    if (error == OK)
        error = fork_guard_init(&lane->shared.guard);
    if (error != OK)
        snprintf(report->reason, sizeof(report->reason),
                 "lane %u: cannot seal packets: %s: see docs/security.md", options->lane,
                 error_text(error));
    return error;
}

static enum error open_parts(struct lane *lane, const struct lane_options *options,
                             struct lane_report *report)
{
    struct arena *arena = &lane->shared.arena;
    size_t size_bytes = arena_bytes(options);
    enum error error = arena_init(arena, size_bytes);
    if (error != OK) {
        snprintf(report->reason, sizeof(report->reason), "lane %u: cannot map %zuMiB of memory",
                 options->lane, size_bytes >> 20);
        return error;
    }
    error = open_security(lane, options, report);
    if (error == OK)
        error = open_replicas(lane, options, report);
    if (error != OK)
        return error;
    lane->from_peers = reassembly_init(arena, LANE_PEER_SLOTS);
    lane->from_clients = reassembly_init(arena, LANE_CLIENT_SLOTS);
    lane->client_queue = client_queue_init(arena, lane->shared.packet_bytes_max);
    lane_open_reader(lane, options);
    if (tells_clients_apart(options))
        lane_rights_init(&lane->shared.rights, arena);
    open_rates(lane, options);
    lane->shared.sent = sent_messages_init(arena);
    lane->shared.message_data = arena_take(arena, MESSAGE_SIZE_BYTES_MAX, 64);
    error =
        dp_port_open(&options->port, &lane->shared.port, report->reason, sizeof(report->reason));
    if (error != OK)
        return error;
    arena_seal(arena);
    publish_engines(lane, options->directory);
    return OK;
}

enum error lane_open(const struct lane_options *options, uint64_t now_ns, struct lane **ret_lane,
                     struct lane_report *ret_report)
{
    *ret_report = (struct lane_report){0};
    if (!are_options_valid(options)) {
        snprintf(ret_report->reason, sizeof(ret_report->reason),
                 "lane %u of %u: its shards are not those that lie on it", options->lane,
                 options->lane_count);
        return ERR_ARGUMENT;
    }
    struct lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        snprintf(ret_report->reason, sizeof(ret_report->reason), "lane %u: out of memory",
                 options->lane);
        return ERR_NO_MEMORY;
    }
    lane->lane = options->lane;
    lane->lane_count = options->lane_count;
    lane->shard_count = options->shard_count;
    lane->cluster_id = options->replicas[0].cluster_id;
    lane->format_max = options->replicas[0].raft.format_max;
    lane->needs_seals = options->replicas[0].security.clients == SECURITY_REQUIRED;
    lane->everything.is_free = true;
    lane->shared.now_ns = now_ns;
    lane_path_init(&lane->shared, lane_mtu(options), options->replicas[0].engine.incarnation);
    proof_init(&lane->shared.proof, &options->cookie_seed,
               options->unproven_rate / options->lane_count);
    lane->shared.proof.is_on = lane->format_max > 0; /* as the release before */
    host_budget_init(&lane->relays, &options->cookie_seed, RELAY_RATE / options->lane_count);
    memset(lane->place_of, LANE_NOWHERE, sizeof(lane->place_of));
    enum error error = open_parts(lane, options, ret_report);
    if (error != OK) {
        lane_close(lane);
        return error;
    }
    *ret_lane = lane;
    return OK;
}

void lane_close(struct lane *lane)
{
    if (lane->shared.port != NULL)
        dp_port_close(lane->shared.port);
    withdraw_engines(lane);
    for (uint32_t i = 0; i < lane->replica_count; i++)
        replica_close(lane->replicas[i]);
    fork_guard_deinit(&lane->shared.guard);
    arena_deinit(&lane->shared.arena);
    free(lane);
}

uint64_t lane_deadline_ns(const struct lane *lane)
{
    uint64_t earliest_ns = lane_ask_ns(lane);
    for (uint32_t i = 0; i < lane->replica_count; i++) {
        if (lane->deadlines_ns[i] < earliest_ns)
            earliest_ns = lane->deadlines_ns[i];
    }
    return earliest_ns;
}

void lane_resign(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->replica_count; i++) {
        replica_resign(lane->replicas[i]);
        lane->deadlines_ns[i] = 0; /* takes part in each turn from the next one on */
    }
}

bool lane_has_resigned(const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->replica_count; i++) {
        if (!replica_has_resigned(lane->replicas[i]))
            return false;
    }
    return true;
}

void lane_note_obstacle(struct lane *lane, const struct obstacle *obstacle)
{
    obstacles_note_lasting(&lane->shared.obstacles, obstacle, lane->shared.now_ns);
}

bool lane_next_obstacle(struct lane *lane, struct obstacle *ret_obstacle)
{
    return obstacles_next(&lane->shared.obstacles, lane->shared.now_ns, ret_obstacle);
}

uint32_t lane_replica_count(const struct lane *lane)
{
    return lane->replica_count;
}

const struct replica *lane_failed_replica(const struct lane *lane)
{
    return lane->failed;
}

struct replica *lane_replica(const struct lane *lane, uint32_t i)
{
    return lane->replicas[i];
}

uint32_t lane_clients_waiting(const struct lane *lane)
{
    return client_queue_count(lane->client_queue);
}

const struct lane_rights *lane_client_rights(const struct lane *lane)
{
    return &lane->shared.rights;
}

const struct lane_counters *lane_counters(const struct lane *lane)
{
    return &lane->counters;
}

const struct dp_counters *lane_port_counters(const struct lane *lane)
{
    return dp_port_counters(lane->shared.port);
}
