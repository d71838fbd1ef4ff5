/* Nodes: the production lane behind a clock of its own, with starts, turns and deaths. */
#include "tests/sim/world.h"

#include "base/check.h"

#include <stdio.h>

#define LOG_BYTES         LOG_SIZE_BYTES_MIN
#define IDLE_IN_A_ROW_MAX 1000
#define DEADLINE_NS_MAX   1000000000000ull
#define CLUSTER_NAME_ID   0x706f6c6c757873ull
#define PENDING_MAX       2048 /* more than all clients write: a smaller index to build */
#define REBOOT_NS         50000000ull
#define WALL_NS           1700000000000000000ull

const char *node_path(const struct world *world, uint32_t number)
{
    return world->overseer.nodes[number].path;
}

struct node_file node_file(const struct world *world, uint32_t number, uint32_t file)
{
    static const char *const suffixes[NODE_FILES] = {"", ".0", ".1"};
    struct node_file found;
    snprintf(found.path, sizeof(found.path), "%s%s", node_path(world, number), suffixes[file]);
    return found;
}

struct replica *node_replica(const struct sim_node *node)
{
    return node->lane != NULL ? lane_replica(node->lane, 0) : NULL;
}

/* ---- clock ---- */

static uint64_t clock_local_ns(const struct world *world, struct sim_node *node)
{
    int64_t elapsed = (int64_t)(world_now_ns(world) - node->base_virtual_ns);
    int64_t drifted = elapsed + elapsed / 1000 * node->drift_per_million / 1000;
    uint64_t local_ns = node->base_local_ns + (uint64_t)drifted;
    if (local_ns < node->last_local_ns)
        local_ns = node->last_local_ns;
    node->last_local_ns = local_ns;
    return local_ns;
}

/* The virtual time at which the node's clock will show `local_ns` or a little more. */
static uint64_t clock_virtual_ns(const struct world *world, struct sim_node *node,
                                 uint64_t local_ns)
{
    uint64_t now_ns = clock_local_ns(world, node);
    if (local_ns <= now_ns)
        return world_now_ns(world);
    uint64_t ahead_ns = local_ns - now_ns;
    if (ahead_ns > DEADLINE_NS_MAX)
        ahead_ns = DEADLINE_NS_MAX;
    uint64_t rate = (uint64_t)(1000000 + node->drift_per_million);
    return world_now_ns(world) + ahead_ns * 1000 / rate * 1000 + 2000;
}

static void clock_reset(struct world *world, struct sim_node *node, bool is_new_machine)
{
    int64_t drift_max = (int64_t)world->draw.drift_max;
    uint64_t local_ns = clock_local_ns(world, node);
    node->base_virtual_ns = world_now_ns(world);
    node->base_local_ns = local_ns;
    node->drift_per_million =
        (int64_t)prng_range(&world->prng, 0, 2 * (uint64_t)drift_max) - drift_max;
    if (!is_new_machine)
        return;
    /* The clock of a machine that has just started begins anywhere. */
    node->last_local_ns = 0;
    node->base_local_ns = prng_range(&world->prng, 1000, 3600000000000ull);
}

void node_step_clock(struct world *world, struct sim_node *node, uint64_t step_ns)
{
    uint64_t local_ns = clock_local_ns(world, node);
    node->base_virtual_ns = world_now_ns(world);
    node->base_local_ns = local_ns + step_ns;
    node_plan_turn(world, node, world_now_ns(world));
}

/* ---- life ---- */

void node_init(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    *node = (struct sim_node){.number = number};
    clock_reset(world, node, true);
    node_plan_boot(world, node, 1 + prng_range(&world->prng, 0, 200000000));
}

void node_plan_boot(struct world *world, struct sim_node *node, uint64_t at_ns)
{
    agenda_plan(&world->agenda, &(struct event){.at_ns = at_ns,
                                                .kind = EVENT_BOOT,
                                                .who = node->number,
                                                .stamp = ++node->boot_stamp});
}

