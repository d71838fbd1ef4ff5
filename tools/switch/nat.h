/*
 * The rewriting between a datagram of a loopback socket and a frame on the switch. Stateless: the
 * client's UDP port is its identity on both sides, so nothing is remembered and nothing runs out.
 *
 *   client 127.0.0.1:P  <->  socket of node i  <->  10.77.0.254:P <-> 10.77.0.i:node port
 *
 * Frames: Ethernet II, IPv4 without options (RFC 791), UDP (RFC 768), ARP (RFC 826). Pure.
 */
#ifndef POLLUX_TOOLS_SWITCH_NAT_H
#define POLLUX_TOOLS_SWITCH_NAT_H

#include "base/error.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define NAT_HEADER_SIZE_BYTES 42   /* Ethernet 14, IPv4 20, UDP 8 */
#define NAT_PAYLOAD_BYTES_MAX 8972 /* with an MTU of 9000 */
#define NAT_IP_HEADERS_BYTES  28   /* IPv4, UDP: what an MTU counts beside the payload */
#define NAT_ARP_SIZE_BYTES    42
#define NAT_UPLINK_HOST       254
#define ETHERNET_HEADER_BYTES 14

/* Hosts of the switch's network are named by the last octet of 10.77.0.x. */
struct nat_flow {
    uint8_t source_mac[6];
    uint8_t destination_mac[6];
    uint8_t source_host;
    uint8_t destination_host;
    uint16_t source_port;
    uint16_t destination_port;
};

/*
 * Writes the headers of a datagram whose payload already lies at frame + NAT_HEADER_SIZE_BYTES,
 * with both checksums. At most NAT_PAYLOAD_BYTES_MAX of payload (CHECK).
 */
void nat_header_write(uint8_t *frame, const struct nat_flow *flow, uint32_t payload_size_bytes);

/*
 * Reads a UDP frame between two hosts of the network. ERR_SHORT: ends inside a header or before its
 * length says; ERR_TYPE: not IPv4 with UDP, or a fragment; ERR_RANGE: an address outside the
 * network; ERR_CHECKSUM; ERR_CORRUPT: the lengths contradict each other.
 */
MUST_USE enum error nat_frame_read(struct span frame, struct nat_flow *ret_flow,
                                   struct span *ret_payload);

struct nat_arp {
    bool is_request;
    uint8_t sender_mac[6];
    uint8_t sender_host;
    uint8_t target_host;
};

/* ERR_SHORT, ERR_TYPE (not an ARP frame for IPv4 over Ethernet), ERR_RANGE (another network). */
MUST_USE enum error nat_arp_read(struct span frame, struct nat_arp *ret_arp);

/* Writes NAT_ARP_SIZE_BYTES: a broadcast request, or an answer to `target_mac`. */
void nat_arp_write(uint8_t *frame, const struct nat_arp *arp, const uint8_t target_mac[6]);

/* Internet checksum (RFC 1071) of the bytes, continuing the unfolded sum `sum`. */
uint64_t nat_sum(uint64_t sum, const uint8_t *data, size_t size_bytes);
uint16_t nat_fold(uint64_t sum);

#endif
