/*
 * What a lane lends to its replicas: things that are needed once a thread, not once a shard. One
 * replica uses them at a time, and nothing of one call is expected to be there at the next.
 *
 * Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_LANE_SHARED_H
#define POLLUX_SERVER_LANE_SHARED_H

#include "base/arena.h"
#include "base/limits.h"
#include "dataplane/port.h"
#include "raft/raft.h"
#include "wire/wire_packet.h"

struct lane_shared {
    struct arena arena;    /* of the lane and its replicas; sealed when all are open */
    struct dp_port *port;  /* NULL while the lane opens */
    struct wire_keys keys; /* of packets, in and out */
    uint64_t now_ns;       /* of this turn */
    bool is_flushed;       /* what the replicas sent in this turn so far has left */
    uint8_t *message_data; /* MESSAGE_SIZE_BYTES_MAX: one outgoing message at a time */
    struct raft_entry entries[APPEND_ENTRIES_MAX]; /* of the message that is being received */
    struct raft_effects effects;                   /* of the step that is being carried out */
};

/* Sends one message, in as many packets as it takes, from the UDP port of its shard. */
void lane_shared_send(struct lane_shared *shared, const struct wire_message_header *header,
                      const struct address *to, struct span body);

#endif
