/* What port.c needs of a frame port beyond dataplane/frame.h. */
#ifndef POLLUX_DATAPLANE_FRAME_PORT_H
#define POLLUX_DATAPLANE_FRAME_PORT_H

#include "dataplane/frame.h"

#include <rte_mbuf.h>

/* Allocates `count` frames at once; false when the pool has fewer. */
bool frame_port_new_bulk(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **ret_mbufs,
                         uint32_t count);

uint32_t frame_port_queue_count(const struct dp_frame_port *port);

/* Gives a frame, with one reference to it, to the owner of `queue`. False: its ring is full. Any
 * thread that owns a queue of this port; only where there are several. */
bool frame_port_hand_over(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf *mbuf);

/* At most `max` frames that others handed over to this queue. Owner of the queue only; 0 where the
 * port has one queue. */
uint32_t frame_port_take_over(struct dp_frame_port *port, uint32_t queue,
                              struct rte_mbuf **ret_mbufs, uint32_t max);

/* Releases one reference to each of these frames, which may belong to any queue's pool. NULLs are
 * passed over. Owner of `queue`. */
void frame_port_release(struct dp_frame_port *port, uint32_t queue, struct rte_mbuf **mbufs,
                        uint32_t count);

/* Received frames that were larger than a buffer, in sum. Owner of the queue only. */
uint64_t frame_port_rx_oversized(const struct dp_frame_port *port, uint32_t queue);

/* RTE_ETH_TX_OFFLOAD_* that are turned on. */
uint64_t frame_port_tx_offloads(const struct dp_frame_port *port);

#endif
