/*
 * What nodes say to one another about the starts of their storages (raft/peer_starts.h): that a
 * node has started, the question whether a storage had a start that was heard of it, and the
 * answer. Each also tells the cluster and the era that its sender belongs to.
 *
 * Owner: the caller. Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_START_H
#define POLLUX_WIRE_WIRE_START_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

enum wire_start_kind {
    WIRE_START_TOLD = 1, /* this is the start of the sender */
    WIRE_START_ASKED,    /* had the receiver this start, and has it what it told since? */
    WIRE_START_STANDS,   /* answers: yes */
    WIRE_START_MISSING,  /* it never had that start */
    WIRE_START_TERM_LOWER,
    WIRE_START_LOG_SHORTER,
    WIRE_START_KIND_END
};

struct wire_start_message {
    uint32_t fingerprint; /* as in wire_peer.h, as all of the sender's: */
    uint32_t cluster;
    uint32_t era;
    uint64_t birth;  /* not 0 */
    uint64_t start;  /* not 0 */
    uint8_t kind;    /* enum wire_start_kind */
    bool is_suspect; /* answers: it may have lost what it told */
    /* Not told: 0. */
    uint64_t to;          /* birth of the receiver */
    uint64_t asked;       /* the start in question */
    uint64_t term;        /* asked: the highest that was told; answers: as recovered */
    uint64_t acked_term;  /* asked */
    uint64_t acked_index; /* asked: acknowledged in that term; answers: last index recovered */
};

void wire_start_encode(struct wire_writer *writer, const struct wire_start_message *message);

/* ERR_SHORT, ERR_TRAILING, ERR_TYPE, ERR_RESERVED, ERR_RANGE (no birth or start). */
MUST_USE enum error wire_start_decode(struct span bytes, struct wire_start_message *ret_message);

#endif
