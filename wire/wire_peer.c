/*
 * Messages between nodes about the log.
 *
 * Message, offset, size and meaning of each field:
 *    0  u32  fingerprint
 *    4  u8   type
 *    5  u8   flags (1: pre-vote, 2: transfer, 4: granted, 8: suspect, 16: success)
 *    6  u16  from
 *    8  u16  to
 *   10  u16  entry count (append request), priority as a leader (append reply); else 0
 *   12  u32  suspicion (append request and reply), formation (vote request); else 0
 *   16  u64  term
 *   24  u64  birth of the sender's storage
 *   32  u64  birth of the receiver's, 0: whichever it has
 *   40  u64  start of the sender
 *   48  u32  cluster that the sender belongs to, the low half; 0: none
 *   52  u32  its era
 *   56  u64  each: the fields of the type, as many as it has
 *
 * The fields of each type, and the flags that it may have:
 *    vote request    last index, last term                                   1, 2
 *    vote reply      last index, last term                                   1, 4, 8
 *    append request  previous index, previous term, commit index, round,     none
 *                    quorum age (ns); then the entries
 *    append reply    match index, round, conflict term, conflict index,      16
 *                    rejected index, room for data, room of the log
 *    timeout now     none                                                    none
 *
 * Entry:
 *    0  u64  term
 *    8  u32  size of the payload
 *   12  u8   kind
 *   13  [3]  zero
 *   16       payload
 */
#include "wire/wire_internal.h"
#include "wire/wire_peer.h"

#define PEER_HEADER_SIZE_BYTES  56
#define ENTRY_HEADER_SIZE_BYTES 16

#define FLAG_PRE_VOTE 1
#define FLAG_TRANSFER 2
#define FLAG_GRANTED  4
#define FLAG_SUSPECT  8
#define FLAG_SUCCESS  16

#define FIELDS_MAX 8

static_assert(APPEND_ENTRIES_MAX <= UINT16_MAX, "the entry count is 16 bits on the wire");

/* What a type of message has: so many fields, and these flags. */
static void peer_type_shape(uint8_t type, uint32_t *ret_field_count, uint8_t *ret_flags)
{
    static const struct {
        uint8_t field_count;
        uint8_t flags;
    } shapes[WIRE_PEER_TYPE_END] = {
        [WIRE_PEER_VOTE_REQUEST] = {2, FLAG_PRE_VOTE | FLAG_TRANSFER},
        [WIRE_PEER_VOTE_REPLY] = {2, FLAG_PRE_VOTE | FLAG_GRANTED | FLAG_SUSPECT},
        [WIRE_PEER_APPEND_REQUEST] = {5, 0},
        [WIRE_PEER_APPEND_REPLY] = {8, FLAG_SUCCESS},
        [WIRE_PEER_TIMEOUT_NOW] = {0, 0},
    };
    *ret_field_count = shapes[type].field_count;
    *ret_flags = shapes[type].flags;
}

static uint8_t peer_flags(const struct wire_peer_message *message)
{
    int flags = 0;
    if (message->type == WIRE_PEER_VOTE_REQUEST) {
        flags = (message->vote_request.is_pre_vote ? FLAG_PRE_VOTE : 0) |
                (message->vote_request.is_transfer ? FLAG_TRANSFER : 0);
    } else if (message->type == WIRE_PEER_VOTE_REPLY) {
        flags = (message->vote_reply.is_pre_vote ? FLAG_PRE_VOTE : 0) |
                (message->vote_reply.is_granted ? FLAG_GRANTED : 0) |
                (message->vote_reply.is_suspect ? FLAG_SUSPECT : 0);
    } else if (message->type == WIRE_PEER_APPEND_REPLY) {
        flags = message->append_reply.is_success ? FLAG_SUCCESS : 0;
    }
    return (uint8_t)flags;
}

/* The highest value of the field that counts entries, or tells a priority. */
static uint16_t peer_count_max(uint8_t type)
{
    if (type == WIRE_PEER_APPEND_REQUEST)
        return APPEND_ENTRIES_MAX;
    return type == WIRE_PEER_APPEND_REPLY ? PRIORITY_MAX : 0;
}

/* The one field of 32 bits, which not every type has. */
static uint32_t peer_word(const struct wire_peer_message *message)
{
    if (message->type == WIRE_PEER_VOTE_REQUEST)
        return message->vote_request.formation;
    if (message->type == WIRE_PEER_APPEND_REQUEST)
        return message->append_request.suspicion;
    return message->type == WIRE_PEER_APPEND_REPLY ? message->append_reply.suspicion : 0;
}

