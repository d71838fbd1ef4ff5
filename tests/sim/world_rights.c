/*
 * Runs in which clients are revoked with what they have pending. A write is dropped only if its
 * client was revoked so. Whoever leads shard 0, where the table of rights is, and has applied it,
 * appends none of those clients' relaxed writes. In other shards a leader goes by its own copy of
 * the table, which may be behind for so long only.
 */
#include "tests/sim/world.h"

#include "base/format.h"
#include "server/lane_rights.h"

void rights_look(struct world *world, const struct sim_node *node)
{
    struct raft_status status;
    if (world->draw.revoke_ns == 0 || !node->is_running)
        return;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        replica_raft_status(node_replica(node, shard), &status);
        if (status.last_index > world->highest[shard])
            world->highest[shard] = status.last_index;
    }
}

/* A write was dropped. After a restart it may be dropped again. */
void rights_note_dropped(struct world *world, const struct witness_note *note)
{
    struct history_op *op = &world->history.ops[note->op];
    if (!op->is_of_few || !world->client_world.is_few_revoked || world->draw.revoke_drops == 0)
        verdict_break(&world->verdict, RULE_REVOKED,
                      "op %u was dropped, and nobody has revoked its client so", note->op);
    if (op->revoked_ns != 0)
        return;
    op->revoked_ns = world_now_ns(world);
    op->revoked_index = world->highest[note->shard];
    world->tally->writes_revoked++;
}

static bool is_judged(const struct world *world)
{
    return world->draw.revoke_ns != 0 && world->draw.revoke_drops != 0;
}

/* Whoever leads the shard knows of the table: of shard 0, because it has applied it; of another
 * one, because that was long ago, and a leader whose copy is older appends nothing pending. */
static bool must_know(const struct world *world, const struct sim_node *node, uint32_t shard)
{
    uint64_t slack_ns = world->history.staleness_slack_ns;
    if (replica_format(node_replica(node, shard)) < FORMAT_PENDING_NAMES)
        return false;
    if (shard == 0)
        return engine_rights(replica_engine(node_replica(node, 0))).version != 0;
    return world->table_ns != 0 && slack_ns != UINT64_MAX &&
           world_now_ns(world) - world->table_ns > slack_ns + LANE_RIGHTS_OLD_NS;
}

void rights_begin_turn(struct world *world, struct sim_node *node, const struct sim_lane *lane)
{
    struct raft_status status;
    if (!is_judged(world) || !node->is_running)
        return;
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += node->lane_count) {
        struct knowing *knowing = &world->knowing[shard];
        uint64_t *named_ns = &world->named_ns[node->number][shard];
        replica_raft_status(node_replica(node, shard), &status);
        if (*named_ns == 0 && replica_format(node_replica(node, shard)) >= FORMAT_PENDING_NAMES)
            *named_ns = world_now_ns(world);
        knowing->is_known = must_know(world, node, shard);
        knowing->term = status.role == RAFT_LEADER ? status.term : 0;
        knowing->last_index = status.last_index;
    }
}

static void note_knowing(struct world *world, struct sim_node *node, uint32_t shard)
{
    struct knowing *knowing = &world->knowing[shard];
    struct raft_status status;
    if (knowing->term == 0 || !knowing->is_known)
        return;
    replica_raft_status(node_replica(node, shard), &status);
    bool is_there = knowing->count > 0 && knowing->terms[knowing->count - 1] == knowing->term;
    if (is_there || status.role != RAFT_LEADER || status.term != knowing->term ||
        knowing->count == KNOWING_TERMS_MAX)
        return;
    knowing->terms[knowing->count] = knowing->term;
    knowing->first[knowing->count++] = knowing->last_index + 1;
    if (shard == 0 && world->table_ns == 0)
        world->table_ns = world_now_ns(world);
}

void rights_end_turn(struct world *world, struct sim_node *node, const struct sim_lane *lane)
{
    if (!is_judged(world) || !node->is_running || node->is_dead_inside)
        return;
    for (uint32_t shard = lane->number; shard < world->draw.shards; shard += node->lane_count)
        note_knowing(world, node, shard);
}

/* What was accepted before has no name in the journal, and is carried out: docs/security.md. Shard
 * 0 has no table before its nodes name what they accept. */
static bool is_named(const struct world *world, const struct history_op *op, uint32_t shard)
{
    uint64_t named_ns = op->node == 0 ? 0 : world->named_ns[op->node - 1][shard];
    return named_ns != 0 && op->invoke_ns > named_ns;
}

void rights_note_decided(struct world *world, const struct witness_note *note, uint64_t term)
{
    const struct knowing *knowing = &world->knowing[note->shard];
    const struct history_op *op = &world->history.ops[note->op];
    if (!op->is_of_few || !history_is_relaxed_write(op) ||
        (note->shard != 0 && !is_named(world, op, note->shard)))
        return;
    for (uint32_t i = 0; i < knowing->count; i++) {
        if (knowing->terms[i] == term && note->index >= knowing->first[i])
            verdict_break(&world->verdict, RULE_REVOKED,
                          "op %u of a revoked client is in the log of shard %u at index %llu; the "
                          "leader of term %llu knew of the table of rights from index %llu on",
                          note->op, note->shard, (unsigned long long)note->index,
                          (unsigned long long)term, (unsigned long long)knowing->first[i]);
    }
}
