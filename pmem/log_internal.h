/*
 * What the files of the log share: its state, its layout, and the pieces it is made of. The byte
 * layout and the rules are told in log.h; recovery.c tells how they are read back.
 */
#ifndef POLLUX_PMEM_LOG_INTERNAL_H
#define POLLUX_PMEM_LOG_INTERNAL_H

#include "base/check.h"
#include "base/format.h"
#include "base/limits.h"
#include "pmem/log.h"

#define LOG_HEADER_COPY_OFFSET  2048u /* the second copy of the file header */
#define LOG_HEADER_SIZE_BYTES   64u
#define LOG_STATE_OFFSET        4096u
#define LOG_SLOT_STEP_BYTES     512u /* slots lie in different sectors */
#define LOG_SLOTS               2u
#define LOG_HINT_OFFSET         (LOG_STATE_OFFSET + 1024u)
#define LOG_SETTLED_OFFSET      (LOG_STATE_OFFSET + 1536u)
#define LOG_BEGIN_OFFSET        (LOG_STATE_OFFSET + 2048u)
#define LOG_BIRTHS_OFFSET       (LOG_STATE_OFFSET + 2560u)
#define LOG_BIRTHS_MAX          64u /* that a node has voted for */
#define LOG_STARTS_OFFSET       LOG_HEADER_SIZE_BYTES
#define LOG_HEARD_OFFSET        (LOG_HEADER_COPY_OFFSET + LOG_HEADER_SIZE_BYTES)
#define LOG_HEARD_PLACE_BYTES   32u
#define LOG_ENDED_OFFSET        (LOG_STATE_OFFSET + 3592u)
#define LOG_STARTS_COUNT_OFFSET (LOG_STATE_OFFSET + 3584u)
#define LOG_RECORDS_OFFSET      8192u /* of a log of one segment; else the table lies here */
#define LOG_TABLE_SIZE_BYTES    4096u
#define LOG_TABLE_COPY_OFFSET   2048u /* of the second copy, from the table's begin */
#define LOG_HEAD_BYTES_MAX      (LOG_RECORDS_OFFSET + LOG_TABLE_SIZE_BYTES)

static_assert(LOG_HEARD_OFFSET + LOG_HEARD_PLACES * LOG_HEARD_PLACE_BYTES <= LOG_STATE_OFFSET,
              "the starts that were heard of lie behind the second copy of the header");

/* A record written while the log was suspect: it does not prove that what was lost is settled. */
#define LOG_FLAG_SUSPECT 1u
/* The first record of the log in its segment, behind the base. Whatever lies before it there was
 * lost or superseded. */
#define LOG_FLAG_BEGIN 2u

/* What a log may have lost until something in it proves that a quorum settled it. */
#define LOG_LOST_EVERYTHING UINT64_MAX

/* Kept clean for a new begin (log_reset), which must not wait for a wipe. */
#define SEGMENTS_KEPT 1u

/* Persists asked for and not yet durable. When full the newest two merge, which only reports
 * later. */
#define LOG_PENDING_MAX 64u

static_assert(LOG_RECORDS_OFFSET % RECORD_ALIGN_BYTES == 0, "units count from the file's start");
static_assert(LOG_STARTS_OFFSET + 8 * LOG_STARTS_MAX <= LOG_HEADER_COPY_OFFSET,
              "the starts lie between the copies of the header");
static_assert(RECORD_HEADER_SIZE_BYTES < RECORD_ALIGN_BYTES, "a header lies within one line");
static_assert((LOG_PENDING_MAX & (LOG_PENDING_MAX - 1)) == 0, "the ring is indexed by a mask");

/* The last records that were appended since the start: what was written last is still in memory,
 * and is not compared with its checksum each time that it is read. */
#define LOG_WARM_RECORDS 256u

struct log_pending {
    uint64_t ticket;
    uint64_t index;
    uint64_t position;
};

