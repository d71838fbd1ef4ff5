/*
 * Files that rot while their node runs, and whether its scrubbing finds it: in the second pass that
 * ends after that at the latest, and nothing else ever. What is written over before is mended, too.
 */
#include "tests/sim/world.h"

#include "pmem/snapshots.h"

#define HEAD_BYTES      12288u /* of a log */
#define BANK_HEAD_BYTES 8192u  /* of a bank of the journal */
#define RECORD_BYTES    48u    /* of a header */
#define SNAPSHOT_BLOCKS 8192u
#define WARM_RECORDS    256u /* that a node takes for whole as long as they are in memory */
#define CHOICES_MAX     4u
#define PASSES_TO_FIND  3u /* the one under way, and two from begin to end */
#define NS_PER_S        UINT64_C(1000000000)
#define PASS_NS         UINT64_C(8000000000)  /* of small files, at the higher rates */
#define MEND_NS         UINT64_C(20000000000) /* beside the time that its rate gives to passes */
#define RATE_OF_PASS    (UINT64_C(1) << 20)

static uint64_t found_count(const struct replica_counters *counters, enum rot_place place)
{
    switch (place) {
    case ROT_NOWHERE:
        break;
    case ROT_HEAD:
        return counters->heads_rotten;
    case ROT_RECORD:
        return counters->records_rotten;
    case ROT_BLOCK:
        return counters->blocks_rotten;
    case ROT_ENTRY:
        return counters->entries_rotten;
    }
    return counters->heads_rotten + counters->records_rotten + counters->blocks_rotten +
           counters->entries_rotten;
}

static uint64_t mended_count(const struct replica *replica, enum rot_place place)
{
    const struct replica_counters *counters = replica_counters(replica);
    switch (place) {
    case ROT_NOWHERE:
    case ROT_HEAD: /* at once */
        break;
    case ROT_RECORD:
        return counters->records_mended;
    case ROT_BLOCK:
        return counters->blocks_mended;
    case ROT_ENTRY:
        return replica_entries_mended(replica);
    }
    return UINT64_MAX;
}

/* ---- rot ---- */

/* Where something rots: file, offset, and what it is of. False: nothing suitable is there. */
static bool choose_record(struct world *world, struct replica *replica, struct rotten *rotten)
{
    const struct log *log = replica_log(replica);
    uint64_t first = log_first_index(log);
    uint64_t cold = replica_recovery(replica)->log.last_index;
    if (log_last_index(log) >= WARM_RECORDS && log_last_index(log) - WARM_RECORDS > cold)
        cold = log_last_index(log) - WARM_RECORDS;
    if (cold > log_durable_index(log))
        cold = log_durable_index(log);
    if (cold < first || replica_counters(replica)->records_rotten > 0)
        return false;
    rotten->index = first + faults_up_to(world, cold - first);
    rotten->record_offset = log_offset_of(log, rotten->index);
    rotten->offset = rotten->record_offset + faults_up_to(world, RECORD_BYTES - 1);
    return true;
}

static bool choose_entry(struct world *world, struct replica *replica, struct rotten *rotten)
{
    const struct journal *journal = replica_journal(replica);
    for (uint32_t bank = 0; journal != NULL && bank < JOURNAL_BANKS; bank++) {
        const struct log *log = journal_bank_log(journal, bank);
        uint64_t last = journal_scrub_last(journal, bank);
        if (last == 0 || last < log_first_index(log))
            continue;
        rotten->file = 1 + bank;
        rotten->index = 1 + faults_up_to(world, last - 1);
        rotten->generation = journal_bank_generation(journal, bank);
        rotten->offset = log_offset_of(log, rotten->index) + faults_up_to(world, RECORD_BYTES - 1);
        return true;
    }
    return false;
}

static bool choose_block(struct world *world, struct replica *replica, struct rotten *rotten)
{
    const struct snapshots *snapshots = replica_snapshots(replica);
    uint32_t number = (uint32_t)faults_up_to(world, SNAPSHOT_FILES - 1);
    uint32_t block_count;
    if (snapshots == NULL)
        return false;
    rotten->file = 1 + NODE_JOURNAL_FILES + number;
    rotten->generation = snapshots_generation_of(snapshots, number, &block_count);
    rotten->offset = SNAPSHOT_BLOCKS + faults_up_to(world, block_count) * SNAPSHOT_SLOT_BYTES +
                     faults_up_to(world, 99);
    return rotten->generation != 0 &&
           rotten->offset < SNAPSHOT_BLOCKS + (size_t)block_count * SNAPSHOT_SLOT_BYTES;
}

