/* Nodes: their files, starts and deaths. */
#include "tests/sim/port_sim.h"
#include "tests/sim/rcu_sim.h"
#include "tests/sim/world.h"

#include "base/check.h"
#include "base/le.h"
#include "pmem/identity.h"

#include <stdio.h>

#define PENDING_MAX 2048 /* more than all clients write: a smaller index to build */
#define WALL_NS     1700000000000000000ull
#define START_SALT  UINT64_C(0x7374617274) /* even: a birth is odd */

/* ---- files ---- */

const char *node_file(const struct world *world, uint32_t number, uint32_t shard, uint32_t file)
{
    return world->nodes[number].files[shard][file].path;
}

static void files_name(struct world *world, struct sim_node *node)
{
    static const char *const suffixes[NODE_FILES] = {"", "-0", "-1", ".snapshot-0", ".snapshot-1"};
    for (uint32_t i = 0; i < world->draw.shards * NODE_FILES; i++) {
        struct node_file *file = &node->files[i / NODE_FILES][i % NODE_FILES];
        snprintf(file->path, sizeof(file->path), "%s%s",
                 node_path(world, node->number, i / NODE_FILES), suffixes[i % NODE_FILES]);
    }
}

const char *node_path(const struct world *world, uint32_t number, uint32_t shard)
{
    return world->overseers[shard].nodes[number].path;
}

struct replica *node_replica(const struct sim_node *node, uint32_t shard)
{
    const struct sim_lane *lane = &node->lanes[shard % node->lane_count];
    return node->is_running ? lane_replica(lane->lane, shard / node->lane_count) : NULL;
}

/* ---- life ---- */

/* Nodes differ where the draw says so. */
static uint32_t lane_count_of(const struct world *world, uint32_t number)
{
    if (world->draw.is_lanes_mixed == 0)
        return (uint32_t)world->draw.lanes;
    return 1 + (uint32_t)(digest_word(world->seed, 100 + number) % world->draw.lanes);
}

void node_make(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    *node = (struct sim_node){
        .number = number, .as = number, .lane_count = lane_count_of(world, number)};
    files_name(world, node);
    shard_directory_init(&node->directory);
    membership_board_init(&node->board, (uint16_t)world->draw.shards);
    for (uint32_t i = 0; i < node->lane_count; i++)
        node->lanes[i] = (struct sim_lane){.node = number, .number = i};
    world->network.lane_counts[number] = node->lane_count;
    node_clock_reset(world, node, true);
}

void node_init(struct world *world, uint32_t number)
{
    node_make(world, number);
    node_plan_boot(world, &world->nodes[number], 1 + prng_range(&world->prng, 0, 200000000));
}

void node_plan_boot(struct world *world, struct sim_node *node, uint64_t at_ns)
{
    agenda_plan(&world->agenda, &(struct event){.at_ns = at_ns,
                                                .kind = EVENT_BOOT,
                                                .who = node->number,
                                                .stamp = ++node->boot_stamp});
}

static struct raft_options raft_options_of(const struct world *world, const struct sim_node *node)
{
    const struct draw *draw = &world->draw;
    struct raft_options options = {.self = {.id = (uint16_t)(node->as + 1)},
                                   .forms_none = node->as >= draw_founders(draw),
                                   .election_timeout_min_ns = draw->election_min_ns,
                                   .election_timeout_max_ns = draw->election_max_ns,
                                   .heartbeat_interval_ns = draw->heartbeat_ns,
                                   .append_entries_max = (uint32_t)draw->append_entries_max,
                                   .append_size_bytes_soft = (uint32_t)draw->append_size_soft,
                                   .inflight_max = (uint32_t)draw->inflight_max,
                                   .trail_runs_max = 8192,
                                   .format_max = node->format_max};
    for (uint32_t left = node->peers; left != 0; left &= left - 1)
        options.founders[options.founder_count++] = (uint16_t)(__builtin_ctz(left) + 1);
    return options;
}

static uint8_t priority_of(const struct draw *draw, uint32_t number)
{
    if (draw->priority_seed == 0)
        return PRIORITY_DEFAULT;
    return (uint8_t)(digest_word(draw->priority_seed, number) % 3);
}