static struct raft_options raft_options_of(const struct world *world, uint32_t number)
{
    const struct draw *draw = &world->draw;
    struct raft_options options = {.self = (uint16_t)(number + 1),
                                   .voter_count = (uint32_t)draw->nodes,
                                   .election_timeout_min_ns = draw->election_min_ns,
                                   .election_timeout_max_ns = draw->election_max_ns,
                                   .heartbeat_interval_ns = draw->heartbeat_ns,
                                   .append_entries_max = (uint32_t)draw->append_entries_max,
                                   .append_size_bytes_soft = (uint32_t)draw->append_size_soft,
                                   .inflight_max = (uint32_t)draw->inflight_max,
                                   .trail_runs_max = 8192};
    for (uint32_t i = 0; i < draw->nodes; i++)
        options.voters[i] = (uint16_t)(i + 1);
    return options;
}

static struct replica_options replica_options_of(struct world *world, const struct sim_node *node)
{
    const struct draw *draw = &world->draw;
    (void)prng_next(&world->prng); /* so that seeds keep their meaning */
    struct replica_options options = {
        .cluster_id = world->cluster_id,
        .raft = raft_options_of(world, node->number),
        .engine = {.incarnation = prng_next(&world->prng) | 1,
                   .keys_max = 256,
                   .blocks_max = (uint32_t)draw->store_blocks,
                   .sessions_max = 128,
                   .session_ttl_ns = draw->session_ttl_ns,
                   .batches_inflight_max = (uint32_t)draw->batches_inflight_max,
                   .reads_pending_max = (uint32_t)draw->reads_pending_max,
                   .pending_max = PENDING_MAX,
                   .hooks = witness_hooks(&world->witness)},
        .log = {.path = node_path(world, node->number),
                .size_bytes = LOG_BYTES,
                .is_created = node->boots == 0 || node->is_recreated,
                .identity = {.cluster_id = world->cluster_id,
                             .node = (uint16_t)(node->number + 1)}},
        .journal = {.path = node_path(world, node->number), .size_bytes = LOG_BYTES},
        .wall_ns = WALL_NS + world_now_ns(world),
        .medium_stall_ns = 4 * draw->election_max_ns};
    options.raft.seed = prng_next(&world->prng);
    for (uint32_t i = 0; i < draw->nodes; i++)
        options.peers[i] = network_address(i);
    return options;
}

static void recovery_count(struct world *world, const struct replica_recovery *found)
{
    const struct log_recovery *recovery = &found->log;
    world->tally->boots++;
    world->tally->journal_entries_restored += found->journal.entries;
    world->tally->journals_damaged += found->journal.is_damaged;
    world->tally->recoveries_suspect += recovery->is_suspect;
    world->tally->recoveries_torn += recovery->torn_bytes > 0;
    world->tally->recoveries_with_a_hole += recovery->hole_first_index != 0;
}

/* What the log has of each write that the node applied just now. */
static void notes_take(struct world *world, const struct sim_node *node)
{
    const struct witness *witness = &world->witness;
    for (uint32_t i = 0; i < witness->note_count; i++) {
        const struct witness_note *note = &witness->notes[i];
        uint64_t term = raft_term_at(replica_raft(node_replica(node)), note->index);
        struct history_place place = {.index = note->index,
                                      .within = note->within,
                                      .leader =
                                          (uint16_t)*ledger_leader(&world->overseer.ledger, term)};
        history_decided(&world->history, note->op, &place, world_now_ns(world));
    }
}

static void node_note_down(struct world *world, const struct sim_node *node)
{
    uint32_t bit = 1u << node->number;
    struct client_world *clients = &world->client_world;
    clients->nodes_down =
        node->lane == NULL ? clients->nodes_down | bit : clients->nodes_down & ~bit;
}

void node_give_up(struct world *world, struct sim_node *node)
{
    node->is_gone = true;
    world->client_world.nodes_gone |= 1u << node->number;
    history_lose(&world->history, (uint16_t)(node->number + 1), world_now_ns(world));
}

static void boot_refused(struct world *world, struct sim_node *node, enum error error,
                         const char *reason)
{
    node->lane = NULL;
    world->tally->boots_refused++;
    verdict_say(&world->verdict, "n%u refuses to start: %s", node->number + 1, reason);
    node_give_up(world, node);
    if (!node->is_unlucky)
        verdict_break(&world->verdict, RULE_RECOVERY, "node %u: %s: %s", node->number + 1,
                      error_name(error), reason);
}

