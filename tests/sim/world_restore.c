/*
 * A cluster is given up, and another one restored from one of its backups, with the same name and
 * at the same addresses. The files of node 1 are made by what `pollux restore` runs
 * (tools/restore/restore_fill.c, restore_shard.c); the other nodes begin with nothing and are added
 * by an operator. The data directory is not simulated.
 *
 * The judges begin anew, with what the backup has under its new versions. Nothing of the old
 * cluster may show. Nothing fails meanwhile: what clusters owe under faults the run before shows.
 */
#include "tests/sim/world.h"

#include "base/check.h"
#include "pmem/identity.h"
#include "tools/restore/restore_fill.h"

#include <string.h>

#define MS          UINT64_C(1000000)
#define YIELD_NS    (MS / 10)
#define ATTACH_NS   (30000 * MS)
#define KEEPER_NS   (100000 * MS)
#define START_NS    (500 * MS)
#define RUN_NS      (3000 * MS)
#define OPS_MAX     20 /* of each client */
#define SECOND_SEED UINT64_C(0x726573746f7265)

/* ---- the files ---- */

/* Whose restore waits, in place of restore_yield.c. */
static struct world *restoring;
static uint64_t media_now_ns;

void restore_yield(void)
{
    world_advance(restoring, world_now_ns(restoring) + YIELD_NS);
    media_now_ns += YIELD_NS; /* a run that is broken stands still */
    if (media_now_ns < world_now_ns(restoring))
        media_now_ns = world_now_ns(restoring);
    medium_sim_set_now(restoring->media, media_now_ns);
}

static void remove_file(struct world *world, const char *path)
{
    if (medium_sim_exists(world->media, path))
        medium_sim_remove(world->media, path);
}

/* The nodes are machines without anything. */
static void give_up(struct world *world)
{
    verdict_say(&world->verdict, "the cluster is given up");
    set_back_forget(world);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        node_crash(world, &world->nodes[i], DEATH_POWER, UINT64_MAX);
        for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
            for (uint32_t file = 0; file < NODE_FILES; file++)
                remove_file(world, node_file(world, i, shard, file));
            remove_file(world, world->overseers[shard].nodes[i].identity_path);
        }
    }
    world->restored.keeper.is_given_up = true;
}

/* What nothing waits for any more: events of the nodes before must not meet those that come. */
static void make_nodes(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct sim_node *node = &world->nodes[i];
        const struct sim_node before = *node;
        node_make(world, i);
        node->boot_stamp = before.boot_stamp + 1;
        for (uint32_t lane = 0; lane < node->lane_count; lane++) {
            node->lanes[lane].turn_stamp = before.lanes[lane].turn_stamp + 1;
            network_flush(&world->network, i, lane);
        }
    }
    world->client_world.nodes_gone = 0;
    world->client_world.nodes_down = NODE_HOSTS(world);
    world->client_world.outsiders = NODE_HOSTS(world) & ~1u;
}

static void make_files(struct world *world, const struct copied *copied, int fd)
{
    struct sim_node *node = &world->nodes[0];
    const struct config_peer self = {.id = 1, .address = network_address(0)};
    struct replica_options options[SIM_SHARDS_MAX];
    struct restore_target targets[SIM_SHARDS_MAX];
    char text[RESTORE_FILL_TEXT_BYTES] = "";
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        options[shard] = node_replica_options(world, node, shard);
        options[shard].log.format_max = FORMAT_KNOWN;
        targets[shard] =
            (struct restore_target){.options = &options[shard],
                                    .self = &self,
                                    .version = restore_version(copied->shards[shard].index),
                                    .birth = prng_next(&world->prng) | 1,
                                    .cluster = prng_next(&world->prng) | 1};
        CHECK(identity_make(options[shard].identity_path, &options[shard].log.identity, text,
                            sizeof(text)) == OK);
    }
    restoring = world;
    media_now_ns = world_now_ns(world);
    medium_sim_set_now(world->media, media_now_ns);
    enum error error = restore_fill(fd, targets, text);
    if (error != OK)
        verdict_break(&world->verdict, RULE_RESTORE, "a restore fails: %s: %s", error_name(error),
                      text);
    node->boots = 1; /* its files are there */
}

/* ---- the judges ---- */

