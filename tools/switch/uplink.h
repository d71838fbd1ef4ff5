/*
 * Port 0 of the switch: a host 10.77.0.254 whose datagrams come from and go to ordinary UDP sockets
 * on 127.0.0.1, one for each shard of each node, so that any program reaches a node without
 * privileges. It answers ARP for itself and resolves the nodes by ARP.
 *
 * Received datagrams land in packet buffers directly behind the room for their headers, and leave
 * from them: no copy but the kernel's. Owner: the switch's thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_UPLINK_H
#define POLLUX_TOOLS_SWITCH_UPLINK_H

#include "base/error.h"
#include "base/limits.h"
#include "dataplane/frame.h"
#include "tools/switch/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPLINK_SOCKETS_MAX  (NODES_MAX * SHARDS_MAX)
#define UPLINK_BURST_MAX    RX_BURST_MAX
#define UPLINK_SOCKET_BYTES (4 * 1024 * 1024)
#define UPLINK_ARP_FIRST_NS (20ULL * 1000 * 1000) /* then twice as long each time */
#define UPLINK_ARP_MAX_NS   (640ULL * 1000 * 1000)

struct uplink;

struct uplink_options {
    uint32_t node_count;
    uint32_t shard_count;
    uint16_t udp_base;  /* shard s of node i (from 1): base + i * shard_count + s */
    uint16_t node_port; /* of shard 0; the next shards' follow */
    uint16_t mtu_bytes;
    struct dp_frame_port **nodes; /* [node 0 ..]: whose pools the frames come from */
    struct port_counters *counters;
};

/* ERR_BUSY when a UDP port is taken, ERR_NO_MEMORY, ERR_IO; ret_reason says which and why. */
MUST_USE enum error uplink_open(const struct uplink_options *options, struct uplink **ret_uplink,
                                char *ret_reason, size_t reason_size);
void uplink_close(struct uplink *uplink);

/* For the poller: sockets are numbered from 0. */
uint32_t uplink_socket_count(const struct uplink *uplink);
int uplink_socket_fd(const struct uplink *uplink, uint32_t socket);

/* Datagrams of one socket as frames, at most UPLINK_BURST_MAX; the caller owns them. `ret_is_empty`
 * says that the socket had no more. */
uint32_t uplink_rx(struct uplink *uplink, uint32_t socket, struct dp_frame **ret_frames,
                   bool *ret_is_empty);

/* Frames that the uplink itself sends (ARP), at most UPLINK_BURST_MAX; the caller owns them. */
uint32_t uplink_take_own(struct uplink *uplink, struct dp_frame **ret_frames);

/* Takes one frame; it leaves with the next flush at the latest. */
void uplink_tx(struct uplink *uplink, struct dp_frame *frame);
void uplink_flush(struct uplink *uplink);

/* Asks for the nodes of `up_mask` (bit i: node i, from 0) that are not resolved. */
void uplink_tick(struct uplink *uplink, uint64_t now_ns, uint32_t up_mask);

/* Forgets a node's Ethernet address: its link went down. */
void uplink_forget(struct uplink *uplink, uint32_t node);

void uplink_mac(uint8_t ret_mac[6]);

#endif
