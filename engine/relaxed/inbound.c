/*
 * What a leader takes of relaxed writes from other nodes, and what the writes of its clients
 * overrule.
 *
 * A later write of a key through this leader is never overwritten by the earlier pending one of
 * this node. As a rule the pending one just goes first. But one that finds the store full is tried
 * again after whatever came behind it: so the later write cancels what is not decided when it
 * applies.
 *
 * Nothing is appended that is known not to apply: a leader refuses what the store has no room for.
 * A store can be full for long, and each attempt would take room in the log for ever.
 */
#include "engine/engine_internal.h"

bool inbound_is_without_room(const struct engine *engine, uint64_t series, const struct wire_op *op,
                             uint64_t hash)
{
    const struct machine *machine = &engine->machine;
    struct store_content content = {.key = op->key, .value = op->value, .hash = hash};
    return op->has_value &&
           !node_progress_is_decided(node_progress_of(&machine->nodes, series), op->seq, op->key,
                                     op->tag) &&
           !machine_has_room(machine, &content);
}

/* Adds the cancels that a pending write of this node carries: they take effect in its stead. False:
 * no room. */
static bool take_over_cancels(const struct pending_writes *writes,
                              const struct pending_write *pending, struct wire_op *ret_cancels,
                              uint32_t *count)
{
    uint64_t from =
        pending_writes_first_cancel(writes, pending_writes_position_of(writes, pending->seq));
    if (*count + pending->cancel_count >= REQUEST_OPS_MAX - 1)
        return false;
    for (uint32_t i = 0; i < pending->cancel_count; i++) {
        const struct pending_cancel *cancel = pending_writes_cancel_at(writes, from + i);
        ret_cancels[(*count)++] = (struct wire_op){.type = WIRE_OP_CANCEL,
                                                   .node = cancel->node,
                                                   .tag = cancel->tag,
                                                   .seq = cancel->seq,
                                                   .series = cancel->series};
    }
    return true;
}

/*
 * A cancel of this node's pending writes of a key, for a later write of it, with those that they
 * carry. False: the later one must wait. They go first; but once they are in the log nobody waits
 * for them, and neither while store or log have no room for them, which may be as long as the
 * later write is refused.
 */
static bool own_cancels(const struct engine *engine, const struct request *request,
                        const struct op *op, struct wire_op *ret_cancels, uint32_t *ret_count)
{
    const struct pending_writes *writes = &engine->relaxed.writes;
    const struct store_entry *entry = relaxed_lookup(engine, op_key(request, op), op->hash);
    *ret_count = 0;
    if (entry == NULL)
        return true;
    bool is_in_log = pending_writes_seq(entry) <= engine->outbound.last_seq;
    if (!is_in_log && !outbound_is_blocked(engine))
        return false;
    ret_cancels[(*ret_count)++] = (struct wire_op){.type = WIRE_OP_CANCEL,
                                                   .node = engine->options.self,
                                                   .seq = pending_writes_seq(entry),
                                                   .series = engine->options.series};
    if (writes->cancels_head == writes->cancels_tail)
        return true;
    const struct pending_write *write =
        pending_writes_carrying(writes, pending_writes_op_of(writes, entry));
    for (; write != NULL;
         write = pending_writes_carrying(writes, pending_writes_older(writes, write))) {
        if (!take_over_cancels(writes, write, ret_cancels, ret_count))
            return false;
    }
    return true;
}

/* Copies the request with the cancels that its ops need; false: one must wait, or they are too
 * many. */
static bool overrule_encode(const struct engine *engine, const struct request *request,
                            struct request_builder *builder)
{
    struct wire_op cancels[REQUEST_OPS_MAX];
    uint32_t total = request->op_count;
    request_builder_begin(builder, request->session, request->floor);
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        uint32_t count = 0;
        if (op->key_size_bytes > 0 && !own_cancels(engine, request, op, cancels, &count))
            return false;
        total += count;
        if (total > REQUEST_OPS_MAX)
            return false;
        for (uint32_t j = 0; j < count; j++)
            request_builder_add(builder, &cancels[j], 0);
        request_builder_copy(builder, request, op);
    }
    return !builder->writer.is_overflow;
}

