/* The engine as a whole: start, turns, messages, what it publishes. */
#include "engine/engine_internal.h"

#include "engine/state/snapshot_format.h"

#include "base/crc32c.h"
#include "base/le.h"
#include "engine/state/rcu.h"

/* Rises whenever the same log would be applied to another effect. */
#define MACHINE_VERSION 7

#define KEYS_MAX             (1u << 30)
#define BATCHES_INFLIGHT_MAX (1u << 16)
#define READS_PENDING_MAX    (1u << 20)

uint32_t engine_fingerprint(const struct engine_options *options)
{
    uint8_t words[40] = {0};
    le32_store(words, MACHINE_VERSION);
    le32_store(words + 4, options->keys_max);
    le32_store(words + 8, options->blocks_max);
    le32_store(words + 12, options->sessions_max);
    le64_store(words + 16, options->session_ttl_ns);
    le32_store(words + 24, ENGINE_BLOCK_SIZE_BYTES);
    le32_store(words + 28, SESSION_WINDOW);
    le32_store(words + 32, NODE_CANCELS_MAX);
    le32_store(words + 36, options->shard_count);
    return crc32c(0, words, sizeof(words));
}

static bool is_in_range(uint32_t value, uint32_t max)
{
    return value >= 1 && value <= max;
}

static bool are_pending_limits_valid(const struct engine_options *options)
{
    if (options->journal.append == NULL)
        return true;
    return options->series != 0 && (options->series & WIRE_NODE_SESSION_FLAG) == 0 &&
           options->journal_first_seq >= 1 &&
           options->journal_first_seq < PENDING_WRITES_ABSENT / 2 &&
           is_in_range(options->pending_max, PENDING_WRITES_OPS_MAX) &&
           is_in_range(options->pending_blocks_max, STORE_BLOCKS_MAX);
}

static bool are_shards_valid(const struct engine_options *options)
{
    return is_in_range(options->shard_count, SHARDS_MAX) && options->shard < options->shard_count &&
           is_in_range(options->lane_count, LANES_MAX) && options->lane < options->lane_count;
}

static struct wire_limits limits_of(const struct engine_options *options)
{
    return (struct wire_limits){.keys_max = options->keys_max,
                                .blocks_max = options->blocks_max,
                                .sessions_max = options->sessions_max};
}

static struct wire_limits capacity_of(const struct engine_options *options)
{
    struct wire_limits capacity = limits_of(options);
    if (options->keys_capacity != 0)
        capacity.keys_max = options->keys_capacity;
    if (options->blocks_capacity != 0)
        capacity.blocks_max = options->blocks_capacity;
    if (options->sessions_capacity != 0)
        capacity.sessions_max = options->sessions_capacity;
    return capacity;
}

static bool are_limits_valid(const struct engine_options *options)
{
    struct wire_limits capacity = capacity_of(options);
    return is_in_range(capacity.keys_max, KEYS_MAX) &&
           is_in_range(options->keys_max, capacity.keys_max) &&
           is_in_range(capacity.blocks_max, STORE_BLOCKS_MAX) &&
           is_in_range(options->blocks_max, capacity.blocks_max) &&
           is_in_range(capacity.sessions_max, SESSIONS_MAX) &&
           is_in_range(options->sessions_max, capacity.sessions_max);
}

static bool are_engine_options_valid(const struct engine_options *options)
{
    return is_in_range(options->self, VOTER_ID_MAX) &&
           is_in_range(options->node_count, NODES_MAX) && are_shards_valid(options) &&
           options->incarnation != 0 && are_limits_valid(options) && options->session_ttl_ns > 0 &&
           is_in_range(options->batches_inflight_max, BATCHES_INFLIGHT_MAX) &&
           is_in_range(options->reads_pending_max, READS_PENDING_MAX) &&
           options->sink.send != NULL && are_pending_limits_valid(options);
}

static struct machine_options machine_options_of(const struct engine_options *options)
{
    return (struct machine_options){.limits = limits_of(options),
                                    .capacity = capacity_of(options),
                                    .session_ttl_ns = options->session_ttl_ns,
                                    .hash_key = options->hash_key};
}

