/*
 * A quorum is lost for good, and an operator runs the rescue with the storages that are left. The
 * code that looks at them, plans, and applies the plan is that of pollux-rescue.
 *
 * The nodes that were lost come back later, perhaps as a majority among themselves and cut off from
 * the others, with the storages that they had: they must not get into the new era, and who has seen
 * that one must not hear them. A storage that has heard of the new era is set aside at the next
 * start of its node, which an operator adds anew when all is healed.
 *
 * Now and then an operator is wrong, and asks for a rescue with storages that are a majority.
 */
#include "tests/sim/file_reader_sim.h"
#include "tests/sim/world.h"

#include "base/check.h"
#include "tools/rescue/look.h"
#include "tools/rescue/storage.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

#define NOTICE_NS_MAX (2000 * MS) /* until an operator acts */
#define AWAY_NS_MAX   (3000 * MS)
#define START_NS_MAX  (300 * MS)

/* What the operator has found of a shard: each node that is left, in order. */
struct found {
    struct rescue_find finds[NODES_MAX];
    uint32_t nodes[NODES_MAX];
    uint32_t count;
};

/* ---- looking ---- */

static void files_of(const struct world *world, uint32_t node, uint32_t shard,
                     struct rescue_files *files)
{
    const struct watched_node *watched = &world->overseers[shard].nodes[node];
    snprintf(files->log, sizeof(files->log), "%s", watched->path);
    snprintf(files->identity, sizeof(files->identity), "%s", watched->identity_path);
    for (uint32_t i = 0; i < NODE_JOURNAL_FILES; i++)
        snprintf(files->journals[i], sizeof(files->journals[i]), "%s",
                 node_file(world, node, shard, 1 + i));
    for (uint32_t i = 0; i < SNAPSHOT_FILES; i++)
        snprintf(files->snapshots[i], sizeof(files->snapshots[i]), "%s",
                 node_file(world, node, shard, 1 + NODE_JOURNAL_FILES + i));
}

static struct log_identity owner_of(const struct world *world, uint32_t node)
{
    return (struct log_identity){.cluster_id = world->cluster_id, .node = (uint16_t)(node + 1)};
}

static void look(struct world *world, uint32_t nodes, uint32_t shard, struct found *found)
{
    struct rescue_files files;
    found->count = 0;
    file_reader_sim_use(world->media);
    for (uint32_t left = nodes; left != 0; left &= left - 1) {
        uint32_t node = (uint32_t)__builtin_ctz(left);
        const struct log_identity owner = owner_of(world, node);
        files_of(world, node, shard, &files);
        rescue_look(&files, &owner, &found->finds[found->count]);
        found->finds[found->count].storage.new_birth = prng_next(&world->fault_prng) | 1;
        found->nodes[found->count++] = node;
    }
}

static void plan(const struct found *found, struct rescue_shard_plan *ret_plan)
{
    struct rescue_storage storages[NODES_MAX];
    for (uint32_t i = 0; i < found->count; i++)
        storages[i] = found->finds[i].storage;
    rescue_plan_shard(storages, found->count, NULL, 0, ret_plan);
}

static void plan_after(const struct found *found, uint64_t era, uint32_t number,
                       struct rescue_shard_plan *plan)
{
    struct rescue_storage storages[NODES_MAX];
    for (uint32_t i = 0; i < found->count; i++)
        storages[i] = found->finds[i].storage;
    rescue_plan_after(storages, found->count, era, number, plan);
}

/* ---- doing it ---- */

/* The old file is the operator's; the simulator needs its place. False: there was none. */
static bool forget_aside(struct world *world, const char *path, const char *reason, uint64_t birth)
{
    char aside[MEDIUM_SIM_PATH_MAX];
    snprintf(aside, sizeof(aside), "%s.%s.%016llx", path, reason, (unsigned long long)birth);
    if (!medium_sim_exists(world->media, aside))
        return false;
    medium_sim_remove(world->media, aside);
    return true;
}

