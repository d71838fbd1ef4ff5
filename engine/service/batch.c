/* Batches and proposed records: see engine/service/batch.h. */
#include "base/le.h"
#include "engine/engine_internal.h"

size_t batch_arena_bytes(const struct engine_options *options)
{
    return RECORD_PAYLOAD_SIZE_BYTES_MAX +
           power_of_two_at_least(options->batches_inflight_max) * sizeof(struct pending_record) +
           INFLIGHT_REQUESTS_MAX * sizeof(struct batch_request) +
           (INFLIGHT_OPS_MAX + BATCH_OPS_MAX + REQUEST_OPS_MAX) * sizeof(struct op) + 5 * 64;
}

static void batch_clear(struct batch *batch)
{
    batch->size_bytes = RECORD_PREFIX_SIZE_BYTES;
    batch->count = 0;
    batch->op_count = 0;
    batch->has_limits = false;
    batch->deadline_ns = UINT64_MAX;
}

void batch_init(struct engine *engine, struct arena *arena)
{
    struct pending_records *records = &engine->records;
    records->limit = engine->options.batches_inflight_max;
    records->capacity = power_of_two_at_least(records->limit);
    records->records = arena_take(arena, records->capacity * sizeof(struct pending_record), 64);
    records->requests = arena_take(arena, INFLIGHT_REQUESTS_MAX * sizeof(struct batch_request), 64);
    records->ops = arena_take(arena, INFLIGHT_OPS_MAX * sizeof(struct op), 64);
    engine->batch.data = arena_take(arena, RECORD_PAYLOAD_SIZE_BYTES_MAX, 64);
    engine->batch.ops =
        arena_take(arena, (BATCH_OPS_MAX + REQUEST_OPS_MAX) * sizeof(struct op), 64);
    batch_clear(&engine->batch);
}

static size_t padded(size_t size_bytes)
{
    return (size_bytes + REQUEST_ALIGN_BYTES - 1) & ~(size_t)(REQUEST_ALIGN_BYTES - 1);
}

bool batch_has_room(const struct engine *engine)
{
    return engine->batch.count < BATCH_REQUESTS_MAX &&
           engine->batch.size_bytes < BATCH_SIZE_BYTES_SOFT;
}

struct span record_next_request(struct span payload, size_t *cursor)
{
    CHECK(payload.size_bytes - *cursor >= REQUEST_PREFIX_SIZE_BYTES);
    size_t size = le32_load(payload.data + *cursor);
    size_t start = *cursor + REQUEST_PREFIX_SIZE_BYTES;
    CHECK(size <= payload.size_bytes - start);
    size_t end = (start + size + REQUEST_ALIGN_BYTES - 1) & ~(size_t)(REQUEST_ALIGN_BYTES - 1);
    CHECK(end <= payload.size_bytes);
    *cursor = end;
    return span_of(payload.data + start, size);
}

struct op *batch_next_ops(struct engine *engine)
{
    return engine->batch.ops + engine->batch.op_count;
}

/* Copies the request's ops behind those of the batch, where they may lie already. */
static void take_ops(struct batch *batch, const struct request *request)
{
    struct op *to = batch->ops + batch->op_count;
    if (request->ops != to)
        memcpy(to, request->ops, request->op_count * sizeof(*to));
    batch->op_count += request->op_count;
}

enum wire_status batch_add(struct engine *engine, const struct request *request,
                           const struct waiter *waiter, bool may_use_reserve)
{
    struct batch *batch = &engine->batch;
    size_t size = padded(REQUEST_PREFIX_SIZE_BYTES + request->size_bytes);
    size_t total = batch->size_bytes + size;
    size_t reserve = may_use_reserve ? 0 : LOG_FENCE_RESERVE_SIZE_BYTES;
    if (total + reserve > engine->view.log_room_bytes ||
        (!may_use_reserve && total > engine->view.data_room_bytes))
        return WIRE_STATUS_LOG_FULL;
    if (!batch_has_room(engine) || total > engine->view.record_bytes_max)
        return WIRE_STATUS_OVERLOADED;
    uint8_t *to = batch->data + batch->size_bytes;
    le32_store(to, (uint32_t)request->size_bytes);
    memcpy(to + REQUEST_PREFIX_SIZE_BYTES, request->bytes, request->size_bytes);
    size_t end = REQUEST_PREFIX_SIZE_BYTES + request->size_bytes;
    memset(to + end, 0, size - end);
    batch->requests[batch->count++] =
        (struct batch_request){.waiter = *waiter,
                               .session = request->session,
                               .floor = request->floor,
                               .offset = (uint32_t)(batch->size_bytes + REQUEST_PREFIX_SIZE_BYTES),
                               .size_bytes = (uint32_t)request->size_bytes,
                               .op_count = request->op_count};
    take_ops(batch, request);
    batch->size_bytes = total;
    if (waiter->deadline_ns < batch->deadline_ns)
        batch->deadline_ns = waiter->deadline_ns;
    return WIRE_STATUS_OK;
}

