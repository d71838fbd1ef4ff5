/*
 * Reads. A relaxed read is answered in the turn that receives it, whatever this node's role. A
 * consistent one waits until raft has confirmed the leadership for its id and the index that raft
 * names is applied (ReadIndex: thesis 6.4), or until its time is up, or the leadership is lost.
 *
 * Waiting reads are copied into a byte ring, each in one piece, oldest first.
 */
#include "engine/engine_internal.h"

/* Reads are refused no later than this after their time is up: who looks for them walks all that
 * wait, and must not do so for each of them. */
#define EXPIRE_INTERVAL_NS UINT64_C(1000000)

static uint64_t read_bytes_capacity(const struct engine_options *options)
{
    return (uint64_t)options->reads_pending_max * READ_SIZE_BYTES_AVERAGE + 2 * READ_SIZE_BYTES_MAX;
}

size_t reads_arena_bytes(const struct engine_options *options)
{
    return power_of_two_at_least(options->reads_pending_max) * sizeof(struct pending_read) +
           read_bytes_capacity(options) + 128;
}

void reads_init(struct engine *engine, struct arena *arena)
{
    struct pending_reads *reads = &engine->reads;
    reads->limit = engine->options.reads_pending_max;
    reads->capacity = power_of_two_at_least(reads->limit);
    reads->reads = arena_take(arena, reads->capacity * sizeof(struct pending_read), 64);
    reads->bytes_capacity = read_bytes_capacity(&engine->options);
    reads->bytes = arena_take(arena, reads->bytes_capacity, 64);
    reads->gathering_id = 1;
    reads->deadline_ns = UINT64_MAX;
}

/* Finds the key, for a relaxed read among the pending writes first; fills the op's head. */
static const struct store_entry *read_find(const struct engine *engine, struct span key,
                                           uint64_t hash, bool is_relaxed,
                                           struct wire_reply_op *reply_op)
{
    const struct store_entry *entry = is_relaxed ? relaxed_lookup(engine, key, hash) : NULL;
    reply_op->outcome = WIRE_OUTCOME_NOT_FOUND;
    reply_op->is_pending = entry != NULL;
    if (entry == NULL)
        entry = index_lookup(&engine->machine.index, key, hash);
    if (entry == NULL)
        return NULL;
    reply_op->version = reply_op->is_pending ? pending_writes_seq(entry) : entry->version;
    if (reply_op->is_pending && !pending_writes_has_value(entry))
        return NULL;
    reply_op->outcome = WIRE_OUTCOME_OK;
    return entry;
}

/* One op of a read, and the hash of its key. */
struct read_step {
    struct wire_read_op op;
    uint64_t hash;
    bool is_relaxed;
};

static void answer_read_op(const struct engine *engine, struct answer *answer,
                           const struct read_step *step, uint32_t position)
{
    const struct wire_read_op *op = &step->op;
    struct wire_reply_op reply_op = {.seq = position};
    const struct store_entry *entry =
        read_find(engine, op->key, step->hash, step->is_relaxed, &reply_op);
    const struct store *store =
        reply_op.is_pending ? &engine->relaxed.writes.store : &engine->machine.store;
    /* A version asked for and not stored any more: the rest of that value is gone. */
    if (op->version != 0 && op->version != reply_op.version) {
        reply_op.outcome = WIRE_OUTCOME_VERSION;
        entry = NULL;
    }
    answer_add(answer, &reply_op, store, entry, op->offset_bytes);
}

/* Decodes the ops, and fetches what they will touch: memory is the cost of a read. */
static void read_ops_decode(const struct index *index, const struct wire_read *read,
                            struct read_step *ret_steps)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < read->op_count; i++) {
        struct read_step *step = &ret_steps[i];
        CHECK(wire_read_op_decode(read->ops, &cursor, &step->op) == OK);
        step->hash = index_hash(index, step->op.key);
        step->is_relaxed = !read->is_consistent;
        index_fetch_line(index, step->hash);
    }
    for (uint16_t i = 0; i < read->op_count && read->op_count > 1; i++)
        index_fetch_entry(index, ret_steps[i].hash);
}

void reads_answer(const struct engine *engine, struct answer *answer, const struct wire_reply *head,
                  const struct wire_read *read)
{
    struct read_step steps[REQUEST_OPS_MAX];
    read_ops_decode(&engine->machine.index, read, steps);
    answer_open(answer, head, read->op_count);
    for (uint16_t i = 0; i < read->op_count; i++)
        answer_read_op(engine, answer, &steps[i], i);
}

static void answer_read(struct engine *engine, const struct address *from,
                        const struct wire_read *read)
{
    struct answer answer;
    struct wire_reply head = answer_head(engine, read->request_number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, from, WIRE_READ_REPLY);
    reads_answer(engine, &answer, &head, read);
    answer_send(&answer);
}

static void refuse_read(struct engine *engine, const struct address *from, uint64_t request_number,
                        enum wire_status status)
{
    engine->counters.reads_refused++;
    answer_refuse(engine, from, WIRE_READ_REPLY, request_number, status);
}

