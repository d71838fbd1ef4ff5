/*
 * Question for the members:
 *    0  u64   number
 *    8  [392] zero
 *
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
 *   48  u32  number of the operator's last change
 *   52  u8   step
 *   53  [3]  zero
 *   56       members, each:
 *            0  u64  birth
 *            8  u64  match index
 *           16  u64  time since it was heard (us)
 *           24  u16  node
 *           26  u16  UDP port
 *           28  u8   membership
 *           29  u8   flags (1: match index, time and undrained are told; else they are zero; 2:
 *                    stays a learner; 4: leaves)
 *           30  [2]  zero
 *           32  [16] address, IPv6 or an IPv4-mapped one
 *           48  u64  undrained
 *
 * Replace:
 *    0  u64  number
 *    8  u64  birth
 *   16  u16  node
 *   18  [6]  zero
 *
 * Change:
 *    0  u64  number
 *    8  u16  node
 *   10  u8   action
 *   11  u8   flags (1: stays a learner, 2: forced)
 *   12  u16  UDP port
 *   14  [2]  zero
 *   16  [16] address, or zero
 *   32  u32  number of the change that it follows
 *   36  u16  raise: format; else zero
 *   38  [2]  zero
 */
#include "wire/wire_internal.h"
#include "wire/wire_members.h"

#define ASK_SIZE_BYTES     400
#define HEAD_SIZE_BYTES    56
#define MEMBER_SIZE_BYTES  56
#define REPLACE_SIZE_BYTES 24
#define CHANGE_SIZE_BYTES  40

#define FLAG_FRESH_QUORUM 1
#define FLAG_TOLD         1
#define FLAG_STAYS        2
#define FLAG_LEAVES       4
#define FLAG_LEARNER      1
#define FLAG_FORCED       2

static_assert(HEAD_SIZE_BYTES + RAFT_MEMBERS_MAX * MEMBER_SIZE_BYTES <=
                  PACKET_PAYLOAD_SIZE_BYTES_MAX,
              "all members fit one packet");
static_assert(HEAD_SIZE_BYTES + RAFT_MEMBERS_MAX * MEMBER_SIZE_BYTES <= 3 * ASK_SIZE_BYTES,
              "whoever gives another's address does not have it sent much more than he sends");

void wire_members_ask_encode(struct wire_writer *writer, uint64_t number)
{
    uint8_t *to = wire_writer_grow(writer, ASK_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, ASK_SIZE_BYTES);
    le64_store(to, number);
}

enum error wire_members_ask_decode(struct span bytes, uint64_t *ret_number)
{
    if (bytes.size_bytes != ASK_SIZE_BYTES)
        return bytes.size_bytes < ASK_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if (!wire_is_zero(bytes.data + 8, ASK_SIZE_BYTES - 8))
        return ERR_RESERVED;
    *ret_number = le64_load(bytes.data);
    return OK;
}

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
        le64_store(to + 48, member->undrained);
        to[29] = FLAG_TOLD;
    }
    to[29] |=
        (uint8_t)((member->stays_learner ? FLAG_STAYS : 0) | (member->leaves ? FLAG_LEAVES : 0));
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
    le32_store(to + 48, members->change);
    to[52] = members->step;
    for (uint32_t i = 0; i < members->member_count; i++)
        member_encode(to + HEAD_SIZE_BYTES + (size_t)i * MEMBER_SIZE_BYTES, &members->members[i]);
}

static enum error member_decode(const uint8_t *from, struct wire_member *ret_member)
{
    bool is_told = (from[29] & FLAG_TOLD) != 0;
    if (from[29] > (FLAG_TOLD | FLAG_STAYS | FLAG_LEAVES) || !wire_is_zero(from + 30, 2))
        return ERR_RESERVED;
    if (!is_told && (!wire_is_zero(from + 8, 16) || le64_load(from + 48) != 0))
        return ERR_RESERVED;
    struct wire_member member = {.birth = le64_load(from),
                                 .match_index = le64_load(from + 8),
                                 .silent_us = le64_load(from + 16),
                                 .undrained = le64_load(from + 48),
                                 .node = le16_load(from + 24),
                                 .address = {.port = le16_load(from + 26)},
                                 .membership = from[28],
                                 .is_told = is_told,
                                 .stays_learner = (from[29] & FLAG_STAYS) != 0,
                                 .leaves = (from[29] & FLAG_LEAVES) != 0};
    memcpy(member.address.ip, from + 32, sizeof(member.address.ip));
    if (member.birth == 0 || !is_node(member.node) || member.membership < WIRE_LEARNER ||
        member.membership > WIRE_OUTGOING ||
        (member.stays_learner && member.membership != WIRE_LEARNER))
        return ERR_RANGE;
    *ret_member = member;
    return OK;
}

