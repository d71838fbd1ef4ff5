/*
 * ICMPv6 echo (RFC 4443) and neighbour discovery (RFC 4861 sections 4.3, 4.4, 7). A solicitation or
 * advertisement: type 1, code 1, checksum 2, flags 4, target 16, then options of (type 1, length in
 * units of 8 bytes 1, value).
 */
#include "dataplane/be.h"
#include "dataplane/checksum.h"
#include "dataplane/packet_internal.h"

#include <string.h>

#define ICMPV6_OFFSET            (ETHERNET_HEADER_SIZE_BYTES + IPV6_HEADER_SIZE_BYTES)
#define ICMPV6_HEADER_SIZE_BYTES 8
#define ICMPV6_ECHO_REQUEST      128
#define ICMPV6_ECHO_REPLY        129
#define ICMPV6_SOLICITATION      135
#define ICMPV6_ADVERTISEMENT     136

#define DISCOVERY_SIZE_BYTES        24
#define DISCOVERY_OPTION_SIZE_BYTES 8
#define DISCOVERY_OPTIONS_MAX       16 /* more in one message is refused */
#define DISCOVERY_OPTION_SOURCE_MAC 1
#define DISCOVERY_OPTION_TARGET_MAC 2
#define DISCOVERY_HOP_LIMIT         255
#define ADVERTISEMENT_SOLICITED     0x40000000u
#define ADVERTISEMENT_OVERRIDE      0x20000000u

static bool is_unspecified(const uint8_t ip[16])
{
    static const uint8_t nobody[16] = {0};
    return memcmp(ip, nobody, 16) == 0;
}

/* Looks for a MAC option of the given type; false when the options are malformed. */
static bool options_read(struct span options, uint8_t type, uint8_t *ret_mac, bool *ret_is_found)
{
    size_t at = 0;
    *ret_is_found = false;
    for (uint32_t count = 0; at < options.size_bytes; count++) {
        if (count == DISCOVERY_OPTIONS_MAX || options.size_bytes - at < 2) {
            return false;
        }
        size_t size = (size_t)options.data[at + 1] * 8;
        if (size == 0 || size > options.size_bytes - at) {
            return false;
        }
        if (options.data[at] == type && size == DISCOVERY_OPTION_SIZE_BYTES) {
            memcpy(ret_mac, options.data + at + 2, MAC_SIZE_BYTES);
            *ret_is_found = true;
        }
        at += size;
    }
    return true;
}

static enum dp_drop solicitation_parse(const struct packet_self *self, const uint8_t *icmp,
                                       bool has_option, struct packet *ret_packet)
{
    if (memcmp(icmp + 8, self->ipv6, 16) != 0) {
        return DP_DROP_IP_OTHER;
    }
    bool is_probe = is_unspecified(ret_packet->from.ip);
    if (is_probe && has_option) {
        return DP_DROP_ICMP;
    }
    ret_packet->has_neighbour = !is_probe;
    ret_packet->kind = PACKET_SOLICITATION;
    return DP_DROP_NONE;
}

static enum dp_drop advertisement_parse(const struct packet_self *self, const uint8_t *icmp,
                                        struct packet *ret_packet)
{
    if (memcmp(icmp + 8, self->ipv6, 16) == 0 || icmp[8] == 0xff) {
        /* Somebody else claims our address, or a group as its own. */
        return DP_DROP_ICMP;
    }
    memcpy(ret_packet->from.ip, icmp + 8, 16);
    ret_packet->kind = PACKET_NEIGHBOUR_NEWS;
    return DP_DROP_NONE;
}