bool reads_are_fresh(const struct wire_reply *head, uint64_t min_index, uint32_t max_age_us)
{
    if (min_index > head->applied_index)
        return false;
    return max_age_us == 0 || head->contact_age_us <= max_age_us;
}

static struct pending_read *pending_read_at(struct pending_reads *reads, uint64_t position)
{
    return &reads->reads[position & (reads->capacity - 1)];
}

/* Position of a run of `size_bytes` in the byte ring that does not wrap; false: no room. */
static bool read_bytes_reserve(struct pending_reads *reads, uint32_t size_bytes,
                               uint64_t *ret_position)
{
    uint64_t position = reads->bytes_tail;
    uint64_t to_end = reads->bytes_capacity - position % reads->bytes_capacity;
    if (to_end < size_bytes)
        position += to_end;
    if (position + size_bytes - reads->bytes_head > reads->bytes_capacity)
        return false;
    *ret_position = position;
    return true;
}

/* What waits, whoever asks for it. */
struct waiting {
    const struct address *from;
    struct span bytes; /* that are kept of it */
    uint32_t timeout_us;
    bool is_list;
};

/* False: no room. */
static bool waiting_add(struct engine *engine, const struct waiting *waiting)
{
    struct pending_reads *reads = &engine->reads;
    struct span bytes = waiting->bytes;
    uint64_t position;
    uint64_t deadline_ns = waiting->timeout_us == 0
                               ? UINT64_MAX
                               : engine->view.now_ns + (uint64_t)waiting->timeout_us * 1000;
    if (reads->tail - reads->head >= reads->limit || bytes.size_bytes > READ_SIZE_BYTES_MAX ||
        !read_bytes_reserve(reads, (uint32_t)bytes.size_bytes, &position))
        return false;
    memcpy(reads->bytes + position % reads->bytes_capacity, bytes.data, bytes.size_bytes);
    reads->bytes_tail = position + bytes.size_bytes;
    *pending_read_at(reads, reads->tail++) = (struct pending_read){
        .from = *waiting->from,
        .read_id = reads->gathering_id,
        .deadline_ns = deadline_ns,
        .position = position,
        .size_bytes = (uint32_t)bytes.size_bytes,
        .is_list = waiting->is_list,
    };
    reads->has_gathered = true;
    if (deadline_ns < reads->expire_next_ns)
        deadline_ns = reads->expire_next_ns;
    if (deadline_ns < reads->deadline_ns)
        reads->deadline_ns = deadline_ns;
    return true;
}

/* Lets it wait. Any status but WIRE_STATUS_OK: it does not. */
static enum wire_status reads_wait(struct engine *engine, const struct waiting *waiting)
{
    const struct engine_view *view = &engine->view;
    if (!view->is_leader)
        return WIRE_STATUS_NOT_LEADER;
    if (!view->has_own_commit || !view->has_fresh_quorum)
        return WIRE_STATUS_NO_QUORUM;
    return waiting_add(engine, waiting) ? WIRE_STATUS_OK : WIRE_STATUS_OVERLOADED;
}

static void receive_consistent(struct engine *engine, const struct address *from,
                               const struct wire_read *read, struct span body)
{
    const struct waiting waiting = {
        .from = from, .bytes = body, .timeout_us = read->timeout_us, .is_list = false};
    enum wire_status status = reads_wait(engine, &waiting);
    if (status != WIRE_STATUS_OK)
        refuse_read(engine, from, read->request_number, status);
}

enum wire_status reads_wait_list(struct engine *engine, const struct address *from,
                                 const struct wire_list *list, struct span body)
{
    const struct waiting waiting = {.from = from,
                                    .bytes = span_of(body.data, wire_list_kept_bytes(list)),
                                    .timeout_us = list->timeout_us,
                                    .is_list = true};
    return reads_wait(engine, &waiting);
}

/* True when the read names a key of another shard. */
static bool has_foreign_key(const struct engine *engine, const struct wire_read *read)
{
    size_t cursor = 0;
    for (uint16_t i = 0; i < read->op_count && engine->options.shard_count > 1; i++) {
        struct wire_read_op op;
        CHECK(wire_read_op_decode(read->ops, &cursor, &op) == OK);
        if (is_foreign_key(engine, op.key))
            return true;
    }
    return false;
}

enum wire_status reads_check(const struct engine *engine, const struct wire_read *read,
                             const struct wire_reply *head)
{
    if (has_foreign_key(engine, read))
        return WIRE_STATUS_WRONG_SHARD;
    return reads_are_fresh(head, read->min_index, read->max_age_us) ? WIRE_STATUS_OK
                                                                    : WIRE_STATUS_TOO_STALE;
}

static void receive_relaxed(struct engine *engine, const struct address *from,
                            const struct wire_read *read)
{
    struct answer answer;
    struct wire_reply head = answer_head(engine, read->request_number, WIRE_STATUS_OK);
    enum wire_status status = reads_check(engine, read, &head);
    if (status != WIRE_STATUS_OK) {
        engine->counters.keys_of_other_shards += status == WIRE_STATUS_WRONG_SHARD;
        refuse_read(engine, from, read->request_number, status);
        return;
    }
    engine->counters.reads_relaxed++;
    answer_begin(&answer, &engine->buffers, from, WIRE_READ_REPLY);
    reads_answer(engine, &answer, &head, read);
    answer_send(&answer);
}

