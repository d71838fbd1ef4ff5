/* What lies where in a log that is only read. See log_view.h. */
#include "pmem/log_view_internal.h"

static void place_of_record(const struct log_view *view, size_t offset,
                            const struct record_view *record, struct log_view_place *ret_place)
{
    const struct log *log = &view->log;
    ret_place->offset = offset;
    ret_place->size_bytes = record->room_bytes;
    ret_place->record = record->record;
    ret_place->durable_position = record->durable_position;
    ret_place->previous_offset = log_unit_offset(record->previous_unit);
    ret_place->was_suspect = (record->flags & LOG_FLAG_SUSPECT) != 0;
    ret_place->begins_segment = (record->flags & LOG_FLAG_BEGIN) != 0;
    uint64_t index = record->record.index;
    bool is_taken = index >= log->first_index && index <= log->last_index &&
                    log_unit_offset(*log_unit_at(log, index)) == offset;
    uint64_t position = log_position(log, ret_place->sequence, offset);
    bool is_behind_loss = view->scan.lost_position != 0 && position >= view->scan.lost_position;
    ret_place->fate = is_taken         ? LOG_VIEW_TAKEN
                      : is_behind_loss ? LOG_VIEW_UNLINKED
                                       : LOG_VIEW_SUPERSEDED;
}

/* The lines up to the next whole record. */
static size_t invalid_end(const struct log *log, size_t offset, size_t end)
{
    struct record_view record;
    do
        offset += RECORD_ALIGN_BYTES;
    while (offset < end && !record_load(log, offset, &record));
    return offset;
}

/* The end of what a segment has in use. */
static size_t segment_end(const struct log *log, uint64_t sequence)
{
    size_t begin = log_slot_offset(log, log_slot_of(log, sequence));
    return recovery_used_end(log, begin, begin + log->segment_bytes);
}

bool log_view_next(const struct log_view *view, struct log_view_walk *walk,
                   struct log_view_place *ret_place)
{
    const struct log *log = &view->log;
    uint64_t sequence = walk->sequence != 0 ? walk->sequence : log->row.first;
    for (; sequence <= log->row.current; sequence++) {
        size_t begin = log_slot_offset(log, log_slot_of(log, sequence));
        uint64_t base = log_position(log, sequence, begin);
        if (walk->sequence != sequence)
            *walk = (struct log_view_walk){
                .sequence = sequence, .position = base, .end = segment_end(log, sequence)};
        size_t offset = begin + (size_t)(walk->position - base);
        if (offset >= walk->end)
            continue;
        struct record_view record;
        *ret_place = (struct log_view_place){.sequence = sequence};
        if (record_load(log, offset, &record)) {
            place_of_record(view, offset, &record, ret_place);
        } else {
            ret_place->fate = LOG_VIEW_INVALID;
            ret_place->offset = offset;
            ret_place->size_bytes = invalid_end(log, offset, walk->end) - offset;
        }
        walk->position += ret_place->size_bytes;
        return true;
    }
    return false;
}

void log_view_at(const struct log_view *view, uint64_t index, struct log_view_place *ret_place)
{
    const struct log *log = &view->log;
    struct record_view record;
    CHECK(index >= log->first_index && index <= log->last_index);
    size_t offset = log_unit_offset(*log_unit_at(log, index));
    CHECK(record_load(log, offset, &record));
    *ret_place =
        (struct log_view_place){.sequence = log->segments[log_slot_at(log, offset)].sequence};
    place_of_record(view, offset, &record, ret_place);
}

const struct log_view_state *log_view_state(const struct log_view *view)
{
    return &view->state;
}

const struct log *log_view_log(const struct log_view *view)
{
    return &view->log;
}

uint64_t log_view_start(const struct log_view *view, uint32_t age)
{
    return starts_at(&view->log, age);
}

bool log_view_voted(const struct log_view *view, uint32_t place, uint64_t *ret_birth)
{
    if (place >= LOG_BIRTHS_MAX)
        return false;
    if (!hard_state_birth(&view->log, place + 1, ret_birth))
        *ret_birth = 0;
    return true;
}
