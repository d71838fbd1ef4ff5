/* Where waiting is right: then liveness is not judged. README.md lists the cases. */
#include "tests/sim/world.h"

#include <stdio.h>

bool world_has_replica(const struct world *world, bool (*is_so)(struct replica *replica))
{
    for (uint32_t i = 0; i < world->draw.nodes * world->draw.shards; i++) {
        struct replica *replica =
            node_replica(&world->nodes[i / world->draw.shards], i % (uint32_t)world->draw.shards);
        if (replica != NULL && is_so(replica))
            return true;
    }
    return false;
}

/* Blocks of the cursor of a taker, which tries until it has the room. */
#define CURSOR_BLOCKS 16

/* What its node had accepted did not fit into the store, or a taker's cursor may not. */
static bool is_store_full(struct replica *replica)
{
    const struct engine_counters *counters = engine_counters(replica_engine(replica));
    return counters->relaxed_blocked > 0 || counters->keys >= counters->keys_max ||
           counters->blocks + CURSOR_BLOCKS > counters->blocks_max;
}

bool excuse_is_full(const struct world *world)
{
    return world_has_replica(world, is_store_full);
}

/* It has lost all records before it had a cluster: it forms none. */
static bool is_emptied(const struct raft_status *status)
{
    return !status->is_formed && status->is_tail_suspect && status->last_index == 0;
}

/*
 * A shard elects a leader with a majority of voters whose logs are whole, or with all its voters.
 * While a voter is out of reach, or lost with its storage, and too few logs are whole, that is not
 * to be had. Nor is a cluster formed then.
 */
static bool is_shard_waiting_rightly(const struct world *world, uint32_t shard)
{
    uint32_t whole = 0;
    uint32_t strangers = 0;
    bool is_formed = false;
    bool is_some_out = world->is_residual;
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct raft_status status = {0};
        struct replica *replica = node_replica(&world->nodes[i], shard);
        if (replica != NULL)
            replica_raft_status(replica, &status);
        bool is_voter = status.membership != RAFT_NO_MEMBER && status.membership != RAFT_LEARNER;
        is_some_out |= replica == NULL || is_emptied(&status);
        is_formed |= status.is_formed;
        strangers += replica != NULL && !is_voter;
        /* Until the change under way ends, those that were voters before decide, too. */
        bool is_incoming = status.membership == RAFT_INCOMING;
        whole += is_voter && !is_incoming && !status.is_tail_suspect;
        is_some_out |= is_incoming; /* perhaps in place of a storage that is lost */
    }
    is_some_out |= is_formed && strangers > 0;
    whole -= world->is_residual && whole > 0;
    /* Of the most voters that there may be: spare nodes may count, or not. */
    return is_some_out && whole <= world->draw.nodes / 2;
}

bool excuse_is_waiting(const struct world *world)
{
    if (world->disaster.is_rescued)
        return disaster_is_stuck(world);
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        if (is_shard_waiting_rightly(world, shard))
            return true;
    }
    return false;
}

/* Says how a node stands in a shard; returns how much text that is. */
static size_t replica_describe(const struct world *world, uint32_t number, uint32_t shard,
                               char *text, size_t size)
{
    const struct sim_node *node = &world->nodes[number];
    struct raft_status status = {0};
    uint64_t pending = 0;
    if (node->is_running) {
        struct replica *replica = node_replica(node, shard);
        replica_raft_status(replica, &status);
        pending = engine_counters(replica_engine(replica))->relaxed_pending;
    }
    int told = snprintf(text, size, " n%u.%u:%s%d/t%llu/l%llu/c%llu/p%llu%s", number + 1, shard,
                        node->is_running ? "role" : "down", (int)status.role,
                        (unsigned long long)status.term, (unsigned long long)status.last_index,
                        (unsigned long long)status.commit_index, (unsigned long long)pending,
                        status.is_tail_suspect ? "/suspect" : "");
    return told > 0 ? (size_t)told : 0;
}

void excuse_or_break(struct world *world, enum rule rule, const char *what)
{
    if (excuse_is_full(world) || world->is_full_at_end || excuse_is_waiting(world))
        return;
    char text[VERDICT_TEXT_SIZE_BYTES] = "";
    size_t used = 0;
    for (uint32_t shard = 0; shard < world->draw.shards; shard++) {
        for (uint32_t i = 0; i < world->draw.nodes && used < sizeof(text); i++)
            used += replica_describe(world, i, shard, text + used, sizeof(text) - used);
    }
    for (uint32_t i = 0; i < world_clients(world); i++)
        client_describe(&world->clients[i]);
    verdict_break(&world->verdict, rule, "%s:%.400s", what, text);
}
