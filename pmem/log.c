/*
 * The log: append, truncate, read, and what is durable. Opening is in log_open.c, the bytes of a
 * record in record.c.
 *
 * Invariant: units of first_index to last_index are the places of whole records of those indexes,
 * each naming the place of the one before; nothing at or behind append_offset in its segment, and
 * nothing in the segments made ready, has been written since they were wiped.
 */
#include "base/check.h"
#include "base/le.h"
#include "pmem/log_internal.h"

void log_close(struct log *log)
{
    medium_close(log->medium);
    log->medium = NULL;
}

uint32_t log_format(const struct log *log)
{
    return log->format;
}

void log_raise(struct log *log, uint32_t format)
{
    if (format <= log->format)
        return;
    log_header_raise(log, format);
    log->format = format;
}

struct medium *log_medium(struct log *log)
{
    return log->medium;
}

uint64_t log_last_index(const struct log *log)
{
    return log->last_index;
}

uint64_t log_first_index(const struct log *log)
{
    return log->first_index;
}

size_t log_record_room_bytes(size_t payload_size_bytes)
{
    return record_room_bytes(payload_size_bytes);
}

/* A record at or below the base of the current segment begins the next one: see log.h. */
struct log_space log_space_begin(const struct log *log, uint64_t index)
{
    bool is_below = index <= log->current_base;
    return (struct log_space){.left_bytes = is_below ? 0 : log->current_end - log->append_offset};
}

size_t log_capacity_bytes(const struct log *log)
{
    uint32_t count = log->segment_count == 1 ? 1 : log->segment_count - SEGMENTS_KEPT;
    return count * log->segment_bytes;
}

size_t log_record_room_max(const struct log *log)
{
    return log->segment_bytes;
}

size_t log_append_room_bytes(const struct log *log)
{
    struct log_space space = log_space_begin(log, log->last_index + 1);
    bool has_next = log->segment_count > 1 && segments_can_advance(log, 1);
    return has_next ? log->segment_bytes : space.left_bytes;
}

bool log_space_take(const struct log *log, struct log_space *space, size_t room_bytes)
{
    if (room_bytes > space->left_bytes) {
        if (log->segment_count == 1 || room_bytes > log->segment_bytes ||
            !segments_can_advance(log, space->steps + 1))
            return false;
        space->steps++;
        space->left_bytes = log->segment_bytes;
    }
    space->left_bytes -= room_bytes;
    return true;
}

/* Nearly every record goes behind the one before it. */
static bool is_in_current(const struct log *log, uint64_t index, size_t room_bytes)
{
    return index > log->current_base && room_bytes <= log->current_end - log->append_offset;
}

enum error log_append(struct log *log, const struct log_record *record)
{
    CHECK(record->index == log->last_index + 1);
    CHECK(record->term <= TERM_MAX);
    CHECK(record->kind != 0);
    CHECK(record->payload.size_bytes <= RECORD_PAYLOAD_SIZE_BYTES_MAX);
    size_t room_bytes = record_room_bytes(record->payload.size_bytes);

    if (!is_in_current(log, record->index, room_bytes)) {
        struct log_space space = log_space_begin(log, record->index);
        if (!log_space_take(log, &space, room_bytes))
            return ERR_FULL;
        segments_advance(log);
    }
    record_write(log, record);
    *log_unit_at(log, record->index) = (uint32_t)(log->append_offset / RECORD_ALIGN_BYTES);
    log->last_index = record->index;
    log->append_offset += room_bytes;
    if (log->is_suspect && log->last_index >= log->lost_through_index)
        log->is_suspect = false;
    return OK;
}

void log_truncate(struct log *log, uint64_t index)
{
    CHECK(index >= log->first_index);
    CHECK(index <= log->last_index + 1);
    log->last_index = index - 1;
    if (log->durable_index >= index)
        log->durable_index = index - 1;
    for (uint32_t i = 0; i < log->pending_count; i++) {
        struct log_pending *pending =
            &log->pending[(log->pending_first + i) & (LOG_PENDING_MAX - 1)];
        if (pending->index >= index)
            pending->index = index - 1;
    }
}

void log_read(const struct log *log, uint64_t index, struct log_record *ret_record)
{
    CHECK(index >= log->first_index);
    CHECK(index <= log->last_index);
    record_read(log, log_unit_offset(*log_unit_at(log, index)), ret_record);
}

/*
 * A record that was written a moment ago has not left memory since, so it does not rot. But its
 * page may be gone: the file was cut off, or the page was, and reads as zeros. In a page that is
 * there the header is, too.
 */
static bool is_there(const struct log *log, size_t offset, uint64_t index)
{
    struct log_record record;
    record_read(log, offset, &record);
    size_t end = offset + record_room_bytes(record.payload.size_bytes);
    return record.index == index && record.kind != 0 && offset / 4096 == (end - 1) / 4096;
}

bool log_is_whole(const struct log *log, uint64_t index)
{
    struct record_view view;
    CHECK(index >= log->first_index);
    CHECK(index <= log->last_index);
    size_t offset = log_unit_offset(*log_unit_at(log, index));
    if (index > log->found_index && log->last_index - index < LOG_WARM_RECORDS &&
        is_there(log, offset, index))
        return true;
    return record_load(log, offset, &view) && view.record.index == index;
}

/* Up to the next record of the segment, or the end of the segment. What the record itself says of
 * its size may have rotted. */
