/*
 * Members of a configuration as words, for tests: `1 2 3'103 ?4`. A storage is the id of its node
 * if it is the first one of the cluster's harness, whose birth is the id; else id'birth. A mark
 * says what the storage is: + coming, - going, ? a learner; none: a voter.
 */
#ifndef POLLUX_TESTS_UNIT_RAFT_MEMBERS_H
#define POLLUX_TESTS_UNIT_RAFT_MEMBERS_H

#include "tests/unit/raft/cluster.h"

struct storage_name {
    char text[32];
};

struct members_text {
    char text[RAFT_MEMBERS_MAX * sizeof(struct storage_name)];
};

/* `3'any`: whichever storage the node has. */
struct storage_name members_name(struct raft_storage storage);

struct members_text members_text(const struct raft_configuration *configuration);

/*
 * Changes a configuration that is not joint to the one that is asked for. A storage without a mark
 * shall be a voter: one that is none is coming. A voter that is not named is going, anybody else
 * who is not named is gone. False: the text names no members. Whether they are good ones is left to
 * the core.
 */
bool members_parse(const char *text, struct raft_configuration *configuration);

/* The leader `id` is asked for these members. */
enum error members_ask(struct cluster *cluster, uint16_t id, const char *text);

/* Whether node `id` has exactly these members in force, in the order of their slots. */
bool members_are(const struct cluster *cluster, uint16_t id, const char *text);

#endif
