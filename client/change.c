/* What operators ask the leader of shard 0: which nodes are wanted as members. */
#include "client/client_internal.h"
#include "client/errand.h"
#include "client/include/pollux_members.h"

static_assert((int)PLX_CHANGE_ADD == WIRE_CHANGE_ADD, "actions are told by value");
static_assert((int)PLX_CHANGE_PROMOTE == WIRE_CHANGE_PROMOTE, "actions are told by value");
static_assert((int)PLX_CHANGE_REMOVE == WIRE_CHANGE_REMOVE, "actions are told by value");
static_assert((int)PLX_CHANGE_UPDATE == WIRE_CHANGE_UPDATE, "actions are told by value");
static_assert((int)PLX_CHANGE_RAISE == WIRE_CHANGE_RAISE, "actions are told by value");
static_assert((int)PLX_STEP_LACK_QUORUM == WIRE_STEP_LACK_QUORUM, "steps are told by value");
static_assert((int)PLX_STEP_LACK_ROOM == WIRE_STEP_LACK_ROOM, "steps are told by value");
static_assert((int)PLX_STEP_DRAIN == WIRE_STEP_DRAIN, "steps are told by value");

static void change_encode(const struct errand *errand, uint64_t number, uint64_t incarnation,
                          struct wire_writer *writer)
{
    (void)incarnation;
    const struct plx_change *change = errand->what;
    struct wire_change told = {.number = number,
                               .after = change->after,
                               .node = change->node,
                               .format = change->format,
                               .action = (uint8_t)change->action,
                               .is_learner = change->is_learner,
                               .is_forced = change->is_forced,
                               .address = {.port = change->port}};
    memcpy(told.address.ip, change->ip, sizeof(told.address.ip));
    wire_change_encode(writer, &told);
}

static enum plx_outcome change_outcome(const struct errand *errand, const struct wire_reply *reply)
{
    (void)errand;
    switch (reply->status) {
    case WIRE_STATUS_OK:
        return PLX_OK;
    case WIRE_STATUS_PENDING:
        return PLX_UNKNOWN;
    case WIRE_STATUS_UNKNOWN:
        return PLX_NOT_FOUND;
    case WIRE_STATUS_OUTDATED:
        return PLX_MISMATCH;
    case WIRE_STATUS_TOO_STALE:
        return PLX_E_PERMISSION;
    case WIRE_STATUS_OVERLOADED:
        return PLX_E_TOO_LARGE;
    default:
        return errand_refusal((enum wire_status)reply->status);
    }
}

static bool is_good(const struct plx_change *change)
{
    bool has_address = change->action == PLX_CHANGE_ADD || change->action == PLX_CHANGE_UPDATE;
    bool is_raise = change->action == PLX_CHANGE_RAISE;
    return change->action >= PLX_CHANGE_ADD && change->action <= PLX_CHANGE_RAISE &&
           (change->node == 0) == is_raise && (change->format != 0) == is_raise &&
           change->node <= VOTER_ID_MAX && has_address == (change->port != 0) &&
           (!change->is_learner || change->action == PLX_CHANGE_ADD) &&
           (!change->is_forced || change->action == PLX_CHANGE_REMOVE);
}

enum plx_outcome plx_change(struct plx_client *client, const struct plx_change *change,
                            uint64_t timeout_ns)
{
    struct errand errand = {.shard = 0,
                            .wire_type = WIRE_CHANGE,
                            .reply_type = WIRE_CHANGE_REPLY,
                            .what = change,
                            .encode = change_encode,
                            .outcome = change_outcome};
    return change != NULL && is_good(change) ? errand_run(client, &errand, timeout_ns)
                                             : PLX_E_ARGUMENT;
}
