/*
 * What the files of the log share: its state, its layout, and the pieces it is made of. The byte
 * layout and the rules are told in log.h; recovery.c tells how they are read back.
 */
#ifndef POLLUX_PMEM_LOG_INTERNAL_H
#define POLLUX_PMEM_LOG_INTERNAL_H

#include "base/check.h"
#include "base/limits.h"
#include "pmem/log.h"

#define LOG_HEADER_COPY_OFFSET 2048u /* the second copy of the file header */
#define LOG_HEADER_SIZE_BYTES  64u
#define LOG_STATE_OFFSET       4096u
#define LOG_SLOT_STEP_BYTES    512u /* slots lie in different sectors */
#define LOG_SLOTS              2u
#define LOG_HINT_OFFSET        (LOG_STATE_OFFSET + 1024u)
#define LOG_SETTLED_OFFSET     (LOG_STATE_OFFSET + 1536u)
#define LOG_RECORDS_OFFSET     8192u

/* A record written while the log was suspect: it does not prove that what was lost is settled. */
#define LOG_FLAG_SUSPECT 1u

/* What a log may have lost until something in it proves that a quorum settled it. */
#define LOG_LOST_EVERYTHING UINT64_MAX

/* Persists asked for and not yet durable. When full the newest two merge, which only reports
 * later. */
#define LOG_PENDING_MAX 64u

static_assert(LOG_RECORDS_OFFSET % RECORD_ALIGN_BYTES == 0, "units count from the file's start");
static_assert(RECORD_HEADER_SIZE_BYTES < RECORD_ALIGN_BYTES, "a header lies within one line");
static_assert((LOG_PENDING_MAX & (LOG_PENDING_MAX - 1)) == 0, "the ring is indexed by a mask");

struct log_pending {
    uint64_t ticket;
    uint64_t index;
    size_t offset;
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
    size_t end_offset;    /* of the record area */
    size_t append_offset; /* behind the last byte that is not zero, aligned */
    size_t durable_offset;
    uint64_t last_index;
    uint64_t durable_index;
    uint64_t settle_ticket;      /* of the persist after which the log is settled; 0: none */
    uint64_t lost_through_index; /* highest index that may have been lost; 0: none; or everything */
    uint32_t *units;             /* index -> offset / RECORD_ALIGN_BYTES; [0] is 0 */
    uint64_t units_max;          /* highest index that fits */
    uint64_t term;
    uint16_t vote;
    uint32_t pending_first;
    uint32_t pending_count;
    struct log_pending pending[LOG_PENDING_MAX];
    struct log_wipe wipe;
};

/* A record as read from the medium, all fields checked. */
struct record_view {
    struct log_record record;
    uint64_t durable_offset;
    uint32_t previous_unit;
    uint8_t flags;
    size_t room_bytes;
};

static inline size_t log_unit_offset(uint32_t unit)
{
    return (size_t)unit * RECORD_ALIGN_BYTES;
}

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
    size_t file_bytes; /* as the header states */
};
/* `note` is written on an error. */
MUST_USE enum error log_header_check(const struct medium *medium, const struct log_options *options,
                                     struct log_header_found *ret_found, char *note,
                                     size_t note_size);
void log_header_write(struct medium *medium, const struct log_identity *identity,
                      size_t file_bytes);

/* hard_state.c: term, vote, commit hint. */
MUST_USE enum error hard_state_load(struct log *log, bool *ret_is_damaged);
void hard_state_store(struct log *log);
/* Index of the record the hint names if that is part of the log; 0 otherwise. */
uint64_t commit_hint_load(const struct log *log);
void commit_hint_store(struct log *log, uint64_t commit_index);
/* Notes that the log up to its last record is settled; whether that was noted of this record. */
void settled_mark_store(struct log *log);
bool settled_mark_is_at(const struct log *log, uint32_t unit);

/* recovery.c: fills the log from the record area. Writes nothing. */
struct recovery_scan {
    uint64_t commit_index;
    size_t lost_offset;    /* where the bytes that are not part of the log begin; 0: none */
    size_t valid_end;      /* end of the last whole record, part of the log or not */
    size_t vouched_offset; /* up to where records say that the file was durable */
};
void recovery_scan(struct log *log, struct recovery_scan *ret_scan);
/* True when every byte of [from, to) is zero. */
bool recovery_is_zero(const uint8_t *data, size_t from, size_t to);

#endif
