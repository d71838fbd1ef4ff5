/*
 * Replies to writes and reads. A refusal takes back exactly the transmission it answers; an outcome
 * ends its operation, whichever of its transmissions it answers; anything else has come too late.
 */
#include "client/client_internal.h"

static uint64_t age_ns(uint64_t age_us)
{
    return age_us > UINT64_MAX / 1000 ? UINT64_MAX : age_us * 1000;
}

static struct plx_response response_of(const struct wire_reply *reply,
                                       const struct wire_reply_op *wire)
{
    return (struct plx_response){
        .has_value = wire->has_value,
        .is_pending = wire->is_pending,
        .value_size_bytes = wire->value_size_bytes,
        .version = wire->version,
        .applied_index = reply->applied_index,
        .contact_age_ns = age_ns(reply->contact_age_us),
        .node = reply->node,
        .incarnation = reply->incarnation,
    };
}

/* Ends the op with the bytes at hand, copied where the caller wants them. */
static void finish_with_value(struct plx_client *client, struct op *op,
                              struct plx_response *response, struct span value)
{
    const struct plx_call *call = &op->request.call;
    if (call->buffer != NULL) {
        if (value.size_bytes > call->buffer_size_bytes)
            value.size_bytes = call->buffer_size_bytes;
        if (value.size_bytes > 0 && value.data != call->buffer)
            memcpy(call->buffer, value.data, value.size_bytes);
        value.data = call->buffer;
    }
    response->is_truncated = value.size_bytes < response->value_size_bytes;
    if (response->has_value)
        response->value = (struct plx_bytes){value.data, value.size_bytes};
    op_finish(client, op, response);
}

/* A chunk of a value that is read in several: kept, and the next one asked for. */
static void value_read_on(struct plx_client *client, struct op *op, struct plx_response *response,
                          const struct wire_reply_op *wire)
{
    const struct plx_call *call = &op->request.call;
    uint8_t *to = call->buffer != NULL ? call->buffer : op->value_buffer;
    size_t room = call->buffer != NULL ? call->buffer_size_bytes : VALUE_SIZE_BYTES_MAX;
    size_t wanted = wire->value_size_bytes < room ? wire->value_size_bytes : room;
    size_t had = op->value_received_bytes;
    size_t take = wire->chunk.size_bytes < wanted - had ? wire->chunk.size_bytes : wanted - had;
    if (take > 0)
        memcpy(to + had, wire->chunk.data, take);
    op->value_received_bytes += (uint32_t)take;
    op->value_version = wire->version;
    if (op->value_received_bytes == wanted) {
        finish_with_value(client, op, response, span_of(to, wanted));
        return;
    }
    op->attempts = 0;
    /* An answer without a single byte had no room: the next one is asked for alone, a little
     * later. */
    op_retry(client, op, take > 0 ? 0 : client->options.rto_min_ns);
}

static void value_restart(struct plx_client *client, struct op *op)
{
    op->value_received_bytes = 0;
    op->value_version = 0;
    op_retry(client, op, 0);
}

static void note_seen_index(struct plx_client *client, uint64_t index)
{
    if (index > client->seen_index)
        client->seen_index = index;
}

/* An absence is seen as of all that was applied. */
static void note_seen(struct plx_client *client, const struct wire_reply *reply,
                      const struct wire_reply_op *wire)
{
    bool is_absent = wire->outcome == WIRE_OUTCOME_NOT_FOUND ||
                     (wire->outcome == WIRE_OUTCOME_MISMATCH && !wire->has_value);
    if (!wire->is_pending)
        note_seen_index(client, is_absent ? reply->applied_index : wire->version);
}

/* What the node that answered a relaxed get could not know. */
static bool is_too_stale(struct plx_client *client, const struct op *op,
                         const struct plx_response *response)
{
    uint64_t max_age_ns = op->request.call.max_age_ns;
    if (max_age_ns != 0 && response->contact_age_ns > max_age_ns)
        return true;
    if (!client->options.read_your_writes)
        return false;
    /* A write of this handle was decided after the node had been asked. */
    if (response->applied_index < op->request.call.min_index)
        return true;
    /* This handle's own write of the key is pending on another node. */
    if (!pending_elsewhere(client, op->request.key, response->node))
        return false;
    pending_ask(client, op->request.key);
    return true;
}

