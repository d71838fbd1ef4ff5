/* Idle sessions at the leader: see engine/service/idle.h. */
#include "engine/service/idle.h"

#include "engine/engine_internal.h"

static_assert((IDLE_FORWARDS_MAX & (IDLE_FORWARDS_MAX - 1)) == 0, "places are found by a mask");

size_t idle_arena_bytes(uint32_t sessions_max)
{
    return power_of_two_at_least(sessions_max) * sizeof(struct idle_notice) + 64;
}

void idle_init(struct engine *engine, struct arena *arena)
{
    uint32_t capacity = power_of_two_at_least(engine->machine.sessions.capacity);
    engine->idle = (struct idle_notices){
        .ring = arena_take(arena, capacity * sizeof(struct idle_notice), 64), .capacity = capacity};
}

static struct idle_notice *notice_at(const struct idle_notices *idle, uint64_t position)
{
    return &idle->ring[position & (idle->capacity - 1)];
}

/* The notice waits for another look. */
static void notice_wait(struct idle_notices *idle, const struct session *session, uint64_t due_ns)
{
    *notice_at(idle, idle->tail++) = (struct idle_notice){.session = session->id, .due_ns = due_ns};
}

/* The log shows all that a notice with this floor says, or something newer. */
static bool notice_is_settled(const struct session *session, uint64_t floor)
{
    return session->floor > floor || session->seq_highest >= floor ||
           (session->is_idle && session->floor == floor);
}

void idle_receive(struct engine *engine, uint64_t packet_number, const struct request *notice)
{
    struct idle_notices *idle = &engine->idle;
    struct session *session = sessions_find(&engine->machine.sessions, notice->session);
    if (session == NULL || notice_is_settled(session, notice->floor))
        return;
    (void)packet_window_accept(&session->packets, packet_number);
    bool is_queued = session->notice_number != 0;
    if ((is_queued && notice->floor < session->notice_floor) ||
        (!is_queued && idle->tail - idle->head == idle->capacity))
        return; /* sessions have ended and left their notices: the ring will have room again */
    session->notice_number = session->packets.highest;
    session->notice_floor = notice->floor;
    session->notice_ns = engine->view.now_ns;
    session->notice_looks = 0;
    if (!is_queued)
        notice_wait(idle, session, engine->view.now_ns + IDLE_NOTICE_WAIT_NS);
}

void idle_receive_forward(struct engine *engine, const struct request *notice)
{
    const struct session *session = sessions_find(&engine->machine.sessions, notice->session);
    uint64_t packet_number = notice->ops[0].seq;
    if (session == NULL) /* it has ended, or this node is behind: the other one comes again */
        return;
    if (!claims_of_session(session, notice))
        engine->counters.claims_seq++;
    else if (!claims_packet(session, packet_number))
        engine->counters.claims_packet++;
    else
        idle_receive(engine, packet_number, notice);
}

size_t idle_encode(uint8_t *to, uint64_t session, uint64_t floor, const struct wire_op *op)
{
    struct wire_writer writer = {.data = to, .capacity_bytes = IDLE_REQUEST_SIZE_BYTES};
    wire_request_begin(&writer, session, floor);
    wire_request_add(&writer, op);
    CHECK(!writer.is_overflow);
    return writer.size_bytes;
}

bool idle_forward(struct engine *engine, struct span *ret_request)
{
    struct idle_notices *idle = &engine->idle;
    while (idle->forwards_head != idle->forwards_tail) { /* IDLE_FORWARDS_MAX */
        uint64_t id = idle->forwards[idle->forwards_head++ & (IDLE_FORWARDS_MAX - 1)];
        const struct session *session = sessions_find(&engine->machine.sessions, id);
        uint16_t leader = engine->view.leader;
        if (session == NULL || session->notice_number == 0 || leader == 0 ||
            leader == engine->options.self)
            continue;
        const struct wire_op op = {.type = WIRE_OP_IDLE, .seq = session->notice_number};
        size_t size = idle_encode(idle->forward, id, session->notice_floor, &op);
        *ret_request = span_of(idle->forward, size);
        engine->counters.notices_forwarded++;
        return true;
    }
    return false;
}

/* One op of the session joins the batch; nobody is answered. */
static void idle_add(struct engine *engine, uint64_t session, uint64_t floor, uint8_t type)
{
    uint8_t bytes[IDLE_REQUEST_SIZE_BYTES];
    struct request request;
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true, .is_notice = true};
    size_t size = idle_encode(bytes, session, floor, &(struct wire_op){.type = type});
    CHECK(request_decode(span_of(bytes, size), &engine->machine.index, batch_next_ops(engine),
                         &request) == OK);
    /* Where the log has no room, whoever wants this looks again. */
    (void)batch_add(engine, &request, &waiter, true);
}

/* When the oldest notice is to be taken; UINT64_MAX: there is none, or it waits for a quorum or for
 * room. */
static uint64_t notice_due_ns(const struct engine *engine)
{
    const struct idle_notices *idle = &engine->idle;
    bool may_join = batch_has_room(engine) && admission_readiness(engine) == WIRE_STATUS_OK;
    if (idle->head == idle->tail || (engine->view.is_leader && !may_join))
        return UINT64_MAX;
    return notice_at(idle, idle->head)->due_ns;
}