static enum error apply_to(struct world *world, const struct found *found, uint32_t i,
                           uint32_t shard, const struct rescue_shard_plan *plan)
{
    char text[RESCUE_TEXT_BYTES] = "";
    char reason[48];
    const struct rescue_find *find = &found->finds[i];
    const struct watched_node *watched = &world->overseers[shard].nodes[found->nodes[i]];
    struct log_options options = {.path = watched->path,
                                  .size_bytes = world->draw.log_bytes,
                                  .format_max = FORMAT_KNOWN,
                                  .identity = owner_of(world, found->nodes[i]),
                                  .snapshot_index = find->snapshot.index,
                                  .snapshot_term = find->snapshot.term};
    if (i == plan->chosen)
        return rescue_begin_era(&options, plan, text);
    world->nodes[found->nodes[i]].is_journal_hurt[shard] = true; /* of the storage before */
    options.segment_size_bytes = world->draw.segment_bytes;
    options.is_created = true;
    options.birth = find->storage.new_birth;
    options.format = plan->after.format;
    enum error error = rescue_renew(&options, watched->identity_path, plan->after.era,
                                    find->storage.storage.birth, text);
    snprintf(reason, sizeof(reason), "before-era-%llu", (unsigned long long)plan->after.era);
    (void)forget_aside(world, watched->path, reason, find->storage.storage.birth);
    return error;
}

/* First those that follow, then the one that goes on. */
static void apply(struct world *world, const struct found *found, uint32_t shard,
                  const struct rescue_shard_plan *plan)
{
    enum error error = OK;
    for (uint32_t i = 0; i < found->count && error == OK; i++) {
        if (i != plan->chosen)
            error = apply_to(world, found, i, shard, plan);
    }
    if (error == OK)
        error = apply_to(world, found, plan->chosen, shard, plan);
    if (error != OK)
        verdict_break(&world->verdict, RULE_RESCUE, "shard %u: the rescue fails: %s", shard,
                      error_name(error));
}

static bool is_whole(const struct world *world, const struct found *found, uint32_t i,
                     uint32_t shard)
{
    const struct rescue_storage *storage = &found->finds[i].storage;
    return storage->is_usable && !storage->is_suspect && !storage->is_ended &&
           !world->overseers[shard].nodes[found->nodes[i]].is_damaged;
}

/* What a whole storage that is left knows to be committed stays. */
static void judge_kept(struct world *world, const struct found *found, uint32_t shard,
                       uint64_t kept_index)
{
    for (uint32_t i = 0; i < found->count; i++) {
        const struct rescue_storage *storage = &found->finds[i].storage;
        if (is_whole(world, found, i, shard) && storage->commit_index > kept_index)
            verdict_break(&world->verdict, RULE_RESCUE,
                          "shard %u: node %u has records up to %llu, which are committed; %llu are "
                          "kept",
                          shard, found->nodes[i] + 1, (unsigned long long)storage->commit_index,
                          (unsigned long long)kept_index);
    }
}

/* The judges go on with two eras. */
static void split(struct world *world, const struct found *found,
                  const struct rescue_shard_plan *plans)
{
    uint64_t kept[HISTORY_SHARDS_MAX] = {0};
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        const struct rescue_shard_plan *plan = &plans[shard];
        const struct rescue_find *chosen = &found[shard].finds[plan->chosen];
        uint64_t highest = world->overseers[shard].ledgers[0].commit_highest;
        kept[shard] = rescue_kept_index(&chosen->storage, plan);
        verdict_say(
            &world->verdict, "shard %u: n%u goes on in era %llu from record %llu; kept up to %llu",
            shard, found[shard].nodes[plan->chosen] + 1, (unsigned long long)plan->after.era,
            (unsigned long long)chosen->storage.last_index, (unsigned long long)kept[shard]);
        judge_kept(world, &found[shard], shard, kept[shard]);
        if (highest > kept[shard])
            world->tally->rescue_records_lost += highest - kept[shard];
        overseer_rescue(&world->overseers[shard], world->disaster.left, kept[shard]);
        world->closed_index[shard] = 0;
    }
    history_rescued(&world->history, kept, world_now_ns(world));
    world->client_world.new_era = (uint32_t)plans[0].after.era;
    world->client_world.outsiders |= world->disaster.lost;
    world->disaster.is_rescued = true;
    world->tally->rescues++;
}

