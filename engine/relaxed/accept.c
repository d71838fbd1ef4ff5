/*
 * Relaxed writes as they arrive: taken whatever this node's role, in three steps. Accepted: given
 * journal seqs, handed to the journal, queued in the pending writes. Durable: shown to relaxed
 * reads and answered. Decided: the log has applied them, and they are pending no longer. A retry is
 * answered from what is remembered of its relaxed session.
 *
 * A journal entry is a wire_entry: the principal whose writes they are, and a wire_request with the
 * client's session as session, the journal seq of its first set as floor, and the client's ops as
 * it numbered them. The entry's own seq is that of its last set.
 */
#include "engine/engine_internal.h"
#include "wire/wire_entry.h"

#define SEQ_MAX (PENDING_WRITES_ABSENT - 1)

static_assert(REQUEST_OPS_MAX <= 64, "a request's ops fit a mask of 64 bits");

/* One relaxed write under way through the checks. */
struct relaxed_arrival {
    const struct address *from;
    const struct wire_write *write;
    const struct request *request;
    uint64_t unknown;         /* bit i: op i is a set that is not known yet, or a cancel of one */
    struct pending_need need; /* of those */
    uint64_t known_last_seq;  /* newest journal seq of the sets that are known */
};

static inline bool is_unknown(const struct relaxed_arrival *arrival, uint16_t i)
{
    return (arrival->unknown >> i & 1) != 0;
}

size_t relaxed_arena_bytes(const struct engine_options *options)
{
    if (options->journal.append == NULL)
        return 0;
    return pending_writes_arena_bytes(options->pending_max, options->pending_blocks_max) +
           relaxed_sessions_arena_bytes() + RELAXED_WAITERS_MAX * sizeof(struct relaxed_waiter) +
           RELAXED_ACKS_MAX * sizeof(struct relaxed_ack) + MESSAGE_SIZE_BYTES_MAX +
           VALUE_SIZE_BYTES_MAX + 4096;
}

static struct node_progress *own_progress(const struct engine *engine)
{
    return node_progress_own(&engine->machine.nodes);
}

static bool is_write_decided(const void *context, uint64_t seq, struct span key, uint32_t tag)
{
    return node_progress_is_decided(own_progress(context), seq, key, tag);
}

enum error relaxed_init(struct engine *engine, struct arena *arena)
{
    const struct engine_options *options = &engine->options;
    struct relaxed *relaxed = &engine->relaxed;
    if (options->journal.append == NULL)
        return OK;
    relaxed->next_seq = options->journal_first_seq;
    skip_init(&relaxed->skip);
    relaxed->durable_seq = options->journal_first_seq - 1;
    relaxed->waiters = arena_take(arena, RELAXED_WAITERS_MAX * sizeof(struct relaxed_waiter), 64);
    relaxed->acks = arena_take(arena, RELAXED_ACKS_MAX * sizeof(struct relaxed_ack), 64);
    relaxed->message = arena_take(arena, MESSAGE_SIZE_BYTES_MAX, 64);
    relaxed->value = arena_take(arena, VALUE_SIZE_BYTES_MAX, 64);
    relaxed_sessions_init(&relaxed->sessions, arena, &options->hash_key);
    const struct pending_writes_options pending = {.ops_max = options->pending_max,
                                                   .blocks_max = options->pending_blocks_max,
                                                   .hash_key = &options->hash_key,
                                                   .judge = {is_write_decided, engine}};
    enum error error = pending_writes_init(&relaxed->writes, arena, &pending);
    relaxed->is_open = error == OK;
    return error;
}

void relaxed_deinit(struct engine *engine)
{
    if (engine->relaxed.is_open)
        pending_writes_deinit(&engine->relaxed.writes);
}

