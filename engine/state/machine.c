/*
 * The replicated state machine. Everything here depends on nothing but the records applied before,
 * in order, and the op itself: no view, no clock, no node. Sources: Ongaro's thesis 6.3 (sessions
 * and linearizable semantics); Lee et al., "Implementing Linearizability at Large Scale and Low
 * Latency" (SOSP 2015) on remembering outcomes.
 */
#include "engine/state/machine.h"

#include "base/check.h"
#include "base/le.h"
#include "engine/state/key_hash.h"

/* The store's own account is larger than the logical one: a snapshot keeps entries. */
static uint32_t store_blocks_of(const struct machine_options *options)
{
    uint32_t blocks = options->capacity.blocks_max;
    return blocks + snapshot_reserve_blocks(blocks);
}

size_t machine_arena_bytes(const struct machine_options *options)
{
    const struct wire_limits *capacity = &options->capacity;
    return store_arena_bytes(store_blocks_of(options)) +
           snapshot_arena_bytes(capacity->sessions_max) +
           install_arena_bytes(capacity->sessions_max) + index_arena_bytes(capacity->keys_max) +
           sessions_arena_bytes(capacity->sessions_max) + closed_sessions_arena_bytes() +
           nodes_progress_arena_bytes();
}

enum error machine_init(struct machine *machine, const struct machine_options *options,
                        struct arena *arena)
{
    const struct wire_limits *capacity = &options->capacity;
    *machine = (struct machine){.limits = {.values = options->limits},
                                .configured = options->limits,
                                .capacity = *capacity,
                                .session_ttl_ns = options->session_ttl_ns,
                                .session_idle_ns = session_idle_ns(options->session_ttl_ns)};
    CHECK(machine_can_hold(machine, &options->limits));
    sessions_init(&machine->sessions, arena, capacity->sessions_max, &options->hash_key);
    closed_sessions_init(&machine->closed, arena);
    nodes_progress_init(&machine->nodes, arena);
    snapshot_init(&machine->snapshot, arena, capacity->sessions_max);
    install_init(&machine->install, arena, capacity->sessions_max);
    enum error error = store_init(&machine->store, arena, store_blocks_of(options));
    if (error != OK)
        return error;
    index_init(&machine->index, arena, &machine->store, capacity->keys_max, &options->hash_key);
    return OK;
}

void machine_deinit(struct machine *machine)
{
    store_deinit(&machine->store);
}

static uint64_t log_time_before(const struct machine *machine, uint64_t age_ns)
{
    return machine->log_time_ns > age_ns ? machine->log_time_ns - age_ns : 0;
}