/* False: nothing that is left can go on. */
static bool plan_all(struct world *world, struct found *found, struct rescue_shard_plan *plans)
{
    uint64_t era = 0;
    uint32_t number = 0;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        look(world, world->disaster.left, shard, &found[shard]);
        plan(&found[shard], &plans[shard]);
        if (plans[shard].verdict != RESCUE_POSSIBLE)
            return false;
        for (uint32_t i = 0; i < found[shard].count; i++) {
            const struct raft_configuration *own = &found[shard].finds[i].storage.configuration;
            era = own->era >= era ? own->era + 1 : era;
            number = own->number >= number ? own->number + 1 : number;
        }
    }
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        plan_after(&found[shard], era, number, &plans[shard]);
    return true;
}

/* Those of `nodes` start again within `within_ns`. */
static void start(struct world *world, uint32_t nodes, uint64_t within_ns)
{
    for (uint32_t left = nodes; left != 0; left &= left - 1) {
        struct sim_node *node = &world->nodes[__builtin_ctz(left)];
        node->is_away = false;
        node_plan_boot(world, node, world_now_ns(world) + 1 + faults_up_to(world, within_ns));
    }
}

/* A process that was killed has left what the machine may not have written yet. */
static void stop(struct world *world, uint32_t nodes)
{
    for (uint32_t left = nodes; left != 0; left &= left - 1) {
        struct sim_node *node = &world->nodes[__builtin_ctz(left)];
        if (!node->is_running)
            node_sync(world, node);
        node_crash(world, node, DEATH_POWER, UINT64_MAX);
    }
}

/* Whoever will not come back is given up; the others are away for a while. */
static void lose_some(struct world *world)
{
    struct disaster *disaster = &world->disaster;
    uint64_t roll = faults_up_to(world, 3);
    for (uint32_t left = disaster->lost; left != 0; left &= left - 1) {
        struct sim_node *node = &world->nodes[__builtin_ctz(left)];
        if (roll == 0 || (roll == 1 && faults_up_to(world, 1) == 0))
            node_give_up(world, node);
    }
    disaster->is_return_planned = true;
    agenda_plan(&world->agenda,
                &(struct event){.at_ns = world_now_ns(world) + 1 + faults_up_to(world, AWAY_NS_MAX),
                                .kind = EVENT_RESCUE});
}

static void rescue(struct world *world)
{
    static struct found found[SIM_SHARDS_MAX];
    struct rescue_shard_plan plans[SIM_SHARDS_MAX];
    struct disaster *disaster = &world->disaster;
    disaster->state = DISASTER_OVER;
    medium_sim_set_now(world->media, world_now_ns(world));
    stop(world, disaster->left);
    if (!plan_all(world, found, plans)) {
        verdict_say(&world->verdict, "no rescue is possible: the lost nodes are found again");
        start(world, disaster->left | disaster->lost, START_NS_MAX);
        return;
    }
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        apply(world, &found[shard], shard, &plans[shard]);
    split(world, found, plans);
    start(world, disaster->left, START_NS_MAX);
    lose_some(world);
}

/* Half of the time nothing of the new era reaches them at first. */
static void return_lost(struct world *world)
{
    struct disaster *disaster = &world->disaster;
    disaster->is_return_planned = false;
    if (!world->is_healed && faults_up_to(world, 1) == 0)
        faults_begin_one(world,
                         &(struct lasting_fault){.from_hosts = disaster->lost,
                                                 .to_hosts = disaster->left,
                                                 .is_mutual = true},
                         faults_up_to(world, world->draw.cut_ns_max));
    verdict_say(&world->verdict, "the nodes that were lost come back");
    start(world, disaster->lost, START_NS_MAX);
}

void disaster_turn(struct world *world)
{
    if (world->disaster.state == DISASTER_BEGUN)
        rescue(world);
    else if (world->disaster.is_return_planned)
        return_lost(world);
}

void disaster_heal(struct world *world)
{
    if (world->disaster.state == DISASTER_BEGUN)
        rescue(world);
    if (world->disaster.is_return_planned)
        return_lost(world);
}

/* ---- when ---- */

static uint32_t some_nodes(struct world *world, uint32_t count)
{
    uint32_t nodes = 0;
    while (count > 0) {
        uint32_t bit = UINT32_C(1) << node_any(world)->number;
        count -= (nodes & bit) == 0;
        nodes |= bit;
    }
    return nodes;
}

