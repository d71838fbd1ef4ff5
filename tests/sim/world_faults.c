/* What happens to the nodes of a world: random faults by weight, and the end of all of them. */
#include "tests/sim/world.h"

#include "pmem/journal_internal.h"

#include "base/check.h"

#include <string.h>

#define MS       1000000ull
#define FUSE_MAX 40

enum fault_kind {
    FAULT_PARTITION,
    FAULT_ONE_WAY,
    FAULT_ISOLATE,
    FAULT_LAG,
    FAULT_DEPOSE,
    FAULT_POWER,
    FAULT_POWER_ALL,
    FAULT_KILL,
    FAULT_KILL_LEADER,
    FAULT_PAUSE,
    FAULT_SLOW,
    FAULT_CLOCK_STEP,
    FAULT_TRANSFER,
    FAULT_STALL,
    FAULT_SYNC_FAIL,
    FAULT_ROT,
    FAULT_LOST_FILE,
    FAULT_HOLD,
    FAULT_LIMITS,
    FAULT_MEMBER,
    FAULT_SET_BACK,
    FAULT_STOP,
    FAULT_DUPLICATE,
    FAULT_UPGRADE,
    FAULT_RESCUE,
    FAULT_APART,
    FAULT_LINK,
    FAULT_KIND_COUNT
};

uint64_t faults_up_to(struct world *world, uint64_t max)
{
    return prng_range(&world->fault_prng, 0, max);
}

struct sim_node *node_any(struct world *world)
{
    return &world->nodes[faults_up_to(world, world->draw.nodes - 1)];
}

uint32_t shard_any(struct world *world)
{
    /* Where there is no choice, no randomness is used up. */
    return world->draw.shards == 1 ? 0 : (uint32_t)faults_up_to(world, world->draw.shards - 1);
}

/* ---- deaths ---- */

/* Dies at once, or in the middle of one of its next turns. */
static void node_die(struct world *world, struct sim_node *node, enum death death)
{
    if (!node->is_running)
        return;
    if (prng_chance(&world->fault_prng, (uint32_t)world->draw.mid_turn_chance)) {
        node->fuse = 1 + (uint32_t)faults_up_to(world, FUSE_MAX);
        node->fuse_death = death;
        return;
    }
    node_crash(world, node, death, faults_up_to(world, world->draw.down_ns_max));
}

#define TORN_WORDS_MIN 24

/* New records over a log that was cut just now, none of them safe yet. */
static bool is_torn_now(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    const struct watched_node *watched = &world->overseers[shard].nodes[node->number];
    return watched->cut_at_ns != 0 &&
           world_now_ns(world) - watched->cut_at_ns < 2 * world->draw.sync_ns &&
           medium_sim_pending_count(world->media, watched->path) >= TORN_WORDS_MIN;
}

/* Its journal is between two banks: the new one is not durable yet, or the old one half wiped. */
static bool is_journal_moving(const struct sim_node *node, uint32_t shard)
{
    const struct journal *journal = replica_journal(node_replica(node, shard));
    return journal != NULL && journal->idle_state != JOURNAL_IDLE_EMPTY;
}

void faults_strike(struct world *world, struct sim_node *node, uint32_t lane)
{
    if (world->is_healed || !node->is_running || world_now_ns(world) < world->draw.first_fault_ns)
        return;
    bool is_torn = false;
    bool is_turning = false;
    for (uint32_t shard = lane; shard < world->draw.shards; shard += node->lane_count) {
        is_torn |= is_torn_now(world, node, shard) || is_journal_moving(node, shard);
        is_turning |= world->overseers[shard].nodes[node->number].is_at_turning_point;
    }
    if (!is_torn && !is_turning)
        return;
    if (!prng_chance(&world->fault_prng, (uint32_t)world->draw.strike_chance))
        return;
    world->tally->fault_strikes++;
    if (is_torn)
        node_crash(world, node, DEATH_POWER, faults_up_to(world, world->draw.down_ns_max));
    else
        node_die(world, node, faults_up_to(world, 3) == 0 ? DEATH_KILL : DEATH_POWER);
}