static void peer_fields(const struct wire_peer_message *message, uint64_t ret_fields[FIELDS_MAX])
{
    if (message->type == WIRE_PEER_VOTE_REQUEST) {
        ret_fields[0] = message->vote_request.last_index;
        ret_fields[1] = message->vote_request.last_term;
    } else if (message->type == WIRE_PEER_VOTE_REPLY) {
        ret_fields[0] = message->vote_reply.last_index;
        ret_fields[1] = message->vote_reply.last_term;
    } else if (message->type == WIRE_PEER_APPEND_REQUEST) {
        ret_fields[0] = message->append_request.previous_index;
        ret_fields[1] = message->append_request.previous_term;
        ret_fields[2] = message->append_request.commit_index;
        ret_fields[3] = message->append_request.round;
        ret_fields[4] = message->append_request.quorum_age_ns;
    } else if (message->type == WIRE_PEER_APPEND_REPLY) {
        ret_fields[0] = message->append_reply.match_index;
        ret_fields[1] = message->append_reply.round;
        ret_fields[2] = message->append_reply.conflict_term;
        ret_fields[3] = message->append_reply.conflict_index;
        ret_fields[4] = message->append_reply.rejected_index;
        ret_fields[5] = message->append_reply.data_room_bytes;
        ret_fields[6] = message->append_reply.log_room_bytes;
        ret_fields[7] = message->append_reply.undrained;
    }
}

void wire_peer_encode(struct wire_writer *writer, const struct wire_peer_message *message)
{
    CHECK(message->type > 0 && message->type < WIRE_PEER_TYPE_END);
    uint32_t field_count;
    uint8_t flags;
    peer_type_shape(message->type, &field_count, &flags);
    uint8_t *to = wire_writer_grow(writer, PEER_HEADER_SIZE_BYTES + field_count * 8);
    if (to == NULL)
        return;
    memset(to, 0, PEER_HEADER_SIZE_BYTES);
    le32_store(to, message->fingerprint);
    to[4] = message->type;
    to[5] = peer_flags(message);
    le16_store(to + 6, message->from.id);
    le16_store(to + 8, message->to.id);
    if (message->type == WIRE_PEER_APPEND_REQUEST) {
        CHECK(message->append_request.entry_count <= APPEND_ENTRIES_MAX);
        le16_store(to + 10, message->append_request.entry_count);
    } else if (message->type == WIRE_PEER_APPEND_REPLY) {
        CHECK(message->append_reply.priority <= PRIORITY_MAX);
        le16_store(to + 10, message->append_reply.priority);
    }
    le32_store(to + 12, peer_word(message));
    le64_store(to + 16, message->term);
    le64_store(to + 24, message->from.birth);
    le64_store(to + 32, message->to.birth);
    le64_store(to + 40, message->start);
    le32_store(to + 48, message->cluster);
    le32_store(to + 52, message->era);
    uint64_t fields[FIELDS_MAX] = {0};
    peer_fields(message, fields);
    for (uint32_t i = 0; i < field_count; i++)
        le64_store(to + PEER_HEADER_SIZE_BYTES + 8 * i, fields[i]);
}

void wire_peer_add_entry(struct wire_writer *writer, const struct wire_peer_entry *entry)
{
    CHECK(entry->payload.size_bytes <= RECORD_PAYLOAD_SIZE_BYTES_MAX);
    CHECK(entry->kind > 0 && entry->kind < WIRE_PEER_ENTRY_KIND_END);
    uint8_t *to = wire_writer_grow(writer, ENTRY_HEADER_SIZE_BYTES + entry->payload.size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, ENTRY_HEADER_SIZE_BYTES);
    le64_store(to, entry->term);
    le32_store(to + 8, (uint32_t)entry->payload.size_bytes);
    to[12] = entry->kind;
    wire_copy(to + ENTRY_HEADER_SIZE_BYTES, entry->payload);
}

enum error wire_peer_entry_decode(struct span entries, size_t *cursor,
                                  struct wire_peer_entry *ret_entry)
{
    CHECK(*cursor <= entries.size_bytes);
    size_t left = entries.size_bytes - *cursor;
    if (left < ENTRY_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = entries.data + *cursor;
    uint32_t size_bytes = le32_load(from + 8);
    if (from[12] == 0 || from[12] >= WIRE_PEER_ENTRY_KIND_END)
        return ERR_TYPE;
    if (!wire_is_zero(from + 13, 3))
        return ERR_RESERVED;
    if (size_bytes > RECORD_PAYLOAD_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (left - ENTRY_HEADER_SIZE_BYTES < size_bytes)
        return ERR_SHORT;
    *cursor += ENTRY_HEADER_SIZE_BYTES + size_bytes;
    *ret_entry =
        (struct wire_peer_entry){.term = le64_load(from),
                                 .payload = span_of(from + ENTRY_HEADER_SIZE_BYTES, size_bytes),
                                 .kind = from[12]};
    return OK;
}

/* Exactly `entry_count` entries, none broken, nothing behind them. */
static enum error peer_entries_check(struct span entries, uint16_t entry_count)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < entry_count; i++) {
        struct wire_peer_entry entry;
        enum error error = wire_peer_entry_decode(entries, &cursor, &entry);
        if (error != OK)
            return error;
    }
    return cursor == entries.size_bytes ? OK : ERR_TRAILING;
}

