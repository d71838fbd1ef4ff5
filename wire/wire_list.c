/*
 * Lists of keys.
 *
 * Question, LIST_QUESTION_BYTES long, offset, size and meaning of each field:
 *    0  u64  number
 *    8  u64  min index
 *   16  u32  timeout (us)
 *   20  u32  max age (us)
 *   24  u32  page size
 *   28  u8   flags (1: consistent, 2: with values)
 *   29  u8   zero
 *   30  u16  prefix size
 *   32  u16  after size
 *   34  [6]  zero
 *   40       prefix, after, zeros
 *
 * Reply:
 *    0       the head of a reply, without ops (wire_reply.c)
 *   72  u16  entry count
 *   74  u16  last size (0: no more keys)
 *   76  [4]  zero
 *   80       entries, last
 *
 * Entry:
 *    0  u64  version
 *    8  u32  value size
 *   12  u16  key size
 *   14  u8   flags (1: pending, 2: the value follows)
 *   15  u8   zero
 *   16       key, value
 *
 * A refusal ends with the head.
 */
#include "wire/wire_list.h"
#include "wire/wire_internal.h"

#define QUESTION_HEAD_BYTES 40
#define REPLY_HEAD_BYTES    80
#define ENTRY_HEAD_BYTES    16

#define FLAG_CONSISTENT 1
#define FLAG_VALUES     2

#define ENTRY_FLAG_PENDING 1
#define ENTRY_FLAG_VALUE   2

static_assert(QUESTION_HEAD_BYTES + 2 * KEY_SIZE_BYTES_MAX <= LIST_QUESTION_BYTES,
              "a question has room for the longest keys");
static_assert(LIST_PAGE_BYTES_MIN >= REPLY_HEAD_BYTES + ENTRY_HEAD_BYTES + 2 * KEY_SIZE_BYTES_MAX,
              "each page has room for an entry, and for where it ends");
static_assert(WIRE_REPLY_HEADER_SIZE_BYTES + 8 == REPLY_HEAD_BYTES, "the layout above");

void wire_list_encode(struct wire_writer *writer, const struct wire_list *list)
{
    CHECK(list->prefix.size_bytes <= KEY_SIZE_BYTES_MAX);
    CHECK(list->after.size_bytes <= KEY_SIZE_BYTES_MAX);
    uint8_t *to = wire_writer_grow(writer, LIST_QUESTION_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, LIST_QUESTION_BYTES);
    le64_store(to, list->number);
    le64_store(to + 8, list->min_index);
    le32_store(to + 16, list->timeout_us);
    le32_store(to + 20, list->max_age_us);
    le32_store(to + 24, list->page_bytes);
    to[28] = (uint8_t)((list->is_consistent ? FLAG_CONSISTENT : 0) |
                       (list->has_values ? FLAG_VALUES : 0));
    le16_store(to + 30, (uint16_t)list->prefix.size_bytes);
    le16_store(to + 32, (uint16_t)list->after.size_bytes);
    wire_copy(wire_copy(to + QUESTION_HEAD_BYTES, list->prefix), list->after);
}

size_t wire_list_kept_bytes(const struct wire_list *list)
{
    return QUESTION_HEAD_BYTES + list->prefix.size_bytes + list->after.size_bytes;
}

struct wire_list wire_list_of_kept(struct span bytes)
{
    const uint8_t *from = bytes.data;
    size_t prefix_bytes = le16_load(from + 30);
    size_t after_bytes = le16_load(from + 32);
    CHECK(bytes.size_bytes == QUESTION_HEAD_BYTES + prefix_bytes + after_bytes);
    from += QUESTION_HEAD_BYTES;
    return (struct wire_list){.number = le64_load(bytes.data),
                              .min_index = le64_load(bytes.data + 8),
                              .timeout_us = le32_load(bytes.data + 16),
                              .max_age_us = le32_load(bytes.data + 20),
                              .page_bytes = le32_load(bytes.data + 24),
                              .is_consistent = (bytes.data[28] & FLAG_CONSISTENT) != 0,
                              .has_values = (bytes.data[28] & FLAG_VALUES) != 0,
                              .prefix = span_of(from, prefix_bytes),
                              .after = span_of(from + prefix_bytes, after_bytes)};
}

