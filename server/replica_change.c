/*
 * What an operator asks of the leader of shard 0 about the nodes that are wanted as members. Asking
 * again is safe: what is so already is answered with OK, and what is under way with PENDING.
 */
#include "server/replica_internal.h"

#include "wire/wire.h"

static_assert((int)WANTED_ADD == WIRE_CHANGE_ADD, "actions are told by value");
static_assert((int)WANTED_PROMOTE == WIRE_CHANGE_PROMOTE, "actions are told by value");
static_assert((int)WANTED_REMOVE == WIRE_CHANGE_REMOVE, "actions are told by value");
static_assert((int)WANTED_UPDATE == WIRE_CHANGE_UPDATE, "actions are told by value");
static_assert((int)WANTED_RAISE == WIRE_CHANGE_RAISE, "actions are told by value");
static_assert((int)WANTED_DONE == WIRE_STEP_NONE, "steps are told by value");
static_assert((int)WANTED_HAND_OVER == WIRE_STEP_HAND_OVER, "steps are told by value");
static_assert((int)WANTED_LACK_QUORUM == WIRE_STEP_LACK_QUORUM, "steps are told by value");
static_assert((int)WANTED_LACK_ROOM == WIRE_STEP_LACK_ROOM, "steps are told by value");
static_assert((int)WANTED_DRAIN == WIRE_STEP_DRAIN, "steps are told by value");
static_assert((int)WANTED_STEP_END == WIRE_STEP_END, "steps are told by value");

static enum wire_status edit_status(enum error error)
{
    switch (error) {
    case OK:
        return WIRE_STATUS_OK;
    case ERR_NOT_FOUND:
        return WIRE_STATUS_UNKNOWN;
    case ERR_FULL:
        return WIRE_STATUS_OVERLOADED;
    case ERR_OUTDATED:
        return WIRE_STATUS_OUTDATED;
    default:
        return WIRE_STATUS_BAD_REQUEST;
    }
}

static enum wire_status step_status(enum wanted_step step)
{
    switch (step) {
    case WANTED_LACK_QUORUM:
        return WIRE_STATUS_TOO_STALE;
    case WANTED_LACK_ROOM:
        return WIRE_STATUS_LOG_FULL;
    case WANTED_DONE:
    case WANTED_PROPOSE:
    case WANTED_HAND_OVER:
    case WANTED_BUSY:
    case WANTED_ASK_NODE:
    case WANTED_CATCH_UP:
    case WANTED_DRAIN:
    case WANTED_STEP_END:
        break;
    }
    return WIRE_STATUS_PENDING;
}

/* Whether the node has said which storage it has; else it is asked. */
static enum wire_status find_node(struct replica *replica, const struct wanted *wanted, uint16_t id)
{
    const struct replica_newcomer *newcomer = replica_newcomer_of(replica, id);
    if (newcomer == NULL) {
        replica_ask_newcomers(replica, wanted);
        return WIRE_STATUS_PENDING;
    }
    return replica_is_foreign(replica, newcomer) ? WIRE_STATUS_UNSUPPORTED : WIRE_STATUS_OK;
}

/* Two nodes are never in one place: each would tell where it is, and take the change back. */
static enum error edit(const struct replica *replica, const struct wire_change *change,
                       struct wanted *wanted)
{
    const struct wanted_change wish = {
        .action = (enum wanted_action)change->action,
        .after = change->after,
        .is_forced = change->is_forced,
        .format = change->format,
        .node = {.id = change->node, .is_learner = change->is_learner, .address = change->address}};
    bool has_address = change->action == WIRE_CHANGE_ADD || change->action == WIRE_CHANGE_UPDATE;
    if (has_address && wanted_at(wanted, &wish.node, replica->options.engine.shard_count) != NULL)
        return ERR_ARGUMENT;
    return wanted_edit(wanted, &wish);
}

static enum wire_status make_change(struct replica *replica, const struct wire_change *change)
{
    uint64_t index;
    struct wanted wanted;
    wanted_of(raft_configuration_of(replica->raft, &index), &wanted);
    uint32_t number = wanted.number;
    bool is_there = wanted_find(&wanted, change->node) != NULL;
    enum error error = edit(replica, change, &wanted);
    if (error != OK)
        return edit_status(error);
    if (wanted.number == number)
        return index <= replica->commit_index ? WIRE_STATUS_OK : WIRE_STATUS_PENDING;
    if (change->action == WIRE_CHANGE_ADD && !is_there) {
        enum wire_status status = find_node(replica, &wanted, change->node);
        if (status != WIRE_STATUS_OK)
            return status;
    }
    struct wanted_known known;
    replica_know(replica, &wanted, &known);
    if (wanted.format > replica->formats.configured &&
        !wanted_may_raise(raft_configuration_of(replica->raft, &index), &known)) {
        replica_ask_formats(replica);
        return WIRE_STATUS_PENDING;
    }
    if (change->is_forced)
        known.heard = UINT32_MAX;
    else if (change->action == WIRE_CHANGE_REMOVE &&
             !wanted_can_go(raft_configuration_of(replica->raft, &index), &wanted, &known,
                            change->node))
        return WIRE_STATUS_TOO_STALE;
    return step_status(replica_take_step(replica, &wanted, &known));
}

static enum wire_status change_status(struct replica *replica, const struct wire_change *change)
{
    if (replica->options.shard != 0)
        return WIRE_STATUS_BAD_REQUEST;
    if (replica->status.role != RAFT_LEADER)
        return WIRE_STATUS_NOT_LEADER;
    if (!replica->status.has_own_commit ||
        !raft_has_fresh_quorum(replica->raft, replica->shared->now_ns))
        return WIRE_STATUS_NO_QUORUM;
    return make_change(replica, change);
}

void replica_answer_change(struct replica *replica, const struct address *to, struct span body)
{
    struct wire_change change;
    if (wire_change_decode(body, &change) != OK) {
        replica->counters.drop_body++;
        return;
    }
    replica_answer_operator(replica, to,
                            &(struct replica_answer){.type = WIRE_CHANGE_REPLY,
                                                     .status = change_status(replica, &change),
                                                     .number = change.number});
}
