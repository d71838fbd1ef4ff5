/*
 * A node that is to be removed leaves first: it accepts no more relaxed writes, and goes when those
 * that it has accepted are in the log, in every shard. The configuration says who leaves, so a node
 * that starts again does not forget it, and neither does a new leader (docs/consensus.md, "Wanted
 * members").
 *
 * Each replica of the node puts on the node's board under which configuration it has nothing
 * pending. The replica of shard 0 tells the leader of shard 0 in its append replies.
 */
#include "server/replica_internal.h"

/* Nothing is known of it. */
#define UNDRAINED_UNKNOWN UINT64_MAX

static bool does_node_leave(const struct replica *replica)
{
    const struct membership_board *board = replica->options.board;
    return board != NULL && membership_board_leaves(board);
}

bool replica_leaves(const struct replica *replica)
{
    return replica->drain.leaves || does_node_leave(replica);
}

/*
 * The number of the configuration in which this shard has nothing pending and takes nothing more;
 * 0: there is none. It must be committed: a truncation would let the node accept again. A storage
 * that is no member has no configuration to wait for.
 */
static uint32_t drained_number(const struct replica *replica)
{
    const struct replica_drain *drain = &replica->drain;
    if (engine_relaxed_pending(replica->engine) > 0)
        return 0;
    if (!drain->is_member)
        return does_node_leave(replica) ? UINT32_MAX : 0;
    return drain->leaves && drain->index <= replica->commit_index ? drain->number : 0;
}

void replica_publish_drain(struct replica *replica)
{
    struct replica_drain *drain = &replica->drain;
    struct membership_board *board = replica->options.board;
    uint32_t number = drained_number(replica);
    uint64_t pending = engine_relaxed_pending(replica->engine);
    if (board == NULL || (drain->is_published && drain->published_number == number &&
                          drain->published_pending == pending))
        return;
    drain->is_published = true;
    drain->published_number = number;
    drain->published_pending = pending;
    membership_board_drain(board, replica->options.shard, number, pending);
}

uint64_t replica_undrained(const struct replica *replica)
{
    uint64_t pending = engine_relaxed_pending(replica->engine);
    if (!replica->drain.leaves)
        return pending + 1;
    bool is_drained = drained_number(replica) != 0;
    if (replica->options.shard == 0 && replica->options.board != NULL)
        is_drained &=
            membership_board_is_drained(replica->options.board, replica->drain.number, &pending);
    return is_drained ? 0 : pending + 1;
}

void replica_follow_drain(struct replica *replica)
{
    struct replica_drain *drain = &replica->drain;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &drain->index);
    uint32_t own = raft_configuration_slot(now, replica->options.raft.self.birth);
    drain->is_member = own != RAFT_SLOT_NONE;
    drain->leaves = drain->is_member && now->members[own].leaves;
    drain->number = now->number;
    drain->is_published = false;
    if (replica->options.shard == 0 && replica->options.board != NULL)
        membership_board_leave(replica->options.board, drain->leaves);
    for (uint32_t slot = 0; slot < RAFT_MEMBERS_MAX; slot++)
        replica->undrained[slot] = UNDRAINED_UNKNOWN;
}

/* What was said under an earlier configuration does not count: the node may have been taken in
 * again since, and have accepted more. */
void replica_note_drain(struct replica *replica, const struct raft_message *reply,
                        uint64_t undrained)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    uint32_t slot = raft_configuration_slot(now, reply->from.birth);
    if (slot == RAFT_SLOT_NONE || replica->status.role != RAFT_LEADER ||
        reply->term != replica->status.term || !reply->append_reply.is_success ||
        reply->append_reply.match_index < index)
        return;
    replica->undrained[slot] = undrained;
}

uint64_t replica_undrained_of(const struct replica *replica, uint64_t birth)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    uint32_t slot = raft_configuration_slot(now, birth);
    if (birth == replica->options.raft.self.birth)
        return replica_undrained(replica);
    return slot == RAFT_SLOT_NONE ? UNDRAINED_UNKNOWN : replica->undrained[slot];
}
