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
 * is written only if the answer is true. Threads as plx_get.
 */
PLX_API bool plx_endpoint_is_stranger(struct plx_client *client, size_t endpoint,
                                      struct plx_cluster *ret_cluster);

#ifdef __cplusplus
}
#endif

#endif