/* Finds what of the write is known, and what the rest needs; false: not a relaxed write. */
static bool measure_arrival(const struct engine *engine, struct relaxed_arrival *arrival)
{
    const struct request *request = arrival->request;
    const struct relaxed_session *session =
        relaxed_sessions_find(&engine->relaxed.sessions, request->session);
    uint64_t bits = 0; /* of the next set and its cancels */
    uint32_t cancels = 0;
    for (uint16_t i = 0; i < request->op_count; i++) {
        const struct op *op = &request->ops[i];
        bits |= UINT64_C(1) << i;
        if (op->type == WIRE_OP_CANCEL) {
            cancels++;
            continue;
        }
        if (op->type != WIRE_OP_SET)
            return false;
        uint64_t known = session == NULL ? 0 : relaxed_session_recall(session, op->seq);
        if (known > arrival->known_last_seq)
            arrival->known_last_seq = known;
        if (known == 0 && (session == NULL || !relaxed_session_has_forgotten(session, op->seq))) {
            arrival->unknown |= bits;
            arrival->need.ops++;
            arrival->need.cancels += cancels;
            arrival->need.blocks += store_entry_blocks(op->key_size_bytes, op->value_size_bytes);
        }
        bits = 0;
        cancels = 0;
    }
    return cancels == 0 && request->session != 0 && request->floor < SEQ_MAX - WIRE_RELAXED_SPAN;
}

/* Encodes what is not known yet as a journal entry; returns its bytes. */
static struct span entry_encode(struct engine *engine, const struct relaxed_arrival *arrival,
                                struct request *ret_request)
{
    struct relaxed *relaxed = &engine->relaxed;
    const struct request *request = arrival->request;
    const struct wire_entry entry = {.kind = WIRE_ENTRY_WRITES,
                                     .name = engine->view.are_entries_named ? engine->rights.name
                                                                            : (struct span){0},
                                     .generation = engine->rights.generation};
    size_t head_bytes = wire_entry_head_bytes(entry.name);
    wire_entry_head_encode(relaxed->message, &entry);
    struct request_builder builder = {
        .writer = {.data = relaxed->message + head_bytes,
                   .capacity_bytes = MESSAGE_SIZE_BYTES_MAX - head_bytes},
        .ops = relaxed->ops};
    request_builder_begin(&builder, request->session, relaxed->next_seq);
    for (uint16_t i = 0; i < request->op_count; i++) {
        if (is_unknown(arrival, i))
            request_builder_copy(&builder, request, &request->ops[i]);
    }
    *ret_request = request_builder_end(&builder);
    return span_of(relaxed->message, head_bytes + ret_request->size_bytes);
}

/* Sets in an entry, cancels left out; 0: not an entry. */
static uint32_t entry_sets(const struct request *entry, struct pending_need *ret_need)
{
    struct pending_need need = {0};
    for (uint16_t i = 0; i < entry->op_count; i++) {
        const struct op *op = &entry->ops[i];
        if (op->type != WIRE_OP_SET && op->type != WIRE_OP_CANCEL)
            return 0;
        need.ops += op->type == WIRE_OP_SET;
        need.cancels += op->type == WIRE_OP_CANCEL;
        need.blocks += op->type == WIRE_OP_SET
                           ? store_entry_blocks(op->key_size_bytes, op->value_size_bytes)
                           : 0;
    }
    *ret_need = need;
    return entry->ops[entry->op_count - 1].type == WIRE_OP_SET ? need.ops : 0;
}

static void remember_write(const struct engine *engine, struct relaxed_session *session,
                           uint64_t seq, uint64_t journal_seq)
{
    const struct engine_hooks *hooks = &engine->options.hooks;
    relaxed_session_remember(session, seq, journal_seq);
    if (hooks->accepted != NULL)
        hooks->accepted(hooks->context, &(struct engine_accepted){.session = session->id,
                                                                  .seq = seq,
                                                                  .series = engine->options.series,
                                                                  .journal_seq = journal_seq});
}

/* Queues an entry's sets; `session` (NULL: none) remembers them. */
static void entry_queue(struct engine *engine, const struct request *entry,
                        struct relaxed_session *session, uint16_t principal)
{
    struct pending_writes *writes = &engine->relaxed.writes;
    uint64_t seq = entry->floor;
    for (uint16_t i = 0; i < entry->op_count; i++) {
        const struct op *op = &entry->ops[i];
        if (op->type == WIRE_OP_CANCEL) {
            pending_writes_add_cancel(writes, op);
            continue;
        }
        if (session != NULL)
            remember_write(engine, session, op->seq, seq);
        pending_writes_add(writes, entry, op, seq++, principal);
    }
}

static bool has_waiting_room(const struct relaxed *relaxed, uint32_t op_count)
{
    return relaxed->waiters_tail - relaxed->waiters_head < RELAXED_WAITERS_MAX &&
           relaxed->acks_tail - relaxed->acks_head + op_count <= RELAXED_ACKS_MAX;
}