static enum error head_check(const uint8_t *from)
{
    if ((from[46] & ~FLAG_FRESH_QUORUM) != 0 || !wire_is_zero(from + 53, 3))
        return ERR_RESERVED;
    if (le64_load(from + 8) == 0 || !is_node(le16_load(from + 40)) ||
        le16_load(from + 42) > VOTER_ID_MAX || from[44] > WIRE_ROLE_LEADER ||
        from[45] > WIRE_ERA_OVER || from[47] > RAFT_MEMBERS_MAX || from[52] >= WIRE_STEP_END)
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
                                   .member_count = from[47],
                                   .step = from[52],
                                   .change = le32_load(from + 48)};
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

void wire_change_encode(struct wire_writer *writer, const struct wire_change *change)
{
    uint8_t *to = wire_writer_grow(writer, CHANGE_SIZE_BYTES);
    if (to == NULL)
        return;
    memset(to, 0, CHANGE_SIZE_BYTES);
    le64_store(to, change->number);
    le16_store(to + 8, change->node);
    to[10] = change->action;
    to[11] =
        (uint8_t)((change->is_learner ? FLAG_LEARNER : 0) | (change->is_forced ? FLAG_FORCED : 0));
    le16_store(to + 12, change->address.port);
    memcpy(to + 16, change->address.ip, sizeof(change->address.ip));
    le32_store(to + 32, change->after);
    le16_store(to + 36, change->format);
}

static bool has_address(uint8_t action)
{
    return action == WIRE_CHANGE_ADD || action == WIRE_CHANGE_UPDATE;
}

/* Whether its fields fit its action. */
static bool is_good_change(const struct wire_change *change)
{
    static const uint8_t nowhere[sizeof(change->address.ip)] = {0};
    if (change->action < WIRE_CHANGE_ADD || change->action >= WIRE_CHANGE_END)
        return false;
    bool is_raise = change->action == WIRE_CHANGE_RAISE;
    if (is_raise ? change->node != 0 : !is_node(change->node))
        return false;
    if (is_raise != (change->format != 0))
        return false;
    if ((change->is_learner && change->action != WIRE_CHANGE_ADD) ||
        (change->is_forced && change->action != WIRE_CHANGE_REMOVE))
        return false;
    bool is_zero = memcmp(change->address.ip, nowhere, sizeof(nowhere)) == 0;
    return has_address(change->action) ? change->address.port != 0 && !is_zero
                                       : change->address.port == 0 && is_zero;
}

enum error wire_change_decode(struct span bytes, struct wire_change *ret_change)
{
    const uint8_t *from = bytes.data;
    if (bytes.size_bytes != CHANGE_SIZE_BYTES)
        return bytes.size_bytes < CHANGE_SIZE_BYTES ? ERR_SHORT : ERR_TRAILING;
    if ((from[11] & ~(FLAG_LEARNER | FLAG_FORCED)) != 0 || !wire_is_zero(from + 14, 2) ||
        !wire_is_zero(from + 38, 2))
        return ERR_RESERVED;
    struct wire_change change = {.number = le64_load(from),
                                 .node = le16_load(from + 8),
                                 .action = from[10],
                                 .is_learner = (from[11] & FLAG_LEARNER) != 0,
                                 .is_forced = (from[11] & FLAG_FORCED) != 0,
                                 .after = le32_load(from + 32),
                                 .format = le16_load(from + 36),
                                 .address = {.port = le16_load(from + 12)}};
    memcpy(change.address.ip, from + 16, sizeof(change.address.ip));
    if (!is_good_change(&change))
        return ERR_RANGE;
    *ret_change = change;
    return OK;
}
