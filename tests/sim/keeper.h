/*
 * A client that keeps its handle while its cluster is given up and another one is restored, with
 * the same name, from a backup and at the same addresses. No call of the handle may be answered by
 * the new cluster, and the handle must be told that there is another cluster.
 */
#ifndef POLLUX_TESTS_SIM_KEEPER_H
#define POLLUX_TESTS_SIM_KEEPER_H

#include "client/include/pollux_cluster.h"
#include "tests/sim/client.h"

struct keeper {
    struct plx_cluster kept; /* number 0: its handle knows of no cluster yet */
    bool is_given_up;        /* the cluster is */
    bool is_told;
    bool is_over;
};

/* Starts a process of the client, which is quiet; the keeper is zero-filled. */
void keeper_begin(struct keeper *keeper, struct client *client);

#endif
