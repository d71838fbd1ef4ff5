/*
 * When a replica hands leadership over: to the voter that should have it, at an operator's word,
 * and before its node stops. Who takes it is said in server/leadership.h.
 */
#include "server/replica_internal.h"

#include "wire/wire.h"

/* The voters of the new half, without this node; nodes rising. */
static void gather_voters(const struct replica *replica, struct leadership_voters *ret_voters)
{
    uint64_t index;
    const struct raft_configuration *now = raft_configuration_of(replica->raft, &index);
    *ret_voters = (struct leadership_voters){0};
    for (uint32_t slot = 0; slot < now->slot_count; slot++) {
        const struct raft_member *member = &now->members[slot];
        struct raft_peer_progress progress;
        if (member->storage.birth == 0 ||
            (member->membership != RAFT_VOTER && member->membership != RAFT_INCOMING))
            continue;
        if (member->storage.birth == replica->options.raft.self.birth)
            ret_voters->is_self_voter = true;
        if (!raft_storage_progress(replica->raft, member->storage.birth, &progress))
            continue;
        uint32_t at = ret_voters->count++;
        for (; at > 0 && ret_voters->voters[at - 1].storage.id > member->storage.id; at--)
            ret_voters->voters[at] = ret_voters->voters[at - 1];
        ret_voters->voters[at] = progress;
    }
}

static enum error transfer(struct replica *replica, uint16_t to)
{
    struct raft_event event = {
        .type = RAFT_EVENT_TRANSFER, .now_ns = replica->shared->now_ns, .transfer_to = to};
    enum error error = replica_step(replica, &event, (struct span){0});
    if (error == OK)
        leadership_pay(&replica->leadership, replica->shared->now_ns);
    return error;
}

void replica_prefer_leader(struct replica *replica)
{
    uint64_t now_ns = replica->shared->now_ns;
    struct leadership_voters voters;
    if (!leadership_may_be_due(&replica->leadership, &replica->status, now_ns))
        return;
    gather_voters(replica, &voters);
    uint16_t to = leadership_due(&replica->leadership, &replica->status, &voters, now_ns);
    if (to != 0 && transfer(replica, to) == OK)
        replica->counters.transfers_to_preferred++;
}

/* ---- at an operator's word ---- */

/* False: it is no voter, or it cannot take over at once. */
static bool is_target_ready(const struct replica *replica, uint16_t target)
{
    struct raft_peer_progress progress;
    return raft_peer_progress(replica->raft, target, &progress) &&
           leadership_is_ready(&replica->leadership, &replica->status, &progress,
                               replica->shared->now_ns);
}

static enum wire_status transfer_status(enum error error)
{
    switch (error) {
    case OK:
        return WIRE_STATUS_OK;
    case ERR_NOT_LEADER:
        return WIRE_STATUS_NOT_LEADER;
    case ERR_BUSY:
        return WIRE_STATUS_OVERLOADED;
    default:
        return WIRE_STATUS_BAD_REQUEST;
    }
}

/* A voter that would first have to catch up takes nothing: clients would wait for it. */
static enum wire_status ask_transfer(struct replica *replica, uint16_t target,
                                     uint64_t *ret_retry_ns)
{
    struct leadership_voters voters;
    uint64_t now_ns = replica->shared->now_ns;
    struct raft_peer_progress progress;
    if (replica->status.role != RAFT_LEADER)
        return WIRE_STATUS_NOT_LEADER;
    if (target != 0 && !raft_peer_progress(replica->raft, target, &progress))
        return WIRE_STATUS_BAD_REQUEST;
    gather_voters(replica, &voters);
    if (target == 0)
        target = leadership_fittest(&replica->leadership, &replica->status, &voters, now_ns);
    else if (!is_target_ready(replica, target))
        return WIRE_STATUS_PENDING;
    if (target == 0)
        return voters.count == 0 ? WIRE_STATUS_BAD_REQUEST : WIRE_STATUS_PENDING;
    *ret_retry_ns = leadership_wait_ns(&replica->leadership, now_ns);
    if (*ret_retry_ns > 0) {
        replica->counters.transfers_refused++;
        return WIRE_STATUS_TOO_SOON;
    }
    return transfer_status(transfer(replica, target));
}

void replica_answer_transfer(struct replica *replica, const struct address *to, struct span body)
{
    uint64_t number;
    uint16_t target;
    uint64_t retry_ns = 0;
    if (wire_transfer_decode(body, &number, &target) != OK) {
        replica->counters.drop_body++;
        return;
    }
    enum wire_status status = ask_transfer(replica, target, &retry_ns);
    replica_answer_operator(replica, to,
                            &(struct replica_answer){.type = WIRE_TRANSFER_REPLY,
                                                     .status = status,
                                                     .number = number,
                                                     .retry_us = wire_age_us(retry_ns)});
}

/* ---- before the node stops ---- */

void replica_resign(struct replica *replica)
{
    replica->resignation.is_resigning = true;
    replica->resignation.has_led = replica->status.role == RAFT_LEADER;
    replica->resignation.begun_ns = replica->shared->now_ns;
}

/* No limit of transfers holds here: a node stops once. */
void replica_resign_step(struct replica *replica)
{
    struct replica_resignation *leave = &replica->resignation;
    const struct raft_status *status = &replica->status;
    uint64_t now_ns = replica->shared->now_ns;
    if (!leave->is_resigning)
        return;
    if (leave->has_led && leave->left_ns == 0 && status->role != RAFT_LEADER &&
        status->leader != 0) {
        leave->left_ns = now_ns;
        leave->leader = status->leader;
    }
    if (status->role != RAFT_LEADER || status->is_transferring)
        return;
    struct leadership_voters voters;
    gather_voters(replica, &voters);
    leave->has_led = voters.count > 0; /* a sole voter leaves nobody behind */
    uint16_t to = leadership_fittest(&replica->leadership, status, &voters, now_ns);
    if (to != 0)
        (void)!transfer(replica, to);
}

/* Clients that have something under way here are answered for as long as a heartbeat takes, by
 * records that the next leader commits, and are told who that is. */
bool replica_has_resigned(const struct replica *replica)
{
    const struct replica_resignation *leave = &replica->resignation;
    uint64_t now_ns = replica->shared->now_ns;
    bool is_pending = engine_counters(replica->engine)->relaxed_pending > 0;
    if (!leave->has_led)
        return !is_pending;
    return leave->left_ns != 0 && !is_pending && replica->outbox_head == replica->outbox_tail &&
           now_ns - leave->left_ns >= replica->options.raft.heartbeat_interval_ns;
}

const struct replica_resignation *replica_resignation(const struct replica *replica)
{
    return &replica->resignation;
}
