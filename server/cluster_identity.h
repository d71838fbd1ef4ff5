/*
 * Which cluster, and which era of it, a node belongs to: what peers compare before they listen to
 * one another.
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_SERVER_CLUSTER_IDENTITY_H
#define POLLUX_SERVER_CLUSTER_IDENTITY_H

#include <stdint.h>

/* As on the wire: the low half of each number of the configuration. */
struct cluster_identity {
    uint32_t cluster; /* 0: of no cluster, as far as the storage knows */
    uint32_t era;
};

enum cluster_fit {
    CLUSTER_FITS, /* the same, or one of the two does not know its own */
    CLUSTER_OTHER,
    CLUSTER_EARLIER_ERA, /* theirs is over */
    CLUSTER_LATER_ERA,   /* ours is over */
};

enum cluster_fit cluster_fit_of(struct cluster_identity ours, struct cluster_identity theirs);

#endif
