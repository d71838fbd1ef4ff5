/*
 * Sessions, as operators see them.
 *
 * Question about a page, WIRE_SESSIONS_QUESTION_BYTES long, offset, size and meaning of each field:
 *    0  u64  number
 *    8  u32  place of the table that the page begins with
 *   12       zeros
 *
 * Page:
 *    0       the head of a reply, without ops (wire_reply.c)
 *   72  u16  entry count
 *   74  u16  zero
 *   76  u32  place that the next page begins with (0: there is no more)
 *   80  u32  number of sessions
 *   84  u32  limit of sessions
 *   88       entries
 *
 * Entry:
 *    0  u64  id
 *    8  u64  quiet (us of log time)
 *   16  u64  heard (us; all ones: never)
 *   24  u64  left (us of log time)
 *   32 [16]  address
 *   48  u16  port
 *   50  u8   state
 *   51  u8   zero
 *   52  u16  outcomes
 *   54  u16  zero
 *
 * A refusal ends with the head.
 *
 * Question that ends a session, WIRE_SESSION_END_QUESTION_BYTES long:
 *    0  u64  number
 *    8  u64  id
 *   16       zeros
 */
#include "wire/wire_sessions.h"
#include "wire/wire_internal.h"

#define PAGE_HEAD_BYTES 88
#define ENTRY_BYTES     56

static_assert(WIRE_REPLY_HEADER_SIZE_BYTES == 72, "the layout above");
static_assert(PAGE_HEAD_BYTES + WIRE_SESSIONS_PAGE_MAX * ENTRY_BYTES <=
                  WIRE_SESSIONS_QUESTION_BYTES,
              "a page is no larger than the question");
static_assert(WIRE_REPLY_HEADER_SIZE_BYTES + WIRE_REPLY_OP_HEADER_SIZE_BYTES <=
                  WIRE_SESSION_END_QUESTION_BYTES,
              "nor is the answer to the other one");

void wire_sessions_encode(struct wire_writer *writer, const struct wire_sessions *question)
{
    uint8_t *to = wire_writer_grow(writer, WIRE_SESSIONS_QUESTION_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, WIRE_SESSIONS_QUESTION_BYTES);
    le64_store(to, question->number);
    le32_store(to + 8, question->from);
}

/* Exactly that long, and zero from `used` on. */
static enum error question_check(struct span bytes, size_t size_bytes, size_t used)
{
    if (bytes.size_bytes != size_bytes)
        return bytes.size_bytes < size_bytes ? ERR_SHORT : ERR_TRAILING;
    return wire_is_zero(bytes.data + used, size_bytes - used) ? OK : ERR_RESERVED;
}

enum error wire_sessions_decode(struct span bytes, struct wire_sessions *ret_question)
{
    enum error error = question_check(bytes, WIRE_SESSIONS_QUESTION_BYTES, 12);
    if (error == OK)
        *ret_question = (struct wire_sessions){.number = le64_load(bytes.data),
                                               .from = le32_load(bytes.data + 8)};
    return error;
}

void wire_sessions_reply_begin(struct wire_writer *writer, const struct wire_reply *head)
{
    CHECK(head->status == WIRE_STATUS_OK);
    wire_reply_begin(writer, head);
    uint8_t *to = wire_writer_grow(writer, PAGE_HEAD_BYTES - WIRE_REPLY_HEADER_SIZE_BYTES);
    if (to != NULL)
        memset(to, 0, PAGE_HEAD_BYTES - WIRE_REPLY_HEADER_SIZE_BYTES);
}

void wire_sessions_reply_add(struct wire_writer *writer, const struct wire_session *session)
{
    uint8_t *count = writer->data + WIRE_REPLY_HEADER_SIZE_BYTES;
    CHECK(session->id != 0 && le16_load(count) < WIRE_SESSIONS_PAGE_MAX);
    uint8_t *to = wire_writer_grow(writer, ENTRY_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, ENTRY_BYTES);
    le64_store(to, session->id);
    le64_store(to + 8, session->quiet_us);
    le64_store(to + 16, session->heard_us);
    le64_store(to + 24, session->left_us);
    memcpy(to + 32, session->address.ip, sizeof(session->address.ip));
    le16_store(to + 48, session->address.port);
    to[50] = session->state;
    le16_store(to + 52, session->outcomes);
    le16_store(count, (uint16_t)(le16_load(count) + 1));
}

