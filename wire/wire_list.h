/*
 * Lists of keys: a client asks one shard of a node for a page of them, in their order, and the next
 * time for what comes behind. The node keeps nothing in mind of the client. The layout is at the
 * head of wire/wire_list.c.
 *
 * A question has the size of a packet, and a page is no larger than LIST_PAGE_BYTES_MAX: so a node
 * answers a stranger with no more than a few times what the stranger has sent, wherever he says he
 * is.
 *
 * Pure; any thread. Decoding borrows from the bytes; outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_LIST_H
#define POLLUX_WIRE_WIRE_LIST_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_reply.h"
#include "wire/wire_writer.h"

/* WIRE_LIST */
struct wire_list {
    uint64_t number;     /* the client's; the answer repeats it */
    uint64_t min_index;  /* as in wire_read */
    uint32_t timeout_us; /* as in wire_read */
    uint32_t max_age_us; /* as in wire_read */
    uint32_t page_bytes; /* of the answer: LIST_PAGE_BYTES_MIN .. LIST_PAGE_BYTES_MAX */
    bool is_consistent;
    bool has_values;    /* small values are wanted, too */
    struct span prefix; /* of the keys; of no bytes: all */
    struct span after;  /* keys behind this one; of no bytes: from the first on */
};

/* WIRE_LIST_REPLY. Any status but WIRE_STATUS_OK: the head alone. */
struct wire_list_reply {
    struct wire_reply head; /* without ops */
    bool has_more;          /* there may be keys behind `last`; else there are none */
    struct span last;       /* has_more: of the keys up to this one none is missing */
    uint16_t entry_count;
    struct span entries; /* walk with wire_list_entry_decode; keys rise */
};

struct wire_list_entry {
    struct span key;
    uint64_t version;          /* pending: the journal seq */
    uint32_t value_size_bytes; /* of the whole value */
    bool is_pending;
    bool
        has_value; /* `value` is all of it; else it was not asked for, or is too large for a page */
    struct span value;
};

void wire_list_encode(struct wire_writer *writer, const struct wire_list *list);
/* ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_TOO_LARGE (prefix, after), ERR_RANGE (page). */
MUST_USE enum error wire_list_decode(struct span bytes, struct wire_list *ret_list);

/* What of a question that decodes is worth keeping, and the question again. */
size_t wire_list_kept_bytes(const struct wire_list *list);
struct wire_list wire_list_of_kept(struct span bytes);

/* Begins a page, adds entries, and ends it: in that order, one `end` for each `begin`. `last`: NULL
 * where there are no more keys. */
void wire_list_reply_begin(struct wire_writer *writer, const struct wire_reply *head);
void wire_list_reply_add(struct wire_writer *writer, const struct wire_list_entry *entry);
void wire_list_reply_end(struct wire_writer *writer, const struct span *last);
/* Bytes that an entry takes in a page. */
size_t wire_list_entry_bytes(const struct wire_list_entry *entry);

/* Those of wire_reply_decode; ERR_SHORT, ERR_TRAILING, ERR_RESERVED, ERR_TOO_LARGE, ERR_RANGE
 * (sizes; keys that do not rise). */
MUST_USE enum error wire_list_reply_decode(struct span bytes, struct wire_list_reply *ret_reply);
/* The next entry of a reply that has decoded. */
struct wire_list_entry wire_list_entry_decode(struct span entries, size_t *cursor);

#endif