static void die_all(struct world *world)
{
    world->tally->fault_cluster_power_losses++;
    uint64_t down_ns = faults_up_to(world, world->draw.down_ns_max);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        if (node->is_running)
            node_crash(world, node, DEATH_POWER, down_ns + faults_up_to(world, 100 * MS));
    }
}

static void node_lose_power(struct world *world, struct sim_node *node)
{
    world->tally->fault_power_losses++;
    node_die(world, node, DEATH_POWER);
}

static void die_leader(struct world *world)
{
    struct sim_node *leader = node_leader(world, shard_any(world));
    if (leader == NULL)
        return;
    world->tally->fault_kills++;
    node_die(world, leader, faults_up_to(world, 1) == 0 ? DEATH_KILL : DEATH_POWER);
}

/* ---- time and leadership ---- */

static void node_pause(struct world *world, struct sim_node *node)
{
    world->tally->fault_pauses++;
    node->paused_until_ns = world_now_ns(world) + faults_up_to(world, world->draw.pause_ns_max);
    verdict_say(&world->verdict, "n%u pauses until %llu ms", node->number + 1,
                (unsigned long long)(node->paused_until_ns / MS));
}

static void node_slow(struct world *world, struct sim_node *node)
{
    world->tally->fault_slow_spells++;
    node->slow_until_ns = world_now_ns(world) + faults_up_to(world, world->draw.cut_ns_max);
    node->slow_cost_ns = world->draw.turn_cost_ns * (1 + faults_up_to(world, 1000));
    if (node->slow_cost_ns > 50 * MS)
        node->slow_cost_ns = 50 * MS;
}

/* The scheduler holds one lane's thread; the node's other lanes run on. */
static void lane_hold(struct world *world, struct sim_node *node)
{
    struct sim_lane *lane = &node->lanes[faults_up_to(world, node->lane_count - 1)];
    world->tally->fault_holds++;
    lane->held_until_ns = world_now_ns(world) + faults_up_to(world, world->draw.pause_ns_max);
    verdict_say(&world->verdict, "n%u's lane %u is held until %llu ms", node->number + 1,
                lane->number, (unsigned long long)(lane->held_until_ns / MS));
}

static void leader_transfer(struct world *world)
{
    uint32_t shard = shard_any(world);
    if (node_leader(world, shard) == NULL)
        return;
    world->tally->fault_transfers++;
    uint16_t target = (uint16_t)faults_up_to(world, world->draw.nodes);
    client_ask_transfer(&world->clients[0], (uint16_t)shard, target);
}

static uint64_t limit_any(struct world *world, uint64_t low, uint64_t high)
{
    return low + faults_up_to(world, high - low);
}

static void limits_change(struct world *world)
{
    const struct draw *draw = &world->draw;
    uint64_t keys_min = draw->limits_keys_min;
    uint64_t blocks_min = keys_min < SIM_KEYS_MAX ? keys_min : draw->store_blocks;
    struct plx_limits limits = {
        .keys_max = (uint32_t)limit_any(world, keys_min, 2 * SIM_KEYS_MAX),
        .store_size_bytes =
            limit_any(world, blocks_min, 2 * draw->store_blocks) * ENGINE_BLOCK_SIZE_BYTES,
        .sessions_max = (uint32_t)limit_any(world, SIM_SESSIONS_MAX, 2 * SIM_SESSIONS_MAX)};
    if (keys_min < SIM_KEYS_MAX && faults_up_to(world, 1) == 0)
        limits.keys_max = (uint32_t)limit_any(world, keys_min, 2 * keys_min);
    client_ask_limits(&world->clients[0], (uint16_t)shard_any(world), &limits);
}

