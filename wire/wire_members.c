/*
 * Members, offset, size and meaning of each field:
 *    0  u64  number
 *    8  u64  birth of the answering node's storage
 *   16  u64  term
 *   24  u64  index of the configuration
 *   32  u64  last index
 *   40  u16  node
 *   42  u16  leader
 *   44  u8   role
 *   45  u8   membership
 *   46  u8   flags (1: fresh quorum)
 *   47  u8   number of members
 *   48       members, each:
 *            0  u64  birth
 *            8  u64  match index
 *           16  u64  time since it was heard (us)
 *           24  u16  node
 *           26  u16  UDP port
 *           28  u8   membership
 *           29  u8   flags (1: match index and time are told; else both are zero)
 *           30  [2]  zero
 *           32  [16] address, IPv6 or an IPv4-mapped one
 *
 * Replace:
 *    0  u64  number
 *    8  u64  birth
 *   16  u16  node
 *   18  [6]  zero
 */
#include "wire/wire_internal.h"
#include "wire/wire_members.h"

#define HEAD_SIZE_BYTES    48
#define MEMBER_SIZE_BYTES  48
#define REPLACE_SIZE_BYTES 24

#define FLAG_FRESH_QUORUM 1
#define FLAG_TOLD         1

static_assert(HEAD_SIZE_BYTES + RAFT_MEMBERS_MAX * MEMBER_SIZE_BYTES <=
                  PACKET_PAYLOAD_SIZE_BYTES_MAX,
              "all members fit one packet");

static bool is_node(uint16_t node)
{
    return node > 0 && node <= VOTER_ID_MAX;
}

static void member_encode(uint8_t *to, const struct wire_member *member)
{
    le64_store(to, member->birth);
    if (member->is_told) {
        le64_store(to + 8, member->match_index);
        le64_store(to + 16, member->silent_us);
        to[29] = FLAG_TOLD;
    }
    le16_store(to + 24, member->node);
    le16_store(to + 26, member->address.port);
    to[28] = member->membership;
    memcpy(to + 32, member->address.ip, sizeof(member->address.ip));
}

void wire_members_encode(struct wire_writer *writer, const struct wire_members *members)
{
    CHECK(members->member_count <= RAFT_MEMBERS_MAX);
    uint8_t *to = wire_writer_grow(writer, HEAD_SIZE_BYTES +
                                               (size_t)members->member_count * MEMBER_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, HEAD_SIZE_BYTES + (size_t)members->member_count * MEMBER_SIZE_BYTES);
    le64_store(to, members->number);
    le64_store(to + 8, members->birth);
    le64_store(to + 16, members->term);
    le64_store(to + 24, members->configuration_index);
    le64_store(to + 32, members->last_index);
    le16_store(to + 40, members->node);
    le16_store(to + 42, members->leader);
    to[44] = members->role;
    to[45] = members->membership;
    to[46] = members->has_fresh_quorum ? FLAG_FRESH_QUORUM : 0;
    to[47] = members->member_count;
    for (uint32_t i = 0; i < members->member_count; i++)
        member_encode(to + HEAD_SIZE_BYTES + (size_t)i * MEMBER_SIZE_BYTES, &members->members[i]);
}

static enum error member_decode(const uint8_t *from, struct wire_member *ret_member)
{
    bool is_told = from[29] == FLAG_TOLD;
    if (from[29] > FLAG_TOLD || !wire_is_zero(from + 30, 2))
        return ERR_RESERVED;
    if (!is_told && !wire_is_zero(from + 8, 16))
        return ERR_RESERVED;
    struct wire_member member = {.birth = le64_load(from),
                                 .match_index = le64_load(from + 8),
                                 .silent_us = le64_load(from + 16),
                                 .node = le16_load(from + 24),
                                 .address = {.port = le16_load(from + 26)},
                                 .membership = from[28],
                                 .is_told = is_told};
    memcpy(member.address.ip, from + 32, sizeof(member.address.ip));
    if (member.birth == 0 || !is_node(member.node) || member.membership < WIRE_LEARNER ||
        member.membership > WIRE_OUTGOING)
        return ERR_RANGE;
    *ret_member = member;
    return OK;
}

static enum error head_check(const uint8_t *from)
{
    if ((from[46] & ~FLAG_FRESH_QUORUM) != 0)
        return ERR_RESERVED;
    if (le64_load(from + 8) == 0 || !is_node(le16_load(from + 40)) ||
        le16_load(from + 42) > VOTER_ID_MAX || from[44] > WIRE_ROLE_LEADER ||
        from[45] > WIRE_NO_CLUSTER || from[47] > RAFT_MEMBERS_MAX)
        return ERR_RANGE;
    return OK;
}

enum error wire_members_decode(struct span bytes, struct wire_members *ret_members)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes < HEAD_SIZE_BYTES)
        return ERR_SHORT;
    enum error error = head_check(from);
    if (error != OK)
        return error;
    size_t size_bytes = HEAD_SIZE_BYTES + (size_t)from[47] * MEMBER_SIZE_BYTES;
    if (bytes.size_bytes != size_bytes)
        return bytes.size_bytes < size_bytes ? ERR_SHORT : ERR_TRAILING;
    struct wire_members members = {.number = le64_load(from),
                                   .birth = le64_load(from + 8),
                                   .term = le64_load(from + 16),
                                   .configuration_index = le64_load(from + 24),
                                   .last_index = le64_load(from + 32),
                                   .node = le16_load(from + 40),
                                   .leader = le16_load(from + 42),
                                   .role = from[44],
                                   .membership = from[45],
                                   .has_fresh_quorum = from[46] != 0,
                                   .member_count = from[47]};
    for (uint32_t i = 0; i < members.member_count; i++) {
        error = member_decode(from + HEAD_SIZE_BYTES + (size_t)i * MEMBER_SIZE_BYTES,
                              &members.members[i]);
        if (error != OK)
            return error;
    }
    *ret_members = members;
    return OK;
}

void wire_replace_encode(struct wire_writer *writer, const struct wire_replace *replace)
{
    uint8_t *to = wire_writer_grow(writer, REPLACE_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, REPLACE_SIZE_BYTES);
    le64_store(to, replace->number);
    le64_store(to + 8, replace->birth);
    le16_store(to + 16, replace->node);
}

enum error wire_replace_decode(struct span bytes, struct wire_replace *ret_replace)
{
    if (bytes.size_bytes != REPLACE_SIZE_BYTES)
        return bytes.size_bytes < REPLACE_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (!wire_is_zero(bytes.data + 18, 6))
        return ERR_RESERVED;
    struct wire_replace replace = {.number = le64_load(bytes.data),
                                   .birth = le64_load(bytes.data + 8),
                                   .node = le16_load(bytes.data + 16)};
    if (replace.birth == 0 || !is_node(replace.node))
        return ERR_RANGE;
    *ret_replace = replace;
    return OK;
}