/* Only who leads denies a consistent read: see take_write. */
static bool may_answer(const struct engine *engine, const struct wire_read *read)
{
    const struct engine_view *view = &engine->view;
    return !read->is_consistent ||
           (view->is_leader && view->has_own_commit && view->has_fresh_quorum);
}

void reads_receive(struct engine *engine, const struct address *from, struct span body)
{
    struct wire_read read;
    if (wire_read_decode(body, &read) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    bool is_answered_here = may_answer(engine, &read);
    uint64_t denied = is_answered_here ? permission_of_read(&engine->rights, &read) : 0;
    if (denied != 0) {
        permission_refuse_read(engine, from, &read, denied);
    } else if (is_too_much(engine, is_answered_here)) {
        refuse_read(engine, from, read.request_number, WIRE_STATUS_OVERLOADED);
    } else if (!read.is_consistent) {
        receive_relaxed(engine, from, &read);
    } else if (has_foreign_key(engine, &read)) {
        engine->counters.keys_of_other_shards++;
        refuse_read(engine, from, read.request_number, WIRE_STATUS_WRONG_SHARD);
    } else {
        receive_consistent(engine, from, &read, body);
    }
}

uint64_t engine_reads_wanted(struct engine *engine)
{
    struct pending_reads *reads = &engine->reads;
    if (!reads->has_gathered)
        return 0;
    reads->has_gathered = false;
    return reads->gathering_id++;
}

void engine_reads_released(struct engine *engine, uint64_t read_id, uint64_t index)
{
    struct pending_reads *reads = &engine->reads;
    CHECK(read_id < reads->gathering_id);
    if (read_id <= reads->released_id)
        return;
    reads->released_id = read_id;
    reads->released_index = index;
}

static void read_finish(struct engine *engine, struct pending_read *pending,
                        enum wire_status status)
{
    const uint8_t *bytes = engine->reads.bytes + pending->position % engine->reads.bytes_capacity;
    struct span kept = span_of(bytes, pending->size_bytes);
    struct wire_read read;
    pending->is_answered = true;
    if (pending->is_list) {
        lists_finish(engine, &pending->from, kept, status);
        return;
    }
    CHECK(wire_read_decode(kept, &read) == OK); /* as it did when it came */
    if (status == WIRE_STATUS_OK) {
        engine->counters.reads_consistent++;
        answer_read(engine, &pending->from, &read);
    } else {
        refuse_read(engine, &pending->from, read.request_number, status);
    }
}

/* Drops the answered reads at the head, and their bytes. */
static void pop_answered(struct pending_reads *reads)
{
    while (reads->head < reads->tail && pending_read_at(reads, reads->head)->is_answered)
        reads->head++;
    reads->bytes_head = reads->head < reads->tail ? pending_read_at(reads, reads->head)->position
                                                  : reads->bytes_tail;
}

/* Refuses those whose time is up; walks all that wait, only when one is due. */
static void reads_expire(struct engine *engine)
{
    struct pending_reads *reads = &engine->reads;
    uint64_t now_ns = engine->view.now_ns;
    if (reads->deadline_ns > now_ns)
        return;
    uint64_t earliest_ns = UINT64_MAX;
    reads->expire_next_ns = now_ns + EXPIRE_INTERVAL_NS;
    for (uint64_t at = reads->head; at < reads->tail; at++) {
        struct pending_read *pending = pending_read_at(reads, at);
        if (pending->is_answered)
            continue;
        if (pending->deadline_ns <= now_ns)
            read_finish(engine, pending, WIRE_STATUS_EXPIRED);
        else if (pending->deadline_ns < earliest_ns)
            earliest_ns = pending->deadline_ns;
    }
    reads->deadline_ns = earliest_ns > reads->expire_next_ns ? earliest_ns : reads->expire_next_ns;
}

void reads_serve(struct engine *engine)
{
    struct pending_reads *reads = &engine->reads;
    if (reads->head == reads->tail)
        return;
    if (engine->machine.applied_index >= reads->released_index) {
        for (uint64_t at = reads->head; at < reads->tail; at++) {
            struct pending_read *pending = pending_read_at(reads, at);
            if (pending->read_id > reads->released_id)
                break;
            if (!pending->is_answered)
                read_finish(engine, pending, WIRE_STATUS_OK);
        }
    }
    reads_expire(engine);
    pop_answered(reads);
    if (reads->head == reads->tail)
        reads->deadline_ns = UINT64_MAX;
}

void reads_refuse_all(struct engine *engine, enum wire_status status)
{
    struct pending_reads *reads = &engine->reads;
    for (uint64_t at = reads->head; at < reads->tail; at++) {
        struct pending_read *pending = pending_read_at(reads, at);
        if (!pending->is_answered)
            read_finish(engine, pending, status);
    }
    pop_answered(reads);
    reads->has_gathered = false;
    reads->deadline_ns = UINT64_MAX;
}
