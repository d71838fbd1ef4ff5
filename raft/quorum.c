/*
 * What a majority has reached, and check-quorum: a leader that a majority no longer answers steps
 * down, so that its clients look for the new one (thesis 6.2).
 */
#include "raft/raft_internal.h"

static uint64_t half_value(const uint64_t *values, uint32_t half)
{
    uint64_t sorted[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    for (; half != 0; half &= half - 1) { /* RAFT_MEMBERS_MAX */
        uint64_t value = values[__builtin_ctz(half)];
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    CHECK(count > 0);
    return sorted[count / 2];
}

/* A joint configuration needs a majority of each half (paper 6). */
uint64_t raft_quorum_value(const struct raft *raft, const uint64_t *values)
{
    uint64_t value = half_value(values, raft->halves.new_half);
    if (raft->halves.old_half == raft->halves.new_half)
        return value;
    uint64_t old_value = half_value(values, raft->halves.old_half);
    return old_value < value ? old_value : value;
}

void raft_note_contact(struct raft *raft, uint32_t slot)
{
    if (raft->peers[slot].contact_ns < raft->heard_ns)
        raft->peers[slot].contact_ns = raft->heard_ns;
}

/* The latest time at which a majority, this node included, had answered. */
uint64_t raft_quorum_contact_ns(const struct raft *raft, uint64_t now_ns)
{
    uint64_t contacts[RAFT_MEMBERS_MAX];
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++)
        contacts[slot] = raft->peers[slot].contact_ns;
    if (raft->self_slot != RAFT_SLOT_NONE)
        contacts[raft->self_slot] = now_ns;
    return raft_quorum_value(raft, contacts);
}

uint64_t raft_fresh_contact_ns(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft_has_own_commit(raft)
               ? raft_quorum_contact_ns(raft, raft->now_ns)
               : raft->quorum_contact_ns;
}

bool raft_has_fresh_quorum(const struct raft *raft, uint64_t now_ns)
{
    if (raft->role != RAFT_LEADER)
        return false;
    uint64_t contact_ns = raft_quorum_contact_ns(raft, now_ns);
    return now_ns <= contact_ns || now_ns - contact_ns < raft->options.election_timeout_min_ns;
}

bool raft_has_lost_quorum(const struct raft *raft, uint64_t now_ns)
{
    if (now_ns < raft->quorum_check_ns)
        return false;
    uint64_t contact_ns = raft_quorum_contact_ns(raft, now_ns);
    return now_ns - contact_ns >= raft->options.election_timeout_max_ns;
}

void raft_check_quorum(struct raft *raft)
{
    if (raft->now_ns < raft->quorum_check_ns)
        return;
    if (raft_has_lost_quorum(raft, raft->now_ns))
        raft_become_follower(raft, raft->hard_state.term, RAFT_NOBODY);
    else
        raft->quorum_check_ns =
            raft_quorum_contact_ns(raft, raft->now_ns) + raft->options.election_timeout_max_ns;
}