struct replica_options node_replica_options(struct world *world, const struct sim_node *node,
                                            uint32_t shard)
{
    const struct draw *draw = &world->draw;
    const char *path = node_path(world, node->number, shard);
    uint64_t birth = prng_next(&world->prng) | 1;
    struct replica_options options = {
        .shard = (uint16_t)shard,
        .cluster_id = world->cluster_id,
        .raft = raft_options_of(world, node),
        .engine = {.shard = (uint16_t)shard,
                   .shard_count = (uint16_t)draw->shards,
                   .lane = (uint16_t)(shard % node->lane_count),
                   .lane_count = (uint16_t)node->lane_count,
                   .incarnation = prng_next(&world->prng) | 1,
                   .hash_key = {{birth, node->number}},
                   .keys_max = SIM_KEYS_MAX,
                   .blocks_max = (uint32_t)draw->store_blocks,
                   .sessions_max = SIM_SESSIONS_MAX,
                   .keys_capacity = 2 * SIM_KEYS_MAX,
                   .blocks_capacity =
                       (uint32_t)draw->store_blocks * (draw->limits_weight > 0 ? 2 : 1),
                   .sessions_capacity = 2 * SIM_SESSIONS_MAX,
                   .session_ttl_ns = draw->session_ttl_ns,
                   .batches_inflight_max = (uint32_t)draw->batches_inflight_max,
                   .reads_pending_max = (uint32_t)draw->reads_pending_max,
                   .pending_max = PENDING_MAX,
                   .hooks = witness_hooks(&world->witness, shard)},
        .log = {.path = path,
                .size_bytes = draw->log_bytes,
                .segment_size_bytes = draw->segment_bytes,
                .is_created = node->boots == 0 || node->is_recreated[shard],
                .birth = birth,
                .start = birth ^ START_SALT,
                .identity = {.cluster_id = world->cluster_id, .node = (uint16_t)(node->as + 1)}},
        .identity_path = world->overseers[shard].nodes[node->number].identity_path,
        .journal = {.path = path, .size_bytes = JOURNAL_SIZE_BYTES_MIN},
        .snapshots = {.path = world->overseers[shard].nodes[node->number].snapshot_path},
        .snapshot_rate = draw->snapshot_rate,
        .scrub_rate = draw->scrub_rate,
        .scrub_pass_ns = draw->scrub_pass_ns,
        .priority = priority_of(draw, node->as),
        .transfer_interval_ns = draw->transfer_interval_ns,
        .board = &world->nodes[node->number].board,
        .medium_stall_ns = 4 * draw->election_max_ns};
    options.raft.seed = prng_next(&world->prng);
    options.security = security_options_of(world, node);
    options.snapshots.size_bytes = snapshots_file_bytes(engine_snapshot_bytes_max(&options.engine));
    for (uint32_t i = 0; i < options.raft.founder_count; i++)
        options.peers[i] = network_address(options.raft.founders[i] - 1u);
    return options;
}

static void recovery_count(struct world *world, const struct replica_recovery *found)
{
    const struct log_recovery *recovery = &found->log;
    world->tally->journal_entries_restored += found->journal.entries;
    world->tally->journals_damaged += found->journal.is_damaged;
    world->tally->recoveries_suspect += recovery->is_suspect;
    world->tally->recoveries_torn += recovery->torn_bytes > 0;
    world->tally->recoveries_with_a_hole += recovery->hole_first_index != 0;
}

static void node_note_down(struct world *world, const struct sim_node *node)
{
    uint32_t bit = 1u << node->number;
    struct client_world *clients = &world->client_world;
    clients->nodes_down = node->is_running ? clients->nodes_down & ~bit : clients->nodes_down | bit;
}

void node_give_up(struct world *world, struct sim_node *node)
{
    node->is_gone = true;
    world->client_world.nodes_gone |= 1u << node->number;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        history_lose(&world->history, &(struct history_loss){.node = (uint16_t)(node->number + 1),
                                                             .shard = shard,
                                                             .at_ns = world_now_ns(world)});
}

static void boot_refused(struct world *world, struct sim_node *node, enum error error,
                         const char *reason)
{
    world->tally->boots_refused++;
    verdict_say(&world->verdict, "n%u refuses to start: %s", node->number + 1, reason);
    node_give_up(world, node);
    if (!node->is_unlucky)
        verdict_break(&world->verdict, RULE_RECOVERY, "node %u: %s: %s", node->number + 1,
                      error_name(error), reason);
}

