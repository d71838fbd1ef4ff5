/*
 * Next hops and their MACs: a bounded table, four ways a set. An entry is known, or is being asked
 * for. A known one is asked for again when nothing has confirmed it for a while, and used
 * meanwhile; it is forgotten when nobody answers. Strangers cannot push out a neighbour in use:
 * only entries long unconfirmed give way.
 *
 * Any packet can say that it comes from an address. So only an answer to a query decides what MAC
 * an address has. If nothing else is known, what a packet says is believed until that answer
 * comes, so that the first reply to a new client need not wait. A packet from the known MAC
 * confirms it; one from another MAC makes the table ask again. A pinned entry is from the
 * configuration: it is never asked for, and nothing changes it.
 *
 * Pure: no port, no clock. Owner: one thread.
 */
#ifndef POLLUX_DATAPLANE_NEIGHBOURS_H
#define POLLUX_DATAPLANE_NEIGHBOURS_H

#include "base/error.h"
#include "dataplane/port.h"

#include <stdbool.h>
#include <stdint.h>

#define NEIGHBOUR_SETS 256
#define NEIGHBOUR_WAYS 4
#define NEIGHBOURS_MAX (NEIGHBOUR_SETS * NEIGHBOUR_WAYS)

#define NEIGHBOUR_QUERY_INTERVAL_NS UINT64_C(100000000) /* between queries for one address */
#define NEIGHBOUR_QUERIES_MAX       10                  /* unanswered, then the entry is dropped */
#define NEIGHBOUR_LOOK_NS           UINT64_C(10000000)  /* between looks for queries to repeat */
#define NEIGHBOUR_STRANGERS_AT_ONCE 256u /* queries for addresses that have answered none yet */
#define NEIGHBOUR_STRANGER_NS       UINT64_C(2000000)     /* after those one more in this time */
#define NEIGHBOUR_FRESH_NS          UINT64_C(30000000000) /* younger: not asked again */
#define NEIGHBOUR_STALE_NS          UINT64_C(60000000000) /* older: may give way */
#define NEIGHBOUR_UNPROVEN_NS       UINT64_C(1000000000)  /* the same, of what only packets said */

struct neighbour {
    uint8_t ip[16];
    uint8_t mac[6];
    bool is_used;
    bool is_known;
    bool is_proven;  /* an answer to a query said so */
    bool is_doubted; /* a packet came from another MAC: to be asked for */
    bool is_pinned;
    uint8_t queries; /* sent since the last confirmation */
    uint64_t confirmed_ns;
    uint64_t queried_ns;
};

struct neighbours {
    struct neighbour entries[NEIGHBOURS_MAX];
    uint64_t conflicts; /* packets whose sender has another MAC than the table says */
    uint64_t changes;
    struct dp_neighbour_change last;
    uint32_t pending;  /* entries with queries outstanding: the tick has work */
    uint32_t cursor;   /* where the tick goes on */
    uint64_t look_ns;  /* nothing was due then: the next look at all entries */
    uint64_t asked_ns; /* when all queries for strangers are free again */
};

/* The entry of `ip`, or NULL. */
struct neighbour *neighbours_find(struct neighbours *neighbours, const uint8_t ip[16]);

/*
 * The entry of `ip`, made when there is none. ERR_FULL when every entry of its set is in use. The
 * caller sends a query when neighbours_is_query_due says so.
 */
MUST_USE enum error neighbours_want(struct neighbours *neighbours, const uint8_t ip[16],
                                    uint64_t now_ns, struct neighbour **ret_neighbour);

/* A packet says that it comes from `ip` at `mac`. ERR_FULL as above. */
MUST_USE enum error neighbours_hear(struct neighbours *neighbours, const uint8_t ip[16],
                                    const uint8_t mac[6], uint64_t now_ns);

/* An answer, or an announcement: `ip` is at `mac`. Counts as an answer if a query is out, else as a
 * packet of an address that somebody wants, or is ignored. */
void neighbours_answer(struct neighbours *neighbours, const uint8_t ip[16], const uint8_t mac[6],
                       uint64_t now_ns);

/* The MAC of `ip` for ever. ERR_FULL: so many others are pinned that their set would have no room
 * for neighbours that are not. */
MUST_USE enum error neighbours_pin(struct neighbours *neighbours, const uint8_t ip[16],
                                   const uint8_t mac[6]);

/* True when a query for this entry should leave now; counts it as sent. */
bool neighbours_is_query_due(struct neighbours *neighbours, struct neighbour *neighbour,
                             uint64_t now_ns);

/*
 * The next entry whose query is due to be repeated, or NULL when a bounded part of the table was
 * looked through. Entries that nobody answered for are dropped on the way.
 */
struct neighbour *neighbours_next_due(struct neighbours *neighbours, uint64_t now_ns);

#endif
