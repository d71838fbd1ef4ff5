/* Committed records through the machine; those that this node proposed are answered on the way. */
#include "base/le.h"
#include "engine/engine_internal.h"

/* So many ops ahead of the one that is executed an entry is fetched. */
#define FETCH_AHEAD_OPS 16

/* A record under way through the machine. */
struct applying {
    struct engine *engine;
    struct span payload;
    const struct op *ops; /* of all its requests, in order: an op's ordinal is its place here */
    uint32_t op_count;
    uint32_t ordinal; /* of the next op */
};

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
                       const struct op *op, uint32_t ordinal)
{
    const struct engine_hooks *hooks = &engine->options.hooks;
    const struct machine *machine = &engine->machine;
    const struct node_progress *origin = machine->forwarder;
    if (hooks->wrote != NULL)
        hooks->wrote(hooks->context,
                     &(struct engine_wrote){.origin = origin != NULL ? origin->node : 0,
                                            .series = origin != NULL ? origin->series : 0,
                                            .session = session != NULL ? session->id : 0,
                                            .seq = op->seq,
                                            .index = machine->applied_index,
                                            .ordinal = ordinal});
}

/* Memory is the cost of applying: fetches ahead the entry that a later op will touch. */
static void fetch_entry_of(const struct applying *applying, uint32_t ordinal)
{
    if (ordinal < applying->op_count && applying->ops[ordinal].key_size_bytes > 0)
        index_fetch_entry(&applying->engine->machine.index, applying->ops[ordinal].hash);
}

/* The lines of all ops, and the entries of the first ones. */
static void fetch_first(const struct applying *applying)
{
    for (uint32_t i = 0; i < applying->op_count; i++) {
        if (applying->ops[i].key_size_bytes > 0)
            index_fetch_line(&applying->engine->machine.index, applying->ops[i].hash);
    }
    for (uint32_t i = 0; i < FETCH_AHEAD_OPS; i++)
        fetch_entry_of(applying, i);
}

/* What is applied are relaxed writes of this storage. */
static bool is_own(const struct engine *engine)
{
    const struct node_progress *forwarder = engine->machine.forwarder;
    return forwarder != NULL && forwarder->is_open && forwarder->series == engine->options.series;
}

/* Executes one op; `answer` is open for it, or NULL. */
static void apply_op(struct applying *applying, struct session **session,
                     const struct request *request, const struct op *op, struct answer *answer)
{
    struct engine *engine = applying->engine;
    struct machine *machine = &engine->machine;
    uint32_t ordinal = applying->ordinal++;
    fetch_entry_of(applying, ordinal + FETCH_AHEAD_OPS);
    struct op_result result = machine_execute(machine, session, op, ordinal);
    if (op_is_set_or_swap(op) && !result.is_duplicate && result.outcome == WIRE_OUTCOME_OK)
        tell_wrote(engine, *session, op, ordinal);
    if (machine->forwarder == NULL)
        count_result(&engine->counters, &result);
    else if (is_own(engine) && op->type == WIRE_OP_SET)
        count_own(engine, &result);
    if (answer != NULL && op->type != WIRE_OP_CANCEL)
        answer_add_result(answer, machine, request, op, &result);
}

/* Sessions that this node has just opened for somebody are not used yet. */
static void note_openers(const struct engine *engine, const struct request *request,
                         const struct address *opener)
{
    for (uint16_t i = 0; request->session == 0 && i < request->op_count; i++) {
        struct session *session =
            sessions_find_nonce(&engine->machine.sessions, request->ops[i].seq);
        if (request->ops[i].type == WIRE_OP_REGISTER && session != NULL && !session->is_used)
            session->opener = *opener;
    }
}

/* Executes the ops of one request; `answer` is open for them, or NULL. */
static void apply_request(struct applying *applying, const struct request *request,
                          struct answer *answer)
{
    struct engine *engine = applying->engine;
    struct machine *machine = &engine->machine;
    struct session *session = machine_begin_request(machine, request);
    bool overrules = false; /* the next set or swap, writes of this node */
    struct address opener = session != NULL ? session->opener : (struct address){.port = 0};
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        apply_op(applying, &session, request, op, answer);
        if (op->type == WIRE_OP_CANCEL && op_series(op) == engine->options.series)
            overrules = true;
        if (op->key_size_bytes == 0 || !overrules)
            continue;
        relaxed_overrule(engine, op_key(request, op), op->hash);
        overrules = false;
    }
    if (opener.port != 0 && (session == NULL || session->is_used)) {
        newcomers_used(&engine->newcomers, &opener);
        if (session != NULL)
            session->opener.port = 0;
    }
    if (is_own(engine) && machine->is_blocked) {
        relaxed_follow_decided(engine);
        outbound_blocked(engine);
    }
}

