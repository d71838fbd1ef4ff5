/* Unused sessions by address and host: see engine/service/newcomers.h. */
#include "engine/service/newcomers.h"

#include "base/le.h"

static_assert((NEWCOMERS_MAX & (NEWCOMERS_MAX - 1)) == 0, "places are found by a mask");

void newcomers_init(struct newcomers *newcomers, const struct siphash_key *key)
{
    *newcomers = (struct newcomers){.key = *key};
}

/* Under IPv6 a host has a whole network of 64 bits. */
static uint64_t host_name(const struct newcomers *newcomers, const struct address *from)
{
    uint64_t name = siphash_u64(&newcomers->key, le64_load(from->ip));
    if (address_is_ipv4(from))
        name = siphash_u64(&newcomers->key, name ^ le64_load(from->ip + 8));
    return name | 1;
}

static uint64_t address_name(const struct newcomers *newcomers, const struct address *from)
{
    uint64_t name = siphash_u64(&newcomers->key, le64_load(from->ip)) ^ le64_load(from->ip + 8);
    return (siphash_u64(&newcomers->key, name) ^ from->port) | 1;
}

/* The place of the name: its own, a free one, or the one of two that counts less. */
static struct newcomer *newcomer_of(struct newcomer *table, uint64_t name)
{
    struct newcomer *first = &table[name >> 8 & (NEWCOMERS_MAX - 1)];
    struct newcomer *second = &table[name >> 32 & (NEWCOMERS_MAX - 1)];
    if (first->name == name || second->name == name)
        return first->name == name ? first : second;
    struct newcomer *place = first->unused <= second->unused ? first : second;
    *place = (struct newcomer){.name = name};
    return place;
}

bool newcomers_admit(struct newcomers *newcomers, const struct address *from, uint32_t count,
                     uint32_t free_count)
{
    struct newcomer *address = newcomer_of(newcomers->addresses, address_name(newcomers, from));
    struct newcomer *host = newcomer_of(newcomers->hosts, host_name(newcomers, from));
    uint32_t host_max = free_count > NEWCOMER_SESSIONS_MIN ? free_count : NEWCOMER_SESSIONS_MIN;
    if (address->unused + count > NEWCOMER_SESSIONS_MIN || host->unused + count > host_max)
        return false;
    address->unused += count;
    host->unused += count;
    return true;
}

void newcomers_used(struct newcomers *newcomers, const struct address *from)
{
    struct newcomer *address = newcomer_of(newcomers->addresses, address_name(newcomers, from));
    struct newcomer *host = newcomer_of(newcomers->hosts, host_name(newcomers, from));
    address->unused -= address->unused > 0;
    host->unused -= host->unused > 0;
}

void newcomers_turn(struct newcomers *newcomers, uint64_t now_ns)
{
    if (now_ns - newcomers->halved_ns < NEWCOMER_HALF_NS)
        return;
    newcomers->halved_ns = now_ns;
    for (uint32_t i = 0; i < NEWCOMERS_MAX; i++) {
        newcomers->addresses[i].unused /= 2;
        newcomers->hosts[i].unused /= 2;
    }
}
