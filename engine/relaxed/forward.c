/*
 * Pending relaxed writes on their way into the log, in the order of their journal seqs. To another
 * node a message a turn, a bounded part of the queue at a time; all of it is sent again unless this
 * node sees some of it applied in time, or to whoever leads next. When this node leads, they join
 * its own batch, before the writes of clients.
 *
 * They follow one another without waiting: `floor` guards their order, for a batch applies nothing
 * unless everything before it is decided.
 *
 * A later write of a key through this leader is never overwritten by the earlier pending one. As a
 * rule the pending one just goes first. But one that finds the store full is tried again after
 * whatever came behind it: so the later write cancels what is not decided when it applies.
 *
 * Nothing is appended that is known not to apply: a leader leaves out what the store has no room
 * for, and while the oldest pending one is blocked it is tried alone. A store can be full for long,
 * and each attempt would take room in the log for ever.
 */
#include "engine/engine_internal.h"
#include "engine/state/key_hash.h"

/* Longer than a heartbeat, with which a node may first hear that its writes are committed. */
#define FORWARD_WAIT_MIN_NS UINT64_C(50000000)
#define FORWARD_WAIT_MAX_NS UINT64_C(800000000)

/* Of the queue, gaps included, on its way to another node: what a lost message makes be sent
 * again. */
#define FORWARD_OPS_MAX UINT64_C(1024)
/* Nothing follows beyond. Messages of many packets are in each other's way where they are put
 * together, and those of several nodes together might never be whole. And a journal forgets what is
 * decided only when a later record says so: what the last records decide must not fill it. */
#define FORWARD_SIZE_BYTES_MAX (128 * 1024)

/* The oldest of them did not apply: until it does nothing behind it can. */
static bool is_blocked(const struct engine *engine)
{
    return engine->forward.blocked_head == engine->relaxed.writes.head + 1;
}

/* Everything from the head on is to be sent anew. */
static void restart(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    forward->next = engine->relaxed.writes.head;
    forward->last_seq = 0;
    forward->size_bytes = 0;
}

static void wait_longer(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    forward->due_ns = engine->view.now_ns + forward->wait_ns;
    forward->wait_ns *= 2;
    if (forward->wait_ns > FORWARD_WAIT_MAX_NS)
        forward->wait_ns = FORWARD_WAIT_MAX_NS;
}

/* Some are decided. What else is on its way to another node has its time anew. */
static void note_progress(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    forward->seen_head = engine->relaxed.writes.head;
    forward->wait_ns = FORWARD_WAIT_MIN_NS;
    forward->size_bytes = 0;
    if (forward->next < forward->seen_head)
        forward->next = forward->seen_head;
    if (forward->leader != engine->options.self)
        wait_longer(engine);
}

void forward_begin_turn(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    const struct engine_view *view = &engine->view;
    if (!engine->relaxed.is_open)
        return;
    uint16_t leader = view->is_leader ? engine->options.self : view->leader;
    if (forward->term != view->term || forward->leader != leader) {
        *forward =
            (struct forward){.term = view->term, .leader = leader, .wait_ns = FORWARD_WAIT_MIN_NS};
        restart(engine);
    }
    if (forward->seen_head != engine->relaxed.writes.head)
        note_progress(engine);
    forward_join(engine);
}

void forward_failed(struct engine *engine)
{
    if (!engine->relaxed.is_open || engine->forward.leader != engine->options.self)
        return;
    restart(engine);
    wait_longer(engine);
}

void forward_blocked(struct engine *engine)
{
    forward_failed(engine);
    engine->forward.blocked_head = engine->relaxed.writes.head + 1;
}

/* Adds one op, after its cancels; `*cancel` is the first of them. */
static void add_op(struct engine *engine, struct wire_writer *writer, struct pending_write *pending,
                   uint64_t *cancel)
{
    struct relaxed *relaxed = &engine->relaxed;
    const struct store *store = &relaxed->writes.store;
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    for (uint32_t i = 0; i < pending->cancel_count; i++) {
        const struct pending_cancel *from = pending_writes_cancel_at(&relaxed->writes, (*cancel)++);
        struct wire_op op = {
            .type = WIRE_OP_CANCEL, .node = from->node, .tag = from->tag, .seq = from->seq};
        wire_request_add(writer, &op);
    }
    struct wire_op op = {
        .type = WIRE_OP_SET,
        .has_value = pending_writes_has_value(pending->entry),
        .tag = pending->tag,
        .seq = pending->seq,
        .key = store_key(store, pending->entry, scratch),
        .value =
            store_value(store, pending->entry, 0, pending->entry->value_size_bytes, relaxed->value),
    };
    wire_request_add(writer, &op);
    if (!pending->is_forwarded)
        engine->counters.relaxed_forwarded++;
    pending->is_forwarded = true;
}

