/*
 * Storages that are set back to an earlier state of their own: the log of a shard on an unlucky
 * node, with or without its snapshots. What its peers cannot know is not done (docs/consensus.md,
 * "Storages that are set back"): either all other storages have heard of a start that the copy
 * lacks; or the copy is of the present start, its leader lives and has heard what the copy lacks,
 * and nothing else goes wrong until the leader has asked.
 */
#include "tests/sim/world.h"

#include "base/check.h"
#include "base/le.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

/* As pmem/log.h lays them out. */
#define BIRTH_OFFSET 48u
#define HEARD_OFFSET 2112u
#define HEARD_PLACES 62u
#define HEARD_BYTES  32u

/* Until the leader has asked, whatever the timeouts are. */
#define QUIET_NS (1000 * MS)

/* The files that go together: the log, then the snapshots. */
#define SAVED_LOG 0
static const char *saved_file(const struct world *world, const struct saved_storage *saved,
                              uint32_t i)
{
    return node_file(world, saved->node, saved->shard, i == SAVED_LOG ? 0 : NODE_JOURNAL_FILES + i);
}

void set_back_forget(struct world *world)
{
    for (uint32_t i = 0; i < SAVED_FILES; i++)
        medium_sim_image_free(&world->saved.images[i]);
    world->saved = (struct saved_storage){0};
}

static void save(struct world *world, const struct sim_node *node)
{
    set_back_forget(world);
    struct saved_storage *saved = &world->saved;
    saved->node = node->number;
    saved->shard = shard_any(world);
    saved->boots = node->boots;
    saved->is_there = true;
    for (uint32_t i = 0; i < SAVED_FILES; i++) {
        const char *file = saved_file(world, saved, i);
        if (medium_sim_exists(world->media, file))
            medium_sim_save(world->media, file, &saved->images[i]);
    }
}

/* The last start of the birth that the medium of a node has; 0: none. */
static uint64_t start_heard(const struct world *world, uint32_t number, uint32_t shard,
                            uint64_t birth)
{
    const char *path = node_path(world, number, shard);
    uint32_t sequence = 0;
    uint64_t start = 0;
    if (!medium_sim_exists(world->media, path))
        return 0;
    const uint8_t *image = medium_sim_persisted(world->media, path);
    for (uint32_t i = 0; i < HEARD_PLACES; i++) {
        const uint8_t *place = image + HEARD_OFFSET + (size_t)i * HEARD_BYTES;
        if (le64_load(place) != birth || le32_load(place + 20) <= sequence)
            continue;
        sequence = le32_load(place + 20);
        start = le64_load(place + 8);
    }
    return start;
}

bool set_back_is_witnessed(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    const struct log *log = replica_log(node_replica(node, shard));
    struct raft_status status;
    replica_raft_status(node_replica(node, shard), &status);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        if (i != node->number && start_heard(world, i, shard, status.birth) != log_start(log))
            return false;
    }
    return true;
}

static bool is_any_fault_active(const struct world *world)
{
    for (uint32_t i = 0; i < FAULTS_MAX; i++) {
        if (world->faults[i].is_active || world->faults[i].is_pending)
            return true;
    }
    return false;
}

/* The node follows a leader to which it has acknowledged a record of the leader's term. */
static bool is_leader_witness(struct world *world, const struct sim_node *node, uint32_t shard)
{
    const struct sim_node *leader = node_leader(world, shard);
    struct raft_status own;
    struct raft_status status;
    struct raft_peer_progress progress;
    if (leader == NULL || leader == node || is_any_fault_active(world))
        return false;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        if (!world->nodes[i].is_running)
            return false;
    }
    const struct raft *raft = replica_raft(node_replica(leader, shard));
    replica_raft_status(node_replica(node, shard), &own);
    replica_raft_status(node_replica(leader, shard), &status);
    return own.term == status.term && own.leader == leader->number + 1 &&
           raft_storage_progress(raft, own.birth, &progress) && progress.match_index > 0 &&
           raft_term_at(raft, progress.match_index) == status.term;
}

static bool is_same_storage(const struct world *world, const struct saved_storage *saved)
{
    const char *file = saved_file(world, saved, SAVED_LOG);
    const struct medium_sim_image *image = &saved->images[SAVED_LOG];
    return image->size_bytes > HEARD_OFFSET && medium_sim_exists(world->media, file) &&
           le64_load(image->bytes + BIRTH_OFFSET) ==
               le64_load(medium_sim_persisted(world->media, file) + BIRTH_OFFSET);
}

static void restore(struct world *world, struct sim_node *node, uint64_t down_ns)
{
    const struct saved_storage *saved = &world->saved;
    bool is_log_alone = faults_up_to(world, 1) == 0;
    node_crash(world, node, DEATH_POWER, down_ns);
    verdict_say(&world->verdict, "n%u: shard %u is set back to start %u, now %u", node->number + 1,
                saved->shard, saved->boots, node->boots);
    for (uint32_t i = 0; i < (is_log_alone ? 1 : SAVED_FILES); i++) {
        const char *file = saved_file(world, saved, i);
        if (saved->images[i].bytes != NULL && medium_sim_exists(world->media, file))
            medium_sim_restore(world->media, file, &saved->images[i]);
    }
    world->overseers[saved->shard].nodes[node->number].is_damaged = true;
    if (saved->boots < node->boots)
        witness_set_back(&world->witness, le64_load(saved->images[SAVED_LOG].bytes + BIRTH_OFFSET));
    world->tally->fault_set_backs++;
}

