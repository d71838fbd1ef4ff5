/* What the parsers of the single protocols owe each other. Offsets are from the frame's first
 * byte. */
#ifndef POLLUX_DATAPLANE_PACKET_INTERNAL_H
#define POLLUX_DATAPLANE_PACKET_INTERNAL_H

#include "dataplane/packet.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP  0x0806
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100 /* IEEE 802.1Q */
#define ETHERTYPE_QINQ 0x88a8 /* IEEE 802.1ad */

#define IP_PROTOCOL_ICMP     1
#define IP_PROTOCOL_UDP      17
#define IP_PROTOCOL_FRAGMENT 44
#define IP_PROTOCOL_ICMPV6   58

/* The frame under the parser, cut to its real end as each header tells it. */
struct packet_input {
    const struct packet_self *self;
    const uint8_t *data;
    uint32_t size_bytes;
    uint32_t trust;
};

enum dp_drop arp_parse(const struct packet_input *input, struct packet *ret_packet);
enum dp_drop ipv4_parse(struct packet_input *input, struct packet *ret_packet);
enum dp_drop ipv6_parse(struct packet_input *input, struct packet *ret_packet);

/* `pseudo_sum` covers addresses, protocol and upper size. */
enum dp_drop udp_parse(const struct packet_input *input, uint64_t pseudo_sum,
                       struct packet *ret_packet);
enum dp_drop icmp_parse(const struct packet_input *input, struct packet *ret_packet);
enum dp_drop icmpv6_parse(const struct packet_input *input, uint64_t pseudo_sum,
                          struct packet *ret_packet);

uint32_t arp_answer(const struct packet_self *self, uint8_t *data);
uint32_t arp_write_query(const struct packet_self *self, const uint8_t ipv4[4], uint8_t *data);
uint32_t arp_write_announcement(const struct packet_self *self, uint8_t *data);
uint32_t icmp_answer(const struct packet_self *self, const struct packet *packet, uint8_t *data);
uint32_t icmpv6_answer_echo(const struct packet_self *self, const struct packet *packet,
                            uint8_t *data);
uint32_t icmpv6_answer_solicitation(const struct packet_self *self, const struct packet *packet,
                                    uint8_t *data);
uint32_t icmpv6_write_query(const struct packet_self *self, const uint8_t ipv6[16], uint8_t *data);
uint32_t icmpv6_write_announcement(const struct packet_self *self, uint8_t *data);

/* An Ethernet header from us. */
void ethernet_write(const struct packet_self *self, const uint8_t to_mac[MAC_SIZE_BYTES],
                    uint16_t ethertype, uint8_t *data);
/* Zeroes up to the shortest frame Ethernet carries; returns the size to send. */
uint32_t ethernet_pad(uint8_t *data, uint32_t size_bytes);

/* IP headers at their place behind Ethernet, the IPv4 checksum included. */
void ipv4_write(const struct packet_self *self, const uint8_t to[4], uint8_t protocol,
                uint8_t *data);
void ipv4_finish(uint8_t *data, uint32_t upper_size_bytes, bool is_checksum_offloaded);
void ipv6_write(const struct packet_self *self, const uint8_t to[16], uint8_t protocol,
                uint8_t *data);
void ipv6_finish(uint8_t *data, uint32_t upper_size_bytes);

static inline bool mac_is_multicast(const uint8_t mac[MAC_SIZE_BYTES])
{
    return (mac[0] & 1) != 0;
}

#endif
