/*
 * ARP for IPv4 over Ethernet (RFC 826). Behind the Ethernet header: hardware type 2, protocol type
 * 2, two length bytes, operation 2, then MAC and IP of the sender and of the target.
 */
#include "dataplane/be.h"
#include "dataplane/packet_internal.h"

#include <string.h>

#define ARP_SIZE_BYTES 28
#define ARP_OFFSET     ETHERNET_HEADER_SIZE_BYTES
#define ARP_REQUEST    1
#define ARP_REPLY      2

static const uint8_t arp_prefix[6] = {0, 1, 8, 0, MAC_SIZE_BYTES, 4};
static const uint8_t mac_broadcast[MAC_SIZE_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static enum dp_drop arp_classify(const struct packet_self *self, const uint8_t *arp,
                                 struct packet *ret_packet)
{
    bool is_to_us = self->has_ipv4 && memcmp(arp + 24, self->ipv4, 4) == 0;
    switch (be16_load(arp + 6)) {
    case ARP_REQUEST:
        if (is_to_us) {
            ret_packet->kind = PACKET_ARP_REQUEST;
            return DP_DROP_NONE;
        }
        ret_packet->kind = PACKET_NEIGHBOUR_NEWS;
        /* A sender that asks for itself announces itself; any other question is not for us. */
        return memcmp(arp + 14, arp + 24, 4) == 0 ? DP_DROP_NONE : DP_DROP_IP_OTHER;
    case ARP_REPLY:
        ret_packet->kind = PACKET_NEIGHBOUR_NEWS;
        return is_to_us || memcmp(arp + 14, arp + 24, 4) == 0 ? DP_DROP_NONE : DP_DROP_IP_OTHER;
    default:
        return DP_DROP_ARP;
    }
}

enum dp_drop arp_parse(const struct packet_input *input, struct packet *ret_packet)
{
    static const uint8_t nobody[4] = {0};
    const uint8_t *arp = input->data + ARP_OFFSET;
    if (input->size_bytes < ARP_OFFSET + ARP_SIZE_BYTES) {
        return DP_DROP_FRAME_SHORT;
    }
    if (memcmp(arp, arp_prefix, sizeof(arp_prefix)) != 0 || mac_is_multicast(arp + 8)) {
        return DP_DROP_ARP;
    }
    if (input->self->has_ipv4 && memcmp(arp + 14, input->self->ipv4, 4) == 0) {
        /* Somebody else claims our address: nothing good comes of believing or answering it. */
        return DP_DROP_ARP;
    }
    ret_packet->is_ipv4 = true;
    ret_packet->from = address_of_ipv4(arp + 14, 0);
    /* A probe (RFC 5227) has no sender address yet: answered, but nothing is learnt. */
    ret_packet->has_neighbour = memcmp(arp + 14, nobody, 4) != 0;
    memcpy(ret_packet->neighbour_mac, arp + 8, MAC_SIZE_BYTES);
    return arp_classify(input->self, arp, ret_packet);
}

uint32_t arp_answer(const struct packet_self *self, uint8_t *data)
{
    uint8_t *arp = data + ARP_OFFSET;
    ethernet_write(self, arp + 8, ETHERTYPE_ARP, data);
    be16_store(arp + 6, ARP_REPLY);
    memmove(arp + 18, arp + 8, MAC_SIZE_BYTES + 4);
    memcpy(arp + 8, self->mac, MAC_SIZE_BYTES);
    memcpy(arp + 14, self->ipv4, 4);
    return ethernet_pad(data, ARP_OFFSET + ARP_SIZE_BYTES);
}

uint32_t arp_write_query(const struct packet_self *self, const uint8_t ipv4[4], uint8_t *data)
{
    uint8_t *arp = data + ARP_OFFSET;
    ethernet_write(self, mac_broadcast, ETHERTYPE_ARP, data);
    memcpy(arp, arp_prefix, sizeof(arp_prefix));
    be16_store(arp + 6, ARP_REQUEST);
    memcpy(arp + 8, self->mac, MAC_SIZE_BYTES);
    memcpy(arp + 14, self->ipv4, 4);
    memset(arp + 18, 0, MAC_SIZE_BYTES);
    memcpy(arp + 24, ipv4, 4);
    return ethernet_pad(data, ARP_OFFSET + ARP_SIZE_BYTES);
}

uint32_t arp_write_announcement(const struct packet_self *self, uint8_t *data)
{
    return arp_write_query(self, self->ipv4, data);
}