void machine_configure(struct machine *machine, uint64_t index, struct span payload)
{
    struct machine_configuration *configuration = &machine->configuration;
    CHECK(payload.size_bytes <= sizeof(configuration->bytes));
    configuration->index = index;
    configuration->size_bytes = (uint32_t)payload.size_bytes;
    memcpy(configuration->bytes, payload.data, payload.size_bytes);
    struct raft_configuration decoded;
    struct series_member members[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    CHECK(raft_configuration_decode(payload.data, payload.size_bytes, &decoded) == OK);
    for (uint32_t slot = 0; slot < decoded.slot_count; slot++) {
        const struct raft_storage *storage = &decoded.members[slot].storage;
        if (storage->birth != 0)
            members[count++] = (struct series_member){wire_series(storage->birth), storage->id};
    }
    nodes_progress_open(&machine->nodes, members, count);
    machine->nodes.new_names =
        decoded.format >= FORMAT_CANCEL_NAMES ? CANCEL_NAMES_256 : CANCEL_NAMES_64;
}

uint32_t machine_begin_record(struct machine *machine, uint64_t index, uint64_t log_time_ns)
{
    CHECK(index == machine->applied_index + 1);
    CHECK(machine->snapshot.phase == SNAPSHOT_IDLE || !snapshot_must_wait(machine));
    machine->applied_index = index;
    /* Log time goes forward, whatever a record says. */
    if (log_time_ns > machine->log_time_ns)
        machine->log_time_ns = log_time_ns;
    machine->oldest.active_ns = log_time_before(machine, machine->session_ttl_ns);
    machine->oldest.idle_ns = log_time_before(machine, machine->session_idle_ns);
    return sessions_expire(&machine->sessions, &machine->oldest, EXPIRE_MAX);
}

/* A backlog of expired sessions is worked off over several records; none of them answers again. */
static bool has_expired(const struct machine *machine, const struct session *session)
{
    return session_has_ended(session, &machine->oldest);
}

const struct session *machine_next_expiry(const struct machine *machine, uint64_t *ret_log_ns)
{
    const struct session *idle = TAILQ_FIRST(&machine->sessions.idle);
    const struct session *active = TAILQ_FIRST(&machine->sessions.active);
    uint64_t idle_ns = idle == NULL ? UINT64_MAX : idle->last_active_ns + machine->session_idle_ns;
    uint64_t active_ns =
        active == NULL ? UINT64_MAX : active->last_active_ns + machine->session_ttl_ns;
    *ret_log_ns = idle_ns <= active_ns ? idle_ns : active_ns;
    return idle_ns <= active_ns ? idle : active;
}

uint64_t machine_ended_floor(const struct machine *machine, uint64_t id)
{
    const struct session *session = sessions_find(&machine->sessions, id);
    if (session != NULL)
        return session->is_idle && has_expired(machine, session) ? session->floor : 0;
    return sessions_ended_floor(&machine->sessions, id);
}

struct session *machine_begin_request(struct machine *machine, const struct request *request)
{
    machine->request = request;
    machine->forwarder = NULL;
    machine->is_blocked = false;
    machine->cancel_count = 0;
    if ((request->session & WIRE_NODE_SESSION_FLAG) != 0) {
        machine->forwarder =
            node_progress_of(&machine->nodes, request->session & ~WIRE_NODE_SESSION_FLAG);
        machine->is_blocked =
            !machine->forwarder->is_open || machine->forwarder->last_seq < request->floor;
    }
    if (request->session == 0 || machine->forwarder != NULL)
        return NULL;
    struct session *session = sessions_find(&machine->sessions, request->session);
    if (session == NULL || has_expired(machine, session))
        return NULL;
    sessions_touch(&machine->sessions, session, machine->log_time_ns);
    if (request->floor > session->floor)
        session->floor = request->floor;
    return session;
}

/* Blocks that the entry is charged for; 0 for none. */
static uint32_t entry_blocks(const struct store_entry *entry)
{
    if (entry == NULL)
        return 0;
    return store_entry_blocks(store_entry_key_size(entry), entry->value_size_bytes);
}

/* The entry has left the index. */
static void entry_retire(struct machine *machine, struct store_entry *old, bool is_wanted)
{
    if (is_wanted)
        snapshot_keep(machine, old);
    else
        store_retire(&machine->store, old);
}

static void entry_delete(struct machine *machine, struct store_entry *old)
{
    machine->keys--;
    machine->blocks -= entry_blocks(old);
    bool is_wanted = snapshot_is_walking(&machine->snapshot) && snapshot_wants(machine, old);
    index_remove(&machine->index, old);
    entry_retire(machine, old, is_wanted);
}

/* Blocks in use once the content is stored in place of `old` (NULL: none). */
static uint64_t blocks_after(const struct machine *machine, const struct store_entry *old,
                             const struct store_content *content)
{
    return machine->blocks - entry_blocks(old) +
           store_entry_blocks(content->key.size_bytes, content->value.size_bytes);
}

/* What is in use may be above limits that were lowered: then a write may only make it less. */
static bool has_room(const struct machine *machine, const struct store_entry *old,
                     const struct store_content *content)
{
    uint64_t blocks_max = machine->limits.values.blocks_max;
    if (machine->blocks > blocks_max && old != NULL)
        blocks_max = machine->blocks;
    return (old != NULL || machine->keys < machine->limits.values.keys_max) &&
           blocks_after(machine, old, content) <= blocks_max;
}

bool machine_has_room(const struct machine *machine, const struct store_content *content)
{
    return has_room(machine, index_lookup(&machine->index, content->key, content->hash), content);
}

/* Stores the op's value in place of `old` (NULL: none). */
static enum wire_outcome entry_write(struct machine *machine, struct store_entry *old,
                                     const struct op *op)
{
    struct store_content content = {.key = op_key(machine->request, op),
                                    .value = op_value(machine->request, op),
                                    .hash = op->hash,
                                    .version = machine->applied_index};
    if (!has_room(machine, old, &content))
        return WIRE_OUTCOME_STORE_FULL;
    struct store_entry *entry = store_new(&machine->store, &content);
    machine->blocks = blocks_after(machine, old, &content);
    if (old == NULL) {
        machine->keys++;
        index_add(&machine->index, entry);
    } else {
        bool is_wanted = snapshot_is_walking(&machine->snapshot) && snapshot_wants(machine, old);
        index_replace(&machine->index, old, entry);
        entry_retire(machine, old, is_wanted);
    }
    return WIRE_OUTCOME_OK;
}

/* Stores the op's value, absent or not. */
static struct op_result op_store(struct machine *machine, struct store_entry *old,
                                 const struct op *op)
{
    struct op_result result = {.outcome = WIRE_OUTCOME_OK, .version = machine->applied_index};
    if (op->has_value)
        result.outcome = (uint8_t)entry_write(machine, old, op);
    else if (old != NULL)
        entry_delete(machine, old);
    return result;
}

static bool is_expected(const struct machine *machine, const struct store_entry *entry,
                        const struct op *op)
{
    if (entry == NULL || !op->has_old)
        return entry == NULL && !op->has_old;
    return store_has_value(&machine->store, entry, op_old(machine->request, op));
}

static struct op_result op_set_or_swap(struct machine *machine, const struct op *op)
{
    struct store_entry *old = index_lookup(&machine->index, op_key(machine->request, op), op->hash);
    if (op->type == WIRE_OP_SWAP && !is_expected(machine, old, op))
        return (struct op_result){.outcome = WIRE_OUTCOME_MISMATCH,
                                  .version = old == NULL ? 0 : old->version};
    return op_store(machine, old, op);
}

/* True when what a write of the key overrules can be noted; counts no more precisely than it
 * must. */
static bool can_note_cancels(const struct machine *machine, struct span key)
{
    uint32_t max = machine->forwarder == NULL ? NODE_CANCELS_MAX : NODE_CANCELS_CAPACITY;
    for (uint32_t i = 0; i < machine->cancel_count; i++) {
        const struct op *cancel = &machine->cancels[i];
        const struct node_progress *node = node_progress_of(&machine->nodes, op_series(cancel));
        if (!node_progress_is_decided(node, cancel->seq, key, cancel->tag) &&
            !node_progress_has_room(node, machine->cancel_count, max))
            return false;
    }
    return true;
}

/* A set or swap with the cancels before it: all of it, or nothing. */
static struct op_result op_write(struct machine *machine, const struct op *op)
{
    if (!can_note_cancels(machine, op_key(machine->request, op)))
        return (struct op_result){.outcome = WIRE_OUTCOME_STORE_FULL};
    struct span key = op_key(machine->request, op);
    struct op_result result = op_set_or_swap(machine, op);
    if (result.outcome != WIRE_OUTCOME_OK)
        return result;
    for (uint32_t i = 0; i < machine->cancel_count; i++) {
        const struct op *cancel = &machine->cancels[i];
        struct node_progress *node = node_progress_name(&machine->nodes, op_series(cancel));
        const struct cancelling cancelling = {
            .cancel = cancel,
            .key = key,
            .names = machine->nodes.new_names,
            .owner = machine->forwarder == NULL ? machine->request->session : 0};
        node_progress_cancel(node, &cancelling);
    }
    return result;
}

/*
 * A relaxed write that its node forwarded: in order, at most once, and not if it was cancelled. One
 * that finds the store full is not decided, and neither are those after it: the node comes again. A
 * fence only decides: nothing up to its seq applies any more.
 */
static struct op_result op_forwarded(struct machine *machine, const struct op *op)
{
    CHECK(op->type == WIRE_OP_SET || op->type == WIRE_OP_FENCE);
    struct node_progress *node = machine->forwarder;
    if (op->seq <= node->last_seq)
        return (struct op_result){.outcome = WIRE_OUTCOME_OK, .is_duplicate = true};
    if (machine->is_blocked)
        return (struct op_result){.outcome = WIRE_OUTCOME_STORE_FULL};
    struct op_result result = {.outcome = WIRE_OUTCOME_FENCED};
    if (op->type == WIRE_OP_SET &&
        !node_progress_is_decided(node, op->seq, op_key(machine->request, op), op->tag))
        result = op_write(machine, op);
    if (result.outcome == WIRE_OUTCOME_STORE_FULL)
        machine->is_blocked = true;
    else
        node_progress_advance(node, op->seq);
    return result;
}

/*
 * The session that an earlier copy of a registration opened. Nobody who still waits for its id can
 * have used it: whoever registers again under the nonce of a session in use is late, or a stranger
 * who drew the same number, and must not be led into it.
 */
static struct op_result register_again(struct machine *machine, struct session *session)
{
    if (session->is_used)
        return (struct op_result){.outcome = WIRE_OUTCOME_FORGOTTEN, .is_duplicate = true};
    sessions_touch(&machine->sessions, session, machine->log_time_ns);
    sessions_rest(&machine->sessions, session);
    return (struct op_result){
        .outcome = WIRE_OUTCOME_OK, .version = session->id, .is_duplicate = true};
}

static struct op_result op_register(struct machine *machine, uint64_t nonce, uint32_t ordinal)
{
    struct sessions *sessions = &machine->sessions;
    struct session *session = sessions_find_nonce(sessions, nonce);
    if (session != NULL && !has_expired(machine, session))
        return register_again(machine, session);
    if (session != NULL)
        sessions_close(sessions, session);
    uint64_t id = sessions_id(machine->applied_index, ordinal);
    if (sessions->count >= machine->limits.values.sessions_max)
        return (struct op_result){.outcome = WIRE_OUTCOME_SESSIONS_FULL};
    session = sessions_open(sessions, id, machine->log_time_ns);
    CHECK(session != NULL); /* the capacity is not below the limit */
    sessions_set_nonce(sessions, session, nonce);
    return (struct op_result){.outcome = WIRE_OUTCOME_OK, .version = id};
}

bool machine_can_hold(const struct machine *machine, const struct wire_limits *limits)
{
    const struct wire_limits *capacity = &machine->capacity;
    return limits->keys_max <= capacity->keys_max && limits->blocks_max <= capacity->blocks_max &&
           limits->sessions_max <= capacity->sessions_max;
}

/* Whoever applies the record has asked before whether this node can hold the limits. */
static struct op_result op_limits(struct machine *machine, const struct op *op)
{
    struct wire_limits limits;
    CHECK(wire_limits_decode(op_value(machine->request, op), &limits) == OK);
    struct op_result result = {.outcome = WIRE_OUTCOME_MISMATCH};
    if (op->seq == (uint64_t)machine->limits.number + 1) {
        CHECK(machine_can_hold(machine, &limits));
        machine->limits = (struct machine_limits){.number = (uint32_t)op->seq, .values = limits};
        result.outcome = WIRE_OUTCOME_OK;
    }
    result.version = machine->limits.number;
    return result;
}

bool machine_recall(struct session *session, uint64_t seq, struct op_result *ret_result)
{
    *ret_result = (struct op_result){.is_duplicate = true};
    if (seq < session->floor) {
        ret_result->outcome = WIRE_OUTCOME_FORGOTTEN;
        return true;
    }
    const struct session_outcome *known = session_outcome_of(session, seq);
    if (known == NULL)
        return false;
    ret_result->outcome = known->outcome;
    ret_result->version = known->version;
    return true;
}

/* An op with a sequence number: executed at most once. */
static struct op_result op_once(struct machine *machine, struct session *session,
                                const struct op *op)
{
    struct op_result result;
    if (machine_recall(session, op->seq, &result))
        return result;
    if (op->seq - session->floor >= SESSION_WINDOW)
        return (struct op_result){.outcome = WIRE_OUTCOME_WINDOW};
    if (op->type == WIRE_OP_FENCE)
        result = (struct op_result){.outcome = WIRE_OUTCOME_FENCED};
    else
        result = op_write(machine, op);
    struct session_outcome outcome = {
        .seq = op->seq, .version = result.version, .outcome = result.outcome};
    session_remember(session, &outcome);
    return result;
}

/* Notes a cancel for the next set or swap. */
static struct op_result note_cancel(struct machine *machine, const struct op *op)
{
    CHECK(machine->cancel_count < REQUEST_OPS_MAX);
    machine->cancels[machine->cancel_count++] = *op;
    return (struct op_result){.outcome = WIRE_OUTCOME_OK};
}

static struct op_result execute_of_client(struct machine *machine, struct session **session,
                                          const struct op *op, uint32_t ordinal)
{
    if (op->type == WIRE_OP_REGISTER)
        return op_register(machine, op->seq, ordinal);
    if (op->type == WIRE_OP_LIMITS)
        return op_limits(machine, op);
    if (*session == NULL)
        return (struct op_result){.outcome = WIRE_OUTCOME_NO_SESSION};
    switch ((enum wire_op_type)op->type) {
    case WIRE_OP_SET:
    case WIRE_OP_SWAP:
    case WIRE_OP_FENCE:
        return op_once(machine, *session, op);
    case WIRE_OP_UNREGISTER:
        if (!(*session)->is_used)
            sessions_note_ended(&machine->sessions, *session);
        else if (machine->request->floor == 0) /* a node has written it, at an operator's word */
            machine_note_closed(machine, (*session)->id, (*session)->packets.highest);
        sessions_close(&machine->sessions, *session);
        *session = NULL;
        break;
    case WIRE_OP_CANCEL:
        return note_cancel(machine, op);
    case WIRE_OP_IDLE:
        sessions_rest(&machine->sessions, *session);
        break;
    case WIRE_OP_KEEP_ALIVE:
    case WIRE_OP_REGISTER:
    case WIRE_OP_LIMITS:
    case WIRE_OP_TYPE_END:
        break;
    }
    return (struct op_result){.outcome = WIRE_OUTCOME_OK};
}

void machine_note_closed(struct machine *machine, uint64_t session, uint64_t packet_highest)
{
    const struct closed_session closed = {.id = session,
                                          .packet_highest = packet_highest,
                                          .until_ns =
                                              machine->log_time_ns + machine->session_ttl_ns / 2};
    if (packet_highest != 0)
        closed_sessions_note(&machine->closed, &closed, machine->log_time_ns);
}

struct op_result machine_execute(struct machine *machine, struct session **session,
                                 const struct op *op, uint32_t ordinal)
{
    struct op_result result;
    if (machine->forwarder == NULL)
        result = execute_of_client(machine, session, op, ordinal);
    else if (op->type == WIRE_OP_CANCEL)
        result = note_cancel(machine, op);
    else
        result = op_forwarded(machine, op);
    if (op_is_set_or_swap(op))
        machine->cancel_count = 0;
    return result;
}

/* Sum of the entries' hashes, so that their order does not matter. */
struct entries_hash {
    const struct store *store;
    uint64_t sum;
};

static void add_entry(void *context, const struct store_entry *entry)
{
    struct entries_hash *hash = context;
    hash->sum += store_entry_state_hash(hash->store, entry);
}

uint64_t machine_state_hash(const struct machine *machine)
{
    struct entries_hash entries = {.store = &machine->store};
    index_walk(&machine->index, add_entry, &entries);
    uint8_t words[72];
    le64_store(words, entries.sum);
    le64_store(words + 8, sessions_state_hash(&machine->sessions));
    le64_store(words + 16, machine->applied_index);
    le64_store(words + 24, machine->log_time_ns);
    le64_store(words + 32, machine->keys);
    le64_store(words + 40, machine->blocks);
    le64_store(words + 48, nodes_progress_state_hash(&machine->nodes));
    le32_store(words + 56, machine->limits.number);
    le32_store(words + 60, machine->limits.values.keys_max);
    le32_store(words + 64, machine->limits.values.blocks_max);
    le32_store(words + 68, machine->limits.values.sessions_max);
    return key_hash(span_of(words, sizeof(words)));
}

/* What the entries come to, beside the machine's own accounts. */
struct entries_count {
    const struct machine *machine;
    uint64_t keys;
    uint64_t blocks;
};

static void count_entry(void *context, const struct store_entry *entry)
{
    struct entries_count *count = context;
    count->keys++;
    count->blocks += entry_blocks(entry);
    CHECK(entry->version > 0 && entry->version <= count->machine->applied_index);
}

void machine_check_invariants(const struct machine *machine)
{
    struct entries_count count = {.machine = machine};
    index_walk(&machine->index, count_entry, &count);
    CHECK(count.keys == machine->keys && machine->keys <= machine->capacity.keys_max);
    key_order_check_invariants(&machine->index, machine->keys);
    CHECK(count.blocks == machine->blocks && machine->blocks <= machine->capacity.blocks_max);
    CHECK(machine_can_hold(machine, &machine->limits.values));
    store_check_invariants(&machine->store, machine->blocks + machine->snapshot.kept_blocks);
    snapshot_check_invariants(machine);
    sessions_check_invariants(&machine->sessions, machine->log_time_ns);
    nodes_progress_check_invariants(&machine->nodes);
}
