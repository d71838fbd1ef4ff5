/* Answers to writes and fences: an outcome ends its operation. */
#include "client/client_internal.h"

void write_without_session(struct plx_client *client, struct op *op, bool is_undone)
{
    session_expired(op->shard, op->session);
    if (is_undone)
        op->unanswered = 0;
    if (op->phase == PHASE_RESOLVE) {
        op_finish_plain(client, op, is_undone ? PLX_TIMEOUT : PLX_E_SESSION_EXPIRED);
    } else if (op->unanswered > 0) {
        client->statistics.unknowns_expired++;
        op_finish_plain(client, op, PLX_UNKNOWN);
    } else if (op_is_fence(op)) {
        op_finish_plain(client, op, op->undone_outcome);
    } else {
        large_release(op);
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
        const struct member *member = &op->shard->members[op->endpoint];
        if (reply->series != member->series || wire->version > member->journal_done_seq)
            pending_remember(client, op, reply->node, reply->series, wire->version);
        else
            note_seen_index(op->shard, member->journal_done_index); /* in the log, up to there */
        return;
    }
    bool is_any_overruled = op->phase != PHASE_RESOLVE && pending_overruled(client, op);
    note_seen(op->shard, reply, wire);
    /* Gets under way were to see what was pending, or what has overruled it. */
    if (is_any_overruled)
        ops_bound_staleness(client, op->shard);
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
        note_seen(op->shard, reply, wire);
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
    case WIRE_OUTCOME_DENIED:
    case WIRE_OUTCOME_END:
        response.outcome = op->phase == PHASE_RESOLVE ? PLX_E_SESSION_EXPIRED : PLX_UNKNOWN;
        break;
    }
    finish_with_value(client, op, &response, wire->chunk);
}

/*
 * NO_SESSION says that this copy of the packet was not executed. That none was follows only where
 * the answer is prompt: a session outlives its renewals, so it cannot have executed another copy
 * and have expired, too, in less time than passes between two of them. Where the session ended
 * while it was idle, the node may remember that and say from which seq on nothing was executed.
 */
void write_outcome(struct plx_client *client, struct op *op, const struct wire_reply *reply,
                   const struct wire_reply_op *wire, uint64_t sent_ns)
{
    bool is_fence = op_is_fence(op);
    if (wire->outcome == WIRE_OUTCOME_NO_SESSION) {
        bool is_prompt = client->now_ns - sent_ns < session_renewal_ns(client);
        if (!is_fence && op->unanswered > 0 && is_prompt)
            op->unanswered--;
        write_without_session(client, op, wire->version != 0 && op->seq >= wire->version);
    } else if (wire->outcome == WIRE_OUTCOME_WINDOW) {
        if (!is_fence && op->unanswered > 0)
            op->unanswered--;
        op_retry(client, op, round_trip_timeout_ns(client, op->shard, false, op->attempts));
    } else {
        write_decided(client, op, reply, wire);
    }
}
