/*
 * The log: append, truncate, read, and what is durable. Opening is in log_open.c, the bytes of a
 * record in record.c.
 *
 * Invariant: units[1 .. last_index] are the places of whole records of those indexes, each naming
 * the place of the one before; nothing at or behind append_offset has ever been written.
 */
#include "base/check.h"
#include "base/le.h"
#include "pmem/log_internal.h"

void log_close(struct log *log)
{
    medium_close(log->medium);
    log->medium = NULL;
}

struct medium *log_medium(struct log *log)
{
    return log->medium;
}

uint64_t log_last_index(const struct log *log)
{
    return log->last_index;
}

size_t log_room_bytes(const struct log *log)
{
    return log->end_offset - log->append_offset;
}

size_t log_record_room_bytes(size_t payload_size_bytes)
{
    return record_room_bytes(payload_size_bytes);
}

enum error log_append(struct log *log, const struct log_record *record)
{
    CHECK(record->index == log->last_index + 1);
    CHECK(record->term <= TERM_MAX);
    CHECK(record->kind != 0);
    CHECK(record->payload.size_bytes <= RECORD_PAYLOAD_SIZE_BYTES_MAX);
    size_t room_bytes = record_room_bytes(record->payload.size_bytes);

    if (room_bytes > log_room_bytes(log))
        return ERR_FULL;
    CHECK(record->index <= log->units_max);
    record_write(log, record);
    log->units[record->index] = (uint32_t)(log->append_offset / RECORD_ALIGN_BYTES);
    log->last_index = record->index;
    log->append_offset += room_bytes;
    if (log->is_suspect && log->last_index >= log->lost_through_index)
        log->is_suspect = false;
    return OK;
}

void log_truncate(struct log *log, uint64_t index)
{
    CHECK(index >= 1);
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
    CHECK(index >= 1);
    CHECK(index <= log->last_index);
    record_read(log, log_unit_offset(log->units[index]), ret_record);
}

uint32_t log_payload_size_bytes(const struct log *log, uint64_t index)
{
    struct log_record record;
    log_read(log, index, &record);
    return (uint32_t)record.payload.size_bytes;
}

void log_write_hard_state(struct log *log, uint64_t term, uint16_t vote)
{
    CHECK(term >= log->term);
    CHECK(term <= TERM_MAX);
    CHECK(vote <= VOTER_ID_MAX);
    if (term == log->term && vote == log->vote)
        return;
    log->term = term;
    log->vote = vote;
    hard_state_store(log);
}

enum error log_probe(struct log *log)
{
    uint64_t word = le64_load(log->data + LOG_HINT_OFFSET);
    medium_write_word(log->medium, LOG_HINT_OFFSET, word);
    return medium_persist_wait(log->medium);
}

void log_write_commit_hint(struct log *log, uint64_t commit_index)
{
    if (commit_index > log->last_index)
        commit_index = log->last_index;
    if (commit_index > 0)
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
    settled_mark_store(log);
    (void)medium_persist(log->medium);
}

uint64_t log_persist(struct log *log)
{
    uint64_t ticket = medium_persist(log->medium);
    if (log->pending_count < LOG_PENDING_MAX)
        log->pending_count++;
    uint32_t newest = log->pending_first + log->pending_count - 1;
    log->pending[newest & (LOG_PENDING_MAX - 1)] = (struct log_pending){
        .ticket = ticket, .index = log->last_index, .offset = log->append_offset};
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
        log->durable_offset = log->pending[log->pending_first].offset;
        log->pending_first = (log->pending_first + 1) & (LOG_PENDING_MAX - 1);
        log->pending_count--;
    }
    if (log->settle_ticket != 0 && ticket >= log->settle_ticket)
        log_settle_mark(log);
    *ret_ticket = ticket;
    *ret_index = log->durable_index;
    return OK;
}