/* A batch of the ops from `forward.next` on; moves it over them. */
static struct span batch_build(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    const struct pending_writes *writes = &engine->relaxed.writes;
    uint16_t self = engine->options.self;
    struct wire_writer writer = {.data = engine->relaxed.message,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    uint64_t floor = forward->next == writes->head
                         ? node_progress_of(&engine->machine.nodes, self)->last_seq
                         : forward->last_seq;
    wire_request_begin(&writer, WIRE_NODE_SESSION(self), floor);
    uint64_t cancel = pending_writes_first_cancel(writes, forward->next);
    uint32_t count = 0;
    for (; forward->next < writes->shown; forward->next++) {
        struct pending_write *op = pending_writes_at(writes, forward->next);
        if (op->entry == NULL)
            continue;
        size_t size = store_entry_key_size(op->entry) + op->entry->value_size_bytes;
        bool is_enough = writer.size_bytes + size > BATCH_SIZE_BYTES_SOFT || is_blocked(engine);
        if (count + op->cancel_count + 1 > REQUEST_OPS_MAX || (count > 0 && is_enough))
            break;
        count += op->cancel_count + 1u;
        add_op(engine, &writer, op, &cancel);
        forward->last_seq = op->seq;
    }
    CHECK(count > 0 && !writer.is_overflow);
    forward->size_bytes += writer.size_bytes;
    return span_of(writer.data, writer.size_bytes);
}

/* Whether the next of them may follow those that are on their way. */
static bool has_next(const struct engine *engine)
{
    const struct forward *forward = &engine->forward;
    const struct pending_writes *writes = &engine->relaxed.writes;
    return forward->next < writes->shown && forward->size_bytes < FORWARD_SIZE_BYTES_MAX &&
           !(forward->next > writes->head && is_blocked(engine));
}

/* True when the store, as this node has applied it, is too full for the op of a node. */
static bool is_without_room(const struct engine *engine, uint16_t node, const struct wire_op *op)
{
    const struct machine *machine = &engine->machine;
    return !node_progress_is_decided(node_progress_of(&machine->nodes, node), op->seq, op->key,
                                     op->tag) &&
           !machine_has_room(machine, op);
}

/* True when the oldest of this node's own cannot apply now. */
static bool is_head_without_room(const struct engine *engine)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    const struct pending_writes *writes = &engine->relaxed.writes;
    const struct pending_write *head = pending_writes_at(writes, writes->head);
    if (engine->forward.next > writes->head)
        return false;
    struct wire_op op = {
        .tag = head->tag,
        .seq = head->seq,
        .has_value = pending_writes_has_value(head->entry),
        .key = store_key(&writes->store, head->entry, scratch),
        .value = span_of(NULL, head->entry->value_size_bytes),
    };
    return is_without_room(engine, engine->options.self, &op);
}

/*
 * Writes of a journal that was lost may be on their way still, and their clients go on cancelling
 * them until the log has decided. What is accepted now has higher seqs, and decides them with it;
 * while there is nothing of the kind a fence does.
 */
static bool needs_fence(const struct engine *engine)
{
    return engine->relaxed.is_open && pending_writes_is_empty(&engine->relaxed.writes) &&
           relaxed_is_after_loss(engine);
}

static struct span fence_build(struct engine *engine)
{
    uint16_t self = engine->options.self;
    struct wire_writer writer = {.data = engine->relaxed.message,
                                 .capacity_bytes = MESSAGE_SIZE_BYTES_MAX};
    wire_request_begin(&writer, WIRE_NODE_SESSION(self),
                       node_progress_of(&engine->machine.nodes, self)->last_seq);
    wire_request_add(&writer, &(struct wire_op){.type = WIRE_OP_FENCE,
                                                .seq = engine->options.journal_first_seq - 1});
    engine->forward.fence_due_ns = engine->view.now_ns + FORWARD_WAIT_MAX_NS;
    return span_of(writer.data, writer.size_bytes);
}

static uint64_t due_ns_of(const struct forward *forward, bool is_fence)
{
    return is_fence ? forward->fence_due_ns : forward->due_ns;
}

