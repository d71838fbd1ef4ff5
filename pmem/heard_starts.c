/*
 * The starts of other storages that this one has heard of (starts.c): for each birth the last one.
 * A table of places, each:
 *    0  u64  birth
 *    8  u64  start
 *   16  u32  checksum of birth, start and sequence
 *   20  u32  sequence: rises with each place that is written; 0: the place is empty
 *   24  u64  zero
 * Of two places of one birth the later one counts. A new start never goes over a place that counts:
 * if a power loss leaves half of it, the one before is still there.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

static size_t place_offset(uint32_t place)
{
    return LOG_HEARD_OFFSET + (size_t)place * LOG_HEARD_PLACE_BYTES;
}

static uint64_t place_check(const struct log *log, const struct log_heard *heard)
{
    uint8_t bytes[20];
    le64_store(bytes, heard->birth);
    le64_store(bytes + 8, heard->start);
    le32_store(bytes + 16, heard->sequence);
    return (uint64_t)heard->sequence << 32 | crc32c(log->seed, bytes, sizeof(bytes));
}

static void place_write(struct log *log, uint32_t place)
{
    const struct log_heard *heard = &log->heard[place];
    log_head_write_word(log, place_offset(place), heard->birth);
    log_head_write_word(log, place_offset(place) + 8, heard->start);
    log_head_write_word(log, place_offset(place) + 16, place_check(log, heard));
}

static uint32_t place_of(const struct log *log, uint64_t birth)
{
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        if (birth != 0 && log->heard[place].birth == birth)
            return place;
    }
    return LOG_HEARD_PLACES;
}

/* In memory a place that does not count keeps only its sequence. */
static void heard_take(struct log *log, uint32_t place, const struct log_heard *heard)
{
    uint32_t other = place_of(log, heard->birth);
    log->heard[place].sequence = heard->sequence;
    if (other < LOG_HEARD_PLACES && log->heard[other].sequence > heard->sequence)
        return;
    if (other < LOG_HEARD_PLACES)
        log->heard[other].birth = 0;
    log->heard[place] = *heard;
}

static struct log_heard place_load(const struct log *log, uint32_t place)
{
    const uint8_t *bytes = log->data + place_offset(place);
    return (struct log_heard){.birth = le64_load(bytes),
                              .start = le64_load(bytes + 8),
                              .sequence = (uint32_t)(le64_load(bytes + 16) >> 32)};
}

static bool place_is_good(const struct log *log, uint32_t place, const struct log_heard *heard)
{
    uint64_t check = le64_load(log->data + place_offset(place) + 16);
    return heard->birth != 0 && heard->sequence != 0 && check == place_check(log, heard);
}

void heard_load(struct log *log)
{
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        const struct log_heard heard = place_load(log, place);
        if (place_is_good(log, place, &heard))
            heard_take(log, place, &heard);
    }
}

bool heard_is_whole(const struct log *log, uint32_t place)
{
    const struct log_heard heard = place_load(log, place);
    size_t offset = place_offset(place);
    return recovery_is_zero(log->data, offset, offset + LOG_HEARD_PLACE_BYTES) ||
           place_is_good(log, place, &heard);
}

void heard_rewrite(struct log *log)
{
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        if (log->heard[place].birth != 0)
            place_write(log, place);
    }
}

const struct log_heard *log_heard(const struct log *log, uint32_t place)
{
    CHECK(place < LOG_HEARD_PLACES);
    return log->heard[place].birth != 0 ? &log->heard[place] : NULL;
}

void log_hear(struct log *log, uint64_t birth, uint64_t start)
{
    CHECK(birth != 0 && start != 0);
    uint32_t oldest = LOG_HEARD_PLACES;
    uint32_t sequence = 0;
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        const struct log_heard *heard = &log->heard[place];
        if (heard->sequence > sequence)
            sequence = heard->sequence;
        if (heard->birth == 0 &&
            (oldest == LOG_HEARD_PLACES || heard->sequence < log->heard[oldest].sequence))
            oldest = place;
    }
    CHECK(oldest < LOG_HEARD_PLACES); /* the caller forgets births in time */
    const struct log_heard heard = {.birth = birth, .start = start, .sequence = sequence + 1};
    heard_take(log, oldest, &heard);
    place_write(log, oldest);
}

void log_unhear(struct log *log, uint64_t birth)
{
    uint32_t place = place_of(log, birth);
    if (place < LOG_HEARD_PLACES)
        log->heard[place].birth = 0;
}
