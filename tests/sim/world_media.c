/* What happens to the media of a world's nodes: rot, lost files, syncs that stall or fail. */
#include "tests/sim/world.h"

/* How often a rotting log is not alone. */
#define SNAPSHOT_ROT_CHANCE 400000
#define SNAPSHOT_BEGIN      4096u /* its completion record, and what follows */

/* End of what the node has written to the log of the shard, as far as was seen. */
static size_t written_bytes(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    const struct watched_node *watched = &world->overseers[shard].nodes[node->number];
    if (watched->seen_last == 0)
        return 8192 + RECORD_ALIGN_BYTES;
    const struct seen_record *last = &watched->seen[watched->seen_last];
    return last->offset_bytes + last->size_bytes + 1;
}

static size_t rot_offset(struct world *world, const struct sim_node *node, uint32_t shard)
{
    uint64_t roll = faults_up_to(world, 9);
    if (roll < 1)
        return faults_up_to(world, 127);
    if (roll < 4)
        return 4096 + faults_up_to(world, 63);
    /* What says how much is written may have rotted before. */
    size_t end = written_bytes(world, node, shard);
    return end > 8192 && end <= world->draw.log_bytes ? 8192 + faults_up_to(world, end - 8193)
                                                      : faults_up_to(world, 127);
}

/* Whether a fault of the media meets the journal, and which bank; 0: the log. */
static uint32_t file_draw(struct world *world)
{
    if (!prng_chance(&world->fault_prng, (uint32_t)world->draw.journal_fault_chance))
        return 0;
    return 1 + (uint32_t)faults_up_to(world, NODE_JOURNAL_FILES - 1);
}

/* A snapshot of the shard that rots; what the node held by it cannot be looked up any more. */
static void snapshot_rot(struct world *world, struct sim_node *node, uint32_t shard)
{
    uint32_t which = 1 + NODE_JOURNAL_FILES + (uint32_t)faults_up_to(world, 1);
    const char *file = node_file(world, node->number, shard, which);
    if (!medium_sim_exists(world->media, file) ||
        !prng_chance(&world->fault_prng, SNAPSHOT_ROT_CHANCE))
        return;
    size_t end = medium_sim_written_bytes(world->media, file);
    size_t offset = end <= SNAPSHOT_BEGIN
                        ? faults_up_to(world, 127)
                        : SNAPSHOT_BEGIN + faults_up_to(world, end - 1 - SNAPSHOT_BEGIN);
    verdict_say(&world->verdict, "%s rots at %zu", file, offset);
    medium_sim_flip_bit(world->media, file, offset, (uint32_t)faults_up_to(world, 7));
    world->overseers[shard].nodes[node->number].is_damaged = true;
    world->tally->fault_snapshot_rot++;
}

static size_t journal_rot_offset(struct world *world, const char *path)
{
    uint64_t roll = faults_up_to(world, 9);
    size_t end = medium_sim_written_bytes(world->media, path);
    if (roll < 1 || end <= 8192)
        return faults_up_to(world, 127);
    return 8192 + faults_up_to(world, end - 8193);
}

/* A node whose medium may rot rots while it runs, if its scrubbing is to find that. */
static bool rots_running(struct world *world)
{
    struct sim_node *node = node_any(world);
    if (world->draw.rot_running_chance == 0 ||
        !prng_chance(&world->fault_prng, (uint32_t)world->draw.rot_running_chance))
        return false;
    for (uint32_t i = 0; i < world->draw.nodes && (!node->is_unlucky || !node->is_running); i++)
        node = &world->nodes[i];
    return node->is_unlucky && node->is_running && scrub_rot(world, node, shard_any(world));
}

void media_rot(struct world *world, struct sim_node *node)
{
    if (world->draw.rot_running_chance > 0 && rots_running(world))
        return;
    uint32_t shard = shard_any(world);
    uint32_t which = file_draw(world);
    const char *file = node_file(world, node->number, shard, which);
    if (!node->is_unlucky || node->is_gone || !medium_sim_exists(world->media, file))
        return;
    node_crash(world, node, DEATH_POWER, faults_up_to(world, world->draw.down_ns_max));
    world->tally->fault_bit_rot += which == 0;
    world->tally->fault_journal_rot += which > 0;
    uint64_t flips = 1 + faults_up_to(world, 2);
    for (uint64_t i = 0; i < flips; i++) {
        size_t offset =
            which == 0 ? rot_offset(world, node, shard) : journal_rot_offset(world, file);
        verdict_say(&world->verdict, "%s rots at %zu", file, offset);
        medium_sim_flip_bit(world->media, file, offset, (uint32_t)faults_up_to(world, 7));
    }
    snapshot_rot(world, node, shard);
    node->is_rotten = true;
    node->is_hurt[shard] = true;
    node->is_journal_hurt[shard] |= which > 0;
    node->is_journal_rotten[shard] |= which > 0;
    world->overseers[shard].nodes[node->number].is_damaged |= which == 0;
}

