/*
 * Dropping segments and wiping them for their next use, in small steps. The order, each durable
 * before the next begins: the segment's word in the table becomes 0; its bytes become zero; its
 * word says that it is clean.
 */
#include "base/check.h"
#include "pmem/log_internal.h"

/* The lowest base in the row: the records up to there are dropped. Segments before that one, if
 * any, hold what it superseded. */
static uint64_t lowest_base(struct log *log)
{
    uint64_t lowest = UINT64_MAX;
    for (uint64_t sequence = log->row.first; sequence <= log->row.current; sequence++) {
        uint64_t base_index = log_segment_of(log, sequence)->base_index;
        lowest = base_index < lowest ? base_index : lowest;
    }
    return lowest;
}

void log_drop(struct log *log, uint64_t index)
{
    struct log_row *row = &log->row;
    CHECK(index <= log->last_index);
    uint64_t before = row->first;
    while (row->first < row->current && log_segment_of(log, row->first + 1)->base_index <= index)
        row->first++;
    if (row->first == before)
        return;
    uint64_t base_index = lowest_base(log);
    if (base_index < log->first_index)
        return;
    log->first_index = base_index + 1;
    /* Its place is used again: a record that follows it from here on names none. */
    *log_unit_at(log, base_index) = 0;
}

/* A segment to be wiped: the oldest dropped, or a dirty one of a start before. False: none. */
static bool victim_find(const struct log *log, uint32_t *ret_slot)
{
    if (log->row.oldest < log->row.first) {
        *ret_slot = log_slot_of(log, log->row.oldest);
        return true;
    }
    for (uint32_t slot = 0; log->dirty_count > 0 && slot < log->segment_count; slot++) {
        if (log->segments[slot].state == LOG_SEGMENT_DIRTY) {
            *ret_slot = slot;
            return true;
        }
    }
    return false;
}

/*
 * What shows that a log lost records may lie in the segment that goes. So a log that is suspect
 * says so first, durably: what is left of it has the flag of a suspect log in every record.
 */
static bool doubt_is_noted(struct log *log)
{
    if (!log->is_suspect || !begin_mark_is_settled(log))
        return true;
    begin_mark_store(log, false);
    log->recycle =
        (struct log_recycle){.phase = LOG_RECYCLE_DOUBT, .ticket = medium_persist(log->medium)};
    return false;
}

static void mark(struct log *log, uint32_t slot)
{
    if (log->row.oldest < log->row.first) {
        if (!doubt_is_noted(log))
            return;
        log->row.oldest++;
        begin_mark_store(log, !log->is_suspect);
    }
    segment_set(log, slot, LOG_SEGMENT_DIRTY, 0);
    log->recycle = (struct log_recycle){
        .phase = LOG_RECYCLE_MARKED, .slot = slot, .ticket = medium_persist(log->medium)};
}

static void zero_step(struct log *log, size_t step_bytes)
{
    struct log_recycle *recycle = &log->recycle;
    size_t offset = log_slot_offset(log, recycle->slot) + recycle->done_bytes;
    size_t left_bytes = log->segment_bytes - recycle->done_bytes;
    size_t size_bytes = left_bytes < step_bytes ? left_bytes : step_bytes;
    log_zero(log, offset, offset + size_bytes);
    recycle->done_bytes += size_bytes;
    if (size_bytes < left_bytes)
        return;
    recycle->phase = LOG_RECYCLE_END;
    recycle->ticket = medium_persist(log->medium);
}

enum error log_recycle(struct log *log, size_t step_bytes)
{
    uint64_t ticket = 0;
    uint32_t slot = 0;
    CHECK(step_bytes > 0 && step_bytes % RECORD_ALIGN_BYTES == 0);
    if (log_is_recycled(log))
        return OK;
    enum error error = medium_persisted(log->medium, &ticket);
    if (error != OK)
        return error;
    /* No append may come that would ask for it: the current segment may be full. */
    if (log->is_row_unstamped)
        segments_stamp(log, medium_persist(log->medium));
    switch (log->recycle.phase) {
    case LOG_RECYCLE_NONE:
        if (victim_find(log, &slot))
            mark(log, slot);
        break;
    case LOG_RECYCLE_DOUBT:
        if (ticket >= log->recycle.ticket)
            log->recycle = (struct log_recycle){0};
        break;
    case LOG_RECYCLE_MARKED:
        if (ticket >= log->recycle.ticket)
            log->recycle.phase = LOG_RECYCLE_ZEROING;
        break;
    case LOG_RECYCLE_ZEROING:
        zero_step(log, step_bytes);
        break;
    case LOG_RECYCLE_END:
        if (ticket < log->recycle.ticket)
            break;
        segment_set(log, log->recycle.slot, LOG_SEGMENT_CLEAN, 0);
        log->recycle = (struct log_recycle){0};
        segments_prepare(log);
        break;
    }
    return OK;
}

bool log_is_recycled(const struct log *log)
{
    return log->segment_count == 1 ||
           (log->recycle.phase == LOG_RECYCLE_NONE && log->row.oldest == log->row.first &&
            log->dirty_count == 0 && !log->is_row_unstamped);
}

bool log_can_reset(const struct log *log)
{
    uint64_t next = log->row.current + 1;
    return log->segment_count > 1 && next <= log->row.last &&
           log->segments[log_slot_of(log, next)].ticket <= log->durable_ticket;
}

enum error log_reset(struct log *log, uint64_t index)
{
    CHECK(log->segment_count > 1);
    if (!log_can_reset(log))
        return ERR_NOT_YET;
    log->last_index = index;
    segments_advance(log);
    log->row.first = log->row.current;
    log->first_index = index + 1;
    log->durable_index = index;
    log->pending_count = 0;
    *log_unit_at(log, index) = 0;
    begin_mark_store(log, !log->is_suspect);
    return OK;
}
