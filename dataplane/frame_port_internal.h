/* What the files of a frame port share: its state, and the life of a memif client's link. */
#ifndef POLLUX_DATAPLANE_FRAME_PORT_INTERNAL_H
#define POLLUX_DATAPLANE_FRAME_PORT_INTERNAL_H

#include "dataplane/frame_port.h"
#include "dataplane/unmap_guard.h"

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#define POOL_CACHE_MBUFS 256

struct frame_queue {
    struct unmap_guard guard;
    struct rte_mempool *pool;
    struct rte_ring *handover; /* frames that other lanes gave this queue; NULL: the only queue */
    uint64_t rx_oversized;
};

/* What a look found. Written by the looker, relaxed: each is a number of its own, and whoever reads
 * one concludes nothing about the others. */
struct frame_news {
    atomic_bool is_up;
    atomic_uint_fast32_t speed_mbps;
    atomic_uint_fast64_t link_changes;
    atomic_uint_fast64_t card[DP_CARD_COUNTERS];
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
    /* Of whoever looks at the link. */
    bool was_up;
    uint64_t look_tsc;      /* next look at a memif client */
    uint64_t handshake_tsc; /* until then a memif client may wait for its server */
    uint64_t stats_tsc;     /* next reading of the card's counters */
    struct frame_news news;
    struct dp_frame_facts facts; /* set once, before the first burst */
    struct rte_ether_addr multicast_macs[DP_MULTICAST_MACS_MAX];
    uint32_t multicast_count;
    uint64_t rx_offloads;
    uint64_t tx_offloads;
    uint8_t mac[6];
};

/* frame_link.c */

/* Stops and closes the DPDK port, in the thread where that is safe. No burst is under way. */
void frame_link_close(struct dp_frame_port *port);

/* frame_port.c */

/* ERR_IO, and the reason: the step that failed, the driver's result and its last messages. */
enum error frame_port_failed(const char *name, const char *step, int result, char *ret_reason,
                             size_t reason_size);

/* frame_card.c */

/* Makes the pools and the queues of a port that is not started, as the card's limits allow. */
enum error frame_card_configure(struct dp_frame_port *port,
                                const struct dp_frame_port_options *options,
                                const struct rte_eth_dev_info *info, char *ret_reason,
                                size_t reason_size);
/* Has a started port deliver multicast frames, by whatever way it knows. */
void frame_card_listen(struct dp_frame_port *port);

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
