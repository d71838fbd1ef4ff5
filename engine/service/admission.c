/*
 * Writes as they arrive. A refusal is definite: nothing of the request is appended, now or ever, by
 * any copy of the packet. That takes three things: the incarnation tells a packet from before this
 * node's start; the session's packet window tells a copy of a refused packet; and a packet of a
 * session that this node does not know yet, so that it could not recognize the copy, gets no answer
 * at all.
 */
#include "base/reserved_key.h"
#include "engine/engine_internal.h"

/* Which ops a request holds. */
struct request_shape {
    bool has_register;
    bool has_limits;
    bool has_other;
    bool is_fence;         /* all of them are fences */
    bool has_value_op;     /* set or swap: what takes room in store and log */
    bool has_loose_cancel; /* a cancel with no set or swap after it */
    bool has_foreign_key;  /* a key of another shard */
    bool has_idle;         /* a notice that nothing is open */
    bool has_unregister;   /* the end of its session: nobody sends it twice */
    bool has_cancel;
    bool has_reserved_key;
};

static struct request_shape shape_of(const struct engine *engine, const struct request *request)
{
    struct request_shape shape = {.is_fence = true};
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type != WIRE_OP_FENCE)
            shape.is_fence = false;
        if (op->type == WIRE_OP_REGISTER)
            shape.has_register = true;
        else if (op->type == WIRE_OP_LIMITS)
            shape.has_limits = true;
        else
            shape.has_other = true;
        if (op->type == WIRE_OP_CANCEL)
            shape.has_cancel = shape.has_loose_cancel = true;
        if (op->type == WIRE_OP_IDLE)
            shape.has_idle = true;
        if (op->type == WIRE_OP_UNREGISTER)
            shape.has_unregister = true;
        if (!op_is_set_or_swap(op))
            continue;
        shape.has_value_op = true;
        shape.has_loose_cancel = false;
        shape.has_foreign_key |= is_foreign_key(engine, op_key(request, op));
        shape.has_reserved_key |= key_is_reserved(op_key(request, op));
    }
    return shape;
}

/* One write under way through the checks. */
struct arrival {
    const struct address *from;
    struct wire_write write;
    struct request request;
    struct request_shape shape;
    struct session *session; /* NULL: there is none */
};

static void refuse_write(struct engine *engine, const struct arrival *arrival,
                         enum wire_status status)
{
    engine->counters.writes_refused++;
    answer_refuse(engine, arrival->from, WIRE_WRITE_REPLY, arrival->write.packet_number, status);
}

/* Answers every op but cancels, each with its result. */
static void answer_results(struct engine *engine, const struct arrival *arrival,
                           const struct op_result *results)
{
    const struct request *request = &arrival->request;
    struct answer answer;
    struct wire_reply head = answer_head(engine, arrival->write.packet_number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, arrival->from, WIRE_WRITE_REPLY);
    answer_open(&answer, &head, request->op_count);
    for (uint16_t i = 0; i < request->op_count; i++) {
        if (request->ops[i].type != WIRE_OP_CANCEL)
            answer_add_result(&answer, &engine->machine, request, &request->ops[i], &results[i]);
    }
    answer_send(&answer);
}

/* Answers with SESSIONS_FULL: whoever asks has opened enough that he does not use. */
static void answer_sessions_full(struct engine *engine, const struct arrival *arrival)
{
    struct op_result results[REQUEST_OPS_MAX];
    for (uint16_t i = 0; i < arrival->request.op_count; i++)
        results[i] = (struct op_result){.outcome = WIRE_OUTCOME_SESSIONS_FULL};
    engine->counters.sessions_over_share++;
    answer_results(engine, arrival, results);
}

/* Answers with NO_SESSION: the session is dead on every node, for ever. */
static void answer_no_session(struct engine *engine, const struct arrival *arrival)
{
    struct op_result results[REQUEST_OPS_MAX];
    for (uint16_t i = 0; i < arrival->request.op_count; i++)
        results[i] = (struct op_result){.outcome = WIRE_OUTCOME_NO_SESSION};
    answer_results(engine, arrival, results);
}

