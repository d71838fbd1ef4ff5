/*
 * What an entry of a journal holds (pmem/journal.h): the relaxed writes of a client, under the name
 * of the principal whose they are, or a principal whose pending writes are dropped. Programs that
 * know format 0 alone (base/format.h) write the request of the writes and nothing before it, and so
 * does this program while format 0 is in force, or where nobody has a name.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_ENTRY_H
#define POLLUX_WIRE_WIRE_ENTRY_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"

enum wire_entry_kind {
    WIRE_ENTRY_WRITES = 1,
    WIRE_ENTRY_DROP, /* what the principal has written under lower numbers is dropped */
};

struct wire_entry {
    uint8_t kind;        /* enum wire_entry_kind */
    struct span name;    /* of the principal; empty: nobody knows */
    uint32_t generation; /* of its key; 0 without a name */
    struct span request; /* WRITES: an encoded wire_request, not of session 0 */
};

/* Bytes in front of the request, at most WIRE_ENTRY_HEAD_BYTES_MAX. A name has at most
 * KEY_NAME_BYTES_MAX (CHECK). */
size_t wire_entry_head_bytes(struct span name);

/* Writes them; nothing without a name, which DROP has (CHECK). */
void wire_entry_head_encode(uint8_t *to, const struct wire_entry *entry);

/* ERR_SHORT; ERR_RESERVED; ERR_RANGE: a name that there is not, or another kind; ERR_TRAILING: a
 * DROP with more than its name. The request is not looked into. */
MUST_USE enum error wire_entry_decode(struct span bytes, struct wire_entry *ret_entry);

#endif
