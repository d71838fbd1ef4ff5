/* Writes on their way to a log record, and who waits for it. */
#include "base/le.h"
#include "engine/engine_internal.h"

size_t batch_arena_bytes(const struct engine_options *options)
{
    return RECORD_PAYLOAD_SIZE_BYTES_MAX + 64 +
           power_of_two_at_least(options->batches_inflight_max) * sizeof(struct pending_record) +
           64;
}

static void batch_clear(struct batch *batch)
{
    batch->size_bytes = RECORD_PREFIX_SIZE_BYTES;
    batch->count = 0;
    batch->deadline_ns = UINT64_MAX;
}

void batch_init(struct engine *engine, struct arena *arena)
{
    struct pending_records *records = &engine->records;
    records->limit = engine->options.batches_inflight_max;
    records->capacity = power_of_two_at_least(records->limit);
    records->records = arena_take(arena, records->capacity * sizeof(struct pending_record), 64);
    engine->batch.data = arena_take(arena, RECORD_PAYLOAD_SIZE_BYTES_MAX, 64);
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

enum wire_status batch_add(struct engine *engine, struct span request, const struct waiter *waiter,
                           bool may_use_reserve)
{
    struct batch *batch = &engine->batch;
    size_t size = padded(REQUEST_PREFIX_SIZE_BYTES + request.size_bytes);
    size_t total = batch->size_bytes + size;
    size_t reserve = may_use_reserve ? 0 : LOG_RESERVE_SIZE_BYTES;
    if (total + reserve > engine->view.log_room_bytes)
        return WIRE_STATUS_LOG_FULL;
    if (!batch_has_room(engine) || total > RECORD_PAYLOAD_SIZE_BYTES_MAX)
        return WIRE_STATUS_OVERLOADED;
    uint8_t *to = batch->data + batch->size_bytes;
    le32_store(to, (uint32_t)request.size_bytes);
    memcpy(to + REQUEST_PREFIX_SIZE_BYTES, request.data, request.size_bytes);
    size_t end = REQUEST_PREFIX_SIZE_BYTES + request.size_bytes;
    memset(to + end, 0, size - end);
    batch->waiters[batch->count++] = *waiter;
    batch->size_bytes = total;
    if (waiter->deadline_ns < batch->deadline_ns)
        batch->deadline_ns = waiter->deadline_ns;
    return WIRE_STATUS_OK;
}

static void refuse(struct engine *engine, const struct waiter *waiter, enum wire_status status)
{
    /* A peer sends its batch again by itself; this node must be told that its own is still to
     * go. */
    if (waiter->is_silent) {
        forward_failed(engine);
        return;
    }
    engine->counters.writes_refused++;
    answer_refuse(engine, &waiter->from, WIRE_WRITE_REPLY, waiter->packet_number, status);
}

void batch_expire(struct engine *engine)
{
    struct batch *batch = &engine->batch;
    uint64_t now_ns = engine->view.now_ns;
    if (batch->deadline_ns > now_ns)
        return;
    uint32_t count = batch->count;
    size_t from = RECORD_PREFIX_SIZE_BYTES;
    batch_clear(batch);
    for (uint32_t i = 0; i < count; i++) {
        struct waiter waiter = batch->waiters[i];
        size_t size = padded(REQUEST_PREFIX_SIZE_BYTES + le32_load(batch->data + from));
        if (waiter.deadline_ns <= now_ns) {
            refuse(engine, &waiter, WIRE_STATUS_EXPIRED);
        } else {
            /* Closes the gap that the refused ones left. */
            memmove(batch->data + batch->size_bytes, batch->data + from, size);
            batch->size_bytes += size;
            batch->waiters[batch->count++] = waiter;
            if (waiter.deadline_ns < batch->deadline_ns)
                batch->deadline_ns = waiter.deadline_ns;
        }
        from += size;
    }
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
    if (!view->is_leader || clock->term == view->term || !view->is_settled ||
        engine->machine.applied_index < view->commit_index)
        return;
    *clock = (struct log_clock){.term = view->term,
                                .anchor_now_ns = view->now_ns,
                                .anchor_log_ns = engine->machine.log_time_ns,
                                .last_ns = engine->machine.log_time_ns};
}

static uint64_t next_log_time_ns(const struct engine *engine)
{
    const struct log_clock *clock = &engine->clock;
    CHECK(clock->term == engine->view.term);
    uint64_t log_ns = clock->anchor_log_ns + (engine->view.now_ns - clock->anchor_now_ns);
    return log_ns > clock->last_ns ? log_ns : clock->last_ns;
}

bool engine_batch(struct engine *engine, struct span *ret_payload)
{
    struct batch *batch = &engine->batch;
    const struct pending_records *records = &engine->records;
    batch_expire(engine);
    if (batch->count == 0 || records->tail - records->head >= records->limit)
        return false;
    uint8_t *to = batch->data;
    memset(to, 0, RECORD_PREFIX_SIZE_BYTES);
    le64_store(to, next_log_time_ns(engine));
    le32_store(to + 8, batch->count);
    *ret_payload = span_of(to, batch->size_bytes);
    return true;
}

static struct pending_record *record_at(const struct pending_records *records, uint64_t position)
{
    return &records->records[position & (records->capacity - 1)];
}

void engine_batch_proposed(struct engine *engine, uint64_t index, uint64_t term)
{
    struct batch *batch = &engine->batch;
    struct pending_records *records = &engine->records;
    CHECK(batch->count > 0);
    CHECK(index > engine->machine.applied_index);
    /* What an earlier leadership left behind at this index and after it is superseded. */
    while (records->tail > records->head && record_at(records, records->tail - 1)->index >= index)
        records->tail--;
    CHECK(records->tail - records->head < records->limit);
    struct pending_record *record = record_at(records, records->tail++);
    record->index = index;
    record->term = term;
    record->count = batch->count;
    memcpy(record->waiters, batch->waiters, batch->count * sizeof(batch->waiters[0]));
    engine->clock.last_ns = le64_load(batch->data);
    engine->counters.batches++;
    batch_clear(batch);
}

void engine_batch_refused(struct engine *engine, enum wire_status status)
{
    struct batch *batch = &engine->batch;
    for (uint32_t i = 0; i < batch->count; i++)
        refuse(engine, &batch->waiters[i], status);
    batch_clear(batch);
}

const struct pending_record *batch_take_waiters(struct engine *engine, uint64_t index,
                                                uint64_t term)
{
    struct pending_records *records = &engine->records;
    if (records->head == records->tail)
        return NULL;
    const struct pending_record *record = record_at(records, records->head);
    CHECK(record->index >= index);
    if (record->index > index)
        return NULL;
    records->head++;
    return record->term == term ? record : NULL;
}