/* True when the outcome of every op is known here; answered then. */
static bool answer_known(struct engine *engine, const struct arrival *arrival,
                         struct session *session)
{
    const struct request *request = &arrival->request;
    struct op_result results[REQUEST_OPS_MAX];
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type == WIRE_OP_CANCEL)
            continue;
        if (op->type == WIRE_OP_UNREGISTER || op->type == WIRE_OP_KEEP_ALIVE ||
            !machine_recall(session, op->seq, &results[i]))
            return false;
    }
    answer_results(engine, arrival, results);
    engine->counters.writes_answered_from_window++;
    return true;
}

/* It may be a copy of a packet that was executed, in a session that an operator has ended. Nobody
 * concludes anything from the answer to a fence. */
static bool is_copy_of_closed(const struct engine *engine, const struct arrival *arrival)
{
    return !arrival->shape.is_fence &&
           closed_sessions_has_taken(&engine->machine.closed, arrival->request.session,
                                     arrival->write.packet_number);
}

/* True when the request ends here: replayed, answered, or not to be answered. */
static bool is_ended_by_session(struct engine *engine, const struct arrival *arrival)
{
    uint64_t id = arrival->request.session;
    struct session *session = arrival->session;
    if (id == 0)
        return false;
    if (session == NULL && is_copy_of_closed(engine, arrival)) {
        engine->counters.writes_replayed++;
        return true;
    }
    if (session == NULL) {
        if (!sessions_is_future(id, engine->machine.applied_index))
            answer_no_session(engine, arrival);
        return true;
    }
    /* Whoever resolves a token numbers its packets by another clock than the session's owner. A
     * fence may arrive in any number of copies: nobody concludes anything from its refusal. */
    if (!arrival->shape.is_fence &&
        !packet_window_accept(&session->packets, arrival->write.packet_number)) {
        engine->counters.writes_replayed++;
        return true;
    }
    if (!arrival->shape.is_fence) {
        session->heard_ns = engine->view.now_ns;
        session->user = *arrival->from;
    }
    return answer_known(engine, arrival, session);
}

/* Whether this node may append now. */
enum wire_status admission_readiness(const struct engine *engine)
{
    const struct engine_view *view = &engine->view;
    if (!view->is_leader)
        return WIRE_STATUS_NOT_LEADER;
    if (!view->has_own_commit || !view->has_fresh_quorum || view->is_transferring ||
        engine->clock.term != view->term)
        return WIRE_STATUS_NO_QUORUM;
    return WIRE_STATUS_OK;
}

static uint64_t write_deadline_ns(const struct engine *engine, uint32_t timeout_us)
{
    if (timeout_us == 0)
        return UINT64_MAX;
    return engine->view.now_ns + (uint64_t)timeout_us * 1000;
}

/* A leader takes no limits that itself cannot hold; and one change at a time. */
static enum wire_status limits_readiness(const struct engine *engine, const struct arrival *arrival)
{
    const struct request *request = &arrival->request;
    struct wire_limits limits;
    CHECK(wire_limits_decode(op_value(request, &request->ops[0]), &limits) == OK);
    if (!machine_can_hold(&engine->machine, &limits))
        return WIRE_STATUS_UNSUPPORTED;
    return engine->batch.has_limits ? WIRE_STATUS_OVERLOADED : WIRE_STATUS_OK;
}

/* False: the sender has opened too many sessions that he does not use. One that exists already
 * under its nonce is not opened again. */
static bool may_open(struct engine *engine, const struct arrival *arrival)
{
    const struct machine *machine = &engine->machine;
    uint32_t sessions_max = machine->limits.values.sessions_max;
    uint32_t free_count =
        machine->sessions.count < sessions_max ? sessions_max - machine->sessions.count : 0;
    uint32_t count = 0;
    for (uint16_t i = 0; i < arrival->request.op_count; i++)
        count += sessions_find_nonce(&machine->sessions, arrival->request.ops[i].seq) == NULL;
    return newcomers_admit(&engine->newcomers, arrival->from, count, free_count);
}

