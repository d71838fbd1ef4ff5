/*
 * Asking again for the pieces of a message that have not come. The layout is at the head of
 * wire/wire_missing.c. Node and client, whoever puts the message together, asks its sender.
 *
 * Pure; any thread. Outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_MISSING_H
#define POLLUX_WIRE_WIRE_MISSING_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

struct wire_piece_range {
    uint16_t first;
    uint16_t count; /* at least 1 */
};

/* WIRE_MISSING */
struct wire_missing {
    uint64_t message_id;  /* of the message, as its sender named it */
    uint32_t age_us;      /* since its first piece came; all ones: that long or longer */
    uint16_t range_count; /* 1 .. MISSING_RANGES_MAX */
    struct wire_piece_range ranges[MISSING_RANGES_MAX]; /* rising, apart from one another */
};

void wire_missing_encode(struct wire_writer *writer, const struct wire_missing *missing);

/* ERR_SHORT, ERR_RESERVED, ERR_RANGE (count, a range, or their order), ERR_TRAILING. */
MUST_USE enum error wire_missing_decode(struct span bytes, struct wire_missing *ret_missing);

#endif
