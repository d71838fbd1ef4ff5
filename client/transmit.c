/*
 * What may leave now, and where it goes: consistent operations to the leader of their shard,
 * relaxed ones to the preferred node.
 */
#include "client/client_internal.h"
#include "client/draft.h"

int32_t preferred_endpoint(struct plx_client *client, struct shard_state *shard, bool must_be_fresh)
{
    struct member *preferred = &shard->members[shard->preferred];
    bool is_fresh =
        !must_be_fresh || client->now_ns - preferred->heard_ns <= client->options.leader_fresh_ns;
    bool is_known = preferred->incarnation != 0 && is_fresh;
    if (is_known && member_counts(client, shard, shard->preferred)) {
        cluster_adopt(client, shard->preferred);
        return (int32_t)shard->preferred;
    }
    bool is_late = member_is_late(client, preferred);
    if ((preferred->nonce != 0 && is_late) || member_is_stranger(client, shard, shard->preferred))
        shard->is_preferred_silent = true;
    if (is_late || (preferred->nonce == 0 && !is_known))
        member_greet(client, shard, shard->preferred);
    op_wake_at(client, client->now_ns + RTO_INITIAL_NS);
    return -1;
}

/* The node that may have the write is silent, and may have moved: it is found by its storage. What
 * was sent to its former address names an incarnation that is over, wherever it arrives. */
static void relaxed_follow(struct plx_client *client, struct op *op)
{
    struct shard_state *shard = op->shard;
    const struct member *was = &shard->members[op->endpoint];
    if (was->series == 0 || client->now_ns - was->heard_ns <= HEARD_NS)
        return;
    member_ask(client, shard, was->node);
    for (uint32_t i = 0; i < client->reach_count; i++) {
        const struct member *member = &shard->members[i];
        if (member->node == was->node && member->series == was->series &&
            member->heard_ns > was->heard_ns && member_counts(client, shard, i)) {
            op->endpoint = (int32_t)i;
            return;
        }
    }
}

/* Where a relaxed write goes: to the one node that may have it, or to the preferred one. */
static int32_t relaxed_endpoint(struct plx_client *client, struct op *op)
{
    if (op->unanswered > 0) {
        relaxed_follow(client, op);
        const struct member *member = &op->shard->members[op->endpoint];
        if (member->incarnation != 0)
            return op->endpoint;
        if (member_is_late(client, member))
            member_greet(client, op->shard, (uint32_t)op->endpoint);
        op_wake_at(client, client->now_ns + RTO_INITIAL_NS);
        return -1;
    }
    op->endpoint = preferred_endpoint(client, op->shard, true);
    if (op->endpoint >= 0)
        op->incarnation = op->shard->members[op->endpoint].incarnation;
    return op->endpoint;
}

/* Where operations of a class go now; -1: nowhere yet. */
static int32_t class_endpoint(struct plx_client *client, struct shard_state *shard,
                              enum op_class class)
{
    if (class == CLASS_RELAXED_READ)
        return preferred_endpoint(client, shard, false);
    int32_t leader = leader_endpoint(client, shard);
    if (leader < 0)
        leader_wanted(client, shard);
    return leader;
}

static bool op_is_due(const struct plx_client *client, const struct op *op)
{
    return !op->is_sent && op->due_ns <= client->now_ns;
}

/* No further key can be remembered: the end of it, in the next turn, unless it blocks. Whoever
 * holds the room is asked: it need not be the preferred node any more, and then nothing else is
 * said to it. */
static void op_wait_for_room(struct plx_client *client, struct op *op)
{
    pending_ask_all(client);
    op_retry(client, op, (uint64_t)PENDING_WAIT_NS << op->waits);
    if (op->waits < PENDING_DOUBLINGS)
        op->waits++;
    if (op->request.call.is_blocking)
        return;
    op->undone_outcome = PLX_E_OVERLOADED;
    op->phase_end_ns = client->now_ns;
    op_wake_at(client, client->now_ns);
}

/* The lowest seq of the shard's relaxed writes under way; `next`: none has one. */
static uint64_t relaxed_lowest(const struct plx_client *client, const struct shard_state *shard,
                               uint64_t next)
{
    uint64_t lowest = next;
    for (uint32_t i = 0; i < client->active_count; i++) {
        const struct op *op = &client->ops[client->active[i]];
        if (op->shard == shard && op->class == CLASS_RELAXED_WRITE && op->seq != 0 &&
            op->seq < lowest)
            lowest = op->seq;
    }
    return lowest;
}

