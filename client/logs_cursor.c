/*
 * The cursor of one server's logs: its layout and its changes. Every change raises the serial, so
 * that no two states of a cursor are ever the same bytes, and a swap that expects one of them can
 * succeed only once.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "client/logs_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define CURSOR_MAGIC   UINT32_C(0x4753474c) /* "LGSG" */
#define CURSOR_VERSION 2
#define LENGTH_OFFSET  (88 + PLX_LOGS_REMEMBERED * 16)
#define MARK_OFFSET    (LENGTH_OFFSET + 8)
#define MARK_SIZE      24
#define CRC_SIZE       4

static void position_store(uint8_t *to, struct plx_logs_position position)
{
    le64_store(to, (uint64_t)position.timestamp);
    le64_store(to + 8, position.count);
}

static struct plx_logs_position position_load(const uint8_t *from)
{
    return (struct plx_logs_position){(int64_t)le64_load(from), le64_load(from + 8)};
}

static void mark_store(uint8_t *to, const struct logs_mark *mark)
{
    le64_store(to, mark->file);
    le64_store(to + 8, mark->offset_bytes);
    le64_store(to + 16, mark->check);
}

static struct logs_mark mark_load(const uint8_t *from)
{
    return (struct logs_mark){le64_load(from), le64_load(from + 8), le64_load(from + 16)};
}

static void id_store(uint8_t *to, struct plx_logs_id id)
{
    le64_store(to, id.serial);
    le64_store(to + 8, id.nonce);
}

static struct plx_logs_id id_load(const uint8_t *from)
{
    return (struct plx_logs_id){le64_load(from), le64_load(from + 8)};
}

void logs_cursor_encode(const struct logs_cursor *cursor, uint8_t ret_bytes[LOGS_CURSOR_SIZE_BYTES])
{
    uint8_t *to = ret_bytes;
    memset(to, 0, LOGS_CURSOR_SIZE_BYTES);
    le32_store(to, CURSOR_MAGIC);
    le16_store(to + 4, CURSOR_VERSION);
    to[6] = cursor->has_lease;
    to[7] = (uint8_t)cursor->move_count;
    le64_store(to + 8, cursor->serial);
    position_store(to + 16, cursor->position);
    le64_store(to + 32, cursor->handed_out);
    if (cursor->has_lease) {
        id_store(to + 40, cursor->lease.id);
        position_store(to + 56, cursor->lease.end);
        le64_store(to + 72, cursor->lease.handed_out);
        le64_store(to + 80, cursor->lease.expires_us);
        le64_store(to + LENGTH_OFFSET, cursor->lease.length_us);
        mark_store(to + MARK_OFFSET + MARK_SIZE, &cursor->lease.mark);
    }
    mark_store(to + MARK_OFFSET, &cursor->mark);
    for (uint32_t i = 0; i < cursor->move_count; i++)
        id_store(to + 88 + 16 * (size_t)i, cursor->moves[i]);
    uint32_t crc = crc32c(0, to, LOGS_CURSOR_SIZE_BYTES - CRC_SIZE);
    le32_store(to + LOGS_CURSOR_SIZE_BYTES - CRC_SIZE, crc);
}

enum error logs_cursor_decode(struct span bytes, struct logs_cursor *ret_cursor)
{
    const uint8_t *from = bytes.data;
    bool is_version_1 = bytes.size_bytes == LOGS_CURSOR_1_SIZE_BYTES;
    if ((!is_version_1 && bytes.size_bytes != LOGS_CURSOR_SIZE_BYTES) ||
        le32_load(from) != CURSOR_MAGIC)
        return ERR_MAGIC;
    size_t crc_offset = bytes.size_bytes - CRC_SIZE;
    if (le32_load(from + crc_offset) != crc32c(0, from, crc_offset))
        return ERR_CHECKSUM;
    if (le16_load(from + 4) != (is_version_1 ? 1 : CURSOR_VERSION))
        return ERR_VERSION;
    if (from[6] > 1 || from[7] > PLX_LOGS_REMEMBERED)
        return ERR_RANGE;
    struct logs_cursor cursor = {
        .serial = le64_load(from + 8),
        .position = position_load(from + 16),
        .handed_out = le64_load(from + 32),
        .has_lease = from[6] == 1,
        .lease = {.id = id_load(from + 40),
                  .end = position_load(from + 56),
                  .handed_out = le64_load(from + 72),
                  .expires_us = le64_load(from + 80)},
        .move_count = from[7],
    };
    if (!is_version_1) {
        cursor.lease.length_us = le64_load(from + LENGTH_OFFSET);
        cursor.mark = mark_load(from + MARK_OFFSET);
        cursor.lease.mark = mark_load(from + MARK_OFFSET + MARK_SIZE);
    }
    for (uint32_t i = 0; i < cursor.move_count; i++)
        cursor.moves[i] = id_load(from + 88 + 16 * (size_t)i);
    *ret_cursor = cursor;
    return OK;
}

