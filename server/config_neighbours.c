/* The section [neighbours]: addresses on the link whose MAC is given. */
#include "server/config_neighbours.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <string.h>

#define MULTICAST_BIT 1u /* of the first byte */

static bool parse_ip(const char *text, uint8_t ret_ip[16])
{
    uint8_t ipv4[4];
    if (inet_pton(AF_INET, text, ipv4) == 1) {
        struct address address = address_of_ipv4(ipv4, 0);
        memcpy(ret_ip, address.ip, 16);
        return true;
    }
    return inet_pton(AF_INET6, text, ret_ip) == 1;
}

static bool parse_mac(const char *text, uint8_t ret_mac[6])
{
    static const uint8_t none[6];
    struct ether_addr mac;
    if (strlen(text) != sizeof("00:00:00:00:00:00") - 1 || ether_aton_r(text, &mac) == NULL)
        return false;
    memcpy(ret_mac, mac.ether_addr_octet, 6);
    return memcmp(ret_mac, none, 6) != 0 && (ret_mac[0] & MULTICAST_BIT) == 0;
}

bool config_store_neighbour(struct config *config, const char *value)
{
    struct dp_neighbour neighbour;
    char ip[INET6_ADDRSTRLEN];
    size_t length = strcspn(value, " ");
    if (config->neighbour_count == DP_NEIGHBOURS_PINNED_MAX || length >= sizeof(ip))
        return false;
    memcpy(ip, value, length);
    ip[length] = '\0';
    const char *mac = value + length + strspn(value + length, " ");
    if (!parse_ip(ip, neighbour.ip) || !parse_mac(mac, neighbour.mac))
        return false;
    for (uint32_t i = 0; i < config->neighbour_count; i++) {
        if (memcmp(config->neighbours[i].ip, neighbour.ip, 16) == 0)
            return false;
    }
    config->neighbours[config->neighbour_count++] = neighbour;
    return true;
}
