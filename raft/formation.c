/*
 * How a cluster begins. A storage that belongs to no cluster knows no configuration: it knows only
 * which nodes are to found one. It asks all of them for their births by a pre-vote, and then for
 * their votes. It needs every one of these votes, each given by the very storage that told its
 * birth, and makes the first record of the log: the configuration with these births.
 *
 * Why two clusters cannot form of one set of storages: a founder votes only while its log is empty,
 * and once in a term. The winner of a later term needs the vote of every storage that holds the
 * first record of an earlier one, and such a storage belongs to a cluster and refuses.
 */
#include "raft/raft_internal.h"

#include "base/crc32c.h"

#include <string.h>

static enum error check_founders(const struct raft_options *options)
{
    bool has_self = false;
    if (options->founder_count < 1 || options->founder_count > NODES_MAX)
        return ERR_ARGUMENT;
    for (uint32_t i = 0; i < options->founder_count; i++) {
        uint16_t id = options->founders[i];
        if (id == 0 || id > VOTER_ID_MAX)
            return ERR_ARGUMENT;
        for (uint32_t j = 0; j < i; j++) { /* NODES_MAX */
            if (options->founders[j] == id)
                return ERR_ARGUMENT;
        }
        has_self = has_self || id == options->self.id;
    }
    return has_self ? OK : ERR_ARGUMENT;
}

/* Not 0. The order in which the founders are named does not matter. */
static uint32_t checksum(const struct raft_options *options)
{
    uint8_t set[VOTER_ID_MAX / 8 + 1] = {0};
    for (uint32_t i = 0; i < options->founder_count; i++)
        set[options->founders[i] / 8] |= (uint8_t)(1u << options->founders[i] % 8);
    uint32_t sum = crc32c(0, set, sizeof(set));
    return sum != 0 ? sum : 1;
}

enum error raft_formation_init(struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    enum error error = check_founders(options);
    if (error != OK || options->self.birth == 0)
        return ERR_ARGUMENT;
    raft->formation = checksum(options);
    raft_formation_begin(raft);
    return OK;
}

/* What the attempt that is over lacked. The first draft is of no attempt. */
static void note_missing(struct raft *raft)
{
    uint32_t silent = 0;
    for (uint32_t slot = 0; slot < raft->draft.slot_count; slot++)
        silent |= raft->draft.members[slot].storage.birth == 0 ? UINT32_C(1) << slot : 0;
    raft->is_formation_refused = raft->founders_refusing != 0;
    raft->founders_missing = raft->is_formation_refused ? raft->founders_refusing : silent;
}

void raft_formation_begin(struct raft *raft)
{
    const struct raft_options *options = &raft->options;
    if (raft->formation_begins > 1)
        note_missing(raft);
    if (raft->formation_begins < UINT32_MAX)
        raft->formation_begins++;
    raft->founders_refusing = 0;
    raft->draft = (struct raft_configuration){.slot_count = options->founder_count};
    for (uint32_t slot = 0; slot < options->founder_count; slot++) {
        struct raft_member *member = &raft->draft.members[slot];
        member->membership = RAFT_VOTER;
        member->storage.id = options->founders[slot];
        memcpy(member->address, options->founder_places[slot].address, sizeof(member->address));
        member->port = options->founder_places[slot].port;
        if (member->storage.id == options->self.id)
            member->storage.birth = options->self.birth;
    }
}

void raft_formation_state(const struct raft *raft, struct raft_formation_state *ret_state)
{
    struct raft_formation_state state = {.is_refused = raft->is_formation_refused};
    if (raft->formation_begins > 2)
        state.attempts = raft->formation_begins - 2;
    for (uint32_t slot = 0; slot < raft->draft.slot_count; slot++) {
        if ((raft->founders_missing >> slot & 1) != 0)
            state.missing[state.missing_count++] = raft->draft.members[slot].storage.id;
    }
    *ret_state = state;
}

uint32_t raft_founder_slot(const struct raft *raft, uint16_t id)
{
    for (uint32_t slot = 0; slot < raft->draft.slot_count; slot++) {
        if (raft->draft.members[slot].storage.id == id)
            return slot;
    }
    return RAFT_SLOT_NONE;
}
