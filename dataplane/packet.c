/* Ethernet: the outermost header, and the dispatch to the protocol within. */
#include "dataplane/packet.h"

#include "base/check.h"
#include "dataplane/be.h"
#include "dataplane/packet_internal.h"

#include <string.h>

static_assert(IPV6_HEADER_SIZE_BYTES + UDP_HEADER_SIZE_BYTES == PACKET_FRONT_SIZE_BYTES &&
                  IPV4_HEADER_SIZE_BYTES + UDP_HEADER_SIZE_BYTES <= PACKET_FRONT_SIZE_BYTES,
              "a packet of a size fits the MTU that the size is for");

void ethernet_write(const struct packet_self *self, const uint8_t to_mac[MAC_SIZE_BYTES],
                    uint16_t ethertype, uint8_t *data)
{
    memmove(data, to_mac, MAC_SIZE_BYTES);
    memcpy(data + 6, self->mac, MAC_SIZE_BYTES);
    be16_store(data + 12, ethertype);
}

uint32_t ethernet_pad(uint8_t *data, uint32_t size_bytes)
{
    if (size_bytes >= ETHERNET_FRAME_SIZE_BYTES_MIN) {
        return size_bytes;
    }
    memset(data + size_bytes, 0, ETHERNET_FRAME_SIZE_BYTES_MIN - size_bytes);
    return ETHERNET_FRAME_SIZE_BYTES_MIN;
}

static bool is_for_us(const struct packet_self *self, const uint8_t mac[MAC_SIZE_BYTES])
{
    /* Broadcast and multicast go on: the layer above knows which of them concern us. */
    return memcmp(mac, self->mac, MAC_SIZE_BYTES) == 0 || mac_is_multicast(mac);
}

enum dp_drop packet_parse(const struct packet_self *self, struct span frame, uint32_t trust,
                          struct packet *ret_packet)
{
    if (frame.size_bytes < ETHERNET_HEADER_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (!is_for_us(self, frame.data) || mac_is_multicast(frame.data + 6)) {
        return DP_DROP_FRAME_OTHER_MAC;
    }
    struct packet_input input = {
        .self = self, .data = frame.data, .size_bytes = (uint32_t)frame.size_bytes, .trust = trust};
    switch (be16_load(frame.data + 12)) {
    case ETHERTYPE_IPV4:
        return ipv4_parse(&input, ret_packet);
    case ETHERTYPE_IPV6:
        return ipv6_parse(&input, ret_packet);
    case ETHERTYPE_ARP:
        return arp_parse(&input, ret_packet);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
        return DP_DROP_VLAN;
    default:
        return DP_DROP_ETHERTYPE;
    }
}

bool packet_untag(uint8_t *data, uint32_t size_bytes)
{
    if (size_bytes < ETHERNET_HEADER_SIZE_BYTES + VLAN_TAG_SIZE_BYTES ||
        be16_load(data + 12) != ETHERTYPE_VLAN || !packet_is_untagged(be16_load(data + 14))) {
        return false;
    }
    memmove(data + VLAN_TAG_SIZE_BYTES, data, 2 * MAC_SIZE_BYTES);
    return true;
}

uint32_t packet_answer(const struct packet_self *self, const struct packet *packet, uint8_t *data)
{
    switch (packet->kind) {
    case PACKET_ARP_REQUEST:
        return arp_answer(self, data);
    case PACKET_SOLICITATION:
        return icmpv6_answer_solicitation(self, packet, data);
    case PACKET_ECHO_IPV4:
        return icmp_answer(self, packet, data);
    case PACKET_ECHO_IPV6:
        return icmpv6_answer_echo(self, packet, data);
    case PACKET_UDP:
    case PACKET_NEIGHBOUR_NEWS:
        break;
    }
    CHECK(packet->kind != PACKET_UDP && packet->kind != PACKET_NEIGHBOUR_NEWS);
    return 0;
}

uint32_t packet_write_query(const struct packet_self *self, const uint8_t ip[16], uint8_t *data)
{
    struct address target = address_of_ip(ip, 0);
    return address_is_ipv4(&target) ? arp_write_query(self, ip + 12, data)
                                    : icmpv6_write_query(self, ip, data);
}

uint32_t packet_write_announcement(const struct packet_self *self, bool is_ipv4, uint8_t *data)
{
    return is_ipv4 ? arp_write_announcement(self, data) : icmpv6_write_announcement(self, data);
}
