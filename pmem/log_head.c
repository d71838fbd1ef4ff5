/*
 * The head of a log: all that lies before its records (header, starts, hard state, marks, table).
 * An open log keeps a copy of it in memory: what was found and made durable by the opening, and
 * every store since. So whatever the medium holds there and the copy does not has rotted, and the
 * copy can be written over it. The lane alone stores there and compares, so nothing is ever on its
 * way between the two.
 */
#include "base/check.h"
#include "base/le.h"
#include "pmem/log_internal.h"

#define PAGE_BYTES 4096u

static_assert(LOG_HEAD_BYTES_MAX % PAGE_BYTES == 0, "the head is whole pages");

void log_head_note(struct log *log)
{
    memcpy(log->head, log->data, log->records_offset);
}

void log_head_write(struct log *log, size_t offset, const void *data, size_t size_bytes)
{
    CHECK(offset + size_bytes <= log->records_offset);
    memcpy(log->head + offset, data, size_bytes);
    medium_write(log->medium, offset, data, size_bytes);
}

void log_head_write_word(struct log *log, size_t offset, uint64_t word)
{
    CHECK(offset + sizeof(word) <= log->records_offset);
    le64_store(log->head + offset, word);
    medium_write_word(log->medium, offset, word);
}

size_t log_head_bytes(const struct log *log)
{
    return log->records_offset;
}

bool log_head_is_whole(const struct log *log, size_t *ret_offset)
{
    if (memcmp(log->head, log->data, log->records_offset) == 0)
        return true;
    size_t offset = 0;
    while (log->head[offset] == log->data[offset])
        offset++;
    *ret_offset = offset;
    return false;
}

void log_head_mend(struct log *log, size_t offset)
{
    CHECK(offset < log->records_offset);
    size_t begin = offset / PAGE_BYTES * PAGE_BYTES;
    medium_write(log->medium, begin, log->head + begin, PAGE_BYTES);
}
