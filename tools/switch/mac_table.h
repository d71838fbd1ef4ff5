/*
 * Where each Ethernet address was last seen: a bounded hash table, as any learning bridge has (IEEE
 * 802.1D, 7.8). A full neighbourhood of slots gives up its oldest entry, so it never refuses.
 *
 * Pure. Owner: one thread.
 */
#ifndef POLLUX_TOOLS_SWITCH_MAC_TABLE_H
#define POLLUX_TOOLS_SWITCH_MAC_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#define MAC_TABLE_SLOTS  1024 /* a power of two */
#define MAC_TABLE_PROBES 8
#define MAC_AGE_NS       (300ULL * 1000 * 1000 * 1000)
#define MAC_PORT_NONE    UINT32_MAX

struct mac_entry {
    uint64_t mac; /* 48 bits; 0: free */
    uint64_t seen_ns;
    uint32_t port;
};

struct mac_table {
    struct mac_entry entries[MAC_TABLE_SLOTS];
};

void mac_table_init(struct mac_table *table);

/* Notes that frames from `mac` arrive at `port`. Group addresses and the zero address are
 * ignored. */
void mac_table_learn(struct mac_table *table, const uint8_t mac[6], uint32_t port, uint64_t now_ns);

/* The port of `mac`, or MAC_PORT_NONE when it is unknown or not seen for MAC_AGE_NS. */
uint32_t mac_table_find(const struct mac_table *table, const uint8_t mac[6], uint64_t now_ns);

/* Forgets everything learned at `port` (its link went down). */
void mac_table_forget_port(struct mac_table *table, uint32_t port);

static inline bool mac_is_group(const uint8_t mac[6])
{
    return (mac[0] & 1) != 0;
}

#endif