/* Header, flags and size of the fixed part; *ret_end is where the entries begin. */
static enum error peer_header_check(struct span bytes, size_t *ret_end)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < PEER_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    uint8_t type = from[4];
    if (type == 0 || type >= WIRE_PEER_TYPE_END)
        return ERR_TYPE;
    uint32_t field_count;
    uint8_t flags;
    peer_type_shape(type, &field_count, &flags);
    bool has_word = type != WIRE_PEER_VOTE_REPLY && type != WIRE_PEER_TIMEOUT_NOW;
    if ((from[5] & ~flags) != 0 || (!has_word && le32_load(from + 12) != 0))
        return ERR_RESERVED;
    uint16_t sender = le16_load(from + 6);
    uint16_t target = le16_load(from + 8);
    if (sender == 0 || sender > VOTER_ID_MAX || target == 0 || target > VOTER_ID_MAX)
        return ERR_RANGE;
    if (le16_load(from + 10) > peer_count_max(type))
        return ERR_RANGE;
    if (bytes.size_bytes < PEER_HEADER_SIZE_BYTES + field_count * 8)
        return ERR_SHORT;
    *ret_end = PEER_HEADER_SIZE_BYTES + field_count * 8;
    return OK;
}

static void append_request_load(const uint8_t *from, struct span entries,
                                struct wire_peer_message *ret_message)
{
    const uint8_t *fields = from + PEER_HEADER_SIZE_BYTES;
    ret_message->append_request.previous_index = le64_load(fields);
    ret_message->append_request.previous_term = le64_load(fields + 8);
    ret_message->append_request.commit_index = le64_load(fields + 16);
    ret_message->append_request.round = le64_load(fields + 24);
    ret_message->append_request.quorum_age_ns = le64_load(fields + 32);
    ret_message->append_request.suspicion = le32_load(from + 12);
    ret_message->append_request.entry_count = le16_load(from + 10);
    ret_message->append_request.entries = entries;
}

static void append_reply_load(const uint8_t *from, struct wire_peer_message *ret_message)
{
    const uint8_t *fields = from + PEER_HEADER_SIZE_BYTES;
    ret_message->append_reply.match_index = le64_load(fields);
    ret_message->append_reply.round = le64_load(fields + 8);
    ret_message->append_reply.conflict_term = le64_load(fields + 16);
    ret_message->append_reply.conflict_index = le64_load(fields + 24);
    ret_message->append_reply.rejected_index = le64_load(fields + 32);
    ret_message->append_reply.data_room_bytes = le64_load(fields + 40);
    ret_message->append_reply.log_room_bytes = le64_load(fields + 48);
    ret_message->append_reply.undrained = le64_load(fields + 56);
    ret_message->append_reply.suspicion = le32_load(from + 12);
    ret_message->append_reply.priority = le16_load(from + 10);
    ret_message->append_reply.is_success = (from[5] & FLAG_SUCCESS) != 0;
}

/* The fields of each type, from bytes that peer_header_check has passed. */
static void peer_message_load(const uint8_t *from, struct span entries,
                              struct wire_peer_message *ret_message)
{
    const uint8_t *fields = from + PEER_HEADER_SIZE_BYTES;
    uint8_t flags = from[5];
    *ret_message = (struct wire_peer_message){.type = from[4],
                                              .from = {le64_load(from + 24), le16_load(from + 6)},
                                              .to = {le64_load(from + 32), le16_load(from + 8)},
                                              .fingerprint = le32_load(from),
                                              .start = le64_load(from + 40),
                                              .cluster = le32_load(from + 48),
                                              .era = le32_load(from + 52),
                                              .term = le64_load(from + 16)};
    if (ret_message->type == WIRE_PEER_VOTE_REQUEST) {
        ret_message->vote_request.last_index = le64_load(fields);
        ret_message->vote_request.last_term = le64_load(fields + 8);
        ret_message->vote_request.is_pre_vote = (flags & FLAG_PRE_VOTE) != 0;
        ret_message->vote_request.is_transfer = (flags & FLAG_TRANSFER) != 0;
        ret_message->vote_request.formation = le32_load(from + 12);
    } else if (ret_message->type == WIRE_PEER_VOTE_REPLY) {
        ret_message->vote_reply.last_index = le64_load(fields);
        ret_message->vote_reply.last_term = le64_load(fields + 8);
        ret_message->vote_reply.is_granted = (flags & FLAG_GRANTED) != 0;
        ret_message->vote_reply.is_pre_vote = (flags & FLAG_PRE_VOTE) != 0;
        ret_message->vote_reply.is_suspect = (flags & FLAG_SUSPECT) != 0;
    } else if (ret_message->type == WIRE_PEER_APPEND_REQUEST) {
        append_request_load(from, entries, ret_message);
    } else if (ret_message->type == WIRE_PEER_APPEND_REPLY) {
        append_reply_load(from, ret_message);
    }
}

enum error wire_peer_decode(struct span bytes, struct wire_peer_message *ret_message)
{
    size_t end;
    enum error error = peer_header_check(bytes, &end);
    if (error != OK)
        return error;
    struct span entries = span_of(bytes.data + end, bytes.size_bytes - end);
    bool has_entries = bytes.data[4] == WIRE_PEER_APPEND_REQUEST;
    error = peer_entries_check(entries, has_entries ? le16_load(bytes.data + 10) : 0);
    if (error != OK)
        return error;
    peer_message_load(bytes.data, entries, ret_message);
    return OK;
}
