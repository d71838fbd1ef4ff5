/*
 * IPv4 (RFC 791). Options are stepped over, fragments refused: Pollux cuts long messages itself.
 * Header: version and length 1, service 1, total length 2, identification 2, fragment 2, time to
 * live 1, protocol 1, checksum 2, source 4, destination 4.
 */
#include "dataplane/be.h"
#include "dataplane/checksum.h"
#include "dataplane/packet_internal.h"

#include <string.h>

#define IPV4_OFFSET        ETHERNET_HEADER_SIZE_BYTES
#define IPV4_DO_NOT_CUT    0x4000
#define IPV4_FRAGMENT_MASK 0x3fff /* more fragments, or an offset */
#define IPV4_TIME_TO_LIVE  64

/* Broadcast, multicast and "this network" send nothing (RFC 1122 section 3.2.1.3). */
static bool is_sender(const uint8_t ipv4[4])
{
    return ipv4[0] != 0 && ipv4[0] < 224;
}

static enum dp_drop ipv4_check(const struct packet_input *input, const uint8_t *ip,
                               uint32_t header_size, uint32_t total_size)
{
    uint32_t room = input->size_bytes - IPV4_OFFSET;
    if (ip[0] >> 4 != 4 || header_size < IPV4_HEADER_SIZE_BYTES || total_size < header_size ||
        !is_sender(ip + 12)) {
        return DP_DROP_IP_HEADER;
    }
    if (total_size > room) {
        return DP_DROP_FRAME_SHORT;
    }
    if ((input->trust & PACKET_TRUST_IP) == 0 &&
        checksum_finish(checksum_add(0, ip, header_size)) != 0) {
        return DP_DROP_IP_CHECKSUM;
    }
    if ((be16_load(ip + 6) & IPV4_FRAGMENT_MASK) != 0) {
        return DP_DROP_IP_FRAGMENT;
    }
    if (!input->self->has_ipv4 || memcmp(ip + 16, input->self->ipv4, 4) != 0) {
        return DP_DROP_IP_OTHER;
    }
    return DP_DROP_NONE;
}

enum dp_drop ipv4_parse(struct packet_input *input, struct packet *ret_packet)
{
    const uint8_t *ip = input->data + IPV4_OFFSET;
    if (input->size_bytes < IPV4_OFFSET + IPV4_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    uint32_t header_size = (uint32_t)(ip[0] & 15) * 4;
    uint32_t total_size = be16_load(ip + 2);
    enum dp_drop drop = ipv4_check(input, ip, header_size, total_size);
    if (drop != DP_DROP_NONE) {
        return drop;
    }
    input->size_bytes = IPV4_OFFSET + total_size;
    ret_packet->is_ipv4 = true;
    ret_packet->from = address_of_ipv4(ip + 12, 0);
    ret_packet->has_neighbour = true;
    memcpy(ret_packet->neighbour_mac, input->data + 6, MAC_SIZE_BYTES);
    ret_packet->upper_offset = IPV4_OFFSET + header_size;
    ret_packet->upper_size_bytes = total_size - header_size;
    switch (ip[9]) {
    case IP_PROTOCOL_UDP:
        return udp_parse(input,
                         checksum_pseudo(ip + 12, 8, IP_PROTOCOL_UDP, ret_packet->upper_size_bytes),
                         ret_packet);
    case IP_PROTOCOL_ICMP:
        return icmp_parse(input, ret_packet);
    default:
        return DP_DROP_IP_PROTOCOL;
    }
}

void ipv4_write(const struct packet_self *self, const uint8_t to[4], uint8_t protocol,
                uint8_t *data)
{
    uint8_t *ip = data + IPV4_OFFSET;
    ip[0] = 0x45;
    ip[1] = 0;
    be16_store(ip + 4, 0);
    be16_store(ip + 6, IPV4_DO_NOT_CUT);
    ip[8] = IPV4_TIME_TO_LIVE;
    ip[9] = protocol;
    memmove(ip + 16, to, 4);
    memcpy(ip + 12, self->ipv4, 4);
}

void ipv4_finish(uint8_t *data, uint32_t upper_size_bytes, bool is_checksum_offloaded)
{
    uint8_t *ip = data + IPV4_OFFSET;
    be16_store(ip + 2, (uint16_t)(IPV4_HEADER_SIZE_BYTES + upper_size_bytes));
    memset(ip + 10, 0, 2);
    if (!is_checksum_offloaded) {
        uint16_t checksum = checksum_finish(checksum_add(0, ip, IPV4_HEADER_SIZE_BYTES));
        memcpy(ip + 10, &checksum, sizeof(checksum));
    }
}
