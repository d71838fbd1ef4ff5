/*
 * Recovery: one walk over the segments of the row, each from its start to its last byte that is not
 * zero.
 *
 * A record names the place of the record before it in the log (index - 1). It is taken into the log
 * when that place is where the walk has that index, and then supersedes everything from its own
 * index on; every other whole record hangs in the air: what it follows was lost. So the log
 * recovered is at all times the log as it stood when its last record was written, whatever else is
 * missing, and a record once left out stays out: the place it follows is not written again before
 * its segment was dropped, which everything before it in the row was before, because appending goes
 * on behind the last byte that is not zero.
 *
 * What lies behind the last record taken is either damaged though some record calls it durable
 * (rot, a hole) or vouched for by nobody (a tail that power loss may have torn). Damage before a
 * later record that was taken is harmless: that record was written by a node that knew its log, and
 * superseded it.
 *
 * A node that lost records is suspect until it has again as many as it may have lost: its records
 * carry a flag meanwhile, so that a second crash does not hide the first. A log that has lost its
 * begin may have lost everything: the first record without the flag, or a mark, shows that a quorum
 * has settled it since. A log that never had a record has lost none.
 */
#include "base/le.h"
#include "pmem/log_internal.h"

#define ZERO_STEP_BYTES 4096u

bool recovery_is_zero(const uint8_t *data, size_t from, size_t to)
{
    static const uint8_t zeros[ZERO_STEP_BYTES];
    for (size_t at = from; at < to; at += ZERO_STEP_BYTES) {
        size_t size_bytes = to - at < ZERO_STEP_BYTES ? to - at : ZERO_STEP_BYTES;
        if (memcmp(data + at, zeros, size_bytes) != 0)
            return false;
    }
    return true;
}

size_t recovery_used_end(const struct log *log, size_t begin, size_t end)
{
    while (end > begin && recovery_is_zero(log->data, end - ZERO_STEP_BYTES, end))
        end -= ZERO_STEP_BYTES;
    while (end > begin && recovery_is_zero(log->data, end - RECORD_ALIGN_BYTES, end))
        end -= RECORD_ALIGN_BYTES;
    return end;
}

static bool record_continues(const struct log *log, const struct record_view *view)
{
    uint64_t index = view->record.index;
    return index >= log->first_index && index <= log->last_index + 1 &&
           *log_unit_at(log, index - 1) == view->previous_unit;
}

/* The place lies in a segment of the row up to this one. */
static bool is_walked(const struct log *log, uint32_t unit, uint64_t sequence)
{
    size_t offset = log_unit_offset(unit);
    if (offset < log->records_offset)
        return false;
    uint64_t found = log->segments[log_slot_at(log, offset)].sequence;
    return found >= log->row.first && found <= sequence;
}

/*
 * The first record of the log in a segment can begin the log anew: where the record before it has
 * been dropped since, so that what was walked until here is superseded or was lost; or where that
 * record was dropped before, or the log was given up for a snapshot: then it names none.
 */
static bool record_begins(const struct log *log, const struct record_view *view, uint64_t sequence)
{
    if ((view->flags & LOG_FLAG_BEGIN) == 0)
        return false;
    if (view->record.index == 1)
        return log->first_index > 1;
    return !is_walked(log, view->previous_unit, sequence);
}

static void log_begin_at(struct log *log, const struct record_view *view)
{
    log->first_index = view->record.index;
    log->last_index = view->record.index - 1;
    *log_unit_at(log, log->last_index) = 0;
    if (begin_mark_is_settled(log) && log->lost_through_index == LOG_LOST_EVERYTHING)
        log->lost_through_index = 0;
}

static void record_take(struct log *log, struct recovery_scan *scan, const struct record_view *view,
                        size_t offset)
{
    uint64_t index = view->record.index;
    uint64_t commit_index = view->record.commit_index < index ? view->record.commit_index : index;
    uint32_t unit = (uint32_t)(offset / RECORD_ALIGN_BYTES);

    *log_unit_at(log, index) = unit;
    log->last_index = index;
    if (commit_index > scan->commit_index)
        scan->commit_index = commit_index;
    scan->lost_position = 0;
    if ((view->flags & LOG_FLAG_SUSPECT) == 0 || index >= log->lost_through_index ||
        settled_mark_is_at(log, unit))
        log->lost_through_index = 0;
}

