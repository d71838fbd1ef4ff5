/* The turns of a node's lanes: when they run, and what follows from them. */
#include "tests/sim/drain_check.h"
#include "tests/sim/rcu_sim.h"
#include "tests/sim/room_check.h"
#include "tests/sim/snapshot_thread_sim.h"
#include "tests/sim/world.h"

#define IDLE_IN_A_ROW_MAX 1000
#define REBOOT_NS         50000000ull

void node_plan_turn(struct world *world, struct sim_lane *lane, uint64_t at_ns)
{
    const struct sim_node *node = &world->nodes[lane->node];
    if (!node->is_running)
        return;
    at_ns = at_ns > node->paused_until_ns ? at_ns : node->paused_until_ns;
    at_ns = at_ns > lane->held_until_ns ? at_ns : lane->held_until_ns;
    at_ns = at_ns > lane->busy_until_ns ? at_ns : lane->busy_until_ns;
    at_ns = at_ns > world_now_ns(world) ? at_ns : world_now_ns(world);
    if (lane->turn_at_ns != 0 && lane->turn_at_ns <= at_ns)
        return;
    lane->turn_at_ns = at_ns;
    agenda_plan(&world->agenda, &(struct event){.at_ns = at_ns,
                                                .kind = EVENT_TURN,
                                                .who = lane->node,
                                                .lane = lane->number,
                                                .stamp = ++lane->turn_stamp});
}

void node_plan_turns(struct world *world, struct sim_node *node, uint64_t at_ns)
{
    for (uint32_t i = 0; i < node->lane_count; i++)
        node_plan_turn(world, &node->lanes[i], at_ns);
}

/* A sole voter has led every term, also those that the ledger has forgotten. */
static uint16_t leader_of(const struct world *world, struct ledger *ledger, uint64_t term)
{
    return world->draw.nodes == 1 ? 1 : (uint16_t)*ledger_leader(ledger, term);
}

/* What the log has of each write that the lane applied just now. */
void node_notes_take(struct world *world, struct sim_node *node)
{
    const struct witness *witness = &world->witness;
    rights_look(world, node);
    for (uint32_t i = 0; i < witness->note_count; i++) {
        const struct witness_note *note = &witness->notes[i];
        if (note->is_revoked) {
            rights_note_dropped(world, note);
            continue;
        }
        struct overseer *overseer = &world->overseers[note->shard];
        disaster_follow(world, node, note->shard);
        uint64_t term = raft_term_at(replica_raft(node_replica(node, note->shard)), note->index);
        struct history_place place = {
            .index = note->index,
            .within = note->within,
            .leader = leader_of(world, overseer_ledger(overseer, node->number), term),
            .era = overseer->nodes[node->number].era};
        if (world->history.ops[note->op].shard != note->shard)
            verdict_break(&world->verdict, RULE_SHARD,
                          "op %u of shard %u is in the log of shard %u", note->op,
                          world->history.ops[note->op].shard, note->shard);
        if (note->is_void)
            verdict_break(&world->verdict, RULE_RECOVERY,
                          "op %u was accepted by a storage that was set back, and took effect",
                          note->op);
        history_decided(&world->history, note->op, &place, world_now_ns(world));
        rights_note_decided(world, note, term);
    }
}

static uint64_t turn_cost_ns(const struct world *world, const struct sim_node *node)
{
    return world_now_ns(world) < node->slow_until_ns ? node->slow_cost_ns
                                                     : world->draw.turn_cost_ns;
}

/* When the next sync of a file that the lane writes is done; UINT64_MAX: none is under way. */
static uint64_t sync_due_ns(const struct world *world, const struct sim_lane *lane)
{
    uint64_t due_ns = UINT64_MAX;
    uint32_t lane_count = world->nodes[lane->node].lane_count;
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += lane_count) {
        for (uint32_t i = 0; i < NODE_FILES; i++) {
            const char *file = node_file(world, lane->node, shard, i);
            uint64_t sync_ns = medium_sim_deadline_ns(world->media, file);
            due_ns = due_ns < sync_ns ? due_ns : sync_ns;
        }
    }
    return due_ns;
}

/* The lane has nothing to do: it sleeps until its deadline, a packet, or the end of its sync. */
static void plan_idle(struct world *world, struct sim_node *node, struct sim_lane *lane)
{
    uint64_t deadline_ns = lane_deadline_ns(lane->lane);
    uint64_t at_ns = node_clock_virtual_ns(world, node, deadline_ns);
    uint64_t sync_ns = sync_due_ns(world, lane);
    if (deadline_ns > node->last_local_ns)
        lane->idle_in_a_row = 0;
    else if (++lane->idle_in_a_row > IDLE_IN_A_ROW_MAX)
        verdict_break(&world->verdict, RULE_BUSY_LOOP,
                      "node %u, lane %u idles with its deadline past: now %llu, deadline %llu",
                      node->number + 1, lane->number, (unsigned long long)node->last_local_ns,
                      (unsigned long long)deadline_ns);
    node_plan_turn(world, lane, at_ns < sync_ns ? at_ns : sync_ns);
}