static enum dp_drop discovery_parse(const struct packet_input *input, const uint8_t *icmp,
                                    struct packet *ret_packet)
{
    bool is_solicitation = icmp[0] == ICMPV6_SOLICITATION;
    bool has_option;
    if (ret_packet->upper_size_bytes < DISCOVERY_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (input->data[ETHERNET_HEADER_SIZE_BYTES + 7] != DISCOVERY_HOP_LIMIT) {
        return DP_DROP_ICMP;
    }
    struct span options =
        span_of(icmp + DISCOVERY_SIZE_BYTES, ret_packet->upper_size_bytes - DISCOVERY_SIZE_BYTES);
    uint8_t type = is_solicitation ? DISCOVERY_OPTION_SOURCE_MAC : DISCOVERY_OPTION_TARGET_MAC;
    if (!options_read(options, type, ret_packet->neighbour_mac, &has_option) ||
        mac_is_multicast(ret_packet->neighbour_mac)) {
        return DP_DROP_ICMP;
    }
    return is_solicitation ? solicitation_parse(input->self, icmp, has_option, ret_packet)
                           : advertisement_parse(input->self, icmp, ret_packet);
}

enum dp_drop icmpv6_parse(const struct packet_input *input, uint64_t pseudo_sum,
                          struct packet *ret_packet)
{
    const uint8_t *icmp = input->data + ret_packet->upper_offset;
    if (ret_packet->upper_size_bytes < ICMPV6_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (icmp[1] != 0 ||
        checksum_finish(checksum_add(pseudo_sum, icmp, ret_packet->upper_size_bytes)) != 0) {
        return DP_DROP_ICMP;
    }
    switch (icmp[0]) {
    case ICMPV6_ECHO_REQUEST:
        ret_packet->kind = PACKET_ECHO_IPV6;
        return is_unspecified(ret_packet->from.ip) ? DP_DROP_IP_HEADER : DP_DROP_NONE;
    case ICMPV6_SOLICITATION:
    case ICMPV6_ADVERTISEMENT:
        return discovery_parse(input, icmp, ret_packet);
    default:
        return DP_DROP_ICMP;
    }
}

/* Length, checksum and padding of the ICMPv6 message in place. */
static uint32_t icmpv6_finish(uint8_t *data, uint32_t size)
{
    uint8_t *icmp = data + ICMPV6_OFFSET;
    ipv6_finish(data, size);
    memset(icmp + 2, 0, 2);
    uint64_t sum = checksum_pseudo(icmp - 32, 32, IP_PROTOCOL_ICMPV6, size);
    uint16_t checksum = checksum_finish(checksum_add(sum, icmp, size));
    memcpy(icmp + 2, &checksum, sizeof(checksum));
    return ethernet_pad(data, ICMPV6_OFFSET + size);
}

uint32_t icmpv6_answer_echo(const struct packet_self *self, const struct packet *packet,
                            uint8_t *data)
{
    ethernet_write(self, data + 6, ETHERTYPE_IPV6, data);
    ipv6_write(self, packet->from.ip, IP_PROTOCOL_ICMPV6, data);
    data[ICMPV6_OFFSET] = ICMPV6_ECHO_REPLY;
    return icmpv6_finish(data, packet->upper_size_bytes);
}

static void discovery_write(uint8_t type, uint32_t flags, const uint8_t target[16],
                            const uint8_t mac[MAC_SIZE_BYTES], uint8_t *icmp)
{
    icmp[0] = type;
    icmp[1] = 0;
    be32_store(icmp + 4, flags);
    memcpy(icmp + 8, target, 16);
    icmp[24] =
        type == ICMPV6_SOLICITATION ? DISCOVERY_OPTION_SOURCE_MAC : DISCOVERY_OPTION_TARGET_MAC;
    icmp[25] = 1;
    memcpy(icmp + 26, mac, MAC_SIZE_BYTES);
}

static uint32_t advertisement_write(const struct packet_self *self, const uint8_t to[16],
                                    uint32_t flags, uint8_t *data)
{
    ipv6_write(self, to, IP_PROTOCOL_ICMPV6, data);
    discovery_write(ICMPV6_ADVERTISEMENT, flags | ADVERTISEMENT_OVERRIDE, self->ipv6, self->mac,
                    data + ICMPV6_OFFSET);
    return icmpv6_finish(data, DISCOVERY_SIZE_BYTES + DISCOVERY_OPTION_SIZE_BYTES);
}

uint32_t icmpv6_write_announcement(const struct packet_self *self, uint8_t *data)
{
    static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
    static const uint8_t all_nodes_mac[MAC_SIZE_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
    ethernet_write(self, all_nodes_mac, ETHERTYPE_IPV6, data);
    return advertisement_write(self, all_nodes, 0, data);
}

uint32_t icmpv6_answer_solicitation(const struct packet_self *self, const struct packet *packet,
                                    uint8_t *data)
{
    if (!packet->has_neighbour) {
        /* A node that probes for its future address has none yet: everybody is told. */
        return icmpv6_write_announcement(self, data);
    }
    ethernet_write(self, packet->neighbour_mac, ETHERTYPE_IPV6, data);
    return advertisement_write(self, packet->from.ip, ADVERTISEMENT_SOLICITED, data);
}

uint32_t icmpv6_write_query(const struct packet_self *self, const uint8_t ipv6[16], uint8_t *data)
{
    uint8_t group[16] = {
        0xff, 2, [11] = 1, [12] = 0xff, [13] = ipv6[13], [14] = ipv6[14], [15] = ipv6[15]};
    uint8_t group_mac[MAC_SIZE_BYTES] = {0x33, 0x33, 0xff, ipv6[13], ipv6[14], ipv6[15]};
    ethernet_write(self, group_mac, ETHERTYPE_IPV6, data);
    ipv6_write(self, group, IP_PROTOCOL_ICMPV6, data);
    discovery_write(ICMPV6_SOLICITATION, 0, ipv6, self->mac, data + ICMPV6_OFFSET);
    return icmpv6_finish(data, DISCOVERY_SIZE_BYTES + DISCOVERY_OPTION_SIZE_BYTES);
}