/* What the journal of a shard misses from here on. */
static void journal_look(struct world *world, struct sim_node *node, uint32_t shard,
                         const struct replica_recovery *found)
{
    const struct journal_recovery *journal = &found->journal;
    world->tally->journals_set_aside += found->aside.series != 0;
    bool is_hurt = node->is_journal_hurt[shard] || journal->is_damaged;
    if (journal->is_damaged && !node->is_journal_hurt[shard] && !node->is_journal_rotten[shard])
        verdict_break(&world->verdict, RULE_RECOVERY, "node %u: its journal is whole, but: %s",
                      node->number + 1, journal->note);
    if (is_hurt || found->aside.series != 0)
        history_lose(&world->history, &(struct history_loss){.node = (uint16_t)(node->number + 1),
                                                             .shard = shard,
                                                             .at_ns = world_now_ns(world)});
    node->is_journal_hurt[shard] = false;
    node->is_journal_rotten[shard] &= found->aside.series == 0;
}

static void recovery_tell(struct world *world, uint32_t number, const struct replica *replica)
{
    const struct replica_recovery *found = replica_recovery(replica);
    verdict_say(&world->verdict,
                "n%u starts shard %u: last %llu term %llu vote %llx commit %llu%s %s, %llu "
                "relaxed entries %s",
                number + 1, replica_shard(replica), (unsigned long long)found->log.last_index,
                (unsigned long long)found->log.term, (unsigned long long)found->log.vote,
                (unsigned long long)found->log.commit_index,
                found->log.is_suspect ? " suspect" : "", found->log.note,
                (unsigned long long)found->journal.entries, found->journal.note);
}

/* What the node finds of a shard when it starts. */
static void shard_look(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct replica *replica = node_replica(node, shard);
    recovery_count(world, replica_recovery(replica));
    recovery_tell(world, node->number, replica);
    overseer_forget(&world->overseers[shard], node->number);
    overseer_look(&world->overseers[shard], node->number, replica);
}

static void lanes_close(struct sim_node *node)
{
    for (uint32_t i = 0; i < node->lane_count; i++) {
        rcu_sim_run(node->number, i);
        if (node->lanes[i].lane != NULL)
            lane_close(node->lanes[i].lane);
        node->lanes[i].lane = NULL;
    }
    rcu_sim_end(node->number);
}

/* As polluxd --init makes them, before the first start. */
static void identities_make(const struct replica_options *replicas, uint32_t replica_count)
{
    char note[256];
    for (uint32_t i = 0; i < replica_count; i++)
        CHECK(identity_make(replicas[i].identity_path, &replicas[i].log.identity, note,
                            sizeof(note)) == OK);
}

/* Whose turn the witness sees. */
uint16_t node_witness(const struct world *world, const struct sim_node *node)
{
    return duplicate_is(world, node) ? 0 : (uint16_t)(node->number + 1);
}

/* In half of the runs nobody is answered who shows no cookie. The attacker has the rest. */
static uint64_t unproven_rate_of(const struct world *world)
{
    return digest_word(world->seed, 0x70726f6f66u) % 2 == 0 ? 0 : UINT64_C(256) << 10;
}

static struct secret cookie_seed_of(const struct world *world, const struct sim_node *node)
{
    struct secret seed = {.bytes = {1}};
    le64_store(seed.bytes + 8, digest_word(world->seed, node->incarnation));
    return seed;
}

static enum error lane_boot(struct world *world, struct sim_lane *lane,
                            struct lane_report *ret_report)
{
    struct sim_node *node = &world->nodes[lane->node];
    struct replica_options replicas[SIM_SHARDS_MAX];
    uint32_t replica_count = 0;
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += node->lane_count)
        replicas[replica_count++] = node_replica_options(world, node, shard);
    /* One for the whole node, as in production. */
    if (lane->number == 0 && replica_count > 0)
        node->incarnation = replicas[0].engine.incarnation;
    for (uint32_t i = 0; i < replica_count; i++)
        replicas[i].engine.incarnation = node->incarnation;
    struct lane_options options = {.lane = (uint16_t)lane->number,
                                   .lane_count = (uint16_t)node->lane_count,
                                   .shard_count = (uint16_t)world->draw.shards,
                                   .replicas = replicas,
                                   .replica_count = replica_count,
                                   .directory = &node->directory,
                                   .cookie_seed = cookie_seed_of(world, node),
                                   .unproven_rate = unproven_rate_of(world),
                                   .client_rates = {.operations = world->draw.client_operations,
                                                    .bytes = world->draw.client_bytes},
                                   .mtu_bytes = (uint16_t)world->draw.node_mtu,
                                   .port = {.queue = lane->number,
                                            .queue_count = node->lane_count,
                                            .udp_port_count = (uint16_t)world->draw.shards,
                                            .ipv4 = network_address(node->as),
                                            .ipv4_prefix_bits = 24}};
    if (node->boots == 0)
        identities_make(replicas, replica_count);
    rcu_sim_run(node->number, lane->number);
    port_sim_open_as(node->number);
    enum error error = lane_open(&options, node_clock_ns(world, node), &lane->lane, ret_report);
    if (error != OK)
        lane->lane = NULL;
    lane->turn_at_ns = 0;
    lane->idle_in_a_row = 0;
    lane->busy_until_ns = 0;
    lane->held_until_ns = 0;
    return error;
}

