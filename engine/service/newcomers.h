/*
 * Who has opened sessions and not used them, as the leader sees it: what a host that nobody knows
 * may take of the session table. A table of addresses and one of hosts, both fixed: a stranger
 * takes no memory. Counts are estimates: they fall by half in each NEWCOMER_HALF_NS, and a table
 * that has no place gives that of whoever counts least.
 *
 * A host may have as many unused sessions as are free, so it leaves half of the table to others
 * whatever it sends; NEWCOMER_SESSIONS_MIN are granted to each. An address (a host and a port: one
 * handle) may have that many. When the table is three quarters full, sessions that were not used
 * for NEWCOMER_UNUSED_NS are ended by the leader (engine/service/idle.h).
 *
 * Owner: the lane of the engine. Nothing here is replicated.
 */
#ifndef POLLUX_ENGINE_SERVICE_NEWCOMERS_H
#define POLLUX_ENGINE_SERVICE_NEWCOMERS_H

#include "base/address.h"
#include "base/siphash.h"

#include <assert.h> /* static_assert */
#include <stdbool.h>
#include <stdint.h>

#define NEWCOMERS_MAX         256u /* of each table; a power of two */
#define NEWCOMER_SESSIONS_MIN 64u
#define NEWCOMER_HALF_NS      UINT64_C(5000000000)
#define NEWCOMER_UNUSED_NS    UINT64_C(5000000000)

struct newcomer {
    uint64_t name; /* hash of address or host; 0: the place is free */
    uint32_t unused;
};

struct newcomers {
    struct siphash_key key;
    uint64_t halved_ns;
    struct newcomer addresses[NEWCOMERS_MAX];
    struct newcomer hosts[NEWCOMERS_MAX];
};

void newcomers_init(struct newcomers *newcomers, const struct siphash_key *key);

/* So many sessions are to be opened, while `free_count` are free. True: they may, and count. */
bool newcomers_admit(struct newcomers *newcomers, const struct address *from, uint32_t count,
                     uint32_t free_count);
/* One of them is used now, or was closed. */
void newcomers_used(struct newcomers *newcomers, const struct address *from);
/* Time goes on. */
void newcomers_turn(struct newcomers *newcomers, uint64_t now_ns);

#endif
