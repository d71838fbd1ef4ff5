/*
 * The segments of a log: equal parts of its record area, used in turn. The segments in use are the
 * row. Records are appended to the current one; the two behind it are made ready ahead; the oldest
 * are dropped once a snapshot holds what they hold, wiped (recycle.c), and used again.
 *
 * The table has a word for each segment, in two copies, so that either may rot:
 *    0               dirty: it is being wiped, or was never used
 *    sequence 0      clean: durably zero
 *    sequence        in the row, at this place, or ready for it
 * A word: sequence (bits 16 to 63), checksum (0 to 15). A segment's sequence is its place in the
 * row, counted since the log was made, so the slot of a segment follows from it.
 *
 * Order: a segment is called clean after its zeros are durable, and is appended to after its place
 * in the row is. So what is not in the row, as found at a start, holds nothing that was ever
 * acknowledged. A segment leaves the row (its word becomes 0, durably) before its records go.
 *
 * A log of one segment has no table: it is never recycled, only wiped as a whole (wipe.c).
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

/* Segments made ready behind the current one: more than a turn and its sync can fill. */
#define SEGMENTS_AHEAD 2u

static_assert(LOG_SEGMENTS_MAX * 8u <= LOG_TABLE_COPY_OFFSET, "a copy has a word for each");
static_assert(LOG_SEGMENTS_MIN > SEGMENTS_AHEAD + SEGMENTS_KEPT, "one to append to is left");

bool log_segments_fit(size_t file_bytes, size_t segment_bytes)
{
    size_t head_bytes = LOG_RECORDS_OFFSET + LOG_TABLE_SIZE_BYTES;
    if (file_bytes <= head_bytes || segment_bytes == 0 || segment_bytes % 4096 != 0)
        return false;
    size_t count = (file_bytes - head_bytes) / segment_bytes;
    return count >= LOG_SEGMENTS_MIN && count <= LOG_SEGMENTS_MAX;
}

void segments_layout(struct log *log, size_t file_bytes, size_t segment_bytes)
{
    log->end_offset = file_bytes;
    log->records_offset = LOG_RECORDS_OFFSET;
    log->segment_count = 1;
    log->segment_bytes = file_bytes - LOG_RECORDS_OFFSET;
    if (segment_bytes != 0) {
        log->records_offset += LOG_TABLE_SIZE_BYTES;
        log->segment_bytes = segment_bytes;
        log->segment_count = (uint32_t)((file_bytes - log->records_offset) / segment_bytes);
        log->end_offset = log->records_offset + log->segment_count * segment_bytes;
    }
    log->units_max = (log->end_offset - log->records_offset) / RECORD_ALIGN_BYTES;
}

size_t segments_word_offset(uint32_t slot, uint32_t copy)
{
    return LOG_RECORDS_OFFSET + (size_t)copy * LOG_TABLE_COPY_OFFSET + (size_t)slot * 8;
}

static uint64_t word_encode(const struct log *log, uint32_t slot, uint64_t sequence)
{
    uint8_t bytes[8];
    le64_store(bytes, sequence);
    uint32_t crc = crc32c(log->seed ^ (slot + 1), bytes, sizeof(bytes));
    uint64_t sum = (crc ^ crc >> 16) & 0xffff;
    /* Never 0, which says that the segment is dirty. */
    return sequence << 16 | (sequence == 0 && sum == 0 ? 1 : sum);
}

static void word_store(struct log *log, uint32_t slot)
{
    const struct log_segment *segment = &log->segments[slot];
    uint64_t word = 0;
    if (segment->state != LOG_SEGMENT_DIRTY)
        word = word_encode(log, slot, segment->sequence);
    for (uint32_t copy = 0; copy < 2; copy++)
        log_head_write_word(log, segments_word_offset(slot, copy), word);
}

void segments_count(struct log *log)
{
    log->clean_count = 0;
    log->dirty_count = 0;
    for (uint32_t slot = 0; slot < log->segment_count; slot++) {
        log->clean_count += log->segments[slot].state == LOG_SEGMENT_CLEAN;
        log->dirty_count += log->segments[slot].state == LOG_SEGMENT_DIRTY;
    }
}

void segment_set(struct log *log, uint32_t slot, enum log_segment_state state, uint64_t sequence)
{
    enum log_segment_state before = log->segments[slot].state;
    log->clean_count += (state == LOG_SEGMENT_CLEAN) - (before == LOG_SEGMENT_CLEAN);
    log->dirty_count += (state == LOG_SEGMENT_DIRTY) - (before == LOG_SEGMENT_DIRTY);
    log->segments[slot].state = state;
    log->segments[slot].sequence = sequence;
    word_store(log, slot);
}

void segments_store(struct log *log)
{
    for (uint32_t slot = 0; log->segment_count > 1 && slot < log->segment_count; slot++)
        word_store(log, slot);
}

bool segments_word_load(const struct log *log, uint32_t slot, uint32_t copy,
                        struct log_segment *ret_segment)
{
    uint64_t word = le64_load(log->data + segments_word_offset(slot, copy));
    struct log_segment segment = {.sequence = word >> 16};
    if (word != 0) {
        segment.state = segment.sequence == 0 ? LOG_SEGMENT_CLEAN : LOG_SEGMENT_ROW;
        if (word != word_encode(log, slot, segment.sequence) ||
            (segment.sequence != 0 && log_slot_of(log, segment.sequence) != slot))
            return false;
    }
    *ret_segment = segment;
    return true;
}

/*
 * The row begins with the lowest sequence, and ends where one is missing: that segment was not yet
 * durably made ready, so neither it nor any behind it was appended to. Those are clean still.
 */
