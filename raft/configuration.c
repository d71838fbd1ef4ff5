/* See configuration.h. */
#include "raft/configuration.h"

#include "base/le.h"
#include "base/check.h"

#include <string.h>

#define FLAG_STAYS_LEARNER 1
#define FLAG_LEAVES        2

static bool is_free(const struct raft_member *member)
{
    return member->storage.birth == 0;
}

static uint32_t bit_of(uint32_t slot)
{
    return UINT32_C(1) << slot;
}

struct raft_halves raft_configuration_halves(const struct raft_configuration *configuration)
{
    struct raft_halves halves = {0};
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        if (is_free(member))
            continue;
        if (member->membership == RAFT_VOTER || member->membership == RAFT_OUTGOING)
            halves.old_half |= bit_of(slot);
        if (member->membership == RAFT_VOTER || member->membership == RAFT_INCOMING)
            halves.new_half |= bit_of(slot);
    }
    return halves;
}

bool raft_configuration_is_joint(const struct raft_configuration *configuration)
{
    struct raft_halves halves = raft_configuration_halves(configuration);
    return halves.old_half != halves.new_half;
}

bool raft_is_majority(uint32_t set, uint32_t half)
{
    return __builtin_popcount(set & half) > __builtin_popcount(half) / 2;
}

static bool are_of_one_kind(const struct raft_member *one, const struct raft_member *other)
{
    bool is_old = one->membership == RAFT_VOTER || one->membership == RAFT_OUTGOING;
    bool is_new = one->membership == RAFT_VOTER || one->membership == RAFT_INCOMING;
    bool other_is_old = other->membership == RAFT_VOTER || other->membership == RAFT_OUTGOING;
    bool other_is_new = other->membership == RAFT_VOTER || other->membership == RAFT_INCOMING;
    bool are_learners = one->membership == RAFT_LEARNER && other->membership == RAFT_LEARNER;
    return (is_old && other_is_old) || (is_new && other_is_new) || are_learners;
}

static enum error check_member(const struct raft_configuration *configuration, uint32_t slot)
{
    const struct raft_member *member = &configuration->members[slot];
    if (member->storage.id == 0 || member->storage.id > VOTER_ID_MAX)
        return ERR_RANGE;
    if (member->membership < RAFT_LEARNER || member->membership >= RAFT_MEMBERSHIP_END)
        return ERR_RANGE;
    if (member->stays_learner && member->membership != RAFT_LEARNER)
        return ERR_RANGE;
    for (uint32_t other = 0; other < slot; other++) { /* RAFT_MEMBERS_MAX */
        const struct raft_member *before = &configuration->members[other];
        if (is_free(before))
            continue;
        if (before->storage.birth == member->storage.birth)
            return ERR_RANGE;
        if (before->storage.id == member->storage.id && are_of_one_kind(before, member))
            return ERR_RANGE;
    }
    return OK;
}

static bool is_half_good(uint32_t half)
{
    return half != 0 && __builtin_popcount(half) <= NODES_MAX;
}

enum error raft_configuration_check(const struct raft_configuration *configuration)
{
    if (configuration->cluster == 0 || configuration->slot_count > RAFT_MEMBERS_MAX ||
        configuration->format > FORMAT_KNOWN)
        return ERR_RANGE;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        if (!is_free(&configuration->members[slot]) && check_member(configuration, slot) != OK)
            return ERR_RANGE;
    }
    struct raft_halves halves = raft_configuration_halves(configuration);
    return is_half_good(halves.old_half) && is_half_good(halves.new_half) ? OK : ERR_RANGE;
}

static uint8_t member_flags(const struct raft_member *member)
{
    return (uint8_t)((member->stays_learner ? FLAG_STAYS_LEARNER : 0) |
                     (member->leaves ? FLAG_LEAVES : 0));
}

size_t raft_configuration_encode(const struct raft_configuration *configuration, uint8_t *bytes)
{
    CHECK(configuration->slot_count <= RAFT_MEMBERS_MAX);
    memset(bytes, 0, RAFT_CONFIGURATION_HEAD_BYTES);
    bytes[0] = format_versions(configuration->format)->configuration;
    bytes[1] = (uint8_t)configuration->slot_count;
    le16_store(bytes + 2, configuration->format);
    le32_store(bytes + 4, configuration->number);
    le64_store(bytes + 8, configuration->cluster);
    le64_store(bytes + 16, configuration->era);
    uint8_t *at = bytes + RAFT_CONFIGURATION_HEAD_BYTES;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        memset(at, 0, RAFT_CONFIGURATION_MEMBER_BYTES);
        if (!is_free(member)) {
            le64_store(at, member->storage.birth);
            le16_store(at + 8, member->storage.id);
            at[10] = (uint8_t)member->membership;
            at[11] = member_flags(member);
            le16_store(at + 14, member->port);
            memcpy(at + 16, member->address, sizeof(member->address));
        }
        at += RAFT_CONFIGURATION_MEMBER_BYTES;
    }
    return (size_t)(at - bytes);
}

static void decode_member(const uint8_t *bytes, struct raft_member *member)
{
    member->storage.birth = le64_load(bytes);
    member->storage.id = le16_load(bytes + 8);
    member->membership = (enum raft_membership)bytes[10];
    member->stays_learner = (bytes[11] & FLAG_STAYS_LEARNER) != 0;
    member->leaves = (bytes[11] & FLAG_LEAVES) != 0;
    member->port = le16_load(bytes + 14);
    memcpy(member->address, bytes + 16, sizeof(member->address));
}

