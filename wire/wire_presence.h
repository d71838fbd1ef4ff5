/*
 * How nodes find each other without a list that is good: a node says at which address it is, which
 * storage it has, and of which cluster; and it asks others for the same. A node whose storage has
 * been removed is told so (server/replica_presence.c).
 *
 * Owner: the caller. Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_PRESENCE_H
#define POLLUX_WIRE_WIRE_PRESENCE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#include <stdbool.h>

struct wire_presence {
    uint32_t fingerprint; /* as in wire_peer.h */
    bool is_question;     /* answer with the same about you */
    uint64_t birth;       /* of the sender's storage, not 0 */
    uint64_t cluster;     /* that formed with it; 0: it knows of none */
    uint64_t commit_index;
    uint64_t removed;       /* not 0: a birth that is no member of the committed configuration... */
    uint64_t removed_index; /* ...whose record this is */
};

void wire_presence_encode(struct wire_writer *writer, const struct wire_presence *presence);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_presence_decode(struct span bytes, struct wire_presence *ret_presence);

#endif
