/* See members.h. */
#include "server/members.h"

/* A learner that lacks no more records than this is as good as the voters. */
#define BEHIND_RECORDS_MAX 1024

bool members_is_caught_up(const struct raft_peer_progress *progress, uint64_t last_index,
                          uint64_t configuration_index)
{
    return progress->match_index > 0 && progress->match_index >= configuration_index &&
           !progress->is_suspect && progress->match_index + BEHIND_RECORDS_MAX >= last_index;
}

/* The slot of another storage of the newcomer's node that is a member in this way. */
static uint32_t other_slot(const struct raft_configuration *now,
                           const struct members_newcomer *newcomer, enum raft_membership membership)
{
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        if (member->storage.birth != 0 && member->storage.id == newcomer->storage.id &&
            member->storage.birth != newcomer->storage.birth && member->membership == membership)
            return slot;
    }
    return RAFT_SLOT_NONE;
}

/* By what an operator says of the node, or by what the node says: of its voter, or of a learner
 * that was to take the voter's place. */
static bool is_replaced(const struct members_newcomer *newcomer,
                        const struct raft_configuration *now, uint32_t old_slot,
                        uint32_t learner_slot)
{
    if (newcomer->is_ordered || newcomer->replaced == now->members[old_slot].storage.birth)
        return true;
    return learner_slot != RAFT_SLOT_NONE &&
           newcomer->replaced == now->members[learner_slot].storage.birth;
}

/* A learner of the node that is not its storage any more was lost before it became a voter, and
 * makes way, unless it is heard: then the newcomer's word was late. The newcomer has another slot:
 * its progress would be taken for the lost one's. */
static bool add_learner(const struct members_newcomer *newcomer, uint32_t old_slot,
                        struct raft_configuration *next)
{
    uint32_t lost_slot = other_slot(next, newcomer, RAFT_LEARNER);
    if (!is_replaced(newcomer, next, old_slot, lost_slot) ||
        (lost_slot != RAFT_SLOT_NONE && !newcomer->is_learner_silent))
        return false;
    struct raft_member learner = next->members[old_slot]; /* at the same address */
    learner.storage = newcomer->storage;
    learner.membership = RAFT_LEARNER;
    if (raft_configuration_add(next, &learner) != OK)
        return false;
    if (lost_slot != RAFT_SLOT_NONE)
        next->members[lost_slot] = (struct raft_member){0};
    return true;
}

bool members_next(const struct raft_configuration *now, const struct members_newcomer *newcomer,
                  struct raft_configuration *ret_next)
{
    uint32_t old_slot = other_slot(now, newcomer, RAFT_VOTER);
    if (raft_configuration_is_joint(now) || old_slot == RAFT_SLOT_NONE || !newcomer->is_silent)
        return false;
    struct raft_configuration next = *now;
    uint32_t slot = raft_configuration_slot(now, newcomer->storage.birth);
    if (slot == RAFT_SLOT_NONE) {
        if (!add_learner(newcomer, old_slot, &next))
            return false;
    } else if (now->members[slot].membership == RAFT_LEARNER && newcomer->is_caught_up) {
        next.members[old_slot].membership = RAFT_OUTGOING;
        next.members[slot].membership = RAFT_INCOMING;
    } else {
        return false;
    }
    *ret_next = next;
    return true;
}
