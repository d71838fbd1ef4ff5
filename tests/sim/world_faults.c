/* What happens to the nodes of a world: random faults by weight, and the end of all of them. */
#include "tests/sim/world.h"

#include "pmem/journal_internal.h"

#include "base/check.h"

#define MS                1000000ull
#define NODE_HOSTS(world) ((1u << (world)->draw.nodes) - 1)
#define FUSE_MAX          40

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
    FAULT_KIND_COUNT
};

uint64_t faults_up_to(struct world *world, uint64_t max)
{
    return prng_range(&world->fault_prng, 0, max);
}

static struct sim_node *node_any(struct world *world)
{
    return &world->nodes[faults_up_to(world, world->draw.nodes - 1)];
}

/* ---- cuts ---- */

static void link_change(struct world *world, uint32_t from, uint32_t to,
                        const struct lasting_fault *fault, bool is_beginning)
{
    struct network *network = &world->network;
    if (fault->lag_ns > 0)
        network->lag_ns[from][to] += is_beginning ? fault->lag_ns : 0 - fault->lag_ns;
    else
        network->cuts[from][to] += is_beginning ? 1u : UINT32_MAX;
}

static void hosts_cut(struct world *world, const struct lasting_fault *fault, bool is_beginning)
{
    for (uint32_t from = 0; from < HOSTS_MAX; from++) {
        for (uint32_t to = 0; to < HOSTS_MAX; to++) {
            if (from == to || !(fault->from_hosts >> from & 1) || !(fault->to_hosts >> to & 1))
                continue;
            link_change(world, from, to, fault, is_beginning);
            if (fault->is_mutual)
                link_change(world, to, from, fault, is_beginning);
        }
    }
}

static uint32_t fault_slot(struct world *world)
{
    uint32_t number = 0;
    while (number < FAULTS_MAX &&
           (world->faults[number].is_active || world->faults[number].is_pending))
        number++;
    return number;
}

static void fault_event(struct world *world, uint32_t number, uint64_t after_ns)
{
    world->faults[number].stamp = ++world->fault_stamp;
    agenda_plan(&world->agenda, &(struct event){.at_ns = world_now_ns(world) + 1 + after_ns,
                                                .kind = EVENT_MEND,
                                                .who = number,
                                                .stamp = world->fault_stamp});
}

uint32_t faults_begin_one(struct world *world, const struct lasting_fault *fault, uint64_t for_ns)
{
    uint32_t number = fault_slot(world);
    if (number == FAULTS_MAX)
        return FAULTS_MAX;
    world->faults[number] = *fault;
    world->faults[number].is_active = true;
    hosts_cut(world, fault, true);
    if (for_ns != UINT64_MAX)
        fault_event(world, number, for_ns);
    return number;
}

/* The same, not yet. */
static void fault_begin_later(struct world *world, const struct lasting_fault *fault,
                              uint64_t after_ns, uint64_t for_ns)
{
    uint32_t number = fault_slot(world);
    if (number == FAULTS_MAX)
        return;
    world->faults[number] = *fault;
    world->faults[number].is_pending = true;
    world->faults[number].for_ns = for_ns;
    fault_event(world, number, after_ns);
}

void faults_turn(struct world *world, uint32_t number, uint64_t stamp)
{
    struct lasting_fault *fault = &world->faults[number];
    if (fault->stamp != stamp)
        return;
    if (!fault->is_pending) {
        faults_mend(world, number);
        return;
    }
    fault->is_pending = false;
    fault->is_active = true;
    hosts_cut(world, fault, true);
    fault_event(world, number, fault->for_ns);
}

void faults_mend(struct world *world, uint32_t number)
{
    struct lasting_fault *fault = &world->faults[number];
    fault->is_pending = false;
    if (!fault->is_active)
        return;
    fault->is_active = false;
    hosts_cut(world, fault, false);
    if (fault->stalled_node == 0)
        return;
    media_go_on(world, &world->nodes[fault->stalled_node - 1]);
}

static void cut_partition(struct world *world)
{
    world->tally->fault_partitions++;
    uint32_t side = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "partition: nodes %#x apart for %llu ms", side & NODE_HOSTS(world),
                (unsigned long long)(for_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = side, .to_hosts = ~side, .is_mutual = true},
        for_ns);
}

