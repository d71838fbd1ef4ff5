/*
 * A random history of records for the tests of snapshots, made from a seed: sets, swaps, deletes of
 * values of all sizes; sessions that open, renew, close and expire; forwarded writes and cancels.
 * Records are kept, so that a second machine can apply them and must come to the same results.
 */
#ifndef POLLUX_TESTS_UNIT_ENGINE_HISTORY_H
#define POLLUX_TESTS_UNIT_ENGINE_HISTORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "engine/state/machine.h"
#include "engine/state/snapshot_read.h"

#define HISTORY_KEYS         300
#define HISTORY_NODES        3
#define HISTORY_SESSIONS     200
#define HISTORY_TTL_NS       1000
#define HISTORY_REQUESTS_MAX 3
#define HISTORY_OPS_MAX      12
#define HISTORY_RECORDS_MAX  4096

/* A machine with memory of its own. */
struct world {
    struct arena arena;
    struct machine machine;
};

struct machine_options history_options(void);
struct world *world_new(const struct machine_options *options);
void world_free(struct world *world);
/* What a turn of the lane does for the store. */
void world_turn(struct world *world);

struct history_request {
    uint8_t *bytes;
    struct op ops[HISTORY_OPS_MAX];
    struct request request;
};

struct history_record {
    uint64_t log_time_ns;
    uint32_t request_count;
    struct history_request requests[HISTORY_REQUESTS_MAX];
    uint64_t results; /* hash over what the ops came to where the record was applied first */
};

struct history {
    struct prng prng;
    uint32_t value_bytes_max; /* of a large value */
    uint64_t log_time_ns;
    uint64_t nonce;
    uint32_t limits_number;
    uint64_t seq[HISTORY_SESSIONS];     /* next of the session */
    uint64_t session[HISTORY_SESSIONS]; /* ids, the newest ones; 0: none */
    uint64_t node_seq[HISTORY_NODES + 1];
    struct history_record records[HISTORY_RECORDS_MAX]; /* record n has index n + 1 */
    uint64_t record_count;
    uint8_t *value;
    uint8_t *building; /* a request */
};

struct history *history_new(uint64_t seed, uint32_t value_bytes_max);
void history_free(struct history *history);

/* Makes the next record and applies it to `world`. */
void history_go_on(struct history *history, struct world *world);
/* Applies record `index` to a machine that lacks it: the same results (asserted). */
void history_repeat(struct history *history, uint64_t index, struct world *world);

/* A sink that keeps the stream and has the room that the test gives it. */
struct stream {
    uint8_t *bytes;
    size_t size_bytes;
    size_t capacity_bytes;
    size_t room_bytes;
};

struct snapshot_sink stream_sink(struct stream *stream);
void stream_free(struct stream *stream);
/* The whole snapshot of the machine as it is. */
void stream_take(struct stream *stream, struct world *world);
/* Reads the stream in chunks of at most `chunk_bytes` (random below it with a prng). */
enum error stream_read(struct span stream, struct world *world, size_t chunk_bytes,
                       struct prng *prng);
/* Empties the machine in small slices. */
void world_clear(struct world *world);

#endif