/* segments.c. DIRTY: to be wiped. CLEAN: durably zero. ROW: part of the row, or ready for it. */
enum log_segment_state { LOG_SEGMENT_DIRTY, LOG_SEGMENT_CLEAN, LOG_SEGMENT_ROW };
struct log_segment {
    enum log_segment_state state;
    uint64_t sequence;   /* ROW: its place in the row, from 1 */
    uint64_t base_index; /* ROW, not behind the current one: the record before its first */
    uint64_t ticket;     /* of the persist that made this state durable */
};

/* The segments in use, by sequence: first <= current <= last. Those from `oldest` to `first` are
 * dropped and not yet wiped, those behind `current` are made ready. */
struct log_row {
    uint64_t oldest;
    uint64_t first;
    uint64_t current;
    uint64_t last;
};

/* recycle.c: the segment that is being wiped. */
enum log_recycle_phase {
    LOG_RECYCLE_NONE,
    LOG_RECYCLE_DOUBT,
    LOG_RECYCLE_MARKED,
    LOG_RECYCLE_ZEROING,
    LOG_RECYCLE_END
};
struct log_recycle {
    enum log_recycle_phase phase;
    uint32_t slot;
    size_t done_bytes;
    uint64_t ticket;
};

/* wipe.c: what is under way, and the ticket that the next step waits for. */
enum log_wipe_phase { LOG_WIPE_NONE, LOG_WIPE_REST, LOG_WIPE_FIRST_LINE, LOG_WIPE_END };
struct log_wipe {
    enum log_wipe_phase phase;
    size_t offset;
    size_t end_offset;
    uint64_t ticket;
};

struct log {
    struct medium *medium;
    const uint8_t *data;
    uint32_t seed; /* of every checksum in the file: identity */
    bool is_suspect;
    uint8_t *head;         /* log_head.c: what lies before the record area */
    size_t records_offset; /* of the record area */
    size_t end_offset;     /* of the record area */
    size_t append_offset;  /* behind the last byte that is not zero, aligned */
    uint64_t durable_position;
    uint64_t durable_ticket;
    uint32_t segment_count;
    size_t segment_bytes;
    struct log_row row;
    struct log_segment segments[LOG_SEGMENTS_MAX];
    uint32_t clean_count;  /* segments in that state */
    uint32_t dirty_count;  /* in that one */
    size_t current_end;    /* offset of the end of the current segment */
    uint64_t current_base; /* its base */
    bool is_row_unstamped; /* segments were made ready since the last persist */
    struct log_recycle recycle;
    uint64_t first_index; /* records before it are gone */
    uint64_t last_index;
    uint64_t found_index; /* that the opening found as the last */
    uint64_t durable_index;
    uint64_t settle_ticket;      /* of the persist after which the log is settled; 0: none */
    uint64_t lost_through_index; /* highest index that may have been lost; 0: none; or everything */
    uint32_t *units;             /* ring: index -> offset / RECORD_ALIGN_BYTES; that of 0 is 0 */
    uint64_t units_max;          /* records that fit at a time */
    uint32_t format;             /* by the file's header */
    uint64_t birth;
    uint64_t start;       /* 0: none was noted */
    bool is_state_absent; /* of a journal: the opening found records and no hard state */
    struct log_heard heard[LOG_HEARD_PLACES];
    uint64_t term;
    uint64_t vote;
    uint8_t vote_place;      /* in the table of births; 0: no vote */
    uint32_t birth_place;    /* where the last new one was put */
    uint32_t birth_sequence; /* of that */
    uint32_t pending_first;
    uint32_t pending_count;
    struct log_pending pending[LOG_PENDING_MAX];
    struct log_wipe wipe;
};

/* A record as read from the medium, all fields checked. */
struct record_view {
    struct log_record record;
    uint64_t durable_position;
    uint32_t previous_unit;
    uint8_t flags;
    size_t room_bytes;
};

static inline size_t log_unit_offset(uint32_t unit)
{
    return (size_t)unit * RECORD_ALIGN_BYTES;
}

/* The place of record `index`, and of the one before the first. */
static inline uint32_t *log_unit_at(const struct log *log, uint64_t index)
{
    return &log->units[index % (log->units_max + 1)];
}

static inline uint32_t log_slot_of(const struct log *log, uint64_t sequence)
{
    return (uint32_t)((sequence - 1) % log->segment_count);
}