static void cursor_remember(struct logs_cursor *cursor, struct plx_logs_id id)
{
    if (cursor->move_count < PLX_LOGS_REMEMBERED)
        cursor->move_count++;
    memmove(cursor->moves + 1, cursor->moves, (cursor->move_count - 1) * sizeof(id));
    cursor->moves[0] = id;
}

struct plx_logs_id logs_cursor_move(struct logs_cursor *cursor, struct plx_logs_position end,
                                    uint64_t handed_out, uint64_t nonce)
{
    struct plx_logs_id id = {++cursor->serial, nonce};
    cursor->position = end;
    cursor->mark = (struct logs_mark){.file = 0};
    cursor->handed_out = handed_out;
    cursor->has_lease = false;
    cursor_remember(cursor, id);
    return id;
}

void logs_cursor_lease(struct logs_cursor *cursor, struct logs_lease *lease)
{
    lease->id.serial = ++cursor->serial;
    cursor->has_lease = true;
    cursor->lease = *lease;
}

void logs_cursor_confirm(struct logs_cursor *cursor)
{
    CHECK(cursor->has_lease);
    cursor->serial++;
    cursor->position = cursor->lease.end;
    cursor->mark = cursor->lease.mark;
    cursor->handed_out = cursor->lease.handed_out;
    cursor->has_lease = false;
    cursor_remember(cursor, cursor->lease.id);
}

void logs_cursor_release(struct logs_cursor *cursor)
{
    CHECK(cursor->has_lease);
    cursor->serial++;
    cursor->has_lease = false;
}

void logs_cursor_bound_lease(struct logs_cursor *cursor, uint64_t now_us)
{
    CHECK(cursor->has_lease);
    cursor->serial++;
    cursor->lease.expires_us = now_us + cursor->lease.length_us;
}

bool logs_cursor_lease_is_ahead(const struct logs_cursor *cursor, uint64_t now_us)
{
    const struct logs_lease *lease = &cursor->lease;
    uint64_t longest_us = lease->length_us + PLX_LOGS_SKEW_NS / 1000;
    return cursor->has_lease && lease->length_us > 0 && lease->length_us < UINT64_MAX / 4 &&
           lease->expires_us > now_us && lease->expires_us - now_us > longest_us;
}

uint64_t logs_cursor_lease_left_us(const struct logs_cursor *cursor, uint64_t now_us)
{
    uint64_t skew_us = PLX_LOGS_SKEW_NS / 1000;
    if (!cursor->has_lease)
        return 0;
    uint64_t expires_us = cursor->lease.expires_us;
    uint64_t until_us = expires_us > UINT64_MAX - skew_us ? UINT64_MAX : expires_us + skew_us;
    return until_us > now_us ? until_us - now_us : 0;
}

static bool id_is_equal(struct plx_logs_id a, struct plx_logs_id b)
{
    return a.serial == b.serial && a.nonce == b.nonce;
}

/*
 * Moves happen in the order of their ids' serials, for there is one lease at a time: whatever is
 * younger than the oldest that is remembered would be remembered, too.
 */
enum logs_verdict logs_cursor_judge(const struct logs_cursor *cursor, const struct plx_logs_id *id)
{
    for (uint32_t i = 0; i < cursor->move_count; i++) {
        if (id_is_equal(cursor->moves[i], *id))
            return LOGS_MOVED;
    }
    if (cursor->has_lease && id_is_equal(cursor->lease.id, *id))
        return LOGS_LEASED;
    if (cursor->move_count == PLX_LOGS_REMEMBERED &&
        id->serial < cursor->moves[PLX_LOGS_REMEMBERED - 1].serial)
        return LOGS_FORGOTTEN;
    return LOGS_NEVER;
}

void plx_logs_id_format(const struct plx_logs_id *id, char ret_text[PLX_LOGS_ID_TEXT_SIZE])
{
    snprintf(ret_text, PLX_LOGS_ID_TEXT_SIZE, "%" PRIx64 "-%016" PRIx64, id->serial, id->nonce);
}

bool plx_logs_id_parse(const char *text, struct plx_logs_id *ret_id)
{
    struct plx_logs_id id;
    char canonical[PLX_LOGS_ID_TEXT_SIZE];
    *ret_id = (struct plx_logs_id){.serial = 0};
    if (text == NULL || strlen(text) >= PLX_LOGS_ID_TEXT_SIZE ||
        sscanf(text, "%16" SCNx64 "-%16" SCNx64, &id.serial, &id.nonce) != 2 || id.serial == 0)
        return false;
    /* No other spelling, nothing behind it. */
    plx_logs_id_format(&id, canonical);
    if (strcmp(text, canonical) != 0)
        return false;
    *ret_id = id;
    return true;
}
