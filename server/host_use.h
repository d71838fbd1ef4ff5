/*
 * What the kernel uses a network card for, so that nobody is told to take away the card by which
 * the machine is reached. The interfaces of a card count, and those above them: a bridge, a bond, a
 * VLAN.
 *
 * Main thread. Sources: proc(5) (/proc/net/route, tcp); the kernel's net/ipv6/route.c (ipv6_route);
 * Documentation/ABI/testing/sysfs-class-net.
 */
#ifndef POLLUX_SERVER_HOST_USE_H
#define POLLUX_SERVER_HOST_USE_H

#include "base/address_text.h"
#include "server/host.h"

enum host_use_kind {
    HOST_USE_UNSEEN,  /* no interface, or no routes, can be seen: somebody may use it */
    HOST_USE_NONE,    /* it has no address */
    HOST_USE_SOME,    /* it has an address, or carries another interface */
    HOST_USE_SESSION, /* an open TCP connection of this machine goes through it: a login, perhaps */
    HOST_USE_DEFAULT  /* it carries the default route */
};

struct host_use {
    enum host_use_kind kind;
    char interface[HOST_ENTRY_BYTES]; /* the kernel's name of it; empty: none */
    char peer[ADDRESS_IP_TEXT_BYTES]; /* the other end of that connection */
};

/* `address`: of a device of PCI. */
void host_use_look(const struct host *host, const char *address, struct host_use *ret_use);

/* This machine is reached through it: it must not be taken from the kernel. */
bool host_use_is_needed(const struct host_use *use);

#endif