/* One bank, or both. */
static void journal_lose(struct world *world, struct sim_node *node, uint32_t shard, uint32_t which)
{
    world->tally->fault_lost_journals++;
    node->is_journal_hurt[shard] = true;
    bool is_whole = faults_up_to(world, 1) == 0;
    for (uint32_t i = 1; i <= NODE_JOURNAL_FILES; i++) {
        const char *file = node_file(world, node->number, shard, i);
        if ((!is_whole && i != which) || !medium_sim_exists(world->media, file))
            continue;
        verdict_say(&world->verdict, "%s is lost", file);
        medium_sim_remove(world->media, file);
    }
}

void media_lose(struct world *world, struct sim_node *node)
{
    uint32_t shard = shard_any(world);
    const char *path = node_path(world, node->number, shard);
    uint32_t which = file_draw(world);
    if (!node->is_unlucky || node->is_gone || !medium_sim_exists(world->media, path))
        return;
    node_crash(world, node, DEATH_POWER, faults_up_to(world, world->draw.down_ns_max));
    if (which > 0) {
        journal_lose(world, node, shard, which);
        return;
    }
    world->tally->fault_lost_files++;
    verdict_say(&world->verdict, "n%u loses %s", node->number + 1, path);
    world->overseers[shard].nodes[node->number].is_damaged = true;
    medium_sim_remove(world->media, path);
    bool is_all_lost = faults_up_to(world, 1) == 0;
    for (uint32_t i = 1 + NODE_JOURNAL_FILES; i < NODE_FILES && is_all_lost; i++) {
        const char *file = node_file(world, node->number, shard, i);
        if (medium_sim_exists(world->media, file))
            medium_sim_remove(world->media, file);
    }
    if (prng_chance(&world->fault_prng, (uint32_t)world->draw.recreate_chance))
        node->is_recreated[shard] = true;
}

/* The node's files lie on one device. */
static void device_set_delay(struct world *world, uint32_t number, uint64_t min_ns, uint64_t max_ns)
{
    medium_sim_set_now(world->media, world_now_ns(world));
    for (uint32_t i = 0; i < NODE_FILES * world->draw.shards; i++) {
        const char *file = node_file(world, number, i / NODE_FILES, i % NODE_FILES);
        if (medium_sim_exists(world->media, file))
            medium_sim_set_delay(world->media, file, min_ns, max_ns);
    }
}

/* Some file of the node is there. */
static bool has_files(const struct world *world, const struct sim_node *node)
{
    bool is_any = false;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++)
        is_any |= medium_sim_exists(world->media, node_path(world, node->number, shard));
    return is_any;
}

void media_go_on(struct world *world, struct sim_node *node)
{
    if (!has_files(world, node))
        return;
    device_set_delay(world, node->number, world->draw.sync_ns / 2, world->draw.sync_ns * 3 / 2);
    for (uint32_t i = 0; i < NODE_FILES * world->draw.shards; i++) {
        uint32_t shard = i / NODE_FILES;
        const char *file = node_file(world, node->number, shard, i % NODE_FILES);
        node_plan_turn(world, &node->lanes[shard % node->lane_count],
                       medium_sim_deadline_ns(world->media, file));
    }
}

void media_stall(struct world *world, struct sim_node *node)
{
    if (world->draw.granularity != MEDIUM_PAGE || !has_files(world, node))
        return;
    world->tally->fault_sync_stalls++;
    verdict_say(&world->verdict, "n%u's medium stalls", node->number + 1);
    device_set_delay(world, node->number, 0, MEDIUM_SIM_STALLED);
    faults_begin_one(world, &(struct lasting_fault){.stalled_node = node->number + 1},
                     faults_up_to(world, world->draw.cut_ns_max));
}

void media_fail_sync(struct world *world, struct sim_node *node)
{
    uint32_t shard = shard_any(world);
    const char *file = node_file(world, node->number, shard, file_draw(world));
    if (world->draw.granularity != MEDIUM_PAGE || !node->is_running)
        return;
    world->tally->fault_sync_failures++;
    medium_sim_fail_sync(world->media, file);
}
