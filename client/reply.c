/*
 * Replies to writes and reads. A refusal takes back exactly the transmission it answers; an outcome
 * ends its operation, whichever of its transmissions it answers; anything else has come too late.
 */
#include "client/client_internal.h"

static uint64_t age_of_wire_ns(uint64_t age_us)
{
    return age_us > UINT64_MAX / 1000 ? UINT64_MAX : age_us * 1000;
}

struct plx_response response_of(const struct wire_reply *reply, const struct wire_reply_op *wire)
{
    return (struct plx_response){
        .has_value = wire->has_value,
        .is_pending = wire->is_pending,
        .value_size_bytes = wire->value_size_bytes,
        .version = wire->version,
        .applied_index = reply->applied_index,
        .contact_age_ns = age_of_wire_ns(reply->contact_age_us),
        .node = reply->node,
        .incarnation = reply->incarnation,
        .series = reply->series,
    };
}

void finish_with_value(struct plx_client *client, struct op *op, struct plx_response *response,
                       struct span value)
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

void note_seen_index(struct shard_state *shard, uint64_t index)
{
    if (index > shard->seen_index)
        shard->seen_index = index;
}

void note_seen(struct shard_state *shard, const struct wire_reply *reply,
               const struct wire_reply_op *wire)
{
    bool is_absent = wire->outcome == WIRE_OUTCOME_NOT_FOUND ||
                     (wire->outcome == WIRE_OUTCOME_MISMATCH && !wire->has_value);
    if (!wire->is_pending)
        note_seen_index(shard, is_absent ? reply->applied_index : wire->version);
}

/* A chunk that was asked for twice comes twice; and one of another version does not fit. */
static bool is_next_chunk(const struct op *op, uint32_t offset, const struct wire_reply_op *wire)
{
    if (offset != op->value_received_bytes)
        return false;
    return offset == 0 || wire->outcome != WIRE_OUTCOME_OK || wire->version == op->value_version;
}

