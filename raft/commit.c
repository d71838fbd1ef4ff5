/*
 * Commitment (paper 5.3 and 5.4.2). A leader counts its own record only once it is durable here,
 * like anybody's, and so may commit on a majority without itself (thesis 10.2.1).
 */
#include "raft/raft_internal.h"

/* One record of this term at the end of the leader's log; kind 0: the event's. */
void raft_append_own(struct raft *raft, enum raft_entry_kind kind)
{
    CHECK(raft->role == RAFT_LEADER);
    trail_append(&raft->trail, raft->hard_state.term);
    raft->effects->append_first = raft->trail.last_index;
    raft->effects->append_count = 1;
    raft->effects->append_own = kind;
}

bool raft_has_own_commit(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->commit_index >= raft->noop_index;
}

/* Only a record of the leader's own term is committed by counting; those before it follow (paper
 * 5.4.2, figure 8). */
void raft_advance_commit(struct raft *raft)
{
    CHECK(raft->role == RAFT_LEADER);
    uint64_t matches[RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        matches[slot] = raft->peers[slot].match_index;
    if (raft->self_slot != RAFT_SLOT_NONE)
        matches[raft->self_slot] = raft->durable_index;
    uint64_t index = raft_quorum_value(raft, matches);
    if (index <= raft->commit_index || trail_term_at(&raft->trail, index) != raft->hard_state.term)
        return;
    raft->commit_index = index;
    raft_release_reads(raft);
}

/* An index beyond the log is from before a truncation and says nothing about what replaced it. */
void raft_handle_durable(struct raft *raft, uint64_t durable_index)
{
    if (durable_index <= raft->durable_index || durable_index > raft->trail.last_index)
        return;
    raft->durable_index = durable_index;
    if (raft->role == RAFT_LEADER)
        raft_advance_commit(raft);
}
