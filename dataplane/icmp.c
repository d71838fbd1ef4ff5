/* ICMP echo over IPv4 (RFC 792): type 1, code 1, checksum 2, identifier 2, sequence 2, data. */
#include "dataplane/checksum.h"
#include "dataplane/packet_internal.h"

#include <string.h>

#define ICMP_HEADER_SIZE_BYTES 8
#define ICMP_ECHO_REQUEST      8
#define ICMP_ECHO_REPLY        0

enum dp_drop icmp_parse(const struct packet_input *input, struct packet *ret_packet)
{
    const uint8_t *icmp = input->data + ret_packet->upper_offset;
    if (ret_packet->upper_size_bytes < ICMP_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (icmp[0] != ICMP_ECHO_REQUEST || icmp[1] != 0 ||
        checksum_finish(checksum_add(0, icmp, ret_packet->upper_size_bytes)) != 0) {
        return DP_DROP_ICMP;
    }
    ret_packet->kind = PACKET_ECHO_IPV4;
    return DP_DROP_NONE;
}

uint32_t icmp_answer(const struct packet_self *self, const struct packet *packet, uint8_t *data)
{
    uint8_t *icmp = data + ETHERNET_HEADER_SIZE_BYTES + IPV4_HEADER_SIZE_BYTES;
    uint32_t size = packet->upper_size_bytes;
    ethernet_write(self, data + 6, ETHERTYPE_IPV4, data);
    /* Options of the request are not sent back. */
    memmove(icmp, data + packet->upper_offset, size);
    ipv4_write(self, packet->from.ip + 12, IP_PROTOCOL_ICMP, data);
    ipv4_finish(data, size, false);
    icmp[0] = ICMP_ECHO_REPLY;
    memset(icmp + 2, 0, 2);
    uint16_t checksum = checksum_finish(checksum_add(0, icmp, size));
    memcpy(icmp + 2, &checksum, sizeof(checksum));
    return ethernet_pad(data, ETHERNET_HEADER_SIZE_BYTES + IPV4_HEADER_SIZE_BYTES + size);
}
