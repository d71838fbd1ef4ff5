/*
 * The segments of a log that is only read. Where both copies of a word are lost, the records of the
 * segment say where it belongs: a record knows up to which position the log was durable when it was
 * written, and that lies less than one round of the ring before its own place.
 */
#include "pmem/log_view_internal.h"

/* Far behind any place that a log comes to, and below the range of a position. */
#define ROUNDS_MAX (UINT64_C(1) << 24)

static_assert(ROUNDS_MAX <= (UINT64_C(1) << 62) / LOG_FILE_BYTES_MAX,
              "a position of that round does not overflow");

/* The first whole record of a segment whose place in the row is not known. */
static bool first_record(struct log *log, uint32_t slot, size_t *ret_offset,
                         struct record_view *ret_record)
{
    size_t begin = log_slot_offset(log, slot);
    size_t end = recovery_used_end(log, begin, begin + log->segment_bytes);
    log->segments[slot] = (struct log_segment){
        .state = LOG_SEGMENT_ROW, .sequence = slot + 1 + ROUNDS_MAX * log->segment_count};
    for (size_t offset = begin; offset < end; offset += RECORD_ALIGN_BYTES) {
        if (!record_load(log, offset, ret_record))
            continue;
        *ret_offset = offset;
        return true;
    }
    return false;
}

static void slot_place(struct log_view *view, uint32_t slot)
{
    struct log *log = &view->log;
    struct record_view record;
    size_t offset = 0;
    size_t begin = log_slot_offset(log, slot);
    (void)file_copy_read(&view->copy, begin, begin + log->segment_bytes);
    bool is_found = first_record(log, slot, &offset, &record);
    log->segments[slot] = (struct log_segment){.state = LOG_SEGMENT_CLEAN};
    if (!is_found)
        return;
    uint64_t round_bytes = (uint64_t)log->segment_count * log->segment_bytes;
    uint64_t position = log_position(log, slot + 1, offset);
    uint64_t rounds = 0;
    if (record.durable_position > position)
        rounds = (record.durable_position - position + round_bytes - 1) / round_bytes;
    log->segments[slot] = (struct log_segment){.state = LOG_SEGMENT_ROW,
                                               .sequence = slot + 1 + rounds * log->segment_count};
}

/* False: both copies are lost. */
static bool word_take(struct log *log, uint32_t slot)
{
    for (uint32_t copy = 0; copy < 2; copy++) {
        if (segments_word_load(log, slot, copy, &log->segments[slot]))
            return true;
    }
    return false;
}

void view_table_take(struct log_view *view)
{
    struct log *log = &view->log;
    view->state.is_table_lost = false;
    if (log->segment_count == 1) {
        log->segments[0] = (struct log_segment){.state = LOG_SEGMENT_ROW, .sequence = 1};
        log->row = (struct log_row){1, 1, 1, 1};
        return;
    }
    bool is_read = file_copy_is_read(&view->copy, LOG_RECORDS_OFFSET, log->records_offset);
    for (uint32_t slot = 0; slot < log->segment_count; slot++) {
        if (is_read && word_take(log, slot))
            continue;
        view->state.is_table_lost = true;
        slot_place(view, slot);
    }
    segments_find_row(log);
}

void view_table_tell(const struct log_view *view, const struct finding_sink *sink)
{
    static const char *const names[] = {"table of segments, first copy",
                                        "table of segments, second copy"};
    const struct log *log = &view->log;
    for (uint32_t slot = 0; log->segment_count > 1 && slot < log->segment_count; slot++) {
        for (uint32_t copy = 0; copy < 2; copy++) {
            struct log_segment segment;
            const struct finding finding = {.kind = FINDING_DAMAGED,
                                            .offset = segments_word_offset(slot, copy),
                                            .size_bytes = 8,
                                            .what = names[copy]};
            if (!segments_word_load(log, slot, copy, &segment))
                finding_tell(sink, &finding);
        }
    }
}

bool log_view_segment(const struct log_view *view, uint32_t slot,
                      struct log_view_segment *ret_segment)
{
    const struct log *log = &view->log;
    if (slot >= log->segment_count)
        return false;
    const struct log_segment *segment = &log->segments[slot];
    ret_segment->offset = log_slot_offset(log, slot);
    ret_segment->sequence = segment->sequence;
    ret_segment->state = segment->state == LOG_SEGMENT_ROW     ? LOG_VIEW_ROW
                         : segment->state == LOG_SEGMENT_CLEAN ? LOG_VIEW_CLEAN
                                                               : LOG_VIEW_DIRTY;
    return true;
}
