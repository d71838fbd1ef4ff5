/*
 * Second processes with the id and the address of a node, for a while: each packet to the address
 * meets one of the two. The storage of the second one is made anew, with births of its own; or it
 * is a copy, with the births of the node. What its peers cannot know is not done, as in
 * world_set_back.c: the copy is older than the node's latest start, and all others have heard of
 * that start.
 *
 * It is no node of the cluster: nobody judges what it holds, but nothing may come of what it says.
 */
#include "tests/sim/world.h"

#include "base/check.h"
#include "tests/sim/port_sim.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

static struct sim_node *duplicate_of(struct world *world)
{
    return &world->nodes[world->draw.nodes];
}

bool duplicate_is(const struct world *world, const struct sim_node *node)
{
    return node->number == world->draw.nodes;
}

bool duplicate_is_there(const struct world *world)
{
    return world->network.twin.is_there;
}

/* ---- files ---- */

static void path_name(struct watched_node *watched, uint32_t shard)
{
    snprintf(watched->path, sizeof(watched->path), "twin.%u", shard);
    snprintf(watched->snapshot_path, sizeof(watched->snapshot_path), "twin.%u.snapshot", shard);
    snprintf(watched->identity_path, sizeof(watched->identity_path), "twin.%u.identity", shard);
}

void duplicate_init(struct world *world)
{
    uint32_t number = (uint32_t)world->draw.nodes;
    if (world->draw.duplicate_weight == 0)
        return;
    CHECK(number < NODES_MAX);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        path_name(&world->overseers[shard].nodes[number], shard);
    node_make(world, number);
}

static const char *identity_path(const struct world *world, uint32_t number, uint32_t shard)
{
    return world->overseers[shard].nodes[number].identity_path;
}

static void file_remove(struct world *world, const char *path)
{
    if (medium_sim_exists(world->media, path))
        medium_sim_remove(world->media, path);
}

static void file_copy(struct world *world, const char *path, const char *new_path)
{
    if (medium_sim_exists(world->media, path))
        medium_sim_copy(world->media, path, new_path);
}

static void files_remove(struct world *world)
{
    uint32_t number = (uint32_t)world->draw.nodes;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        for (uint32_t file = 0; file < NODE_FILES; file++)
            file_remove(world, node_file(world, number, shard, file));
        file_remove(world, identity_path(world, number, shard));
    }
}

static void files_copy(struct world *world, const struct sim_node *from)
{
    uint32_t number = (uint32_t)world->draw.nodes;
    files_remove(world);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        for (uint32_t file = 0; file < NODE_FILES; file++)
            file_copy(world, node_file(world, from->number, shard, file),
                      node_file(world, number, shard, file));
        file_copy(world, identity_path(world, from->number, shard),
                  identity_path(world, number, shard));
    }
}

/* ---- its life ---- */

void duplicate_end(struct world *world)
{
    struct sim_node *twin = duplicate_of(world);
    if (!duplicate_is_there(world))
        return;
    verdict_say(&world->verdict, "the second n%u is gone", twin->as + 1);
    if (twin->is_running)
        node_close(world, twin);
    files_remove(world);
    world->network.twin.is_there = false;
}

/* What a node accepts relaxed, and answers relaxed, rests on its own medium: two processes do not
 * know of each other's, and who judges takes them for one node. */
static bool are_clients_consistent(const struct draw *draw)
{
    return draw->relaxed_set_weight == 0 && draw->relaxed_del_weight == 0 &&
           draw->relaxed_get_weight == 0;
}

static void begin(struct world *world, const struct sim_node *of, bool is_copy)
{
    static const uint32_t shares[] = {100000, 500000, 900000};
    struct sim_node *twin = duplicate_of(world);
    struct lane_report report;
    twin->as = of->number;
    twin->boots = is_copy;
    twin->is_identified = false;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        twin->aside_birth[shard] = 0;
    world->network.twin =
        (struct network_double){.is_there = true,
                                .host = twin->number,
                                .of = of->number,
                                .share = shares[faults_up_to(world, 2)],
                                .is_to_nodes = !are_clients_consistent(&world->draw)};
    verdict_say(&world->verdict, "a second n%u starts: %s", of->number + 1,
                is_copy ? "a copy" : "made anew");
    if (node_open(world, twin, &report) != OK) {
        verdict_break(&world->verdict, RULE_RECOVERY, "a second node %u: %s", of->number + 1,
                      report.reason);
        return;
    }
    world->tally->fault_duplicates_copied += is_copy;
    world->tally->fault_duplicates_made_anew += !is_copy;
    node_plan_turns(world, twin, world_now_ns(world) + 1);
    faults_begin_one(world, &(struct lasting_fault){.is_duplicate = true},
                     MS + faults_up_to(world, world->draw.cut_ns_max));
}

/* ---- when ---- */

/* The node's storage is a voter of a shard that has formed: the record that says so is committed.
 * Before that a second process might form the cluster in the node's name. */
static bool is_settled_voter(struct replica *replica)
{
    uint64_t index;
    struct raft_status status;
    replica_raft_status(replica, &status);
    (void)raft_configuration_of(replica_raft(replica), &index);
    return status.membership == RAFT_VOTER && status.commit_index >= index;
}

/* The node's storages are whole, and voters of their shards. */
static bool is_fit(const struct world *world, const struct sim_node *node)
{
    if (!node->is_running || node->is_gone || node->is_rotten || !node->is_unlucky ||
        node->number >= draw_founders(&world->draw))
        return false;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        if (!is_settled_voter(node_replica(node, shard)) ||
            replica_set_back(node_replica(node, shard))->node != 0)
            return false;
    }
    return true;
}

static bool are_all_witnesses_of_all(const struct world *world, const struct sim_node *node)
{
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        if (!set_back_is_witnessed(world, node, shard))
            return false;
    }
    return true;
}

/* The node dies, and what it leaves is copied. */
static void copy(struct world *world, struct sim_node *node)
{
    world->copied =
        (struct copied_node){.is_there = true, .node = node->number, .boots = node->boots};
    node_crash(world, node, DEATH_POWER, faults_up_to(world, world->draw.down_ns_max));
    files_copy(world, node);
}

void duplicate_act(struct world *world, struct sim_node *node)
{
    const struct copied_node *copied = &world->copied;
    if (duplicate_is_there(world))
        return;
    if (copied->is_there) {
        struct sim_node *of = &world->nodes[copied->node];
        if (is_fit(world, of) && of->boots > copied->boots && are_all_witnesses_of_all(world, of)) {
            world->copied.is_there = false;
            begin(world, of, true);
        } else if (faults_up_to(world, 3) == 0) {
            world->copied.is_there = false;
            files_remove(world);
        }
        return;
    }
    if (!is_fit(world, node))
        return;
    if (faults_up_to(world, 1) == 0)
        copy(world, node);
    else
        begin(world, node, false);
}

void duplicate_look(struct world *world, struct sim_node *twin, uint32_t shard)
{
    const struct start_finding *found = replica_set_back(node_replica(twin, shard));
    if (found->node == 0 || twin->aside_birth[shard] != 0)
        return;
    verdict_say(&world->verdict, "the second n%u is told by n%u that shard %u was set back",
                twin->as + 1, found->node, shard);
    twin->aside_birth[shard] = found->birth;
    world->tally->duplicates_found++;
}