static void refuse_request(struct engine *engine, const struct waiter *waiter,
                           enum wire_status status)
{
    /* A peer sends its batch again by itself; this node must be told that its own is still to
     * go. */
    if (waiter->is_silent) {
        if (!waiter->is_notice)
            outbound_failed(engine);
        return;
    }
    engine->counters.writes_refused++;
    answer_refuse(engine, &waiter->from, waiter_reply_type(waiter), waiter->packet_number, status);
}

/* Moves a request of the batch up to where those before it end; `op_from` is its first op. */
static void close_up(struct batch *batch, const struct batch_request *request, uint32_t op_from)
{
    size_t size = padded(REQUEST_PREFIX_SIZE_BYTES + request->size_bytes);
    struct batch_request *to = &batch->requests[batch->count++];
    memmove(batch->data + batch->size_bytes,
            batch->data + request->offset - REQUEST_PREFIX_SIZE_BYTES, size);
    memmove(batch->ops + batch->op_count, batch->ops + op_from,
            request->op_count * sizeof(struct op));
    *to = *request;
    to->offset = (uint32_t)(batch->size_bytes + REQUEST_PREFIX_SIZE_BYTES);
    batch->size_bytes += size;
    batch->op_count += request->op_count;
    if (request->waiter.deadline_ns < batch->deadline_ns)
        batch->deadline_ns = request->waiter.deadline_ns;
}

void batch_expire(struct engine *engine)
{
    struct batch *batch = &engine->batch;
    uint64_t now_ns = engine->view.now_ns;
    if (batch->deadline_ns > now_ns)
        return;
    uint32_t count = batch->count;
    uint32_t op_from = 0;
    bool has_limits = batch->has_limits;
    batch_clear(batch);
    batch->has_limits = has_limits; /* or had: the flag says that a request may */
    for (uint32_t i = 0; i < count; i++) {
        struct batch_request request = batch->requests[i];
        if (request.waiter.deadline_ns <= now_ns) {
            refuse_request(engine, &request.waiter, WIRE_STATUS_EXPIRED);
        } else {
            close_up(batch, &request, op_from);
        }
        op_from += request.op_count;
    }
}

bool batch_leave_forwards_out(struct engine *engine)
{
    struct batch *batch = &engine->batch;
    uint32_t count = batch->count;
    uint32_t op_from = 0;
    bool has_limits = batch->has_limits;
    bool is_any = false;
    for (uint32_t i = 0; i < count; i++)
        is_any |= (batch->requests[i].session & WIRE_NODE_SESSION_FLAG) != 0;
    if (!is_any)
        return false;
    batch_clear(batch);
    batch->has_limits = has_limits;
    for (uint32_t i = 0; i < count; i++) {
        struct batch_request request = batch->requests[i];
        if ((request.session & WIRE_NODE_SESSION_FLAG) != 0)
            refuse_request(engine, &request.waiter, WIRE_STATUS_PENDING);
        else
            close_up(batch, &request, op_from);
        op_from += request.op_count;
    }
    return true;
}

void batch_anchor_clock(struct engine *engine)
{
    const struct engine_view *view = &engine->view;
    struct log_clock *clock = &engine->clock;
    if (!view->is_leader || clock->term != view->term) {
        /* Writes that were gathered under another leadership are not this one's to append. */
        engine_batch_refused(engine, WIRE_STATUS_NOT_LEADER);
        clock->term = 0;
    }
    /* From an own entry applied on, no record of an earlier term is unapplied, and none of this
     * term was proposed: the machine's log time is the newest there is. */
    if (!view->is_leader || clock->term == view->term || !view->has_own_commit ||
        engine->machine.applied_index < view->commit_index)
        return;
    *clock = (struct log_clock){.term = view->term,
                                .anchor_now_ns = view->now_ns,
                                .anchor_log_ns = engine->machine.log_time_ns,
                                .last_ns = engine->machine.log_time_ns};
}

uint64_t batch_log_now_ns(const struct engine *engine)
{
    const struct log_clock *clock = &engine->clock;
    CHECK(clock->term == engine->view.term);
    uint64_t log_ns = clock->anchor_log_ns + (engine->view.now_ns - clock->anchor_now_ns);
    return log_ns > clock->last_ns ? log_ns : clock->last_ns;
}

/* Position of a run of ops in their ring that does not wrap. */
static uint64_t ops_position(const struct pending_records *records, uint32_t op_count)
{
    uint64_t to_end = INFLIGHT_OPS_MAX - records->ops_tail % INFLIGHT_OPS_MAX;
    return to_end < op_count ? records->ops_tail + to_end : records->ops_tail;
}

static struct pending_record *pending_record_at(const struct pending_records *records,
                                                uint64_t position)
{
    return &records->records[position & (records->capacity - 1)];
}

