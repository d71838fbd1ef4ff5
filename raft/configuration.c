/* See configuration.h. */
#include "raft/configuration.h"

enum error raft_configuration_init(struct raft_configuration *configuration, const uint16_t *voters,
                                   uint32_t voter_count)
{
    struct raft_configuration made = {.voter_count = voter_count};
    if (voter_count < 1 || voter_count > NODES_MAX)
        return ERR_ARGUMENT;
    for (uint32_t slot = 0; slot < voter_count; slot++) {
        if (voters[slot] == 0 || voters[slot] > VOTER_ID_MAX)
            return ERR_ARGUMENT;
        if (raft_configuration_contains(&made, voters[slot]))
            return ERR_ARGUMENT;
        made.voters[slot] = voters[slot];
    }
    *configuration = made;
    return OK;
}

uint32_t raft_configuration_slot(const struct raft_configuration *configuration, uint16_t id)
{
    for (uint32_t slot = 0; slot < configuration->voter_count; slot++) {
        if (configuration->voters[slot] == id)
            return slot;
    }
    return RAFT_SLOT_NONE;
}

bool raft_configuration_contains(const struct raft_configuration *configuration, uint16_t id)
{
    return raft_configuration_slot(configuration, id) != RAFT_SLOT_NONE;
}

uint32_t raft_configuration_majority(const struct raft_configuration *configuration)
{
    return configuration->voter_count / 2 + 1;
}
