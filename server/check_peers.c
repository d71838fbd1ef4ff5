/* Peers whose addresses cannot be, or cannot be reached: see check.h. */
#include "server/check_internal.h"

#include "base/address_text.h"

#include <string.h>

static bool is_one_ip(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, 16) == 0;
}

/* A node's port answers for its whole address. */
static void check_addresses(struct check *check)
{
    const struct config *config = check->config;
    char text[ADDRESS_IP_TEXT_BYTES];
    for (uint32_t i = 0; i < config->peer_count; i++) {
        for (uint32_t j = i + 1; j < config->peer_count; j++) {
            const struct config_peer *a = &config->peers[i];
            const struct config_peer *b = &config->peers[j];
            if (is_one_ip(a->address.ip, b->address.ip))
                check_wrong(check, "[peers]",
                            "%u and %u have one address, %s: each node answers for its "
                            "whole address; give them different ones",
                            a->id, b->id, address_ip_text(a->address.ip, text));
        }
    }
}

static bool is_in_network(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint32_t bytes = bits / 8;
    uint8_t mask = (uint8_t)(0xff00u >> bits % 8);
    return memcmp(a, b, bytes) == 0 && (bits % 8 == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

static void check_reach(struct check *check, const struct config_peer *self,
                        const struct config_peer *peer)
{
    static const uint8_t none[16];
    const struct config *config = check->config;
    char text[ADDRESS_IP_TEXT_BYTES];
    char subject[64];
    bool is_ipv4 = address_is_ipv4(&peer->address);
    snprintf(subject, sizeof(subject), "[peers] %u = %s", peer->id,
             address_ip_text(peer->address.ip, text));
    if (is_ipv4 && !address_is_ipv4(&self->address))
        check_wrong(check, subject, "this node has no IPv4 address, see [peers] %u", self->id);
    else if (!is_ipv4 && address_is_ipv4(&self->address) && is_one_ip(config->ipv6.ip, none))
        check_wrong(check, subject, "this node has no IPv6 address: set [port] ipv6");
    else if (is_ipv4 && memcmp(config->gateway_ipv4, none, 4) == 0 &&
             !is_in_network(peer->address.ip + 12, self->address.ip + 12, config->ipv4_prefix_bits))
        check_wrong(check, subject,
                    "outside the network of this node, and there is no router: correct [port] "
                    "netmask_bits = %u, or set [port] gateway",
                    config->ipv4_prefix_bits);
}

void check_peers(struct check *check)
{
    const struct config *config = check->config;
    const struct config_peer *self = config_self(config);
    char text[ADDRESS_IP_TEXT_BYTES];
    uint32_t wrong = check_findings_count(check->findings, CHECK_WRONG);
    check_addresses(check);
    for (uint32_t i = 0; i < config->peer_count; i++) {
        const struct config_peer *peer = &config->peers[i];
        if (peer == self)
            continue;
        if (is_one_ip(peer->address.ip, config->ipv6.ip))
            check_wrong(check, "[port] ipv6", "%s is the address of [peers] %u",
                        address_ip_text(peer->address.ip, text), peer->id);
        check_reach(check, self, peer);
    }
    if (check_findings_count(check->findings, CHECK_WRONG) == wrong)
        check_good(check, "[peers]",
                   "%u nodes, each with an address of its own; this one is %u, %s",
                   config->peer_count, self->id, address_ip_text(self->address.ip, text));
}