/* A node that joins knows the founders, and itself. In some runs the [peers] of nodes that have
 * belonged to the cluster lacks lines, until all is healed and an operator has corrected it. */
static void peers_draw(struct world *world, struct sim_node *node)
{
    uint32_t self = UINT32_C(1) << node->as;
    uint32_t all = ((UINT32_C(1) << draw_founders(&world->draw)) - 1) | self;
    uint32_t chance = (uint32_t)world->draw.short_peers_chance;
    node->peers = all;
    if (world->is_healed || !node->is_identified || chance == 0 ||
        !prng_chance(&world->fault_prng, chance))
        return;
    node->peers = ((uint32_t)prng_next(&world->fault_prng) & all) | self;
    world->tally->boots_with_short_peers += node->peers != all;
}

/* As the main thread of a node does. */
static void identities_note(struct world *world, struct sim_node *node)
{
    char note[256];
    node->is_identified = true;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        const struct replica *replica = node_replica(node, shard);
        const struct log_identity owner = {.cluster_id = world->cluster_id,
                                           .node = (uint16_t)(node->as + 1)};
        uint64_t formed = replica_formed(replica);
        node->is_identified &= formed != 0 || replica_forms_none(replica);
        if (formed != 0)
            CHECK(identity_note_formed(world->overseers[shard].nodes[node->number].identity_path,
                                       &owner, formed, note, sizeof(note)) == OK);
    }
}

enum error node_open(struct world *world, struct sim_node *node, struct lane_report *ret_report)
{
    enum error error = OK;
    CHECK(!node->is_running);
    peers_draw(world, node);
    upgrade_draw(world, node);
    security_draw(world, node);
    medium_sim_set_now(world->media, world_now_ns(world));
    witness_begin(&world->witness, node_witness(world, node));
    for (uint32_t i = 0; i < node->lane_count && error == OK; i++)
        error = lane_boot(world, &node->lanes[i], ret_report);
    witness_end(&world->witness);
    node->boots++;
    node->is_running = error == OK;
    if (error != OK)
        lanes_close(node);
    else
        upgrade_note_boot(world, node);
    return error;
}

void node_close(struct world *world, struct sim_node *node)
{
    world->network.is_muted[node->number] = true;
    for (uint32_t i = 0; i < node->lane_count; i++) {
        node->lanes[i].turn_stamp++;
        node->lanes[i].turn_at_ns = 0;
    }
    lanes_close(node);
    world->network.is_muted[node->number] = false;
    node->is_running = false;
}

void node_boot(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    struct lane_report report;
    if (node->is_gone || node->is_away)
        return;
    enum error error = node_open(world, node, &report);
    if (error != OK && upgrade_is_refused(world, node, error, report.reason))
        return;
    if (error != OK) {
        boot_refused(world, node, error, report.reason);
        return;
    }
    node->is_rotten = false;
    node->booted_ns = world_now_ns(world);
    world->tally->boots++;
    node_note_down(world, node);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        disaster_start_look(world, node, shard);
        shard_look(world, node, shard);
    }
    node_notes_take(world, node);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        journal_look(world, node, shard, replica_recovery(node_replica(node, shard)));
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        set_back_clear(world, node, shard);
    identities_note(world, node);
    node_plan_turns(world, node, world_now_ns(world) + 1);
}

static void medium_die(struct world *world, const struct sim_node *node, enum death death)
{
    static const uint32_t chances[] = {0, 500000, 900000, 970000, 990000, 1000000};
    uint32_t chance = chances[prng_range(&world->fault_prng, 0, 5)];
    for (uint32_t i = 0; i < NODE_FILES * world->draw.shards; i++) {
        const char *file = node_file(world, node->number, i / NODE_FILES, i % NODE_FILES);
        if (death == DEATH_KILL)
            medium_sim_kill(world->media, file);
        else
            medium_sim_lose_power(world->media, file, chance);
    }
}

void node_sync(struct world *world, const struct sim_node *node)
{
    for (uint32_t i = 0; i < NODE_FILES * world->draw.shards; i++)
        medium_sim_lose_power(
            world->media, node_file(world, node->number, i / NODE_FILES, i % NODE_FILES), 1000000);
}

