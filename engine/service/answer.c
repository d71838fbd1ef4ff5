/* Replies, built one at a time in one buffer and handed to the sink. */
#include "engine/engine_internal.h"

void reply_buffers_init(struct reply_buffers *buffers, struct arena *arena,
                        const struct engine_sink *sink)
{
    buffers->reply = arena_take(arena, REPLY_SIZE_BYTES_MAX, 64);
    buffers->scratch = arena_take(arena, REPLY_CHUNK_SIZE_BYTES_MAX, 64);
    buffers->sink = *sink;
}

void answer_begin(struct answer *answer, const struct reply_buffers *buffers,
                  const struct address *to, uint8_t wire_type)
{
    *answer =
        (struct answer){.buffers = buffers,
                        .to = *to,
                        .wire_type = wire_type,
                        .writer = {.data = buffers->reply, .capacity_bytes = REPLY_SIZE_BYTES_MAX}};
}

struct wire_reply answer_head(const struct engine *engine, uint64_t number, enum wire_status status)
{
    return (struct wire_reply){
        .number = number,
        .incarnation = engine->options.incarnation,
        .node = engine->options.self,
        .leader = engine->view.transfer_to != 0 ? engine->view.transfer_to : engine->view.leader,
        .status = (uint8_t)status,
        .term = engine->view.term,
        .applied_index = engine->machine.applied_index,
        .contact_age_us = wire_age_us(engine->view.contact_age_ns),
        .journal_done_seq = engine_pending_done(engine),
        .retry_us = status == WIRE_STATUS_OVERLOADED ? engine->retry_us : 0,
        .given_seq = status == WIRE_STATUS_PASSED ? engine->relaxed.next_seq - 1 : 0,
        .series = engine->options.series,
        .is_series_alone = relaxed_is_series_alone(engine),
    };
}

void answer_open(struct answer *answer, const struct wire_reply *head, uint32_t op_count)
{
    CHECK(op_count <= REQUEST_OPS_MAX);
    answer->ops_left = op_count;
    wire_reply_begin(&answer->writer, head);
}

/* Bytes of value that fit while the headers of the ops after this one still do. */
static size_t chunk_room(const struct answer *answer)
{
    size_t taken = answer->writer.size_bytes + answer->ops_left * WIRE_REPLY_OP_HEADER_SIZE_BYTES;
    CHECK(taken <= REPLY_SIZE_BYTES_MAX);
    size_t room = REPLY_SIZE_BYTES_MAX - taken;
    return room < REPLY_CHUNK_SIZE_BYTES_MAX ? room : REPLY_CHUNK_SIZE_BYTES_MAX;
}

void answer_add(struct answer *answer, struct wire_reply_op *op, const struct store *store,
                const struct store_entry *entry, uint32_t offset_bytes)
{
    CHECK(answer->ops_left > 0);
    if (entry != NULL) {
        size_t room = chunk_room(answer);
        size_t size = entry->value_size_bytes;
        size_t offset = offset_bytes < size ? offset_bytes : size;
        size_t chunk = size - offset < room ? size - offset : room;
        op->has_value = true;
        op->value_size_bytes = entry->value_size_bytes;
        op->chunk = store_value(store, entry, offset, chunk, answer->buffers->scratch);
    }
    wire_reply_add(&answer->writer, op);
    answer->ops_left--;
}

void answer_send(struct answer *answer)
{
    CHECK(!answer->writer.is_overflow);
    const struct engine_sink *sink = &answer->buffers->sink;
    sink->send(sink->context, &answer->to, answer->wire_type,
               span_of(answer->writer.data, answer->writer.size_bytes));
}

void answer_refuse(struct engine *engine, const struct address *to, uint8_t wire_type,
                   uint64_t number, enum wire_status status)
{
    CHECK(status != WIRE_STATUS_OK);
    struct answer answer;
    struct wire_reply head = answer_head(engine, number, status);
    answer_begin(&answer, &engine->buffers, to, wire_type);
    answer_open(&answer, &head, 0);
    answer_send(&answer);
}

/*
 * The value that a swap which did not match returns. A remembered mismatch keeps the version only:
 * the value is what is stored now if that would not match either (the swap then failed at this
 * moment, too). Else the version goes without a value: that the versions are equal proves nothing,
 * for one record may write a key several times.
 */
static const struct store_entry *mismatch_entry(const struct machine *machine,
                                                const struct request *request, const struct op *op,
                                                uint64_t *ret_version)
{
    if (op->type != WIRE_OP_SWAP)
        return NULL;
    const struct store_entry *entry = index_lookup(&machine->index, op_key(request, op), op->hash);
    bool would_match =
        entry == NULL ? !op->has_old
                      : op->has_old && store_has_value(&machine->store, entry, op_old(request, op));
    if (would_match)
        return NULL;
    *ret_version = entry == NULL ? 0 : entry->version;
    return entry;
}

void answer_add_result(struct answer *answer, const struct machine *machine,
                       const struct request *request, const struct op *op,
                       const struct op_result *result)
{
    struct wire_reply_op reply_op = {
        .seq = op->seq, .outcome = result->outcome, .version = result->version};
    const struct store_entry *entry = NULL;
    if (result->outcome == WIRE_OUTCOME_MISMATCH)
        entry = mismatch_entry(machine, request, op, &reply_op.version);
    else if (result->outcome == WIRE_OUTCOME_NO_SESSION)
        reply_op.version = machine_ended_floor(machine, request->session);
    answer_add(answer, &reply_op, &machine->store, entry, 0);
}

void engine_hello(const struct engine *engine, uint64_t nonce, struct wire_hello_reply *ret_reply)
{
    const struct engine_view *view = &engine->view;
    *ret_reply = (struct wire_hello_reply){
        .nonce = nonce,
        .incarnation = engine->options.incarnation,
        .term = view->term,
        .applied_index = engine->machine.applied_index,
        .commit_index = view->commit_index,
        .last_index = view->last_index,
        .contact_age_us = wire_age_us(engine->view.contact_age_ns),
        .journal_done_seq = engine_pending_done(engine),
        .series = engine->options.series,
        .is_series_alone = relaxed_is_series_alone(engine),
        .session_ttl_ns = engine->machine.session_ttl_ns,
        .node = engine->options.self,
        .leader = view->leader,
        .node_count =
            view->node_count != 0 ? (uint16_t)view->node_count : engine->options.node_count,
        .shard_count = engine->options.shard_count,
        .lane = engine->options.lane,
        .lane_count = engine->options.lane_count,
        .role = view->role,
        .has_fresh_quorum = admission_readiness(engine) == WIRE_STATUS_OK,
        .is_suspect = view->is_suspect,
        .granularity = view->granularity,
        .is_emulated = view->is_emulated,
        .membership = view->membership,
        .cluster = view->cluster,
        .era = view->era,
        .configuration_index = view->configuration_index,
    };
}

void answer_hello(struct engine *engine, const struct address *to, uint64_t nonce)
{
    struct wire_hello_reply reply;
    struct answer answer;
    engine_hello(engine, nonce, &reply);
    answer_begin(&answer, &engine->buffers, to, WIRE_HELLO_REPLY);
    wire_hello_reply_encode(&answer.writer, &reply);
    answer_send(&answer);
}