enum error raft_configuration_decode(const uint8_t *bytes, size_t size_bytes,
                                     struct raft_configuration *ret_configuration)
{
    if (size_bytes < RAFT_CONFIGURATION_HEAD_BYTES)
        return ERR_RANGE;
    if (le16_load(bytes + 2) > FORMAT_KNOWN)
        return ERR_VERSION;
    if (bytes[1] > RAFT_MEMBERS_MAX ||
        size_bytes !=
            RAFT_CONFIGURATION_HEAD_BYTES + (size_t)bytes[1] * RAFT_CONFIGURATION_MEMBER_BYTES)
        return ERR_RANGE;
    struct raft_configuration made = {.slot_count = bytes[1],
                                      .number = le32_load(bytes + 4),
                                      .format = le16_load(bytes + 2),
                                      .cluster = le64_load(bytes + 8),
                                      .era = le64_load(bytes + 16)};
    for (uint32_t slot = 0; slot < made.slot_count; slot++)
        decode_member(bytes + RAFT_CONFIGURATION_HEAD_BYTES +
                          (size_t)slot * RAFT_CONFIGURATION_MEMBER_BYTES,
                      &made.members[slot]);
    if (raft_configuration_check(&made) != OK)
        return ERR_RANGE;
    uint8_t again[RAFT_CONFIGURATION_BYTES_MAX];
    raft_configuration_encode(&made, again);
    if (memcmp(again, bytes, size_bytes) != 0)
        return ERR_RANGE; /* another version, or something where zeros belong */
    *ret_configuration = made;
    return OK;
}

uint32_t raft_configuration_slot(const struct raft_configuration *configuration, uint64_t birth)
{
    if (birth == 0)
        return RAFT_SLOT_NONE;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        if (configuration->members[slot].storage.birth == birth)
            return slot;
    }
    return RAFT_SLOT_NONE;
}

/* Which of two storages of one node is asked for it. */
static uint32_t rank(const struct raft_member *member)
{
    switch (member->membership) {
    case RAFT_VOTER:
    case RAFT_INCOMING:
        return 3;
    case RAFT_LEARNER:
        return 2;
    case RAFT_OUTGOING:
    case RAFT_NO_MEMBER:
    case RAFT_MEMBERSHIP_END:
        break;
    }
    return 1;
}

const struct raft_member *raft_configuration_node(const struct raft_configuration *configuration,
                                                  uint16_t id)
{
    const struct raft_member *best = NULL;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        if (is_free(member) || member->storage.id != id)
            continue;
        if (best == NULL || rank(member) > rank(best))
            best = member;
    }
    return best;
}

enum error raft_configuration_add(struct raft_configuration *configuration,
                                  const struct raft_member *member)
{
    uint32_t slot = 0;
    while (slot < configuration->slot_count && !is_free(&configuration->members[slot]))
        slot++;
    if (slot == RAFT_MEMBERS_MAX)
        return ERR_FULL;
    configuration->members[slot] = *member;
    if (slot == configuration->slot_count)
        configuration->slot_count++;
    return OK;
}

void raft_configuration_leave_joint(const struct raft_configuration *joint,
                                    struct raft_configuration *ret_configuration)
{
    struct raft_configuration made = *joint;
    for (uint32_t slot = 0; slot < made.slot_count; slot++) {
        struct raft_member *member = &made.members[slot];
        if (member->membership == RAFT_OUTGOING)
            *member = (struct raft_member){0};
        else if (member->membership == RAFT_INCOMING)
            member->membership = RAFT_VOTER;
    }
    *ret_configuration = made;
}

static bool keep_their_slots(const struct raft_configuration *before,
                             const struct raft_configuration *after)
{
    for (uint32_t slot = 0; slot < after->slot_count; slot++) {
        uint64_t birth = after->members[slot].storage.birth;
        uint32_t was = raft_configuration_slot(before, birth);
        if (was != RAFT_SLOT_NONE && was != slot)
            return false;
        bool is_taken = slot < before->slot_count && !is_free(&before->members[slot]);
        if (birth != 0 && was == RAFT_SLOT_NONE && is_taken)
            return false; /* its progress would be taken for the newcomer's */
    }
    return true;
}

/* The voters of a half as births, so that a slot that changed hands is not taken for the same. */
static bool is_same_half(const struct raft_configuration *one, uint32_t half,
                         const struct raft_configuration *other, uint32_t other_half)
{
    if (half != other_half)
        return false;
    for (uint32_t slot = 0; slot < one->slot_count && slot < other->slot_count; slot++) {
        if ((half & bit_of(slot)) != 0 &&
            one->members[slot].storage.birth != other->members[slot].storage.birth)
            return false;
    }
    return true;
}

bool raft_configuration_may_follow(const struct raft_configuration *before,
                                   const struct raft_configuration *after)
{
    if (raft_configuration_check(after) != OK || before->cluster != after->cluster ||
        before->era != after->era || after->number < before->number ||
        after->format < before->format || after->format > before->format + 1 ||
        !keep_their_slots(before, after))
        return false;
    struct raft_halves was = raft_configuration_halves(before);
    struct raft_halves is = raft_configuration_halves(after);
    if (was.old_half != was.new_half) /* joint: only its new half may follow */
        return is_same_half(before, was.new_half, after, is.old_half) && is.old_half == is.new_half;
    return is_same_half(before, was.new_half, after, is.old_half);
}
