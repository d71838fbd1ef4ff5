/*
 * Missing pieces, offset, size and meaning of each field:
 *    0  u64  message id
 *    8  u32  microseconds since the first piece came
 *   12  u16  range count
 *   14  u16  zero
 *   16       ranges: first piece (u16), number of pieces (u16)
 *
 * Ranges rise and do not touch: what lies between two of them has come.
 */
#include "wire/wire_internal.h"
#include "wire/wire_missing.h"

#define MISSING_HEADER_SIZE_BYTES 16
#define RANGE_SIZE_BYTES          4

static_assert(WIRE_MISSING_SIZE_BYTES_MAX ==
                  MISSING_HEADER_SIZE_BYTES + RANGE_SIZE_BYTES * MISSING_RANGES_MAX,
              "the header has the right size");

void wire_missing_encode(struct wire_writer *writer, const struct wire_missing *missing)
{
    CHECK(missing->range_count >= 1 && missing->range_count <= MISSING_RANGES_MAX);
    size_t ranges_bytes = (size_t)missing->range_count * RANGE_SIZE_BYTES;
    uint8_t *to = wire_writer_grow(writer, MISSING_HEADER_SIZE_BYTES + ranges_bytes);
    if (to == NULL)
        return;
    memset(to, 0, MISSING_HEADER_SIZE_BYTES);
    le64_store(to, missing->message_id);
    le32_store(to + 8, missing->age_us);
    le16_store(to + 12, missing->range_count);
    to += MISSING_HEADER_SIZE_BYTES;
    for (uint32_t i = 0; i < missing->range_count; i++, to += RANGE_SIZE_BYTES) {
        le16_store(to, missing->ranges[i].first);
        le16_store(to + 2, missing->ranges[i].count);
    }
}

/* One range behind `*end`, which it moves; 0: it is the first range. */
static enum error range_decode(const uint8_t *from, uint32_t *end,
                               struct wire_piece_range *ret_range)
{
    struct wire_piece_range range = {.first = le16_load(from), .count = le16_load(from + 2)};
    bool is_rising = *end == 0 || range.first > *end;
    if (!is_rising || range.count == 0 || (uint32_t)range.first + range.count > MESSAGE_PIECES_MAX)
        return ERR_RANGE;
    *end = (uint32_t)range.first + range.count;
    *ret_range = range;
    return OK;
}

enum error wire_missing_decode(struct span bytes, struct wire_missing *ret_missing)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < MISSING_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    struct wire_missing missing = {.message_id = le64_load(from),
                                   .age_us = le32_load(from + 8),
                                   .range_count = le16_load(from + 12)};
    if (!wire_is_zero(from + 14, 2))
        return ERR_RESERVED;
    if (missing.range_count == 0 || missing.range_count > MISSING_RANGES_MAX)
        return ERR_RANGE;
    size_t size_bytes = MISSING_HEADER_SIZE_BYTES + (size_t)missing.range_count * RANGE_SIZE_BYTES;
    if (bytes.size_bytes != size_bytes)
        return bytes.size_bytes < size_bytes ? ERR_SHORT : ERR_TRAILING;
    uint32_t end = 0;
    for (uint32_t i = 0; i < missing.range_count; i++) {
        enum error error = range_decode(from + MISSING_HEADER_SIZE_BYTES + i * RANGE_SIZE_BYTES,
                                        &end, &missing.ranges[i]);
        if (error != OK)
            return error;
    }
    *ret_missing = missing;
    return OK;
}
