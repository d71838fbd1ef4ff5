/* What a survey shows that nobody would look for: obstacles, and nodes whose states differ. */
#ifndef POLLUX_TOOLS_CLI_CLI_FINDINGS_H
#define POLLUX_TOOLS_CLI_CLI_FINDINGS_H

#include "client/include/pollux.h"

#include <stdbool.h>

/* An index at which two nodes have digests that differ. */
struct difference {
    uint64_t index;
    uint64_t one;
    uint64_t other;
};

/* False: they are equal wherever both have one. */
bool findings_differ(const struct plx_node *one, const struct plx_node *other,
                     struct difference *ret_difference);

/* A counter that says what keeps nodes from taking part: the name of the kind; NULL: it does not,
 * or it is 0. */
const char *findings_obstacle(const struct plx_counter *counter);

/* The storage belongs to no cluster, and founds none: it waits to be taken in. */
bool findings_looks_for_cluster(const struct plx_node *node);

/* Journals of earlier storages that lie in a node's directory. */
struct aside {
    uint64_t journals;
    uint64_t writes;
    uint64_t series; /* of one of them */
};

/* False: there are none in the shard that was asked. */
bool findings_aside(const struct plx_node *node, struct aside *ret_aside);

/* Damage that a node has found in a shard's files since its start. */
struct damage {
    uint64_t found;  /* places */
    uint64_t age_s;  /* since all was last looked at */
    uint64_t passes; /* that often it was */
    uint64_t bytes;  /* that were compared */
};
/* False: it has found none. */
bool findings_damage(const struct plx_node *node, struct damage *ret_damage);

/* False: the node told no such counter. */
bool findings_counter(const struct plx_node *node, const char *name, uint64_t *ret_value);

/* Relaxed writes of all clients that wait there for their place in the log. False: it told no
 * counters. */
bool findings_pending(const struct plx_node *node, uint64_t *ret_pending);

#endif
