/*
 * Host names looked up again, while the node behind one is silent: it may have moved. A look-up may
 * take many seconds, so it has a thread of its own, one at a time in a handle, and only in handles
 * that were given names. Owner: whoever holds the mutex of the handle.
 */
#ifndef POLLUX_CLIENT_LOOKUP_H
#define POLLUX_CLIENT_LOOKUP_H

#include "client/endpoint.h"

/* Between the beginnings of two look-ups. */
#define LOOKUP_AGAIN_NS UINT64_C(2000000000)

struct lookup;

/* NULL: out of memory. */
struct lookup *lookup_open(void);
/* A look-up under way is left to itself. `is_forked`: its thread is the parent's. */
void lookup_close(struct lookup *lookup, bool is_forked);
/* Takes what was found, and begins the look-up that is due. */
void lookup_turn(struct plx_client *client);

#endif
