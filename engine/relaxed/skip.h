/*
 * Which journal seqs a relaxed write may get. A client that gives up before its write is answered
 * does not know whether the node has the write, or will have it when a late packet arrives. But the
 * write names a range: WIRE_RELAXED_SPAN numbers above its floor. Outside of this range no node
 * accepts it. So the client can rule it out for ever: by a cancel of everything up to the end of
 * the range, which its next write of the key carries.
 *
 * Numbers up to there must not be given to that client's later writes of the key. So the node skips
 * them: when a write of a higher range arrives, when a recall asks for the end of a range, and when
 * it applies a cancel of numbers that it has not given. What is skipped is never given. A node
 * skips a bounded part of the numbers in a second, however many clients ask for it; they wait.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_ENGINE_RELAXED_SKIP_H
#define POLLUX_ENGINE_RELAXED_SKIP_H

#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct request;

/* So many numbers may be skipped at once, after a time without. */
#define SKIP_ROOM_MAX (64 * WIRE_RELAXED_SPAN)
/* And one more in four microseconds: a span a second. A start has 2^40 numbers. Half of them are
 * skipped in 25 days at least, and the other half is left to writes. */
#define SKIP_NUMBER_NS UINT64_C(4000)
#define SKIPPED_MAX    (UINT64_C(1) << 39)
/* No client has a reason to ask for numbers so far above those that are given, unless the node was
 * set back: then it gives lower numbers until it finds out. */
#define SKIP_AHEAD_MAX (UINT64_C(1) << 32)

struct skip {
    uint64_t room;       /* numbers that may be skipped... */
    uint64_t counted_ns; /* ...as it was counted then */
};

void skip_init(struct skip *skip);

/* Whether the request's sets, `op_count` of them, may be accepted now. OK: they may, and get
 * numbers of their range. PASSED: the node has given all of it: they never will be. PENDING: not
 * yet, and no copy of this packet will be. BAD_REQUEST: the range is too far away. */
enum wire_status skip_to_range(struct engine *engine, const struct request *request,
                               uint32_t op_count);

/* Passes the range of a write that this node does not know. PASSED: it never accepts that write.
 * UNKNOWN: too many numbers were skipped lately, or the write has no range. */
enum wire_status skip_past_range(struct engine *engine, uint64_t floor);

/* Skips what is cancelled. */
void skip_cancelled(struct engine *engine);

#endif