static void after_turn(struct world *world, struct sim_lane *lane, enum lane_result result)
{
    struct sim_node *node = &world->nodes[lane->node];
    lane->busy_until_ns = world_now_ns(world) + turn_cost_ns(world, node);
    switch (result) {
    case LANE_WORKED:
        lane->idle_in_a_row = 0;
        node_plan_turn(world, lane, lane->busy_until_ns);
        break;
    case LANE_IDLE:
        plan_idle(world, node, lane);
        break;
    case LANE_SYNC_FAILED:
        verdict_say(&world->verdict, "n%u stops: its sync failed", node->number + 1);
        node_crash(world, node, DEATH_POWER, REBOOT_NS);
        break;
    }
}

/* A storage with a torn log may have forgotten that it leaves. */
static bool may_forget(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    struct raft_status status;
    replica_raft_status(node_replica(node, shard), &status);
    return status.is_tail_suspect || world->overseers[shard].nodes[node->number].is_damaged;
}

/* The first node that applies a configuration: who is left out by it? */
static void drains_look(struct world *world, const struct sim_node *node, uint32_t shard)
{
    const struct engine *applied = replica_engine(node_replica(node, shard));
    uint64_t index = drain_configuration_index(applied);
    uint32_t era = world->overseers[shard].nodes[node->number].era;
    if (world->disaster.is_rescued && era == 0)
        return; /* what the era before goes on to decide, nobody keeps to */
    if (index <= world->closed_index[shard])
        return;
    world->closed_index[shard] = index;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        const struct sim_node *other = &world->nodes[i];
        uint64_t seq;
        if (!other->is_running || may_forget(world, other, shard) ||
            world->overseers[shard].nodes[i].era != era ||
            drain_is_kept(applied, replica_engine(node_replica(other, shard)), &seq))
            continue;
        verdict_break(&world->verdict, RULE_RELAXED_DRAINED,
                      "node %u was removed from shard %u, and has relaxed writes up to %llx alone",
                      i + 1, shard, (unsigned long long)seq);
    }
}

static void shards_look(struct world *world, struct sim_node *node, const struct sim_lane *lane)
{
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += node->lane_count) {
        disaster_follow(world, node, shard);
        overseer_look(&world->overseers[shard], node->number, node_replica(node, shard));
        room_look(world, node, shard);
        drains_look(world, node, shard);
        set_back_look(world, node, shard);
        upgrade_look(world, node, shard);
        scrub_look(world, node, shard);
        disaster_look(world, node, shard);
    }
}

static void duplicate_shards_look(struct world *world, struct sim_node *twin,
                                  const struct sim_lane *lane)
{
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += twin->lane_count)
        duplicate_look(world, twin, shard);
}

void node_turn(struct world *world, struct sim_lane *lane)
{
    struct sim_node *node = &world->nodes[lane->node];
    uint64_t held_until_ns =
        lane->held_until_ns > node->paused_until_ns ? lane->held_until_ns : node->paused_until_ns;
    lane->turn_at_ns = 0;
    if (world_now_ns(world) < held_until_ns) {
        node_plan_turn(world, lane, held_until_ns);
        return;
    }
    medium_sim_set_now(world->media, world_now_ns(world));
    witness_begin(&world->witness, node_witness(world, node));
    rcu_sim_run(node->number, lane->number);
    snapshot_thread_sim_hold(node->is_snapshot_held);
    rights_begin_turn(world, node, lane);
    enum lane_result result = lane_turn(lane->lane, node_clock_ns(world, node));
    witness_end(&world->witness);
    rights_end_turn(world, node, lane);
    security_look(world, node);
    if (result == LANE_IDLE)
        rcu_sim_sleep();
    world->tally->turns++;
    if (node->is_dead_inside) {
        node_notes_take(world, node);
        verdict_say(&world->verdict, "n%u dies inside a turn", node->number + 1);
        world->tally->fault_deaths_inside_a_turn++;
        node_end_dead(world, node);
        return;
    }
    if (duplicate_is(world, node)) {
        duplicate_shards_look(world, node, lane);
        after_turn(world, lane, result);
        return;
    }
    if (result != LANE_SYNC_FAILED)
        shards_look(world, node, lane);
    node_notes_take(world, node);
    after_turn(world, lane, result);
    faults_strike(world, node, lane->number);
    set_back_restart(world, node);
    node_stop_look(world, node);
}
