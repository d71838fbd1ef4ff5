/*
 * The starts of a storage: each start of its node adds a random number to a list in the file. A
 * file that was set back to an earlier state of its own lacks the numbers that were added since,
 * and whoever heard one of them can tell.
 *
 * The list is an array of words between the two copies of the file header. The word that counts the
 * starts (low half, checksum of it in the high half) says where the newest one lies. A start is
 * durable before anybody hears of it, so a power loss in the middle costs nothing: if only the
 * number survives, the next start takes its place; if only the count does, the newest place holds a
 * number of LOG_STARTS_MAX starts ago, or none. A number that rots is missing, so this storage then
 * counts as set back where that number is the last that was heard. A count that rots begins anew.
 *
 * The low bits of a number are its count. A node that starts again and again while nobody hears it
 * would forget the last start that was heard, and count as set back: so a number that the list is
 * too short for is believed, if its count says so.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

static uint64_t count_encode(const struct log *log, uint32_t count)
{
    uint8_t bytes[4];
    le32_store(bytes, count);
    return (uint64_t)crc32c(log->seed ^ LOG_STARTS_MAX, bytes, sizeof(bytes)) << 32 | count;
}

static size_t start_offset(uint32_t count)
{
    return LOG_STARTS_OFFSET + (size_t)(count % LOG_STARTS_MAX) * 8;
}

#define COUNT_BITS 24u
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

static uint64_t number_of(uint64_t random, uint32_t count)
{
    uint64_t number = (random & ~COUNT_MASK) | (count & COUNT_MASK);
    return number != 0 ? number : COUNT_MASK + 1;
}

void starts_note(struct log *log, uint64_t random)
{
    uint8_t words[LOG_STARTS_MAX * 8];
    uint64_t word = le64_load(log->data + LOG_STARTS_COUNT_OFFSET);
    uint32_t count = (uint32_t)word;
    if (random == 0)
        return;
    if (word != count_encode(log, count))
        count = 0;
    memcpy(words, log->data + LOG_STARTS_OFFSET, sizeof(words)); /* may be in a cache only */
    log_head_write(log, LOG_STARTS_OFFSET, words, sizeof(words));
    log->start = number_of(random, count);
    log_head_write_word(log, start_offset(count), log->start);
    log_head_write_word(log, LOG_STARTS_COUNT_OFFSET, count_encode(log, count + 1));
}

uint64_t log_start(const struct log *log)
{
    return log->start;
}

uint32_t log_start_count(const struct log *log)
{
    uint64_t word = le64_load(log->data + LOG_STARTS_COUNT_OFFSET);
    uint32_t count = (uint32_t)word;
    return word == count_encode(log, count) ? count : 0;
}

uint64_t starts_at(const struct log *log, uint32_t age)
{
    uint32_t count = log_start_count(log);
    if (age >= count || age >= LOG_STARTS_MAX)
        return 0;
    return le64_load(log->data + start_offset(count - 1 - age));
}

bool log_had_start(const struct log *log, uint64_t start)
{
    for (uint32_t i = 0; i < LOG_STARTS_MAX; i++) {
        if (start != 0 && le64_load(log->data + start_offset(i)) == start)
            return true;
    }
    uint64_t age = (log->start - start) & COUNT_MASK;
    return start != 0 && age >= LOG_STARTS_MAX && age <= COUNT_MASK / 2;
}
