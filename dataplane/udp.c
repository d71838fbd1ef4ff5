/* UDP (RFC 768): source port 2, destination port 2, length 2, checksum 2. */
#include "dataplane/be.h"
#include "dataplane/checksum.h"
#include "dataplane/packet_internal.h"

#include <string.h>

static bool is_checksum_right(const struct packet_input *input, const uint8_t *udp,
                              uint64_t pseudo_sum, const struct packet *packet)
{
    if (be16_load(udp + 6) == 0) {
        /* "Not computed" is allowed over IPv4 only (RFC 8200 section 8.1). */
        return packet->is_ipv4;
    }
    if ((input->trust & PACKET_TRUST_UDP) != 0) {
        return true;
    }
    return checksum_finish(checksum_add(pseudo_sum, udp, packet->upper_size_bytes)) == 0;
}

enum dp_drop udp_parse(const struct packet_input *input, uint64_t pseudo_sum,
                       struct packet *ret_packet)
{
    const struct packet_self *self = input->self;
    const uint8_t *udp = input->data + ret_packet->upper_offset;
    if (ret_packet->upper_size_bytes < UDP_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (be16_load(udp + 4) != ret_packet->upper_size_bytes) {
        return DP_DROP_UDP_LENGTH;
    }
    if (!is_checksum_right(input, udp, pseudo_sum, ret_packet)) {
        return DP_DROP_UDP_CHECKSUM;
    }
    uint16_t first_port = ret_packet->is_ipv4 ? self->ipv4_port : self->ipv6_port;
    uint16_t port_offset = (uint16_t)(be16_load(udp + 2) - first_port);
    if (port_offset >= self->udp_port_count) {
        return DP_DROP_UDP_PORT;
    }
    ret_packet->kind = PACKET_UDP;
    ret_packet->from.port = be16_load(udp);
    ret_packet->payload_offset = ret_packet->upper_offset + UDP_HEADER_SIZE_BYTES;
    ret_packet->payload_size_bytes = ret_packet->upper_size_bytes - UDP_HEADER_SIZE_BYTES;
    ret_packet->port_offset = port_offset;
    return DP_DROP_NONE;
}

void packet_begin_udp(const struct packet_self *self, uint16_t port_offset,
                      const struct address *to, const uint8_t mac[MAC_SIZE_BYTES], uint8_t *data)
{
    bool is_ipv4 = address_is_ipv4(to);
    ethernet_write(self, mac, is_ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, data);
    if (is_ipv4) {
        ipv4_write(self, to->ip + 12, IP_PROTOCOL_UDP, data);
    } else {
        ipv6_write(self, to->ip, IP_PROTOCOL_UDP, data);
    }
    uint8_t *udp = data + packet_udp_header_size_bytes(is_ipv4) - UDP_HEADER_SIZE_BYTES;
    be16_store(udp, (uint16_t)((is_ipv4 ? self->ipv4_port : self->ipv6_port) + port_offset));
    be16_store(udp + 2, to->port);
}

static uint16_t udp_checksum(const uint8_t *udp, uint64_t pseudo_sum, uint32_t upper_size,
                             bool is_offloaded)
{
    if (is_offloaded) {
        return (uint16_t)~checksum_finish(pseudo_sum);
    }
    uint16_t checksum = checksum_finish(checksum_add(pseudo_sum, udp, upper_size));
    /* 0 on the wire means "not computed"; the other zero of ones' complement stands for it. */
    return checksum == 0 ? 0xffff : checksum;
}

uint32_t packet_end_udp(uint8_t *data, bool is_ipv4, uint32_t payload_size_bytes, uint32_t offloads)
{
    uint32_t upper_size = UDP_HEADER_SIZE_BYTES + payload_size_bytes;
    uint8_t *udp = data + packet_udp_header_size_bytes(is_ipv4) - UDP_HEADER_SIZE_BYTES;
    const uint8_t *addresses = is_ipv4 ? udp - 8 : udp - 32;
    if (is_ipv4) {
        ipv4_finish(data, upper_size, (offloads & PACKET_TRUST_IP) != 0);
    } else {
        ipv6_finish(data, upper_size);
    }
    be16_store(udp + 4, (uint16_t)upper_size);
    memset(udp + 6, 0, 2);
    uint64_t sum = checksum_pseudo(addresses, is_ipv4 ? 8 : 32, IP_PROTOCOL_UDP, upper_size);
    uint16_t checksum = udp_checksum(udp, sum, upper_size, (offloads & PACKET_TRUST_UDP) != 0);
    memcpy(udp + 6, &checksum, sizeof(checksum));
    return ethernet_pad(data, packet_udp_header_size_bytes(is_ipv4) + payload_size_bytes);
}
