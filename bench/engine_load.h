/*
 * What the engine's micro benches share: an engine filled with keys through its own log, a sink
 * that sums what it is given, and the spread of timed groups of ops.
 */
#ifndef POLLUX_BENCH_ENGINE_LOAD_H
#define POLLUX_BENCH_ENGINE_LOAD_H

#include "base/prng.h"
#include "bench/samples.h"
#include "engine/engine.h"

#include <stdint.h>

#define LOAD_KEY_SIZE_BYTES 16
#define LOAD_INCARNATION    1u

struct load {
    struct arena arena;
    struct engine *engine;
    struct engine_view view;
    struct prng prng;
    uint64_t session;
    uint64_t seq;
    uint64_t packet_number;
    uint64_t keys;
    uint64_t answer_count;
    uint64_t answer_sum; /* of the sizes and last bytes: the checksum of what was answered */
    uint8_t *request;    /* MESSAGE_SIZE_BYTES_MAX each */
    uint8_t *body;
    struct samples samples;
};

/* An engine for `keys` keys, leader and settled, with one session. Exits with a message on
 * failure. */
void load_init(struct load *load, uint64_t keys);
void load_deinit(struct load *load);

/* Key `number` in LOAD_KEY_SIZE_BYTES bytes. */
void load_key(uint8_t *to, uint64_t number);

/* Delivers one request of `op_count` sets of these keys. */
void load_set(struct load *load, const uint64_t *keys, uint32_t op_count, struct span value);

/* The batch becomes a record and is applied. */
void load_commit(struct load *load);

/* Sets every key once. */
void load_fill(struct load *load, struct span value);

#endif
