/*
 * Raft messages between nodes.
 *
 * Message: 0 fingerprint u32 | 4 type u8 | 5 flags u8 | 6 from u16 | 8 to u16 | 10 entry count u16
 * | 12 suspicion u32 (append request and reply; else 0) | 16 term u64 | 24 fields u64 each, as many
 * as the type has:
 *  - vote request: last index, last term (flags 1: pre-vote, 2: transfer)
 *  - vote reply: none (flags 1: pre-vote, 4: granted, 8: suspect)
 *  - append request: previous index, previous term, commit index, round, quorum age (ns); the
 *    entries follow
 *  - append reply: match index, round, conflict term, conflict index, rejected index (flag 16:
 *    success)
 *  - timeout now: none
 * Entry: 0 term u64 | 8 size u32 | 12 kind u8 | 13 zero[3] | 16 payload
 *
 * Whether the fields make sense for the receiver is raft's to judge; that they are all there and
 * within the limits is judged here.
 */
#include "wire/wire_internal.h"

#define RAFT_HEADER_SIZE_BYTES  24
#define ENTRY_HEADER_SIZE_BYTES 16

#define FLAG_PRE_VOTE 1
#define FLAG_TRANSFER 2
#define FLAG_GRANTED  4
#define FLAG_SUSPECT  8
#define FLAG_SUCCESS  16

#define FIELDS_MAX 5

/* What a type of message has: so many fields, and these flags. */
static void type_shape(uint8_t type, uint32_t *ret_field_count, uint8_t *ret_flags)
{
    static const struct {
        uint8_t field_count;
        uint8_t flags;
    } shapes[RAFT_MESSAGE_TYPE_END] = {
        [RAFT_VOTE_REQUEST] = {2, FLAG_PRE_VOTE | FLAG_TRANSFER},
        [RAFT_VOTE_REPLY] = {0, FLAG_PRE_VOTE | FLAG_GRANTED | FLAG_SUSPECT},
        [RAFT_APPEND_REQUEST] = {5, 0},
        [RAFT_APPEND_REPLY] = {5, FLAG_SUCCESS},
        [RAFT_TIMEOUT_NOW] = {0, 0},
    };
    *ret_field_count = shapes[type].field_count;
    *ret_flags = shapes[type].flags;
}

static uint8_t message_flags(const struct raft_message *message)
{
    int flags = 0;
    if (message->type == RAFT_VOTE_REQUEST) {
        flags = (message->vote_request.is_pre_vote ? FLAG_PRE_VOTE : 0) |
                (message->vote_request.is_transfer ? FLAG_TRANSFER : 0);
    } else if (message->type == RAFT_VOTE_REPLY) {
        flags = (message->vote_reply.is_pre_vote ? FLAG_PRE_VOTE : 0) |
                (message->vote_reply.is_granted ? FLAG_GRANTED : 0) |
                (message->vote_reply.is_suspect ? FLAG_SUSPECT : 0);
    } else if (message->type == RAFT_APPEND_REPLY) {
        flags = message->append_reply.is_success ? FLAG_SUCCESS : 0;
    }
    return (uint8_t)flags;
}

static uint32_t message_suspicion(const struct raft_message *message)
{
    if (message->type == RAFT_APPEND_REQUEST)
        return message->append_request.suspicion;
    return message->type == RAFT_APPEND_REPLY ? message->append_reply.suspicion : 0;
}

static void message_fields(const struct raft_message *message, uint64_t ret_fields[FIELDS_MAX])
{
    if (message->type == RAFT_VOTE_REQUEST) {
        ret_fields[0] = message->vote_request.last_index;
        ret_fields[1] = message->vote_request.last_term;
    } else if (message->type == RAFT_APPEND_REQUEST) {
        ret_fields[0] = message->append_request.previous_index;
        ret_fields[1] = message->append_request.previous_term;
        ret_fields[2] = message->append_request.commit_index;
        ret_fields[3] = message->append_request.round;
        ret_fields[4] = message->append_request.quorum_age_ns;
    } else if (message->type == RAFT_APPEND_REPLY) {
        ret_fields[0] = message->append_reply.match_index;
        ret_fields[1] = message->append_reply.round;
        ret_fields[2] = message->append_reply.conflict_term;
        ret_fields[3] = message->append_reply.conflict_index;
        ret_fields[4] = message->append_reply.rejected_index;
    }
}

