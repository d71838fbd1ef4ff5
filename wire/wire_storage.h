/*
 * What a node says when it is sent something for a storage that it does not have: which storage it
 * has, and whether that takes the place of the one that was addressed. Its leader may take it in
 * (server/members.h).
 *
 * Owner: the caller. Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_STORAGE_H
#define POLLUX_WIRE_WIRE_STORAGE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

struct wire_storage_message {
    uint32_t fingerprint; /* as in wire_peer.h */
    uint64_t birth;       /* not 0 */
    uint64_t replaced;    /* that was addressed, if a storage of this node had it; else 0 */
};

void wire_storage_encode(struct wire_writer *writer, const struct wire_storage_message *message);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE (no birth). */
MUST_USE enum error wire_storage_decode(struct span bytes,
                                        struct wire_storage_message *ret_message);

#endif
