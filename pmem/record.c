/*
 * One record as bytes: composed in whole lines on its way out, checked field by field on its way
 * in.
 *
 * The checksum is seeded with the file's identity and the record's own place, so that a copy of a
 * record elsewhere (inside a stored value, say) is never taken for one.
 */
#include "base/crc32c.h"
#include "base/le.h"
#include "pmem/log_internal.h"

#define RECORD_CRC      0
#define RECORD_SIZE     4
#define RECORD_INDEX    8
#define RECORD_TERM     16
#define RECORD_COMMIT   24
#define RECORD_DURABLE  32
#define RECORD_KIND     40
#define RECORD_FLAGS    41
#define RECORD_RESERVED 42
#define RECORD_PREVIOUS 44

/* Records up to this size leave in one write; larger ones spare the copy of their middle. */
#define RECORD_SMALL_BYTES 512u

static_assert(RECORD_PREVIOUS + 4 == RECORD_HEADER_SIZE_BYTES,
              "the header ends with its last field");
static_assert(RECORD_SMALL_BYTES % RECORD_ALIGN_BYTES == 0, "whole lines");

size_t record_room_bytes(size_t payload_size_bytes)
{
    return (RECORD_HEADER_SIZE_BYTES + payload_size_bytes + RECORD_ALIGN_BYTES - 1) /
           RECORD_ALIGN_BYTES * RECORD_ALIGN_BYTES;
}

static uint32_t record_crc(uint32_t seed, size_t offset, const uint8_t *header, struct span payload)
{
    uint32_t crc = crc32c(seed ^ (uint32_t)(offset / RECORD_ALIGN_BYTES), header + RECORD_SIZE,
                          RECORD_HEADER_SIZE_BYTES - RECORD_SIZE);
    return payload.size_bytes == 0 ? crc : crc32c(crc, payload.data, payload.size_bytes);
}

static void record_header_compose(const struct log *log, const struct log_record *record,
                                  uint8_t *header)
{
    le32_store(header + RECORD_SIZE, (uint32_t)record->payload.size_bytes);
    le64_store(header + RECORD_INDEX, record->index);
    le64_store(header + RECORD_TERM, record->term);
    le64_store(header + RECORD_COMMIT, record->commit_index);
    le64_store(header + RECORD_DURABLE, log->durable_position);
    header[RECORD_KIND] = record->kind;
    header[RECORD_FLAGS] = (log->is_suspect ? LOG_FLAG_SUSPECT : 0) |
                           (segments_is_begin(log, record->index) ? LOG_FLAG_BEGIN : 0);
    le16_store(header + RECORD_RESERVED, 0);
    le32_store(header + RECORD_PREVIOUS, *log_unit_at(log, record->index - 1));
    le32_store(header + RECORD_CRC,
               record_crc(log->seed, log->append_offset, header, record->payload));
}

static void record_write_large(struct log *log, const uint8_t *header, struct span payload)
{
    uint8_t line[RECORD_ALIGN_BYTES];
    size_t head_bytes = RECORD_ALIGN_BYTES - RECORD_HEADER_SIZE_BYTES;
    size_t middle_bytes =
        (payload.size_bytes - head_bytes) / RECORD_ALIGN_BYTES * RECORD_ALIGN_BYTES;
    size_t tail_bytes = payload.size_bytes - head_bytes - middle_bytes;
    size_t offset = log->append_offset;

    memcpy(line, header, RECORD_HEADER_SIZE_BYTES);
    memcpy(line + RECORD_HEADER_SIZE_BYTES, payload.data, head_bytes);
    medium_write(log->medium, offset, line, sizeof(line));
    medium_write(log->medium, offset + sizeof(line), payload.data + head_bytes, middle_bytes);
    if (tail_bytes == 0)
        return;
    memset(line, 0, sizeof(line));
    memcpy(line, payload.data + head_bytes + middle_bytes, tail_bytes);
    medium_write(log->medium, offset + sizeof(line) + middle_bytes, line, sizeof(line));
}

void record_write(struct log *log, const struct log_record *record)
{
    uint8_t lines[RECORD_SMALL_BYTES];
    size_t size_bytes = RECORD_HEADER_SIZE_BYTES + record->payload.size_bytes;
    size_t room_bytes = record_room_bytes(record->payload.size_bytes);

    record_header_compose(log, record, lines);
    if (room_bytes > sizeof(lines)) {
        record_write_large(log, lines, record->payload);
        return;
    }
    if (record->payload.size_bytes > 0)
        memcpy(lines + RECORD_HEADER_SIZE_BYTES, record->payload.data, record->payload.size_bytes);
    memset(lines + size_bytes, 0, room_bytes - size_bytes);
    medium_write(log->medium, log->append_offset, lines, room_bytes);
}

/* Fields that no whole record has are refused before the checksum is computed: scanning garbage
 * stays cheap, and no later step meets a value out of its range. */
static bool record_is_plausible(const struct log *log, size_t offset, const uint8_t *header,
                                const struct record_view *view)
{
    size_t size_bytes = le32_load(header + RECORD_SIZE);
    uint32_t slot = log_slot_at(log, offset);
    uint64_t position = log_position(log, log->segments[slot].sequence, offset);
    return size_bytes <= RECORD_PAYLOAD_SIZE_BYTES_MAX &&
           record_room_bytes(size_bytes) <= log_slot_offset(log, slot + 1) - offset &&
           view->record.index > 0 && view->record.index <= INDEX_MAX &&
           view->record.term <= TERM_MAX && view->record.kind != 0 &&
           view->flags <= (LOG_FLAG_SUSPECT | LOG_FLAG_BEGIN) &&
           le16_load(header + RECORD_RESERVED) == 0 && view->durable_position <= position &&
           log_unit_offset(view->previous_unit) < log->end_offset;
}

void record_read(const struct log *log, size_t offset, struct log_record *ret_record)
{
    const uint8_t *header = log->data + offset;
    *ret_record = (struct log_record){
        .index = le64_load(header + RECORD_INDEX),
        .term = le64_load(header + RECORD_TERM),
        .commit_index = le64_load(header + RECORD_COMMIT),
        .kind = header[RECORD_KIND],
        .payload = span_of(header + RECORD_HEADER_SIZE_BYTES, le32_load(header + RECORD_SIZE)),
    };
}

bool record_load(const struct log *log, size_t offset, struct record_view *ret_view)
{
    CHECK(offset % RECORD_ALIGN_BYTES == 0);
    CHECK(offset + RECORD_ALIGN_BYTES <= log->end_offset);
    const uint8_t *header = log->data + offset;
    struct record_view view = {
        .durable_position = le64_load(header + RECORD_DURABLE),
        .previous_unit = le32_load(header + RECORD_PREVIOUS),
        .flags = header[RECORD_FLAGS],
    };

    record_read(log, offset, &view.record);
    if (!record_is_plausible(log, offset, header, &view))
        return false;
    view.room_bytes = record_room_bytes(view.record.payload.size_bytes);
    if (le32_load(header + RECORD_CRC) !=
        record_crc(log->seed, offset, header, view.record.payload))
        return false;
    *ret_view = view;
    return true;
}
