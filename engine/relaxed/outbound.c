/*
 * Pending relaxed writes on their way into the log, in the order of their journal seqs. To another
 * node a message a turn, a bounded part of the queue at a time; all of it is sent again unless this
 * node sees some of it applied in time, or to whoever leads next. When this node leads, they join
 * its own batch, before the writes of clients.
 *
 * They follow one another without waiting: `floor` guards their order, for a batch applies nothing
 * unless everything before it is decided.
 *
 * Nothing is appended that is known not to apply: a leader leaves out what the store has no room
 * for, and while the oldest pending one is blocked it is tried alone. A store can be full for long,
 * and each attempt would take room in the log for ever.
 */
#include "engine/engine_internal.h"

/* Longer than a heartbeat, with which a node may first hear that its writes are committed. */
#define OUTBOUND_WAIT_MIN_NS UINT64_C(50000000)
#define OUTBOUND_WAIT_MAX_NS UINT64_C(800000000)

/* Of the queue, gaps included, on its way to another node: what a lost message makes be sent
 * again. */
#define OUTBOUND_OPS_MAX UINT64_C(1024)
/* Nothing follows beyond. Messages of many packets are in each other's way where they are put
 * together, and those of several nodes together might never be whole. And a journal forgets what is
 * decided only when a later record says so: what the last records decide must not fill it. */
#define OUTBOUND_SIZE_BYTES_MAX (128 * 1024)

bool outbound_is_blocked(const struct engine *engine)
{
    return engine->outbound.blocked_head == engine->relaxed.writes.head + 1;
}

/* Everything from the head on is to be sent anew. */
static void outbound_restart(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    outbound->next = engine->relaxed.writes.head;
    outbound->last_seq = 0;
    outbound->size_bytes = 0;
}

static void wait_longer(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    outbound->due_ns = engine->view.now_ns + outbound->wait_ns;
    outbound->wait_ns *= 2;
    if (outbound->wait_ns > OUTBOUND_WAIT_MAX_NS)
        outbound->wait_ns = OUTBOUND_WAIT_MAX_NS;
}

/* Some are decided. What else is on its way to another node has its time anew. */
static void note_progress(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    outbound->seen_head = engine->relaxed.writes.head;
    outbound->wait_ns = OUTBOUND_WAIT_MIN_NS;
    outbound->size_bytes = 0;
    if (outbound->next < outbound->seen_head)
        outbound->next = outbound->seen_head;
    if (outbound->leader != engine->options.self)
        wait_longer(engine);
}

void outbound_failed(struct engine *engine)
{
    if (!engine->relaxed.is_open || engine->outbound.leader != engine->options.self)
        return;
    outbound_restart(engine);
    wait_longer(engine);
}

void outbound_blocked(struct engine *engine)
{
    outbound_failed(engine);
    engine->outbound.blocked_head = engine->relaxed.writes.head + 1;
}

/* What was taken and is not appended waits until this node knows again whose writes are dropped. */
static void outbound_wait_for_rights(struct engine *engine)
{
    if (batch_leave_forwards_out(engine))
        outbound_restart(engine);
}

void outbound_revoked(struct engine *engine)
{
    outbound_restart(engine);
    wait_longer(engine);
}

void outbound_close_gaps(struct engine *engine)
{
    struct pending_writes *writes = &engine->relaxed.writes;
    struct outbound *outbound = &engine->outbound;
    bool is_head_blocked = outbound->blocked_head == writes->head + 1;
    pending_writes_close_gaps(writes, &outbound->next);
    if (is_head_blocked)
        outbound->blocked_head = writes->head + 1;
}

/* Adds one op, after its cancels; `*cancel` is the first of them. */
static void add_op(struct engine *engine, struct request_builder *builder,
                   struct pending_write *pending, uint64_t *cancel)
{
    struct relaxed *relaxed = &engine->relaxed;
    const struct store *store = &relaxed->writes.store;
    const struct store_entry *entry = pending->entry;
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    for (uint32_t i = 0; i < pending->cancel_count; i++) {
        const struct pending_cancel *from = pending_writes_cancel_at(&relaxed->writes, (*cancel)++);
        struct wire_op op = {.type = WIRE_OP_CANCEL,
                             .node = from->node,
                             .tag = from->tag,
                             .seq = from->seq,
                             .series = from->series};
        request_builder_add(builder, &op, 0);
    }
    struct wire_op op = {
        .type = WIRE_OP_SET,
        .has_value = pending_writes_has_value(entry),
        .tag = pending->tag,
        .seq = pending->seq,
        .key = store_key(store, entry, scratch),
        .value = store_value(store, entry, 0, entry->value_size_bytes, relaxed->value),
    };
    request_builder_add(builder, &op, entry->hash);
    if (!pending->is_forwarded)
        engine->counters.relaxed_forwarded++;
    pending->is_forwarded = true;
}

