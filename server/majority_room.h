/*
 * How much a majority has room for: what a leader may append so that it can be committed.
 *
 * Each voter says in its append replies how much its log can take behind the match index of the
 * reply. The records between the match index and the end of the leader's log come first. So a
 * reply means: this voter has room up to a place in the leader's log, the place behind the match
 * index plus the room. That place is kept for each voter. A majority has room up to the place that
 * as many voters reach as a majority needs. A minority without room holds nobody back: it falls
 * behind and fetches a snapshot.
 *
 * Until a voter has answered in this term it counts as without room. That costs nothing: a leader
 * admits nothing before its own first record is committed, and a majority has answered then. A
 * reply that was lost leaves an older place, which holds still: what came since lies in front of
 * it.
 *
 * Places are those of log_position_behind, in the leader's log. What the ends of its segments lost
 * counts as records, which errs on the safe side.
 *
 * Pure. Owner: the replica.
 */
#ifndef POLLUX_SERVER_MAJORITY_ROOM_H
#define POLLUX_SERVER_MAJORITY_ROOM_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of records that a log has room for. */
struct record_room {
    uint64_t data_bytes; /* records of data: what is left beside the reserves */
    uint64_t log_bytes;  /* any records, but what only no-ops may take */
};

/* The voters that have to have room beside the leader itself. */
struct room_voters {
    uint16_t ids[NODES_MAX]; /* the leader's own may be among them */
    uint32_t count;
    uint16_t self;
};

struct majority_room {
    uint64_t term; /* what follows was said in it */
    struct {
        uint64_t match_index; /* 0: it has said nothing */
        struct record_room end;
    } peers[VOTER_ID_MAX + 1]; /* by voter id */
    struct record_room end;    /* a majority has room up to there */
};

/* A leadership begins: nobody has said anything. */
void majority_room_begin(struct majority_room *majority, uint64_t term,
                         const struct room_voters *voters);

/* The voters are others than before. `is_new`, for each: what its node said was of another
 * storage. */
void majority_room_recount(struct majority_room *majority, const struct room_voters *voters,
                           const bool *is_new);

/* `voter` has room for so much behind record `match_index`, whose end is at `position`. What it
 * said of an earlier record is kept instead of what it says of one before. */
struct room_report {
    uint16_t voter;
    uint64_t match_index;
    uint64_t position;
    struct record_room room;
};
void majority_room_note(struct majority_room *majority, const struct room_report *report,
                        const struct room_voters *voters);

/* The leader counts on `voter` up to this record and no further: what it said of later ones, it may
 * have lost. */
void majority_room_trust(struct majority_room *majority, uint16_t voter, uint64_t match_index,
                         const struct room_voters *voters);

/* What may still be appended behind `position`, the end of the leader's log. */
struct record_room majority_room_behind(const struct majority_room *majority, uint64_t position);

#endif
