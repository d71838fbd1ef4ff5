/*
 * Operations: begun, timed, given up, finished. The one rule: an operation ends as "did not happen"
 * only when every transmission of it was refused or a fence holds; where neither is certain by the
 * time its fence may take, it ends as PLX_UNKNOWN.
 */
#include "client/client_internal.h"

void ops_init(struct plx_client *client)
{
    client->timer_ns = UINT64_MAX;
    for (uint32_t i = 0; i < client->options.window; i++)
        client->free_ops[client->free_count++] = (uint16_t)i;
    for (uint32_t i = 0; i < LARGE_SENDS_MAX; i++)
        client->large[i].op = OP_NONE;
}

void op_wake_at(struct plx_client *client, uint64_t at_ns)
{
    if (at_ns < client->timer_ns)
        client->timer_ns = at_ns;
}

static enum op_class class_of(const struct plx_op *request)
{
    bool is_relaxed = request->call.is_relaxed && request->type != PLX_OP_SWAP;
    if (request->type == PLX_OP_GET)
        return is_relaxed ? CLASS_RELAXED_READ : CLASS_READ;
    return is_relaxed ? CLASS_RELAXED_WRITE : CLASS_WRITE;
}

uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

uint64_t time_after(uint64_t now_ns, uint64_t wait_ns)
{
    return wait_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + wait_ns;
}

/* What the handle asks of every relaxed get. */
static void op_bound_staleness(const struct plx_client *client, struct op *op)
{
    struct plx_call *call = &op->request.call;
    if (client->options.read_your_writes && call->min_index < op->shard->seen_index)
        call->min_index = op->shard->seen_index;
    if (call->max_age_ns == 0)
        call->max_age_ns = client->options.max_age_ns;
}

void ops_bound_staleness(struct plx_client *client, const struct shard_state *shard)
{
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (op->shard == shard && op->class == CLASS_RELAXED_READ)
            op_bound_staleness(client, op);
    }
}

void ops_unbind_staleness(struct plx_client *client)
{
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        op->request.call.min_index = op->asked_index;
    }
}

void op_retry(struct plx_client *client, struct op *op, uint64_t delay_ns)
{
    op->is_sent = false;
    op->due_ns = client->now_ns + delay_ns;
    op_wake_at(client, op->due_ns);
}

/* The caller's time is over: how long the wait for the truth may last is counted from now. */
static void op_restart_clock(struct plx_client *client, struct op *op)
{
    op->phase_end_ns = time_after(client->now_ns, op->fence_wait_ns);
    op->attempts = 0;
    op_retry(client, op, 0);
}

/* What its value lies in is whole until the next packet is received: its caller is told before. */
static void op_release(struct plx_client *client, struct op *op)
{
    if (op->value_buffer != NULL)
        client->value_buffers[client->value_buffer_count++] = op->value_buffer;
    op->value_buffer = NULL;
    uint16_t last = client->active[--client->active_count];
    client->active[op->active_at] = last;
    client->ops[last].active_at = op->active_at;
    client->free_ops[client->free_count++] = (uint16_t)(op - client->ops);
}

/* Which phase may follow which. */
static const bool phase_follows[PHASE_COUNT][PHASE_COUNT] = {
    [PHASE_DONE] = {[PHASE_SEND] = true, [PHASE_RESOLVE] = true},
    [PHASE_SEND] = {[PHASE_FENCE] = true, [PHASE_RECALL] = true, [PHASE_DONE] = true},
    [PHASE_FENCE] = {[PHASE_DONE] = true},
    [PHASE_RECALL] = {[PHASE_DONE] = true},
    [PHASE_RESOLVE] = {[PHASE_DONE] = true},
};

void op_enter_phase(struct plx_client *client, struct op *op, enum op_phase phase)
{
    CHECK(phase_follows[op->phase][phase]);
    op->phase = phase;
    large_release(op);
    switch (phase) {
    case PHASE_SEND:
    case PHASE_RESOLVE:
        op_retry(client, op, 0);
        break;
    case PHASE_FENCE:
        client->statistics.fences++;
        op_restart_clock(client, op);
        break;
    case PHASE_RECALL:
        op_restart_clock(client, op);
        break;
    case PHASE_DONE:
        op_release(client, op);
        break;
    case PHASE_COUNT:
        CHECK(false);
    }
}

/* Its shard, and what depends on that. A token of a shard that does not exist ends in the next
 * turn. */
