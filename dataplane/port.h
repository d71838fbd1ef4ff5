/*
 * Datagrams: the upper half of the data plane. One queue of one port with its own IPv4 and IPv6
 * address; answers ARP, neighbour solicitations and echo requests itself, since the kernel never
 * sees the port's packets; resolves its next hops; checks and fills checksums. Everything it drops
 * is counted by reason. Two backends behind this header, chosen at link time: DPDK's, and the
 * simulator's network.
 *
 * A node with several lanes opens one of these for each queue of its frame port. All of them have
 * the node's addresses and listen on all its UDP ports. A datagram that came to the wrong queue is
 * handed over to the right one by its lane, through a bounded ring.
 *
 * Owner: one thread (the lane of that queue). Nothing is shared with another queue but that ring.
 */
#ifndef POLLUX_DATAPLANE_PORT_H
#define POLLUX_DATAPLANE_PORT_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a frame was dropped. The texts are for the reader of this list. */
#define DP_DROP_LIST(X)                                                                            \
    X(FRAME_SHORT, "frame ends inside a header")                                                   \
    X(FRAME_LONG, "frame larger than a buffer")                                                    \
    X(FRAME_OTHER_MAC, "addressed to another machine")                                             \
    X(ETHERTYPE, "unknown ethertype")                                                              \
    X(VLAN, "frame of a VLAN")                                                                     \
    X(IP_HEADER, "malformed IP header")                                                            \
    X(IP_CHECKSUM, "wrong IP header checksum")                                                     \
    X(IP_FRAGMENT, "IP fragment")                                                                  \
    X(IP_OTHER, "addressed to another IP address")                                                 \
    X(IP_PROTOCOL, "unknown IP protocol")                                                          \
    X(UDP_LENGTH, "UDP length contradicts IP length")                                              \
    X(UDP_CHECKSUM, "wrong UDP checksum")                                                          \
    X(UDP_PORT, "UDP port nobody listens on")                                                      \
    X(ARP, "malformed ARP")                                                                        \
    X(ICMP, "malformed or unanswered ICMP")                                                        \
    X(NO_ROUTE, "next hop not resolved yet")                                                       \
    X(NEIGHBOURS_FULL, "neighbour table full")                                                     \
    X(TX_FULL, "transmit ring full")                                                               \
    X(POOL_EMPTY, "no free packet buffer")                                                         \
    X(HANDOVER_FULL, "ring to another lane full")

enum dp_drop {
#define X(name, text) DP_DROP_##name,
    DP_DROP_LIST(X)
#undef X
        DP_DROP_COUNT
};

/* An address on the link, and the MAC that it has. */
struct dp_neighbour {
    uint8_t ip[16];
    uint8_t mac[6];
};

/* The latest answer that took the place of another one. */
struct dp_neighbour_change {
    struct dp_neighbour now;
    uint8_t before[6];
};

struct dp_counters {
    uint64_t rx_packets; /* from the queue; not those taken over */
    uint64_t rx_bytes;
    uint64_t rx_handed_over; /* datagrams given to another lane */
    uint64_t rx_taken_over;  /* datagrams that another lane gave */
    uint64_t tx_packets;
    uint64_t tx_bytes;
    uint64_t arp_answers;
    uint64_t neighbour_answers;
    uint64_t echo_answers;
    uint64_t neighbour_conflicts; /* packets from another MAC than the address is known to have */
    uint64_t neighbour_changes;   /* addresses that have another MAC than before */
    struct dp_neighbour_change neighbour_change;
    uint64_t drops[DP_DROP_COUNT];
    /* Of the whole card, as the latest look found it; 0 in the simulator. */
    uint64_t link_up; /* 1 or 0 */
    uint64_t link_mbps;
    uint64_t link_changes;
    uint64_t card_rx_missed; /* no room in the card's ring */
    uint64_t card_rx_errors;
    uint64_t card_rx_no_buffer;
    uint64_t card_tx_errors;
};

/* Short name ("udp_checksum") of a drop reason. */
const char *dp_drop_name(enum dp_drop drop);

struct dp_frame_port;
struct dp_port;

struct dp_port_options {
    struct dp_frame_port *frames; /* NULL in the simulator */
    uint32_t queue;
    uint32_t queue_count; /* of the node, one a lane; 0: one */
    struct address ipv4; /* own addresses, both with the node's first UDP port; ip all zero: none */
    struct address ipv6;
    uint16_t udp_port_count; /* UDP ports listened on, from the first one on; 0: one */
    uint8_t ipv4_prefix_bits;
    uint8_t ipv6_prefix_bits;
    uint8_t gateway_ipv4[4]; /* all zero: none */
    /* Those whose MAC is given: nobody is asked for it, and no packet changes it. Borrowed until
     * dp_port_open returns. */
    const struct dp_neighbour *neighbours;
    uint32_t neighbour_count; /* at most DP_NEIGHBOURS_PINNED_MAX */
};

/* One UDP datagram: payload borrowed until the next dp_port_rx. */
struct dp_datagram {
    struct address from;
    uint8_t *data; /* to be changed at will: a sealed packet is opened where it lies */
    uint32_t size_bytes;
    uint16_t port_offset; /* the UDP port that it was sent to, less the node's first one */
    uint16_t slot;        /* the port's own: its place in the burst */
    uint64_t waited_ns;   /* it may have arrived so long before now, and waited to be received */
};

MUST_USE enum error dp_port_open(const struct dp_port_options *options, struct dp_port **ret_port,
                                 char *ret_reason, size_t reason_size);
void dp_port_close(struct dp_port *port);

/* Receives at most `max` (<= RX_BURST_MAX) datagrams, those that other lanes handed over among
 * them; releases those of the call before. */
uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max);

/*
 * Gives a datagram of the latest burst to the lane that owns `queue` (another one of this node);
 * that lane's dp_port_rx hands it out like one of its own. True: the datagram is no longer the
 * caller's to read. False: the ring is full; counted as a drop, the datagram stays the caller's.
 */
bool dp_port_hand_over(struct dp_port *port, const struct dp_datagram *datagram, uint32_t queue);

/*
 * Room for one datagram to `to`, of as many payload bytes as the port's MTU leaves behind an IP and
 * a UDP header, sent from the node's first UDP port plus `port_offset`. Fill it, then
 * dp_port_tx_commit before the next reserve. NULL: counted and dropped (no buffer, no route yet).
 */
uint8_t *dp_port_tx_reserve(struct dp_port *port, uint16_t port_offset, const struct address *to);
void dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes);

/* Sends what was committed. Called at the end of a burst and implied when the burst is full. */
void dp_port_tx_flush(struct dp_port *port);

/* Repeats pending ARP and neighbour queries. Cheap; once a turn. */
void dp_port_tick(struct dp_port *port, uint64_t now_ns);

const struct dp_counters *dp_port_counters(const struct dp_port *port);

#endif