/* True when a pending write of this node is of a key of the request. */
static bool has_pending_key(const struct engine *engine, const struct request *request)
{
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->key_size_bytes > 0 && relaxed_lookup(engine, op_key(request, op), op->hash) != NULL)
            return true;
    }
    return false;
}

enum wire_status inbound_overrule(struct engine *engine, struct request *request)
{
    struct request_builder builder = {
        .writer = {.data = engine->relaxed.message,
                   .capacity_bytes = ADMISSION_REQUEST_SIZE_BYTES_MAX},
        .ops = engine->relaxed.ops};
    if (!engine->relaxed.is_open || pending_writes_is_empty(&engine->relaxed.writes) ||
        !has_pending_key(engine, request))
        return WIRE_STATUS_OK;
    if (!overrule_encode(engine, request, &builder))
        return WIRE_STATUS_PENDING;
    *request = request_builder_end(&builder);
    return WIRE_STATUS_OK;
}

/* True when the request is what the storage of a series may forward; *ret_last_seq is that of its
 * last op. */
static bool is_forward(const struct request *request, uint64_t series, uint64_t *ret_last_seq)
{
    *ret_last_seq = 0;
    if (request->session != WIRE_NODE_SESSION(series))
        return false;
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type == WIRE_OP_CANCEL)
            continue;
        if ((op->type != WIRE_OP_SET && op->type != WIRE_OP_FENCE) || op->seq <= *ret_last_seq)
            return false;
        *ret_last_seq = op->seq;
    }
    return request->ops[request->op_count - 1].type != WIRE_OP_CANCEL;
}

/* True when a node hands over that a client's session is idle (engine/service/idle.h). */
static bool is_notice(const struct request *request)
{
    return (request->session & WIRE_NODE_SESSION_FLAG) == 0 && request->op_count == 1 &&
           request->ops[0].type == WIRE_OP_IDLE;
}

/* True when the first set of a forwarded request that is not decided cannot apply now. */
static bool is_first_without_room(const struct engine *engine, const struct request *request,
                                  const struct node_progress *from)
{
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        if (op->type != WIRE_OP_SET || op->seq <= from->last_seq)
            continue;
        struct wire_op set = {.has_value = op->has_value,
                              .tag = op->tag,
                              .seq = op->seq,
                              .key = op_key(request, op),
                              .value = op_value(request, op)};
        return inbound_is_without_room(engine, from->series, &set, op->hash);
    }
    return false;
}

void engine_receive_forward(struct engine *engine, uint16_t from, uint64_t series, struct span body)
{
    struct request request;
    uint64_t last_seq;
    CHECK(from >= 1 && from <= VOTER_ID_MAX);
    if (request_decode(body, &engine->machine.index, batch_next_ops(engine), &request) != OK ||
        body.size_bytes > ADMISSION_REQUEST_SIZE_BYTES_MAX ||
        !(is_forward(&request, series, &last_seq) || is_notice(&request))) {
        engine->counters.requests_malformed++;
        return;
    }
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true};
    const struct node_progress *progress = node_progress_of(&engine->machine.nodes, series);
    /* Of a storage that is no member, or not yet: nothing of it applies. */
    if (!progress->is_open || progress->node != from) {
        engine->counters.forwards_closed++;
        return;
    }
    if (is_notice(&request)) {
        idle_receive_forward(engine, &request);
        return;
    }
    /* Its node learns by applying; what is decided here need not go through the log again. */
    if (last_seq <= progress->last_seq)
        return;
    bool is_full = is_first_without_room(engine, &request, progress);
    engine->counters.relaxed_blocked += is_full;
    if (!is_full && admission_readiness(engine) == WIRE_STATUS_OK &&
        batch_add(engine, &request, &waiter, false) == WIRE_STATUS_OK)
        engine->counters.forwards_received++;
    else
        engine->counters.forwards_refused++;
}
