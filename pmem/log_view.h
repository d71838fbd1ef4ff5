/*
 * A log as it lies in its file, read and not opened: of a node that is stopped or running, whole or
 * damaged. Nothing is locked or written (pmem/file_reader.h). What log_open would refuse is told as
 * a finding, and the rest is read all the same. A bank of a journal is a log, too: see
 * pmem/journal_view.h.
 *
 * A node that is running changes its file meanwhile. It appends behind the records that are there,
 * so an earlier state of the log stays readable, with two exceptions: a segment that was dropped is
 * wiped, and the last record may be half written. So
 *  - the table is read before the records and once more behind them. If a segment has left the row
 *    in between, everything is read again;
 *  - bytes that are no whole record are read again, of a real file several times with a pause: who
 *    writes them may have been interrupted. If they are other ones by then, they were on their way,
 *    and the walk is done again.
 * After LOG_VIEW_ATTEMPTS the view is what was read last, and FINDING_CHANGING tells so.
 *
 * What is found is judged by the code that a start uses: pmem/recovery.c.
 *
 * Owner: one thread. For tools: it asks the system for memory, as much as the log has in use.
 */
#ifndef POLLUX_PMEM_LOG_VIEW_H
#define POLLUX_PMEM_LOG_VIEW_H

#include "pmem/file_reader.h"
#include "pmem/log.h"

#define LOG_VIEW_ATTEMPTS 8u
/* A message about a file, with its end. */
#define VIEW_NOTE_BYTES 512u

struct log_view;

struct log_view_options {
    const char *path;                 /* for messages */
    const struct file_reader *reader; /* stays the caller's, open */
    /* Whose the file should be. It is used where both copies of the header are damaged; NULL: not
     * known. */
    const struct log_identity *identity;
    bool is_bank;     /* of a journal: one segment, which is wiped as a whole */
    bool is_all_read; /* also what no record lies in, to see whether it can be read */
};

/* What the file says of its log. Of what both copies have lost nothing is known: see the flags. */
struct log_view_state {
    uint32_t version;
    struct log_identity identity;
    uint64_t file_bytes;    /* as the header says; else of the file */
    uint64_t segment_bytes; /* of the record area; 0: one segment */
    uint32_t segment_count;
    uint64_t birth;          /* 0: lost with the header */
    bool is_header_lost;     /* both copies: identity and sizes are assumed */
    bool is_hard_state_lost; /* both slots: term is that of the last record, at least */
    bool is_table_lost;      /* both copies of some word: its segment was placed by its records */
    uint64_t term;
    uint64_t vote;        /* birth; 0: none; LOG_VOTE_UNKNOWN */
    uint64_t first_index; /* of the records that are there; last_index + 1: none */
    uint64_t last_index;
    uint64_t commit_index;       /* as a start would take it, <= last_index */
    bool is_suspect;             /* as a start would call it */
    uint64_t lost_through_index; /* highest that may have been lost; 0: none; UINT64_MAX: all */
    bool is_changing;            /* a node wrote to it faster than it could be read */
    enum log_end_reason ended;   /* why the storage counts no more */
    bool is_begin_settled;       /* the begin mark */
    uint32_t start_count;        /* 0: none was noted */
    uint64_t row_first;          /* sequences of the row; 0: there is none */
    uint64_t row_current;
    uint64_t row_last;
    uint64_t used_bytes; /* that the row takes up to the last record */
};

/*
 * Reads the file. Errors: ERR_MAGIC, ERR_CHECKSUM: no copy of the header is whole, and no identity
 * was given; ERR_VERSION: `ret_note` names both versions; ERR_CLUSTER, ERR_NODE, ERR_SHARD: not
 * that of `identity`; ERR_RANGE; ERR_SHORT: less than a header; ERR_NO_MEMORY. `ret_note`
 * (VIEW_NOTE_BYTES) then explains. Everything else is a finding.
 */
MUST_USE enum error log_view_open(const struct log_view_options *options,
                                  struct log_view **ret_view, char *ret_note);
void log_view_close(struct log_view *view);

const struct log_view_state *log_view_state(const struct log_view *view);

/* Tells what is wrong with the file, each place once. */
void log_view_findings(const struct log_view *view, const struct finding_sink *sink);

/* The log of the view, for what reads one: log_read, log_heard, log_had_start, log_first_index,
 * log_last_index. It has no medium: nothing that writes may be called. */
const struct log *log_view_log(const struct log_view *view);

/* The start noted so many starts ago; 0: there is none, or no more. */
uint64_t log_view_start(const struct log_view *view, uint32_t age);

/* A birth that this node has voted for, by place from 0; false: there are no more places. Birth 0:
 * nothing is there. */
bool log_view_voted(const struct log_view *view, uint32_t place, uint64_t *ret_birth);

enum log_view_segment_state { LOG_VIEW_DIRTY, LOG_VIEW_CLEAN, LOG_VIEW_ROW };
struct log_view_segment {
    enum log_view_segment_state state;
    uint64_t sequence; /* ROW: its place in the row */
    uint64_t offset;
};
/* False: there is no such slot. */
bool log_view_segment(const struct log_view *view, uint32_t slot,
                      struct log_view_segment *ret_segment);

/* What a place of the row has. */
enum log_view_fate {
    LOG_VIEW_TAKEN,      /* a record of the log */
    LOG_VIEW_SUPERSEDED, /* a whole record that a later one has replaced */
    LOG_VIEW_UNLINKED,   /* a whole record; the one before it was lost */
    LOG_VIEW_INVALID,    /* bytes that are no whole record: a finding says what they mean */
};
struct log_view_place {
    enum log_view_fate fate;
    uint64_t offset; /* in the file */
    uint64_t size_bytes;
    uint64_t sequence;        /* of its segment */
    struct log_record record; /* unless INVALID; the payload lives until log_view_close */
    uint64_t durable_position;
    uint64_t previous_offset; /* of the record with the index before; 0: none */
    bool was_suspect;
    bool begins_segment;
};
/* Walks the row in the order of writing; the walk starts zeroed. False: that was all. */
struct log_view_walk {
    uint64_t position; /* of the next place */
    uint64_t sequence; /* whose end is known */
    uint64_t end;
};
bool log_view_next(const struct log_view *view, struct log_view_walk *walk,
                   struct log_view_place *ret_place);

/* Where record `index` lies, first_index to last_index (CHECK). */
void log_view_at(const struct log_view *view, uint64_t index, struct log_view_place *ret_place);

#endif
