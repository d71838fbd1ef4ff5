/* A UDP endpoint, as any layer may hold and compare it without knowing a socket or a frame. */
#ifndef POLLUX_BASE_ADDRESS_H
#define POLLUX_BASE_ADDRESS_H

#include "base/span.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whoever is there receives what is sent there. */
#define ADDRESS_PROVEN UINT16_MAX

/* IPv4 is held mapped (::ffff:a.b.c.d). `port` is in host order. Zero-filled is "no address".
 * `room`: of a client's address that a packet came from: how many bytes may be sent there in answer
 * (server/proof.h). `via`: likewise, the node that relays what comes from there and goes there; 0:
 * nobody does. `packet_bytes`: likewise, the largest packets that may be sent there, as the client
 * has found out; 0: those that every path carries. None of the three is a part of the address. All
 * in all it is three words. */
struct address {
    alignas(8) uint8_t ip[16];
    uint16_t port;
    uint16_t room;
    uint16_t via;
    uint16_t packet_bytes;
};

static inline bool address_is_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Whether a node with this address, and with so many ports from it on, would be in the place of the
 * other one. */
static inline bool address_is_clash(const struct address *a, const struct address *b,
                                    uint16_t port_count)
{
    int distance = a->port - b->port;
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && distance < port_count &&
           -distance < port_count;
}

static inline bool address_is_ipv4(const struct address *address)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address->ip, prefix, sizeof(prefix)) == 0;
}

static inline struct address address_of_ipv4(const uint8_t ipv4[4], uint16_t port)
{
    struct address address = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};
    memcpy(address.ip + 12, ipv4, 4);
    return address;
}

/* IPv6, or IPv4 mapped. */
static inline struct address address_of_ip(const uint8_t ip[16], uint16_t port)
{
    struct address address = {.port = port};
    memcpy(address.ip, ip, sizeof(address.ip));
    return address;
}

/* What one host has: an IPv4 address, or the first 64 bits of an IPv6 one. Borrowed. */
static inline struct span address_host(const struct address *address)
{
    size_t size = address_is_ipv4(address) ? sizeof(address->ip) : sizeof(address->ip) / 2;
    return span_of(address->ip, size);
}

#endif