/* Cancels that a client's pending writes carry, of writes of a node. */
static uint32_t pending_cancels_of(const struct pending_writes *writes, uint16_t node, uint32_t tag)
{
    uint32_t count = 0;
    for (uint64_t at = writes->cancels_head; at < writes->cancels_tail; at++) {
        const struct pending_cancel *cancel = pending_writes_cancel_at(writes, at);
        count += cancel->node == node && cancel->tag == tag;
    }
    return count;
}

/* True when the log can take what the write overrules, whatever the other nodes accept meanwhile:
 * see NODE_CANCELS_MAX. Counts no more precisely than it must. A client has no more than are free:
 * see claims_share_cancels. */
static bool can_log_cancels(struct engine *engine, const struct relaxed_arrival *arrival)
{
    const struct request *request = arrival->request;
    for (uint16_t i = 0; i < request->op_count && arrival->need.cancels > 0; i++) {
        const struct op *op = &request->ops[i];
        if (op->type != WIRE_OP_CANCEL)
            continue;
        const struct node_progress *node = node_progress_of(&engine->machine.nodes, op_series(op));
        uint32_t count = arrival->need.cancels + engine->relaxed.writes.cancels_of[op->node];
        uint32_t own = pending_cancels_of(&engine->relaxed.writes, op->node, op->tag);
        if (node_progress_has_room(node, count + own, NODE_CANCELS_MAX))
            continue;
        engine->counters.cancels_over_share +=
            node_progress_has_room(node, count, NODE_CANCELS_MAX);
        return false;
    }
    return true;
}

/* Whose what is received is; false: too many others have writes pending here. */
static bool take_principal(struct engine *engine, uint16_t *ret_principal)
{
    *ret_principal = PRINCIPAL_NONE;
    if (engine->rights.name.size_bytes == 0)
        return true;
    *ret_principal = principals_take(&engine->relaxed.writes.principals, engine->rights.name,
                                     engine->rights.generation, PRINCIPALS_MAX);
    engine->counters.relaxed_over_principals += *ret_principal == PRINCIPAL_NONE;
    return *ret_principal != PRINCIPAL_NONE;
}

/* Hands the unknown sets to journal and pending writes. */
static enum wire_status accept_unknown(struct engine *engine, const struct relaxed_arrival *arrival)
{
    struct relaxed *relaxed = &engine->relaxed;
    uint64_t decided = own_progress(engine)->last_seq;
    /* What it has accepted before it answers as ever: that is decided if the node comes back. */
    if (engine->view.is_removed || engine->view.leaves)
        return WIRE_STATUS_OVERLOADED;
    if (!pending_writes_has_room(&relaxed->writes, &arrival->need))
        outbound_close_gaps(engine);
    if (!pending_writes_has_room(&relaxed->writes, &arrival->need) ||
        !can_log_cancels(engine, arrival) || !has_waiting_room(relaxed, arrival->request->op_count))
        return WIRE_STATUS_OVERLOADED;
    struct relaxed_session *session =
        relaxed_sessions_find(&relaxed->sessions, arrival->request->session);
    if (session == NULL)
        return WIRE_STATUS_OVERLOADED;
    if (relaxed->next_seq <= decided)
        relaxed->next_seq = decided + 1;
    enum wire_status status = skip_to_range(engine, arrival->request, arrival->need.ops);
    if (status != WIRE_STATUS_OK)
        return status;
    uint64_t last_seq = relaxed->next_seq + arrival->need.ops - 1;
    CHECK(last_seq <= SEQ_MAX);
    struct request entry;
    uint16_t principal;
    if (!take_principal(engine, &principal))
        return WIRE_STATUS_OVERLOADED;
    struct span payload = entry_encode(engine, arrival, &entry);
    const struct engine_journal *journal = &engine->options.journal;
    enum error error = journal->append(journal->context, last_seq, payload);
    if (error != OK) {
        principals_leave(&relaxed->writes.principals, principal);
        return error == ERR_NOT_YET ? WIRE_STATUS_PENDING : WIRE_STATUS_OVERLOADED;
    }
    entry_queue(engine, &entry, session, principal);
    relaxed->next_seq = last_seq + 1;
    engine->counters.relaxed_accepted += arrival->need.ops;
    return WIRE_STATUS_OK;
}

/* The answer to a set, now that each is known or forgotten. */
static struct relaxed_ack ack_of(const struct op *op, const struct relaxed_session *session)
{
    struct relaxed_ack ack = {.seq = op->seq, .outcome = WIRE_OUTCOME_OK};
    ack.journal_seq = relaxed_session_recall(session, op->seq);
    if (ack.journal_seq == 0)
        ack.outcome = WIRE_OUTCOME_FORGOTTEN;
    return ack;
}

