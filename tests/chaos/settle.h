/*
 * After the attack: all nodes come to one applied index, and answer the same for every key.
 */
#ifndef POLLUX_TESTS_CHAOS_SETTLE_H
#define POLLUX_TESTS_CHAOS_SETTLE_H

#include "client/include/pollux.h"
#include "tests/chaos/record.h"

#define SETTLE_KEYS_MAX 4000 /* read back at each node: the newest */

struct settle_report {
    bool has_converged;
    uint64_t applied_index;
    uint64_t wait_ns;
    uint32_t node_count;
    uint32_t key_count;    /* compared */
    uint32_t differ_count; /* keys for which two nodes answered differently */
    uint32_t unread_count; /* keys that could not be read at some node */
    char text[256];        /* what is wrong; "" */
};

/*
 * Waits for at most `limit_ns` until the nodes agree, then reads keys at each, relaxed, and by a
 * consistent get that blocks; these go to the record, too. No other handle may be in use.
 * `options`: of the handles to be opened.
 */
void settle(const struct plx_options *options, struct record *record, uint64_t limit_ns,
            struct settle_report *ret_report);

#endif