/* The log should have the notice by now, if whoever leads had it. */
static void notice_hand_over(struct idle_notices *idle, const struct session *session)
{
    uint8_t looks = session->notice_looks;
    if (looks < IDLE_FORWARD_LOOKS || (looks & (looks - 1)) != 0 ||
        idle->forwards_tail - idle->forwards_head == IDLE_FORWARDS_MAX)
        return;
    idle->forwards[idle->forwards_tail++ & (IDLE_FORWARDS_MAX - 1)] = session->id;
}

/* Something has come of the session since the last look: its client is there, perhaps. */
static bool notice_is_overtaken(struct session *session)
{
    bool is_newest = session->packets.highest == session->notice_number;
    session->notice_number = session->packets.highest;
    return !is_newest;
}

/* The oldest notice is due. */
static void notice_take(struct engine *engine)
{
    struct idle_notices *idle = &engine->idle;
    struct idle_notice *notice = notice_at(idle, idle->head++);
    struct session *session = sessions_find(&engine->machine.sessions, notice->session);
    uint64_t now_ns = engine->view.now_ns;
    if (session == NULL || session->notice_number == 0)
        return;
    bool is_wanted = !notice_is_settled(session, session->notice_floor);
    if (is_wanted && session->notice_ns + IDLE_NOTICE_WAIT_NS > now_ns) {
        notice_wait(idle, session, session->notice_ns + IDLE_NOTICE_WAIT_NS);
        return;
    }
    session->notice_looks++;
    if (!is_wanted || session->notice_looks == IDLE_LOOKS_MAX) {
        engine->counters.notices_forgotten += is_wanted;
        session->notice_number = 0;
        return;
    }
    if (notice_is_overtaken(session))
        ; /* it waits for as long again */
    else if (engine->view.is_leader)
        idle_add(engine, session->id, session->notice_floor, WIRE_OP_IDLE);
    else
        notice_hand_over(idle, session);
    notice_wait(idle, session, now_ns + IDLE_NOTICE_WAIT_NS);
}

/* When the log time will have passed the end of a session, by the clock of this node. Where a
 * record is under way, the end of the session needs no other. */
static uint64_t expiry_due_ns(const struct engine *engine)
{
    const struct log_clock *clock = &engine->clock;
    uint64_t log_ns;
    if (engine->records.head != engine->records.tail || engine->batch.count > 0 ||
        engine->machine.sessions.count == 0 || admission_readiness(engine) != WIRE_STATUS_OK)
        return UINT64_MAX;
    (void)machine_next_expiry(&engine->machine, &log_ns);
    uint64_t due_ns = clock->anchor_now_ns + 1;
    if (log_ns > clock->anchor_log_ns)
        due_ns += log_ns - clock->anchor_log_ns;
    return due_ns > engine->idle.expiry_ns ? due_ns : engine->idle.expiry_ns;
}

/* Any request moves the log time on. That of the session itself finds the session gone. */
static void expiry_join(struct engine *engine)
{
    uint64_t log_ns;
    if (expiry_due_ns(engine) > engine->view.now_ns)
        return;
    const struct session *session = machine_next_expiry(&engine->machine, &log_ns);
    engine->idle.expiry_ns = engine->view.now_ns + IDLE_EXPIRY_WAIT_NS;
    idle_add(engine, session->id, 0, WIRE_OP_KEEP_ALIVE);
}

/* Under pressure: the table is three quarters full. */
static bool is_crowded(const struct machine *machine)
{
    return machine->sessions.count > machine->limits.values.sessions_max / 4 * 3;
}

/* Ends some of the sessions that nobody has used for long. One whose packet was seen is in use, or
 * will be when the batch applies. */
static void unused_join(struct engine *engine)
{
    const struct machine *machine = &engine->machine;
    uint64_t now_ns = engine->view.now_ns;
    struct session *session = TAILQ_FIRST(&machine->sessions.idle);
    if (!is_crowded(machine) || admission_readiness(engine) != WIRE_STATUS_OK)
        return;
    for (uint32_t i = 0; i < EXPIRE_MAX && session != NULL && batch_has_room(engine);
         i++, session = TAILQ_NEXT(session, order)) {
        if (session->last_active_ns + NEWCOMER_UNUSED_NS > machine->log_time_ns)
            return;
        if (session->is_used || session->packets.highest != 0 ||
            (session->ending_ns != 0 && now_ns - session->ending_ns < IDLE_EXPIRY_WAIT_NS))
            continue;
        session->ending_ns = now_ns;
        engine->counters.sessions_unused_ended++;
        idle_add(engine, session->id, 0, WIRE_OP_UNREGISTER);
    }
}

void idle_join(struct engine *engine)
{
    unused_join(engine);
    for (uint32_t i = 0; i < BATCH_REQUESTS_MAX && notice_due_ns(engine) <= engine->view.now_ns;
         i++)
        notice_take(engine);
    if (engine->batch.count == 0)
        expiry_join(engine);
}

uint64_t idle_deadline_ns(const struct engine *engine)
{
    if (engine->idle.forwards_head != engine->idle.forwards_tail)
        return engine->view.now_ns;
    uint64_t expiry_ns = expiry_due_ns(engine);
    uint64_t notice_ns = notice_due_ns(engine);
    return notice_ns < expiry_ns ? notice_ns : expiry_ns;
}