static void op_place(struct plx_client *client, struct op *op)
{
    struct plx_bytes key = op->request.key;
    uint16_t number = op->token_shard;
    if (op->phase != PHASE_RESOLVE)
        number = plx_shard_of_key(key, client->shard_count);
    if (!shard_is_possible(client, number)) {
        op->phase_end_ns = client->now_ns;
        return;
    }
    op->shard = shard_open(client, number);
    if (op->class == CLASS_RELAXED_WRITE)
        op->session = op->shard->relaxed_identity;
    else if (op->class == CLASS_RELAXED_READ)
        op_bound_staleness(client, op);
}

void ops_place(struct plx_client *client)
{
    for (uint32_t i = 0; i < client->active_count; i++)
        op_place(client, &client->ops[client->active[i]]);
    op_wake_at(client, client->now_ns);
}

struct op *op_begin(struct plx_client *client, const struct plx_op *request,
                    const struct plx_token *token, uint32_t cancel_epoch)
{
    if (client->free_count == 0)
        return NULL;
    struct op *op = &client->ops[client->free_ops[--client->free_count]];
    const struct plx_call *call = &request->call;
    uint32_t generation = op->generation + 1;
    uint64_t timeout_ns = call->timeout_ns != 0 ? call->timeout_ns : client->options.timeout_ns;
    uint64_t fence_wait_ns =
        call->fence_wait_ns != 0 ? call->fence_wait_ns : client->options.fence_wait_ns;
    client->now_ns = clock_monotonic_ns();
    *op = (struct op){
        .class = class_of(request),
        .active_at = client->active_count,
        .cancel_epoch = cancel_epoch,
        .generation = generation,
        .request = *request,
        .asked_index = call->min_index,
        .phase_end_ns = call->is_blocking ? UINT64_MAX : time_after(client->now_ns, timeout_ns),
        .fence_wait_ns = call->is_blocking ? UINT64_MAX : fence_wait_ns,
        .undone_outcome = PLX_TIMEOUT,
        .endpoint = -1,
    };
    /* One whose caller was cancelled before it could begin ends in the next turn. */
    if (cancel_epoch != cancel_epoch_of(client))
        client->cancel_seen = cancel_epoch;
    client->active[client->active_count++] = (uint16_t)(op - client->ops);
    client->gathered_count++;
    if (token != NULL) {
        op->token_shard = token->shard;
        op->session = token->session;
        op->seq = token->seq;
    }
    op_enter_phase(client, op, token != NULL ? PHASE_RESOLVE : PHASE_SEND);
    if (client->shard_count != 0)
        op_place(client, op);
    return op;
}

void op_give_up(struct plx_client *client, struct op *op, enum plx_outcome outcome)
{
    if (!op_is_write(op) || op->unanswered == 0) {
        op_finish_plain(client, op, outcome);
        return;
    }
    op->undone_outcome = outcome;
    op_enter_phase(client, op, op->class == CLASS_RELAXED_WRITE ? PHASE_RECALL : PHASE_FENCE);
}

/* What the end of an operation means for its session. */
static void op_end_in_session(struct plx_client *client, const struct op *op,
                              struct plx_response *response)
{
    if (op->class == CLASS_RELAXED_WRITE && response->outcome == PLX_UNKNOWN)
        pending_remember_unknown(client, op);
    if (op->class == CLASS_RELAXED_WRITE)
        op_wake_at(client, client->now_ns); /* somebody may have waited for room in the window */
    if (op->session == 0 || op->class != CLASS_WRITE)
        return;
    struct plx_token token = {.cluster_id = client->cluster_id,
                              .cluster = client->kept.number,
                              .era = client->kept.era,
                              .session = op->session,
                              .seq = op->seq,
                              .shard = op->shard != NULL ? op->shard->number : op->token_shard};
    if (response->outcome == PLX_UNKNOWN) {
        response->token = token;
        if (op->phase != PHASE_RESOLVE)
            session_pin(op->shard, op->session);
    } else if (op->phase == PHASE_RESOLVE) {
        plx_forget(client, &token);
    } else {
        session_finish_seq(client, op->shard, op->session, op->seq);
    }
}

void op_finish(struct plx_client *client, struct op *op, struct plx_response *response)
{
    op_end_in_session(client, op, response);
    response->valid = response->outcome == PLX_OK;
    response->timeout = response->outcome == PLX_TIMEOUT;
    if (response->outcome == PLX_UNKNOWN)
        client->statistics.unknowns++;
    /* Known to be absent, which a swap may expect, is told from not known. */
    bool is_absent = response->outcome == PLX_NOT_FOUND ||
                     (response->outcome == PLX_MISMATCH && response->version == 0);
    if (is_absent && !response->has_value)
        response->value = PLX_ABSENT;
    struct plx_op request = op->request;
    op_enter_phase(client, op, PHASE_DONE);
    client->ended_count++;
    client->is_in_callback = true;
    request.done(request.context, response);
    client->is_in_callback = false;
}