static struct relaxed_ack *ack_at(const struct relaxed *relaxed, uint64_t position)
{
    return &relaxed->acks[position & (RELAXED_ACKS_MAX - 1)];
}

/* Answers the waiter whose acks are the oldest. */
static void answer_waiter(struct engine *engine, const struct relaxed_waiter *waiter)
{
    struct relaxed *relaxed = &engine->relaxed;
    struct answer answer;
    struct wire_reply head = answer_head(engine, waiter->packet_number, WIRE_STATUS_OK);
    answer_begin(&answer, &engine->buffers, &waiter->from, WIRE_WRITE_REPLY);
    answer_open(&answer, &head, waiter->op_count);
    for (uint16_t i = 0; i < waiter->op_count; i++) {
        const struct relaxed_ack *ack = ack_at(relaxed, relaxed->acks_head++);
        struct wire_reply_op op = {.seq = ack->seq,
                                   .outcome = ack->outcome,
                                   .is_pending = ack->journal_seq != 0,
                                   .version = ack->journal_seq};
        answer_add(&answer, &op, NULL, NULL, 0);
    }
    answer_send(&answer);
}

static void answer_durable(struct engine *engine)
{
    struct relaxed *relaxed = &engine->relaxed;
    while (relaxed->waiters_head < relaxed->waiters_tail) {
        const struct relaxed_waiter *waiter =
            &relaxed->waiters[relaxed->waiters_head & (RELAXED_WAITERS_MAX - 1)];
        if (waiter->last_seq > relaxed->durable_seq)
            return;
        answer_waiter(engine, waiter);
        relaxed->waiters_head++;
    }
}

/* Lets the client wait until all of its sets are durable. */
static void add_waiter(struct engine *engine, const struct relaxed_arrival *arrival)
{
    struct relaxed *relaxed = &engine->relaxed;
    const struct request *request = arrival->request;
    const struct relaxed_session *session =
        relaxed_sessions_find(&relaxed->sessions, request->session);
    struct relaxed_waiter waiter = {.from = *arrival->from,
                                    .packet_number = arrival->write->packet_number};
    for (uint16_t i = 0; i < request->op_count; i++) {
        if (request->ops[i].type == WIRE_OP_CANCEL)
            continue;
        struct relaxed_ack ack = ack_of(&request->ops[i], session);
        waiter.op_count++;
        if (ack.journal_seq > waiter.last_seq)
            waiter.last_seq = ack.journal_seq;
        *ack_at(relaxed, relaxed->acks_tail++) = ack;
    }
    relaxed->waiters[relaxed->waiters_tail++ & (RELAXED_WAITERS_MAX - 1)] = waiter;
    answer_durable(engine);
}

/* Whether it is a relaxed write, and for this life of this node. */
static enum wire_status check_arrival(const struct engine *engine, struct relaxed_arrival *arrival)
{
    if (!engine->relaxed.is_open)
        return WIRE_STATUS_UNSUPPORTED;
    if (!measure_arrival(engine, arrival))
        return WIRE_STATUS_BAD_REQUEST;
    if (arrival->write->incarnation != engine->options.incarnation)
        return WIRE_STATUS_INCARNATION;
    return WIRE_STATUS_OK;
}

/*
 * False for a copy of a packet that was here before: what was refused is not taken any more, and
 * what was taken not refused. Recalls may come in any number: nobody concludes anything from their
 * refusal. A session that is heard of does not give way: its writes would be executed again.
 */
static bool is_new_packet(struct engine *engine, const struct relaxed_arrival *arrival)
{
    struct relaxed_sessions *sessions = &engine->relaxed.sessions;
    uint64_t id = arrival->request->session;
    uint64_t number = arrival->write->packet_number;
    if (arrival->write->is_recall && arrival->need.ops > 0)
        return true;
    struct relaxed_session *session = relaxed_sessions_find(sessions, id);
    bool is_known = session != NULL;
    if (!is_known && relaxed_sessions_is_late(sessions, id, number))
        return false;
    bool is_over_share =
        !is_known && relaxed_sessions_is_over_share(sessions, arrival->from, engine->view.now_ns);
    engine->counters.relaxed_over_share += is_over_share;
    if (!is_over_share)
        session = relaxed_sessions_take(sessions, id, engine->view.now_ns);
    if (!is_known && session != NULL)
        relaxed_sessions_note_opener(sessions, session, arrival->from);
    if (arrival->write->is_recall)
        return true;
    return session != NULL ? packet_window_accept(&session->packets, number)
                           : relaxed_sessions_refuse(sessions, id, number, engine->view.now_ns);
}