void wire_sessions_reply_end(struct wire_writer *writer, const struct wire_sessions_reply *page)
{
    if (writer->is_overflow)
        return;
    le32_store(writer->data + 76, page->next);
    le32_store(writer->data + 80, page->count);
    le32_store(writer->data + 84, page->sessions_max);
}

static enum error entry_check(const uint8_t *from)
{
    if (from[51] != 0 || le16_load(from + 54) != 0)
        return ERR_RESERVED;
    bool is_sound = le64_load(from) != 0 && from[50] >= WIRE_SESSION_UNUSED &&
                    from[50] < WIRE_SESSION_STATE_END && le16_load(from + 52) <= SESSION_WINDOW;
    return is_sound ? OK : ERR_RANGE;
}

/* What follows the head of a page. */
static enum error page_decode(struct span bytes, struct wire_sessions_reply *ret_reply)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < PAGE_HEAD_BYTES)
        return ERR_SHORT;
    size_t entries_bytes = bytes.size_bytes - PAGE_HEAD_BYTES;
    ret_reply->entry_count = le16_load(from + 72);
    ret_reply->next = le32_load(from + 76);
    ret_reply->count = le32_load(from + 80);
    ret_reply->sessions_max = le32_load(from + 84);
    if (le16_load(from + 74) != 0)
        return ERR_RESERVED;
    if (ret_reply->entry_count > WIRE_SESSIONS_PAGE_MAX)
        return ERR_RANGE;
    if (entries_bytes != ret_reply->entry_count * (size_t)ENTRY_BYTES)
        return entries_bytes < ret_reply->entry_count * (size_t)ENTRY_BYTES ? ERR_SHORT
                                                                            : ERR_TRAILING;
    ret_reply->entries = span_of(from + PAGE_HEAD_BYTES, entries_bytes);
    enum error error = OK;
    for (uint32_t i = 0; i < ret_reply->entry_count && error == OK; i++)
        error = entry_check(ret_reply->entries.data + i * (size_t)ENTRY_BYTES);
    return error;
}

enum error wire_sessions_reply_decode(struct span bytes, struct wire_sessions_reply *ret_reply)
{
    struct wire_sessions_reply reply = {.next = 0};
    if (bytes.size_bytes < WIRE_REPLY_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    enum error error =
        wire_reply_decode(span_of(bytes.data, WIRE_REPLY_HEADER_SIZE_BYTES), &reply.head);
    if (error != OK)
        return error;
    if (reply.head.op_count != 0)
        return ERR_RANGE;
    if (reply.head.status == WIRE_STATUS_OK)
        error = page_decode(bytes, &reply);
    else if (bytes.size_bytes > WIRE_REPLY_HEADER_SIZE_BYTES)
        error = ERR_TRAILING;
    if (error == OK)
        *ret_reply = reply;
    return error;
}

struct wire_session wire_session_at(const struct wire_sessions_reply *reply, uint32_t i)
{
    CHECK(i < reply->entry_count);
    const uint8_t *from = reply->entries.data + i * (size_t)ENTRY_BYTES;
    struct wire_session session = {.id = le64_load(from),
                                   .quiet_us = le64_load(from + 8),
                                   .heard_us = le64_load(from + 16),
                                   .left_us = le64_load(from + 24),
                                   .address = {.port = le16_load(from + 48)},
                                   .state = from[50],
                                   .outcomes = le16_load(from + 52)};
    memcpy(session.address.ip, from + 32, sizeof(session.address.ip));
    return session;
}

void wire_session_end_encode(struct wire_writer *writer, uint64_t number, uint64_t session)
{
    uint8_t *to = wire_writer_grow(writer, WIRE_SESSION_END_QUESTION_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, WIRE_SESSION_END_QUESTION_BYTES);
    le64_store(to, number);
    le64_store(to + 8, session);
}

enum error wire_session_end_decode(struct span bytes, uint64_t *ret_number, uint64_t *ret_session)
{
    enum error error = question_check(bytes, WIRE_SESSION_END_QUESTION_BYTES, 16);
    if (error != OK)
        return error;
    *ret_number = le64_load(bytes.data);
    *ret_session = le64_load(bytes.data + 8);
    return OK;
}