/* Gives a relaxed write its seq. False: a node that gets it would forget whether it has executed an
 * earlier one that is under way still. */
static bool relaxed_assign(struct plx_client *client, struct op *op)
{
    struct shard_state *shard = op->shard;
    uint64_t next = shard->relaxed_seq + 1;
    if (op->seq != 0)
        return true;
    if (next - shard->relaxed_floor >= SESSION_WINDOW)
        shard->relaxed_floor = relaxed_lowest(client, shard, next);
    if (next - shard->relaxed_floor >= SESSION_WINDOW)
        return false;
    op->seq = shard->relaxed_seq = next;
    op->range_end = 0;
    return true;
}

/* Whether the operation may leave to that endpoint, now. */
static bool op_may_leave(struct plx_client *client, struct op *op, struct departure *departure)
{
    struct wire_op cancels[CANCELS_MAX];
    if (op->class == CLASS_WRITE && !session_assign(client, op))
        return false;
    if (op->class == CLASS_RELAXED_WRITE && op->unanswered == 0 &&
        !pending_has_room(client, op, op->shard->members[op->endpoint].node)) {
        op_wait_for_room(client, op);
        return false;
    }
    if (op->class == CLASS_RELAXED_WRITE && !relaxed_assign(client, op))
        return false;
    departure->cancel_count = pending_cancels(client, op, cancels);
    if (op->attempts == 0 && !op_is_fence(op))
        op->pending_stamp = client->pending.stamp;
    departure->size_bytes = op_size_bytes(op, departure->cancel_count);
    return true;
}

static void transmit_op(struct plx_client *client, struct draft *draft, struct op *op,
                        int32_t endpoint)
{
    struct departure departure = {.endpoint = (uint32_t)endpoint};
    if (!op_may_leave(client, op, &departure))
        return;
    if (op->attempts > 0)
        paths_doubt(client, departure.endpoint, op->shard->number);
    if (DRAFT_HEADER_BYTES + departure.size_bytes >
        draft_size_max(client, departure.endpoint, op->shard->number))
        large_begin(client, op, departure.endpoint);
    else
        draft_add(client, draft, op, &departure);
}

/* What is due of one class in one shard. */
static void transmit_class(struct plx_client *client, struct shard_state *shard,
                           enum op_class class)
{
    struct draft draft = {.shard = shard, .class = class};
    int32_t endpoint = -2; /* not asked for yet */
    uint32_t next = shard->due_first[class];
    shard->due_first[class] = OP_NONE;
    while (next != OP_NONE) {
        struct op *op = &client->ops[next];
        next = op->due_next;
        if (class == CLASS_RELAXED_WRITE)
            endpoint = relaxed_endpoint(client, op);
        else if (endpoint == -2)
            endpoint = class_endpoint(client, shard, class);
        if (endpoint >= 0)
            transmit_op(client, &draft, op, endpoint);
        else if (class != CLASS_RELAXED_WRITE)
            break;
    }
    draft_send(client, &draft);
}

/* Behind what is due already of its shard and class. */
static void due_add(struct plx_client *client, struct op *op)
{
    struct shard_state *shard = op->shard;
    uint32_t at = (uint32_t)(op - client->ops);
    op->due_next = OP_NONE;
    if (shard->due_first[op->class] == OP_NONE)
        shard->due_first[op->class] = at;
    else
        client->ops[shard->due_last[op->class]].due_next = at;
    shard->due_last[op->class] = at;
}

/* The number of shards is not known yet: it is asked for, and where one could be needed the leader
 * of shard 0, which is the only one where there is one shard. */
static void wait_for_shards(struct plx_client *client, const struct op *op)
{
    if (client->shard_count != 0)
        return; /* a token of a shard that does not exist: it ends in the next turn */
    if (op->class == CLASS_WRITE || op->class == CLASS_READ)
        leader_wanted(client, shard_at(client, 0));
    shard_count_wanted(client);
}

void transmit_due(struct plx_client *client)
{
    bool has_class[CLASS_COUNT] = {false};
    client->gathered_count = 0;
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (!op_is_due(client, op))
            continue;
        if (op->shard == NULL) {
            wait_for_shards(client, op);
            continue;
        }
        has_class[op->class] = true;
        due_add(client, op);
    }
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        for (uint32_t i = 0; has_class[class] && i < client->open_count; i++) {
            if (shard_at(client, i)->due_first[class] != OP_NONE)
                transmit_class(client, shard_at(client, i), (enum op_class) class);
        }
    }
}