size_t log_extent_end(const struct log *log, uint64_t index)
{
    size_t offset = log_unit_offset(*log_unit_at(log, index));
    size_t end = log_slot_offset(log, log_slot_at(log, offset) + 1);
    if (index == log->last_index)
        return log->append_offset > offset && log->append_offset < end ? log->append_offset : end;
    size_t next = log_unit_offset(*log_unit_at(log, index + 1));
    return next > offset && next < end ? next : end;
}

bool log_is_intact(const struct log *log, uint64_t index, size_t *ret_size_bytes)
{
    struct record_view view;
    CHECK(index >= log->first_index && index <= log->last_index);
    size_t offset = log_unit_offset(*log_unit_at(log, index));
    bool is_intact = record_load(log, offset, &view) && view.record.index == index;
    *ret_size_bytes = is_intact ? view.room_bytes : log_extent_end(log, index) - offset;
    return is_intact;
}

uint64_t log_durable_index(const struct log *log)
{
    return log->durable_index;
}

struct log_piece log_piece_at(const struct log *log, uint64_t index, size_t size_bytes_max)
{
    CHECK(index >= log->first_index && index <= log->last_index);
    size_t offset = log_unit_offset(*log_unit_at(log, index));
    size_t segment_end = log_slot_offset(log, log_slot_at(log, offset) + 1);
    size_t begin = offset / 4096 * 4096;
    size_t end = begin + size_bytes_max / 4096 * 4096;
    size_t least = (log_extent_end(log, index) + 4095) / 4096 * 4096;
    if (end > segment_end)
        end = segment_end / 4096 * 4096;
    if (end < least)
        end = least;
    return (struct log_piece){.offset = begin, .size_bytes = end - begin};
}

size_t log_offset_of(const struct log *log, uint64_t index)
{
    CHECK(index >= log->first_index && index <= log->last_index);
    return log_unit_offset(*log_unit_at(log, index));
}

uint64_t log_position_behind(const struct log *log, uint64_t index)
{
    CHECK(index + 1 >= log->first_index);
    CHECK(index <= log->last_index);
    if (index == log->last_index)
        return log_position(log, log->row.current, log->append_offset);
    size_t offset = log_unit_offset(*log_unit_at(log, index + 1));
    return log_position(log, log->segments[log_slot_at(log, offset)].sequence, offset);
}

uint32_t log_payload_size_bytes(const struct log *log, uint64_t index)
{
    struct log_record record;
    log_read(log, index, &record);
    return (uint32_t)record.payload.size_bytes;
}

void log_write_hard_state(struct log *log, uint64_t term, uint64_t vote)
{
    CHECK(term >= log->term);
    CHECK(term <= TERM_MAX);
    if (term == log->term && vote == log->vote)
        return;
    hard_state_set(log, term, vote);
}

enum error log_probe(struct log *log)
{
    uint64_t word = le64_load(log->data + LOG_HINT_OFFSET);
    log_head_write_word(log, LOG_HINT_OFFSET, word);
    return medium_persist_wait(log->medium);
}

void log_write_commit_hint(struct log *log, uint64_t commit_index)
{
    if (commit_index > log->last_index)
        commit_index = log->last_index;
    if (commit_index >= log->first_index)
        commit_hint_store(log, commit_index);
}

void log_settle(struct log *log)
{
    if (log->is_suspect && log->settle_ticket == 0)
        log->settle_ticket = log_persist(log);
}

bool log_is_quiet(const struct log *log)
{
    return log->pending_count == 0 && log->settle_ticket == 0;
}

/* What the settlement rests on is durable. The mark is made so, too: a quiet node may persist
 * nothing else for long. */
static void log_settle_mark(struct log *log)
{
    log->settle_ticket = 0;
    log->is_suspect = false;
    log->lost_through_index = 0;
    if (log->last_index == 0)
        return;
    if (log->last_index < log->first_index)
        begin_mark_store(log, true);
    else
        settled_mark_store(log);
    (void)medium_persist(log->medium);
}

uint64_t log_persist(struct log *log)
{
    uint64_t ticket = medium_persist(log->medium);
    segments_stamp(log, ticket);
    if (log->pending_count < LOG_PENDING_MAX)
        log->pending_count++;
    uint32_t newest = log->pending_first + log->pending_count - 1;
    log->pending[newest & (LOG_PENDING_MAX - 1)] =
        (struct log_pending){.ticket = ticket,
                             .index = log->last_index,
                             .position = log_position(log, log->row.current, log->append_offset)};
    return ticket;
}

enum error log_persisted(struct log *log, uint64_t *ret_ticket, uint64_t *ret_index)
{
    uint64_t ticket = 0;
    enum error error = medium_persisted(log->medium, &ticket);
    if (error != OK)
        return error;
    while (log->pending_count > 0 && log->pending[log->pending_first].ticket <= ticket) {
        log->durable_index = log->pending[log->pending_first].index;
        log->durable_position = log->pending[log->pending_first].position;
        log->pending_first = (log->pending_first + 1) & (LOG_PENDING_MAX - 1);
        log->pending_count--;
    }
    log->durable_ticket = ticket;
    if (log->settle_ticket != 0 && ticket >= log->settle_ticket)
        log_settle_mark(log);
    *ret_ticket = ticket;
    *ret_index = log->durable_index;
    return OK;
}