void wire_raft_encode(struct wire_writer *writer, const struct raft_message *message,
                      uint32_t fingerprint)
{
    CHECK(message->type > 0 && message->type < RAFT_MESSAGE_TYPE_END);
    uint32_t field_count;
    uint8_t flags;
    type_shape((uint8_t)message->type, &field_count, &flags);
    uint8_t *to = wire_writer_grow(writer, RAFT_HEADER_SIZE_BYTES + field_count * 8);
    if (to == NULL)
        return;
    memset(to, 0, RAFT_HEADER_SIZE_BYTES);
    le32_store(to, fingerprint);
    to[4] = (uint8_t)message->type;
    to[5] = message_flags(message);
    le16_store(to + 6, message->from);
    le16_store(to + 8, message->to);
    if (message->type == RAFT_APPEND_REQUEST) {
        CHECK(message->append_request.entry_count <= APPEND_ENTRIES_MAX);
        le16_store(to + 10, (uint16_t)message->append_request.entry_count);
    }
    le32_store(to + 12, message_suspicion(message));
    le64_store(to + 16, message->term);
    uint64_t fields[FIELDS_MAX] = {0};
    message_fields(message, fields);
    for (uint32_t i = 0; i < field_count; i++)
        le64_store(to + RAFT_HEADER_SIZE_BYTES + 8 * i, fields[i]);
}

void wire_raft_add_entry(struct wire_writer *writer, const struct raft_entry *entry)
{
    CHECK(entry->size_bytes <= RECORD_PAYLOAD_SIZE_BYTES_MAX);
    uint8_t *to = wire_writer_grow(writer, ENTRY_HEADER_SIZE_BYTES + entry->size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, ENTRY_HEADER_SIZE_BYTES);
    le64_store(to, entry->term);
    le32_store(to + 8, entry->size_bytes);
    to[12] = entry->kind;
    wire_copy(to + ENTRY_HEADER_SIZE_BYTES, span_of(entry->payload, entry->size_bytes));
}

static enum error entry_decode(struct span bytes, size_t *cursor, struct raft_entry *ret_entry)
{
    size_t left = bytes.size_bytes - *cursor;
    if (left < ENTRY_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = bytes.data + *cursor;
    uint32_t size_bytes = le32_load(from + 8);
    if (from[12] != RAFT_ENTRY_NOOP && from[12] != RAFT_ENTRY_DATA)
        return ERR_TYPE;
    if (!wire_is_zero(from + 13, 3))
        return ERR_RESERVED;
    if (size_bytes > RECORD_PAYLOAD_SIZE_BYTES_MAX)
        return ERR_TOO_LARGE;
    if (left - ENTRY_HEADER_SIZE_BYTES < size_bytes)
        return ERR_SHORT;
    *cursor += ENTRY_HEADER_SIZE_BYTES + size_bytes;
    *ret_entry = (struct raft_entry){.term = le64_load(from),
                                     .payload = from + ENTRY_HEADER_SIZE_BYTES,
                                     .size_bytes = size_bytes,
                                     .kind = from[12]};
    return OK;
}

/* Header, flags and size of the fixed part; *ret_end is where the entries begin. */
static enum error header_check(struct span bytes, size_t *ret_end)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < RAFT_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    uint8_t type = from[4];
    if (type == 0 || type >= RAFT_MESSAGE_TYPE_END)
        return ERR_TYPE;
    uint32_t field_count;
    uint8_t flags;
    type_shape(type, &field_count, &flags);
    bool has_suspicion = type == RAFT_APPEND_REQUEST || type == RAFT_APPEND_REPLY;
    if ((from[5] & ~flags) != 0 || (!has_suspicion && le32_load(from + 12) != 0))
        return ERR_RESERVED;
    uint16_t sender = le16_load(from + 6);
    uint16_t target = le16_load(from + 8);
    if (sender == 0 || sender > VOTER_ID_MAX || target == 0 || target > VOTER_ID_MAX)
        return ERR_RANGE;
    uint16_t entry_count = le16_load(from + 10);
    if (entry_count > (type == RAFT_APPEND_REQUEST ? APPEND_ENTRIES_MAX : 0))
        return ERR_RANGE;
    if (bytes.size_bytes < RAFT_HEADER_SIZE_BYTES + field_count * 8)
        return ERR_SHORT;
    *ret_end = RAFT_HEADER_SIZE_BYTES + field_count * 8;
    return OK;
}

