/*
 * Which cluster a handle keeps to. Two clusters can have one name. Each draws a number when it
 * forms, and a handle counts only the nodes that tell the number which it keeps to: that of the
 * first node that it finds leading with a quorum.
 */
#ifndef POLLUX_CLUSTER_H
#define POLLUX_CLUSTER_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plx_cluster {
    uint64_t number; /* 0: not known yet */
    uint32_t era;    /* rises when an operator puts the cluster together anew */
};

/* The cluster that the handle keeps to. Threads as plx_get. */
PLX_API void plx_cluster(struct plx_client *client, struct plx_cluster *ret_cluster);

/*
 * Whether the node at an endpoint (plx_endpoint_name) has said that it is of another cluster, or of
 * an era that is over. The handle ignores such a node. *ret_cluster is what the node has said, and
 * all zero if the answer is false. Threads as plx_get.
 */
PLX_API bool plx_endpoint_is_stranger(struct plx_client *client, size_t endpoint,
                                      struct plx_cluster *ret_cluster);

/*
 * A handle learns from the cluster where its members are, and goes on with them if the nodes at its
 * endpoints were replaced or have moved. Endpoints come first: a learned address is used only for a
 * node that no endpoint answers for, and an address that does not answer is tried ever more rarely.
 * So learning does no harm where clients reach nodes by other addresses than nodes do. `is_wanted`
 * false turns learning off, true turns it on again. Threads as plx_get.
 */
PLX_API void plx_learn(struct plx_client *client, bool is_wanted);
/* How many addresses the handle has learned of members that are at none of its endpoints. They are
 * no endpoints: plx_endpoint_count does not count them. Threads as plx_get. */
PLX_API size_t plx_learned_count(struct plx_client *client);

#ifdef __cplusplus
}
#endif

#endif
