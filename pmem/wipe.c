/*
 * Wiping a log of one segment. The order of the steps, each durable before the next begins:
 *  1. the first word of the first record (checksum and size) becomes zero, in one atomic store: the
 *     record is gone, and with it the chain of all that follow it;
 *  2. everything behind the first line becomes zero;
 *  3. the rest of the first line.
 * A log whose first word is zero while its record area is not is being wiped. How far it was used
 * can no longer be told then: what looks like zero may be so only in a cache. So all of it is
 * wiped.
 */
#include "base/check.h"
#include "base/le.h"
#include "pmem/log_internal.h"

#define ZERO_STEP_BYTES (64u * 1024)

bool log_is_blank(const struct log *log)
{
    return log->append_offset == log->records_offset;
}

bool log_is_wiping(const struct log *log)
{
    return !log_is_blank(log) && le64_load(log->data + LOG_RECORDS_OFFSET) == 0;
}

void log_zero(struct log *log, size_t from, size_t to)
{
    static const uint8_t zeros[ZERO_STEP_BYTES];
    for (size_t at = from; at < to; at += sizeof(zeros))
        medium_write(log->medium, at, zeros, to - at < sizeof(zeros) ? to - at : sizeof(zeros));
}

static void wipe_begin(struct log *log)
{
    struct log_wipe *wipe = &log->wipe;
    CHECK(log->segment_count == 1);
    wipe->end_offset = log_is_wiping(log) ? log->end_offset : log->append_offset;
    wipe->offset = LOG_RECORDS_OFFSET + RECORD_ALIGN_BYTES;
    log_truncate(log, 1);
    medium_write_word(log->medium, LOG_RECORDS_OFFSET, 0);
    log_head_write_word(log, LOG_HINT_OFFSET, 0);
    log_head_write_word(log, LOG_SETTLED_OFFSET, 0);
    wipe->ticket = medium_persist(log->medium);
    wipe->phase = LOG_WIPE_REST;
}

static void wipe_rest(struct log *log, size_t step_bytes)
{
    struct log_wipe *wipe = &log->wipe;
    size_t left_bytes = wipe->end_offset > wipe->offset ? wipe->end_offset - wipe->offset : 0;
    size_t size_bytes = left_bytes < step_bytes ? left_bytes : step_bytes;
    log_zero(log, wipe->offset, wipe->offset + size_bytes);
    wipe->offset += size_bytes;
    if (size_bytes < left_bytes)
        return;
    wipe->ticket = medium_persist(log->medium);
    wipe->phase = LOG_WIPE_FIRST_LINE;
}

static void wipe_first_line(struct log *log)
{
    log_zero(log, LOG_RECORDS_OFFSET, LOG_RECORDS_OFFSET + RECORD_ALIGN_BYTES);
    log->wipe.ticket = medium_persist(log->medium);
    log->wipe.phase = LOG_WIPE_END;
}

/* Persists asked for before the wipe are durable by now, and speak of records that are gone. */
static void wipe_end(struct log *log)
{
    log->wipe = (struct log_wipe){0};
    log->append_offset = LOG_RECORDS_OFFSET;
    log->durable_position = LOG_RECORDS_OFFSET;
    log->durable_index = 0;
    log->pending_count = 0;
    log->settle_ticket = 0;
    log->is_suspect = false;
    log->lost_through_index = 0;
}

enum error log_wipe(struct log *log, size_t step_bytes, bool *ret_is_done)
{
    uint64_t ticket = 0;
    CHECK(step_bytes > 0 && step_bytes % RECORD_ALIGN_BYTES == 0);
    enum error error = medium_persisted(log->medium, &ticket);
    if (error != OK)
        return error;
    *ret_is_done = false;
    if (log->wipe.phase != LOG_WIPE_NONE && ticket < log->wipe.ticket)
        return OK;
    switch (log->wipe.phase) {
    case LOG_WIPE_NONE:
        wipe_begin(log);
        break;
    case LOG_WIPE_REST:
        wipe_rest(log, step_bytes);
        break;
    case LOG_WIPE_FIRST_LINE:
        wipe_first_line(log);
        break;
    case LOG_WIPE_END:
        wipe_end(log);
        *ret_is_done = true;
        break;
    }
    return OK;
}
