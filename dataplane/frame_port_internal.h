/* What the files of a frame port share: its state, and the life of a memif client's link. */
#ifndef POLLUX_DATAPLANE_FRAME_PORT_INTERNAL_H
#define POLLUX_DATAPLANE_FRAME_PORT_INTERNAL_H

#include "dataplane/frame_port.h"
#include "dataplane/unmap_guard.h"

#include <rte_mempool.h>
#include <rte_ring.h>

#define POOL_CACHE_MBUFS 256

struct frame_queue {
    struct unmap_guard guard;
    struct rte_mempool *pool;
    struct rte_ring *handover; /* frames that other lanes gave this queue; NULL: the only queue */
    uint64_t rx_oversized;
};

struct dp_frame_port {
    struct frame_queue queues[LANES_MAX];
    uint16_t id;
    uint16_t queue_count;
    bool is_memif;
    bool is_memif_client;
    bool is_steered;              /* set once, before the first burst */
    atomic_bool is_started;       /* written while the queues are held off */
    atomic_bool is_held;          /* pairs with each queue's guard: see port_hold */
    atomic_bool is_alarm_pending; /* release at the end of the alarm, acquire in who waits for it */
    bool was_up;
    uint32_t connect_looks;
    uint64_t look_tsc; /* next look at the link */
    uint64_t rx_offloads;
    uint64_t tx_offloads;
    uint8_t mac[6];
};

/* frame_link.c */

/* Stops and closes the DPDK port, in the thread where that is safe. No burst is under way. */
void frame_link_close(struct dp_frame_port *port);
/* Looks at an idle memif client's link and has the port started anew while it is down. Owner of
 * queue 0. */
void frame_link_look(struct dp_frame_port *port);

/* frame_steer.c */

/* Asks the started port for a flow rule for each UDP port; false: it has none, and keeps none. */
bool frame_steer_open(const struct dp_frame_port *port, uint16_t udp_port_first,
                      uint16_t udp_port_count);

/* frame_handover.c */

/* Makes the ring of a queue. NULL: no memory. */
struct rte_ring *frame_handover_open(const struct dp_frame_port *port, uint16_t queue);
/* Frees the ring and the frames in it. NULL is passed over. */
void frame_handover_close(struct rte_ring *ring);

#endif
