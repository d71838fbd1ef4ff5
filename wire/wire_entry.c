/*
 * In front of a request that has a name:
 *    0  u64  zero: the session of no request of an entry
 *    8  u32  generation of the principal's key
 *   12  u8   kind
 *   13  u8   size of the name, 1 to KEY_NAME_BYTES_MAX
 *   14  u16  zero
 *   16       the name, and zeros up to a multiple of 8
 */
#include "wire/wire_entry.h"

#include "base/rights_table.h"
#include "wire/wire_internal.h"

#define FIXED_BYTES 16

static_assert(FIXED_BYTES + (KEY_NAME_BYTES_MAX + 7) / 8 * 8 == WIRE_ENTRY_HEAD_BYTES_MAX,
              "with the longest name");

size_t wire_entry_head_bytes(struct span name)
{
    CHECK(name.size_bytes <= KEY_NAME_BYTES_MAX);
    return name.size_bytes == 0 ? 0 : FIXED_BYTES + (name.size_bytes + 7) / 8 * 8;
}

void wire_entry_head_encode(uint8_t *to, const struct wire_entry *entry)
{
    size_t size_bytes = wire_entry_head_bytes(entry->name);
    CHECK(size_bytes > 0 || entry->kind == WIRE_ENTRY_WRITES);
    if (size_bytes == 0)
        return;
    memset(to, 0, size_bytes);
    le32_store(to + 8, entry->generation);
    to[12] = entry->kind;
    to[13] = (uint8_t)entry->name.size_bytes;
    memcpy(to + FIXED_BYTES, entry->name.data, entry->name.size_bytes);
}

enum error wire_entry_decode(struct span bytes, struct wire_entry *ret_entry)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < FIXED_BYTES)
        return ERR_SHORT;
    if (le64_load(from) != 0) {
        *ret_entry = (struct wire_entry){.kind = WIRE_ENTRY_WRITES, .request = bytes};
        return OK;
    }
    struct wire_entry entry = {.kind = from[12],
                               .name = span_of(from + FIXED_BYTES, from[13]),
                               .generation = le32_load(from + 8)};
    if (from[14] != 0 || from[15] != 0)
        return ERR_RESERVED;
    if (entry.name.size_bytes > KEY_NAME_BYTES_MAX || entry.name.size_bytes == 0)
        return ERR_RANGE;
    size_t head_bytes = wire_entry_head_bytes(entry.name);
    if (bytes.size_bytes < head_bytes)
        return ERR_SHORT;
    size_t name_end = FIXED_BYTES + entry.name.size_bytes;
    if (!wire_is_zero(from + name_end, head_bytes - name_end))
        return ERR_RESERVED;
    if (!rights_name_is_valid(entry.name) ||
        (entry.kind != WIRE_ENTRY_WRITES && entry.kind != WIRE_ENTRY_DROP))
        return ERR_RANGE;
    entry.request = span_of(from + head_bytes, bytes.size_bytes - head_bytes);
    if (entry.kind == WIRE_ENTRY_DROP && entry.request.size_bytes > 0)
        return ERR_TRAILING;
    *ret_entry = entry;
    return OK;
}
