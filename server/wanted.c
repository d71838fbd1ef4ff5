/* See wanted.h. */
#include "server/wanted.h"

#include "base/check.h"

#include <string.h>

static bool is_free_slot(const struct raft_member *member)
{
    return member->storage.birth == 0;
}

static struct address address_of(const struct raft_member *member)
{
    return address_of_ip(member->address, member->port);
}

static void set_address(struct raft_member *member, const struct address *address)
{
    memcpy(member->address, address->ip, sizeof(member->address));
    member->port = address->port;
}

/* The node's voter, or the one that it will be; NULL: it has none. */
static struct raft_member *voter_of(struct raft_configuration *configuration, uint16_t id)
{
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        struct raft_member *member = &configuration->members[slot];
        if (!is_free_slot(member) && member->storage.id == id &&
            (member->membership == RAFT_VOTER || member->membership == RAFT_INCOMING))
            return member;
    }
    return NULL;
}

const struct wanted_node *wanted_find(const struct wanted *wanted, uint16_t id)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (wanted->nodes[i].id == id)
            return &wanted->nodes[i];
    }
    return NULL;
}

const struct wanted_node *wanted_at(const struct wanted *wanted, const struct wanted_node *node,
                                    uint16_t port_count)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct wanted_node *other = &wanted->nodes[i];
        if (other->id != node->id && other->address.port != 0 &&
            address_is_clash(&other->address, &node->address, port_count))
            return other;
    }
    return NULL;
}

void wanted_of(const struct raft_configuration *configuration, struct wanted *ret_wanted)
{
    struct wanted wanted = {.number = configuration->number, .format = configuration->format};
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        uint16_t id = configuration->members[slot].storage.id;
        if (is_free_slot(&configuration->members[slot]) || wanted_find(&wanted, id) != NULL)
            continue;
        const struct raft_member *member = raft_configuration_node(configuration, id);
        if (member->membership == RAFT_OUTGOING)
            continue;
        wanted.nodes[wanted.count++] = (struct wanted_node){.id = id,
                                                            .is_learner = member->stays_learner,
                                                            .leaves = member->leaves,
                                                            .address = address_of(member)};
    }
    *ret_wanted = wanted;
}

static uint32_t voters_in(const struct wanted *wanted)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < wanted->count; i++)
        count += !wanted->nodes[i].is_learner && !wanted->nodes[i].leaves;
    return count;
}

static enum error take_in(struct wanted *wanted, struct wanted_node *found,
                          const struct wanted_node *node)
{
    if (found != NULL) {
        if (!address_is_equal(&found->address, &node->address) ||
            found->is_learner != node->is_learner)
            return ERR_ARGUMENT;
        if (found->leaves && !node->is_learner && voters_in(wanted) >= NODES_MAX)
            return ERR_FULL;
        found->leaves = false;
        return OK;
    }
    if (wanted->count >= WANTED_NODES_MAX || (!node->is_learner && voters_in(wanted) >= NODES_MAX))
        return ERR_FULL;
    wanted->nodes[wanted->count++] = *node;
    return OK;
}

static enum error promote(struct wanted *wanted, struct wanted_node *found)
{
    if (found == NULL)
        return ERR_NOT_FOUND;
    if (found->is_learner && voters_in(wanted) >= NODES_MAX)
        return ERR_FULL;
    found->is_learner = false;
    return OK;
}

static enum error take_out(struct wanted *wanted, struct wanted_node *found, bool is_forced)
{
    if (found == NULL)
        return OK;
    if (!found->is_learner && !found->leaves && voters_in(wanted) == 1)
        return ERR_ARGUMENT;
    if (is_forced)
        *found = wanted->nodes[--wanted->count];
    else
        found->leaves = true;
    return OK;
}

static enum error move_to(struct wanted_node *found, const struct address *address)
{
    if (found == NULL)
        return ERR_NOT_FOUND;
    found->address = *address;
    return OK;
}

static enum error raise_to(struct wanted *wanted, uint16_t format)
{
    if (format != wanted->format && format != wanted->format + 1)
        return ERR_ARGUMENT;
    wanted->format = format;
    return OK;
}

static enum error apply_change(struct wanted *wanted, const struct wanted_change *change)
{
    struct wanted_node *found = NULL;
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (wanted->nodes[i].id == change->node.id)
            found = &wanted->nodes[i];
    }
    switch (change->action) {
    case WANTED_ADD:
        return take_in(wanted, found, &change->node);
    case WANTED_PROMOTE:
        return promote(wanted, found);
    case WANTED_REMOVE:
        return take_out(wanted, found, change->is_forced);
    case WANTED_UPDATE:
        return move_to(found, &change->node.address);
    case WANTED_RAISE:
        return raise_to(wanted, change->format);
    case WANTED_END:
        break;
    }
    return ERR_ARGUMENT;
}