/* A request of this node's session, to be filled; its ops go where the batch may take them. */
static struct request_builder builder_begin(struct engine *engine, uint64_t floor)
{
    struct request_builder builder = {
        .writer = {.data = engine->relaxed.message, .capacity_bytes = MESSAGE_SIZE_BYTES_MAX},
        .ops = batch_next_ops(engine)};
    request_builder_begin(&builder, WIRE_NODE_SESSION(engine->options.series), floor);
    return builder;
}

/* What a request with several ops may take: with its headers it must fit one record of the log, or
 * the leader would refuse it for ever. One op always fits. */
static size_t request_bytes_soft(const struct engine *engine)
{
    size_t half = engine->view.record_bytes_max / 2;
    return half < BATCH_SIZE_BYTES_SOFT ? half : BATCH_SIZE_BYTES_SOFT;
}

/* A request of the ops from `outbound.next` on; moves it over them. */
static struct request outbound_build(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    uint64_t floor = outbound->next == writes->head
                         ? node_progress_own(&engine->machine.nodes)->last_seq
                         : outbound->last_seq;
    struct request_builder builder = builder_begin(engine, floor);
    uint64_t cancel = pending_writes_first_cancel(writes, outbound->next);
    uint32_t count = 0;
    for (; outbound->next < writes->shown; outbound->next++) {
        struct pending_write *op = pending_writes_at(writes, outbound->next);
        if (op->entry == NULL) {
            cancel += op->cancel_count; /* of one that was revoked */
            continue;
        }
        size_t size = store_entry_key_size(op->entry) + op->entry->value_size_bytes;
        bool is_enough = builder.writer.size_bytes + size > request_bytes_soft(engine) ||
                         outbound_is_blocked(engine);
        if (count + op->cancel_count + 1 > REQUEST_OPS_MAX || (count > 0 && is_enough))
            break;
        count += op->cancel_count + 1u;
        add_op(engine, &builder, op, &cancel);
        outbound->last_seq = op->seq;
    }
    CHECK(count > 0);
    outbound->size_bytes += builder.writer.size_bytes;
    return request_builder_end(&builder);
}

/* Whether the next of them may follow those that are on their way. */
static bool has_next(const struct engine *engine)
{
    const struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    return outbound->next < writes->shown && outbound->size_bytes < OUTBOUND_SIZE_BYTES_MAX &&
           !(outbound->next > writes->head && outbound_is_blocked(engine));
}

/* True when the oldest of this node's own cannot apply now. */
static bool is_head_without_room(const struct engine *engine)
{
    uint8_t scratch[KEY_SIZE_BYTES_MAX];
    const struct pending_writes *writes = &engine->relaxed.writes;
    const struct pending_write *head = pending_writes_at(writes, writes->head);
    if (engine->outbound.next > writes->head)
        return false;
    struct wire_op op = {
        .tag = head->tag,
        .seq = head->seq,
        .has_value = pending_writes_has_value(head->entry),
        .key = store_key(&writes->store, head->entry, scratch),
        .value = span_of(NULL, head->entry->value_size_bytes),
    };
    return inbound_is_without_room(engine, engine->options.series, &op, head->entry->hash);
}

/*
 * Writes of a journal that was lost may be on their way still, and their clients go on cancelling
 * them until the log has decided. What is accepted now has higher seqs, and decides them with it;
 * while there is nothing of the kind a fence does. In the same way the log gets rid of cancels of
 * numbers that were never given, and decides what was dropped because its principal was revoked.
 * Returns up to which seq the fence is; 0: none is needed.
 */
static uint64_t fence_seq(const struct engine *engine)
{
    const struct relaxed *relaxed = &engine->relaxed;
    const struct node_progress *own = node_progress_own(&engine->machine.nodes);
    bool is_cancelled = own->cancel_count > 0 && own->cancels[0].seq < relaxed->next_seq;
    bool is_undecided = is_cancelled || is_revoked_open(engine);
    if (is_undecided && relaxed->writes.head == relaxed->writes.tail)
        return relaxed->next_seq - 1;
    bool is_after_loss = pending_writes_is_empty(&relaxed->writes) && relaxed_is_after_loss(engine);
    return is_after_loss ? engine->options.journal_first_seq - 1 : 0;
}

static struct request fence_build(struct engine *engine)
{
    struct request_builder builder =
        builder_begin(engine, node_progress_own(&engine->machine.nodes)->last_seq);
    request_builder_add(&builder,
                        &(struct wire_op){.type = WIRE_OP_FENCE, .seq = fence_seq(engine)}, 0);
    engine->outbound.fence_due_ns = engine->view.now_ns + OUTBOUND_WAIT_MAX_NS;
    return request_builder_end(&builder);
}

