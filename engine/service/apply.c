/* Committed records through the machine; those that this node proposed are answered on the way. */
#include "base/le.h"
#include "engine/engine_internal.h"
#include "engine/state/key_hash.h"

/* More than that would be evicted again before its turn comes. */
#define FETCH_AHEAD_OPS_MAX 256

/* Counts what an op came to. */
static void count_result(struct engine_counters *counters, const struct op_result *result)
{
    counters->ops_applied++;
    if (result->is_duplicate)
        counters->ops_duplicate++;
    else if (result->outcome == WIRE_OUTCOME_FENCED)
        counters->ops_fenced++;
}

/* Counts what a relaxed write of this node came to. */
static void count_own(struct engine *engine, const struct op_result *result)
{
    struct engine_counters *counters = &engine->counters;
    if (result->is_duplicate)
        counters->ops_duplicate++;
    else if (result->outcome == WIRE_OUTCOME_OK)
        counters->relaxed_applied++;
    else if (result->outcome == WIRE_OUTCOME_FENCED)
        counters->relaxed_cancelled++;
    else
        counters->relaxed_blocked++;
}

static void tell_wrote(const struct engine *engine, const struct session *session,
                       const struct wire_op *op, uint32_t ordinal)
{
    const struct engine_hooks *hooks = &engine->options.hooks;
    const struct machine *machine = &engine->machine;
    if (hooks->wrote != NULL)
        hooks->wrote(hooks->context,
                     &(struct engine_wrote){.origin = machine->origin,
                                            .session = session != NULL ? session->id : 0,
                                            .seq = op->seq,
                                            .index = machine->applied_index,
                                            .ordinal = ordinal});
}

/* Executes one op. */
static void apply_op(struct engine *engine, struct session **session, const struct wire_op *op,
                     uint32_t ordinal, struct answer *answer)
{
    struct machine *machine = &engine->machine;
    struct op_result result = machine_execute(machine, session, op, ordinal);
    bool is_write = op->type == WIRE_OP_SET || op->type == WIRE_OP_SWAP;
    if (is_write && !result.is_duplicate && result.outcome == WIRE_OUTCOME_OK)
        tell_wrote(engine, *session, op, ordinal);
    if (machine->origin == 0)
        count_result(&engine->counters, &result);
    else if (machine->origin == engine->options.self && op->type == WIRE_OP_SET)
        count_own(engine, &result);
    if (answer != NULL && op->type != WIRE_OP_CANCEL)
        answer_add_result(answer, op, &result);
}

/* Executes the ops of one request; `answer` is open for them, or NULL. Returns the next ordinal. */
static uint32_t apply_request(struct engine *engine, const struct wire_request *request,
                              uint32_t ordinal, struct answer *answer)
{
    struct machine *machine = &engine->machine;
    struct session *session = machine_begin_request(machine, request);
    struct wire_op overruled[REQUEST_OPS_MAX]; /* of this node, by the next set or swap */
    uint32_t overruled_count = 0;
    size_t cursor = 0;
    for (uint16_t i = 0; i < request->op_count; i++) {
        struct wire_op op;
        CHECK(wire_op_decode(request->ops, &cursor, &op) == OK);
        apply_op(engine, &session, &op, ordinal++, answer);
        if (op.type == WIRE_OP_CANCEL && op.node == engine->options.self)
            overruled[overruled_count++] = op;
        for (; op.key.size_bytes > 0 && overruled_count > 0; overruled_count--)
            relaxed_overrule(engine, op.key, overruled[overruled_count - 1].seq,
                             overruled[overruled_count - 1].tag);
    }
    if (machine->origin == engine->options.self && machine->is_blocked) {
        relaxed_follow_decided(engine);
        forward_blocked(engine);
    }
    return ordinal;
}