static void begin(struct world *world)
{
    struct disaster *disaster = &world->disaster;
    uint32_t nodes = (uint32_t)world->draw.nodes;
    uint32_t left_count = 1 + (uint32_t)faults_up_to(world, nodes / 2 - 1); /* no majority */
    disaster->state = DISASTER_BEGUN;
    disaster->left = some_nodes(world, left_count);
    disaster->lost = NODE_HOSTS(world) & ~disaster->left;
    verdict_say(&world->verdict, "nodes %x are lost, as their operator thinks", disaster->lost);
    world->tally->fault_quorums_lost++;
    stop(world, disaster->lost);
    for (uint32_t left = disaster->lost; left != 0; left &= left - 1)
        world->nodes[__builtin_ctz(left)].is_away = true;
    agenda_plan(&world->agenda, &(struct event){.at_ns = world_now_ns(world) + 1 +
                                                         faults_up_to(world, NOTICE_NS_MAX),
                                                .kind = EVENT_RESCUE});
}

/* Voters of one configuration, with whole storages: they may lead as soon as they start. */
static bool are_majority(const struct world *world, const struct found *found, uint32_t shard,
                         const struct rescue_shard_plan *plan)
{
    struct raft_halves halves = raft_configuration_halves(&plan->before);
    uint32_t whole = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const struct rescue_storage *storage = &found->finds[i].storage;
        uint32_t slot = raft_configuration_slot(&plan->before, storage->storage.birth);
        if (slot != RAFT_SLOT_NONE && is_whole(world, found, i, shard))
            whole |= UINT32_C(1) << slot;
    }
    return raft_is_majority(whole, halves.old_half) && raft_is_majority(whole, halves.new_half);
}

/* With all nodes stopped, and the directories of a majority of them. */
static void ask_wrongly(struct world *world)
{
    static struct found found;
    uint32_t nodes = (uint32_t)world->draw.nodes;
    uint32_t least = nodes / 2 + 1;
    uint32_t some = some_nodes(world, least + (uint32_t)faults_up_to(world, nodes - least));
    stop(world, NODE_HOSTS(world));
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        struct rescue_shard_plan made;
        look(world, some, shard, &found);
        plan(&found, &made);
        if (made.verdict == RESCUE_POSSIBLE && are_majority(world, &found, shard, &made))
            verdict_break(&world->verdict, RULE_RESCUE,
                          "shard %u: nodes %x are a majority, and a rescue is not refused", shard,
                          some);
        world->tally->rescues_refused += made.verdict == RESCUE_NOT_NEEDED;
    }
    start(world, NODE_HOSTS(world), START_NS_MAX);
}

void disaster_act(struct world *world)
{
    bool is_done = world->disaster.state != DISASTER_NONE;
    if (is_done || world->draw.nodes < 2 || world->draw.spares > 0 || duplicate_is_there(world))
        return;
    if (faults_up_to(world, 2) == 0)
        ask_wrongly(world);
    else
        begin(world);
}

/* ---- who hears of it ---- */

void disaster_look(struct world *world, struct sim_node *node, uint32_t shard)
{
    const struct replica_stranger *stranger = replica_stranger(node_replica(node, shard));
    if (!world->disaster.is_rescued || stranger->theirs.cluster != stranger->ours.cluster ||
        stranger->theirs.era <= stranger->ours.era || world->is_restart_due)
        return;
    verdict_say(&world->verdict, "n%u: shard %u hears of era %u from n%u", node->number + 1, shard,
                stranger->theirs.era, stranger->node);
    if (world->overseers[shard].nodes[node->number].era == 1)
        verdict_break(&world->verdict, RULE_ERA, "node %u is told that the new era is over",
                      node->number + 1);
    world->tally->eras_over_found++;
    node->fuse = 0;
    world->is_restart_due = true;
}

static void note_era(struct world *world, const struct sim_node *node, uint32_t shard, uint32_t era)
{
    uint32_t *nodes = &world->client_world.new_nodes[shard];
    uint32_t bit = UINT32_C(1) << node->number;
    world->overseers[shard].nodes[node->number].era = era;
    *nodes = era == 1 ? *nodes | bit : *nodes & ~bit;
    world->witness.new_nodes[shard] = *nodes;
    history_set_era(&world->history, shard, node->incarnation, era);
}

