/*
 * Leadership transfer (thesis 3.10): stop taking proposals, bring the target up to date, tell it to
 * campaign at once; give up after the longest election timeout.
 */
#include "raft/raft_internal.h"

/* The peer with the most of the log; of equals the one heard from last. */
static uint32_t choose_target(const struct raft *raft)
{
    uint32_t best_slot = RAFT_SLOT_NONE;
    const struct raft_peer *best = NULL;
    for (uint32_t slot = 0; slot < raft->configuration.slot_count; slot++) {
        const struct raft_peer *peer = &raft->peers[slot];
        if (!raft_is_peer(raft, slot) || (raft->halves.new_half >> slot & 1) == 0)
            continue;
        if (best == NULL || peer->match_index > best->match_index ||
            (peer->match_index == best->match_index && peer->contact_ns > best->contact_ns)) {
            best = peer;
            best_slot = slot;
        }
    }
    return best_slot;
}

/* The slot of the voter that the node `to` has; to 0: of the best one. RAFT_SLOT_NONE: of none. */
static uint32_t target_slot(const struct raft *raft, uint16_t to)
{
    if (to == 0)
        return choose_target(raft);
    const struct raft_member *member = raft_configuration_node(&raft->configuration, to);
    if (member == NULL)
        return RAFT_SLOT_NONE;
    uint32_t slot = raft_configuration_slot(&raft->configuration, member->storage.birth);
    return (raft->halves.new_half >> slot & 1) != 0 ? slot : RAFT_SLOT_NONE;
}

enum error raft_check_transfer(const struct raft *raft, uint16_t to)
{
    if (to == raft->options.self.id || target_slot(raft, to) == RAFT_SLOT_NONE)
        return ERR_ARGUMENT;
    return raft->transfer_to.birth == 0 ? OK : ERR_BUSY;
}

void raft_handle_transfer(struct raft *raft, uint16_t to)
{
    const struct raft_peer *peer = &raft->peers[target_slot(raft, to)];
    raft->transfer_to = peer->storage;
    raft->transfer_deadline_ns = raft->now_ns + raft->options.election_timeout_max_ns;
    raft_continue_transfer(raft, peer);
}

/* Called again with each reply of the target, which makes up for a lost message. */
void raft_continue_transfer(struct raft *raft, const struct raft_peer *peer)
{
    if (raft->transfer_to.birth == peer->storage.birth && raft->transfer_to.birth != 0 &&
        peer->match_index == raft->trail.last_index)
        raft_emit_now(raft, RAFT_TIMEOUT_NOW, peer->storage);
}

void raft_check_transfer_timeout(struct raft *raft)
{
    if (raft->transfer_to.birth != 0 && raft->now_ns >= raft->transfer_deadline_ns)
        raft->transfer_to = RAFT_NOBODY;
}

/* The term is ours by now. A message that arrives twice finds a later term and is outdated. */
void raft_handle_timeout_now(struct raft *raft, const struct raft_message *message)
{
    CHECK(raft->role != RAFT_LEADER);
    raft_become_follower(raft, raft->hard_state.term, message->from);
    raft_start_election(raft, true);
}