static uint64_t outbound_due_ns(const struct outbound *outbound, bool is_fence)
{
    return is_fence ? outbound->fence_due_ns : outbound->due_ns;
}

/* Before this storage is a member, and when it is none any more, nothing of it may apply. */
static bool may_forward(const struct engine *engine)
{
    return engine->relaxed.is_open && relaxed_is_series_open(engine);
}

static void join_batch(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    bool is_fence = fence_seq(engine) != 0;
    if (!(is_fence || has_next(engine)) ||
        engine->view.now_ns < outbound_due_ns(outbound, is_fence) ||
        admission_readiness(engine) != WIRE_STATUS_OK || !batch_has_room(engine))
        return;
    if (!is_fence && is_head_without_room(engine)) {
        engine->counters.relaxed_blocked++;
        outbound_blocked(engine);
        return;
    }
    struct waiter waiter = {.deadline_ns = UINT64_MAX, .is_silent = true};
    struct request request = is_fence ? fence_build(engine) : outbound_build(engine);
    enum wire_status status = batch_add(engine, &request, &waiter, false);
    if (status == WIRE_STATUS_LOG_FULL)
        outbound_blocked(engine);
    else if (status != WIRE_STATUS_OK)
        outbound_failed(engine);
}

/* What was revoked leaves gaps, also behind the newest one. */
static void skip_gaps(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    while (outbound->next < writes->shown &&
           pending_writes_at(writes, outbound->next)->entry == NULL)
        outbound->next++;
}

void outbound_begin_turn(struct engine *engine)
{
    struct outbound *outbound = &engine->outbound;
    const struct engine_view *view = &engine->view;
    if (!engine->relaxed.is_open)
        return;
    uint16_t leader = view->is_leader ? engine->options.self : view->leader;
    if (outbound->term != view->term || outbound->leader != leader) {
        *outbound = (struct outbound){
            .term = view->term, .leader = leader, .wait_ns = OUTBOUND_WAIT_MIN_NS};
        outbound_restart(engine);
    }
    if (outbound->seen_head != engine->relaxed.writes.head)
        note_progress(engine);
    skip_cancelled(engine);
    skip_gaps(engine);
    if (view->is_leader && view->are_rights_old)
        outbound_wait_for_rights(engine);
    else if (may_forward(engine))
        join_batch(engine);
}

/* Whether something is due at another node that leads. */
static bool is_due_elsewhere(const struct engine *engine)
{
    const struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    if (outbound->next > writes->head && engine->view.now_ns >= outbound->due_ns)
        return true;
    return has_next(engine) && outbound->next - writes->head < OUTBOUND_OPS_MAX;
}

/* Pending writes, or the fence of those that are lost. */
static bool outbound_forward(struct engine *engine, struct span *ret_request)
{
    struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    if (!may_forward(engine) || engine->view.is_leader || outbound->leader == 0 ||
        outbound->leader == engine->options.self)
        return false;
    if (fence_seq(engine) != 0 && engine->view.now_ns >= outbound->fence_due_ns) {
        struct request fence = fence_build(engine);
        *ret_request = span_of(fence.bytes, fence.size_bytes);
        return true;
    }
    if (pending_writes_is_empty(writes) || !is_due_elsewhere(engine))
        return false;
    bool is_on_its_way = outbound->next > writes->head;
    bool is_late = is_on_its_way && engine->view.now_ns >= outbound->due_ns;
    if (is_late)
        outbound_restart(engine);
    if (!is_on_its_way)
        outbound->wait_ns = OUTBOUND_WAIT_MIN_NS;
    struct request request = outbound_build(engine);
    *ret_request = span_of(request.bytes, request.size_bytes);
    if (is_late || !is_on_its_way)
        wait_longer(engine);
    return true;
}

bool engine_forward(struct engine *engine, struct span *ret_request)
{
    return outbound_forward(engine, ret_request) || idle_forward(engine, ret_request);
}

uint64_t outbound_deadline_ns(const struct engine *engine)
{
    const struct outbound *outbound = &engine->outbound;
    const struct pending_writes *writes = &engine->relaxed.writes;
    if (!may_forward(engine))
        return UINT64_MAX;
    bool is_fence = fence_seq(engine) != 0;
    if ((pending_writes_is_empty(writes) && !is_fence) || outbound->leader == 0)
        return UINT64_MAX;
    uint64_t due_ns = outbound_due_ns(outbound, is_fence);
    if (!engine->view.is_leader)
        return !is_fence && is_due_elsewhere(engine) ? 0 : due_ns;
    if (engine->view.are_rights_old) /* shard 0 may be heard of by another thread */
        return engine->view.now_ns + OUTBOUND_WAIT_MIN_NS;
    bool may_join = admission_readiness(engine) == WIRE_STATUS_OK && batch_has_room(engine);
    return (is_fence || has_next(engine)) && may_join ? due_ns : UINT64_MAX;
}