void forward_join(struct engine *engine)
{
    struct forward *forward = &engine->forward;
    bool is_fence = needs_fence(engine);
    if (!(is_fence || has_next(engine)) || engine->view.now_ns < due_ns_of(forward, is_fence) ||
        admission_readiness(engine) != WIRE_STATUS_OK || !batch_has_room(engine))
        return;
    if (!is_fence && is_head_without_room(engine)) {
        engine->counters.relaxed_blocked++;
        forward_blocked(engine);
        return;
    }
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true};
    struct span body = is_fence ? fence_build(engine) : batch_build(engine);
    enum wire_status status = batch_add(engine, body, &waiter, false);
    if (status == WIRE_STATUS_LOG_FULL)
        forward_blocked(engine);
    else if (status != WIRE_STATUS_OK)
        forward_failed(engine);
}

/* Whether something is due at another node that leads. */
static bool is_due_elsewhere(const struct engine *engine)
{
    const struct forward *forward = &engine->forward;
    const struct pending_writes *writes = &engine->relaxed.writes;
    if (forward->next > writes->head && engine->view.now_ns >= forward->due_ns)
        return true;
    return has_next(engine) && forward->next - writes->head < FORWARD_OPS_MAX;
}

bool engine_forward(struct engine *engine, struct span *ret_body)
{
    struct forward *forward = &engine->forward;
    const struct pending_writes *writes = &engine->relaxed.writes;
    if (!engine->relaxed.is_open || engine->view.is_leader || forward->leader == 0 ||
        forward->leader == engine->options.self)
        return false;
    if (needs_fence(engine) && engine->view.now_ns >= forward->fence_due_ns) {
        *ret_body = fence_build(engine);
        return true;
    }
    if (pending_writes_is_empty(writes) || !is_due_elsewhere(engine))
        return false;
    bool is_on_its_way = forward->next > writes->head;
    bool is_late = is_on_its_way && engine->view.now_ns >= forward->due_ns;
    if (is_late)
        restart(engine);
    if (!is_on_its_way)
        forward->wait_ns = FORWARD_WAIT_MIN_NS;
    *ret_body = batch_build(engine);
    if (is_late || !is_on_its_way)
        wait_longer(engine);
    return true;
}

uint64_t forward_deadline_ns(const struct engine *engine)
{
    const struct forward *forward = &engine->forward;
    const struct pending_writes *writes = &engine->relaxed.writes;
    bool is_fence = needs_fence(engine);
    if (!engine->relaxed.is_open || (pending_writes_is_empty(writes) && !is_fence) ||
        forward->leader == 0)
        return UINT64_MAX;
    uint64_t due_ns = due_ns_of(forward, is_fence);
    if (!engine->view.is_leader)
        return !is_fence && is_due_elsewhere(engine) ? 0 : due_ns;
    bool may_join = admission_readiness(engine) == WIRE_STATUS_OK && batch_has_room(engine);
    return (is_fence || has_next(engine)) && may_join ? due_ns : UINT64_MAX;
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
        ret_cancels[(*count)++] = (struct wire_op){
            .type = WIRE_OP_CANCEL, .node = cancel->node, .tag = cancel->tag, .seq = cancel->seq};
    }
    return true;
}

/*
 * A cancel of this node's pending writes of a key, for a later write of it, with those that they
 * carry. False: the later one must wait. They go first; but once they are in the log nobody waits
 * for them, and neither while store or log have no room for them, which may be as long as the
 * later write is refused.
 */
static bool own_cancels(const struct engine *engine, struct span key, struct wire_op *ret_cancels,
                        uint32_t *ret_count)
{
    const struct pending_writes *writes = &engine->relaxed.writes;
    const struct store_entry *entry = relaxed_lookup(engine, key, key_hash(key));
    *ret_count = 0;
    if (entry == NULL)
        return true;
    bool is_in_log = pending_writes_seq(entry) <= engine->forward.last_seq;
    if (!is_in_log && !is_blocked(engine))
        return false;
    ret_cancels[(*ret_count)++] = (struct wire_op){
        .type = WIRE_OP_CANCEL, .node = engine->options.self, .seq = pending_writes_seq(entry)};
    const struct pending_write *op = pending_writes_op_of(writes, entry);
    for (; op != NULL; op = pending_writes_older(writes, op)) {
        if (!take_over_cancels(writes, op, ret_cancels, ret_count))
            return false;
    }
    return true;
}

/* Copies the request with the cancels that its ops need; false: one must wait, or they are too
 * many. */
