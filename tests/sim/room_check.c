/* See room_check.h. */
#include "tests/sim/room_check.h"

#include "tests/sim/record_shape.h"

/* What is left behind the record: room for no-ops, and the reserve for fences unless the record may
 * have used it. */
static size_t reserve_bytes(struct span payload)
{
    return record_may_use_reserve(payload)
               ? LOG_NOOP_RESERVE_SIZE_BYTES
               : LOG_NOOP_RESERVE_SIZE_BYTES + LOG_FENCE_RESERVE_SIZE_BYTES;
}

/* Bytes of the leader's records behind `index`. What its own segments lost at their ends does not
 * count: the others' segments end elsewhere. */
static uint64_t bytes_behind(const struct log *log, uint64_t index)
{
    uint64_t bytes = 0;
    for (uint64_t i = index + 1; i <= log_last_index(log); i++)
        bytes += log_record_room_bytes(log_payload_size_bytes(log, i));
    return bytes;
}

/* Whether the peer has room, or is in a state of which its last reply cannot know. */
static bool has_room(struct replica *leader, struct replica *peer, size_t reserve)
{
    struct raft_status status;
    struct raft_status leader_status;
    replica_raft_status(leader, &leader_status);
    replica_raft_status(peer, &status);
    const struct log *log = replica_log(leader);
    uint64_t common =
        status.last_index < log_last_index(log) ? status.last_index : log_last_index(log);
    if (status.term != leader_status.term || status.is_tail_suspect ||
        engine_is_installing(replica_engine(peer)) || common + 1 < log_first_index(log) ||
        raft_term_at(replica_raft(peer), common) != raft_term_at(replica_raft(leader), common))
        return true;
    return log_room_bytes(replica_log(peer)) >= bytes_behind(log, common) + reserve;
}

void room_look(struct world *world, const struct sim_node *node, uint32_t shard)
{
    struct replica *leader = node_replica(node, shard);
    struct raft_status status;
    uint64_t *seen = &world->overseers[shard].nodes[node->number].room_seen;
    replica_raft_status(leader, &status);
    if (world->disaster.is_rescued || status.role != RAFT_LEADER || status.last_index == *seen ||
        status.last_index < log_first_index(replica_log(leader)))
        return;
    *seen = status.last_index;
    struct log_record record;
    log_read(replica_log(leader), status.last_index, &record);
    if (record.kind != RAFT_ENTRY_DATA || record.term != status.term)
        return;
    uint32_t count = 0;
    size_t reserve = reserve_bytes(record.payload);
    for (uint32_t i = 0; i < world->draw.nodes; i++) {
        struct replica *replica = node_replica(&world->nodes[i], shard);
        count += replica == NULL || has_room(leader, replica, reserve);
    }
    world->tally->records_with_room++;
    if (count <= draw_founders(&world->draw) / 2)
        verdict_break(&world->verdict, RULE_ROOM,
                      "node %u appended record %llu of %zu bytes: %u nodes have room for it",
                      node->number + 1, (unsigned long long)status.last_index,
                      record.payload.size_bytes, count);
}