/* What becomes of the write; WIRE_STATUS_OK: taken, or known. */
static enum wire_status decide_arrival(struct engine *engine, const struct relaxed_arrival *arrival)
{
    struct relaxed *relaxed = &engine->relaxed;
    if (is_too_much(engine, arrival->need.ops > 0 && !arrival->write->is_recall))
        return WIRE_STATUS_OVERLOADED;
    if (arrival->need.ops > 0)
        return arrival->write->is_recall ? skip_past_range(engine, arrival->request->floor)
                                         : accept_unknown(engine, arrival);
    engine->counters.relaxed_recalled++;
    return has_waiting_room(relaxed, arrival->request->op_count) ? WIRE_STATUS_OK
                                                                 : WIRE_STATUS_OVERLOADED;
}

/* True: the client may not do what is not known yet, and was told. */
static bool deny_unknown(struct engine *engine, const struct relaxed_arrival *arrival)
{
    uint64_t denied = 0;
    if (!arrival->write->is_recall)
        denied = arrival->unknown & permission_of_write(engine, arrival->request, true);
    if (denied == 0)
        return false;
    engine->counters.relaxed_refused++;
    permission_refuse_write(engine, arrival->from, arrival->write->packet_number, arrival->request,
                            denied);
    return true;
}

void relaxed_write(struct engine *engine, const struct address *from,
                   const struct wire_write *write, const struct request *request)
{
    struct relaxed_arrival arrival = {.from = from, .write = write, .request = request};
    enum wire_status status = check_arrival(engine, &arrival);
    if (status == WIRE_STATUS_OK && !is_new_packet(engine, &arrival)) {
        engine->counters.writes_replayed++;
        return;
    }
    if (status == WIRE_STATUS_OK && deny_unknown(engine, &arrival))
        return;
    if (status == WIRE_STATUS_OK)
        status = decide_arrival(engine, &arrival);
    if (status != WIRE_STATUS_OK) {
        engine->counters.writes_refused++;
        if (status == WIRE_STATUS_PENDING || status == WIRE_STATUS_PASSED)
            engine->counters.relaxed_postponed++;
        else
            engine->counters.relaxed_refused++;
        answer_refuse(engine, from, WIRE_WRITE_REPLY, write->packet_number, status);
        return;
    }
    add_waiter(engine, &arrival);
}

void engine_journal_durable(struct engine *engine, uint64_t seq)
{
    struct relaxed *relaxed = &engine->relaxed;
    if (!relaxed->is_open || seq <= relaxed->durable_seq)
        return;
    relaxed->durable_seq = seq;
    engine->counters.relaxed_coalesced += pending_writes_show(&relaxed->writes, seq);
    answer_durable(engine);
}

static void note_restored(struct relaxed *relaxed, uint64_t seq)
{
    relaxed->restored_seq = seq;
    if (relaxed->next_seq <= seq)
        relaxed->next_seq = seq + 1;
    if (relaxed->durable_seq < seq)
        relaxed->durable_seq = seq;
}

static enum error restore_writes(struct engine *engine, uint64_t seq,
                                 const struct wire_entry *found)
{
    struct relaxed *relaxed = &engine->relaxed;
    struct principals *principals = &relaxed->writes.principals;
    uint16_t principal = PRINCIPAL_NONE;
    struct request entry;
    struct pending_need need;
    if (request_decode(found->request, &relaxed->writes.index, relaxed->ops, &entry) != OK)
        return ERR_CORRUPT;
    uint32_t sets = entry_sets(&entry, &need);
    if (sets == 0 || entry.session == 0 || entry.floor == 0 || seq > SEQ_MAX ||
        entry.floor + (sets - 1) != seq || entry.floor <= relaxed->restored_seq)
        return ERR_CORRUPT;
    if (!pending_writes_has_room_again(&relaxed->writes, &need))
        return ERR_FULL;
    if (found->name.size_bytes > 0)
        principal =
            principals_take(principals, found->name, found->generation, PRINCIPALS_CAPACITY);
    if (found->name.size_bytes > 0 && principal == PRINCIPAL_NONE)
        return ERR_FULL;
    entry_queue(engine, &entry,
                relaxed_sessions_take_again(&relaxed->sessions, entry.session, engine->view.now_ns),
                principal);
    engine->counters.relaxed_coalesced += pending_writes_show(&relaxed->writes, seq);
    pending_writes_decide(&relaxed->writes, own_progress(engine)->last_seq);
    note_restored(relaxed, seq);
    return OK;
}

