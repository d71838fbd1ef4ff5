/*
 * Ethernet frames through one DPDK port: the lower half of the data plane, used by dataplane/port.h
 * and by the switch. The port is whatever EAL can open: a PCI address, or a vdev string such as
 * "net_memif0,role=client,id=0,socket=/run/x.sock,socket-abstract=no", net_af_packet, net_af_xdp,
 * net_tap, net_ring, net_pcap. Handles are DPDK's mbufs, passed on without a copy.
 *
 * One thread owns a queue. dp_start once a process, before any port.
 */
#ifndef POLLUX_DATAPLANE_FRAME_H
#define POLLUX_DATAPLANE_FRAME_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_environment_options {
    const char *program;             /* argv[0], for EAL's messages */
    const char *file_prefix;         /* distinct for each process of one machine */
    const char *vdevs[DP_VDEVS_MAX]; /* --vdev arguments */
    uint32_t vdev_count;
    const char *pci_allow; /* --allow argument or NULL: then no PCI scan at all */
    uint32_t memory_mib;   /* -m with --no-huge; 0: EAL's default */
    bool is_hugepages;
};

/* rte_eal_init. On failure the reason, with what to do, is left in ret_reason. Once a process. */
MUST_USE enum error dp_start(const struct dp_environment_options *options, char *ret_reason,
                             size_t reason_size);
void dp_stop(void);

struct dp_frame; /* an mbuf */
struct dp_frame_port;

/* How a port was made to deliver the multicast frames that IPv6 needs. */
enum dp_multicast {
    DP_MULTICAST_ALL,         /* all of the link */
    DP_MULTICAST_LISTED,      /* those of its own addresses */
    DP_MULTICAST_PROMISCUOUS, /* with everything else on the link */
    DP_MULTICAST_UNKNOWN,     /* the driver knows no such setting: virtual ports deliver all */
};

/* What a port is, found when it was opened. */
struct dp_frame_facts {
    char driver[32];
    enum dp_multicast multicast;
    uint32_t room_bytes;  /* of one packet buffer, without its headroom */
    int32_t numa_node;    /* of the card; -1: none, or unknown */
    bool is_memory_near;  /* the packet buffers lie on that node */
    bool has_rx_checksum; /* the card checks UDP checksums, or fills them */
    bool has_tx_checksum;
    bool has_rss; /* a hash over addresses and ports chooses the queue */
    uint16_t mtu_bytes;
};

/* Counted by the card or its driver, not by us. */
#define DP_CARD_COUNTER_LIST(X)                                                                    \
    X(RX_MISSED, "rx_missed")       /* no room in the receive ring */                              \
    X(RX_ERRORS, "rx_errors")       /* frames that came damaged */                                 \
    X(RX_NO_BUFFER, "rx_no_buffer") /* the pool was empty */                                       \
    X(TX_ERRORS, "tx_errors")

enum dp_card_counter {
#define X(name, text) DP_CARD_##name,
    DP_CARD_COUNTER_LIST(X)
#undef X
        DP_CARD_COUNTERS
};

struct dp_frame_port_options {
    const char *name;     /* "net_memif0", "0000:03:00.0", ... */
    uint32_t queue_count; /* rx and tx queues, one pair a lane */
    uint32_t ring_size;   /* descriptors a queue */
    uint32_t pool_size;   /* mbufs a queue's pool */
    uint16_t mtu_bytes;   /* 0: 1500 */
    /* Multicast MACs to receive, where the card takes no other way; borrowed until it is open. */
    const uint8_t (*multicast_macs)[6];
    uint32_t multicast_count; /* at most DP_MULTICAST_MACS_MAX */
    uint16_t udp_port_first;  /* with several queues: UDP port first + s is steered to queue */
    uint16_t udp_port_count;  /* s % queue_count, where the port can; 0: not steered */
};

MUST_USE enum error dp_frame_port_open(const struct dp_frame_port_options *options,
                                       struct dp_frame_port **ret_port, char *ret_reason,
                                       size_t reason_size);
void dp_frame_port_close(struct dp_frame_port *port);

void dp_frame_port_mac(const struct dp_frame_port *port, uint8_t ret_mac[6]);
const struct dp_frame_facts *dp_frame_port_facts(const struct dp_frame_port *port);

/*
 * Asks the driver for the link and, once a second, for the card's counters; and has a memif client
 * without a link connect again. Drivers sleep, lock and make system calls in this, so no lane calls
 * it: one other thread does, some 50 times a second. A program with one thread may call it there.
 */
void dp_frame_port_look(struct dp_frame_port *port);

/* As the latest look found it. Any thread. */
bool dp_frame_port_is_up(const struct dp_frame_port *port);
uint32_t dp_frame_port_speed_mbps(const struct dp_frame_port *port); /* 0: down, or unknown */
uint64_t dp_frame_port_link_changes(const struct dp_frame_port *port);
uint64_t dp_frame_port_card_counter(const struct dp_frame_port *port, enum dp_card_counter counter);
/* Whether the port itself steers each UDP port of its options to the queue of that port. Where it
 * does not, a datagram may come to any queue. */
bool dp_frame_port_is_steered(const struct dp_frame_port *port);

/* At most `max` (<= DP_FRAME_BURST_MAX) frames; the caller owns them. */
uint32_t dp_frame_rx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **ret_frames,
                     uint32_t max);
/* Hands `count` frames over; returns how many the port took. The rest stay the caller's. */
uint32_t dp_frame_tx(struct dp_frame_port *port, uint32_t queue, struct dp_frame **frames,
                     uint32_t count);

/* An empty frame from the queue's pool; NULL when the pool is exhausted. */
struct dp_frame *dp_frame_new(struct dp_frame_port *port, uint32_t queue);
/* A frame of its own with the same bytes, from that port's pool; NULL when exhausted. */
struct dp_frame *dp_frame_copy(struct dp_frame_port *port, uint32_t queue,
                               const struct dp_frame *frame);
void dp_frame_free(struct dp_frame *frame);
uint8_t *dp_frame_data(struct dp_frame *frame);
uint32_t dp_frame_size_bytes(const struct dp_frame *frame);
uint32_t dp_frame_capacity_bytes(const struct dp_frame *frame);
void dp_frame_set_size_bytes(struct dp_frame *frame, uint32_t size_bytes);

#endif