static inline size_t log_slot_offset(const struct log *log, uint32_t slot)
{
    return log->records_offset + (size_t)slot * log->segment_bytes;
}

static inline uint32_t log_slot_at(const struct log *log, size_t offset)
{
    return (uint32_t)((offset - log->records_offset) / log->segment_bytes);
}

static inline struct log_segment *log_segment_of(struct log *log, uint64_t sequence)
{
    return &log->segments[log_slot_of(log, sequence)];
}

/*
 * A position counts the bytes of the row since the log was made, so it rises for ever, while the
 * offset of a segment comes again. In a log of one segment the two are the same. `sequence` is that
 * of the segment that `offset` lies in (or ends).
 */
static inline uint64_t log_position(const struct log *log, uint64_t sequence, size_t offset)
{
    return (sequence - 1) * log->segment_bytes + log->records_offset +
           (offset - log_slot_offset(log, log_slot_of(log, sequence)));
}

/* segments.c: which part of the file has which place in the row. */
bool log_segments_fit(size_t file_bytes, size_t segment_bytes);
void segments_layout(struct log *log, size_t file_bytes, size_t segment_bytes);
/* Reads the table, changes nothing on the medium. ERR_CHECKSUM: both copies of a word are rotten.
 * *ret_is_damaged: one is. */
MUST_USE enum error segments_load(struct log *log, bool *ret_is_damaged);
/* One word of the table. False: rotten. */
bool segments_word_load(const struct log *log, uint32_t slot, uint32_t copy,
                        struct log_segment *ret_segment);
size_t segments_word_offset(uint32_t slot, uint32_t copy);
/* The row, from the segments as they are known. */
void segments_find_row(struct log *log);
/* Of a file just created, which is all zero. */
void segments_fresh(struct log *log);
/* Of a log without a row: begins it. */
void segments_begin(struct log *log);
/* Writes the table as it is known. */
void segments_store(struct log *log);
/* Makes clean segments ready behind the last of the row; durable with the next persist. */
void segments_prepare(struct log *log);
void segments_stamp(struct log *log, uint64_t ticket);
void segment_set(struct log *log, uint32_t slot, enum log_segment_state state, uint64_t sequence);
/* The current segment is another one, or has another base. */
void segments_note_current(struct log *log);
/* Counts states, after they were loaded. */
void segments_count(struct log *log);
/* True when the next segments, so many, can be appended to and the kept one remains. */
bool segments_can_advance(const struct log *log, uint32_t steps);
/* Whether a record of this index begins the current segment. */
bool segments_is_begin(const struct log *log, uint64_t index);
/* Goes on in the next segment, which is ready (CHECK). */
void segments_advance(struct log *log);

/* log_head.c: stores before the record area, to the medium and the copy of it. */
void log_head_write(struct log *log, size_t offset, const void *data, size_t size_bytes);
void log_head_write_word(struct log *log, size_t offset, uint64_t word);
/* What the medium has there now is what it should have. */
void log_head_note(struct log *log);

/* wipe.c: stores zeros. */
void log_zero(struct log *log, size_t from, size_t to);

/* record.c: one record as bytes. */
size_t record_room_bytes(size_t payload_size_bytes);
void record_write(struct log *log, const struct log_record *record);
/* A record known to be whole. */
void record_read(const struct log *log, size_t offset, struct log_record *ret_record);
bool record_load(const struct log *log, size_t offset, struct record_view *ret_view);

/* header.c: who the file belongs to. */
enum log_header_state { LOG_HEADER_GOOD, LOG_HEADER_DAMAGED_COPY, LOG_HEADER_FRESH };
uint32_t log_header_seed(const struct log_identity *identity);
struct log_header_found {
    enum log_header_state state;
    size_t file_bytes;    /* as the header states */
    size_t segment_bytes; /* as well; 0: one segment */
    uint64_t birth;       /* as well */
    uint32_t format;      /* by its version */
    bool is_begun;        /* its hard state is durable: then all the rest may be written */
};
/* `note` is written on an error. */
MUST_USE enum error log_header_check(const struct medium *medium, const struct log_options *options,
                                     struct log_header_found *ret_found, char *note,
                                     size_t note_size);
