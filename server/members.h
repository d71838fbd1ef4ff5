/*
 * How a storage is taken into a shard in place of one that its node has lost: first as a learner,
 * and when it has the log, by a joint configuration in which the old one goes and the new one
 * comes. Each of these is a step of the leader; what is half done is gone on with by whoever leads:
 * that a learner takes the place of its node's voter was decided when it became one.
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_SERVER_MEMBERS_H
#define POLLUX_SERVER_MEMBERS_H

#include "raft/configuration.h"
#include "raft/raft.h"

/* A storage that asks to be taken in, and what the leader knows of it. */
struct members_newcomer {
    struct raft_storage storage;
    uint64_t replaced; /* a birth that it says it takes the place of; 0: none */
    bool is_ordered;   /* an operator says that it takes the place of its node's storage */
    bool is_silent;    /* the storage of its node that is a member has not been heard of lately */
    bool is_learner_silent; /* nor has another learner of its node */
    bool is_caught_up;      /* as a learner it has the log, or nearly */
};

/*
 * Whether a learner may become a voter: it has acknowledged the log, or nearly all of it, with the
 * configuration in force, which names it and is record `configuration_index`; and its vote is as
 * good as another's. A voter that is not settled elects nobody beside one that is lost. Without a
 * configuration that names it, a voter would not know of which era it is when it starts again.
 */
bool members_is_caught_up(const struct raft_peer_progress *progress, uint64_t last_index,
                          uint64_t configuration_index);

/*
 * The configuration to propose next; false: there is nothing to do, or not now. Never one that is
 * joint already: the core leaves that by itself.
 */
bool members_next(const struct raft_configuration *now, const struct members_newcomer *newcomer,
                  struct raft_configuration *ret_next);

#endif
