/*
 * The storages of a shard, put together from what its nodes say: the members, by the word of the
 * leader or else of whoever knows the newest configuration, and storages that nodes have and that
 * are no members. And what is to be done to replace one that is lost.
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_CLI_CLI_MEMBERS_H
#define POLLUX_TOOLS_CLI_CLI_MEMBERS_H

#include "client/include/pollux_members.h"

#define MEMBERS_ADDRESS_SIZE 64

struct members_row {
    uint16_t node;
    uint64_t birth;
    uint8_t membership; /* enum plx_membership; PLX_NO_MEMBER and PLX_NO_CLUSTER: of no member */
    bool is_here;       /* the node says that this is the storage that it has */
    bool stays_learner;
    bool leaves;
    bool is_told; /* a leader says the next four */
    uint64_t undrained;
    uint64_t match_index;
    uint64_t behind; /* records that the leader has and the member may lack */
    uint64_t silent_ns;
    char address[MEMBERS_ADDRESS_SIZE]; /* empty: not known */
};

struct members_view {
    uint16_t shard;
    uint16_t leader; /* the node whose word the members are: it leads with a quorum; 0: none */
    uint32_t change; /* number of the operator's last change that the shard follows */
    uint8_t step;    /* enum plx_step, by the word of the leader */
    uint32_t member_count;
    uint32_t count; /* of rows: the members first */
    struct members_row rows[PLX_MEMBERS_MAX + PLX_ENDPOINTS_MAX];
};

/* From the answers of at most PLX_ENDPOINTS_MAX nodes about one shard. */
void members_view_make(const struct plx_members *answers, size_t count,
                       struct members_view *ret_view);

/* There are members, all of them are voters or stay learners, and no node has any other storage. */
bool members_are_voters(const struct members_view *view);

/* "voter", "no member" and so on. */
const char *membership_text(uint8_t membership);

enum replace_state {
    REPLACE_DONE,      /* the node's storage is a voter */
    REPLACE_LEARNING,  /* it is a learner */
    REPLACE_JOINING,   /* it is a voter of the configuration that is to come */
    REPLACE_WANTED,    /* it is no member, and the node has a voter that it does not have */
    REPLACE_NO_VOTER,  /* it is no member, and the node has no voter whose place it could take */
    REPLACE_NO_LEADER, /* nobody leads with a quorum */
    REPLACE_NO_NODE,   /* the node does not answer */
};

struct replace_step {
    enum replace_state state;
    uint64_t birth;       /* that the node has; 0: not known */
    uint64_t behind;      /* learning: records that it lacks */
    struct plx_lost lost; /* wanted: the voter */
};

struct replace_step members_replace_step(const struct members_view *view, uint16_t node);

enum change_state {
    CHANGE_DONE,
    CHANGE_WAITING,  /* the shard has not begun */
    CHANGE_LEARNING, /* the node is a learner */
    CHANGE_JOINING,  /* it is a voter of the configuration that is to come */
    CHANGE_LEAVING,  /* it is still a member */
    CHANGE_NO_LEADER,
};

/* How far the shard is with this change, which is number `number`. */
enum change_state members_change_state(const struct members_view *view,
                                       const struct plx_change *change, uint32_t number);

/* As plx_member.undrained, of the node's storage; UINT64_MAX: not known. */
uint64_t members_undrained(const struct members_view *view, uint16_t node);

/* What the leader waits for; empty: for nothing. */
const char *members_step_text(uint8_t step);

/* As members_row.address. */
void members_address_format(const struct plx_member *member, char *ret_text, size_t text_size);

/* "10.77.0.1:7400" or "[fd00::1]:7400". False: no address. */
bool members_address_parse(const char *text, struct plx_change *ret_change);

/* A member of another node in the place that the change names, where each node has `port_count`
 * ports; NULL: none, or it names no place. */
const struct members_row *members_at(const struct members_view *view,
                                     const struct plx_change *change, uint16_t port_count);

/* Whether the node has a storage in the view, of a member or not. */
bool members_has_node(const struct members_view *view, uint16_t node);

/* "1" to "255". False: not a node's number. */
bool members_node_parse(const char *text, uint16_t *ret_node);

#endif
