/*
 * Three nodes and a client in one thread: the production lanes over DPDK's net_ring, and logs on a
 * medium of the caller's choice. A port for each of them hands what it sends back to itself; the
 * hub takes it from there to the port that it is addressed to. Time is simulated, seeds and
 * addresses are fixed, so two runs execute the same instructions.
 *
 * Owner: one thread. Everything here exits with a message on failure.
 */
#ifndef POLLUX_BENCH_GAUGE_CLUSTER_H
#define POLLUX_BENCH_GAUGE_CLUSTER_H

#include "dataplane/frame.h"
#include "dataplane/port.h"
#include "server/lane.h"
#include "wire/wire.h"

#define GAUGE_NODES 3
#define GAUGE_HOSTS (GAUGE_NODES + 1) /* the client is the last one */

struct gauge_cluster {
    struct dp_frame_port *frames[GAUGE_HOSTS];
    struct lane *lanes[GAUGE_NODES];
    struct dp_port *client;
    uint64_t now_ns;
    uint32_t leader;       /* host */
    uint32_t followers[2]; /* hosts */
    uint64_t session;
    uint64_t seq;
    uint64_t number; /* of packets and requests */
    uint64_t message_id;
    struct wire_reply_op answer; /* of the last answer; its spans are no longer valid */
};

/* Opens the nodes with new files in `folder`, elects a leader, opens a session. */
void gauge_cluster_open(struct gauge_cluster *cluster, const char *folder);
void gauge_cluster_close(struct gauge_cluster *cluster);

/* Packets on their way: everything that `host` has sent lies before its receivers then. */
void gauge_cluster_route(struct gauge_cluster *cluster, uint32_t host);

/* A lane's turn at the next moment. */
void gauge_cluster_turn(struct gauge_cluster *cluster, uint32_t host);

/* The client sends one request of one op. */
void gauge_cluster_send_set(struct gauge_cluster *cluster, struct span key, struct span value);
void gauge_cluster_send_get(struct gauge_cluster *cluster, uint32_t host, struct span key);

/* The client receives the one answer; the outcome is OK (CHECK). */
void gauge_cluster_take_answer(struct gauge_cluster *cluster);

#endif