/* Of any file. */
static bool choose_head(struct world *world, struct replica *replica, struct rotten *rotten)
{
    static const size_t of_snapshots[] = {0, 2048, 4096};
    rotten->file = (uint32_t)faults_up_to(world, NODE_FILES - 1);
    if (rotten->file == 0) {
        rotten->offset = faults_up_to(world, HEAD_BYTES - 1);
        return true;
    }
    if (rotten->file <= NODE_JOURNAL_FILES) {
        rotten->offset = faults_up_to(world, BANK_HEAD_BYTES - 1);
        return replica_journal(replica) != NULL;
    }
    uint32_t block_count;
    const struct snapshots *snapshots = replica_snapshots(replica);
    if (snapshots == NULL)
        return false;
    rotten->generation =
        snapshots_generation_of(snapshots, rotten->file - 1 - NODE_JOURNAL_FILES, &block_count);
    rotten->offset = of_snapshots[faults_up_to(world, 2)] + faults_up_to(world, 51);
    return rotten->generation != 0;
}

static bool choose(struct world *world, struct replica *replica, struct rotten *rotten)
{
    rotten->file = 0;
    rotten->place = (enum rot_place)(ROT_HEAD + faults_up_to(world, ROT_ENTRY - ROT_HEAD));
    switch (rotten->place) {
    case ROT_NOWHERE:
        break;
    case ROT_HEAD:
        return choose_head(world, replica, rotten);
    case ROT_RECORD:
        return choose_record(world, replica, rotten);
    case ROT_BLOCK:
        return choose_block(world, replica, rotten);
    case ROT_ENTRY:
        return choose_entry(world, replica, rotten);
    }
    return false;
}

static uint8_t byte_at(const struct world *world, const struct rotten *rotten)
{
    return medium_sim_persisted(
        world->media, node_file(world, rotten->node, rotten->shard, rotten->file))[rotten->offset];
}

bool scrub_rot(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct rotten rotten = {.node = node->number, .shard = shard, .boots = node->boots};
    struct replica *replica = node_replica(node, shard);
    bool is_chosen = false;
    for (uint32_t i = 0; i < CHOICES_MAX && replica != NULL && !is_chosen; i++)
        is_chosen = choose(world, replica, &rotten);
    if (!is_chosen)
        return false;
    const char *file = node_file(world, node->number, shard, rotten.file);
    verdict_say(&world->verdict, "%s rots at %zu while its node runs", file, rotten.offset);
    medium_sim_flip_bit(world->media, file, rotten.offset, (uint32_t)faults_up_to(world, 7));
    const struct replica_counters *counters = replica_counters(replica);
    rotten.byte = byte_at(world, &rotten);
    rotten.found_before = found_count(counters, rotten.place);
    rotten.mended_before = mended_count(replica, rotten.place);
    rotten.passes = counters->scrub_passes;
    rotten.at_ns = world_now_ns(world);
    if (world->rotten.place == ROT_NOWHERE)
        world->rotten = rotten;
    world->tally->fault_rot_running++;
    node->is_rotten = true;
    node->is_hurt[shard] = true;
    bool is_journal = rotten.file > 0 && rotten.file <= NODE_JOURNAL_FILES;
    node->is_journal_hurt[shard] |= is_journal;
    node->is_journal_rotten[shard] |= is_journal;
    world->overseers[shard].nodes[node->number].is_damaged = true;
    return true;
}

/* ---- and whether it is found ---- */

/* What lies there now is not what rotted: it was written over, or is needed no more. */
static bool is_replaced(const struct world *world, struct replica *replica)
{
    const struct rotten *rotten = &world->rotten;
    const struct log *log = replica_log(replica);
    uint32_t block_count;
    if (byte_at(world, rotten) != rotten->byte)
        return true;
    if (rotten->place == ROT_RECORD)
        return rotten->index < log_first_index(log) || rotten->index > log_durable_index(log) ||
               log_offset_of(log, rotten->index) != rotten->record_offset;
    if (rotten->place == ROT_ENTRY)
        return journal_bank_generation(replica_journal(replica), rotten->file - 1) !=
                   rotten->generation ||
               journal_scrub_last(replica_journal(replica), rotten->file - 1) < rotten->index;
    if (rotten->file > NODE_JOURNAL_FILES)
        return snapshots_generation_of(replica_snapshots(replica),
                                       rotten->file - 1 - NODE_JOURNAL_FILES,
                                       &block_count) != rotten->generation;
    return false;
}