/* What its journal misses from here on. */
static void journal_look(struct world *world, struct sim_node *node,
                         const struct journal_recovery *journal)
{
    if (journal->is_damaged && !node->is_journal_hurt)
        verdict_break(&world->verdict, RULE_RECOVERY, "node %u: its journal is whole, but: %s",
                      node->number + 1, journal->note);
    if (node->is_journal_hurt)
        history_lose(&world->history, (uint16_t)(node->number + 1), world_now_ns(world));
    node->is_journal_hurt = false;
}

void node_boot(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    CHECK(node->lane == NULL);
    if (node->is_gone)
        return;
    struct replica_options replica = replica_options_of(world, node);
    struct lane_options options = {
        .lane_count = 1,
        .shard_count = 1,
        .replicas = &replica,
        .replica_count = 1,
        .port = {.ipv4 = network_address(node->number), .ipv4_prefix_bits = 24}};
    struct lane_report report;
    medium_sim_set_now(world->media, world_now_ns(world));
    witness_begin(&world->witness, (uint16_t)(number + 1));
    enum error error = lane_open(&options, clock_local_ns(world, node), &node->lane, &report);
    witness_end(&world->witness);
    node->boots++;
    if (error != OK) {
        boot_refused(world, node, error, report.reason);
        return;
    }
    const struct replica_recovery *found = replica_recovery(node_replica(node));
    recovery_count(world, found);
    verdict_say(&world->verdict,
                "n%u starts: last %llu term %llu vote %u commit %llu%s %s, %llu "
                "relaxed entries %s",
                number + 1, (unsigned long long)found->log.last_index,
                (unsigned long long)found->log.term, found->log.vote,
                (unsigned long long)found->log.commit_index,
                found->log.is_suspect ? " suspect" : "", found->log.note,
                (unsigned long long)found->journal.entries, found->journal.note);
    node->is_rotten = false;
    node->turn_at_ns = 0;
    node->idle_in_a_row = 0;
    node->busy_until_ns = 0;
    node_note_down(world, node);
    overseer_forget(&world->overseer, number);
    overseer_look(&world->overseer, number, node_replica(node));
    notes_take(world, node);
    journal_look(world, node, &found->journal);
    node_plan_turn(world, node, world_now_ns(world) + 1);
}

static void medium_die(struct world *world, const struct sim_node *node, enum death death)
{
    static const uint32_t chances[] = {0, 500000, 900000, 970000, 990000, 1000000};
    uint32_t chance = chances[prng_range(&world->fault_prng, 0, 5)];
    for (uint32_t i = 0; i < NODE_FILES; i++) {
        struct node_file file = node_file(world, node->number, i);
        if (death == DEATH_KILL)
            medium_sim_kill(world->media, file.path);
        else
            medium_sim_lose_power(world->media, file.path, chance);
    }
}

static void lane_bury(struct world *world, struct sim_node *node, enum death death)
{
    world->network.is_muted[node->number] = true;
    world->tally->journal_entries += replica_counters(node_replica(node))->journal_appended;
    lane_close(node->lane);
    world->network.is_muted[node->number] = false;
    node->lane = NULL;
    node_note_down(world, node);
    node->fuse = 0;
    node->is_dead_inside = false;
    node->turn_stamp++;
    node->turn_at_ns = 0;
    clock_reset(world, node, death == DEATH_POWER);
}

void node_crash(struct world *world, struct sim_node *node, enum death death, uint64_t down_ns)
{
    verdict_say(&world->verdict, "n%u dies: %s", node->number + 1,
                death == DEATH_POWER ? "power" : "kill");
    if (node->lane != NULL) {
        medium_die(world, node, death);
        lane_bury(world, node, death);
    }
    if (down_ns != UINT64_MAX)
        node_plan_boot(world, node, world_now_ns(world) + 1 + down_ns);
    else
        node->boot_stamp++;
}

void node_side_effect(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    if (node->fuse == 0 || node->is_dead_inside || node->lane == NULL)
        return;
    if (--node->fuse > 0)
        return;
    node->is_dead_inside = true;
    world->network.is_muted[number] = true;
    medium_die(world, node, node->fuse_death);
}

struct sim_node *node_leader(struct world *world)
{
    struct sim_node *leader = NULL;
    uint64_t highest = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct raft_status status;
        if (world->nodes[i].lane == NULL)
            continue;
        replica_raft_status(node_replica(&world->nodes[i]), &status);
        if (status.role == RAFT_LEADER && status.term > highest) {
            highest = status.term;
            leader = &world->nodes[i];
        }
    }
    return leader;
}

/* ---- turns ---- */

