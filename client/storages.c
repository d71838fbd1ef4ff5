/* What operators ask about the storages of a shard: who is a member, and that a lost one be
 * replaced. */
#include "client/client_internal.h"
#include "client/errand.h"
#include "client/include/pollux_members.h"

static_assert(PLX_MEMBERS_MAX == RAFT_MEMBERS_MAX, "a program sees all members");
static_assert((int)PLX_NO_MEMBER == WIRE_NO_MEMBER, "memberships are told by value");
static_assert((int)PLX_LEARNER == WIRE_LEARNER, "memberships are told by value");
static_assert((int)PLX_VOTER == WIRE_VOTER, "memberships are told by value");
static_assert((int)PLX_INCOMING == WIRE_INCOMING, "memberships are told by value");
static_assert((int)PLX_OUTGOING == WIRE_OUTGOING, "memberships are told by value");
static_assert((int)PLX_NO_CLUSTER == WIRE_NO_CLUSTER && (int)PLX_SET_BACK == WIRE_SET_BACK &&
                  (int)PLX_ERA_OVER == WIRE_ERA_OVER,
              "memberships are told by value");

static struct plx_member member_of(const struct wire_member *told)
{
    struct plx_member member = {
        .birth = told->birth,
        .node = told->node,
        .membership = told->membership,
        .stays_learner = told->stays_learner,
        .leaves = told->leaves,
        .undrained = told->undrained,
        .is_told = told->is_told,
        .match_index = told->match_index,
        .silent_ns = told->silent_us > UINT64_MAX / 1000 ? UINT64_MAX : told->silent_us * 1000,
        .port = told->address.port};
    memcpy(member.ip, told->address.ip, sizeof(member.ip));
    return member;
}

static void members_fill(const struct wire_members *told, uint16_t shard,
                         struct plx_members *ret_members)
{
    *ret_members = (struct plx_members){.node = told->node,
                                        .leader = told->leader,
                                        .shard = shard,
                                        .role = told->role,
                                        .membership = told->membership,
                                        .has_fresh_quorum = told->has_fresh_quorum,
                                        .birth = told->birth,
                                        .term = told->term,
                                        .configuration_index = told->configuration_index,
                                        .last_index = told->last_index,
                                        .change = told->change,
                                        .step = told->step,
                                        .member_count = told->member_count};
    for (uint32_t i = 0; i < told->member_count; i++)
        ret_members->members[i] = member_of(&told->members[i]);
}

static void members_take(const struct plx_client *client, uint16_t shard, void *ret_answer)
{
    struct wire_members told;
    CHECK(wire_members_decode(span_of(client->exchange.body, client->exchange.size_bytes), &told) ==
          OK);
    members_fill(&told, shard, ret_answer);
}

enum plx_outcome plx_members(struct plx_client *client, size_t endpoint, uint16_t shard,
                             uint64_t timeout_ns, struct plx_members *ret_members)
{
    static const struct inquiry members = {.wire_type = WIRE_MEMBERS,
                                           .reply_type = WIRE_MEMBERS_REPLY,
                                           .answer_size_bytes = sizeof(struct plx_members),
                                           .encode = wire_members_ask_encode,
                                           .take = members_take};
    return inquire(client, &members, &(struct inquiry_to){endpoint, shard, timeout_ns},
                   ret_members);
}

/* ---- replace ---- */

static void replace_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                           struct wire_writer *writer)
{
    (void)incarnation;
    const struct plx_lost *lost = errand->what;
    wire_replace_encode(
        writer, &(struct wire_replace){.number = number, .birth = lost->birth, .node = lost->node});
}

static enum plx_outcome replace_outcome(const struct errand *errand, const struct wire_reply *reply)
{
    (void)errand;
    switch (reply->status) {
    case WIRE_STATUS_OK:
        return PLX_OK;
    case WIRE_STATUS_UNKNOWN:
        return PLX_MISMATCH;
    case WIRE_STATUS_PENDING:
        return PLX_E_PERMISSION;
    default:
        return errand_refusal((enum wire_status)reply->status);
    }
}

enum plx_outcome plx_replace(struct plx_client *client, uint16_t shard, const struct plx_lost *lost,
                             uint64_t timeout_ns)
{
    struct errand errand = {.shard = shard,
                            .wire_type = WIRE_REPLACE,
                            .reply_type = WIRE_REPLACE_REPLY,
                            .what = lost,
                            .encode = replace_encode,
                            .outcome = replace_outcome};
    if (lost == NULL || lost->birth == 0 || lost->node == 0 || lost->node > VOTER_ID_MAX)
        return PLX_E_ARGUMENT;
    return errand_run(client, &errand, timeout_ns);
}