size_t engine_arena_bytes(const struct engine_options *options)
{
    if (!are_engine_options_valid(options))
        return 0;
    struct machine_options machine = machine_options_of(options);
    return sizeof(struct engine) + machine_arena_bytes(&machine) + batch_arena_bytes(options) +
           idle_arena_bytes(machine.capacity.sessions_max) + reads_arena_bytes(options) +
           relaxed_arena_bytes(options) + REPLY_SIZE_BYTES_MAX + REPLY_CHUNK_SIZE_BYTES_MAX +
           BATCH_OPS_MAX * sizeof(struct op) + 4096;
}

enum error engine_init(const struct engine_options *options, struct arena *arena,
                       struct engine **ret_engine)
{
    if (!are_engine_options_valid(options))
        return ERR_ARGUMENT;
    struct engine *engine = arena_take(arena, sizeof(*engine), 64);
    *engine = (struct engine){.options = *options, .rights = {.is_free = true}};
    engine->rights_sought = UINT64_MAX;
    engine->view.contact_age_ns = UINT64_MAX;
    struct machine_options machine = machine_options_of(options);
    enum error error = machine_init(&engine->machine, &machine, arena);
    if (error != OK)
        return error;
    nodes_progress_watch(&engine->machine.nodes, options->series);
    engine_count_limits(engine);
    batch_init(engine, arena);
    reads_init(engine, arena);
    idle_init(engine, arena);
    newcomers_init(&engine->newcomers, &options->hash_key);
    reply_buffers_init(&engine->buffers, arena, &options->sink);
    engine->record_ops = arena_take(arena, BATCH_OPS_MAX * sizeof(struct op), 64);
    error = relaxed_init(engine, arena);
    if (error != OK) {
        machine_deinit(&engine->machine);
        return error;
    }
    *ret_engine = engine;
    return OK;
}

/* An entry's item is no larger than its blocks: the first block has more than its head beside what
 * it holds of key and value. */
uint64_t engine_snapshot_bytes_max(const struct engine_options *options)
{
    static_assert(SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_ENTRY_BYTES + STORE_ENTRY_INLINE_BYTES <=
                      ENGINE_BLOCK_SIZE_BYTES,
                  "an entry's head fits beside the bytes of its first block");
    struct wire_limits capacity = capacity_of(options);
    uint64_t bytes = SNAPSHOT_ITEM_HEADER_BYTES * 3 + SNAPSHOT_HEAD_BYTES +
                     SNAPSHOT_CHANGE_BYTES_MAX + SNAPSHOT_END_BYTES;
    bytes += (uint64_t)capacity.blocks_max * ENGINE_BLOCK_SIZE_BYTES;
    bytes +=
        (uint64_t)capacity.sessions_max * (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_SESSION_BYTES_MAX);
    return bytes + (uint64_t)NODES_MAX * (SNAPSHOT_ITEM_HEADER_BYTES + SNAPSHOT_NODE_BYTES_MAX);
}

void engine_deinit(struct engine *engine)
{
    relaxed_deinit(engine);
    machine_deinit(&engine->machine);
}

/* Who asks in the first turn after a start is told of what was restored. */
static void count_pending(struct engine *engine)
{
    if (!engine->relaxed.is_open)
        return;
    engine->counters.relaxed_pending = engine->relaxed.writes.live;
    engine->counters.relaxed_unnamed =
        engine->relaxed.writes.principals.places[PRINCIPAL_NONE].writes;
}

void engine_begin_turn(struct engine *engine, const struct engine_view *view)
{
    CHECK(view->now_ns >= engine->view.now_ns);
    engine->view = *view;
    batch_anchor_clock(engine);
    newcomers_turn(&engine->newcomers, view->now_ns);
    if (engine->relaxed.writes.principals.owed > 0)
        revoke_begin_turn(engine);
    outbound_begin_turn(engine);
    lists_turn(&engine->lists);
    count_pending(engine);
    engine_publish(engine);
}

static void receive_hello(struct engine *engine, const struct address *from, struct span body)
{
    struct wire_hello hello;
    if (wire_hello_decode(body, &hello) != OK) {
        engine->counters.requests_malformed++;
        return;
    }
    answer_hello(engine, from, hello.nonce);
}

void engine_set_retry(struct engine *engine, uint64_t retry_us)
{
    engine->retry_us = retry_us;
}

