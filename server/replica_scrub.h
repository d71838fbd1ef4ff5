/*
 * The scrubber of a replica: reads all that its files hold, again and again at a bounded rate, so
 * that damage of what nobody reads is found while the node runs and the peers are whole
 * (docs/storage.md, "Scrubbing").
 *
 * A pass goes over the log (what lies before its records, and the records that are durable), the
 * banks of the journal, and the two snapshots. The lane compares what it alone writes, a bounded
 * piece in a turn: nothing is on its way there between two of its stores, so nothing that is being
 * written or wiped is taken for damage. It never waits for the device: the thread behind the
 * snapshots reads the pages ahead, and compares the blocks of the snapshots itself.
 *
 * Owner: the lane's thread. Only for the replica_*.c files.
 */
#ifndef POLLUX_SERVER_REPLICA_SCRUB_H
#define POLLUX_SERVER_REPLICA_SCRUB_H

#include "pmem/journal.h"
#include "pmem/snapshots.h"

struct replica;

enum replica_scrub_part {
    SCRUB_LOG_HEAD,
    SCRUB_LOG_RECORDS,
    SCRUB_BANK_HEAD, /* of bank `number` */
    SCRUB_BANK_RECORDS,
    SCRUB_SNAPSHOT_HEAD, /* of file `number` */
    SCRUB_SNAPSHOT_BLOCKS,
};

struct replica_scrub {
    enum replica_scrub_part part;
    uint32_t number;
    uint64_t next;       /* record or block to be looked at */
    uint64_t last;       /* record: what is appended meanwhile is left to the next pass */
    uint64_t generation; /* of the snapshot or the bank that is looked at */
    uint64_t due_ns;
    uint64_t begun_ns; /* of this pass */
    uint64_t ended_ns; /* of the last one; 0: there was none */
    bool is_waiting;   /* for the answer of the thread */
    bool is_answered;  /* by `answer` */
    struct snapshots_scrubbed answer;
    /* Pages that were asked for, of this part; once they are here, those before `readable_end` can
     * be read. They count while the record that they were asked for lies where it lay. */
    struct log_piece piece;
    bool is_here;
    uint64_t readable_end;
    uint64_t piece_index;
    size_t piece_offset;
    bool is_written_again; /* a head that could not be read; once */
    bool is_failed;        /* and cannot be read all the same: the node stops */
    uint64_t mended_index; /* records up to here have rotted, and snapshots hold what they did */
};

/* One turn's part. */
void replica_scrub_turn(struct replica *replica);
uint64_t replica_scrub_deadline_ns(const struct replica *replica);

#endif