/* The request at *cursor of a record; advances over it and its padding. */
static struct wire_request next_request(struct span payload, size_t *cursor)
{
    CHECK(payload.size_bytes - *cursor >= REQUEST_PREFIX_SIZE_BYTES);
    size_t size = le32_load(payload.data + *cursor);
    size_t start = *cursor + REQUEST_PREFIX_SIZE_BYTES;
    CHECK(size <= payload.size_bytes - start);
    struct wire_request request;
    CHECK(wire_request_decode(span_of(payload.data + start, size), &request) == OK);
    size_t end = (start + size + REQUEST_ALIGN_BYTES - 1) & ~(size_t)(REQUEST_ALIGN_BYTES - 1);
    CHECK(end <= payload.size_bytes);
    *cursor = end;
    return request;
}

/*
 * Fetches ahead what the first ops of a record will touch: memory is the cost of applying. Looks at
 * bytes only, as far as they reach.
 */
static void fetch_ahead(const struct engine *engine, struct span payload, uint32_t count)
{
    const struct index *index = &engine->machine.index;
    uint64_t hashes[FETCH_AHEAD_OPS_MAX];
    uint32_t hash_count = 0;
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    for (uint32_t i = 0; i < count && hash_count < FETCH_AHEAD_OPS_MAX; i++) {
        struct wire_request request = next_request(payload, &cursor);
        size_t op_cursor = 0;
        for (uint16_t j = 0; j < request.op_count && hash_count < FETCH_AHEAD_OPS_MAX; j++) {
            struct wire_op op;
            CHECK(wire_op_decode(request.ops, &op_cursor, &op) == OK);
            if (op.key.size_bytes == 0)
                continue;
            hashes[hash_count] = key_hash(op.key);
            index_fetch_line(index, hashes[hash_count++]);
        }
    }
    for (uint32_t i = 0; i < hash_count; i++)
        index_fetch_entry(index, hashes[i]);
}

static void apply_record(struct engine *engine, uint64_t index, uint64_t term, struct span payload)
{
    CHECK(payload.size_bytes >= RECORD_PREFIX_SIZE_BYTES);
    uint64_t log_time_ns = le64_load(payload.data);
    uint32_t count = le32_load(payload.data + 8);
    CHECK(count > 0 && count <= BATCH_REQUESTS_MAX);
    engine->counters.sessions_expired += machine_begin_record(&engine->machine, index, log_time_ns);

    const struct pending_record *waiting = batch_take_waiters(engine, index, term);
    CHECK(waiting == NULL || waiting->count == count);
    fetch_ahead(engine, payload, count);
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct wire_request request = next_request(payload, &cursor);
        if (waiting == NULL || waiting->waiters[i].is_silent) {
            ordinal = apply_request(engine, &request, ordinal, NULL);
            continue;
        }
        const struct waiter *waiter = &waiting->waiters[i];
        struct answer answer;
        answer_begin(&answer, engine, &waiter->from, WIRE_WRITE_REPLY);
        answer_open(&answer, waiter->packet_number, WIRE_STATUS_OK, request.op_count);
        ordinal = apply_request(engine, &request, ordinal, &answer);
        answer_send(&answer);
    }
    CHECK(cursor == payload.size_bytes);
}

void engine_apply(struct engine *engine, uint64_t index, uint64_t term, uint8_t kind,
                  struct span payload)
{
    struct machine *machine = &engine->machine;
    CHECK(index == machine->applied_index + 1);
    if (kind == RAFT_ENTRY_DATA) {
        apply_record(engine, index, term, payload);
    } else {
        CHECK(kind == RAFT_ENTRY_NOOP);
        (void)batch_take_waiters(engine, index, term);
        machine->applied_index = index;
    }
    relaxed_follow_decided(engine);
    engine->counters.sessions_open = machine->sessions.count;
    engine->counters.keys = machine->keys;
    engine->counters.blocks = machine->blocks;
    DCHECK(machine->keys <= machine->keys_max);
    DCHECK(machine->blocks <= machine->blocks_max);
}
