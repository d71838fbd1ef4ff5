/*
 * Log lines: key=value text with a UTC time stamp on standard error. The lane only fills a struct
 * log_event and pushes it on a ring; the main thread writes the line.
 */
#ifndef POLLUX_SERVER_LOG_EVENT_H
#define POLLUX_SERVER_LOG_EVENT_H

#include "dataplane/port.h"
#include "engine/engine.h"
#include "raft/peer_starts.h"
#include "raft/raft.h"
#include "server/lane_rights.h"
#include "server/obstacles.h"
#include "server/replica_damage.h"

#include <stdint.h>

enum log_event_kind {
    LOG_EVENT_ROLE,      /* this node's role; value: its last index */
    LOG_EVENT_LEADER,    /* the leader it follows; value: its commit index */
    LOG_EVENT_SUSPECT,   /* its log may lack acknowledged records behind `value` */
    LOG_EVENT_MEMBER,    /* `role` is the membership, `value` the birth */
    LOG_EVENT_FORMATION, /* why no cluster forms */
    LOG_EVENT_FORMED,    /* the storage belongs to the cluster `value`: the identity shall say so */
    LOG_EVENT_SETTLED,   /* a quorum has settled its log */
    LOG_EVENT_OBSTACLE,  /* what keeps a node from taking part */
    LOG_EVENT_LEFT,      /* the node stops: who leads now (0: nobody), and after how many ns */
    LOG_EVENT_PENDING,   /* it stops with so many relaxed writes pending */
    LOG_EVENT_MEDIUM_FAILED,      /* the node stops; `damage` */
    LOG_EVENT_DAMAGED,            /* `damage`, and the node goes on */
    LOG_EVENT_MENDED,             /* value: how often since the start */
    LOG_EVENT_SNAPSHOT_FAILED,    /* one was given up; value: how many since the start */
    LOG_EVENT_SNAPSHOT_INSTALLED, /* one took the place of its log; value: its commit index */
    LOG_EVENT_SET_BACK,           /* of this node's storage; `finding` */
    LOG_EVENT_PEER_SET_BACK,      /* of a peer's storage; `finding` */
    LOG_EVENT_OTHER_CLUSTER,      /* `leader` is the peer, `value` its cluster, `term` ours */
    LOG_EVENT_FORMAT,             /* value: the format that is in force from now on */
    LOG_EVENT_OTHER_ERA,          /* the same of the eras */
    LOG_EVENT_LACKS_CAPACITY,     /* a limit is above this node's capacity; value: the shards */
    LOG_EVENT_NEIGHBOUR,          /* an address has another MAC; value: how often since the start */
    LOG_EVENT_REVOKED, /* `value` pending writes were dropped, by the table of rights `term` */
    LOG_EVENT_CLIENTS, /* `role`: enum rights_state; `value`: principals; `term`: the version */
};

/* A `role` of LOG_EVENT_MEMBER beside the memberships: it was a member, and is none any more; it
 * knows of no cluster, and is not to form one. */
#define LOG_EVENT_MEMBER_REMOVED (RAFT_MEMBERSHIP_END + 1)
#define LOG_EVENT_MEMBER_WAITS   (RAFT_MEMBERSHIP_END + 2)

struct log_event {
    enum log_event_kind kind;
    uint64_t term;
    uint64_t value;
    uint16_t shard;
    uint16_t leader;
    uint8_t role; /* enum raft_role */
    struct engine_lack lack;
    struct raft_formation_state formation;
    uint32_t lone; /* bit n: formation.missing[n] looks for a cluster, and founds none */
    struct obstacle obstacle;
    struct start_finding finding;
    struct replica_damage damage;
    struct dp_neighbour_change neighbour;
};

/* One line at once. Main thread, or any thread at start and stop. */
__attribute__((format(printf, 2, 3))) void log_event_line(const char *level, const char *format,
                                                          ...);

/* The line of an event of node `node`. Main thread. */
void log_event_write(const struct log_event *event, uint16_t node);

#endif