/* As long as reading all that the files of a shard hold takes at the rate. */
static uint64_t whole_ns(const struct world *world, uint32_t node, uint32_t shard)
{
    uint64_t bytes = 0;
    for (uint32_t which = 0; which < NODE_FILES; which++) {
        const char *file = node_file(world, node, shard, which);
        if (medium_sim_exists(world->media, file))
            bytes += medium_sim_written_bytes(world->media, file);
    }
    return bytes * NS_PER_S / world->draw.scrub_rate;
}

static void rotten_look(struct world *world, const struct sim_node *node, struct replica *replica)
{
    struct rotten *rotten = &world->rotten;
    const struct replica_counters *counters = replica_counters(replica);
    uint64_t passes = counters->scrub_passes - rotten->passes;
    if (!rotten->is_found && found_count(counters, rotten->place) > rotten->found_before) {
        world->tally->rot_running_found++;
        rotten->is_found = true;
    }
    if (rotten->is_found && mended_count(replica, rotten->place) > rotten->mended_before) {
        world->tally->rot_running_mended++;
        rotten->place = ROT_NOWHERE;
    } else if (rotten->is_found && mended_count(replica, rotten->place) == UINT64_MAX) {
        world->tally->rot_running_mended++;
        rotten->place = ROT_NOWHERE;
    } else if (!rotten->is_found && is_replaced(world, replica)) {
        rotten->place = ROT_NOWHERE;
    } else if (!rotten->is_found && passes > PASSES_TO_FIND) {
        verdict_break(&world->verdict, RULE_SCRUB,
                      "node %u, shard %u: offset %zu of file %u has rotted, and %llu passes have "
                      "not found it",
                      node->number + 1, rotten->shard, rotten->offset, rotten->file,
                      (unsigned long long)passes);
    } else if (rotten->place != ROT_ENTRY && world->draw.snapshots_held == 0 &&
               world_now_ns(world) - rotten->at_ns >
                   MEND_NS + PASSES_TO_FIND * whole_ns(world, rotten->node, rotten->shard)) {
        verdict_break(&world->verdict, RULE_SCRUB,
                      "node %u, shard %u: offset %zu of file %u has rotted, and is not mended",
                      node->number + 1, rotten->shard, rotten->offset, rotten->file);
    }
}

void scrub_look(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct replica *replica = node_replica(node, shard);
    struct rotten *rotten = &world->rotten;
    if (world->draw.scrub_rate == 0 || replica == NULL)
        return;
    uint64_t found = found_count(replica_counters(replica), ROT_NOWHERE);
    if (found > 0 && !node->is_hurt[shard])
        verdict_break(&world->verdict, RULE_SCRUB,
                      "node %u, shard %u: tells damage (file %d, number %llu, offset %llu), and "
                      "all is whole",
                      node->number + 1, shard, (int)replica_damage(replica)->file,
                      (unsigned long long)replica_damage(replica)->index,
                      (unsigned long long)replica_damage(replica)->offset);
    if (rotten->place == ROT_NOWHERE || rotten->node != node->number || rotten->shard != shard)
        return;
    if (rotten->boots != node->boots)
        rotten->place = ROT_NOWHERE; /* the start has found it, or not */
    else
        rotten_look(world, node, replica);
}

/* A node that has run for long has looked at everything, at least once. */
void scrub_end(struct world *world)
{
    for (uint32_t i = 0; i < world->draw.nodes * world->draw.shards; i++) {
        struct sim_node *node = &world->nodes[i / (uint32_t)world->draw.shards];
        uint32_t shard = i % (uint32_t)world->draw.shards;
        struct replica *replica = node_replica(node, shard);
        if (replica == NULL || world->draw.scrub_rate == 0)
            continue;
        uint64_t passes = replica_counters(replica)->scrub_passes;
        world->tally->scrub_passes += passes;
        const struct draw *draw = &world->draw;
        bool is_steady = draw->pause_weight == 0 && draw->slow_weight == 0 &&
                         draw->clock_step_weight == 0 && draw->snapshots_held == 0;
        bool is_long =
            is_steady && draw->scrub_rate >= RATE_OF_PASS &&
            node->booted_ns + PASS_NS + whole_ns(world, node->number, shard) < world_now_ns(world);
        if (passes == 0 && is_long && node->is_running)
            verdict_break(&world->verdict, RULE_SCRUB,
                          "node %u, shard %u: not one pass has ended in %llu ms", node->number + 1,
                          shard,
                          (unsigned long long)((world_now_ns(world) - node->booted_ns) / 1000000));
    }
}