static bool is_same(const struct wanted *one, const struct wanted *other)
{
    if (one->count != other->count || one->format != other->format)
        return false;
    for (uint32_t i = 0; i < one->count; i++) {
        const struct wanted_node *a = &one->nodes[i];
        const struct wanted_node *b = &other->nodes[i];
        if (a->id != b->id || a->is_learner != b->is_learner || a->leaves != b->leaves ||
            !address_is_equal(&a->address, &b->address))
            return false;
    }
    return true;
}

enum error wanted_edit(struct wanted *wanted, const struct wanted_change *change)
{
    struct wanted edited = *wanted;
    enum error error = apply_change(&edited, change);
    if (change->after != wanted->number)
        return error == OK && is_same(wanted, &edited) ? OK : ERR_OUTDATED;
    if (error != OK)
        return error;
    if (edited.number == UINT32_MAX)
        return ERR_FULL;
    edited.number++;
    *wanted = edited;
    return OK;
}

/* ---- a shard's next step ---- */

/* Addresses, who stays a learner, and who leaves. */
static bool adjust_members(struct raft_configuration *next, const struct wanted *wanted)
{
    bool has_changed = false;
    for (uint32_t slot = 0; slot < next->slot_count; slot++) {
        struct raft_member *member = &next->members[slot];
        const struct wanted_node *node =
            is_free_slot(member) ? NULL : wanted_find(wanted, member->storage.id);
        if (node == NULL)
            continue;
        struct address address = address_of(member);
        bool stays = node->is_learner && member->membership == RAFT_LEARNER;
        has_changed |= !address_is_equal(&address, &node->address) ||
                       member->stays_learner != stays || member->leaves != node->leaves;
        set_address(member, &node->address);
        member->stays_learner = stays;
        member->leaves = node->leaves;
    }
    return has_changed;
}

/* Whether the node's storage is to become a learner: it has no member, or only a learner that is
 * lost. *ret_lost: its slot. */
static bool is_newcomer(const struct raft_configuration *now, const struct wanted_known *known,
                        uint16_t id, uint64_t birth, uint32_t *ret_lost)
{
    *ret_lost = RAFT_SLOT_NONE;
    const struct raft_member *member = raft_configuration_node(now, id);
    if (birth == 0 || raft_configuration_slot(now, birth) != RAFT_SLOT_NONE)
        return false;
    if (member == NULL)
        return true;
    uint32_t slot = raft_configuration_slot(now, member->storage.birth);
    *ret_lost = slot;
    return member->membership == RAFT_LEARNER && (known->silent >> slot & 1) != 0;
}

/* A freed slot is not taken again in the same step: the progress of who had it would be taken for
 * that of the newcomer. */
static bool add_learners(struct raft_configuration *next, const struct wanted *wanted,
                         const struct wanted_known *known)
{
    uint32_t freed = 0;
    bool has_changed = false;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct wanted_node *node = &wanted->nodes[i];
        uint32_t lost;
        if (node->leaves || !is_newcomer(next, known, node->id, known->births[i], &lost))
            continue;
        struct raft_member learner = {.storage = {.birth = known->births[i], .id = node->id},
                                      .membership = RAFT_LEARNER,
                                      .stays_learner = node->is_learner};
        set_address(&learner, &node->address);
        if (raft_configuration_add(next, &learner) != OK)
            break;
        has_changed = true;
        freed |= lost != RAFT_SLOT_NONE ? UINT32_C(1) << lost : 0;
    }
    for (; freed != 0; freed &= freed - 1) /* RAFT_MEMBERS_MAX */
        next->members[__builtin_ctz(freed)] = (struct raft_member){0};
    return has_changed;
}

static bool drop_learners(struct raft_configuration *next, const struct wanted *wanted)
{
    bool has_changed = false;
    for (uint32_t slot = 0; slot < next->slot_count; slot++) {
        struct raft_member *member = &next->members[slot];
        if (is_free_slot(member) || member->membership != RAFT_LEARNER ||
            wanted_find(wanted, member->storage.id) != NULL)
            continue;
        *member = (struct raft_member){0};
        has_changed = true;
    }
    return has_changed;
}

/* Learners that have the log come, and voters that are not wanted go. A learner whose node has a
 * voter takes that one's place: server/members.h. */
static bool change_voters(struct raft_configuration *next, const struct wanted *wanted,
                          const struct wanted_known *known)
{
    bool has_changed = false;
    for (uint32_t slot = 0; slot < next->slot_count; slot++) {
        struct raft_member *member = &next->members[slot];
        if (is_free_slot(member))
            continue;
        const struct wanted_node *node = wanted_find(wanted, member->storage.id);
        bool is_ready =
            member->membership == RAFT_LEARNER && (known->caught_up & known->heard) >> slot & 1;
        if (is_ready && node != NULL && !node->is_learner && !node->leaves &&
            voter_of(next, member->storage.id) == NULL) {
            member->membership = RAFT_INCOMING;
            has_changed = true;
        } else if (member->membership == RAFT_VOTER && (node == NULL || node->is_learner)) {
            member->membership = RAFT_OUTGOING;
            has_changed = true;
        }
    }
    return has_changed;
}

