/* Idle sessions at the leader: see engine/service/idle.h. */
#include "engine/service/idle.h"

#include "engine/engine_internal.h"

#define IDLE_REQUEST_SIZE_BYTES (WIRE_REQUEST_HEADER_SIZE_BYTES + WIRE_OP_HEADER_SIZE_BYTES)

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

void idle_receive(struct engine *engine, uint64_t packet_number, const struct request *notice)
{
    struct idle_notices *idle = &engine->idle;
    struct session *session = sessions_find(&engine->machine.sessions, notice->session);
    if (session == NULL || !engine->view.is_leader || packet_number < session->packets.highest)
        return;
    (void)packet_window_accept(&session->packets, packet_number);
    bool is_queued = session->notice_number != 0;
    if (!is_queued && idle->tail - idle->head == idle->capacity)
        return; /* sessions have ended and left their notices: the ring will have room again */
    session->notice_number = packet_number;
    session->notice_floor = notice->floor;
    session->notice_ns = engine->view.now_ns;
    if (!is_queued)
        *notice_at(idle, idle->tail++) = (struct idle_notice){
            .session = session->id, .due_ns = engine->view.now_ns + IDLE_NOTICE_WAIT_NS};
}

/* One op of the session joins the batch; nobody is answered. */
static void idle_add(struct engine *engine, uint64_t session, uint64_t floor, uint8_t type)
{
    uint8_t bytes[IDLE_REQUEST_SIZE_BYTES];
    struct wire_writer writer = {.data = bytes, .capacity_bytes = sizeof(bytes)};
    struct request request;
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true, .is_notice = true};
    wire_request_begin(&writer, session, floor);
    wire_request_add(&writer, &(struct wire_op){.type = type});
    CHECK(!writer.is_overflow);
    CHECK(request_decode(span_of(bytes, writer.size_bytes), &engine->machine.index,
                         batch_next_ops(engine), &request) == OK);
    /* Where the log has no room the notice is lost. */
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

/* The oldest notice is due. */
static void notice_take(struct engine *engine)
{
    struct idle_notices *idle = &engine->idle;
    struct idle_notice *notice = notice_at(idle, idle->head++);
    struct session *session = sessions_find(&engine->machine.sessions, notice->session);
    if (session == NULL || session->notice_number == 0)
        return;
    uint64_t due_ns = session->notice_ns + IDLE_NOTICE_WAIT_NS;
    bool is_newest = session->packets.highest == session->notice_number;
    if (is_newest && due_ns > engine->view.now_ns) {
        *notice_at(idle, idle->tail++) =
            (struct idle_notice){.session = session->id, .due_ns = due_ns};
        return;
    }
    session->notice_number = 0;
    if (is_newest && engine->view.is_leader)
        idle_add(engine, session->id, session->notice_floor, WIRE_OP_IDLE);
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
    uint64_t expiry_ns = expiry_due_ns(engine);
    uint64_t notice_ns = notice_due_ns(engine);
    return notice_ns < expiry_ns ? notice_ns : expiry_ns;
}