static void cut_one_way(struct world *world)
{
    world->tally->fault_one_way_cuts++;
    bool is_pair = faults_up_to(world, 1) == 0;
    uint32_t from = 1u << node_any(world)->number;
    uint32_t to = is_pair ? 1u << node_any(world)->number : ~from;
    if (faults_up_to(world, 2) == 0)
        from = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    if (faults_up_to(world, 2) == 0) {
        uint32_t kept = from;
        from = to;
        to = kept;
    }
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "one-way cut from %#x to %#x for %llu ms", from, to,
                (unsigned long long)(for_ns / MS));
    faults_begin_one(world, &(struct lasting_fault){.from_hosts = from, .to_hosts = to}, for_ns);
}

static void cut_isolate(struct world *world)
{
    world->tally->fault_isolations++;
    struct sim_node *leader = node_leader(world);
    bool is_leader = leader != NULL && faults_up_to(world, 1) == 0;
    uint32_t node = 1u << (is_leader ? leader : node_any(world))->number;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint64_t for_ns = faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "isolated: nodes %#x for %llu ms", node,
                (unsigned long long)(for_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = node, .to_hosts = others, .is_mutual = true},
        for_ns);
}

static void cut_lag(struct world *world)
{
    world->tally->fault_lags++;
    uint32_t from = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint32_t to = (uint32_t)faults_up_to(world, (1u << HOSTS_MAX) - 1);
    uint64_t lag_ns = 1 + faults_up_to(world, world->draw.cut_ns_max);
    verdict_say(&world->verdict, "lag from %#x to %#x of %llu ms", from, to,
                (unsigned long long)(lag_ns / MS));
    faults_begin_one(world,
                     &(struct lasting_fault){.from_hosts = from, .to_hosts = to, .lag_ns = lag_ns},
                     faults_up_to(world, world->draw.cut_ns_max));
}

/*
 * The leader hears its peers late, and then nobody hears the leader any more: it goes on believing
 * in its leadership while they elect another. Clients reach everybody.
 */
static void cut_depose(struct world *world)
{
    struct sim_node *leader = node_leader(world);
    if (leader == NULL)
        return;
    world->tally->fault_depositions++;
    uint32_t node = 1u << leader->number;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint64_t patience_ns = world->draw.election_min_ns;
    uint64_t lag_ns = patience_ns / 2 + faults_up_to(world, patience_ns * 2 / 5);
    uint64_t for_ns = 3 * world->draw.election_max_ns;
    verdict_say(&world->verdict, "n%u hears its peers %llu ms late, then speaks to none",
                leader->number + 1, (unsigned long long)(lag_ns / MS));
    faults_begin_one(
        world, &(struct lasting_fault){.from_hosts = others, .to_hosts = node, .lag_ns = lag_ns},
        2 * lag_ns + for_ns);
    fault_begin_later(world, &(struct lasting_fault){.from_hosts = node, .to_hosts = others},
                      2 * lag_ns, for_ns);
}

/* ---- deaths ---- */

/* Dies at once, or in the middle of one of its next turns. */
static void node_die(struct world *world, struct sim_node *node, enum death death)
{
    if (node->lane == NULL)
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
static bool is_torn_now(const struct world *world, const struct sim_node *node)
{
    const struct watched_node *watched = &world->overseer.nodes[node->number];
    return watched->cut_at_ns != 0 &&
           world_now_ns(world) - watched->cut_at_ns < 2 * world->draw.sync_ns &&
           medium_sim_pending_count(world->media, watched->path) >= TORN_WORDS_MIN;
}

/* Its journal is between two banks: the new one is not durable yet, or the old one half wiped. */
static bool is_journal_moving(const struct sim_node *node)
{
    const struct journal *journal = replica_journal(node_replica(node));
    return journal != NULL && journal->idle_state != JOURNAL_IDLE_EMPTY;
}

void faults_strike(struct world *world, struct sim_node *node)
{
    const struct watched_node *watched = &world->overseer.nodes[node->number];
    if (world->is_healed || node->lane == NULL || world_now_ns(world) < world->draw.first_fault_ns)
        return;
    bool is_torn = is_torn_now(world, node) || is_journal_moving(node);
    if (!is_torn && !watched->is_at_turning_point)
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
        if (node->lane != NULL)
            node_crash(world, node, DEATH_POWER, down_ns + faults_up_to(world, 100 * MS));
    }
}

