/*
 * Hello, status and transfer: what a client asks a node about itself.
 *
 * Hello:
 *    0  u64  nonce
 *    8  [112] zero, or not there: with it the hello is as large as its answer
 *
 * Hello reply, offset, size and meaning of each field:
 *    0  u64  nonce
 *    8  u64  incarnation
 *   16  u64  term
 *   24  u64  applied index
 *   32  u64  commit index
 *   40  u64  last index
 *   48  u64  contact age (us)
 *   56  u16  node
 *   58  u16  leader
 *   60  u16  node count
 *   62  u8   role
 *   63  u8   flags (1: fresh quorum, 2: suspect, 4: emulated, 8: no other series of the node
 *            applies)
 *   64  u8   granularity
 *   65  u8   membership
 *   66  u16  shard count
 *   68  u16  lane
 *   70  u16  lane count
 *   72  u64  journal done seq
 *   80  u64  lifetime of a session (ns): not 0
 *   88  u64  series of the journal seqs
 *   96  u64  cluster: 0 if the storage knows none
 *  104  u64  index of the configuration in force
 *  112  u32  era
 *  116  [4]  zero
 *  120       end. In a status reply the counters follow, up to the end of the message.
 *
 * Counter:
 *    0  u64  value
 *    8  u8   size of the name: 1 to 63
 *    9       name: printable ASCII without spaces
 *
 * Transfer:
 *    0  u64  number
 *    8  u16  target
 *   10  [6]  zero
 */
#include "wire/wire_internal.h"
#include "wire/wire_hello.h"

#define HELLO_SIZE_BYTES          WIRE_HELLO_SIZE_BYTES
#define HELLO_REPLY_SIZE_BYTES    WIRE_HELLO_REPLY_SIZE_BYTES
#define COUNTER_HEADER_SIZE_BYTES 9
#define COUNTER_NAME_BYTES_MAX    63
#define TRANSFER_SIZE_BYTES       16

#define FLAG_FRESH_QUORUM 1
#define FLAG_SUSPECT      2
#define FLAG_EMULATED     4
#define FLAG_SERIES_ALONE 8

void wire_hello_encode(struct wire_writer *writer, const struct wire_hello *hello)
{
    size_t size_bytes = hello->is_padded ? HELLO_REPLY_SIZE_BYTES : HELLO_SIZE_BYTES;
    uint8_t *to = wire_writer_grow(writer, size_bytes);
    if (to == NULL)
        return;
    memset(to, 0, size_bytes);
    le64_store(to, hello->nonce);
}

enum error wire_hello_decode(struct span bytes, struct wire_hello *ret_hello)
{
    bool is_padded = bytes.size_bytes == HELLO_REPLY_SIZE_BYTES;
    if (bytes.size_bytes != HELLO_SIZE_BYTES && !is_padded)
        return bytes.size_bytes < HELLO_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (is_padded &&
        !wire_is_zero(bytes.data + HELLO_SIZE_BYTES, HELLO_REPLY_SIZE_BYTES - HELLO_SIZE_BYTES))
        return ERR_RESERVED;
    *ret_hello = (struct wire_hello){.nonce = le64_load(bytes.data), .is_padded = is_padded};
    return OK;
}

void wire_hello_reply_encode(struct wire_writer *writer, const struct wire_hello_reply *reply)
{
    uint8_t *to = wire_writer_grow(writer, HELLO_REPLY_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, HELLO_REPLY_SIZE_BYTES);
    le64_store(to, reply->nonce);
    le64_store(to + 8, reply->incarnation);
    le64_store(to + 16, reply->term);
    le64_store(to + 24, reply->applied_index);
    le64_store(to + 32, reply->commit_index);
    le64_store(to + 40, reply->last_index);
    le64_store(to + 48, reply->contact_age_us);
    le16_store(to + 56, reply->node);
    le16_store(to + 58, reply->leader);
    le16_store(to + 60, reply->node_count);
    to[62] = reply->role;
    to[63] = (uint8_t)((reply->has_fresh_quorum ? FLAG_FRESH_QUORUM : 0) |
                       (reply->is_suspect ? FLAG_SUSPECT : 0) |
                       (reply->is_emulated ? FLAG_EMULATED : 0) |
                       (reply->is_series_alone ? FLAG_SERIES_ALONE : 0));
    to[64] = reply->granularity;
    to[65] = reply->membership;
    le16_store(to + 66, reply->shard_count);
    le16_store(to + 68, reply->lane);
    le16_store(to + 70, reply->lane_count);
    le64_store(to + 72, reply->journal_done_seq);
    le64_store(to + 80, reply->session_ttl_ns);
    le64_store(to + 88, reply->series);
    le64_store(to + 96, reply->cluster);
    le64_store(to + 104, reply->configuration_index);
    le32_store(to + 112, reply->era);
}

#define FLAGS_ALL (FLAG_FRESH_QUORUM | FLAG_SUSPECT | FLAG_EMULATED | FLAG_SERIES_ALONE)

