/*
 * What nodes say to one another about formats (base/format.h): which one the sender knows, and
 * which one is in force for its storage. A leader asks before it raises the format. Programs that
 * knew no other format than 0 do not have this message, and drop it without a word; so whoever does
 * not answer may be one of them.
 *
 * Owner: the caller. Pure; any thread.
 */
#ifndef POLLUX_WIRE_WIRE_FORMAT_H
#define POLLUX_WIRE_WIRE_FORMAT_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#include <stdbool.h>

struct wire_format {
    uint32_t fingerprint; /* as in wire_peer.h, as the next two: */
    uint32_t cluster;
    uint32_t era;
    uint64_t birth;    /* of the sender's storage */
    uint64_t start;    /* of that storage, as in wire_start.h */
    uint64_t number;   /* of the question; an answer repeats it */
    bool is_question;  /* answer with the same about you */
    uint16_t known;    /* the newest format that the sender knows */
    uint16_t in_force; /* for the sender's storage; at most `known` */
};

void wire_format_encode(struct wire_writer *writer, const struct wire_format *format);

/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_RANGE. */
MUST_USE enum error wire_format_decode(struct span bytes, struct wire_format *ret_format);

#endif