static void die_leader(struct world *world)
{
    struct sim_node *leader = node_leader(world);
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

static void leader_transfer(struct world *world)
{
    struct sim_node *leader = node_leader(world);
    if (leader == NULL)
        return;
    world->tally->fault_transfers++;
    uint16_t target = (uint16_t)faults_up_to(world, world->draw.nodes);
    client_ask_transfer(&world->clients[0], target);
}

/* ---- the driver ---- */

static enum fault_kind kind_draw(struct world *world)
{
    const struct draw *draw = &world->draw;
    const uint64_t weights[FAULT_KIND_COUNT] = {
        draw->partition_weight, draw->one_way_weight,  draw->isolate_weight,
        draw->lag_weight,       draw->depose_weight,   draw->power_weight,
        draw->power_all_weight, draw->kill_weight,     draw->kill_leader_weight,
        draw->pause_weight,     draw->slow_weight,     draw->clock_step_weight,
        draw->transfer_weight,  draw->stall_weight,    draw->sync_fail_weight,
        draw->rot_weight,       draw->lost_file_weight};
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

static void fault_apply(struct world *world, enum fault_kind kind)
{
    struct sim_node *node = node_any(world);
    switch (kind) {
    case FAULT_PARTITION:
        cut_partition(world);
        break;
    case FAULT_ONE_WAY:
        cut_one_way(world);
        break;
    case FAULT_ISOLATE:
        cut_isolate(world);
        break;
    case FAULT_LAG:
        cut_lag(world);
        break;
    case FAULT_DEPOSE:
        cut_depose(world);
        break;
    case FAULT_POWER:
        world->tally->fault_power_losses++;
        node_die(world, node, DEATH_POWER);
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
    case FAULT_TRANSFER:
        leader_transfer(world);
        break;
    case FAULT_STALL:
        media_stall(world, node);
        break;
    case FAULT_SYNC_FAIL:
        media_fail_sync(world, node);
        break;
    case FAULT_ROT:
        media_rot(world, node);
        break;
    case FAULT_LOST_FILE:
        media_lose(world, node);
        break;
    case FAULT_KIND_COUNT:
        break;
    }
}

static void fault_plan(struct world *world)
{
    uint64_t wait_ns = 1 + faults_up_to(world, 2 * world->draw.fault_interval_ns);
    agenda_plan(&world->agenda,
                &(struct event){.at_ns = world_now_ns(world) + wait_ns, .kind = EVENT_FAULT});
}

void faults_begin(struct world *world)
{
    uint64_t unlucky = (world->draw.nodes - 1) / 2;
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
    fault_apply(world, kind_draw(world));
    fault_plan(world);
}

/* ---- the end ---- */

void faults_heal(struct world *world)
{
    verdict_say(&world->verdict, "healed");
    world->is_healed = true;
    world->network.is_healed = true;
    for (uint32_t i = 0; i < FAULTS_MAX; i++)
        faults_mend(world, i);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        node->fuse = 0;
        node->slow_until_ns = 0;
        node->paused_until_ns = 0;
        if (node->lane == NULL)
            node_plan_boot(world, node, world_now_ns(world) + 1 + faults_up_to(world, 100 * MS));
        else
            node_plan_turn(world, node, world_now_ns(world) + 1);
    }
}

/* Nodes that may be missing already, for good. */
static uint32_t missing_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->draw.nodes; i++)
        count += world->nodes[i].is_gone || world->nodes[i].is_rotten ||
                 world->overseer.nodes[i].is_damaged;
    return count;
}

static struct lasting_fault residual_of(const struct world *world, uint32_t victim)
{
    uint32_t node = 1u << victim;
    uint32_t others = NODE_HOSTS(world) & ~node;
    uint32_t next = 1u << ((victim + 1) % world->draw.nodes);
    switch ((enum residual)world->draw.residual) {
    case RESIDUAL_DEAF:
        return (struct lasting_fault){.from_hosts = others, .to_hosts = node};
    case RESIDUAL_MUTE:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = others};
    case RESIDUAL_ISOLATED:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = others, .is_mutual = true};
    case RESIDUAL_LINK:
        return (struct lasting_fault){.from_hosts = node, .to_hosts = next, .is_mutual = true};
    case RESIDUAL_DOWN:
    case RESIDUAL_NONE:
    case RESIDUAL_COUNT:
        break;
    }
    return (struct lasting_fault){0};
}

uint32_t faults_residual(struct world *world)
{
    uint32_t minority = (uint32_t)(world->draw.nodes - 1) / 2;
    uint32_t victim = (uint32_t)(digest_word(world->seed, 3) % world->draw.nodes);
    if (world->draw.residual == RESIDUAL_NONE || missing_count(world) + 1 > minority)
        return FAULTS_MAX;
    world->tally->fault_residuals++;
    verdict_say(&world->verdict, "residual fault %llu at n%u",
                (unsigned long long)world->draw.residual, victim + 1);
    if (world->draw.residual == RESIDUAL_DOWN)
        node_crash(world, &world->nodes[victim], DEATH_KILL, UINT64_MAX);
    struct lasting_fault fault = residual_of(world, victim);
    return faults_begin_one(world, &fault, UINT64_MAX);
}
