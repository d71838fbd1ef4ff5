/*
 * The configuration: which storages count. It is a value in the log: the newest record of its kind
 * is in force from the moment when it is appended (thesis 4.1), and the one before it again if a
 * truncation takes that record away.
 *
 * A member is a storage and not a node: its birth is a random number that was drawn when the
 * storage was made. A node whose files were lost has a new birth, and is nobody that was counted.
 *
 * Members change by joint consensus (paper 6, thesis 4.3): a configuration in which some members
 * are only coming and others only going has two halves, and needs a majority of each.
 *
 * A slot is a member's place, 0 to slot_count - 1. A member keeps its slot as long as it is a
 * member, so what is kept for each member is kept by slot. A slot may be free.
 *
 * Encoded, little endian: a head of 24 bytes, then 40 bytes for each slot.
 *
 *   0  1  version, 3 or 4        0   8  birth, 0: the slot is free
 *   1  1  slot_count             8   2  node id
 *   2  2  format                 10  1  membership
 *   4  4  number                 11  1  flags (1: a learner that stays one, 2: leaves)
 *   8  8  cluster                12  2  zero
 *   16 8  era                    14  2  UDP port
 *                                16 16  address, IPv6 or an IPv4-mapped one
 *                                32  8  zero
 *
 * The version is that of the format (base/format.h).
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_RAFT_CONFIGURATION_H
#define POLLUX_RAFT_CONFIGURATION_H

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAFT_SLOT_NONE UINT32_MAX

/* A storage, and the node that has it. */
struct raft_storage {
    uint64_t birth; /* not 0 */
    uint16_t id;    /* 1 to VOTER_ID_MAX */
};

#define RAFT_NOBODY ((struct raft_storage){0})

enum raft_membership {
    RAFT_NO_MEMBER,
    RAFT_LEARNER,  /* is sent the log, and counts for nothing */
    RAFT_VOTER,    /* counts, in both halves */
    RAFT_INCOMING, /* counts in the new half */
    RAFT_OUTGOING, /* counts in the old half */
    RAFT_MEMBERSHIP_END
};

struct raft_member {
    struct raft_storage storage; /* birth 0: the slot is free */
    enum raft_membership membership;
    bool stays_learner;  /* a learner that is to become no voter; raft looks at none of these */
    bool leaves;         /* it is to be removed, and accepts no more on its own */
    uint8_t address[16]; /* all zero, and port 0: not known */
    uint16_t port;
};

struct raft_configuration {
    uint64_t cluster; /* random, drawn when the cluster formed; 0: it has not formed */
    uint64_t era;     /* rises where a cluster is put together anew by hand */
    uint32_t number;  /* of the operator's last change that it follows; never falls */
    uint16_t format;  /* in force once the record is committed, at most FORMAT_KNOWN; never falls */
    uint32_t slot_count;
    struct raft_member members[RAFT_MEMBERS_MAX];
};

/* The halves as sets of slots, slot s as bit s. Not joint: they are equal. */
struct raft_halves {
    uint32_t old_half;
    uint32_t new_half;
};

/*
 * OK, or ERR_RANGE with nothing said about `configuration` any more: a half without a voter or with
 * more than NODES_MAX, a birth or membership out of its range, a birth twice, an id twice in one
 * half or twice among the learners, no cluster, a voter that is to stay a learner. An empty
 * configuration (slot_count 0) is refused.
 */
MUST_USE enum error raft_configuration_check(const struct raft_configuration *configuration);

/* Writes at most RAFT_CONFIGURATION_BYTES_MAX; returns how many. */
size_t raft_configuration_encode(const struct raft_configuration *configuration, uint8_t *bytes);

/* ERR_VERSION: of a format that this program does not know. ERR_RANGE: not exactly what
 * raft_configuration_encode makes of a good configuration. */
MUST_USE enum error raft_configuration_decode(const uint8_t *bytes, size_t size_bytes,
                                              struct raft_configuration *ret_configuration);

/* Slot of the storage; RAFT_SLOT_NONE: it is no member. */
uint32_t raft_configuration_slot(const struct raft_configuration *configuration, uint64_t birth);

/* The member that the node `id` is reached by: a voter that stays, else a learner, else one that is
 * going; NULL: the node has none. */
const struct raft_member *raft_configuration_node(const struct raft_configuration *configuration,
                                                  uint16_t id);

struct raft_halves raft_configuration_halves(const struct raft_configuration *configuration);
bool raft_configuration_is_joint(const struct raft_configuration *configuration);

/* Whether the slots of `set` are more than half of those of `half`. */
bool raft_is_majority(uint32_t set, uint32_t half);

/* Adds a member in the first free slot. ERR_FULL: there is none. */
MUST_USE enum error raft_configuration_add(struct raft_configuration *configuration,
                                           const struct raft_member *member);

/* A joint configuration as it is when its new half is in force alone. */
void raft_configuration_leave_joint(const struct raft_configuration *joint,
                                    struct raft_configuration *ret_configuration);

/*
 * Whether a leader may replace `before` by `after`. Both are of one cluster. The number is not
 * lower, and the format is the same or the next one. No member is in another's slot. Either the
 * voters are the same, or one half of one is a half of the other.
 */
bool raft_configuration_may_follow(const struct raft_configuration *before,
                                   const struct raft_configuration *after);

#endif