void log_header_write(struct medium *medium, const struct log_identity *identity,
                      const struct log_header_found *found);
/* Writes the version of another format into both copies; durable with the next persist. */
void log_header_raise(struct log *log, uint32_t format);

/* One copy of a header. */
struct log_header {
    uint32_t version;
    uint32_t format; /* that has the version */
    struct log_identity identity;
    size_t file_bytes;
    size_t segment_bytes; /* 0: one segment */
    uint64_t birth;
};
/* Reads one copy, whatever its fields say. ERR_MAGIC, ERR_CHECKSUM, ERR_VERSION, ERR_RANGE (its
 * layout is none of this version): `ret_header` has the fields as they are. */
MUST_USE enum error log_header_decode(const uint8_t *header, struct log_header *ret_header);

/* hard_state.c: term, vote, commit hint. */
/* One slot. False: rotten. */
bool hard_state_slot_load(const struct log *log, uint32_t slot, uint64_t *ret_term,
                          uint8_t *ret_vote_place);
/* Takes the newest of the slots that are whole; returns how many are rotten. */
uint32_t hard_state_take(struct log *log);
/* One entry of the table of births, from 1. False: it is empty or rotten. */
bool hard_state_birth(const struct log *log, uint32_t place, uint64_t *ret_birth);
bool hard_state_birth_is_empty(const struct log *log, uint32_t place);
/* ERR_CHECKSUM: no slot is whole. ERR_NOT_FOUND: both are zero. */
MUST_USE enum error hard_state_load(struct log *log, bool *ret_is_damaged);
/* Whether anything is in the table of births. */
bool hard_state_has_births(const struct log *log);
void hard_state_store(struct log *log);
void hard_state_set(struct log *log, uint64_t term, uint64_t vote);
/* Stores what a start has found once more: a killed process may have left it in a cache. */
void births_rewrite(struct log *log);
/* starts.c: the start that was noted so many starts ago; 0: none is there. */
uint64_t starts_at(const struct log *log, uint32_t age);
/* Adds a start to the list; 0: none. Durable with the next persist. */
void starts_note(struct log *log, uint64_t random);
/* heard_starts.c */
void heard_load(struct log *log);
/* False: the place holds something that is not whole. */
bool heard_is_whole(const struct log *log, uint32_t place);
/* As births_rewrite. */
void heard_rewrite(struct log *log);
/* Index of the record the hint names if that is part of the log; 0 otherwise. */
uint64_t commit_hint_load(const struct log *log);
void commit_hint_store(struct log *log, uint64_t commit_index);
/* Notes that the log up to its last record is settled; whether that was noted of this record. */
void settled_mark_store(struct log *log);
bool settled_mark_is_at(const struct log *log, uint32_t unit);
/* Notes whether the log was settled when its begin was dropped: then there may be no record left
 * that tells. */
void begin_mark_store(struct log *log, bool is_settled);
bool begin_mark_is_settled(const struct log *log);

/* ended.c: what log_end has noted. */
enum log_end_reason ended_reason(const uint8_t *data, uint32_t seed);

/* recovery.c: fills the log from the record area. Writes nothing. */
struct recovery_scan {
    uint64_t commit_index;
    uint64_t lost_position;    /* where the bytes that are not part of the log begin; 0: none */
    uint64_t valid_end;        /* position of the end of the last whole record, taken or not */
    uint64_t vouched_position; /* up to where records say that the file was durable */
    size_t lost_offset;        /* of lost_position */
    uint64_t invalid_units;    /* since the last record taken: as many may be lost there */
};
void recovery_scan(struct log *log, struct recovery_scan *ret_scan);
/* The walk, and what it means for hard state, commit index and suspicion. Writes nothing. */
void recovery_run(struct log *log, struct recovery_scan *ret_scan);
/* Behind the last unit of [begin, end) that is not zero. */
size_t recovery_used_end(const struct log *log, size_t begin, size_t end);
/* True when every byte of [from, to) is zero. */
bool recovery_is_zero(const uint8_t *data, size_t from, size_t to);

#endif
