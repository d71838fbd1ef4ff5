/*
 * What a port of the switch counted. Drops at arrival count at the port of arrival; those of faults
 * and of departure at the port where the frame would have left. Owner: the switch's thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_COUNTERS_H
#define POLLUX_TOOLS_SWITCH_COUNTERS_H

#include <stdint.h>

#define SWITCH_DROP_LIST(X)                                                                        \
    X(cut)        /* the pair is cut */                                                            \
    X(loss)       /* drawn */                                                                      \
    X(delay_full) /* too many frames are held back already */                                      \
    X(tx_full)    /* the receiver does not keep up */                                              \
    X(link_down)  /* nobody is attached */                                                         \
    X(runt)       /* ends inside the Ethernet header */                                            \
    X(hairpin)    /* its destination is where it came from */                                      \
    X(no_buffer)  /* no free packet buffer */                                                      \
    X(checksum)   /* uplink: wrong IP or UDP checksum */                                           \
    X(malformed)  /* uplink: headers contradict each other */                                      \
    X(other)      /* uplink: neither ARP nor a datagram of a node to the uplink's address */       \
    X(unresolved) /* uplink: the node's Ethernet address is not known yet */                       \
    X(too_large)  /* frame, or datagram at the uplink, larger than the MTU */                      \
    X(source)     /* uplink: datagram not from 127.0.0.1 */                                        \
    X(socket)     /* uplink: the socket took no more */

enum switch_drop {
#define X(name) SWITCH_DROP_##name,
    SWITCH_DROP_LIST(X)
#undef X
        SWITCH_DROP_COUNT
};

struct port_counters {
    uint64_t rx_packets;
    uint64_t rx_bytes;
    uint64_t tx_packets;
    uint64_t tx_bytes;
    uint64_t duplicated;
    uint64_t delayed;
    uint64_t reordered;
    uint64_t corrupted;
    uint64_t drops[SWITCH_DROP_COUNT];
};

#endif