void node_plan_turn(struct world *world, struct sim_node *node, uint64_t at_ns)
{
    if (node->lane == NULL)
        return;
    at_ns = at_ns > node->paused_until_ns ? at_ns : node->paused_until_ns;
    at_ns = at_ns > node->busy_until_ns ? at_ns : node->busy_until_ns;
    at_ns = at_ns > world_now_ns(world) ? at_ns : world_now_ns(world);
    if (node->turn_at_ns != 0 && node->turn_at_ns <= at_ns)
        return;
    node->turn_at_ns = at_ns;
    agenda_plan(&world->agenda, &(struct event){.at_ns = at_ns,
                                                .kind = EVENT_TURN,
                                                .who = node->number,
                                                .stamp = ++node->turn_stamp});
}

static uint64_t turn_cost_ns(const struct world *world, const struct sim_node *node)
{
    return world_now_ns(world) < node->slow_until_ns ? node->slow_cost_ns
                                                     : world->draw.turn_cost_ns;
}

/* The lane has nothing to do: it sleeps until its deadline, a packet, or the end of its sync. */
static void plan_idle(struct world *world, struct sim_node *node)
{
    uint64_t deadline_ns = lane_deadline_ns(node->lane);
    uint64_t at_ns = clock_virtual_ns(world, node, deadline_ns);
    if (deadline_ns > node->last_local_ns)
        node->idle_in_a_row = 0;
    else if (++node->idle_in_a_row > IDLE_IN_A_ROW_MAX)
        verdict_break(&world->verdict, RULE_BUSY_LOOP,
                      "node %u idles with its deadline past: now %llu, raft %llu, engine %llu",
                      node->number + 1, (unsigned long long)node->last_local_ns,
                      (unsigned long long)raft_deadline_ns(replica_raft(node_replica(node))),
                      (unsigned long long)engine_deadline_ns(replica_engine(node_replica(node))));
    for (uint32_t i = 0; i < NODE_FILES; i++) {
        struct node_file file = node_file(world, node->number, i);
        uint64_t sync_ns = medium_sim_deadline_ns(world->media, file.path);
        at_ns = at_ns < sync_ns ? at_ns : sync_ns;
    }
    node_plan_turn(world, node, at_ns);
}

static void after_turn(struct world *world, struct sim_node *node, enum lane_result result)
{
    node->busy_until_ns = world_now_ns(world) + turn_cost_ns(world, node);
    switch (result) {
    case LANE_WORKED:
        node->idle_in_a_row = 0;
        node_plan_turn(world, node, node->busy_until_ns);
        break;
    case LANE_IDLE:
        plan_idle(world, node);
        break;
    case LANE_SYNC_FAILED:
        verdict_say(&world->verdict, "n%u stops: its sync failed", node->number + 1);
        node_crash(world, node, DEATH_POWER, REBOOT_NS);
        break;
    case LANE_LOG_EXHAUSTED:
        verdict_say(&world->verdict, "n%u stops: its log is exhausted", node->number + 1);
        world->is_log_exhausted = true;
        node_give_up(world, node);
        node_crash(world, node, DEATH_KILL, UINT64_MAX);
        break;
    }
}

void node_turn(struct world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    node->turn_at_ns = 0;
    if (world_now_ns(world) < node->paused_until_ns) {
        node_plan_turn(world, node, node->paused_until_ns);
        return;
    }
    medium_sim_set_now(world->media, world_now_ns(world));
    witness_begin(&world->witness, (uint16_t)(number + 1));
    enum lane_result result = lane_turn(node->lane, clock_local_ns(world, node));
    witness_end(&world->witness);
    world->tally->turns++;
    if (node->is_dead_inside) {
        notes_take(world, node);
        verdict_say(&world->verdict, "n%u dies inside a turn", number + 1);
        world->tally->fault_deaths_inside_a_turn++;
        enum death death = node->fuse_death;
        lane_bury(world, node, death);
        node_plan_boot(world, node,
                       world_now_ns(world) + 1 +
                           prng_range(&world->fault_prng, 0, world->draw.down_ns_max));
        return;
    }
    if (result != LANE_SYNC_FAILED && result != LANE_LOG_EXHAUSTED)
        overseer_look(&world->overseer, number, node_replica(node));
    notes_take(world, node);
    after_turn(world, node, result);
    faults_strike(world, node);
}