/*
 * What only a wrong storage would do: some nodes are cut off while the leader and the node commit
 * records; then the storage is set back, and the other half of the majority is cut off instead. Who
 * is left must not decide with the help of the storage.
 */
static bool lay_trap(struct world *world, const struct sim_node *node)
{
    struct saved_storage *saved = &world->saved;
    const struct sim_node *leader = node_leader(world, saved->shard);
    uint32_t late_count = (draw_founders(&world->draw) - 1) / 2;
    if (leader == NULL || leader == node)
        return false;
    uint32_t late = 0;
    for (uint32_t i = 0; i < world->draw.nodes && late_count > 0; i++) {
        if (i == node->number || i == leader->number)
            continue;
        late |= 1u << i;
        late_count--;
    }
    saved->trap_hosts = NODE_HOSTS(world) & ~late & ~(1u << node->number);
    faults_begin_one(world,
                     &(struct lasting_fault){.from_hosts = late,
                                             .to_hosts = NODE_HOSTS(world) & ~late,
                                             .is_mutual = true},
                     faults_up_to(world, 200 * MS));
    return true;
}

bool set_back_spring(struct world *world)
{
    struct saved_storage *saved = &world->saved;
    uint32_t hosts = saved->trap_hosts;
    if (hosts == 0)
        return false;
    saved->trap_hosts = 0;
    struct sim_node *node = &world->nodes[saved->node];
    if (!node->is_running || node->is_gone || !is_same_storage(world, saved) ||
        saved->boots >= node->boots || !set_back_is_witnessed(world, node, saved->shard))
        return false;
    restore(world, node, faults_up_to(world, 50 * MS));
    faults_begin_one(world,
                     &(struct lasting_fault){.from_hosts = hosts,
                                             .to_hosts = NODE_HOSTS(world) & ~hosts,
                                             .is_mutual = true},
                     faults_up_to(world, world->draw.cut_ns_max));
    return true;
}

void media_set_back(struct world *world, struct sim_node *node)
{
    const struct saved_storage *saved = &world->saved;
    if (!node->is_unlucky || node->is_gone || !node->is_running)
        return;
    if (!saved->is_there || saved->node != node->number || !is_same_storage(world, saved)) {
        save(world, node);
        return;
    }
    if (saved->boots < node->boots && set_back_is_witnessed(world, node, saved->shard)) {
        if (faults_up_to(world, 1) == 0 && lay_trap(world, node))
            return;
        restore(world, node, faults_up_to(world, world->draw.down_ns_max));
    } else if (saved->boots == node->boots && is_leader_witness(world, node, saved->shard)) {
        world->quiet_until_ns = world_now_ns(world) + QUIET_NS;
        restore(world, node, MS);
    } else if (faults_up_to(world, 3) == 0) {
        save(world, node);
    } else {
        node_crash(world, node, DEATH_POWER, faults_up_to(world, world->draw.down_ns_max));
    }
}

void set_back_look(struct world *world, struct sim_node *node, uint32_t shard)
{
    const struct start_finding *found = replica_set_back(node_replica(node, shard));
    if (found->node == 0 || node->aside_birth[shard] != 0)
        return;
    verdict_say(&world->verdict, "n%u: shard %u is told by n%u that it was set back: %d",
                node->number + 1, shard, found->node, (int)found->answer);
    if (!world->overseers[shard].nodes[node->number].is_damaged)
        verdict_break(&world->verdict, RULE_RECOVERY,
                      "node %u: its storage of shard %u is whole, and counts as set back",
                      node->number + 1, shard);
    world->tally->set_backs_found++;
    node->aside_birth[shard] = found->birth;
    node->fuse = 0;
    world->is_restart_due = true;
}

void set_back_restart(struct world *world, struct sim_node *node)
{
    if (!world->is_restart_due)
        return;
    world->is_restart_due = false;
    bool is_power = faults_up_to(world, 1) == 0;
    node_crash(world, node, is_power ? DEATH_POWER : DEATH_KILL,
               faults_up_to(world, world->draw.down_ns_max));
}

/* A log that was set aside is looked at no more. */
void set_back_clear(struct world *world, struct sim_node *node, uint32_t shard)
{
    char path[MEDIUM_SIM_PATH_MAX];
    if (node->aside_birth[shard] == 0)
        return;
    snprintf(path, sizeof(path), "%s.set-back.%016llx", node_path(world, node->number, shard),
             (unsigned long long)node->aside_birth[shard]);
    node->aside_birth[shard] = 0;
    if (medium_sim_exists(world->media, path))
        medium_sim_remove(world->media, path);
}