/* A fence, a cancel or the end of a session ends something. */
static bool begins(const struct arrival *arrival)
{
    return arrival->shape.has_value_op || arrival->shape.has_register;
}

static enum wire_status admit_write(struct engine *engine, const struct arrival *arrival)
{
    enum wire_status status;
    if (arrival->shape.has_cancel &&
        !claims_share_cancels(engine, arrival->session, &arrival->request)) {
        engine->counters.cancels_over_share++;
        return WIRE_STATUS_LOG_FULL;
    }
    struct request request = arrival->request;
    bool has_limits = arrival->shape.has_limits;
    status = has_limits ? limits_readiness(engine, arrival) : inbound_overrule(engine, &request);
    if (status != WIRE_STATUS_OK)
        return status;
    struct waiter waiter = {.from = *arrival->from,
                            .packet_number = arrival->write.packet_number,
                            .deadline_ns = write_deadline_ns(engine, arrival->write.timeout_us)};
    status = batch_add(engine, &request, &waiter, !begins(arrival));
    if (status == WIRE_STATUS_OK && has_limits)
        engine->batch.has_limits = true;
    return status;
}

/* What is neither known nor a copy: into the batch, or refused. Only who leads, and so knows what
 * is committed, denies. */
static void take_write(struct engine *engine, const struct arrival *arrival)
{
    enum wire_status status = admission_readiness(engine);
    uint64_t denied = 0;
    if (status == WIRE_STATUS_OK)
        denied = permission_of_write(engine, &arrival->request, false);
    if (denied != 0) {
        permission_refuse_write(engine, arrival->from, arrival->write.packet_number,
                                &arrival->request, denied);
        return;
    }
    if (status == WIRE_STATUS_OK)
        status = is_too_much(engine, begins(arrival)) ? WIRE_STATUS_OVERLOADED
                                                      : admit_write(engine, arrival);
    if (status != WIRE_STATUS_OK)
        refuse_write(engine, arrival, status);
    if (arrival->shape.has_unregister) /* refused, or lost with its record: it is idle, then */
        idle_receive(engine, arrival->write.packet_number, &arrival->request);
}

/* A request that no node would ever accept. */
static bool is_bad(const struct arrival *arrival)
{
    if (arrival->write.request.size_bytes > ADMISSION_REQUEST_SIZE_BYTES_MAX ||
        arrival->shape.has_loose_cancel ||
        (arrival->shape.has_idle && (arrival->request.op_count > 1 || arrival->write.is_relaxed)))
        return true;
    if (arrival->write.is_relaxed)
        return arrival->request.session == 0 || arrival->shape.has_register ||
               arrival->shape.has_limits;
    if ((arrival->request.session & WIRE_NODE_SESSION_FLAG) != 0)
        return true;
    const struct request_shape *shape = &arrival->shape;
    if (shape->has_limits)
        return arrival->request.session != 0 || arrival->request.op_count != 1;
    return arrival->request.session == 0 ? shape->has_other : shape->has_register;
}

/* False: a packet that its session cannot have sent. Nothing of the session changes for it. */
static bool is_of_session(struct engine *engine, struct arrival *arrival)
{
    struct session *session = sessions_find(&engine->machine.sessions, arrival->request.session);
    arrival->session = session;
    if (session == NULL)
        return true;
    if (!claims_of_session(session, &arrival->request)) {
        engine->counters.claims_seq++;
        return false;
    }
    if (!arrival->shape.is_fence && !claims_packet(session, arrival->write.packet_number)) {
        engine->counters.claims_packet++;
        return false;
    }
    return true;
}