static bool leads_on(const struct raft_configuration *next, uint64_t self)
{
    uint32_t slot = raft_configuration_slot(next, self);
    return slot != RAFT_SLOT_NONE && next->members[slot].membership != RAFT_OUTGOING;
}

/* Nothing can be done now. What is waited for? */
static enum wanted_step wait_for(struct raft_configuration *now, const struct wanted *wanted)
{
    enum wanted_step step = WANTED_DONE;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct wanted_node *node = &wanted->nodes[i];
        if (node->leaves) {
            step = step == WANTED_DONE ? WANTED_DRAIN : step;
            continue;
        }
        if (raft_configuration_node(now, node->id) == NULL)
            return WANTED_ASK_NODE;
        if (!node->is_learner && voter_of(now, node->id) == NULL)
            step = WANTED_CATCH_UP;
    }
    return step;
}

static enum wanted_step propose(const struct wanted_known *known,
                                const struct raft_configuration *next,
                                struct raft_configuration *ret_next)
{
    if (!known->has_room)
        return WANTED_LACK_ROOM;
    *ret_next = *next;
    return WANTED_PROPOSE;
}

/* All storages that the node has in the configuration. One that was lost has nothing more to
 * give. */
static bool is_drained(const struct raft_configuration *now, const struct wanted_known *known,
                       uint16_t id)
{
    const struct raft_member *member = raft_configuration_node(now, id);
    if (member == NULL)
        return true;
    uint32_t slot = raft_configuration_slot(now, member->storage.birth);
    return (known->drained >> slot & 1) != 0;
}

void wanted_release(struct wanted *wanted, const struct raft_configuration *now,
                    const struct wanted_known *known)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct wanted_node *node = &wanted->nodes[i];
        if (!node->leaves || !is_drained(now, known, node->id))
            wanted->nodes[kept++] = *node;
    }
    wanted->count = kept;
}

void wanted_retain(struct wanted *wanted, const struct raft_configuration *now,
                   const struct wanted_known *known)
{
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        bool may_go = ((known->drained | known->silent) >> slot & 1) != 0;
        if (is_free_slot(member) || may_go || member->membership == RAFT_OUTGOING ||
            wanted_find(wanted, member->storage.id) != NULL || wanted->count == WANTED_NODES_MAX)
            continue;
        wanted->nodes[wanted->count++] =
            (struct wanted_node){.id = member->storage.id,
                                 .is_learner = member->membership == RAFT_LEARNER,
                                 .leaves = true,
                                 .address = address_of(member)};
    }
}

bool wanted_can_go(const struct raft_configuration *now, const struct wanted *wanted,
                   const struct wanted_known *known, uint16_t id)
{
    struct wanted without = {.number = wanted->number, .format = wanted->format};
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (wanted->nodes[i].id != id && !wanted->nodes[i].leaves)
            without.nodes[without.count++] = wanted->nodes[i];
    }
    struct raft_configuration next;
    return wanted_next(now, &without, known, &next) != WANTED_LACK_QUORUM;
}

bool wanted_may_raise(const struct raft_configuration *now, const struct wanted_known *known)
{
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        if (!is_free_slot(&now->members[slot]) && (known->formats_told >> slot & 1) == 0)
            return false;
    }
    return true;
}

enum wanted_step wanted_next(const struct raft_configuration *now, const struct wanted *wanted,
                             const struct wanted_known *known, struct raft_configuration *ret_next)
{
    CHECK(wanted->count <= RAFT_MEMBERS_MAX);
    if (raft_configuration_is_joint(now))
        return WANTED_BUSY;
    if (wanted->count == 0 || wanted->number < now->number)
        return WANTED_DONE;
    struct raft_configuration next = *now;
    next.number = wanted->number;
    /* Alone: a node that comes with the same record has not been asked. */
    if (wanted->format > now->format && wanted_may_raise(now, known)) {
        next.format++;
        return propose(known, &next, ret_next);
    }
    bool has_changed = adjust_members(&next, wanted);
    has_changed |= add_learners(&next, wanted, known);
    has_changed |= drop_learners(&next, wanted);
    if (has_changed)
        return propose(known, &next, ret_next);
    if (change_voters(&next, wanted, known)) {
        uint32_t half = raft_configuration_halves(&next).new_half;
        if (__builtin_popcount(half) > NODES_MAX || !raft_is_majority(known->heard, half))
            return WANTED_LACK_QUORUM;
        if (!leads_on(&next, known->self))
            return WANTED_HAND_OVER;
    } else if (next.number == now->number) {
        return wanted->format > now->format ? WANTED_ASK_NODE : wait_for(&next, wanted);
    }
    return propose(known, &next, ret_next);
}