/* The fields of each type, from bytes that header_check has passed. */
static struct raft_message message_load(const uint8_t *from)
{
    struct raft_message message = {.type = (enum raft_message_type)from[4],
                                   .from = le16_load(from + 6),
                                   .to = le16_load(from + 8),
                                   .term = le64_load(from + 16)};
    uint8_t flags = from[5];
    const uint8_t *fields = from + RAFT_HEADER_SIZE_BYTES;
    if (message.type == RAFT_VOTE_REQUEST) {
        message.vote_request.last_index = le64_load(fields);
        message.vote_request.last_term = le64_load(fields + 8);
        message.vote_request.is_pre_vote = (flags & FLAG_PRE_VOTE) != 0;
        message.vote_request.is_transfer = (flags & FLAG_TRANSFER) != 0;
    } else if (message.type == RAFT_VOTE_REPLY) {
        message.vote_reply.is_granted = (flags & FLAG_GRANTED) != 0;
        message.vote_reply.is_pre_vote = (flags & FLAG_PRE_VOTE) != 0;
        message.vote_reply.is_suspect = (flags & FLAG_SUSPECT) != 0;
    } else if (message.type == RAFT_APPEND_REQUEST) {
        message.append_request.previous_index = le64_load(fields);
        message.append_request.previous_term = le64_load(fields + 8);
        message.append_request.commit_index = le64_load(fields + 16);
        message.append_request.round = le64_load(fields + 24);
        message.append_request.entry_count = le16_load(from + 10);
        message.append_request.quorum_age_ns = le64_load(fields + 32);
        message.append_request.suspicion = le32_load(from + 12);
    } else if (message.type == RAFT_APPEND_REPLY) {
        message.append_reply.is_success = (flags & FLAG_SUCCESS) != 0;
        message.append_reply.suspicion = le32_load(from + 12);
        message.append_reply.match_index = le64_load(fields);
        message.append_reply.round = le64_load(fields + 8);
        message.append_reply.conflict_term = le64_load(fields + 16);
        message.append_reply.conflict_index = le64_load(fields + 24);
        message.append_reply.rejected_index = le64_load(fields + 32);
    }
    return message;
}

enum error wire_raft_decode(struct span bytes, uint32_t *ret_fingerprint,
                            struct raft_message *ret_message, struct raft_entry *ret_entries)
{
    size_t entries_begin;
    enum error error = header_check(bytes, &entries_begin);
    if (error != OK)
        return error;
    uint32_t entry_count = le16_load(bytes.data + 10);
    /* Twice over the entries: the first pass finds what is wrong while nothing is filled in yet. */
    size_t cursor = entries_begin;
    for (uint32_t i = 0; i < entry_count; i++) {
        struct raft_entry entry;
        error = entry_decode(bytes, &cursor, &entry);
        if (error != OK)
            return error;
    }
    if (cursor != bytes.size_bytes)
        return ERR_TRAILING;
    cursor = entries_begin;
    for (uint32_t i = 0; i < entry_count; i++) {
        error = entry_decode(bytes, &cursor, &ret_entries[i]);
        CHECK(error == OK);
    }
    *ret_fingerprint = le32_load(bytes.data);
    *ret_message = message_load(bytes.data);
    return OK;
}
