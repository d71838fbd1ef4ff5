/*
 * For operators' programs: which storages count in a shard, and what to do when one is lost.
 * `pollux member` is such a program.
 */
#ifndef POLLUX_MEMBERS_H
#define POLLUX_MEMBERS_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PLX_MEMBERS_MAX 20

/* How the storage of a node belongs to a shard: docs/consensus.md, "Who counts". */
enum plx_membership {
    PLX_NO_MEMBER, /* it counts for nothing, and gets nothing */
    PLX_LEARNER,   /* it gets the log, and counts for nothing yet */
    PLX_VOTER,
    PLX_INCOMING,   /* a voter of the configuration that is to come */
    PLX_OUTGOING,   /* a voter of the configuration that ends */
    PLX_NO_CLUSTER, /* it knows no configuration: it is new, or the cluster has not formed */
    PLX_SET_BACK, /* it was set back to an earlier state: the next start of its node replaces it */
    PLX_ERA_OVER, /* the cluster was put together anew without it */
};

/* A storage in the configuration of a shard. */
struct plx_member {
    uint64_t birth;     /* drawn at random when the storage was made */
    uint16_t node;      /* that has it, or had it */
    uint8_t membership; /* enum plx_membership: PLX_LEARNER to PLX_OUTGOING */
    bool stays_learner; /* it is to become no voter */
    bool leaves;        /* it is to be removed when its relaxed writes are replicated */
    bool is_told;       /* the node that answered leads the shard and knows the next three */
    uint64_t match_index;
    uint64_t silent_ns; /* since the leader last heard this member; UINT64_MAX: never */
    uint64_t undrained; /* 0: no relaxed write is on its node alone, and none will be; else how many
                           are, and one; in shard 0 of all shards. UINT64_MAX: not known */
    uint8_t ip[16];     /* where the node that answered reaches it; IPv4 is mapped; zero: unknown */
    uint16_t port;
};

/* What the leader of a shard does to bring in the members that are wanted. */
enum plx_step {
    PLX_STEP_NONE, /* everything is as wanted, or the node that answered does not lead */
    PLX_STEP_PROPOSE,
    PLX_STEP_HAND_OVER,   /* the leader is to go, and hands over leadership first */
    PLX_STEP_BUSY,        /* a change is being committed */
    PLX_STEP_ASK_NODE,    /* a node has not said which storage it has */
    PLX_STEP_CATCH_UP,    /* a learner lacks records */
    PLX_STEP_LACK_QUORUM, /* too few of those who would count then were heard of lately */
    PLX_STEP_LACK_ROOM,   /* its log has no room for a change, until a snapshot makes room */
    PLX_STEP_DRAIN,       /* a node leaves, and has relaxed writes that are not replicated yet */
};

/* The configuration that a node has in force, and the node's own storage. */
struct plx_members {
    uint16_t node;
    uint16_t leader; /* 0: unknown */
    uint16_t shard;
    uint8_t role;       /* enum plx_role */
    uint8_t membership; /* enum plx_membership, of the node's own storage */
    bool has_fresh_quorum;
    uint64_t birth; /* of the node's own storage */
    uint64_t term;
    uint64_t configuration_index;
    uint32_t change; /* number of the operator's last change that it follows */
    uint8_t step;    /* enum plx_step */
    uint64_t last_index;
    uint32_t member_count; /* 0: the node knows no configuration */
    struct plx_member members[PLX_MEMBERS_MAX];
};

/*
 * Asks one node about the members of one of its shards. timeout_ns 0: the handle's. Returns PLX_OK,
 * PLX_E_UNREACHABLE or PLX_E_ARGUMENT (no such endpoint or shard). Unless it returns PLX_OK,
 * *ret_members is all zero. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_members(struct plx_client *client, size_t endpoint, uint16_t shard,
                                     uint64_t timeout_ns, struct plx_members *ret_members);

/* A storage that is lost. */
struct plx_lost {
    uint64_t birth;
    uint16_t node;
};