enum error engine_journal_restore(struct engine *engine, uint64_t seq, struct span payload)
{
    struct relaxed *relaxed = &engine->relaxed;
    struct wire_entry entry;
    if (!relaxed->is_open || wire_entry_decode(payload, &entry) != OK)
        return ERR_CORRUPT;
    if (entry.kind == WIRE_ENTRY_WRITES)
        return restore_writes(engine, seq, &entry);
    if (seq == 0 || seq > SEQ_MAX || seq <= relaxed->restored_seq)
        return ERR_CORRUPT;
    revoke_restored(engine, seq, &entry);
    note_restored(relaxed, seq);
    return OK;
}

uint64_t engine_relaxed_pending(const struct engine *engine)
{
    return engine->relaxed.is_open ? engine->relaxed.writes.live : 0;
}

uint64_t engine_journal_done(const struct engine *engine)
{
    const struct relaxed *relaxed = &engine->relaxed;
    const struct pending_writes *writes = &relaxed->writes;
    if (!relaxed->is_open)
        return own_progress(engine)->last_seq;
    uint64_t done = writes->head == writes->tail ? relaxed->next_seq - 1
                                                 : pending_writes_at(writes, writes->head)->seq - 1;
    /* A restart must know that there is something to be fenced. */
    return is_revoked_open(engine) && relaxed->revoked_seq <= done ? relaxed->revoked_seq - 1
                                                                   : done;
}

uint64_t engine_next_pending(const struct engine *engine, uint64_t seq)
{
    uint64_t decided = own_progress(engine)->last_seq;
    if (!engine->relaxed.is_open || seq <= decided)
        return seq;
    uint64_t next = pending_writes_next_seq(&engine->relaxed.writes, seq);
    uint64_t revoked = engine->relaxed.revoked_seq;
    return is_revoked_open(engine) && seq <= revoked && revoked < next ? revoked : next;
}

/*
 * What was accepted before this start may be on its way from then, and so may apply even where a
 * newer write has dropped it, or the journal was lost: only the log can say that it will not any
 * more.
 */
uint64_t engine_pending_done(const struct engine *engine)
{
    uint64_t done = engine_journal_done(engine);
    uint64_t decided = own_progress(engine)->last_seq;
    bool is_from_before = decided < engine->relaxed.restored_seq || relaxed_is_after_loss(engine);
    if (is_revoked_open(engine) && engine->relaxed.revoked_first <= done)
        done = engine->relaxed.revoked_first - 1;
    return is_from_before && decided < done ? decided : done;
}

bool relaxed_is_series_open(const struct engine *engine)
{
    return own_progress(engine)->is_open;
}

bool relaxed_is_series_alone(const struct engine *engine)
{
    return node_progress_own_is_alone(&engine->machine.nodes);
}

bool relaxed_is_after_loss(const struct engine *engine)
{
    return engine->options.has_lost_journal &&
           own_progress(engine)->last_seq + 1 < engine->options.journal_first_seq;
}

void relaxed_overrule(struct engine *engine, struct span key, uint64_t hash)
{
    if (engine->relaxed.is_open)
        pending_writes_overrule(&engine->relaxed.writes, key, hash);
}

void relaxed_follow_decided(struct engine *engine)
{
    struct relaxed *relaxed = &engine->relaxed;
    if (!relaxed->is_open || pending_writes_is_empty(&relaxed->writes))
        return;
    pending_writes_decide(&relaxed->writes, own_progress(engine)->last_seq);
}

void relaxed_installed(struct engine *engine)
{
    relaxed_follow_decided(engine);
    if (engine->relaxed.is_open && own_progress(engine)->cancel_count > 0)
        pending_writes_overrule_all(&engine->relaxed.writes);
}

struct store_entry *relaxed_lookup(const struct engine *engine, struct span key, uint64_t hash)
{
    if (!engine->relaxed.is_open)
        return NULL;
    return pending_writes_lookup(&engine->relaxed.writes, key, hash);
}
