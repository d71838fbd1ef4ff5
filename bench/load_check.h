/*
 * What must be stored after a load (--check). Each key is written by one client handle only, and
 * its writes come one after the other. So after the load a key has the value of the newest
 * acknowledged write, or of a write whose outcome is unknown. After such a write the key is not
 * written again; that bounds what may be stored to these two values.
 *
 * A write that timed out counts as one that never happened, as the contract says.
 *
 * Pure. Owner: the thread of the key's client, then whoever reads back.
 */
#ifndef POLLUX_BENCH_LOAD_CHECK_H
#define POLLUX_BENCH_LOAD_CHECK_H

#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are those of values; 0: none. */
struct load_check {
    uint64_t acknowledged; /* the newest one */
    uint64_t in_flight;
    uint64_t open; /* the outcome is unknown */
};

enum load_finding {
    CHECK_KEPT,
    CHECK_LOST,
    CHECK_UNREAD, /* the read had another outcome than a value or none */
};

/* The key may be written now. */
bool load_check_is_free(const struct load_check *check);

/* A write begins on a free key (CHECK), or a write that was refused is forgotten. */
void load_check_begin(struct load_check *check, uint64_t value_number);
void load_check_cancel(struct load_check *check);

/* The write in flight has ended. */
void load_check_end(struct load_check *check, enum plx_outcome outcome);

/* An earlier write of the acknowledged value may still take effect: the key is not written any
 * more. */
void load_check_retire(struct load_check *check);

/* Waiting is given up: a write in flight may take effect or not. */
void load_check_close(struct load_check *check);

/* Something is known to be stored. */
bool load_check_is_due(const struct load_check *check);

/* Judges what a get of the key returned. Values have `value_size` bytes. */
enum load_finding load_check_judge(const struct load_check *check, uint32_t value_size,
                                   const struct plx_response *response);

#endif