enum error wire_list_decode(struct span bytes, struct wire_list *ret_list)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes != LIST_QUESTION_BYTES)
        return bytes.size_bytes < LIST_QUESTION_BYTES ? ERR_SHORT : ERR_TRAILING;
    size_t prefix_bytes = le16_load(from + 30);
    size_t after_bytes = le16_load(from + 32);
    if (prefix_bytes > KEY_SIZE_BYTES_MAX || after_bytes > KEY_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    size_t kept = QUESTION_HEAD_BYTES + prefix_bytes + after_bytes;
    if ((from[28] & ~(FLAG_CONSISTENT | FLAG_VALUES)) != 0 || from[29] != 0 ||
        !wire_is_zero(from + 34, 6) || !wire_is_zero(from + kept, LIST_QUESTION_BYTES - kept))
        return ERR_RESERVED;
    struct wire_list list = wire_list_of_kept(span_of(from, kept));
    if (list.page_bytes < LIST_PAGE_BYTES_MIN || list.page_bytes > LIST_PAGE_BYTES_MAX)
        return ERR_RANGE;
    *ret_list = list;
    return OK;
}

void wire_list_reply_begin(struct wire_writer *writer, const struct wire_reply *head)
{
    wire_reply_begin(writer, head);
    if (head->status != WIRE_STATUS_OK)
        return;
    uint8_t *to = wire_writer_grow(writer, REPLY_HEAD_BYTES - WIRE_REPLY_HEADER_SIZE_BYTES);
    if (to != NULL)
        memset(to, 0, REPLY_HEAD_BYTES - WIRE_REPLY_HEADER_SIZE_BYTES);
}

size_t wire_list_entry_bytes(const struct wire_list_entry *entry)
{
    return ENTRY_HEAD_BYTES + entry->key.size_bytes +
           (entry->has_value ? entry->value_size_bytes : 0);
}

void wire_list_reply_add(struct wire_writer *writer, const struct wire_list_entry *entry)
{
    CHECK(entry->key.size_bytes > 0 && entry->key.size_bytes <= KEY_SIZE_BYTES_MAX);
    CHECK(entry->value_size_bytes <= VALUE_SIZE_BYTES_MAX);
    CHECK(!entry->has_value || entry->value.size_bytes == entry->value_size_bytes);
    uint8_t *to = wire_writer_grow(writer, wire_list_entry_bytes(entry));
    if (to == NULL)
        return;
    memset(to, 0, ENTRY_HEAD_BYTES);
    le64_store(to, entry->version);
    le32_store(to + 8, entry->value_size_bytes);
    le16_store(to + 12, (uint16_t)entry->key.size_bytes);
    to[14] = (uint8_t)((entry->is_pending ? ENTRY_FLAG_PENDING : 0) |
                       (entry->has_value ? ENTRY_FLAG_VALUE : 0));
    to = wire_copy(to + ENTRY_HEAD_BYTES, entry->key);
    if (entry->has_value)
        wire_copy(to, entry->value);
    uint8_t *count = writer->data + WIRE_REPLY_HEADER_SIZE_BYTES;
    le16_store(count, (uint16_t)(le16_load(count) + 1));
}

void wire_list_reply_end(struct wire_writer *writer, const struct span *last)
{
    if (last == NULL)
        return;
    CHECK(last->size_bytes > 0 && last->size_bytes <= KEY_SIZE_BYTES_MAX);
    uint8_t *to = wire_writer_grow(writer, last->size_bytes);
    if (to == NULL)
        return;
    wire_copy(to, *last);
    le16_store(writer->data + WIRE_REPLY_HEADER_SIZE_BYTES + 2, (uint16_t)last->size_bytes);
}