void op_finish_plain(struct plx_client *client, struct op *op, enum plx_outcome outcome)
{
    struct plx_response response = {.outcome = outcome};
    op_finish(client, op, &response);
}

/* Calls that end before a reply to them is late say nothing each, but together. Of a leader its
 * confirmations tell. */
static void note_expiry(struct plx_client *client, const struct op *op)
{
    bool is_read = op->class == CLASS_RELAXED_READ;
    if (!op->is_sent || op->large != NULL || (!is_read && op->class != CLASS_RELAXED_WRITE) ||
        op->sent_to != op->shard->preferred)
        return;
    uint64_t asked_ns = op->shard->members[op->sent_to].asked_ns;
    if (asked_ns != 0 &&
        client->now_ns - asked_ns >= round_trip_timeout_ns(client, op->shard, is_read, 0))
        op->shard->is_preferred_silent = true;
}

/* The time of its phase is over. */
static void op_expire(struct plx_client *client, struct op *op)
{
    note_expiry(client, op);
    if (op->phase == PHASE_RESOLVE && !shard_is_possible(client, op->token_shard))
        op_finish_plain(client, op, PLX_E_ARGUMENT);
    else if (op->phase != PHASE_SEND)
        op_finish_plain(client, op, PLX_UNKNOWN);
    else if (op->shard != NULL && op->session == 0 && op_is_write(op) &&
             session_is_refused(client, op->shard))
        op_finish_plain(client, op, PLX_E_SESSIONS);
    else
        op_give_up(client, op, op->undone_outcome);
}

/* No reply in time: look for a leader, or another node, and send again. */
static void op_unanswered(struct plx_client *client, struct op *op)
{
    if (op->class == CLASS_WRITE || op->class == CLASS_READ)
        leader_wanted(client, op->shard);
    else if (op->sent_to == op->shard->preferred)
        op->shard->is_preferred_silent = true;
    op_retry(client, op, 0);
}

void ops_redirect(struct plx_client *client, const struct shard_state *shard)
{
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (op->shard == shard && op->is_sent &&
            (op->class == CLASS_WRITE || op->class == CLASS_READ))
            op_retry(client, op, 0);
    }
}

void ops_turn(struct plx_client *client)
{
    if (client->now_ns < client->timer_ns)
        return;
    client->timer_ns = UINT64_MAX;
    /* Backwards: an operation that ends is replaced by the last, which has been looked at; those
     * that callbacks add come behind and are sent below. */
    for (uint32_t i = client->active_count; i-- > 0;) {
        struct op *op = &client->ops[client->active[i]];
        if (client->now_ns >= op->phase_end_ns)
            op_expire(client, op);
        else if (op->is_sent && client->now_ns >= op->due_ns)
            op_unanswered(client, op);
    }
    for (uint32_t i = 0; i < client->open_count; i++)
        preferred_turn(client, shard_at(client, i));
    transmit_due(client);
    for (uint32_t i = 0; i < client->active_count; i++) {
        const struct op *op = &client->ops[client->active[i]];
        op_wake_at(client, op->phase_end_ns);
        /* One that is due and did not leave waits for a leader or a session, who wake it. */
        if (op->due_ns > client->now_ns)
            op_wake_at(client, op->due_ns);
    }
}

/* Its time is over: what remains to it is the wait for its fence, which ends by itself. */
static void op_cut_short(struct plx_client *client, struct op *op)
{
    bool is_bounded = op->phase_end_ns != UINT64_MAX;
    if (op->fence_wait_ns == UINT64_MAX)
        op->fence_wait_ns = client->options.fence_wait_ns;
    bool is_of_caller = op->phase == PHASE_SEND || op->phase == PHASE_RESOLVE;
    if (is_of_caller || op->fence_wait_ns == UINT64_MAX)
        op->phase_end_ns = client->now_ns;
    else if (!is_bounded)
        op->phase_end_ns = time_after(client->now_ns, op->fence_wait_ns);
}

void ops_cancel(struct plx_client *client)
{
    uint32_t epoch = cancel_epoch_of(client);
    if (epoch == client->cancel_seen)
        return;
    client->cancel_seen = epoch;
    for (uint32_t i = 0; i < client->active_count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (op->cancel_epoch != epoch)
            op_cut_short(client, op);
        op->cancel_epoch = epoch;
    }
    op_wake_at(client, client->now_ns);
}