/* What the lanes and replicas of a node have counted in this life of the node. */
static void counters_take(struct world *world, const struct sim_node *node)
{
    struct tally *tally = world->tally;
    for (uint32_t i = 0; i < node->lane_count && node->is_running; i++) {
        const struct lane *lane = node->lanes[i].lane;
        tally->datagrams_handed_over += lane_port_counters(lane)->rx_handed_over;
        tally->reads_for_other_lanes += lane_counters(lane)->reads_for_others;
    }
    for (uint32_t shard = 0; shard < world->draw.shards && node->is_running; shard++) {
        const struct replica_counters *counters = replica_counters(node_replica(node, shard));
        tally->journal_entries += counters->journal_appended;
        tally->transfers_to_preferred += counters->transfers_to_preferred;
        tally->transfers_refused += counters->transfers_refused;
        tally->snapshots_taken += counters->snapshots_taken;
        tally->snapshots_installed += counters->snapshots_installed;
        tally->members_changed += counters->members_changed;
        tally->logs_shortened += log_first_index(replica_log(node_replica(node, shard))) > 1;
    }
}

static void node_bury(struct world *world, struct sim_node *node, enum death death)
{
    counters_take(world, node);
    client_world_lose_notices(&world->client_world, world_now_ns(world));
    node_close(world, node);
    node_note_down(world, node);
    node->fuse = 0;
    node->stop_until_ns = 0;
    node->is_dead_inside = false;
    node_clock_reset(world, node, death == DEATH_POWER);
}

void node_crash(struct world *world, struct sim_node *node, enum death death, uint64_t down_ns)
{
    verdict_say(&world->verdict, "n%u dies: %s", node->number + 1,
                death == DEATH_POWER ? "power" : "kill");
    if (node->is_running) {
        medium_die(world, node, death);
        node_bury(world, node, death);
    }
    if (down_ns != UINT64_MAX)
        node_plan_boot(world, node, world_now_ns(world) + 1 + down_ns);
    else
        node->boot_stamp++;
}

/* As a process that is sent SIGTERM. */
void node_stop(struct world *world, struct sim_node *node, uint64_t down_ns)
{
    if (!node->is_running || node->stop_until_ns != 0)
        return;
    verdict_say(&world->verdict, "n%u is asked to stop", node->number + 1);
    world->tally->fault_stops++;
    node->stop_until_ns = world_now_ns(world) + 2 * world->draw.election_max_ns;
    node->stop_down_ns = down_ns;
    for (uint32_t i = 0; i < node->lane_count; i++)
        lane_resign(node->lanes[i].lane);
    node_plan_turns(world, node, world_now_ns(world) + 1);
}

void node_stop_look(struct world *world, struct sim_node *node)
{
    if (node->stop_until_ns == 0 || !node->is_running)
        return;
    bool is_over = true;
    for (uint32_t i = 0; i < node->lane_count; i++)
        is_over = is_over && lane_has_resigned(node->lanes[i].lane);
    if (!is_over && world_now_ns(world) < node->stop_until_ns)
        return;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        world->tally->leaderships_left +=
            replica_resignation(node_replica(node, shard))->leader != 0;
    node_crash(world, node, DEATH_KILL, node->stop_down_ns);
}

void node_end(struct world *world, struct sim_node *node)
{
    world->network.is_muted[node->number] = true;
    counters_take(world, node);
    lanes_close(node);
}

void node_end_dead(struct world *world, struct sim_node *node)
{
    node_bury(world, node, node->fuse_death);
    node_plan_boot(world, node,
                   world_now_ns(world) + 1 +
                       prng_range(&world->fault_prng, 0, world->draw.down_ns_max));
}

void node_side_effect(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    if (node->fuse == 0 || node->is_dead_inside || !node->is_running)
        return;
    if (--node->fuse > 0)
        return;
    node->is_dead_inside = true;
    world->network.is_muted[number] = true;
    medium_die(world, node, node->fuse_death);
}

struct sim_node *node_leader(struct world *world, uint32_t shard)
{
    struct sim_node *leader = NULL;
    uint64_t highest = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct raft_status status;
        if (!world->nodes[i].is_running)
            continue;
        replica_raft_status(node_replica(&world->nodes[i], shard), &status);
        if (status.role == RAFT_LEADER && status.term > highest) {
            highest = status.term;
            leader = &world->nodes[i];
        }
    }
    return leader;
}
