/* Sessions, for operators: see engine/service/session_pages.h. */
#include "engine/service/session_pages.h"

#include "engine/engine_internal.h"

static uint16_t outcomes_of(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SESSION_WINDOW; i++)
        count += session->outcomes[i].seq >= session->floor;
    return (uint16_t)count;
}

static uint8_t state_of(const struct session *session)
{
    if (!session->is_used)
        return WIRE_SESSION_UNUSED;
    return session->is_idle ? WIRE_SESSION_IDLE : WIRE_SESSION_OPEN;
}

static struct wire_session session_told(const struct engine *engine, const struct session *session)
{
    const struct machine *machine = &engine->machine;
    uint64_t now_ns = engine->view.now_ns;
    uint64_t log_now_ns = batch_log_now_ns(engine);
    uint64_t quiet_ns = log_now_ns - session->last_active_ns;
    uint64_t life_ns = session->is_idle ? machine->session_idle_ns : machine->session_ttl_ns;
    return (struct wire_session){
        .id = session->id,
        .quiet_us = quiet_ns / 1000,
        .heard_us = wire_age_us(session->heard_ns == 0 ? UINT64_MAX : now_ns - session->heard_ns),
        .left_us = quiet_ns < life_ns ? (life_ns - quiet_ns) / 1000 : 0,
        .address = session->heard_ns != 0 ? session->user : session->opener,
        .state = state_of(session),
        .outcomes = outcomes_of(session)};
}

/* Adds what lies from the place on; returns where the next page begins. */
static uint32_t session_page_fill(const struct engine *engine, uint32_t place,
                                  struct wire_writer *writer)
{
    const struct sessions *sessions = &engine->machine.sessions;
    uint32_t count = 0;
    if (place == 0)
        place = 1;
    for (uint32_t i = 0; i < SESSION_PAGE_PLACES_MAX && count < WIRE_SESSIONS_PAGE_MAX; i++) {
        if (place >= sessions->untouched)
            return 0;
        const struct session *session = &sessions->slots[place++];
        if (session->id == 0)
            continue;
        struct wire_session told = session_told(engine, session);
        wire_sessions_reply_add(writer, &told);
        count++;
    }
    return place < sessions->untouched ? place : 0;
}

void session_pages_receive(struct engine *engine, const struct address *from, struct span body)
{
    struct wire_sessions question;
    struct answer answer;
    if (wire_sessions_decode(body, &question) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    enum wire_status status =
        permission_of_operator(engine) ? admission_readiness(engine) : WIRE_STATUS_DENIED;
    if (status == WIRE_STATUS_OK && is_too_much(engine, true))
        status = WIRE_STATUS_OVERLOADED;
    if (status != WIRE_STATUS_OK) {
        answer_refuse(engine, from, WIRE_SESSIONS_REPLY, question.number, status);
        return;
    }
    struct wire_reply head = answer_head(engine, question.number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, from, WIRE_SESSIONS_REPLY);
    wire_sessions_reply_begin(&answer.writer, &head);
    const struct wire_sessions_reply page = {
        .next = session_page_fill(engine, question.from, &answer.writer),
        .count = engine->machine.sessions.count,
        .sessions_max = engine->machine.limits.values.sessions_max};
    wire_sessions_reply_end(&answer.writer, &page);
    answer_send(&answer);
}

/* The answer to who ends a session that there is not. */
static void answer_none(struct engine *engine, const struct address *from, uint64_t number)
{
    struct answer answer;
    struct wire_reply head = answer_head(engine, number, WIRE_STATUS_OK);
    struct wire_reply_op op = {.outcome = WIRE_OUTCOME_NO_SESSION};
    answer_begin(&answer, &engine->buffers, from, WIRE_SESSION_END_REPLY);
    answer_open(&answer, &head, 1);
    answer_add(&answer, &op, NULL, NULL, 0);
    answer_send(&answer);
}

/* Adds the end of the session to the batch; what became of it is answered when it is applied. */
static enum wire_status end_join(struct engine *engine, const struct address *from, uint64_t number,
                                 uint64_t session)
{
    const struct machine *machine = &engine->machine;
    if (!closed_sessions_has_room(&machine->closed, session, machine->log_time_ns))
        return WIRE_STATUS_OVERLOADED;
    uint8_t bytes[IDLE_REQUEST_SIZE_BYTES];
    struct request request;
    const struct waiter waiter = {.from = *from,
                                  .packet_number = number,
                                  .deadline_ns = UINT64_MAX,
                                  .reply_type = WIRE_SESSION_END_REPLY};
    const struct wire_op op = {.type = WIRE_OP_UNREGISTER};
    size_t size = idle_encode(bytes, session, 0, &op);
    CHECK(request_decode(span_of(bytes, size), &machine->index, batch_next_ops(engine), &request) ==
          OK);
    return batch_add(engine, &request, &waiter, true);
}

void session_end_receive(struct engine *engine, const struct address *from, struct span body)
{
    uint64_t number;
    uint64_t session;
    if (wire_session_end_decode(body, &number, &session) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    enum wire_status status = WIRE_STATUS_BAD_REQUEST;
    if (!permission_of_operator(engine))
        status = WIRE_STATUS_DENIED;
    else if (session != 0 && (session & WIRE_NODE_SESSION_FLAG) == 0)
        status = admission_readiness(engine);
    if (status == WIRE_STATUS_OK && sessions_find(&engine->machine.sessions, session) == NULL) {
        answer_none(engine, from, number);
        return;
    }
    if (status == WIRE_STATUS_OK)
        status = end_join(engine, from, number, session);
    if (status == WIRE_STATUS_OK)
        engine->counters.sessions_operator_ended++;
    else
        answer_refuse(engine, from, WIRE_SESSION_END_REPLY, number, status);
}
