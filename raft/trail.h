/*
 * The trail: which term each log index has, as runs of equal terms. A log of millions of records
 * has a handful of runs, one for each leader that appended to it, so the core needs no record to
 * judge a message. (The idea and the name are cowsql/raft's.)
 *
 * A log may begin above index 1: what lies before is committed and was put away. Of that only the
 * term of the last record is known.
 *
 * Invariants: run 0 starts at first_index; first indexes and terms rise strictly from run to run;
 * the last run ends at last_index; an empty trail has no run, and last_index is first_index - 1.
 * term_before is 0 exactly if first_index is 1.
 *
 * Owner: one thread.
 */
#ifndef POLLUX_RAFT_TRAIL_H
#define POLLUX_RAFT_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

struct trail_run {
    uint64_t first_index;
    uint64_t term;
};

struct trail {
    struct trail_run *runs;
    uint32_t run_count;
    uint32_t runs_max;
    uint64_t first_index; /* 1 or above */
    uint64_t term_before; /* of record first_index - 1 */
    uint64_t last_index;
};

/* Starts empty at index 1 in `runs`, room for `runs_max` (at least 1). */
void trail_init(struct trail *trail, struct trail_run *runs, uint32_t runs_max);

/* An empty trail begins at `first_index` (above 1), behind a record of `term_before` (not 0). */
void trail_begin(struct trail *trail, uint64_t first_index, uint64_t term_before);

/* The records before `first_index` (first + 1 .. last + 1) are put away. */
void trail_drop(struct trail *trail, uint64_t first_index);

/* Empties the trail; it begins at `first_index` (above 1), behind a record of `term_before`. */
void trail_reset(struct trail *trail, uint64_t first_index, uint64_t term_before);

/* Term of `index`, which may be the one before the first; 0 for index 0, further before the first
 * and beyond the last. Constant time near the end, else a bisection. */
uint64_t trail_term_at(const struct trail *trail, uint64_t index);

/* First index of the run that `index` (first .. last, CHECK) lies in. */
uint64_t trail_run_first_index(const struct trail *trail, uint64_t index);

/* Last index of `term`, the one before the first included; 0 when no record of it is known. */
uint64_t trail_term_last_index(const struct trail *trail, uint64_t term);

/* True if a record of `term` can be appended: its run exists at the end, or there is room for
 * one. */
bool trail_has_room(const struct trail *trail, uint64_t term);

/* Runs that would be left if everything from `index` (first .. last + 1) on were forgotten. */
uint32_t trail_runs_below(const struct trail *trail, uint64_t index);

/* Record last + 1 has `term`, which is not below the last one's; there is room (CHECK both). */
void trail_append(struct trail *trail, uint64_t term);

/* Forgets everything from `index` on; index is first .. last + 1 (CHECK). */
void trail_truncate(struct trail *trail, uint64_t index);

#endif
