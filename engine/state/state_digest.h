/*
 * A number for everything that was applied up to now, so that nodes can be compared while they run:
 * equal at equal indexes, or their histories or their states differ. It is folded record by record
 * from what tells the record from any other and from what the store came to. Each node keeps the
 * digests of a few round indexes, close together for the newest ones and far apart for older ones,
 * so that two nodes have one in common even if one is behind.
 *
 * Pure. Owner: the engine.
 */
#ifndef POLLUX_ENGINE_STATE_STATE_DIGEST_H
#define POLLUX_ENGINE_STATE_STATE_DIGEST_H

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

#define DIGEST_FIRST_STEP 16 /* indexes of the finest scale */
#define DIGEST_STEP_SHIFT 4  /* of the next scale: 16 times as far apart */
#define DIGEST_SCALES     3
#define DIGEST_OF_SCALE   (STATE_MARKS_MAX / DIGEST_SCALES)

static_assert(STATE_MARKS_MAX % DIGEST_SCALES == 0, "scales keep equally many");

struct state_mark {
    uint64_t index; /* 0: none */
    uint64_t digest;
};

struct state_digest {
    uint64_t value;
    struct state_mark marks[STATE_MARKS_MAX];
};

struct digest_record {
    uint64_t index;
    uint64_t term;
    uint64_t kind;
    struct span payload;
};

/* The record was applied; `keys` and `blocks` are what the store has now. */
void state_digest_fold(struct state_digest *digest, const struct digest_record *record,
                       uint64_t keys, uint64_t blocks);

/* Another history takes its place, of which this is the digest; 0: none. */
void state_digest_begin(struct state_digest *digest, uint64_t value);

#endif