static void reply_take(struct plx_client *client, struct shard_state *shard,
                       struct transmission *transmission, const struct wire_reply *reply)
{
    size_t cursor = 0;
    struct session *session = session_find(shard, transmission->session);
    if (session != NULL && !transmission->is_read)
        session_answered(session, transmission->sent_ns);
    for (uint32_t i = 0; i < reply->op_count; i++) {
        struct wire_reply_op wire;
        struct op *op = NULL;
        uint32_t at = 0;
        CHECK(wire_reply_op_decode(reply->ops, &cursor, &wire) == OK);
        if (session != NULL && !transmission->is_read)
            session_reached(session, &wire);
        if (!transmission->is_read) {
            op = transmission_op_of_seq(client, transmission, wire.seq, &at);
        } else if (wire.seq < transmission->op_count) {
            at = (uint32_t)wire.seq;
            op = transmission_op(client, transmission, at);
            if (op != NULL && !is_next_chunk(op, transmission->ops[at].offset, &wire))
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
           status == WIRE_STATUS_EXPIRED || status == WIRE_STATUS_PENDING ||
           status == WIRE_STATUS_PASSED;
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
    if (status == WIRE_STATUS_DENIED)
        return PLX_E_DENIED;
    return PLX_E_ARGUMENT;
}

/* The node does not have the write, yet: copies of it may still be on their way there, or their
 * refusals on the way back, and where all were refused it is certain that it did not happen. */
static void relaxed_unknown(struct plx_client *client, struct op *op)
{
    bool is_same_node = op->shard->members[op->endpoint].incarnation == op->incarnation;
    if (!is_same_node || client->now_ns - op->transmitted_ns > NONCE_AGE_MAX_NS) {
        op_finish_plain(client, op, PLX_UNKNOWN);
        return;
    }
    large_release(op);
    op_retry(client, op, round_trip_timeout_ns(client, op->shard, false, op->attempts));
}

/* The node does not have the write and has given all numbers that it could get: no transmission of
 * it is ever accepted. Of several in a packet it does not say which it has; and whether what it had
 * accepted it would know still, is certain for a while. */
static bool relaxed_is_passed(const struct plx_client *client, const struct op *op,
                              const struct transmission *transmission)
{
    return transmission->op_count == 1 && pending_is_passed(op) &&
           op->shard->members[op->endpoint].incarnation == op->incarnation &&
           client->now_ns - op->first_transmitted_ns < RELAXED_RETRY_NS;
}

/* Why an operation was refused. */
struct refusal {
    enum wire_status status;
    uint64_t retry_ns; /* this client asks too much, and is to wait so long; 0: that is not it */
};

/* A relaxed write: its node has no room, or does not know it. True: that was the answer. */
static bool relaxed_refused(struct plx_client *client, struct op *op, const struct refusal *refusal)
{
    enum wire_status status = refusal->status;
    bool is_unknown = status == WIRE_STATUS_UNKNOWN || status == WIRE_STATUS_PASSED;
    if (is_unknown && op->unanswered > 0)
        op->is_alone = true;
    if (is_unknown && op_is_recall(client, op)) {
        relaxed_unknown(client, op);
        return true;
    }
    if (status == WIRE_STATUS_UNKNOWN)
        return true; /* all were refused meanwhile, and it goes out anew */
    bool is_full =
        status == WIRE_STATUS_OVERLOADED && refusal->retry_ns == 0 && op->phase != PHASE_RECALL;
    if (!is_full || op->request.call.is_blocking)
        return false;
    op_give_up(client, op, PLX_E_OVERLOADED);
    return true;
}

/* A node that has no room for long is not sent the same, which may be large, at the pace at which
 * lost packets are sent again. One that says when to come again is believed. */
static uint64_t refusal_wait_ns(struct plx_client *client, const struct op *op,
                                const struct refusal *refusal)
{
    if (refusal->retry_ns != 0)
        return refusal->retry_ns;
    uint64_t wait_ns = round_trip_timeout_ns(client, op->shard, false, op->attempts);
    uint32_t doublings = op->attempts > REFUSALS_QUICK ? op->attempts - REFUSALS_QUICK : 0;
    return wait_ns << (doublings < REFUSAL_DOUBLINGS ? doublings : REFUSAL_DOUBLINGS);
}

static void op_refused(struct plx_client *client, struct op *op,
                       const struct transmission *transmission, const struct refusal *refusal)
{
    enum wire_status status = refusal->status;
    bool is_fence = op_is_fence(op);
    /* A packet from before the node's restart is not taken back by what came after it: another copy
     * of it may have been taken then. */
    if (status != WIRE_STATUS_INCARNATION && !is_fence && !transmission->is_recall &&
        op->unanswered > 0)
        op->unanswered--;
    if (status == WIRE_STATUS_PASSED && op->unanswered > 0 &&
        relaxed_is_passed(client, op, transmission)) {
        op->unanswered = 0;
        op->generation++; /* no answer to them counts any more */
    }
    /* It goes out anew, then, and no node need remember what it was. */
    if (op->class == CLASS_RELAXED_WRITE && op->unanswered == 0)
        op->seq = 0;
    if (op->class == CLASS_RELAXED_WRITE && relaxed_refused(client, op, refusal))
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
                        status == WIRE_STATUS_INCARNATION || status == WIRE_STATUS_PASSED;
    if (is_elsewhere)
        op_retry(client, op, op->attempts < 2 ? 0 : client->options.rto_min_ns);
    else
        op_retry(client, op, refusal_wait_ns(client, op, refusal));
}

/* Of an op, in a reply that denies: the others of its packet are only to be sent again. */
static enum wire_status status_of_op(const struct wire_reply *reply,
                                     const struct transmission *transmission, const struct op *op,
                                     uint32_t at)
{
    size_t cursor = 0;
    if (reply->status != WIRE_STATUS_DENIED || reply->op_count == 0)
        return (enum wire_status)reply->status;
    for (uint32_t i = 0; i < reply->op_count; i++) { /* REQUEST_OPS_MAX */
        struct wire_reply_op wire;
        CHECK(wire_reply_op_decode(reply->ops, &cursor, &wire) == OK);
        if (wire.seq == (transmission->is_read ? at : op->seq))
            return WIRE_STATUS_DENIED;
    }
    return WIRE_STATUS_PENDING;
}

uint64_t reply_retry_ns(const struct wire_reply *reply)
{
    if (reply->status != WIRE_STATUS_OVERLOADED)
        return 0;
    return earlier_ns(reply->retry_us, RETRY_NS_MAX / 1000) * 1000;
}

static void reply_refuse(struct plx_client *client, struct transmission *transmission,
                         const struct wire_reply *reply)
{
    uint64_t was_answered = transmission->answered;
    struct refusal refusal = {.retry_ns = reply_retry_ns(reply)};
    for (uint32_t i = 0; i < transmission->op_count; i++) {
        transmission->answered = was_answered;
        struct op *op = transmission_op(client, transmission, i);
        if (op == NULL)
            continue;
        refusal.status = status_of_op(reply, transmission, op, i);
        op_refused(client, op, transmission, &refusal);
    }
    transmission->answered = UINT64_MAX;
}

/* Ends the writes that wait for a session, all or those that block: nothing of them was sent. */
static void waiting_writes_end(struct plx_client *client, const struct shard_state *shard,
                               bool is_all, enum plx_outcome outcome)
{
    uint32_t count = client->active_count; /* without those that a callback submits */
    for (uint32_t i = 0; i < count; i++) {
        struct op *op = &client->ops[client->active[i]];
        if (op->shard == shard && op->class == CLASS_WRITE && op->phase == PHASE_SEND &&
            op->session == 0 && (is_all || op->request.call.is_blocking))
            op_finish_plain(client, op, outcome);
    }
}

/* A registration found the log full, or the client may not write. The next write tries anew, at
 * once. */
static void registration_refused(struct plx_client *client, struct shard_state *shard,
                                 enum plx_outcome outcome)
{
    struct session *session = session_current(shard);
    session->is_wanted = false;
    session->attempts = 0;
    session->due_ns = client->now_ns;
    waiting_writes_end(client, shard, true, outcome);
}

/* What an operation on a session itself came to. Where the table of sessions is full, calls with a
 * timeout wait on: a session may end meanwhile. */
static void session_answer_take(struct plx_client *client, struct shard_state *shard,
                                const struct transmission *transmission,
                                const struct wire_reply *reply)
{
    uint64_t was_full_until_ns = session_current(shard)->full_until_ns;
    session_replied(client, shard, transmission, reply);
    if (session_current(shard)->full_until_ns > was_full_until_ns)
        waiting_writes_end(client, shard, false, PLX_E_SESSIONS);
}

/* What the reply says about the node itself. */
static void reply_note_node(struct plx_client *client, struct shard_state *shard, uint32_t at,
                            const struct wire_reply *reply, bool is_from_leader)
{
    struct member *member = &shard->members[at];
    member_heard(shard, at);
    member_is_node(member, reply->node);
    member->term = reply->term;
    if (member->incarnation == reply->incarnation)
        member->heard_ns = client->now_ns;
    /* What an earlier storage of the node said, and comes late, is of another series. */
    const struct pending_news news = {reply->series, reply->journal_done_seq,
                                      reply->is_series_alone};
    if (member->incarnation == reply->incarnation || member->series == reply->series)
        member_journal_done(client, shard, at, &news, reply->applied_index);
    if (reply->status == WIRE_STATUS_PASSED && reply->series == member->series)
        pending_given(client, shard, reply->node, reply->series, reply->given_seq);
    if (reply->status == WIRE_STATUS_INCARNATION) {
        member->incarnation = 0;
        leader_lost(client, shard, at, 0);
        member_greet(client, shard, at);
    } else if (reply->status == WIRE_STATUS_NOT_LEADER) {
        leader_lost(client, shard, at, reply->leader);
    } else if (reply->status == WIRE_STATUS_NO_QUORUM) {
        leader_lost(client, shard, at, reply->leader == reply->node ? 0 : reply->leader);
    } else if (reply->status == WIRE_STATUS_OK && is_from_leader && reply->leader == reply->node &&
               member->incarnation == reply->incarnation) {
        leader_confirmed(client, shard, at);
    }
}

void reply_receive(struct plx_client *client, const struct source *from, bool is_read,
                   const struct wire_reply *reply)
{
    struct shard_state *shard = shard_find(client, from->shard);
    struct transmission *transmission =
        shard == NULL ? NULL : transmission_find(shard, reply->number);
    if (transmission == NULL || transmission->is_read != is_read ||
        transmission->endpoint != from->endpoint) {
        client->statistics.replies_late++;
        return;
    }
    if (member_is_stranger(client, shard, from->endpoint)) {
        /* Found to be one since it was asked: of a write nobody knows what became. */
        client->statistics.strangers++;
        return;
    }
    if (transmission->kind == TRANSMISSION_RELAXED_END) {
        shard->members[from->endpoint].has_relaxed = false; /* whatever it says */
        return;
    }
    if (client->is_closing &&
        (transmission->kind != TRANSMISSION_SESSION || transmission->session == 0))
        return; /* nobody is told any more */
    struct wire_reply changed = *reply;
    if (is_read && !member_answers(client, shard, from->endpoint, reply)) {
        /* It may be a node of another cluster by now: it says so before it is listened to. */
        changed.status = WIRE_STATUS_INCARNATION;
        reply = &changed;
    }
    round_trip_sample(client, shard, transmission);
    reply_note_node(client, shard, from->endpoint, reply, !is_read);
    if (reply->status != WIRE_STATUS_OK)
        client->statistics.refusals++;
    bool is_refused = reply->status == WIRE_STATUS_LOG_FULL || reply->status == WIRE_STATUS_DENIED;
    if (transmission->kind == TRANSMISSION_SESSION && transmission->session == 0 && is_refused &&
        session_current(shard)->id == 0)
        registration_refused(client, shard, status_outcome((enum wire_status)reply->status));
    else if (transmission->kind == TRANSMISSION_SESSION)
        session_answer_take(client, shard, transmission, reply);
    else if (reply->status == WIRE_STATUS_OK)
        reply_take(client, shard, transmission, reply);
    else
        reply_refuse(client, transmission, reply);
}
