/*
 * Leadership transfer (thesis 3.10): stop taking proposals, bring the target up to date, tell it to
 * campaign at once; give up after the longest election timeout.
 */
#include "raft/raft_internal.h"

/* The peer with the most of the log; of equals the one heard from last. */
static uint16_t choose_target(const struct raft *raft)
{
    const struct raft_peer *best = NULL;
    for (uint32_t slot = 0; slot < raft->configuration.voter_count; slot++) {
        const struct raft_peer *peer = &raft->peers[slot];
        if (slot == raft->self_slot)
            continue;
        if (best == NULL || peer->match_index > best->match_index ||
            (peer->match_index == best->match_index && peer->contact_ns > best->contact_ns))
            best = peer;
    }
    return best != NULL ? best->id : 0;
}

enum error raft_check_transfer(const struct raft *raft, uint16_t to)
{
    if (to == raft->options.self || raft->configuration.voter_count == 1)
        return ERR_ARGUMENT;
    if (to != 0 && !raft_configuration_contains(&raft->configuration, to))
        return ERR_ARGUMENT;
    return raft->transfer_to == 0 ? OK : ERR_BUSY;
}

void raft_handle_transfer(struct raft *raft, uint16_t to)
{
    raft->transfer_to = to != 0 ? to : choose_target(raft);
    raft->transfer_deadline_ns = raft->now_ns + raft->options.election_timeout_max_ns;
    raft_continue_transfer(
        raft, &raft->peers[raft_configuration_slot(&raft->configuration, raft->transfer_to)]);
}

/* Called again with each reply of the target, which makes up for a lost message. */
void raft_continue_transfer(struct raft *raft, const struct raft_peer *peer)
{
    if (raft->transfer_to == peer->id && peer->match_index == raft->trail.last_index)
        raft_emit_now(raft, RAFT_TIMEOUT_NOW, peer->id);
}

void raft_check_transfer_timeout(struct raft *raft)
{
    if (raft->transfer_to != 0 && raft->now_ns >= raft->transfer_deadline_ns)
        raft->transfer_to = 0;
}

/* The term is ours by now. A message that arrives twice finds a later term and is outdated. */
void raft_handle_timeout_now(struct raft *raft, const struct raft_message *message)
{
    CHECK(raft->role != RAFT_LEADER);
    raft_become_follower(raft, raft->hard_state.term, message->from);
    raft_start_election(raft, true);
}
