/*
 * IPv6 (RFC 8200) without extension headers. Header: version, class and label 4, payload length 2,
 * next header 1, hop limit 1, source 16, destination 16.
 */
#include "dataplane/be.h"
#include "dataplane/checksum.h"
#include "dataplane/packet_internal.h"

#include <string.h>

#define IPV6_OFFSET    ETHERNET_HEADER_SIZE_BYTES
#define IPV6_HOP_LIMIT 255 /* neighbour discovery demands it (RFC 4861 section 7.1) */

static bool is_to_us(const struct packet_self *self, const uint8_t ip[16])
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    static const uint8_t solicited[13] = {0xff, 2, [11] = 1, [12] = 0xff};
    if (!self->has_ipv6) {
        return false;
    }
    return memcmp(ip, self->ipv6, 16) == 0 || memcmp(ip, all_nodes, 16) == 0 ||
           (memcmp(ip, solicited, 13) == 0 && memcmp(ip + 13, self->ipv6 + 13, 3) == 0);
}

static enum dp_drop ipv6_dispatch(const struct packet_input *input, const uint8_t *ip,
                                  struct packet *ret_packet)
{
    uint64_t sum = checksum_pseudo(ip + 8, 32, ip[6], ret_packet->upper_size_bytes);
    switch (ip[6]) {
    case IP_PROTOCOL_UDP:
        /* Datagrams come to one address, never to a group. */
        return ip[24] == 0xff ? DP_DROP_IP_OTHER : udp_parse(input, sum, ret_packet);
    case IP_PROTOCOL_ICMPV6:
        return icmpv6_parse(input, sum, ret_packet);
    case IP_PROTOCOL_FRAGMENT:
        return DP_DROP_IP_FRAGMENT;
    default:
        return DP_DROP_IP_PROTOCOL;
    }
}

enum dp_drop ipv6_parse(struct packet_input *input, struct packet *ret_packet)
{
    const uint8_t *ip = input->data + IPV6_OFFSET;
    if (input->size_bytes < IPV6_OFFSET + IPV6_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    uint32_t upper_size = be16_load(ip + 4);
    if (ip[0] >> 4 != 6 || ip[8] == 0xff) {
        return DP_DROP_IP_HEADER;
    }
    if (upper_size > input->size_bytes - IPV6_OFFSET - IPV6_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (!is_to_us(input->self, ip + 24)) {
        return DP_DROP_IP_OTHER;
    }
    input->size_bytes = IPV6_OFFSET + IPV6_HEADER_SIZE_BYTES + upper_size;
    ret_packet->is_ipv4 = false;
    ret_packet->from = address_of_ip(ip + 8, 0);
    ret_packet->has_neighbour = true;
    memcpy(ret_packet->neighbour_mac, input->data + 6, MAC_SIZE_BYTES);
    ret_packet->upper_offset = IPV6_OFFSET + IPV6_HEADER_SIZE_BYTES;
    ret_packet->upper_size_bytes = upper_size;
    return ipv6_dispatch(input, ip, ret_packet);
}

void ipv6_write(const struct packet_self *self, const uint8_t to[16], uint8_t protocol,
                uint8_t *data)
{
    uint8_t *ip = data + IPV6_OFFSET;
    be32_store(ip, 6u << 28);
    ip[6] = protocol;
    ip[7] = IPV6_HOP_LIMIT;
    memmove(ip + 24, to, 16);
    memcpy(ip + 8, self->ipv6, 16);
}

void ipv6_finish(uint8_t *data, uint32_t upper_size_bytes)
{
    be16_store(data + IPV6_OFFSET + 4, (uint16_t)upper_size_bytes);
}
