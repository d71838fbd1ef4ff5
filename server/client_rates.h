/*
 * How much a client may ask of a lane: operations a second and bytes a second, there and back, so
 * that no client takes the node from the others. Who pays is a name where packets are sealed, the
 * host (an IPv4 address, or the first 64 bits of an IPv6 one) where they are not. What a node does
 * for other nodes nobody pays for.
 *
 * Of a budget (base/budget.h) a second's worth is free at once. As long as anything is free a
 * request is within, however large it is: what it takes too much is waited for before the next one.
 * So no request is too large for a small rate, and the mean holds. A request that is over takes
 * nothing, so however often it is repeated, it is within when its client has waited for it.
 *
 * Who is over is told when to come again, each one later than the one before him. Who comes again
 * sooner than that, a second's worth of times, is not answered any more (a flood).
 *
 * Payers have places in a table of a fixed size, eight of which a payer may have by a keyed hash. A
 * budget that is whole again says nothing, so its place is free. Where all eight are in use by
 * others, the payer shares one of them. Names, hosts that have proven their address
 * (server/proof.h), and hosts that have not, have tables of their own: so who forges addresses
 * takes no place from those who do not.
 *
 * All memory is taken at the start. Pure: time comes in. Owner: the lane's thread.
 */
#ifndef POLLUX_SERVER_CLIENT_RATES_H
#define POLLUX_SERVER_CLIENT_RATES_H

#include "base/address.h"
#include "base/arena.h"
#include "base/span.h"

#define CLIENT_RATES_PLACES 1024u /* of each kind of payer */
/* No budget is whole later than this, however much was taken: 10 s. */
#define CLIENT_RATES_DEBT_NS UINT64_C(10000000000)

/* A second, of this lane; 0: any. */
struct client_rates_limits {
    uint64_t operations;
    uint64_t bytes;
};

enum client_rates_verdict {
    RATE_WITHIN,
    RATE_OVER, /* to be refused, and told when to come again */
    RATE_FLOOD,
};

/* Whose request it is. */
struct client_rates_payer {
    struct span name;           /* of his key; empty: he has none */
    const struct address *from; /* `room` says whether it is proven */
};

struct client_rates_request {
    uint32_t operations;
    uint64_t bytes;
};

struct client_rates;
struct secret;

/* Who has the root key is not held up. */
bool client_rates_is_free(const struct client_rates_payer *payer);

size_t client_rates_arena_bytes(void);
/* `seed`: random, of this start of the node. */
struct client_rates *client_rates_init(struct arena *arena, const struct secret *seed,
                                       const struct client_rates_limits *limits);

/* Takes the request from the budgets of its payer, if it is within. RATE_OVER: *ret_wait_ns, not 0,
 * is when it would be. */
enum client_rates_verdict client_rates_take(struct client_rates *rates,
                                            const struct client_rates_payer *payer,
                                            const struct client_rates_request *request,
                                            uint64_t now_ns, uint64_t *ret_wait_ns);

/* What the payer was sent. */
void client_rates_note_sent(struct client_rates *rates, const struct client_rates_payer *payer,
                            uint64_t bytes, uint64_t now_ns);

#endif