static void read_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                         const struct wire_reply_op *wire)
{
    struct plx_response response = response_of(reply, wire);
    if (op->class == CLASS_RELAXED_READ && is_too_stale(client, op, &response)) {
        op_give_up(client, op, PLX_E_TOO_STALE);
        return;
    }
    note_seen(client, reply, wire);
    if (wire->outcome == WIRE_OUTCOME_NOT_FOUND) {
        response.outcome = PLX_NOT_FOUND;
        op_finish(client, op, &response);
    } else if (wire->outcome == WIRE_OUTCOME_VERSION) {
        value_restart(client, op);
    } else if (wire->outcome != WIRE_OUTCOME_OK || !wire->has_value) {
        op_retry(client, op, round_trip_timeout_ns(client, true, op->attempts));
    } else if (op->value_received_bytes == 0 && wire->chunk.size_bytes == wire->value_size_bytes) {
        response.outcome = PLX_OK;
        finish_with_value(client, op, &response, wire->chunk);
    } else if (wire->value_size_bytes < op->value_received_bytes) {
        value_restart(client, op);
    } else {
        response.outcome = PLX_OK;
        value_read_on(client, op, &response, wire);
    }
}

/* The session is gone. What was never executed begins anew in another; the rest nobody can know. */
static void write_without_session(struct plx_client *client, struct op *op)
{
    session_expired(client, op->session);
    if (op->phase == PHASE_RESOLVE) {
        op_finish_plain(client, op, PLX_E_SESSION_EXPIRED);
    } else if (op->unanswered > 0) {
        client->statistics.unknowns_expired++;
        op_finish_plain(client, op, PLX_UNKNOWN);
    } else if (op_is_fence(op)) {
        op_finish_plain(client, op, op->undone_outcome);
    } else {
        large_release(client, op);
        op->session = 0;
        op->attempts = 0;
        op_retry(client, op, 0);
    }
}

/* A consistent write has overruled what it cancelled; a relaxed one may itself be overruled. */
static void write_took_effect(struct plx_client *client, const struct op *op,
                              const struct wire_reply *reply, const struct wire_reply_op *wire)
{
    if (op->class == CLASS_RELAXED_WRITE) {
        /* By this reply, or by one that was sent later and came before it. */
        const struct endpoint *endpoint = &client->endpoints[op->endpoint];
        if (wire->version > endpoint->journal_done_seq)
            pending_remember(client, op, reply->node, wire->version);
        else
            note_seen_index(client, endpoint->journal_done_index); /* in the log, up to there */
        return;
    }
    if (op->phase != PHASE_RESOLVE)
        pending_overruled(client, op);
    note_seen(client, reply, wire);
}

/* An outcome that decides the operation. */
static void write_decided(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                          const struct wire_reply_op *wire)
{
    struct plx_response response = response_of(reply, wire);
    switch ((enum wire_outcome)wire->outcome) {
    case WIRE_OUTCOME_OK:
        response.outcome = PLX_OK;
        write_took_effect(client, op, reply, wire);
        break;
    case WIRE_OUTCOME_MISMATCH:
        response.outcome = PLX_MISMATCH;
        note_seen(client, reply, wire);
        break;
    case WIRE_OUTCOME_NOT_FOUND:
        response.outcome = PLX_NOT_FOUND;
        break;
    case WIRE_OUTCOME_FENCED:
        /* By our own fence, or by whoever resolved the token of this operation. */
        response.outcome = op_is_fence(op) ? op->undone_outcome : PLX_TIMEOUT;
        break;
    case WIRE_OUTCOME_STORE_FULL:
        response.outcome = PLX_E_OVERLOADED;
        break;
    case WIRE_OUTCOME_FORGOTTEN:
    case WIRE_OUTCOME_NO_SESSION:
    case WIRE_OUTCOME_SESSIONS_FULL:
    case WIRE_OUTCOME_WINDOW:
    case WIRE_OUTCOME_VERSION:
    case WIRE_OUTCOME_END:
        response.outcome = op->phase == PHASE_RESOLVE ? PLX_E_SESSION_EXPIRED : PLX_UNKNOWN;
        break;
    }
    finish_with_value(client, op, &response, wire->chunk);
}

/*
 * NO_SESSION says that this copy of the packet was not executed. That none was follows only where
 * the answer is prompt: a session outlives its renewals, so it cannot have executed another copy
 * and have expired, too, in less time than passes between two of them.
 */
static void write_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                          const struct wire_reply_op *wire, uint64_t sent_ns)
{
    bool is_fence = op_is_fence(op);
    if (wire->outcome == WIRE_OUTCOME_NO_SESSION) {
        bool is_prompt = client->now_ns - sent_ns < client->options.keep_alive_ns;
        if (!is_fence && op->unanswered > 0 && is_prompt)
            op->unanswered--;
        write_without_session(client, op);
    } else if (wire->outcome == WIRE_OUTCOME_WINDOW) {
        if (!is_fence && op->unanswered > 0)
            op->unanswered--;
        op_retry(client, op, round_trip_timeout_ns(client, false, op->attempts));
    } else {
        write_decided(client, op, reply, wire);
    }
}