/* A spare node is added, or goes. */
static void member_change(struct world *world)
{
    const struct draw *draw = &world->draw;
    uint32_t founders = draw_founders(draw);
    uint32_t number = founders + (uint32_t)faults_up_to(world, draw->spares - 1);
    struct plx_change change = {.action = PLX_CHANGE_REMOVE, .node = (uint16_t)(number + 1)};
    if (faults_up_to(world, 2) > 0) {
        struct address address = network_address(number);
        change.action = PLX_CHANGE_ADD;
        change.port = address.port;
        memcpy(change.ip, address.ip, sizeof(change.ip));
    }
    client_ask_change(&world->clients[0], &change);
}

/* ---- the driver ---- */

static enum fault_kind kind_draw(struct world *world)
{
    const struct draw *draw = &world->draw;
    uint64_t member_weight = draw->spares > 0 ? draw->member_weight : 0;
    const uint64_t weights[FAULT_KIND_COUNT] = {
        draw->partition_weight, draw->one_way_weight,   draw->isolate_weight,
        draw->lag_weight,       draw->depose_weight,    draw->power_weight,
        draw->power_all_weight, draw->kill_weight,      draw->kill_leader_weight,
        draw->pause_weight,     draw->slow_weight,      draw->clock_step_weight,
        draw->transfer_weight,  draw->stall_weight,     draw->sync_fail_weight,
        draw->rot_weight,       draw->lost_file_weight, draw->hold_weight,
        draw->limits_weight,    member_weight,          draw->set_back_weight,
        draw->stop_weight,      draw->duplicate_weight, draw->upgrade_weight,
        draw->rescue_weight,    draw->apart_weight,     draw->link_weight};
    uint64_t total = 0;
    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++)
        total += weights[i];
    if (total == 0)
        return FAULT_KIND_COUNT;
    uint64_t left = faults_up_to(world, total - 1);
    uint32_t kind = 0;
    while (left >= weights[kind])
        left -= weights[kind++];
    return (enum fault_kind)kind;
}

/* Faults of the network. */
static void (*const cuts[FAULT_KIND_COUNT])(struct world *world) = {
    [FAULT_PARTITION] = cut_partition, [FAULT_ONE_WAY] = cut_one_way,
    [FAULT_ISOLATE] = cut_isolate,     [FAULT_LAG] = cut_lag,
    [FAULT_DEPOSE] = cut_depose,       [FAULT_APART] = cut_apart,
    [FAULT_LINK] = links_change,
};

/* Faults of a node's storage. */
static void (*const of_storages[FAULT_KIND_COUNT])(struct world *world, struct sim_node *node) = {
    [FAULT_STALL] = media_stall,       [FAULT_SYNC_FAIL] = media_fail_sync,
    [FAULT_ROT] = media_rot,           [FAULT_LOST_FILE] = media_lose,
    [FAULT_SET_BACK] = media_set_back, [FAULT_DUPLICATE] = duplicate_act,
    [FAULT_UPGRADE] = upgrade_act,
};

static void fault_apply(struct world *world, enum fault_kind kind)
{
    struct sim_node *node = node_any(world);
    switch (kind) {
    case FAULT_PARTITION:
    case FAULT_ONE_WAY:
    case FAULT_ISOLATE:
    case FAULT_LAG:
    case FAULT_DEPOSE:
    case FAULT_APART:
    case FAULT_LINK:
        cuts[kind](world);
        break;
    case FAULT_POWER:
        node_lose_power(world, node);
        break;
    case FAULT_POWER_ALL:
        die_all(world);
        break;
    case FAULT_KILL:
        world->tally->fault_kills++;
        node_die(world, node, DEATH_KILL);
        break;
    case FAULT_KILL_LEADER:
        die_leader(world);
        break;
    case FAULT_PAUSE:
        node_pause(world, node);
        break;
    case FAULT_SLOW:
        node_slow(world, node);
        break;
    case FAULT_CLOCK_STEP:
        world->tally->fault_clock_steps++;
        node_step_clock(world, node, faults_up_to(world, world->draw.clock_step_ns_max));
        break;
    case FAULT_STOP:
        node_stop(world, node, faults_up_to(world, world->draw.down_ns_max));
        break;
    case FAULT_TRANSFER:
        leader_transfer(world);
        break;
    case FAULT_HOLD:
        lane_hold(world, node);
        break;
    case FAULT_LIMITS:
        limits_change(world);
        break;
    case FAULT_MEMBER:
        member_change(world);
        break;
    case FAULT_RESCUE:
        disaster_act(world);
        break;
    case FAULT_STALL:
    case FAULT_SYNC_FAIL:
    case FAULT_ROT:
    case FAULT_LOST_FILE:
    case FAULT_SET_BACK:
    case FAULT_DUPLICATE:
    case FAULT_UPGRADE:
        of_storages[kind](world, node);
        break;
    case FAULT_KIND_COUNT:
        break;
    }
}

