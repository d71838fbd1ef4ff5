/*
 * Programs of two ages in one cluster. A node starts as the older one or as the newer one, anew in
 * each start, until the files of one of its shards are of the new format: then the older one must
 * refuse them, and the node starts as the newer one. The older program is the newer one, told to
 * know format 0 alone: then it reads and writes what programs before it did.
 */
#include "tests/sim/world.h"

#include "base/check.h"

#define MS 1000000ull

/* How long an answer may count after the node that gave it was put back to the older program, in
 * longest election timeouts: twice what server/replica_format.c says, because clocks differ. */
#define ANSWER_TIMEOUTS 4u

bool upgrade_is_older(const struct sim_node *node)
{
    return node->format_max < FORMAT_KNOWN;
}

void upgrade_draw(struct world *world, struct sim_node *node)
{
    const struct draw *draw = &world->draw;
    bool is_old = !world->is_healed && draw->upgrade_weight > 0 &&
                  prng_chance(&world->fault_prng, (uint32_t)draw->older_chance);
    is_old = is_old && !node->is_refused_older && !duplicate_is(world, node);
    node->format_max = is_old ? 0 : FORMAT_KNOWN;
    node->format_since_ns = world_now_ns(world);
    world->tally->boots_older += upgrade_is_older(node);
}

/* A node may have died in the turn in which it raised a format: what it tells of its commit index
 * after the next start may be of before. */
void upgrade_note_boot(const struct world *world, struct sim_node *node)
{
    node->formats_found = 0;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        if (replica_format(node_replica(node, shard)) > 0)
            node->formats_found |= UINT32_C(1) << shard;
    }
}

bool upgrade_is_refused(struct world *world, struct sim_node *node, enum error error,
                        const char *reason)
{
    /* Its leader may have died in the turn in which it appended what raises the format. */
    if (!upgrade_is_older(node) || error != ERR_VERSION || !world->is_raise_asked)
        return false;
    verdict_say(&world->verdict, "n%u, the older program, refuses to start: %s", node->number + 1,
                reason);
    world->tally->boots_older_refused++;
    node->is_refused_older = true;
    node_plan_boot(world, node, world_now_ns(world) + 1);
    return true;
}

void upgrade_act(struct world *world, struct sim_node *node)
{
    const struct plx_change change = {.action = PLX_CHANGE_RAISE, .format = FORMAT_KNOWN};
    if (faults_up_to(world, 2) == 0) {
        node_stop(world, node, faults_up_to(world, world->draw.down_ns_max));
    } else {
        world->is_raise_asked = true;
        client_ask_change(&world->clients[0], &change);
    }
}

/* This leader has just appended a record that raises the format: no member may have been of the
 * older program for longer than its answer counts. */
static void look_at_members(struct world *world, const struct raft_configuration *now)
{
    uint64_t answer_ns = ANSWER_TIMEOUTS * world->draw.election_max_ns;
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        uint16_t id = now->members[slot].storage.id;
        if (id == 0 || id > world->draw.nodes)
            continue;
        const struct sim_node *node = &world->nodes[id - 1];
        if (node->is_running && upgrade_is_older(node) &&
            world_now_ns(world) - node->format_since_ns > answer_ns)
            verdict_break(&world->verdict, RULE_FORMAT,
                          "the format is raised, and node %u has been an older program for %llu ms",
                          id,
                          (unsigned long long)((world_now_ns(world) - node->format_since_ns) / MS));
    }
}

/* Whether a configuration of the new format is among the records that are committed. A later one,
 * which is not, may be in force. */
static bool is_raise_committed(struct replica *replica, uint64_t commit_index)
{
    const struct log *log = replica_log(replica);
    for (uint64_t index = log_first_index(log); index <= commit_index; index++) {
        struct raft_configuration configuration;
        struct log_record record;
        log_read(log, index, &record);
        if (record.kind == RAFT_ENTRY_CONFIGURATION &&
            raft_configuration_decode(record.payload.data, record.payload.size_bytes,
                                      &configuration) == OK &&
            configuration.format > 0)
            return true;
    }
    return false;
}

void upgrade_look(struct world *world, const struct sim_node *node, uint32_t shard)
{
    uint64_t index;
    struct raft_status status;
    struct replica *replica = node_replica(node, shard);
    uint32_t bit = UINT32_C(1) << shard;
    if (replica == NULL || duplicate_is(world, node))
        return;
    const struct raft_configuration *now = raft_configuration_of(replica_raft(replica), &index);
    replica_raft_status(replica, &status);
    if (now->format > 0 && (world->formats_appended & bit) == 0) {
        world->formats_appended |= bit;
        if (status.role == RAFT_LEADER && raft_term_at(replica_raft(replica), index) == status.term)
            look_at_members(world, now);
    }
    if (replica_format(replica) == 0)
        return;
    if (upgrade_is_older(node))
        verdict_break(&world->verdict, RULE_FORMAT, "node %u is an older program, of format %u",
                      node->number + 1, replica_format(replica));
    if ((world->formats_raised & bit) != 0)
        return;
    world->formats_raised |= bit;
    world->tally->formats_raised++;
    bool is_found = (node->formats_found & bit) != 0;
    bool is_told = now->format > 0 && index <= status.commit_index;
    if (!is_found && !is_told && !is_raise_committed(replica, status.commit_index))
        verdict_break(&world->verdict, RULE_FORMAT,
                      "node %u has raised the format of shard %u, and no record that says so is "
                      "committed",
                      node->number + 1, shard);
}

bool upgrade_is_even(const struct world *world)
{
    if (world->formats_raised == 0)
        return true;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
            const struct replica *replica = node_replica(&world->nodes[i], shard);
            struct raft_status status = {0};
            if (replica != NULL)
                replica_raft_status(replica, &status);
            if (status.membership != RAFT_NO_MEMBER && replica_format(replica) == 0)
                return false;
        }
    }
    return true;
}