/* The op that went out at this place of the transmission, if it still waits for an outcome. */
static struct op *transmission_op(struct plx_client *client,
                                  const struct transmission *transmission, uint32_t at)
{
    struct op *op = &client->ops[transmission->ops[at]];
    if (op->phase == PHASE_DONE || op->generation != transmission->generations[at] ||
        (transmission->answered >> at & 1) != 0)
        return NULL;
    /* An op that began anew in another session has nothing to do with its former transmissions. */
    if (!transmission->is_read && op->session != transmission->session)
        return NULL;
    return op;
}

static struct op *transmission_op_of_seq(struct plx_client *client,
                                         const struct transmission *transmission, uint64_t seq,
                                         uint32_t *ret_at)
{
    for (uint32_t i = 0; i < transmission->op_count; i++) {
        struct op *op = transmission_op(client, transmission, i);
        if (op != NULL && op->seq == seq) {
            *ret_at = i;
            return op;
        }
    }
    return NULL;
}

/* A chunk that was asked for twice comes twice; and one of another version does not fit. */
static bool is_next_chunk(const struct op *op, uint32_t offset, const struct wire_reply_op *wire)
{
    if (offset != op->value_received_bytes)
        return false;
    return offset == 0 || wire->outcome != WIRE_OUTCOME_OK || wire->version == op->value_version;
}

static void reply_accept(struct plx_client *client, struct transmission *transmission,
                         const struct wire_reply *reply)
{
    size_t cursor = 0;
    struct session *session = session_find(client, transmission->session);
    if (session != NULL && !transmission->is_read)
        session->active_ns = client->now_ns;
    for (uint32_t i = 0; i < reply->op_count; i++) {
        struct wire_reply_op wire;
        struct op *op = NULL;
        uint32_t at = 0;
        CHECK(wire_reply_op_decode(reply->ops, &cursor, &wire) == OK);
        if (!transmission->is_read) {
            op = transmission_op_of_seq(client, transmission, wire.seq, &at);
        } else if (wire.seq < transmission->op_count) {
            at = (uint32_t)wire.seq;
            op = transmission_op(client, transmission, at);
            if (op != NULL && !is_next_chunk(op, transmission->offsets[at], &wire))
                op = NULL;
        }
        if (op == NULL) {
            client->statistics.replies_late += !transmission->has_cancels;
            continue;
        }
        transmission->answered |= UINT64_C(1) << at;
        if (transmission->is_read)
            read_outcome(client, op, reply, &wire);
        else
            write_outcome(client, op, reply, &wire, transmission->sent_ns);
    }
}

/* Refusals that only mean: later, or elsewhere. */
static bool status_is_passing(enum wire_status status)
{
    return status == WIRE_STATUS_NOT_LEADER || status == WIRE_STATUS_NO_QUORUM ||
           status == WIRE_STATUS_INCARNATION || status == WIRE_STATUS_OVERLOADED ||
           status == WIRE_STATUS_EXPIRED || status == WIRE_STATUS_PENDING;
}

/* What a caller is told of a refusal that will not pass. */
static enum plx_outcome status_outcome(enum wire_status status)
{
    if (status == WIRE_STATUS_LOG_FULL || status == WIRE_STATUS_OVERLOADED)
        return PLX_E_OVERLOADED;
    if (status == WIRE_STATUS_TOO_STALE)
        return PLX_E_TOO_STALE;
    if (status == WIRE_STATUS_UNSUPPORTED)
        return PLX_E_UNSUPPORTED;
    return PLX_E_ARGUMENT;
}

/* The node does not have the write, yet: copies of it may still be on their way there, or their
 * refusals on the way back, and where all were refused it is certain that it did not happen. */
static void relaxed_unknown(struct plx_client *client, struct op *op)
{
    if (!op_is_recall(client, op))
        return; /* all were refused meanwhile, and it goes out anew */
    bool is_same_node = client->endpoints[op->endpoint].incarnation == op->incarnation;
    if (!is_same_node || client->now_ns - op->transmitted_ns > NONCE_AGE_MAX_NS) {
        op_finish_plain(client, op, PLX_UNKNOWN);
        return;
    }
    large_release(client, op);
    op_retry(client, op, round_trip_timeout_ns(client, false, op->attempts));
}