/* Who is to know of a second process must not forget the start of the first. */
static bool is_withheld(const struct world *world, enum fault_kind kind)
{
    bool is_of_media = kind == FAULT_ROT || kind == FAULT_LOST_FILE || kind == FAULT_SET_BACK;
    if (world->disaster.state != DISASTER_NONE && is_of_media)
        return true; /* one storage goes on: what it loses is lost */
    return duplicate_is_there(world) && is_of_media;
}

static void fault_plan(struct world *world)
{
    uint64_t wait_ns = 1 + faults_up_to(world, 2 * world->draw.fault_interval_ns);
    agenda_plan(&world->agenda,
                &(struct event){.at_ns = world_now_ns(world) + wait_ns, .kind = EVENT_FAULT});
}

/* From the first node on: which node leads is for the elections to say. */
static void snapshots_hold(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.snapshots_held && i < world->draw.nodes; i++)
        world->nodes[i].is_snapshot_held = true;
}

void faults_begin(struct world *world)
{
    snapshots_hold(world);
    uint64_t unlucky = (draw_founders(&world->draw) - 1) / 2;
    while (unlucky > 0) {
        struct sim_node *node = node_any(world);
        unlucky -= !node->is_unlucky;
        node->is_unlucky = true;
    }
    agenda_plan(&world->agenda,
                &(struct event){.at_ns = world_now_ns(world) + world->draw.first_fault_ns,
                                .kind = EVENT_FAULT});
}

void faults_act(struct world *world)
{
    if (world->is_healed)
        return;
    if (world_now_ns(world) >= world->quiet_until_ns && !set_back_spring(world)) {
        enum fault_kind kind = kind_draw(world);
        if (!is_withheld(world, kind))
            fault_apply(world, kind);
    }
    fault_plan(world);
}

/* ---- the end ---- */

/* Whose [peers] lacks others finds its cluster by the configuration. Who knows none cannot, until
 * an operator has corrected the file. */
static bool is_lost(const struct world *world, const struct sim_node *node)
{
    uint32_t founders = (UINT32_C(1) << draw_founders(&world->draw)) - 1;
    if ((node->peers & founders) == founders)
        return false;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        struct raft_status status;
        replica_raft_status(node_replica(node, shard), &status);
        if (!status.is_formed)
            return true;
    }
    return false;
}

void faults_heal(struct world *world)
{
    verdict_say(&world->verdict, "healed");
    world->is_healed = true;
    world->network.is_healed = true;
    disaster_heal(world);
    for (uint32_t i = 0; i < FAULTS_MAX; i++)
        faults_mend(world, i);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        node->fuse = 0;
        node->slow_until_ns = 0;
        node->paused_until_ns = 0;
        node->is_snapshot_held = false;
        for (uint32_t lane = 0; lane < node->lane_count; lane++)
            node->lanes[lane].held_until_ns = 0;
        if (node->is_running && (is_lost(world, node) || upgrade_is_older(node)))
            node_crash(world, node, DEATH_KILL, 0);
        else if (!node->is_running)
            node_plan_boot(world, node, world_now_ns(world) + 1 + faults_up_to(world, 100 * MS));
        else
            node_plan_turns(world, node, world_now_ns(world) + 1);
    }
}
