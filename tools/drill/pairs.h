/*
 * Pairs of key and value from a text file (a line each, a tab between), stored, and read back to be
 * compared.
 */
#ifndef POLLUX_TOOLS_DRILL_PAIRS_H
#define POLLUX_TOOLS_DRILL_PAIRS_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>

#define PAIRS_MAX            250000
#define PAIRS_FILE_BYTES_MAX (32 * 1024 * 1024)

struct pairs {
    char *text;
    uint32_t count;
    uint32_t wrong_count; /* of the last store or compare */
    struct plx_bytes keys[PAIRS_MAX];
    struct plx_bytes values[PAIRS_MAX];
};

/* NULL, with a message on standard error, when the file cannot be read or is not of this form. */
struct pairs *pairs_read(const char *path);
void pairs_free(struct pairs *pairs);

/* Stores all pairs, consistent; wrong_count is how many did not end as PLX_OK. */
bool pairs_store(struct pairs *pairs, struct plx_client *client);

/* Reads all keys; wrong_count is how many have another value or none. */
bool pairs_compare(struct pairs *pairs, struct plx_client *client, bool is_relaxed);

#endif
