/*
 * What operators ask a node about the storages of a shard, and tell its leader about a lost one.
 * The layouts are at the head of wire/wire_members.c.
 *
 * Pure; any thread. Outputs are untouched on an error. Encoding writes nothing where the writer has
 * no room.
 */
#ifndef POLLUX_WIRE_WIRE_MEMBERS_H
#define POLLUX_WIRE_WIRE_MEMBERS_H

#include "base/address.h"
#include "wire/wire_hello.h"

/* What the leader of a shard does about the wanted members: enum wanted_step of server/wanted.h. */
enum wire_change_step {
    WIRE_STEP_NONE, /* everything is as wanted, or it does not lead */
    WIRE_STEP_PROPOSE,
    WIRE_STEP_HAND_OVER,   /* it is to go, and hands over leadership */
    WIRE_STEP_BUSY,        /* a change is being committed */
    WIRE_STEP_ASK_NODE,    /* it waits for a node to say which storage it has */
    WIRE_STEP_CATCH_UP,    /* it waits for a learner */
    WIRE_STEP_LACK_QUORUM, /* too few of those who would count are heard */
    WIRE_STEP_LACK_ROOM,   /* its log has no room for a change */
    WIRE_STEP_DRAIN,       /* a node leaves, and has relaxed writes that are not replicated yet */
    WIRE_STEP_END
};

/* One member of the configuration that a node has in force. */
struct wire_member {
    uint64_t birth; /* not 0 */
    uint16_t node;
    uint8_t membership; /* enum wire_membership: learner .. outgoing */
    bool stays_learner;
    bool leaves;            /* it goes when it is drained */
    bool is_told;           /* the node leads and knows the rest: */
    uint64_t match_index;   /* the member's log is durable and the leader's up to here */
    uint64_t silent_us;     /* since it was last heard in this term; UINT64_MAX: never */
    uint64_t undrained;     /* 0: its node has no relaxed write alone, and takes none; else their
                               number and 1; UINT64_MAX: not known */
    struct address address; /* zero: not known */
};

/* The answer to WIRE_MEMBERS. */
struct wire_members {
    uint64_t number;              /* the question's nonce */
    uint64_t birth;               /* of the answering node's storage */
    uint64_t term;                /* in which it has this role */
    uint64_t configuration_index; /* of the record */
    uint64_t last_index;
    uint16_t node;
    uint16_t leader;       /* 0: unknown */
    uint8_t role;          /* enum wire_role */
    uint8_t membership;    /* enum wire_membership, of its own storage */
    bool has_fresh_quorum; /* it leads, and a majority answers */
    uint8_t member_count;  /* 0: the storage knows no configuration */
    uint8_t step;          /* it leads: enum wire_change_step; else WIRE_STEP_NONE */
    uint32_t change;       /* number of the operator's last change that the configuration follows */
    struct wire_member members[RAFT_MEMBERS_MAX];
};

#define WIRE_MEMBERS_ASK_BYTES_MAX 512

/* WIRE_MEMBERS: as large as it must be for the answer not to be many times larger, or a node would
 * send much to whose address somebody else gave. */
void wire_members_ask_encode(struct wire_writer *writer, uint64_t number);
/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED. */
MUST_USE enum error wire_members_ask_decode(struct span bytes, uint64_t *ret_number);

void wire_members_encode(struct wire_writer *writer, const struct wire_members *members);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_members_decode(struct span bytes, struct wire_members *ret_members);

/* WIRE_REPLACE: the storage of this birth is lost; what its node has now is to take its place.
 * Answered with a wire_reply. */
struct wire_replace {
    uint64_t number;
    uint64_t birth; /* not 0 */
    uint16_t node;  /* 1 .. VOTER_ID_MAX */
};

void wire_replace_encode(struct wire_writer *writer, const struct wire_replace *replace);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_replace_decode(struct span bytes, struct wire_replace *ret_replace);

enum wire_change_action {
    WIRE_CHANGE_ADD = 1,
    WIRE_CHANGE_PROMOTE,
    WIRE_CHANGE_REMOVE,
    WIRE_CHANGE_UPDATE,
    WIRE_CHANGE_RAISE, /* the format (base/format.h); it names no node */
    WIRE_CHANGE_END
};

/* WIRE_CHANGE, to the leader of shard 0: which nodes are wanted. Answered with a wire_reply; safe
 * to repeat. It counts only if `after` is still the number of the last change. */
struct wire_change {
    uint64_t number;
    uint32_t after;  /* number of the operator's change that was the last one when this was asked */
    uint16_t node;   /* 1 .. VOTER_ID_MAX; raise: 0 */
    uint16_t format; /* raise: to this one, not 0 */
    uint8_t action;
    bool is_learner;        /* add: and stays one */
    bool is_forced;         /* remove: also where too few of those who stay are heard */
    struct address address; /* add, update: with the port of shard 0; else zero */
};

void wire_change_encode(struct wire_writer *writer, const struct wire_change *change);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_change_decode(struct span bytes, struct wire_change *ret_change);

#endif