/* Unless the cancels are of writes that there can be, under the tag of this client alone. */
static bool is_refused_by_cancels(struct engine *engine, const struct arrival *arrival)
{
    if (!arrival->shape.has_cancel)
        return false;
    const struct request *request = &arrival->request;
    uint32_t tag = arrival->write.is_relaxed ? wire_tag(request->session) : 0;
    if (arrival->session != NULL)
        tag = arrival->session->cancel_tag;
    enum wire_status status = claims_cancels(engine, request);
    for (uint16_t i = 0; i < request->op_count && status == WIRE_STATUS_OK; i++) {
        const struct op *op = &request->ops[i];
        if (op->type == WIRE_OP_CANCEL && tag == 0)
            tag = op->tag;
        if (op->type == WIRE_OP_CANCEL && op->tag != tag)
            status = WIRE_STATUS_BAD_REQUEST;
    }
    if (status == WIRE_STATUS_OK && arrival->session != NULL)
        arrival->session->cancel_tag = tag;
    if (status == WIRE_STATUS_OK)
        return false;
    engine->counters.claims_cancel++;
    refuse_write(engine, arrival, status);
    return true;
}

static bool is_relaxed_end(const struct arrival *arrival)
{
    return arrival->write.is_relaxed && arrival->shape.has_unregister &&
           arrival->request.op_count == 1;
}

/* A relaxed session is of this node alone, and no log need know that its client has given it back.
 * That holds whichever start of this node it names: a restart has read the session again. */
static void give_back_relaxed(struct engine *engine, const struct arrival *arrival)
{
    struct relaxed_sessions *sessions = &engine->relaxed.sessions;
    struct answer answer;
    if (!engine->relaxed.is_open) {
        refuse_write(engine, arrival, WIRE_STATUS_UNSUPPORTED);
        return;
    }
    if (!relaxed_sessions_give_back(sessions, arrival->request.session,
                                    arrival->write.packet_number, engine->view.now_ns)) {
        refuse_write(engine, arrival, WIRE_STATUS_OVERLOADED);
        return;
    }
    engine->counters.relaxed_given_back++;
    struct wire_reply head = answer_head(engine, arrival->write.packet_number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, arrival->from, WIRE_WRITE_REPLY);
    answer_open(&answer, &head, 0);
    answer_send(&answer);
}

/* A notice executes nothing and is not refused: it is taken whichever start of this node it names.
 * Its client may have spoken to the leader alone. */
void admission_write(struct engine *engine, const struct address *from, struct span body)
{
    struct arrival arrival = {.from = from};
    if (wire_write_decode(body, &arrival.write) != OK ||
        request_decode(arrival.write.request, &engine->machine.index, batch_next_ops(engine),
                       &arrival.request) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    engine->counters.writes_received++;
    arrival.shape = shape_of(engine, &arrival.request);
    if (is_bad(&arrival) ||
        (arrival.shape.has_reserved_key &&
         !permission_is_sound(engine, &arrival.request, arrival.write.is_relaxed))) {
        refuse_write(engine, &arrival, WIRE_STATUS_BAD_REQUEST);
    } else if (arrival.shape.has_foreign_key) {
        engine->counters.keys_of_other_shards++;
        refuse_write(engine, &arrival, WIRE_STATUS_WRONG_SHARD);
    } else if (!arrival.write.is_relaxed && !arrival.shape.has_idle &&
               arrival.write.incarnation != engine->options.incarnation) {
        refuse_write(engine, &arrival, WIRE_STATUS_INCARNATION);
    } else if ((!arrival.write.is_relaxed && !is_of_session(engine, &arrival)) ||
               is_refused_by_cancels(engine, &arrival)) {
        return;
    } else if (is_relaxed_end(&arrival)) {
        give_back_relaxed(engine, &arrival);
    } else if (arrival.write.is_relaxed) {
        relaxed_write(engine, from, &arrival.write, &arrival.request);
    } else if (arrival.shape.has_idle) {
        idle_receive(engine, arrival.write.packet_number, &arrival.request);
    } else if (arrival.shape.has_register && admission_readiness(engine) == WIRE_STATUS_OK &&
               !may_open(engine, &arrival)) {
        answer_sessions_full(engine, &arrival);
    } else if (!is_ended_by_session(engine, &arrival)) {
        take_write(engine, &arrival);
    }
}
