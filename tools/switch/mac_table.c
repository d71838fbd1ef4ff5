/* The learning table of the bridge. */
#include "tools/switch/mac_table.h"

#include <assert.h>
#include <string.h>

static_assert((MAC_TABLE_SLOTS & (MAC_TABLE_SLOTS - 1)) == 0, "slots are indexed by a mask");

static uint64_t mac_number(const uint8_t mac[6])
{
    uint64_t number = 0;
    memcpy(&number, mac, 6);
    return number;
}

static uint32_t slot_of(uint64_t number, uint32_t probe)
{
    /* Multiplicative hashing: consecutive addresses must not share their neighbourhood. */
    uint64_t hash = number * 0x9e3779b97f4a7c15ULL;
    return ((uint32_t)(hash >> 40) + probe) & (MAC_TABLE_SLOTS - 1);
}

void mac_table_init(struct mac_table *table)
{
    memset(table, 0, sizeof(*table));
}

void mac_table_learn(struct mac_table *table, const uint8_t mac[6], uint32_t port, uint64_t now_ns)
{
    uint64_t number = mac_number(mac);
    if (number == 0 || mac_is_group(mac)) {
        return;
    }
    struct mac_entry *victim = &table->entries[slot_of(number, 0)];
    for (uint32_t probe = 0; probe < MAC_TABLE_PROBES; probe++) {
        struct mac_entry *entry = &table->entries[slot_of(number, probe)];
        if (entry->mac == number) {
            victim = entry;
            break;
        }
        /* A free slot has seen_ns 0, so it is older than any other. */
        if (entry->seen_ns < victim->seen_ns) {
            victim = entry;
        }
    }
    *victim = (struct mac_entry){.mac = number, .seen_ns = now_ns, .port = port};
}

uint32_t mac_table_find(const struct mac_table *table, const uint8_t mac[6], uint64_t now_ns)
{
    uint64_t number = mac_number(mac);
    for (uint32_t probe = 0; probe < MAC_TABLE_PROBES; probe++) {
        const struct mac_entry *entry = &table->entries[slot_of(number, probe)];
        if (entry->mac == number && number != 0) {
            return now_ns < entry->seen_ns + MAC_AGE_NS ? entry->port : MAC_PORT_NONE;
        }
    }
    return MAC_PORT_NONE;
}

void mac_table_forget_port(struct mac_table *table, uint32_t port)
{
    for (uint32_t slot = 0; slot < MAC_TABLE_SLOTS; slot++) {
        if (table->entries[slot].mac != 0 && table->entries[slot].port == port) {
            table->entries[slot] = (struct mac_entry){0};
        }
    }
}