void segments_find_row(struct log *log)
{
    uint64_t lowest = 0;
    for (uint32_t slot = 0; slot < log->segment_count; slot++) {
        uint64_t sequence = log->segments[slot].sequence;
        if (sequence != 0 && (lowest == 0 || sequence < lowest))
            lowest = sequence;
    }
    uint64_t last = lowest;
    while (lowest != 0 && log_segment_of(log, last + 1)->sequence == last + 1)
        last++;
    log->row = (struct log_row){lowest, lowest, lowest, last};
    for (uint32_t slot = 0; slot < log->segment_count; slot++) {
        if (log->segments[slot].sequence > last)
            log->segments[slot] = (struct log_segment){.state = LOG_SEGMENT_CLEAN};
    }
}

enum error segments_load(struct log *log, bool *ret_is_damaged)
{
    *ret_is_damaged = false;
    if (log->segment_count == 1) {
        log->segments[0] = (struct log_segment){.state = LOG_SEGMENT_ROW, .sequence = 1};
        log->row = (struct log_row){1, 1, 1, 1};
        return OK;
    }
    for (uint32_t slot = 0; slot < log->segment_count; slot++) {
        struct log_segment first = {0};
        struct log_segment second = {0};
        bool is_first_good = segments_word_load(log, slot, 0, &first);
        bool is_second_good = segments_word_load(log, slot, 1, &second);
        if (!is_first_good && !is_second_good)
            return ERR_CHECKSUM;
        /* Two that differ were on their way from one state to the next: either will do. */
        log->segments[slot] = is_first_good ? first : second;
        *ret_is_damaged |= !is_first_good || !is_second_good;
    }
    segments_find_row(log);
    return OK;
}

void segments_fresh(struct log *log)
{
    for (uint32_t slot = 0; log->segment_count > 1 && slot < log->segment_count; slot++)
        log->segments[slot] = (struct log_segment){.state = LOG_SEGMENT_CLEAN};
}

void segments_begin(struct log *log)
{
    if (log->row.last > 0)
        return;
    if (log->segments[0].state == LOG_SEGMENT_DIRTY)
        log_zero(log, log_slot_offset(log, 0), log_slot_offset(log, 1));
    log->row = (struct log_row){1, 1, 1, 1};
    log->segments[0] = (struct log_segment){.state = LOG_SEGMENT_ROW, .sequence = 1};
}

void segments_prepare(struct log *log)
{
    struct log_row *row = &log->row;
    while (log->segment_count > 1 && row->last < row->current + SEGMENTS_AHEAD) {
        uint32_t slot = log_slot_of(log, row->last + 1);
        if (log->segments[slot].state != LOG_SEGMENT_CLEAN)
            return;
        row->last++;
        segment_set(log, slot, LOG_SEGMENT_ROW, row->last);
        log->segments[slot].ticket = UINT64_MAX; /* until a persist is asked for */
        log->is_row_unstamped = true;
    }
}

void segments_stamp(struct log *log, uint64_t ticket)
{
    if (!log->is_row_unstamped)
        return;
    log->is_row_unstamped = false;
    for (uint64_t sequence = log->row.current + 1; sequence <= log->row.last; sequence++) {
        struct log_segment *segment = log_segment_of(log, sequence);
        if (segment->ticket == UINT64_MAX)
            segment->ticket = ticket;
    }
}

/* Clean segments, those made ready among them. */
static uint32_t unused_count(const struct log *log)
{
    return (uint32_t)(log->row.last - log->row.current) + log->clean_count;
}

bool segments_can_advance(const struct log *log, uint32_t steps)
{
    uint64_t sequence = log->row.current + steps;
    return sequence <= log->row.last &&
           log->segments[log_slot_of(log, sequence)].ticket <= log->durable_ticket &&
           unused_count(log) >= steps + SEGMENTS_KEPT;
}

bool segments_is_begin(const struct log *log, uint64_t index)
{
    return log->segment_count > 1 && index - 1 == log->current_base;
}

void segments_note_current(struct log *log)
{
    uint32_t slot = log_slot_of(log, log->row.current);
    log->current_end = log_slot_offset(log, slot + 1);
    log->current_base = log->segments[slot].base_index;
}

void segments_advance(struct log *log)
{
    CHECK(log->row.current < log->row.last);
    log->row.current++;
    log_segment_of(log, log->row.current)->base_index = log->last_index;
    log->append_offset = log_slot_offset(log, log_slot_of(log, log->row.current));
    segments_note_current(log);
    segments_prepare(log);
}

/* Of the segments behind the current one. */
static size_t fresh_bytes(const struct log *log)
{
    if (log->segment_count == 1)
        return 0;
    uint32_t unused = unused_count(log);
    return (unused > SEGMENTS_KEPT ? unused - SEGMENTS_KEPT : 0) * log->segment_bytes;
}

size_t log_room_bytes(const struct log *log)
{
    return log->current_end - log->append_offset + fresh_bytes(log);
}

static size_t lesser(size_t one, size_t other)
{
    return one < other ? one : other;
}

static size_t greater(size_t one, size_t other)
{
    return one > other ? one : other;
}

/*
 * Records that are not larger together than what is left of the current segment lose nothing. Those
 * not larger than one segment lose no more than what is left of the current one: the rest of them
 * fits the next. Of more than that each may lose at most its own size at the end of a segment.
 */
size_t log_sure_room_bytes(const struct log *log, size_t kept_bytes)
{
    size_t left = log_space_begin(log, log->last_index + 1).left_bytes;
    size_t fresh = fresh_bytes(log);
    if (left + fresh <= kept_bytes)
        return 0;
    size_t behind = fresh > kept_bytes ? fresh - kept_bytes : 0;
    size_t in_one =
        greater(lesser(left, left + fresh - kept_bytes), lesser(behind, log->segment_bytes));
    return greater(in_one, behind / 2);
}
