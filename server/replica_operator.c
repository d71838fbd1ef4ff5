/* What operators ask of a replica about the storages of its shard: which ones count, and that one
 * which is lost be replaced by the one that its node has now. */
#include "server/replica_internal.h"

#include "wire/wire.h"

/* What the operator has said is kept for so long. By then the node has said which storage it has,
 * many times over; or the operator says it again. */
#define ORDER_NS UINT64_C(60000000000)

static_assert((int)RAFT_NO_MEMBER == WIRE_NO_MEMBER, "memberships are told by value");
static_assert((int)RAFT_LEARNER == WIRE_LEARNER, "memberships are told by value");
static_assert((int)RAFT_VOTER == WIRE_VOTER, "memberships are told by value");
static_assert((int)RAFT_INCOMING == WIRE_INCOMING, "memberships are told by value");
static_assert((int)RAFT_OUTGOING == WIRE_OUTGOING, "memberships are told by value");
static_assert((int)RAFT_MEMBERSHIP_END == WIRE_NO_CLUSTER, "memberships are told by value");

uint8_t replica_membership(const struct replica *replica)
{
    if (replica->set_back.node != 0)
        return WIRE_SET_BACK;
    if (replica->newer_era != 0)
        return WIRE_ERA_OVER;
    if (!replica->status.is_formed)
        return RAFT_MEMBERSHIP_END;
    return (uint8_t)(replica_is_removed(replica) ? RAFT_NO_MEMBER : replica->status.membership);
}

void replica_answer_operator(struct replica *replica, const struct address *to,
                             const struct replica_answer *answer)
{
    struct wire_reply reply = {
        .number = answer->number,
        .incarnation = replica->options.engine.incarnation,
        .node = replica->options.raft.self.id,
        .leader = replica->view.leader,
        .status = (uint8_t)answer->status,
        .term = replica->view.term,
        .applied_index = engine_applied_index(replica->engine),
        .contact_age_us = wire_age_us(replica->view.contact_age_ns),
        .retry_us = answer->retry_us,
    };
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_reply_begin(&writer, &reply);
    replica_send(replica, to, answer->type, span_of(writer.data, writer.size_bytes));
}

static uint64_t silent_us(const struct replica *replica, uint64_t contact_ns)
{
    return wire_age_us(contact_ns == 0 ? UINT64_MAX : replica->shared->now_ns - contact_ns);
}

static struct wire_member member_told(const struct replica *replica,
                                      const struct raft_member *member)
{
    struct wire_member told = {.birth = member->storage.birth,
                               .node = member->storage.id,
                               .membership = (uint8_t)member->membership,
                               .stays_learner = member->stays_learner,
                               .leaves = member->leaves};
    struct raft_peer_progress progress;
    if (replica->status.role == RAFT_LEADER &&
        member->storage.birth == replica->options.raft.self.birth) {
        told.is_told = true;
        told.match_index = replica->status.durable_index;
        told.undrained = replica_undrained(replica);
    } else if (raft_storage_progress(replica->raft, member->storage.birth, &progress)) {
        told.is_told = true;
        told.match_index = progress.match_index;
        told.silent_us = silent_us(replica, progress.contact_ns);
        told.undrained = replica_undrained_of(replica, member->storage.birth);
    }
    const struct address *address = replica_peer_address(replica, member->storage.id);
    if (address != NULL)
        told.address = *address;
    return told;
}

void replica_answer_members(struct replica *replica, const struct address *to, struct span body)
{
    uint64_t number;
    if (wire_members_ask_decode(body, &number) != OK) {
        replica->counters.drop_body++;
        return;
    }
    const struct raft_status *status = &replica->status;
    struct wire_members members = {.number = number,
                                   .birth = status->birth,
                                   .term = status->term,
                                   .last_index = status->last_index,
                                   .node = replica->options.raft.self.id,
                                   .leader = status->leader,
                                   .role = (uint8_t)status->role,
                                   .membership = replica_membership(replica),
                                   .has_fresh_quorum = replica->view.has_fresh_quorum};
    const struct raft_configuration *configuration =
        raft_configuration_of(replica->raft, &members.configuration_index);
    members.change = configuration->number;
    if (status->role == RAFT_LEADER)
        members.step = replica_is_without_room(replica) ? WIRE_STEP_LACK_ROOM
                                                        : (uint8_t)replica->following.step;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        if (configuration->members[slot].storage.birth != 0)
            members.members[members.member_count++] =
                member_told(replica, &configuration->members[slot]);
    }
    struct wire_writer writer = {.data = replica->shared->message_data,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_members_encode(&writer, &members);
    replica_send(replica, to, WIRE_MEMBERS_REPLY, span_of(writer.data, writer.size_bytes));
}

static bool is_voter_of(const struct replica *replica, const struct wire_replace *replace)
{
    uint64_t index;
    const struct raft_configuration *configuration = raft_configuration_of(replica->raft, &index);
    uint32_t slot = raft_configuration_slot(configuration, replace->birth);
    return slot != RAFT_SLOT_NONE && configuration->members[slot].membership == RAFT_VOTER &&
           configuration->members[slot].storage.id == replace->node;
}

static enum wire_status replace_status(const struct replica *replica,
                                       const struct wire_replace *replace)
{
    if (replica->status.role != RAFT_LEADER)
        return WIRE_STATUS_NOT_LEADER;
    if (!replica->status.has_own_commit ||
        !raft_has_fresh_quorum(replica->raft, replica->shared->now_ns))
        return WIRE_STATUS_NO_QUORUM;
    if (!is_voter_of(replica, replace))
        return WIRE_STATUS_UNKNOWN;
    return replica_is_silent(replica, replace->birth) ? WIRE_STATUS_OK : WIRE_STATUS_PENDING;
}

void replica_answer_replace(struct replica *replica, const struct address *to, struct span body)
{
    struct wire_replace replace;
    if (wire_replace_decode(body, &replace) != OK) {
        replica->counters.drop_body++;
        return;
    }
    enum wire_status status = replace_status(replica, &replace);
    if (status == WIRE_STATUS_OK)
        replica->order = (struct replica_order){.birth = replace.birth,
                                                .node = replace.node,
                                                .until_ns = replica->shared->now_ns + ORDER_NS};
    replica_answer_operator(replica, to,
                            &(struct replica_answer){.type = WIRE_REPLACE_REPLY,
                                                     .status = status,
                                                     .number = replace.number});
}
