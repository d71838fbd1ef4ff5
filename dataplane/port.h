/*
 * Datagrams: the upper half of the data plane. One queue of one port with its own IPv4 and IPv6
 * address; answers ARP, neighbour solicitations and echo requests itself, since the kernel never
 * sees the port's packets; resolves its next hops; checks and fills checksums. Everything it drops
 * is counted by reason. Two backends behind this header, chosen at link time: DPDK's, and the
 * simulator's network.
 *
 * Owner: one thread (the lane of that queue).
 */
#ifndef POLLUX_DATAPLANE_PORT_H
#define POLLUX_DATAPLANE_PORT_H

#include "base/address.h"
#include "base/error.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

#define DP_DROP_LIST(X)                                                                            \
    X(FRAME_SHORT, "frame ends inside a header")                                                   \
    X(FRAME_LONG, "frame larger than a buffer")                                                    \
    X(FRAME_OTHER_MAC, "addressed to another machine")                                             \
    X(ETHERTYPE, "unknown ethertype")                                                              \
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
    X(POOL_EMPTY, "no free packet buffer")

enum dp_drop {
#define X(name, text) DP_DROP_##name,
    DP_DROP_LIST(X)
#undef X
        DP_DROP_COUNT
};

struct dp_counters {
    uint64_t rx_packets;
    uint64_t rx_bytes;
    uint64_t tx_packets;
    uint64_t tx_bytes;
    uint64_t arp_answers;
    uint64_t neighbour_answers;
    uint64_t echo_answers;
    uint64_t drops[DP_DROP_COUNT];
};

/* Short name ("udp_checksum") and text of a drop reason. */
const char *dp_drop_name(enum dp_drop drop);
const char *dp_drop_text(enum dp_drop drop);

struct dp_frame_port;
struct dp_port;

struct dp_port_options {
    struct dp_frame_port *frames; /* NULL in the simulator */
    uint32_t queue;
    struct address ipv4; /* own addresses, both with this lane's UDP port; ip all zero: none */
    struct address ipv6;
    uint8_t ipv4_prefix_bits;
    uint8_t ipv6_prefix_bits;
    uint8_t gateway_ipv4[4]; /* all zero: none */
};

/* One UDP datagram: payload borrowed until the next dp_port_rx. */
struct dp_datagram {
    struct address from;
    const uint8_t *data;
    uint32_t size_bytes;
};

MUST_USE enum error dp_port_open(const struct dp_port_options *options, struct dp_port **ret_port,
                                 char *ret_reason, size_t reason_size);
void dp_port_close(struct dp_port *port);

/* Receives at most `max` (<= RX_BURST_MAX) datagrams; releases those of the call before. */
uint32_t dp_port_rx(struct dp_port *port, uint64_t now_ns, struct dp_datagram *ret_datagrams,
                    uint32_t max);

/*
 * Room for one datagram of at most PACKET_SIZE_BYTES_MAX payload bytes to `to`. Fill it, then
 * dp_port_tx_commit before the next reserve. NULL: counted and dropped (no buffer, no route yet).
 */
uint8_t *dp_port_tx_reserve(struct dp_port *port, const struct address *to);
void dp_port_tx_commit(struct dp_port *port, uint32_t size_bytes);

/* Sends what was committed. Called at the end of a burst and implied when the burst is full. */
void dp_port_tx_flush(struct dp_port *port);

/* Repeats pending ARP and neighbour queries. Cheap; once a turn. */
void dp_port_tick(struct dp_port *port, uint64_t now_ns);

const struct dp_counters *dp_port_counters(const struct dp_port *port);

#endif