/* Index `index` may have been lost. */
static void record_miss(struct log *log, struct recovery_scan *scan, uint64_t position,
                        size_t offset, uint64_t index)
{
    if (scan->lost_position == 0) {
        scan->lost_position = position;
        scan->lost_offset = offset;
    }
    if (index > log->lost_through_index)
        log->lost_through_index = index;
}

/* Walks one segment of the row up to its last byte that is not zero. */
static void segment_scan(struct log *log, struct recovery_scan *scan, uint64_t sequence)
{
    size_t begin = log_slot_offset(log, log_slot_of(log, sequence));
    size_t end = recovery_used_end(log, begin, begin + log->segment_bytes);
    size_t offset = begin;

    log_segment_of(log, sequence)->base_index = log->last_index;
    while (offset < end) {
        uint64_t position = log_position(log, sequence, offset);
        struct record_view view;
        if (!record_load(log, offset, &view)) {
            scan->invalid_units++;
            record_miss(log, scan, position, offset, log->last_index + scan->invalid_units);
            offset += RECORD_ALIGN_BYTES;
            continue;
        }
        if (view.durable_position > scan->vouched_position)
            scan->vouched_position = view.durable_position;
        bool is_begin = record_begins(log, &view, sequence);
        if (is_begin)
            log_begin_at(log, &view);
        if (is_begin || record_continues(log, &view)) {
            record_take(log, scan, &view, offset);
            if ((view.flags & LOG_FLAG_BEGIN) != 0)
                log_segment_of(log, sequence)->base_index = view.record.index - 1;
            scan->invalid_units = 0;
        } else {
            record_miss(log, scan, position, offset, view.record.index);
        }
        offset += view.room_bytes;
        scan->valid_end = log_position(log, sequence, offset);
    }
    if (offset == begin && sequence != log->row.first)
        return; /* made ready, and not used */
    /* The padding of the last record is zero, so the walk may end behind the last byte in use. */
    log->row.current = sequence;
    log->append_offset = offset;
}

/* Nothing says that the log ever had a record: none is there, its first segment was never left, and
 * no word names one. */
static bool is_untouched(const struct log *log)
{
    return log->last_index == 0 && log->row.first <= 1 &&
           le64_load(log->data + LOG_HINT_OFFSET) == 0 &&
           le64_load(log->data + LOG_SETTLED_OFFSET) == 0;
}

void recovery_scan(struct log *log, struct recovery_scan *ret_scan)
{
    uint64_t begin =
        log_position(log, log->row.first, log_slot_offset(log, log_slot_of(log, log->row.first)));
    struct recovery_scan scan = {.valid_end = begin, .vouched_position = begin};

    log->first_index = 1;
    log->last_index = 0;
    log->lost_through_index = LOG_LOST_EVERYTHING;
    for (uint64_t sequence = log->row.first; sequence <= log->row.last; sequence++)
        segment_scan(log, &scan, sequence);
    segments_note_current(log);
    if (scan.lost_position == 0 && is_untouched(log))
        log->lost_through_index = 0;
    *ret_scan = scan;
}

/* The walk, and what it means for the hard state: a vote for a term is durable before anything of
 * that term is answered, so a record of a later term shows that nothing of it was. */
void recovery_run(struct log *log, struct recovery_scan *ret_scan)
{
    recovery_scan(log, ret_scan);
    if (log->last_index >= log->first_index) {
        struct log_record last;
        log_read(log, log->last_index, &last);
        if (last.term > log->term) {
            log->term = last.term;
            log->vote = 0;
            log->vote_place = 0;
        }
    }
    uint64_t hint = commit_hint_load(log);
    if (hint > ret_scan->commit_index)
        ret_scan->commit_index = hint;
    log->is_suspect = ret_scan->lost_position != 0 || log->last_index < log->lost_through_index;
}
