/*
 * Every operation of a load, as a judge of linearizability reads it: what was asked and answered,
 * and when. The operations stay in memory until the load is over. Then they are written as JSON
 * lines in the order of time. Each operation has two lines. The first is "invoke". The second is
 * "ok" (it took effect, or this is the answer), "fail" (it did not and never will) or "info"
 * (unknown).
 * tests/chaos/history_file.h reads the lines.
 *
 * A key is its number; the key that a slot swaps has LOAD_HISTORY_SWAPS plus the slot's number. A
 * value is its number, null is no value.
 *
 * Owner: one thread, each of which has a history; then the main thread.
 */
#ifndef POLLUX_BENCH_LOAD_HISTORY_H
#define POLLUX_BENCH_LOAD_HISTORY_H

#include "base/error.h"
#include "bench/op_mix.h"
#include "client/include/pollux.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define LOAD_HISTORY_CHUNK_OPS  65536
#define LOAD_HISTORY_CHUNKS_MAX 8192
#define LOAD_HISTORY_SWAPS      (UINT32_C(1) << 31) /* above the number of every other key */
#define LOAD_HISTORY_FULL       UINT32_MAX
#define LOAD_HISTORY_UNTOLD     (UINT64_MAX - 1) /* a value is stored, and was not told */

enum load_history_kind {
    LOAD_HISTORY_GET,
    LOAD_HISTORY_RELAXED_GET,
    LOAD_HISTORY_SET,
    LOAD_HISTORY_SWAP
};

struct load_history_op {
    uint64_t invoke_ns;
    uint64_t return_ns; /* UINT64_MAX: it has not ended */
    uint64_t value;     /* set and swap: the new one; get: what was read; 0: none */
    uint64_t old;       /* swap: the expected one; 0: none */
    uint64_t seen;      /* swap: what was stored instead; 0: none; or LOAD_HISTORY_UNTOLD */
    uint64_t version;
    uint32_t key;
    uint32_t process; /* asks one thing at a time */
    uint8_t kind;     /* enum load_history_kind */
    uint8_t outcome;  /* enum plx_outcome */
    uint16_t node;    /* that answered; 0: none */
};

struct load_history {
    struct load_history_op **chunks;
    uint32_t count;
    bool is_full; /* an operation found no memory */
};

/* ERR_NO_MEMORY. */
MUST_USE enum error load_history_init(struct load_history *history);
void load_history_deinit(struct load_history *history);

/* An operation begins at op->invoke_ns; its number, or LOAD_HISTORY_FULL without memory. */
uint32_t load_history_begin(struct load_history *history, const struct load_history_op *op);

/* It has ended. Nothing happens for LOAD_HISTORY_FULL. */
void load_history_end(struct load_history *history, uint32_t number, uint64_t now_ns,
                      const struct plx_response *response);

/* Writes the operations of all threads. ERR_NO_MEMORY, also if one of them is full; ERR_IO. */
MUST_USE enum error load_history_write(const struct load_history *histories, uint32_t count,
                                       const char *path);

#endif