static bool overrule_encode(const struct engine *engine, const struct wire_request *request,
                            struct wire_writer *writer)
{
    struct wire_op cancels[REQUEST_OPS_MAX];
    uint32_t total = request->op_count;
    size_t cursor = 0;
    wire_request_begin(writer, request->session, request->floor);
    for (uint16_t i = 0; i < request->op_count; i++) {
        struct wire_op op;
        uint32_t count = 0;
        CHECK(wire_op_decode(request->ops, &cursor, &op) == OK);
        if (op.key.size_bytes > 0 && !own_cancels(engine, op.key, cancels, &count))
            return false;
        total += count;
        if (total > REQUEST_OPS_MAX)
            return false;
        for (uint32_t j = 0; j < count; j++)
            wire_request_add(writer, &cancels[j]);
        wire_request_add(writer, &op);
    }
    return !writer->is_overflow;
}

/* True when a pending write of this node is of a key of the request. */
static bool has_pending_key(const struct engine *engine, const struct wire_request *request)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < request->op_count; i++) {
        struct wire_op op;
        CHECK(wire_op_decode(request->ops, &cursor, &op) == OK);
        if (op.key.size_bytes > 0 && relaxed_lookup(engine, op.key, key_hash(op.key)) != NULL)
            return true;
    }
    return false;
}

enum wire_status forward_overrule(struct engine *engine, const struct wire_request *request,
                                  struct span *bytes)
{
    struct wire_writer writer = {.data = engine->relaxed.message,
                                 .capacity_bytes = ADMISSION_REQUEST_SIZE_BYTES_MAX};
    if (!engine->relaxed.is_open || pending_writes_is_empty(&engine->relaxed.writes) ||
        !has_pending_key(engine, request))
        return WIRE_STATUS_OK;
    if (!overrule_encode(engine, request, &writer))
        return WIRE_STATUS_PENDING;
    *bytes = span_of(writer.data, writer.size_bytes);
    return WIRE_STATUS_OK;
}

/* True when the request is what node `from` may forward; *ret_last_seq is that of its last op. */
static bool is_forward(const struct wire_request *request, uint16_t from, uint64_t *ret_last_seq)
{
    uint8_t last_type = 0;
    size_t cursor = 0;
    *ret_last_seq = 0;
    if (request->session != WIRE_NODE_SESSION(from))
        return false;
    for (uint16_t i = 0; i < request->op_count; i++) {
        struct wire_op op;
        CHECK(wire_op_decode(request->ops, &cursor, &op) == OK);
        last_type = op.type;
        if (op.type == WIRE_OP_CANCEL)
            continue;
        if ((op.type != WIRE_OP_SET && op.type != WIRE_OP_FENCE) || op.seq <= *ret_last_seq)
            return false;
        *ret_last_seq = op.seq;
    }
    return last_type != WIRE_OP_CANCEL;
}

/* True when the first set of a forwarded request that is not decided cannot apply now. */
static bool is_first_without_room(const struct engine *engine, const struct wire_request *request,
                                  uint16_t from)
{
    uint64_t decided = node_progress_of(&engine->machine.nodes, from)->last_seq;
    size_t cursor = 0;
    for (uint16_t i = 0; i < request->op_count; i++) {
        struct wire_op op;
        CHECK(wire_op_decode(request->ops, &cursor, &op) == OK);
        if (op.type == WIRE_OP_SET && op.seq > decided)
            return is_without_room(engine, from, &op);
    }
    return false;
}

void engine_receive_forward(struct engine *engine, uint16_t from, struct span body)
{
    struct wire_request request;
    uint64_t last_seq;
    CHECK(from >= 1 && from <= VOTER_ID_MAX);
    if (wire_request_decode(body, &request) != OK || !is_forward(&request, from, &last_seq) ||
        body.size_bytes > ADMISSION_REQUEST_SIZE_BYTES_MAX) {
        engine->counters.requests_malformed++;
        return;
    }
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true};
    /* Its node learns by applying; what is decided here need not go through the log again. */
    if (last_seq <= node_progress_of(&engine->machine.nodes, from)->last_seq)
        return;
    bool is_full = is_first_without_room(engine, &request, from);
    engine->counters.relaxed_blocked += is_full;
    if (!is_full && admission_readiness(engine) == WIRE_STATUS_OK &&
        batch_add(engine, body, &waiter, false) == WIRE_STATUS_OK)
        engine->counters.forwards_received++;
    else
        engine->counters.forwards_refused++;
}
