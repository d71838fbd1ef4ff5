/*
 * The configuration: who votes. A value that the core reads wherever it counts nodes, so that a
 * later change of members exchanges one value and no code.
 *
 * A slot is a voter's place in the configuration, 0 to voter_count - 1. What is kept for each voter
 * is kept by slot.
 *
 * Owner: the core's thread.
 */
#ifndef POLLUX_RAFT_CONFIGURATION_H
#define POLLUX_RAFT_CONFIGURATION_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define RAFT_SLOT_NONE UINT32_MAX

struct raft_configuration {
    uint16_t voters[NODES_MAX]; /* distinct ids, 1 to VOTER_ID_MAX */
    uint32_t voter_count;       /* 1 to NODES_MAX */
};

/* Copies `voter_count` ids. ERR_ARGUMENT: too few or too many, one out of its range, one twice. */
MUST_USE enum error raft_configuration_init(struct raft_configuration *configuration,
                                            const uint16_t *voters, uint32_t voter_count);

/* Slot of the voter; RAFT_SLOT_NONE: it is no voter. */
uint32_t raft_configuration_slot(const struct raft_configuration *configuration, uint16_t id);
bool raft_configuration_contains(const struct raft_configuration *configuration, uint16_t id);

/* How many voters are more than half of them. */
uint32_t raft_configuration_majority(const struct raft_configuration *configuration);

#endif