/* Versions of the old cluster are below all of the new one. */
static void judge_versions(struct world *world, const struct copied *copied)
{
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        uint64_t version = restore_version(copied->shards[shard].index);
        uint64_t highest = world->overseers[shard].ledgers[0].commit_highest;
        if (version <= highest)
            verdict_break(&world->verdict, RULE_RESTORE,
                          "shard %u is restored under version %llu; the cluster before had %llu",
                          shard, (unsigned long long)version, (unsigned long long)highest);
    }
}

static void begin_judges(struct world *world, const struct copied *copied)
{
    struct history_restored restored[HISTORY_KEYS_MAX] = {0};
    for (uint32_t key = 0; key < copied->key_count; key++)
        restored[key] = (struct history_restored){
            copied->keys[key].value,
            restore_version(copied->shards[copied->key_shards[key]].index)};
    history_restore(&world->history, restored, world_now_ns(world));
    witness_deinit(&world->witness);
    witness_init(&world->witness);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        overseer_deinit(&world->overseers[shard]);
    world_watch(world);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        overseer_restore(&world->overseers[shard], restore_version(copied->shards[shard].index));
    memset(world->closed_index, 0, sizeof(world->closed_index));
    world->rotten = (struct rotten){0};
    world->is_raise_asked = false;
    world->formats_appended = 0;
    world->formats_raised = 0;
}

/* ---- the new cluster ---- */

/* One founder, as it were; all other nodes are added. */
static void draw_second(struct draw *draw)
{
    draw->spares = draw->nodes - 1;
    draw->short_peers_chance = 0;
    draw->upgrade_weight = 0;
    draw->duplicate_weight = 0;
}

static void begin_clients(struct world *world)
{
    struct client_world *clients = &world->client_world;
    clients->is_winding_down = false;
    tokens_deinit(&clients->tokens);
    tokens_init(&clients->tokens);
    for (uint32_t i = 0; i < world->draw.clients; i++) {
        struct client *client = &world->clients[i];
        client_deinit(client);
        client_init(client, clients, i, world->seed ^ SECOND_SEED, NULL);
        client->ops_left = client->ops_left < OPS_MAX ? client->ops_left : OPS_MAX;
    }
}

static void begin_second(struct world *world, uint32_t number)
{
    const struct copied *copied = &world->copier.backups[number];
    verdict_say(&world->verdict, "backup %u is restored", number);
    judge_versions(world, copied);
    draw_second(&world->draw);
    make_nodes(world);
    begin_judges(world, copied);
    make_files(world, copied, world->copier.fds[number]);
    node_plan_boot(world, &world->nodes[0],
                   world_now_ns(world) + 1 + faults_up_to(world, START_NS));
    begin_clients(world);
    world->tally->restores++;
}

static bool is_keeper_over(struct world *world)
{
    return world->restored.keeper.is_over;
}

/* A node that is of no cluster yet answers a handle of any: it starts when that was looked at. */
static void start_others(struct world *world)
{
    (void)world_await(world, is_keeper_over, KEEPER_NS);
    for (uint32_t i = 1; i < world->draw.nodes; i++)
        node_plan_boot(world, &world->nodes[i],
                       world_now_ns(world) + 1 + faults_up_to(world, START_NS));
}

static bool is_attached(struct world *world)
{
    return world->restored.keeper.kept.number != 0;
}

bool restore_begin(struct world *world)
{
    struct keeper *keeper = &world->restored.keeper;
    if (world->draw.is_restored == 0 || world->copier.count == 0 || !world->history.is_settled ||
        verdict_is_broken(&world->verdict))
        return false;
    keeper_begin(keeper, world->copier.client);
    if (!world_await(world, is_attached, ATTACH_NS) || verdict_is_broken(&world->verdict)) {
        keeper->is_given_up = true;
        return false;
    }
    give_up(world);
    begin_second(world, (uint32_t)faults_up_to(world, world->copier.count - 1));
    start_others(world);
    world_advance(world, world_now_ns(world) + RUN_NS);
    world->client_world.is_winding_down = true;
    return true;
}

void restore_end(struct world *world)
{
    const struct keeper *keeper = &world->restored.keeper;
    if (!keeper->is_over || !keeper->is_told)
        verdict_break(&world->verdict, RULE_RESTORE,
                      "a handle of the cluster before is not told of the restored one");
}