/* True when the batch, as a record, has room beside those that are not applied yet. */
static bool has_inflight_room(const struct engine *engine)
{
    const struct batch *batch = &engine->batch;
    const struct pending_records *records = &engine->records;
    if (records->head == records->tail)
        return true;
    const struct pending_record *oldest = pending_record_at(records, records->head);
    uint64_t ops_end = ops_position(records, batch->op_count) + batch->op_count;
    return records->tail - records->head < records->limit &&
           records->requests_tail + batch->count - oldest->request_first <= INFLIGHT_REQUESTS_MAX &&
           ops_end - oldest->op_first <= INFLIGHT_OPS_MAX;
}

bool engine_batch(struct engine *engine, struct span *ret_payload)
{
    struct batch *batch = &engine->batch;
    batch_expire(engine);
    idle_join(engine);
    if (batch->count == 0 || !has_inflight_room(engine) ||
        batch->size_bytes > engine->view.append_room_bytes)
        return false;
    uint8_t *to = batch->data;
    memset(to, 0, RECORD_PREFIX_SIZE_BYTES);
    le64_store(to, batch_log_now_ns(engine));
    le32_store(to + 8, batch->count);
    le32_store(to + RECORD_FLAGS_OFFSET, batch->has_limits ? RECORD_FLAG_LIMITS : 0);
    *ret_payload = span_of(to, batch->size_bytes);
    return true;
}

/* What an earlier leadership left behind at this index and after it is superseded. */
static void drop_superseded(struct pending_records *records, uint64_t index)
{
    while (records->tail > records->head &&
           pending_record_at(records, records->tail - 1)->index >= index) {
        const struct pending_record *last = pending_record_at(records, --records->tail);
        records->requests_tail = last->request_first;
        records->ops_tail = last->op_first;
    }
    if (records->head == records->tail) {
        records->requests_tail = 0;
        records->ops_tail = 0;
    }
}

void engine_batch_proposed(struct engine *engine, uint64_t index, uint64_t term)
{
    struct batch *batch = &engine->batch;
    struct pending_records *records = &engine->records;
    CHECK(batch->count > 0);
    CHECK(index > engine->machine.applied_index);
    drop_superseded(records, index);
    CHECK(has_inflight_room(engine));
    struct pending_record *record = pending_record_at(records, records->tail++);
    *record = (struct pending_record){.index = index,
                                      .term = term,
                                      .request_first = records->requests_tail,
                                      .op_first = ops_position(records, batch->op_count),
                                      .count = batch->count,
                                      .op_count = batch->op_count};
    for (uint32_t i = 0; i < batch->count; i++)
        records->requests[records->requests_tail++ % INFLIGHT_REQUESTS_MAX] = batch->requests[i];
    memcpy(records->ops + record->op_first % INFLIGHT_OPS_MAX, batch->ops,
           batch->op_count * sizeof(struct op));
    records->ops_tail = record->op_first + batch->op_count;
    engine->clock.last_ns = le64_load(batch->data);
    engine->counters.batches++;
    batch_clear(batch);
}

void engine_batch_refused(struct engine *engine, enum wire_status status)
{
    struct batch *batch = &engine->batch;
    for (uint32_t i = 0; i < batch->count; i++)
        refuse_request(engine, &batch->requests[i].waiter, status);
    batch_clear(batch);
}

const struct pending_record *batch_take_record(struct engine *engine, uint64_t index, uint64_t term)
{
    struct pending_records *records = &engine->records;
    if (records->head == records->tail)
        return NULL;
    const struct pending_record *record = pending_record_at(records, records->head);
    CHECK(record->index >= index);
    if (record->index > index)
        return NULL;
    records->head++;
    return record->term == term ? record : NULL;
}

void batch_forget_records(struct engine *engine, uint64_t index)
{
    struct pending_records *records = &engine->records;
    while (records->head != records->tail &&
           pending_record_at(records, records->head)->index <= index)
        records->head++;
}

const struct batch_request *batch_record_request(const struct engine *engine,
                                                 const struct pending_record *record, uint32_t i)
{
    CHECK(i < record->count);
    return &engine->records.requests[(record->request_first + i) % INFLIGHT_REQUESTS_MAX];
}

const struct op *batch_record_ops(const struct engine *engine, const struct pending_record *record)
{
    return &engine->records.ops[record->op_first % INFLIGHT_OPS_MAX];
}

void batch_check_invariants(const struct engine *engine)
{
    const struct batch *batch = &engine->batch;
    const struct pending_records *records = &engine->records;
    uint32_t op_count = 0;
    CHECK(records->tail - records->head <= records->limit);
    CHECK(batch->count <= BATCH_REQUESTS_MAX);
    for (uint32_t i = 0; i < batch->count; i++)
        op_count += batch->requests[i].op_count;
    CHECK(op_count == batch->op_count);
}