/* A shard tells its era once a configuration is committed, and shard 0 the cluster: a client needs
 * both. */
static void look_for_name(struct world *world, struct sim_node *node, uint32_t shard)
{
    uint64_t index;
    struct raft_status status;
    struct replica *replica = node_replica(node, shard);
    replica_raft_status(replica, &status);
    const struct raft_configuration *now = raft_configuration_of(replica_raft(replica), &index);
    bool is_cluster_named = shard == 0 || node->named_incarnation[0] == node->incarnation;
    if (node->named_incarnation[shard] == node->incarnation || now->cluster == 0 ||
        index > status.commit_index || !is_cluster_named)
        return;
    node->named_incarnation[shard] = node->incarnation;
    history_name(&world->history,
                 &(struct history_naming){shard, node->incarnation, world_now_ns(world)});
}

static uint32_t era_of_leader(const struct world *world, const struct sim_node *node,
                              uint32_t shard)
{
    struct raft_status status;
    const struct watched_node *nodes = world->overseers[shard].nodes;
    replica_raft_status(node_replica(node, shard), &status);
    bool is_led = status.leader != 0 && status.leader <= world->draw.nodes && status.last_index > 0;
    return nodes[is_led ? status.leader - 1u : node->number].era;
}

/* The nodes of the era before may take a new storage in, until they hear that their era is over. A
 * log with a configuration of the new era is of that era, also where a later record names the
 * storage. One with a configuration of the era before may be catching up: it is of its
 * leader's era. */
void disaster_follow(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct watched_node *watched = &world->overseers[shard].nodes[node->number];
    uint64_t index;
    if (!world->disaster.is_rescued)
        return;
    look_for_name(world, node, shard);
    const struct raft_configuration *now =
        raft_configuration_of(replica_raft(node_replica(node, shard)), &index);
    uint32_t era = now->era >= world->client_world.new_era;
    bool is_named = raft_configuration_slot(now, watched->birth) != RAFT_SLOT_NONE;
    if (era == 0 && !is_named)
        era = era_of_leader(world, node, shard);
    if (era == watched->era)
        return;
    verdict_say(&world->verdict, "n%u: shard %u is taken into era %llu", node->number + 1, shard,
                (unsigned long long)now->era);
    note_era(world, node, shard, era);
}

/* A storage of the era before was set aside. */
void disaster_start_look(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct watched_node *watched = &world->overseers[shard].nodes[node->number];
    struct raft_status status;
    replica_raft_status(node_replica(node, shard), &status);
    bool is_over = world->disaster.is_rescued &&
                   forget_aside(world, watched->path, "era-over", watched->birth);
    for (uint32_t i = 0; i < NODE_FILES && is_over; i++)
        (void)forget_aside(world, node_file(world, node->number, shard, i), "era-over",
                           watched->birth);
    watched->birth = status.birth;
    node->is_journal_hurt[shard] |= is_over;
    if (is_over || watched->era == 1)
        note_era(world, node, shard, 1);
}

static bool is_of_the_past(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    uint64_t index;
    const struct replica *replica = node_replica(node, shard);
    const struct raft_configuration *now = raft_configuration_of(replica_raft(replica), &index);
    return now->era < world->client_world.new_era &&
           raft_configuration_slot(now, world->overseers[shard].nodes[node->number].birth) !=
               RAFT_SLOT_NONE;
}

bool disaster_is_heard_of(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes * world->draw.shards; i++) {
        const struct sim_node *node = &world->nodes[i / world->draw.shards];
        uint32_t shard = i % (uint32_t)world->draw.shards;
        bool is_past = node->is_running ? is_of_the_past(world, node, shard) : !node->is_gone;
        if (world->disaster.is_rescued && is_past)
            return false;
    }
    return true;
}

bool disaster_is_stuck(const struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        const struct sim_node *node = &world->nodes[i];
        if ((world->disaster.left >> i & 1) != 0 && node->is_gone)
            return true;
    }
    return false;
}
