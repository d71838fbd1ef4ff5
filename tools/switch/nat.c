/* Headers written and read; the offsets are those of the RFCs. */
#include "tools/switch/nat.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <string.h>

#define ETHERTYPE_IPV4   0x0800
#define ETHERTYPE_ARP    0x0806
#define IP_OFFSET        14
#define UDP_OFFSET       34
#define IP_HEADER_BYTES  20
#define UDP_HEADER_BYTES 8
#define IP_PROTOCOL_UDP  17

static const uint8_t network[3] = {10, 77, 0};
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint16_t load16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static void store16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

uint64_t nat_sum(uint64_t sum, const uint8_t *data, size_t size_bytes)
{
    size_t at = 0;
    /* Words of 4 bytes in memory order: the sum is independent of byte order (RFC 1071, 2B). */
    for (; at + 4 <= size_bytes; at += 4) {
        uint32_t word;
        memcpy(&word, data + at, sizeof(word));
        sum += word;
    }
    if (at < size_bytes) {
        uint32_t word = 0;
        memcpy(&word, data + at, size_bytes - at);
        sum += word;
    }
    return sum;
}

uint16_t nat_fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~sum;
}

/* Checksum of a UDP datagram with its pseudo header, in memory order; 0 if it is right as it is. */
static uint16_t nat_udp_checksum(const uint8_t *ip, uint16_t udp_size_bytes)
{
    uint64_t sum = nat_sum(0, ip + 12, 8);
    sum += htons(IP_PROTOCOL_UDP);
    sum += htons(udp_size_bytes);
    return nat_fold(nat_sum(sum, ip + IP_HEADER_BYTES, udp_size_bytes));
}

static void ip_header_write(uint8_t *ip, const struct nat_flow *flow, uint16_t total_bytes)
{
    memset(ip, 0, IP_HEADER_BYTES);
    ip[0] = 0x45;
    store16(ip + 2, total_bytes);
    ip[6] = 0x40; /* don't fragment */
    ip[8] = 64;
    ip[9] = IP_PROTOCOL_UDP;
    memcpy(ip + 12, network, 3);
    ip[15] = flow->source_host;
    memcpy(ip + 16, network, 3);
    ip[19] = flow->destination_host;
    uint16_t checksum = nat_fold(nat_sum(0, ip, IP_HEADER_BYTES));
    memcpy(ip + 10, &checksum, sizeof(checksum));
}

void nat_header_write(uint8_t *frame, const struct nat_flow *flow, uint32_t payload_size_bytes)
{
    CHECK(payload_size_bytes <= NAT_PAYLOAD_BYTES_MAX);
    uint16_t udp_bytes = (uint16_t)(UDP_HEADER_BYTES + payload_size_bytes);
    memcpy(frame, flow->destination_mac, 6);
    memcpy(frame + 6, flow->source_mac, 6);
    store16(frame + 12, ETHERTYPE_IPV4);
    ip_header_write(frame + IP_OFFSET, flow, (uint16_t)(IP_HEADER_BYTES + udp_bytes));
    uint8_t *udp = frame + UDP_OFFSET;
    store16(udp, flow->source_port);
    store16(udp + 2, flow->destination_port);
    store16(udp + 4, udp_bytes);
    store16(udp + 6, 0);
    uint16_t checksum = nat_udp_checksum(frame + IP_OFFSET, udp_bytes);
    checksum = checksum == 0 ? 0xffff : checksum; /* 0 would say "no checksum" */
    memcpy(udp + 6, &checksum, sizeof(checksum));
}

