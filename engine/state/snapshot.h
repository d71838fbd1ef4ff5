/*
 * A snapshot: the machine's whole replicated state as of one index, written as one stream
 * (engine/state/snapshot_format.h) in bounded slices, while records go on being applied.
 *
 * What makes the stream belong to one index, though the state changes meanwhile:
 *   - Entries never change. The walk goes over the places of the index and writes entries that are
 *     not newer than the snapshot. An entry that leaves the index before the walk has come to it is
 *     kept: its blocks are retired only once it is written. What is kept is written first.
 *   - Sessions change in place. A session is encoded when the walk comes to it or just before its
 *     first change, whichever is earlier.
 *   - The progress of the nodes is encoded whole when the snapshot begins.
 *
 * Kept blocks are beside the logical account. The store has snapshot_reserve_blocks more for them.
 * Each entry is kept once at most, and what is kept is written first, so the walk ends as long as
 * the sink takes bytes. While it takes none, the caller must not apply records without end:
 * snapshot_must_wait says when to stop.
 *
 * Owner: the machine's.
 */
#ifndef POLLUX_ENGINE_STATE_SNAPSHOT_H
#define POLLUX_ENGINE_STATE_SNAPSHOT_H

#include "base/arena.h"
#include "engine/state/sessions.h"
#include "engine/state/snapshot_format.h"
#include "engine/state/snapshot_sink.h"
#include "engine/state/store.h"

#include <stdbool.h>

struct machine;

/* Ops, and requests, of one record: what it can change. */
#define SNAPSHOT_RECORD_OPS_MAX (BATCH_REQUESTS_MAX * REQUEST_OPS_MAX)

/* Blocks that one record can take: one an entry, one more where its end does not fill a block. */
#define SNAPSHOT_RECORD_BLOCKS_MAX                                                                 \
    (2 * SNAPSHOT_RECORD_OPS_MAX + RECORD_PAYLOAD_SIZE_BYTES_MAX / STORE_PIECE_BYTES + 1)

/* Sessions that one record can change: each registration one, each request one, and what expires
 * (EXPIRE_MAX). */
#define SNAPSHOT_RECORD_SESSIONS_MAX (SNAPSHOT_RECORD_OPS_MAX + 2 * BATCH_REQUESTS_MAX)

/* Bytes of the stream that are gathered before the sink gets them. */
#define SNAPSHOT_STAGE_BYTES (16u * 1024)

enum snapshot_phase {
    SNAPSHOT_IDLE,
    SNAPSHOT_WALKING,
    SNAPSHOT_ABANDONED, /* kept entries are still to be retired */
};

struct snapshot {
    enum snapshot_phase phase;
    struct snapshot_sink sink;
    uint64_t index; /* the state is the one after this record */
    /* Where the walk is. */
    uint32_t slot; /* of the sessions */
    uint32_t slot_end;
    uint32_t sessions_unseen;
    uint64_t place; /* of the index */
    bool is_ended;  /* the end is encoded */
    /* The entry that is being written; NULL: none. */
    struct store_entry *entry;
    struct store_cursor cursor;
    bool is_entry_kept;
    /* Entries that have left the index and are not written, linked by next_kept. */
    uint32_t kept_first;
    uint32_t kept_last;
    uint64_t kept_blocks; /* of these and of the entry that is being written, if that is kept */
    /* Encoded items that wait for the sink: [images_head, images_tail). */
    uint8_t *images;
    size_t images_capacity;
    size_t images_head;
    size_t images_tail;
    uint8_t *stage;
    /* Of the stream so far, what waits included. */
    uint64_t bytes;
    uint64_t items;
};

/* Blocks of the store, beside the logical account, for entries that a snapshot keeps. A record that
 * begins with an eighth of the store kept still ends within it. */
static inline uint32_t snapshot_reserve_blocks(uint32_t blocks_max)
{
    return blocks_max / 8 + SNAPSHOT_RECORD_BLOCKS_MAX;
}

size_t snapshot_arena_bytes(uint32_t sessions_max);
void snapshot_init(struct snapshot *snapshot, struct arena *arena, uint32_t sessions_max);

/* Begins the snapshot of the machine as it is between two records; none runs (CHECK). Work: the
 * progress of the nodes. Nothing is written yet. */
void snapshot_begin(struct machine *machine, const struct snapshot_sink *sink);

bool snapshot_is_running(const struct machine *machine);

/*
 * True while the next record must not be applied: the worst record could need more than there is
 * room for. Ask before each record, then make room by snapshot_step, or abandon the snapshot.
 */
bool snapshot_must_wait(const struct machine *machine);

/*
 * Writes on, until `budget_bytes` are written or looked at, until the sink is full, or to the end.
 * A small entry may exceed the budget. False: nothing is left to do, and none runs any more; unless
 * it was abandoned, the whole stream is with the sink.
 */
bool snapshot_step(struct machine *machine, size_t budget_bytes);

/* Gives up: the sink is not used again. What is kept is retired by further calls of
 * snapshot_step. */
void snapshot_abandon(struct machine *machine);

static inline bool snapshot_is_walking(const struct snapshot *snapshot)
{
    return snapshot->phase == SNAPSHOT_WALKING;
}

/* Whether the entry, which is about to leave the index, has still to be written by the walk that
 * runs. Call it before the index changes. */
bool snapshot_wants(const struct machine *machine, const struct store_entry *entry);
/* The entry, which snapshot_wants, has left the index. */
void snapshot_keep(struct machine *machine, struct store_entry *entry);

/* Walks what is kept; aborts (CHECK) where the account is wrong. */
void snapshot_check_invariants(const struct machine *machine);

#endif
