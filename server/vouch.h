/*
 * Which relaxed writes the journal may forget. An entry of the journal is *decided* when the log
 * has applied it or ruled it out. It may be forgotten only when the next start is sure to decide it
 * again before it answers anybody.
 *
 * A start applies the log up to the highest commit index that a record on its medium carries. So
 * the invariant is:
 *
 *     every forgotten entry was decided by records up to an index that is at most `durable_commit`,
 *     and a durable record of this log carries a commit index of at least `durable_commit`.
 *
 * One record at a time is watched until it is durable, and one mark (what is decided by now) until
 * it is covered: so each turn costs the same, however much is pending.
 *
 * Pure. Owner: the replica.
 */
#ifndef POLLUX_SERVER_VOUCH_H
#define POLLUX_SERVER_VOUCH_H

#include <stdint.h>

/* Journal entries up to `seq` are decided by the records up to `index`. */
struct vouch_mark {
    uint64_t seq;
    uint64_t index;
};

struct vouch {
    uint64_t watched_index;  /* a record that is not known to be durable, 0: none */
    uint64_t watched_commit; /* the commit index that it carries */
    uint64_t durable_commit; /* the highest that a durable record is known to carry */
    struct vouch_mark mark;  /* waits for durable_commit */
    uint64_t forgettable_seq;
};

/* After recovery: `commit_index` is what it found, so a durable record carries it. */
void vouch_begin(struct vouch *vouch, uint64_t commit_index);

/* Record `index` was appended and carries `commit_index`. After a truncation the same index may
 * come again; the commit index never falls. */
void vouch_note_record(struct vouch *vouch, uint64_t index, uint64_t commit_index);

/*
 * Records are durable up to `durable_index` (lower than before after a truncation); `decided` is
 * how far the journal is decided by now. Returns the seq up to which the journal may forget.
 */
uint64_t vouch_advance(struct vouch *vouch, uint64_t durable_index, struct vouch_mark decided);

#endif