static enum error hello_reply_check(struct span bytes)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < HELLO_REPLY_SIZE_BYTES)
        return ERR_SHORT;
    if ((from[63] & ~FLAGS_ALL) != 0 || !wire_is_zero(from + 116, 4))
        return ERR_RESERVED;
    uint16_t node = le16_load(from + 56);
    if (node == 0 || node > VOTER_ID_MAX || le16_load(from + 58) > VOTER_ID_MAX)
        return ERR_RANGE;
    uint16_t node_count = le16_load(from + 60);
    if (node_count == 0 || node_count > NODES_MAX || from[62] > WIRE_ROLE_LEADER ||
        from[65] > WIRE_ERA_OVER)
        return ERR_RANGE;
    uint16_t shard_count = le16_load(from + 66);
    uint16_t lane_count = le16_load(from + 70);
    if (shard_count == 0 || shard_count > SHARDS_MAX || lane_count == 0 || lane_count > LANES_MAX ||
        le16_load(from + 68) >= lane_count || le64_load(from + 80) == 0)
        return ERR_RANGE;
    return OK;
}

enum error wire_hello_reply_decode(struct span bytes, size_t *ret_end,
                                   struct wire_hello_reply *ret_reply)
{
    enum error error = hello_reply_check(bytes);
    if (error != OK)
        return error;
    const uint8_t *from = bytes.data;
    *ret_end = HELLO_REPLY_SIZE_BYTES;
    *ret_reply = (struct wire_hello_reply){
        .nonce = le64_load(from),
        .incarnation = le64_load(from + 8),
        .term = le64_load(from + 16),
        .applied_index = le64_load(from + 24),
        .commit_index = le64_load(from + 32),
        .last_index = le64_load(from + 40),
        .contact_age_us = le64_load(from + 48),
        .journal_done_seq = le64_load(from + 72),
        .session_ttl_ns = le64_load(from + 80),
        .series = le64_load(from + 88),
        .is_series_alone = (from[63] & FLAG_SERIES_ALONE) != 0,
        .node = le16_load(from + 56),
        .leader = le16_load(from + 58),
        .node_count = le16_load(from + 60),
        .shard_count = le16_load(from + 66),
        .lane = le16_load(from + 68),
        .lane_count = le16_load(from + 70),
        .role = from[62],
        .has_fresh_quorum = (from[63] & FLAG_FRESH_QUORUM) != 0,
        .is_suspect = (from[63] & FLAG_SUSPECT) != 0,
        .granularity = from[64],
        .is_emulated = (from[63] & FLAG_EMULATED) != 0,
        .membership = from[65],
        .cluster = le64_load(from + 96),
        .era = le32_load(from + 112),
        .configuration_index = le64_load(from + 104),
    };
    return OK;
}

void wire_counter_add(struct wire_writer *writer, const char *name, uint64_t value)
{
    size_t name_bytes = strlen(name);
    CHECK(name_bytes > 0 && name_bytes <= COUNTER_NAME_BYTES_MAX);
    uint8_t *to = wire_writer_grow(writer, COUNTER_HEADER_SIZE_BYTES + name_bytes);
    if (to == NULL)
        return;
    le64_store(to, value);
    to[8] = (uint8_t)name_bytes;
    memcpy(to + COUNTER_HEADER_SIZE_BYTES, name, name_bytes);
}

/* Names reach terminals: nothing but printable ASCII without spaces. */
static bool name_is_printable(struct span name)
{
    for (size_t i = 0; i < name.size_bytes; i++) {
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    }
    return true;
}

enum error wire_counter_decode(struct span bytes, size_t *cursor, struct wire_counter *ret_counter)
{
    CHECK(*cursor <= bytes.size_bytes);
    size_t left = bytes.size_bytes - *cursor;
    if (left < COUNTER_HEADER_SIZE_BYTES)
        return ERR_SHORT;
    const uint8_t *from = bytes.data + *cursor;
    size_t name_bytes = from[8];
    if (name_bytes == 0 || name_bytes > COUNTER_NAME_BYTES_MAX)
        return ERR_RANGE;
    if (left - COUNTER_HEADER_SIZE_BYTES < name_bytes)
        return ERR_SHORT;
    struct span name = span_of(from + COUNTER_HEADER_SIZE_BYTES, name_bytes);
    if (!name_is_printable(name))
        return ERR_RANGE;
    *cursor += COUNTER_HEADER_SIZE_BYTES + name_bytes;
    *ret_counter = (struct wire_counter){.name = name, .value = le64_load(from)};
    return OK;
}

void wire_transfer_encode(struct wire_writer *writer, uint64_t number, uint16_t target)
{
    uint8_t *to = wire_writer_grow(writer, TRANSFER_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, TRANSFER_SIZE_BYTES);
    le64_store(to, number);
    le16_store(to + 8, target);
}

enum error wire_transfer_decode(struct span bytes, uint64_t *ret_number, uint16_t *ret_target)
{
    if (bytes.size_bytes != TRANSFER_SIZE_BYTES)
        return bytes.size_bytes < TRANSFER_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (!wire_is_zero(bytes.data + 10, 6))
        return ERR_RESERVED;
    uint16_t target = le16_load(bytes.data + 8);
    if (target > VOTER_ID_MAX)
        return ERR_RANGE;
    *ret_number = le64_load(bytes.data);
    *ret_target = target;
    return OK;
}
