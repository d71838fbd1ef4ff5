/*
 * How many bytes a lane may spend for hosts in a second: so many for each host, and eight times as
 * many for all of them together. A host is an IPv4 address or the first 64 bits of an IPv6 one.
 * Hosts share the places of a table, so one may find its share used up by another one; no place is
 * ever looked for.
 *
 * All memory is taken at the start. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_HOST_BUDGET_H
#define POLLUX_SERVER_HOST_BUDGET_H

#include "base/address.h"
#include "base/error.h"
#include "base/siphash.h"

#define HOST_BUDGET_HOSTS 1024u
/* The budget of all is so many times that of a host. */
#define HOSTS_AT_ONCE 8u

struct secret;

struct host_budget {
    uint64_t rate;                        /* bytes a second for a host; 0: nobody has a budget */
    uint64_t all_ns;                      /* when the budget of all is whole again */
    struct siphash_key key;               /* who is in which place nobody outside knows */
    uint64_t hosts_ns[HOST_BUDGET_HOSTS]; /* when that of the host is */
};

/* `seed`: random, of this start of the node. */
void host_budget_init(struct host_budget *budget, const struct secret *seed, uint64_t rate);

/* Whether so many bytes are there for the host. */
bool host_budget_has(const struct host_budget *budget, const struct address *address,
                     uint64_t bytes, uint64_t now_ns);

/* Takes the bytes from the budget. False: there is not so much left. */
MUST_USE bool host_budget_take(struct host_budget *budget, const struct address *address,
                               uint64_t bytes, uint64_t now_ns);

#endif
