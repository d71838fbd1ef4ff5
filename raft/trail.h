/*
 * The trail: which term each log index has, as runs of equal terms. A log of millions of records
 * has a handful of runs, one for each leader that appended to it, so the core needs no record to
 * judge a message. (The idea and the name are cowsql/raft's.)
 *
 * Invariants: run 0 starts at index 1; first indexes and terms rise strictly from run to run; the
 * last run ends at last_index; an empty trail has no run and last_index 0.
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
    uint64_t last_index;
};

/* Starts empty in `runs`, room for `runs_max` (at least 1). */
void trail_init(struct trail *trail, struct trail_run *runs, uint32_t runs_max);

/* Term of `index`; 0 for index 0 and beyond the last. Constant time near the end, else a
 * bisection. */
uint64_t trail_term_at(const struct trail *trail, uint64_t index);

/* First index of the run that `index` (1 .. last, CHECK) lies in. */
uint64_t trail_run_first_index(const struct trail *trail, uint64_t index);

/* Last index of `term`; 0 when the log has no record of it. */
uint64_t trail_term_last_index(const struct trail *trail, uint64_t term);

/* True if a record of `term` can be appended: its run exists at the end, or there is room for
 * one. */
bool trail_has_room(const struct trail *trail, uint64_t term);

/* Runs that would be left if everything from `index` (1 .. last + 1) on were forgotten. */
uint32_t trail_runs_below(const struct trail *trail, uint64_t index);

/* Record last + 1 has `term`, which is not below the last one's; there is room (CHECK both). */
void trail_append(struct trail *trail, uint64_t term);

/* Forgets everything from `index` on; index is 1 .. last + 1 (CHECK). */
void trail_truncate(struct trail *trail, uint64_t index);

#endif
