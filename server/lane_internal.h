/* Inside of a lane, for the lane*.c files only. See server/lane.h for the turn. */
#ifndef POLLUX_SERVER_LANE_INTERNAL_H
#define POLLUX_SERVER_LANE_INTERNAL_H

#include "server/lane.h"
#include "wire/reassembly.h"

/* Messages in pieces at once: two a peer, and a fixed number for all clients together. */
#define LANE_PEER_SLOTS   (2 * NODES_MAX)
#define LANE_CLIENT_SLOTS 64

struct lane {
    uint16_t lane;
    uint16_t lane_count;
    uint16_t shard_count;
    uint64_t cluster_id;
    struct lane_shared shared;
    struct reassembly *from_peers;
    struct reassembly *from_clients;
    uint32_t replica_count;
    struct replica *replicas[SHARDS_MAX];
    struct replica *of_shard[SHARDS_MAX]; /* NULL: of another lane */
    struct lane_counters counters;
};

/* lane_receive.c: one datagram from the port. */
void lane_receive(struct lane *lane, const struct dp_datagram *datagram);

/* lane_status.c */
void lane_answer_status(struct lane *lane, struct replica *replica, const struct address *to);

#endif
