/* The two halves of a datagram port share its state. */
#ifndef POLLUX_DATAPLANE_PORT_INTERNAL_H
#define POLLUX_DATAPLANE_PORT_INTERNAL_H

#include "dataplane/frame_port.h"
#include "dataplane/neighbours.h"
#include "dataplane/packet.h"
#include "dataplane/port.h"

#define TX_BURST_MAX         DP_FRAME_BURST_MAX
#define TX_RETRIES_MAX       8 /* of a full transmit ring, before frames are dropped */
#define QUERIES_PER_TICK_MAX 16

struct dp_port {
    struct dp_port_options options;
    struct packet_self self;
    struct dp_counters counters;
    uint64_t now_ns;      /* of the latest rx or tick */
    uint64_t emptied_ns;  /* whatever the queue held then was received */
    uint64_t look_ns;     /* next look at the link */
    uint32_t tx_offloads; /* PACKET_TRUST_*: checksums the port fills in */
    bool was_up;

    struct rte_mbuf *held[RX_BURST_MAX]; /* datagrams that the caller reads; NULL: handed over */
    uint32_t held_count;
    struct rte_mbuf *spares[TX_BURST_MAX]; /* allocated in bulk, not used yet */
    uint32_t spare_count;
    struct rte_mbuf *reserved; /* between reserve and commit */
    bool is_reserved;          /* its headers are written */
    bool is_reserved_ipv4;
    struct rte_mbuf *queued[TX_BURST_MAX]; /* committed, not sent yet */
    uint32_t queued_count;

    struct neighbours neighbours;
};

bool port_is_on_link(const struct dp_port *port, const uint8_t ip[16]);

/* Queues a whole frame, flushing a full burst. Takes the buffer. */
void port_tx_frame(struct dp_port *port, struct rte_mbuf *mbuf, uint32_t size_bytes);

/* Asks for the MAC of `ip`. */
void port_query(struct dp_port *port, const uint8_t ip[16]);

/* Tells the link our addresses. */
void port_announce(struct dp_port *port);

#endif
