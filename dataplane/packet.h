/*
 * Frames as bytes: from bytes to a parsed view or a drop reason, and from a view to the bytes of an
 * answer. Pure: no port, clock or memory of its own, so that tests and fuzzers run it alone.
 *
 * Spoken: Ethernet II without VLAN tags, but for those of VLAN 0, which only carry a priority; ARP
 * (RFC 826); IPv4 (RFC 791) without fragments, ICMP echo (RFC 792); IPv6 (RFC 8200) without
 * extension headers, ICMPv6 echo (RFC 4443), neighbour discovery (RFC 4861); UDP (RFC 768).
 */
#ifndef POLLUX_DATAPLANE_PACKET_H
#define POLLUX_DATAPLANE_PACKET_H

#include "base/address.h"
#include "base/limits.h"
#include "base/span.h"
#include "dataplane/port.h"

#include <stdbool.h>
#include <stdint.h>

#define MAC_SIZE_BYTES                6
#define ETHERNET_HEADER_SIZE_BYTES    14
#define VLAN_TAG_SIZE_BYTES           4
#define ETHERNET_FRAME_SIZE_BYTES_MIN 60 /* without the frame check sequence */
#define IPV4_HEADER_SIZE_BYTES        20
#define IPV6_HEADER_SIZE_BYTES        40
#define UDP_HEADER_SIZE_BYTES         8

/* An answer may be longer than its question, but never longer than this, or than the question. */
#define PACKET_ANSWER_SIZE_BYTES 128

/* The parser found nothing to drop. */
#define DP_DROP_NONE DP_DROP_COUNT

/* What this end answers to. */
struct packet_self {
    uint8_t mac[MAC_SIZE_BYTES];
    bool has_ipv4;
    bool has_ipv6;
    uint8_t ipv4[4];
    uint8_t ipv6[16];
    uint16_t ipv4_port; /* first UDP ports */
    uint16_t ipv6_port;
    uint16_t udp_port_count; /* from each first one on */
};

enum packet_kind {
    PACKET_UDP,
    PACKET_ARP_REQUEST,
    PACKET_SOLICITATION,   /* neighbour solicitation for our address */
    PACKET_NEIGHBOUR_NEWS, /* ARP reply or announcement, neighbour advertisement */
    PACKET_ECHO_IPV4,
    PACKET_ECHO_IPV6,
};

/* Checksums that the port has already found right. */
#define PACKET_TRUST_IP  1u
#define PACKET_TRUST_UDP 2u

struct packet {
    enum packet_kind kind;
    bool is_ipv4;
    bool has_neighbour; /* neighbour_mac answers for `from.ip` on this link */
    uint8_t neighbour_mac[MAC_SIZE_BYTES];
    struct address from;       /* sender; for news the address that the news is about */
    uint32_t upper_offset;     /* of the UDP or ICMP header */
    uint32_t upper_size_bytes; /* with its header */
    uint32_t payload_offset;   /* UDP only, from here on */
    uint32_t payload_size_bytes;
    uint16_t port_offset; /* destination port, less our first one */
};

/*
 * Reads the frame of `size_bytes` at `data`, nothing beyond, trusting what `trust` says. Returns
 * DP_DROP_NONE and fills *ret_packet, or the reason to drop it (ret_packet is then undefined).
 */
enum dp_drop packet_parse(const struct packet_self *self, struct span frame, uint32_t trust,
                          struct packet *ret_packet);

/* Whether a tag (IEEE 802.1Q) only carries a priority: its VLAN is 0. */
static inline bool packet_is_untagged(uint16_t tag)
{
    return (tag & 0x0fff) == 0;
}

/* Takes a tag of VLAN 0 out of a frame of `size_bytes`: then the frame begins VLAN_TAG_SIZE_BYTES
 * later. False: the frame has none. */
bool packet_untag(uint8_t *data, uint32_t size_bytes);

/*
 * Turns the request `packet` that was parsed from `data` into its answer, in place. `data` has room
 * for PACKET_ANSWER_SIZE_BYTES or for the frame, whichever is more. Returns the answer's size. Only
 * for ARP requests, solicitations and echo requests (CHECK).
 */
uint32_t packet_answer(const struct packet_self *self, const struct packet *packet, uint8_t *data);

/* Writes a query for the MAC of `ip` (mapped IPv4: ARP, else a neighbour solicitation) to `data`,
 * which has room for PACKET_ANSWER_SIZE_BYTES. Returns its size. */
uint32_t packet_write_query(const struct packet_self *self, const uint8_t ip[16], uint8_t *data);

/* Writes an announcement of our own IPv4 (gratuitous ARP) or IPv6 address (unsolicited
 * advertisement). Returns its size. */
uint32_t packet_write_announcement(const struct packet_self *self, bool is_ipv4, uint8_t *data);

/* Size of the headers in front of a UDP payload to this address. */
static inline uint32_t packet_udp_header_size_bytes(bool is_ipv4)
{
    return ETHERNET_HEADER_SIZE_BYTES + UDP_HEADER_SIZE_BYTES +
           (is_ipv4 ? IPV4_HEADER_SIZE_BYTES : IPV6_HEADER_SIZE_BYTES);
}

/* Writes every header field of a datagram to `to`, from our first UDP port plus `port_offset`, that
 * does not depend on its payload. */
void packet_begin_udp(const struct packet_self *self, uint16_t port_offset,
                      const struct address *to, const uint8_t mac[MAC_SIZE_BYTES], uint8_t *data);

/*
 * Fills lengths and checksums of a datagram with `payload_size_bytes` behind its headers. Those
 * that `offloads` (PACKET_TRUST_*) leaves to the port hold what a port expects there: 0 for IP, the
 * folded pseudo-header for UDP. Returns the frame's size.
 */
uint32_t packet_end_udp(uint8_t *data, bool is_ipv4, uint32_t payload_size_bytes,
                        uint32_t offloads);

#endif
