/*
 * A list that is walked (pollux_list.h): a page of each shard, in memory of the caller. Owner: who
 * walks it.
 */
#ifndef POLLUX_CLIENT_LIST_H
#define POLLUX_CLIENT_LIST_H

#include "base/limits.h"
#include "base/span.h"
#include "client/include/pollux_list.h"
#include "wire/wire.h"

/* What is known of one shard. */
struct list_page {
    uint64_t number; /* pages taken so far */
    bool is_last;    /* no keys behind it */
    uint16_t left;   /* entries behind `next` */
    bool has_next;
    struct wire_list_entry next; /* borrows from `body` */
    struct span entries;
    size_t cursor;
    uint8_t last[KEY_SIZE_BYTES_MAX]; /* nothing up to this key is missing */
    size_t last_bytes;
    uint64_t index;
    uint64_t incarnation;
    uint64_t contact_age_ns;
    uint16_t node;
    size_t body_bytes;
    uint8_t body[LIST_PAGE_BYTES_MAX]; /* the answer that it was */
};

struct plx_list {
    uint8_t prefix[KEY_SIZE_BYTES_MAX];
    size_t prefix_bytes;
    uint8_t after[KEY_SIZE_BYTES_MAX];
    size_t after_bytes;
    bool has_values;
    bool has_begun; /* the first call has set up the pages */
    uint32_t taken; /* the shard whose entry was handed out last; SHARDS_MAX: none */
    struct list_page pages[SHARDS_MAX];
};

#endif
