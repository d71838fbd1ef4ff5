/* What port.c needs of a frame port beyond dataplane/frame.h. */
#ifndef POLLUX_DATAPLANE_FRAME_PORT_H
#define POLLUX_DATAPLANE_FRAME_PORT_H

#include "dataplane/frame.h"

#include <rte_mbuf.h>

/* Allocates `count` frames at once; false when the pool has fewer. */
bool frame_port_new_bulk(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **ret_mbufs,
                         uint32_t count);

uint32_t frame_port_queue_count(const struct dp_frame_port *port);

/* Received frames that were larger than a buffer, in sum. Owner of the queue only. */
uint64_t frame_port_rx_oversized(const struct dp_frame_port *port, uint32_t queue);

/* RTE_ETH_TX_OFFLOAD_* and RTE_ETH_RX_OFFLOAD_* that are turned on. */
uint64_t frame_port_tx_offloads(const struct dp_frame_port *port);
uint64_t frame_port_rx_offloads(const struct dp_frame_port *port);

#endif
