/*
 * The switch itself: learns addresses, moves frames from port to port, applies faults. Frames move
 * as handles from the receiving port to the sending one; bytes are copied only for floods and
 * duplicates. Port 0 is the uplink, 1 to node_count the nodes, then the client ports.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_FABRIC_H
#define POLLUX_TOOLS_SWITCH_FABRIC_H

#include "base/error.h"
#include "dataplane/frame.h"
#include "tools/switch/capture.h"
#include "tools/switch/counters.h"
#include "tools/switch/fault.h"
#include "tools/switch/uplink.h"

#include <stdbool.h>
#include <stdint.h>

#define FABRIC_LINK_INTERVAL_NS (1000ULL * 1000)
#define FABRIC_NO_DEADLINE      UINT64_MAX

struct fabric;

struct fabric_options {
    struct dp_frame_port *ports[SWITCH_PORTS_MAX]; /* [0] unused */
    uint32_t node_count;
    uint32_t client_count;
    uint32_t shard_count;
    uint32_t queue_count; /* of each node's port */
    bool is_sprayed;      /* queues of nodes are drawn at random */
    uint16_t udp_base;    /* 0: no uplink */
    uint16_t node_port;
    uint16_t mtu_bytes; /* of all ports: what is larger is dropped */
    uint64_t seed;
};

/* Opens the uplink's sockets. ERR_NO_MEMORY, ERR_BUSY, ERR_IO; ret_reason says what. The ports stay
 * the caller's, and must outlive the fabric. */
MUST_USE enum error fabric_open(const struct fabric_options *options, struct fabric **ret_fabric,
                                char *ret_reason, size_t reason_size);
void fabric_close(struct fabric *fabric);

/* Larger packets are dropped from now on; those beyond the MTU of the ports are anyway. */
void fabric_set_mtu(struct fabric *fabric, uint16_t mtu_bytes);

/* One turn of the polling loop: a burst from each port, faults, delayed frames that are due, one
 * transmit each. True when a frame moved. */
bool fabric_turn(struct fabric *fabric, uint64_t now_ns);

/* The poller saw that this uplink socket is readable: the next turn reads it. */
void fabric_socket_ready(struct fabric *fabric, uint32_t socket);

/* When the next turn is due even if nothing arrives, or FABRIC_NO_DEADLINE. */
uint64_t fabric_deadline_ns(const struct fabric *fabric);

/* NULL without an uplink. */
struct uplink *fabric_uplink(struct fabric *fabric);
struct fault_table *fabric_faults(struct fabric *fabric);
struct capture *fabric_capture(struct fabric *fabric);
uint32_t fabric_port_count(const struct fabric *fabric);

/* Statistics as lines "port N KIND up|down name value ...", drops where there were any; returns the
 * bytes written. */
size_t fabric_describe(const struct fabric *fabric, char *to, size_t capacity_bytes);

#endif