/*
 * Tells the leader of a shard that a voter's storage is lost for good, and that the storage which
 * the node has now is to take its place. The leader keeps that in mind for a minute, and takes the
 * new storage in when it hears of it. Needed only when the node does not say by itself whose place
 * its storage takes. Asking again is safe. Threads as plx_get.
 * - PLX_OK: the leader knows. plx_members tells how far it has come.
 * - PLX_MISMATCH: the storage is no voter of that node, or not any more. Nothing changed.
 * - PLX_E_PERMISSION: the leader hears of the storage, so it is not lost. Nothing changed.
 * - PLX_TIMEOUT: there was no leader with a quorum in time. Nothing changed.
 * - PLX_E_UNREACHABLE: the leader did not answer. It may know.
 * - PLX_E_ARGUMENT: there is no such shard or node.
 */
PLX_API enum plx_outcome plx_replace(struct plx_client *client, uint16_t shard,
                                     const struct plx_lost *lost, uint64_t timeout_ns);

enum plx_change_action {
    PLX_CHANGE_ADD = 1,
    PLX_CHANGE_PROMOTE, /* a node that was added as a learner becomes a voter */
    PLX_CHANGE_REMOVE,
    PLX_CHANGE_UPDATE, /* the node is at another address */
    PLX_CHANGE_RAISE,  /* the format of files and packets: docs/upgrade.md */
};

struct plx_change {
    enum plx_change_action action;
    uint16_t node;   /* raise: 0 */
    uint32_t after;  /* plx_members.change, as the leader of shard 0 has told it */
    bool is_learner; /* add: it stays a learner */
    bool is_forced;  /* remove: at once, even if too few of those who stay are heard of, or relaxed
                        writes are lost that the node alone has */
    uint8_t ip[16];  /* add, update; IPv4 is mapped */
    uint16_t port;   /* of shard 0, as in [peers]; 0: no address */
    uint16_t format; /* raise: the new one; else 0 */
};

/*
 * Changes which nodes are wanted as members of the cluster. The leader of shard 0 notes it in the
 * log, and the leaders of all shards follow by themselves, whoever leads: plx_members tells how far
 * each shard is. One change at a time. A change says which one was the last when its caller looked
 * (`after`), and counts only if that is so still: a copy of it that comes late changes nothing, and
 * asking again with the same `after` is safe. A node that is removed leaves first: it accepts no
 * more relaxed writes, and goes when those that it has accepted are replicated. Adding it again
 * before that ends it. The format is raised only when the nodes of all members have said that they
 * know the new one; nothing lowers it again.
 * - PLX_OK: it is noted. The cluster goes on by itself.
 * - PLX_UNKNOWN: it is not noted yet: ask again. A node that is added must answer first, the
 *   nodes must say that they know the new format, and an earlier change must be committed.
 * - PLX_NOT_FOUND: there is no such node to promote or update. Nothing changed.
 * - PLX_MISMATCH: another change was made since `after`. Nothing changed, and no copy of this one
 *   will change anything. Look, and ask anew.
 * - PLX_E_PERMISSION: too few of those who would count then were heard of lately. Nothing changed.
 * - PLX_E_UNSUPPORTED: the storage of the node to add is of another cluster. Nothing changed.
 * - PLX_E_TOO_LARGE: there are as many nodes as there may be. Nothing changed.
 * - PLX_E_OVERLOADED: the leader's log has no room for a change. Nothing changed: ask again, a
 *   snapshot makes room.
 * - PLX_TIMEOUT: there was no leader with a quorum in time. Nothing changed.
 * - PLX_E_UNREACHABLE: the leader did not answer. It may have noted it.
 * - PLX_E_ARGUMENT: a field is out of range, or does not go with the action; the node to add is
 *   there at another address or in another role; another node has the address, or ports that
 *   overlap; or no voter would stay. Nothing changed.
 * timeout_ns 0: the handle's. Threads as plx_get.
 */
PLX_API enum plx_outcome plx_change(struct plx_client *client, const struct plx_change *change,
                                    uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
