/* See plan.h. */
#include "tools/rescue/plan.h"

#include "base/check.h"

/* Records of a later era overrule those of an earlier one; within an era the rule is that of
 * elections (paper 5.4.1). Of two equal logs the one that lacks nothing goes on. */
static bool is_better(const struct rescue_storage *one, const struct rescue_storage *other)
{
    if (one->configuration.era != other->configuration.era)
        return one->configuration.era > other->configuration.era;
    if (one->last_term != other->last_term)
        return one->last_term > other->last_term;
    if (one->last_index != other->last_index)
        return one->last_index > other->last_index;
    return !one->is_suspect && other->is_suspect;
}

static bool may_go_on(const struct rescue_storage *storage)
{
    return storage->is_usable && !storage->is_ended && storage->configuration.slot_count > 0;
}

static bool is_of_several_clusters(const struct rescue_storage *storages, uint32_t count)
{
    uint64_t cluster = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (storages[i].configuration.slot_count == 0)
            continue;
        if (cluster != 0 && storages[i].configuration.cluster != cluster)
            return true;
        cluster = storages[i].configuration.cluster;
    }
    return false;
}

static bool has_twice(const struct rescue_storage *storages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++) { /* both at most NODES_MAX */
            if (storages[i].storage.id == storages[j].storage.id)
                return true;
        }
    }
    return false;
}

/* Slots of `before` whose storages are left and count. */
static uint32_t find_alive(const struct rescue_storage *storages, uint32_t count,
                           const uint64_t *answering, uint32_t answering_count,
                           const struct raft_configuration *before)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = raft_configuration_slot(before, storages[i].storage.birth);
        /* An empty log may vote, too. */
        if (slot != RAFT_SLOT_NONE && storages[i].is_usable && !storages[i].is_ended &&
            !storages[i].is_suspect)
            alive |= UINT32_C(1) << slot;
    }
    for (uint32_t i = 0; i < answering_count; i++) {
        uint32_t slot = raft_configuration_slot(before, answering[i]);
        if (slot != RAFT_SLOT_NONE)
            alive |= UINT32_C(1) << slot;
    }
    return alive;
}

static enum rescue_verdict find_chosen(const struct rescue_storage *storages, uint32_t count,
                                       uint32_t *ret_chosen)
{
    bool is_found = false;
    if (has_twice(storages, count))
        return RESCUE_TWICE;
    if (is_of_several_clusters(storages, count))
        return RESCUE_STRANGER;
    for (uint32_t i = 0; i < count; i++) {
        if (!may_go_on(&storages[i]) ||
            (is_found && !is_better(&storages[i], &storages[*ret_chosen])))
            continue;
        *ret_chosen = i;
        is_found = true;
    }
    return is_found ? RESCUE_POSSIBLE : RESCUE_NO_STORAGE;
}

void rescue_plan_shard(const struct rescue_storage *storages, uint32_t count,
                       const uint64_t *answering, uint32_t answering_count,
                       struct rescue_shard_plan *ret_plan)
{
    CHECK(count <= NODES_MAX);
    *ret_plan = (struct rescue_shard_plan){0};
    ret_plan->verdict = find_chosen(storages, count, &ret_plan->chosen);
    if (ret_plan->verdict != RESCUE_POSSIBLE)
        return;
    ret_plan->before = storages[ret_plan->chosen].configuration;
    ret_plan->alive = find_alive(storages, count, answering, answering_count, &ret_plan->before);
    for (uint32_t i = 0; i < count; i++) {
        if (storages[i].commit_index > ret_plan->commit_index)
            ret_plan->commit_index = storages[i].commit_index;
        if (storages[i].term > ret_plan->term)
            ret_plan->term = storages[i].term;
        if (storages[i].last_term > ret_plan->term)
            ret_plan->term = storages[i].last_term;
    }
    ret_plan->term++;
    struct raft_halves halves = raft_configuration_halves(&ret_plan->before);
    if (raft_is_majority(ret_plan->alive, halves.old_half) &&
        raft_is_majority(ret_plan->alive, halves.new_half))
        ret_plan->verdict = RESCUE_NOT_NEEDED;
}

/* As the node was a member before; else at no known address. */
static struct raft_member member_after(const struct raft_configuration *before,
                                       const struct rescue_storage *storage)
{
    const struct raft_member *known = raft_configuration_node(before, storage->storage.id);
    struct raft_member member = known != NULL ? *known : (struct raft_member){0};
    member.storage = (struct raft_storage){.birth = storage->new_birth, .id = storage->storage.id};
    member.membership = RAFT_LEARNER;
    member.leaves = false; /* what was wanted before is over */
    return member;
}

void rescue_plan_after(const struct rescue_storage *storages, uint32_t count, uint64_t era,
                       uint32_t number, struct rescue_shard_plan *plan)
{
    CHECK(plan->verdict == RESCUE_POSSIBLE);
    plan->after = (struct raft_configuration){.cluster = plan->before.cluster,
                                              .era = era,
                                              .number = number,
                                              .format = plan->before.format};
    for (uint32_t i = 0; i < count; i++) {
        struct raft_member member = member_after(&plan->before, &storages[i]);
        if (i == plan->chosen) {
            member.storage.birth = storages[i].storage.birth;
            member.membership = RAFT_VOTER;
            member.stays_learner = false;
        }
        CHECK(raft_configuration_add(&plan->after, &member) == OK);
    }
    CHECK(raft_configuration_check(&plan->after) == OK);
}
