/* See members.h. */
#include "server/members.h"

/* By what the node says, or by what an operator says of its node. */
static bool is_replaced(const struct members_newcomer *newcomer, uint64_t birth)
{
    return newcomer->is_ordered || newcomer->replaced == birth;
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

/* A learner of the node that is not its storage any more was lost before it became a voter, and
 * makes way. It and the newcomer cannot change places in one record: the slot would be taken for
 * the same member's. */
static bool drop_learner(const struct members_newcomer *newcomer, struct raft_configuration *next)
{
    uint32_t slot = other_slot(next, newcomer, RAFT_LEARNER);
    if (slot == RAFT_SLOT_NONE)
        return false;
    next->members[slot] = (struct raft_member){0};
    return true;
}

static bool add_learner(const struct members_newcomer *newcomer, uint32_t old_slot,
                        struct raft_configuration *next)
{
    struct raft_member learner = next->members[old_slot]; /* at the same address */
    learner.storage = newcomer->storage;
    learner.membership = RAFT_LEARNER;
    return raft_configuration_add(next, &learner) == OK;
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
        if (!is_replaced(newcomer, now->members[old_slot].storage.birth))
            return false;
        if (!drop_learner(newcomer, &next) && !add_learner(newcomer, old_slot, &next))
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