static void receive_from_client(struct engine *engine, const struct address *from,
                                uint8_t wire_type, struct span body)
{
    switch (wire_type) {
    case WIRE_HELLO:
        receive_hello(engine, from, body);
        break;
    case WIRE_WRITE:
        admission_write(engine, from, body);
        break;
    case WIRE_READ:
        reads_receive(engine, from, body);
        break;
    case WIRE_LIST:
        lists_receive(engine, from, body);
        break;
    case WIRE_SESSIONS:
        session_pages_receive(engine, from, body);
        break;
    case WIRE_SESSION_END:
        session_end_receive(engine, from, body);
        break;
    default:
        engine->counters.requests_malformed++;
        break;
    }
}

void engine_receive(struct engine *engine, const struct address *from, uint8_t wire_type,
                    struct span body)
{
    if (!is_installing(engine))
        receive_from_client(engine, from, wire_type, body);
    engine->retry_us = 0;
}

void engine_leadership_lost(struct engine *engine)
{
    engine->view.is_leader = false;
    batch_anchor_clock(engine);
    reads_refuse_all(engine, WIRE_STATUS_NOT_LEADER);
}

void engine_end_turn(struct engine *engine)
{
    batch_expire(engine);
    reads_serve(engine);
    store_turn(&engine->machine.store);
    engine->counters.retire_backlog = store_retire_backlog(&engine->machine.store);
    if (engine->relaxed.is_open)
        store_turn(&engine->relaxed.writes.store);
    count_pending(engine);
    engine_publish(engine);
    rcu_turn();
}

uint64_t engine_deadline_ns(const struct engine *engine)
{
    uint64_t batch_ns = engine->batch.deadline_ns;
    uint64_t reads_ns = engine->reads.deadline_ns;
    uint64_t outbound_ns = outbound_deadline_ns(engine);
    uint64_t idle_ns = idle_deadline_ns(engine);
    uint64_t earliest_ns = batch_ns < reads_ns ? batch_ns : reads_ns;
    if (idle_ns < earliest_ns)
        earliest_ns = idle_ns;
    return outbound_ns < earliest_ns ? outbound_ns : earliest_ns;
}

uint64_t engine_applied_index(const struct engine *engine)
{
    return engine->machine.applied_index;
}

const struct engine_counters *engine_counters(const struct engine *engine)
{
    return &engine->counters;
}

uint64_t engine_digest(const struct engine *engine)
{
    return engine->machine.digest.value;
}

bool engine_digest_kept(const struct engine *engine, uint32_t i, uint64_t *ret_index,
                        uint64_t *ret_digest)
{
    CHECK(i < STATE_MARKS_MAX);
    const struct state_mark *mark = &engine->machine.digest.marks[i];
    *ret_index = mark->index;
    *ret_digest = mark->digest;
    return mark->index != 0;
}

uint64_t engine_state_hash(const struct engine *engine)
{
    return machine_state_hash(&engine->machine);
}

void engine_check_invariants(const struct engine *engine)
{
    machine_check_invariants(&engine->machine);
    if (engine->relaxed.is_open)
        pending_writes_check_invariants(&engine->relaxed.writes);
    batch_check_invariants(engine);
    CHECK(engine->reads.tail - engine->reads.head <= engine->reads.limit);
}

enum error engine_lookup(const struct engine *engine, struct span key, uint8_t *to,
                         size_t capacity_bytes, struct engine_found *ret_found)
{
    uint64_t hash = index_hash(&engine->machine.index, key);
    const struct store *store = &engine->machine.store;
    if (is_installing(engine))
        return ERR_NOT_YET;
    const struct store_entry *entry = relaxed_lookup(engine, key, hash);
    bool is_pending = entry != NULL;
    if (is_pending)
        store = &engine->relaxed.writes.store;
    else
        entry = index_lookup(&engine->machine.index, key, hash);
    if (entry == NULL || (is_pending && !pending_writes_has_value(entry)))
        return ERR_NOT_FOUND;
    size_t size = entry->value_size_bytes;
    size_t copied = size < capacity_bytes ? size : capacity_bytes;
    struct span value = store_value(store, entry, 0, copied, to);
    if (value.size_bytes > 0 && value.data != to)
        memcpy(to, value.data, value.size_bytes);
    *ret_found =
        (struct engine_found){.value_size_bytes = entry->value_size_bytes,
                              .version = is_pending ? pending_writes_seq(entry) : entry->version,
                              .is_pending = is_pending};
    return OK;
}
