/*
 * Recovery: one walk over the record area, from its start to the last byte that is not zero.
 *
 * A record names the place of the record before it in the log (index - 1). It is taken into the log
 * when that place is where the walk has that index, and then supersedes everything from its own
 * index on; every other whole record hangs in the air: what it follows was lost. So the log
 * recovered is at all times the log as it stood when its last record was written, whatever else is
 * missing, and a record once left out stays out: the place it follows is never written again,
 * because appending goes on behind the last byte that is not zero.
 *
 * What lies behind the last record taken is either damaged though some record calls it durable
 * (rot, a hole) or vouched for by nobody (a tail that power loss may have torn). Damage before a
 * later record that was taken is harmless: that record was written by a node that knew its log, and
 * superseded it.
 *
 * A node that lost records is suspect until it has again as many as it may have lost: its records
 * carry a flag meanwhile, so that a second crash does not hide the first. A file that was just
 * created may stand for one that was lost with everything in it, so every log is suspect to begin
 * with: the first record without the flag, or the settled mark, shows that a quorum has settled it.
 */
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

/* Behind the last unit that is not zero. */
static size_t used_end(const struct log *log)
{
    size_t end = log->end_offset;
    while (end > LOG_RECORDS_OFFSET && recovery_is_zero(log->data, end - ZERO_STEP_BYTES, end))
        end -= ZERO_STEP_BYTES;
    while (end > LOG_RECORDS_OFFSET && recovery_is_zero(log->data, end - RECORD_ALIGN_BYTES, end))
        end -= RECORD_ALIGN_BYTES;
    return end;
}

static bool record_continues(const struct log *log, const struct record_view *view)
{
    uint64_t index = view->record.index;
    return index <= log->last_index + 1 && log->units[index - 1] == view->previous_unit;
}

static void record_take(struct log *log, struct recovery_scan *scan, const struct record_view *view,
                        size_t offset)
{
    uint64_t index = view->record.index;
    uint64_t commit_index = view->record.commit_index < index ? view->record.commit_index : index;

    log->units[index] = (uint32_t)(offset / RECORD_ALIGN_BYTES);
    log->last_index = index;
    if (commit_index > scan->commit_index)
        scan->commit_index = commit_index;
    scan->lost_offset = 0;
    if (view->flags == 0 || index >= log->lost_through_index ||
        settled_mark_is_at(log, log->units[index]))
        log->lost_through_index = 0;
}

/* Index `index` may have been lost. */
static void record_miss(struct log *log, struct recovery_scan *scan, size_t offset, uint64_t index)
{
    if (scan->lost_offset == 0)
        scan->lost_offset = offset;
    if (index > log->lost_through_index)
        log->lost_through_index = index;
}

void recovery_scan(struct log *log, struct recovery_scan *ret_scan)
{
    struct recovery_scan scan = {.valid_end = LOG_RECORDS_OFFSET,
                                 .vouched_offset = LOG_RECORDS_OFFSET};
    uint64_t invalid_units = 0; /* since the last record taken: as many records may be lost there */
    size_t offset = LOG_RECORDS_OFFSET;

    log->append_offset = used_end(log);
    log->lost_through_index = LOG_LOST_EVERYTHING;
    while (offset < log->append_offset) {
        struct record_view view;
        if (!record_load(log, offset, &view)) {
            invalid_units++;
            record_miss(log, &scan, offset, log->last_index + invalid_units);
            offset += RECORD_ALIGN_BYTES;
            continue;
        }
        if (view.durable_offset > scan.vouched_offset)
            scan.vouched_offset = view.durable_offset;
        if (record_continues(log, &view)) {
            record_take(log, &scan, &view, offset);
            invalid_units = 0;
        } else {
            record_miss(log, &scan, offset, view.record.index);
        }
        offset += view.room_bytes;
        scan.valid_end = offset;
    }
    /* The padding of the last record is zero, so the walk may end behind the last byte in use. */
    log->append_offset = offset;
    *ret_scan = scan;
}
