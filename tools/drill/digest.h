/*
 * One number for what a cluster, or one node of it, has stored under keys as pollux-bench names
 * them: PREFIX and a number of eight digits. Nodes in the same state have the same number.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DRILL_DIGEST_H
#define POLLUX_TOOLS_DRILL_DIGEST_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_PREFIX_BYTES_MAX 64u

struct digest {
    const char *prefix;
    uint64_t count; /* of keys, from number 0 */
    bool is_relaxed;
    /* Found: */
    uint64_t stored_count;
    uint64_t failed_count; /* gets that ended with neither a value nor none */
    uint16_t node;         /* that answered; 0: several did */
    uint64_t sum;          /* of a hash of each key's number, version and value */
};

/* False when the handle refused a get. The prefix has at most DIGEST_PREFIX_BYTES_MAX bytes. */
bool digest_read(struct digest *digest, struct plx_client *client);

#endif