/* The IP header of a UDP frame, checked; its total length fits the frame. */
static enum error ip_header_check(struct span frame, uint16_t *ret_total_bytes)
{
    if (frame.size_bytes < ETHERNET_HEADER_BYTES) {
        return ERR_SHORT;
    }
    if (load16(frame.data + 12) != ETHERTYPE_IPV4) {
        return ERR_TYPE;
    }
    if (frame.size_bytes < NAT_HEADER_SIZE_BYTES) {
        return ERR_SHORT;
    }
    const uint8_t *ip = frame.data + IP_OFFSET;
    if (ip[0] != 0x45 || ip[9] != IP_PROTOCOL_UDP || (load16(ip + 6) & 0x3fff) != 0) {
        return ERR_TYPE;
    }
    if (nat_fold(nat_sum(0, ip, IP_HEADER_BYTES)) != 0) {
        return ERR_CHECKSUM;
    }
    uint16_t total_bytes = load16(ip + 2);
    if (total_bytes > frame.size_bytes - IP_OFFSET) {
        return ERR_SHORT;
    }
    if (total_bytes < IP_HEADER_BYTES + UDP_HEADER_BYTES) {
        return ERR_CORRUPT;
    }
    *ret_total_bytes = total_bytes;
    return OK;
}

enum error nat_frame_read(struct span frame, struct nat_flow *ret_flow, struct span *ret_payload)
{
    uint16_t total_bytes = 0;
    enum error error = ip_header_check(frame, &total_bytes);
    if (error != OK) {
        return error;
    }
    const uint8_t *ip = frame.data + IP_OFFSET;
    const uint8_t *udp = frame.data + UDP_OFFSET;
    if (memcmp(ip + 12, network, 3) != 0 || memcmp(ip + 16, network, 3) != 0) {
        return ERR_RANGE;
    }
    if (load16(udp + 4) != total_bytes - IP_HEADER_BYTES) {
        return ERR_CORRUPT;
    }
    if (load16(udp + 6) != 0 && nat_udp_checksum(ip, load16(udp + 4)) != 0) {
        return ERR_CHECKSUM;
    }
    memcpy(ret_flow->destination_mac, frame.data, 6);
    memcpy(ret_flow->source_mac, frame.data + 6, 6);
    ret_flow->source_host = ip[15];
    ret_flow->destination_host = ip[19];
    ret_flow->source_port = load16(udp);
    ret_flow->destination_port = load16(udp + 2);
    *ret_payload = span_of(udp + UDP_HEADER_BYTES, load16(udp + 4) - UDP_HEADER_BYTES);
    return OK;
}

enum error nat_arp_read(struct span frame, struct nat_arp *ret_arp)
{
    static const uint8_t over_ethernet[6] = {0, 1, 0x08, 0x00, 6, 4};
    if (frame.size_bytes < NAT_ARP_SIZE_BYTES) {
        return ERR_SHORT;
    }
    const uint8_t *arp = frame.data + ETHERNET_HEADER_BYTES;
    uint16_t operation = load16(arp + 6);
    if (load16(frame.data + 12) != ETHERTYPE_ARP ||
        memcmp(arp, over_ethernet, sizeof(over_ethernet)) != 0 || operation < 1 || operation > 2) {
        return ERR_TYPE;
    }
    if (memcmp(arp + 14, network, 3) != 0 || memcmp(arp + 24, network, 3) != 0) {
        return ERR_RANGE;
    }
    ret_arp->is_request = operation == 1;
    memcpy(ret_arp->sender_mac, arp + 8, 6);
    ret_arp->sender_host = arp[17];
    ret_arp->target_host = arp[27];
    return OK;
}

void nat_arp_write(uint8_t *frame, const struct nat_arp *arp, const uint8_t target_mac[6])
{
    static const uint8_t over_ethernet[6] = {0, 1, 0x08, 0x00, 6, 4};
    uint8_t *body = frame + ETHERNET_HEADER_BYTES;
    memset(frame, 0, NAT_ARP_SIZE_BYTES);
    memcpy(frame, arp->is_request ? broadcast : target_mac, 6);
    memcpy(frame + 6, arp->sender_mac, 6);
    store16(frame + 12, ETHERTYPE_ARP);
    memcpy(body, over_ethernet, sizeof(over_ethernet));
    store16(body + 6, arp->is_request ? 1 : 2);
    memcpy(body + 8, arp->sender_mac, 6);
    memcpy(body + 14, network, 3);
    body[17] = arp->sender_host;
    if (!arp->is_request) {
        memcpy(body + 18, target_mac, 6);
    }
    memcpy(body + 24, network, 3);
    body[27] = arp->target_host;
}
