/*
 * Which cluster, and which era of it, a node belongs to: what peers compare before they listen to
 * one another.
 *
 * Owner: the caller. Pure.
 */
#ifndef POLLUX_SERVER_CLUSTER_IDENTITY_H
#define POLLUX_SERVER_CLUSTER_IDENTITY_H

#include <stdbool.h>
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

/*
 * Whether a node that is no member, as far as the storage knows, may say where it is: it is of the
 * storage's cluster (0: it has none yet, and is to join one), and the storage hears no leader, so
 * it may be behind and not know the newest members. Numbers as in the configuration.
 */
bool cluster_is_host(uint64_t ours, uint64_t theirs, bool hears_nobody);

enum cluster_fit cluster_fit_of(struct cluster_identity ours, struct cluster_identity theirs);

#endif
