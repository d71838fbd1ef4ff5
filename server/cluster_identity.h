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

/* Each rescue begins the next era. Who names one that is further ahead than this is wrong, or has
 * sent what nobody meant: a storage that believed it would count no more. */
#define ERA_LEAP_MAX 1024u

enum cluster_fit {
    CLUSTER_FITS,        /* the same, or one of the two does not know its own */
    CLUSTER_OTHER,       /* or an era that nobody can have reached */
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

/*
 * What a storage belongs to. One that catches up has records of eras that were over before it was
 * made, with the configurations of these. So only a configuration that names the storage says of
 * which era it is. Until there is one, it takes part in the latest era that it hears of. A
 * configuration of an earlier era than that may name it, too: it was to be taken in when that era
 * ended, and has come with the records of its leader.
 */
struct cluster_membership {
    struct cluster_identity configuration; /* of the one in force */
    bool is_named;                         /* one has named the storage, in this start */
    struct cluster_identity heard;         /* until then */
};

/* Another configuration is in force. */
void cluster_membership_follow(struct cluster_membership *membership,
                               struct cluster_identity configuration, bool is_named);
/* As which the storage speaks to others. */
struct cluster_identity cluster_membership_told(const struct cluster_membership *membership);
/*
 * Whether a storage that asks where this node is, and is no member here, is told the era: it may be
 * of one that is over, and at an address from which nothing else of it is heard. Before a rescue
 * there is none that is over. Numbers as in the configuration.
 */
bool cluster_is_era_told(const struct cluster_membership *membership, uint64_t ours,
                         uint64_t theirs);
/* The latest era that it knows of. */
uint32_t cluster_membership_era(const struct cluster_membership *membership);
/* Somebody speaks to it. */
enum cluster_fit cluster_membership_hear(struct cluster_membership *membership,
                                         struct cluster_identity theirs);

#endif
