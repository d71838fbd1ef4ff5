/*
 * Many independent operations through one handle, as many in flight as its window allows: each is
 * prepared in a slot that holds its bytes, and judged when its answer comes.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_TOOLS_DRILL_BATCH_H
#define POLLUX_TOOLS_DRILL_BATCH_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_SLOTS 64

struct batch;

struct batch_slot {
    struct batch *batch;
    uint64_t number; /* of the operation, from 0 */
    char key[PLX_KEY_SIZE_BYTES_MAX];
};

struct batch {
    struct plx_client *client;
    uint64_t count; /* of operations */
    /* Fills type, key, value and call of operation slot->number; bytes may lie in slot->key. */
    void (*prepare)(void *context, struct batch_slot *slot, struct plx_op *op);
    void (*judge)(void *context, uint64_t number, const struct plx_response *response);
    void *context;
    /* Its own: */
    uint64_t next;
    struct batch_slot slots[BATCH_SLOTS];
    struct batch_slot *free[BATCH_SLOTS];
    uint32_t free_count;
};

/* Runs all operations to their end. False when the handle refused one (a bad key, say). */
bool batch_run(struct batch *batch);

#endif
