/*
 * Which nodes are wanted as members, and the next step of a shard towards that. The configuration
 * of shard 0 says it: an operator changes that one, and the leaders of the other shards follow it
 * once it is committed. Each change has the next number, and each shard's configuration has the
 * number that it follows, so a leader that knows only an older one undoes nothing.
 *
 * A step is one configuration. Nothing is kept between two steps but the configuration itself:
 * whoever leads goes on with what it finds.
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_SERVER_WANTED_H
#define POLLUX_SERVER_WANTED_H

#include "base/address.h"
#include "raft/configuration.h"

/* Beside them a configuration has room for the replacement of every voter. */
#define WANTED_NODES_MAX (RAFT_MEMBERS_MAX - NODES_MAX)

struct wanted_node {
    uint16_t id;
    bool is_learner;        /* and stays one */
    bool leaves;            /* it is to go when nothing is on it alone */
    struct address address; /* of shard 0; zero: not known */
};

struct wanted {
    uint32_t number;
    uint32_t count;
    uint16_t format; /* raft_configuration.format */
    struct wanted_node nodes[RAFT_MEMBERS_MAX];
};

/* The nodes of this configuration but those that are going. */
void wanted_of(const struct raft_configuration *configuration, struct wanted *ret_wanted);

/* NULL: the node is not wanted. */
const struct wanted_node *wanted_find(const struct wanted *wanted, uint16_t id);

/* A wanted node, other than this one, that such an address is already taken by; NULL: none. Each
 * node has `port_count` ports. */
const struct wanted_node *wanted_at(const struct wanted *wanted, const struct wanted_node *node,
                                    uint16_t port_count);

enum wanted_action {
    WANTED_ADD = 1,
    WANTED_PROMOTE,
    WANTED_REMOVE,
    WANTED_UPDATE,
    WANTED_RAISE, /* the format, to the next one */
    WANTED_END
};

struct wanted_change {
    enum wanted_action action;
    uint32_t after;          /* number that the caller saw */
    bool is_forced;          /* remove: at once */
    uint16_t format;         /* raise: the new one; node is of no meaning */
    struct wanted_node node; /* promote, remove: the id alone */
};

/*
 * Changes what is wanted, and its number. A change whose caller saw an older number is over: OK if
 * it is so nevertheless, else ERR_OUTDATED. One that changes nothing has a number, too: after it no
 * change that was asked before it counts. A node that is removed leaves, and stays wanted until
 * wanted_release; adding it again ends that. ERR_NOT_FOUND: there is no such node to promote or
 * update. ERR_ARGUMENT: the node to add is there at another address, or is no learner; no voter
 * would stay; the format to raise to is not the next one. ERR_FULL: as many nodes as there may be.
 * Nothing is changed then.
 */
MUST_USE enum error wanted_edit(struct wanted *wanted, const struct wanted_change *change);

/* What a leader knows of its members, as sets of slots, and of nodes that are to become some. */
struct wanted_known {
    uint64_t self;         /* the leader's birth */
    uint32_t heard;        /* lately; the leader itself, too */
    uint32_t silent;       /* for long, and the leader has led as long */
    uint32_t caught_up;    /* learners that may become voters */
    uint32_t drained;      /* they leave, and their nodes have no relaxed write alone */
    uint32_t formats_told; /* their nodes have said lately that they know wanted->format */
    bool has_room;         /* in the log: replica_has_configuration_room */
    uint64_t births[RAFT_MEMBERS_MAX]; /* of wanted->nodes: the storage that the node has; 0: not
                                          known */
};

enum wanted_step {
    WANTED_DONE,        /* everything is as wanted, or the leader does not know what is wanted */
    WANTED_PROPOSE,     /* propose *ret_next */
    WANTED_HAND_OVER,   /* the leader is to go: it hands over leadership first */
    WANTED_BUSY,        /* a change is under way */
    WANTED_ASK_NODE,    /* a node has not said which storage it has, or which formats it knows */
    WANTED_CATCH_UP,    /* a learner lacks records */
    WANTED_LACK_QUORUM, /* too few of those who would count then were heard of lately */
    WANTED_LACK_ROOM,   /* the log has no room for a configuration and what may follow it */
    WANTED_DRAIN,       /* a node leaves, and has relaxed writes that are not replicated yet */
    WANTED_STEP_END
};

/* Shard 0: whoever leaves and is drained is wanted no longer. */
void wanted_release(struct wanted *wanted, const struct raft_configuration *now,
                    const struct wanted_known *known);
/*
 * Another shard: a member that is wanted no longer leaves here, too, unless it has told this shard
 * that it is drained, or is silent. When all of the node was drained it may not have been a member
 * of this shard yet, and it may have been wanted again since, and have accepted more.
 */
void wanted_retain(struct wanted *wanted, const struct raft_configuration *now,
                   const struct wanted_known *known);

/* Whether those who would stay without this node could go on. */
bool wanted_can_go(const struct raft_configuration *now, const struct wanted *wanted,
                   const struct wanted_known *known, uint16_t id);

/* Whether the nodes of all members, those that come or go among them, have said that they know the
 * format that is wanted. */
bool wanted_may_raise(const struct raft_configuration *now, const struct wanted_known *known);

enum wanted_step wanted_next(const struct raft_configuration *now, const struct wanted *wanted,
                             const struct wanted_known *known, struct raft_configuration *ret_next);

#endif
