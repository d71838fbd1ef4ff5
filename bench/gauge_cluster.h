/*
 * A few nodes and a client in one thread: the production lanes over DPDK's net_ring, and logs on a
 * medium of the caller's choice. A port for each of them hands what it sends back to itself; the
 * hub takes it from there to the port that it is addressed to. Time is simulated, seeds and
 * addresses are fixed, so two runs execute the same instructions.
 *
 * Between gauge_network_begin and gauge_network_end several clusters may be opened one after the
 * other. Their ports are different ones: a port of DPDK is not opened twice.
 *
 * Owner: one thread. Everything here exits with a message on failure.
 */
#ifndef POLLUX_BENCH_GAUGE_CLUSTER_H
#define POLLUX_BENCH_GAUGE_CLUSTER_H

#include "dataplane/frame.h"
#include "dataplane/port.h"
#include "server/lane.h"
#include "wire/wire.h"

#define GAUGE_CLUSTER_ID    UINT64_C(0x6761756765)
#define GAUGE_UNPROVEN_RATE (UINT64_C(1) << 40) /* more than is ever answered */
#define GAUGE_NODES_MAX     5
#define GAUGE_HOSTS_MAX     (GAUGE_NODES_MAX + 1) /* the client is the last one */
#define GAUGE_PORTS         (4 + 6)               /* of a cluster of three and one of five nodes */
#define GAUGE_SESSIONS_MAX  32

struct gauge_options {
    const char *folder;
    uint32_t node_count;
    uint32_t first_port; /* of node_count + 1, of GAUGE_PORTS */
    uint32_t session_count;
    uint32_t format_max;    /* that the nodes know */
    uint16_t mtu_bytes;     /* of each node; 0: MTU_USUAL. The ports take no less */
    uint64_t unproven_rate; /* of each node: the client shows no cookies */
    struct client_rates_limits client_rates;
};

struct gauge_session {
    uint64_t id;
    uint64_t seq;
};

struct gauge_cluster {
    uint32_t node_count;
    uint32_t host_count;
    struct dp_frame_port *frames[GAUGE_HOSTS_MAX];
    struct lane *lanes[GAUGE_NODES_MAX];
    struct dp_port *client;
    uint64_t now_ns;
    uint32_t leader;                         /* host */
    uint32_t followers[GAUGE_NODES_MAX - 1]; /* hosts */
    struct gauge_session sessions[GAUGE_SESSIONS_MAX];
    uint64_t number; /* of packets and requests */
    uint64_t message_id;
    struct wire_reply_op answer; /* of the last answer; its spans are no longer valid */
};

void gauge_network_begin(void);
void gauge_network_end(void);

/* Where a host is; the client is host node_count. */
struct address gauge_cluster_address(uint32_t host);

/* Opens the nodes with new files in the folder, elects a leader, opens the sessions. */
void gauge_cluster_open(struct gauge_cluster *cluster, const struct gauge_options *gauge);
void gauge_cluster_close(struct gauge_cluster *cluster);

/* Packets on their way: everything that `host` has sent lies before its receivers then. */
void gauge_cluster_route(struct gauge_cluster *cluster, uint32_t host);

/* A lane's turn at the next moment. */
void gauge_cluster_turn(struct gauge_cluster *cluster, uint32_t host);

/* The client sends one request of one op; a set belongs to one of the sessions. */
void gauge_cluster_send_set(struct gauge_cluster *cluster, uint32_t session, struct span key,
                            struct span value);
void gauge_cluster_send_get(struct gauge_cluster *cluster, uint32_t host, struct span key);

/* The client receives the one answer; the outcome is OK (CHECK). */
void gauge_cluster_take_answer(struct gauge_cluster *cluster);

/* The client receives the answers of the last `count` requests, as many as fit into one burst. All
 * outcomes are OK (CHECK). */
void gauge_cluster_take_answers(struct gauge_cluster *cluster, uint32_t count);

/* The last index of the leader's log. */
uint64_t gauge_cluster_last_index(const struct gauge_cluster *cluster);

#endif