/* One entry, checked. */
static enum error entry_decode(struct span entries, size_t *cursor,
                               struct wire_list_entry *ret_entry)
{
    size_t left = entries.size_bytes - *cursor;
    const uint8_t *from = entries.data + *cursor;
    if (left < ENTRY_HEAD_BYTES)
        return ERR_SHORT;
    size_t key_bytes = le16_load(from + 12);
    struct wire_list_entry entry = {.version = le64_load(from),
                                    .value_size_bytes = le32_load(from + 8),
                                    .is_pending = (from[14] & ENTRY_FLAG_PENDING) != 0,
                                    .has_value = (from[14] & ENTRY_FLAG_VALUE) != 0};
    if ((from[14] & ~(ENTRY_FLAG_PENDING | ENTRY_FLAG_VALUE)) != 0 || from[15] != 0)
        return ERR_RESERVED;
    if (key_bytes > KEY_SIZE_BYTES_MAX || entry.value_size_bytes > VALUE_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (key_bytes == 0)
        return ERR_RANGE;
    entry.key = span_of(from + ENTRY_HEAD_BYTES, key_bytes);
    if (entry.has_value)
        entry.value = span_of(entry.key.data + key_bytes, entry.value_size_bytes);
    size_t size = wire_list_entry_bytes(&entry);
    if (left < size)
        return ERR_SHORT;
    *cursor += size;
    *ret_entry = entry;
    return OK;
}

/* Exactly so many entries, none broken, in their order; then the last key. */
static enum error entries_check(const struct wire_list_reply *reply)
{
    struct span before = {0};
    size_t cursor = 0;
    for (uint16_t i = 0; i < reply->entry_count; i++) {
        struct wire_list_entry entry;
        enum error error = entry_decode(reply->entries, &cursor, &entry);
        if (error != OK)
            return error;
        if (span_compare(before, entry.key) >= 0)
            return ERR_RANGE;
        before = entry.key;
    }
    if (reply->has_more && span_compare(before, reply->last) > 0)
        return ERR_RANGE;
    return cursor == reply->entries.size_bytes ? OK : ERR_TRAILING;
}

enum error wire_list_reply_decode(struct span bytes, struct wire_list_reply *ret_reply)
{
    struct wire_list_reply reply = {.entry_count = 0};
    size_t head_bytes = bytes.size_bytes < WIRE_REPLY_HEADER_SIZE_BYTES
                            ? bytes.size_bytes
                            : WIRE_REPLY_HEADER_SIZE_BYTES;
    enum error error = wire_reply_decode(span_of(bytes.data, head_bytes), &reply.head);
    if (error != OK)
        return error;
    if (reply.head.status != WIRE_STATUS_OK && bytes.size_bytes > head_bytes)
        return ERR_TRAILING;
    if (reply.head.status != WIRE_STATUS_OK) {
        *ret_reply = reply;
        return OK;
    }
    if (bytes.size_bytes > LIST_PAGE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (bytes.size_bytes < REPLY_HEAD_BYTES)
        return ERR_SHORT;
    const uint8_t *from = bytes.data + WIRE_REPLY_HEADER_SIZE_BYTES;
    size_t last_bytes = le16_load(from + 2);
    if (!wire_is_zero(from + 4, 4))
        return ERR_RESERVED;
    if (last_bytes > KEY_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (bytes.size_bytes - REPLY_HEAD_BYTES < last_bytes)
        return ERR_SHORT;
    size_t entries_bytes = bytes.size_bytes - REPLY_HEAD_BYTES - last_bytes;
    reply.entry_count = le16_load(from);
    reply.has_more = last_bytes > 0;
    reply.entries = span_of(bytes.data + REPLY_HEAD_BYTES, entries_bytes);
    reply.last = span_of(bytes.data + REPLY_HEAD_BYTES + entries_bytes, last_bytes);
    error = entries_check(&reply);
    if (error == OK)
        *ret_reply = reply;
    return error;
}

struct wire_list_entry wire_list_entry_decode(struct span entries, size_t *cursor)
{
    struct wire_list_entry entry;
    CHECK(*cursor <= entries.size_bytes && entry_decode(entries, cursor, &entry) == OK);
    return entry;
}