/* Executes one request and answers its waiter (NULL: nobody). */
static void apply_and_answer(struct applying *applying, const struct request *request,
                             const struct waiter *waiter)
{
    struct answer answer;
    if (waiter == NULL || waiter->is_silent) {
        apply_request(applying, request, NULL);
        return;
    }
    struct engine *engine = applying->engine;
    struct wire_reply head = answer_head(engine, waiter->packet_number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, &waiter->from, waiter_reply_type(waiter));
    answer_open(&answer, &head, request->op_count);
    apply_request(applying, request, &answer);
    answer_send(&answer);
    note_openers(engine, request, &waiter->from);
}

/* A record that this node did not propose, or proposed before it last started: decoded here. */
static void apply_decoded(struct applying *applying, uint32_t count)
{
    struct engine *engine = applying->engine;
    struct request *requests = engine->record_requests;
    struct op *ops = engine->record_ops;
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        struct span bytes = record_next_request(applying->payload, &cursor);
        CHECK(request_decode(bytes, &engine->machine.index, ops + applying->op_count,
                             &requests[i]) == OK);
        applying->op_count += requests[i].op_count;
    }
    CHECK(cursor == applying->payload.size_bytes);
    applying->ops = ops;
    fetch_first(applying);
    for (uint32_t i = 0; i < count; i++)
        apply_and_answer(applying, &requests[i], NULL);
}

/* A record that this node proposed: its ops were decoded when they arrived. */
static void apply_proposed(struct applying *applying, const struct pending_record *record)
{
    const struct engine *engine = applying->engine;
    size_t cursor = RECORD_PREFIX_SIZE_BYTES;
    applying->ops = batch_record_ops(engine, record);
    applying->op_count = record->op_count;
    fetch_first(applying);
    for (uint32_t i = 0; i < record->count; i++) {
        const struct batch_request *proposed = batch_record_request(engine, record, i);
        struct span bytes = record_next_request(applying->payload, &cursor);
        CHECK(bytes.data == applying->payload.data + proposed->offset &&
              bytes.size_bytes == proposed->size_bytes);
        struct request request = {.bytes = bytes.data,
                                  .size_bytes = bytes.size_bytes,
                                  .session = proposed->session,
                                  .floor = proposed->floor,
                                  .ops = applying->ops + applying->ordinal,
                                  .op_count = proposed->op_count};
        apply_and_answer(applying, &request, &proposed->waiter);
    }
    CHECK(cursor == applying->payload.size_bytes);
    CHECK(applying->ordinal == record->op_count);
}

static void apply_record(struct engine *engine, uint64_t index, uint64_t term, struct span payload)
{
    CHECK(payload.size_bytes >= RECORD_PREFIX_SIZE_BYTES);
    uint64_t log_time_ns = le64_load(payload.data);
    uint32_t count = le32_load(payload.data + 8);
    CHECK(count > 0 && count <= BATCH_REQUESTS_MAX);
    bool has_limits = (le32_load(payload.data + RECORD_FLAGS_OFFSET) & RECORD_FLAG_LIMITS) != 0;
    engine->counters.sessions_expired += machine_begin_record(&engine->machine, index, log_time_ns);
    struct applying applying = {.engine = engine, .payload = payload};
    const struct pending_record *record = batch_take_record(engine, index, term);
    CHECK(record == NULL || record->count == count);
    if (record != NULL)
        apply_proposed(&applying, record);
    else
        apply_decoded(&applying, count);
    if (has_limits)
        engine_count_limits(engine);
}

void engine_apply(struct engine *engine, uint64_t index, uint64_t term, uint8_t kind,
                  struct span payload)
{
    struct machine *machine = &engine->machine;
    CHECK(index == machine->applied_index + 1);
    CHECK(!is_installing(engine));
    if (kind == RAFT_ENTRY_DATA) {
        apply_record(engine, index, term, payload);
    } else {
        CHECK(kind == RAFT_ENTRY_NOOP || kind == RAFT_ENTRY_CONFIGURATION);
        if (kind == RAFT_ENTRY_CONFIGURATION)
            machine_configure(machine, index, payload);
        (void)batch_take_record(engine, index, term);
        machine->applied_index = index;
    }
    const struct digest_record record = {
        .index = index, .term = term, .kind = kind, .payload = payload};
    state_digest_fold(&machine->digest, &record, machine->keys, machine->blocks);
    relaxed_follow_decided(engine);
    engine->counters.sessions_open = machine->sessions.count;
    engine->counters.keys = machine->keys;
    engine->counters.blocks = machine->blocks;
    DCHECK(machine->keys <= machine->capacity.keys_max);
    DCHECK(machine->blocks <= machine->capacity.blocks_max);
}