/* A relaxed write: its node has no room, or does not know it. True: that was the answer. */
static bool relaxed_refused(struct plx_client *client, struct op *op, enum wire_status status)
{
    if (status == WIRE_STATUS_UNKNOWN) {
        relaxed_unknown(client, op);
        return true;
    }
    bool is_full = status == WIRE_STATUS_OVERLOADED && op->phase != PHASE_RECALL;
    if (!is_full || op->request.call.is_blocking)
        return false;
    op_give_up(client, op, PLX_E_OVERLOADED);
    return true;
}

/* A node that has no room for long is not sent the same, which may be large, at the pace at which
 * lost packets are sent again. */
static uint64_t refusal_wait_ns(struct plx_client *client, const struct op *op)
{
    uint64_t wait_ns = round_trip_timeout_ns(client, false, op->attempts);
    uint32_t doublings = op->attempts > REFUSALS_QUICK ? op->attempts - REFUSALS_QUICK : 0;
    return wait_ns << (doublings < REFUSAL_DOUBLINGS ? doublings : REFUSAL_DOUBLINGS);
}

static void op_refused(struct plx_client *client, struct op *op,
                       const struct transmission *transmission, enum wire_status status)
{
    bool is_fence = op_is_fence(op);
    /* A packet from before the node's restart is not taken back by what came after it: another copy
     * of it may have been taken then. */
    if (status != WIRE_STATUS_INCARNATION && !is_fence && !transmission->is_recall &&
        op->unanswered > 0)
        op->unanswered--;
    /* It goes out anew, then, and no node need remember what it was. */
    if (op->class == CLASS_RELAXED_WRITE && op->unanswered == 0)
        op->seq = 0;
    if (op->class == CLASS_RELAXED_WRITE && relaxed_refused(client, op, status))
        return;
    if (op->phase == PHASE_RECALL && op->unanswered == 0) {
        op_finish_plain(client, op, op->undone_outcome);
        return;
    }
    if (!is_fence && op->phase != PHASE_RECALL && !status_is_passing(status)) {
        op_give_up(client, op, status_outcome(status));
        return;
    }
    bool is_elsewhere = status == WIRE_STATUS_NOT_LEADER || status == WIRE_STATUS_NO_QUORUM ||
                        status == WIRE_STATUS_INCARNATION;
    if (is_elsewhere)
        op_retry(client, op, op->attempts < 2 ? 0 : client->options.rto_min_ns);
    else
        op_retry(client, op, refusal_wait_ns(client, op));
}

static void reply_refuse(struct plx_client *client, struct transmission *transmission,
                         enum wire_status status)
{
    uint64_t was_answered = transmission->answered;
    for (uint32_t i = 0; i < transmission->op_count; i++) {
        transmission->answered = was_answered;
        struct op *op = transmission_op(client, transmission, i);
        if (op != NULL)
            op_refused(client, op, transmission, status);
    }
    transmission->answered = UINT64_MAX;
}

/* What the reply says about the node itself. */
static void reply_note_node(struct plx_client *client, uint32_t at, const struct wire_reply *reply,
                            bool is_from_leader)
{
    struct endpoint *endpoint = &client->endpoints[at];
    endpoint_heard(client, at);
    endpoint_is_node(endpoint, reply->node);
    endpoint->term = reply->term;
    if (endpoint->incarnation == reply->incarnation)
        endpoint->heard_ns = client->now_ns;
    endpoint_journal_done(client, at, reply->journal_done_seq, reply->applied_index);
    if (reply->status == WIRE_STATUS_INCARNATION) {
        endpoint->incarnation = 0;
        leader_lost(client, at, 0);
        endpoint_greet(client, at);
    } else if (reply->status == WIRE_STATUS_NOT_LEADER) {
        leader_lost(client, at, reply->leader);
    } else if (reply->status == WIRE_STATUS_NO_QUORUM) {
        leader_lost(client, at, 0);
    } else if (reply->status == WIRE_STATUS_OK && is_from_leader && reply->leader == reply->node &&
               endpoint->incarnation == reply->incarnation) {
        leader_confirmed(client, at);
    }
}

void reply_receive(struct plx_client *client, uint32_t endpoint, bool is_read,
                   const struct wire_reply *reply)
{
    struct transmission *transmission = transmission_find(client, reply->number);
    if (transmission == NULL || transmission->is_read != is_read ||
        transmission->endpoint != endpoint) {
        client->statistics.replies_late++;
        return;
    }
    round_trip_sample(client, transmission);
    reply_note_node(client, endpoint, reply, !is_read);
    if (reply->status != WIRE_STATUS_OK)
        client->statistics.refusals++;
    if (transmission->kind == TRANSMISSION_SESSION)
        session_replied(client, transmission, reply);
    else if (reply->status == WIRE_STATUS_OK)
        reply_accept(client, transmission, reply);
    else
        reply_refuse(client, transmission, (enum wire_status)reply->status);
}
