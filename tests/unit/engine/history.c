/* Random histories: see tests/unit/engine/history.h. */
#include "tests/unit/engine/history.h"

#include "engine/state/rcu.h"

#define REQUEST_BYTES(value_bytes_max) (4096 + HISTORY_OPS_MAX * ((size_t)(value_bytes_max) + 1024))

/* Of all worlds: a request is decoded once for all. */
static const struct siphash_key hash_key = {{3, 4}};

struct machine_options history_options(void)
{
    const struct wire_limits limits = {
        .keys_max = HISTORY_KEYS - 20, .blocks_max = 60000, .sessions_max = HISTORY_SESSIONS - 50};
    return (struct machine_options){.limits = limits,
                                    .capacity = limits,
                                    .session_ttl_ns = HISTORY_TTL_NS,
                                    .hash_key = hash_key};
}

static void world_open_series(struct world *world)
{
    struct series_member members[HISTORY_NODES];
    for (uint16_t i = 0; i < HISTORY_NODES; i++)
        members[i] = (struct series_member){.series = i + 1, .node = (uint16_t)(i + 1)};
    nodes_progress_open(&world->machine.nodes, members, HISTORY_NODES);
}

struct world *world_new(const struct machine_options *options)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_int_equal(arena_init(&world->arena, machine_arena_bytes(options)), OK);
    assert_int_equal(machine_init(&world->machine, options, &world->arena), OK);
    arena_seal(&world->arena);
    world_open_series(world);
    return world;
}

void world_free(struct world *world)
{
    machine_deinit(&world->machine);
    arena_deinit(&world->arena);
    free(world);
}

void world_turn(struct world *world)
{
    store_turn(&world->machine.store);
    rcu_turn();
}

struct history *history_new(uint64_t seed, uint32_t value_bytes_max)
{
    struct history *history = calloc(1, sizeof(*history));
    assert_non_null(history);
    prng_init(&history->prng, seed);
    history->value_bytes_max = value_bytes_max;
    history->log_time_ns = 5000;
    history->value = malloc(value_bytes_max + 256);
    history->building = malloc(REQUEST_BYTES(value_bytes_max));
    assert_non_null(history->value);
    assert_non_null(history->building);
    return history;
}

void history_free(struct history *history)
{
    for (uint64_t i = 0; i < history->record_count; i++) {
        for (uint32_t j = 0; j < history->records[i].request_count; j++)
            free(history->records[i].requests[j].bytes);
    }
    free(history->value);
    free(history->building);
    free(history);
}

static uint32_t draw(struct history *history, uint32_t low, uint32_t high)
{
    return (uint32_t)prng_range(&history->prng, low, high);
}

static bool chance(struct history *history, uint32_t percent)
{
    return prng_chance(&history->prng, percent * 10000) != 0;
}

static struct span draw_value(struct history *history)
{
    uint32_t size =
        chance(history, 85) ? draw(history, 0, 200) : draw(history, 0, history->value_bytes_max);
    memset(history->value, draw(history, 0, 255), size);
    return span_of(history->value, size);
}

/* Some keys are longer than a block. */
static struct span draw_key(struct history *history, uint8_t *to)
{
    uint32_t number = draw(history, 0, HISTORY_KEYS - 1);
    memset(to, 'k', KEY_SIZE_BYTES_MAX);
    to[0] = (uint8_t)number;
    to[1] = (uint8_t)(number >> 8);
    return span_of(to, number % 9 == 0 ? KEY_SIZE_BYTES_MAX : 4 + number % 30);
}

static void add_op(struct request_builder *builder, const struct wire_op *op)
{
    request_builder_add(builder, op, op->key.size_bytes > 0 ? siphash(&hash_key, op->key) : 0);
    assert_false(builder->writer.is_overflow);
}

static void add_cancel(struct history *history, struct request_builder *builder)
{
    uint16_t node = (uint16_t)draw(history, 1, HISTORY_NODES);
    struct wire_op op = {.type = WIRE_OP_CANCEL,
                         .node = node,
                         .series = node,
                         .tag = draw(history, 0, 2),
                         .seq = history->node_seq[node] + draw(history, 1, 20)};
    add_op(builder, &op);
}

static void add_write(struct history *history, struct request_builder *builder, struct wire_op op)
{
    uint8_t key[KEY_SIZE_BYTES_MAX];
    op.key = draw_key(history, key);
    op.has_value = chance(history, 75);
    if (op.has_value)
        op.value = draw_value(history);
    if (chance(history, 20))
        add_cancel(history, builder);
    add_op(builder, &op);
}

/* A node's forwarded writes. */
static void fill_forward(struct history *history, struct request_builder *builder)
{
    uint16_t node = (uint16_t)draw(history, 1, HISTORY_NODES);
    request_builder_begin(builder, WIRE_NODE_SESSION(node), history->node_seq[node]);
    for (uint32_t i = draw(history, 1, 3); i > 0; i--) {
        history->node_seq[node] += draw(history, 1, 3);
        struct wire_op op = {
            .type = WIRE_OP_SET, .tag = draw(history, 1, 2), .seq = history->node_seq[node]};
        add_write(history, builder, op);
    }
}

static void fill_registrations(struct history *history, struct request_builder *builder)
{
    request_builder_begin(builder, 0, 0);
    for (uint32_t i = draw(history, 1, 4); i > 0; i--) {
        bool is_again = history->nonce > 0 && chance(history, 20);
        struct wire_op op = {.type = WIRE_OP_REGISTER};
        op.seq = is_again ? prng_range(&history->prng, 1, history->nonce) : ++history->nonce;
        add_op(builder, &op);
    }
}

/* Limits, lower than the capacity and sometimes than what is in use; a few come too late. */
static void fill_limits(struct history *history, struct request_builder *builder)
{
    struct wire_limits limits = history_options().limits;
    uint8_t value[WIRE_LIMITS_SIZE_BYTES];
    limits.keys_max -= draw(history, 0, 60);
    limits.blocks_max = 30000;
    limits.sessions_max -= draw(history, 0, 100);
    wire_limits_encode(value, &limits);
    bool is_late = history->limits_number > 0 && chance(history, 20);
    struct wire_op op = {.type = WIRE_OP_LIMITS,
                         .has_value = true,
                         .seq = history->limits_number + (is_late ? 0 : 1),
                         .value = span_of(value, sizeof(value))};
    request_builder_begin(builder, 0, 0);
    add_op(builder, &op);
}

static void fill_session(struct history *history, struct request_builder *builder)
{
    static const uint8_t types[] = {WIRE_OP_SET, WIRE_OP_SET, WIRE_OP_SET, WIRE_OP_SWAP,
                                    WIRE_OP_FENCE};
    uint32_t place = draw(history, 0, HISTORY_SESSIONS - 1);
    uint64_t *seq = &history->seq[place];
    uint64_t floor = *seq > 20 ? *seq - draw(history, 0, 20) : 1;
    request_builder_begin(builder, history->session[place], floor);
    for (uint32_t i = draw(history, 1, 4); i > 0; i--) {
        struct wire_op op = {.type = types[draw(history, 0, sizeof(types) - 1)]};
        op.seq = *seq > 1 && chance(history, 20) ? *seq - 1 : ++*seq;
        if (op.type == WIRE_OP_FENCE)
            add_op(builder, &op);
        else
            add_write(history, builder, op);
    }
    if (chance(history, 10)) {
        struct wire_op op = {.type = chance(history, 30) ? WIRE_OP_UNREGISTER : WIRE_OP_KEEP_ALIVE};
        op.seq = op.type == WIRE_OP_UNREGISTER ? ++*seq : 0;
        add_op(builder, &op);
    }
}

static void fill_request(struct history *history, struct history_request *to)
{
    size_t capacity = REQUEST_BYTES(history->value_bytes_max);
    struct request_builder builder = {
        .writer = {.data = history->building, .capacity_bytes = capacity}, .ops = to->ops};
    uint32_t kind = draw(history, 0, 9);
    if (chance(history, 2))
        fill_limits(history, &builder);
    else if (kind < 2)
        fill_registrations(history, &builder);
    else if (kind < 4)
        fill_forward(history, &builder);
    else
        fill_session(history, &builder);
    to->request = request_builder_end(&builder);
    assert_true(to->request.op_count <= HISTORY_OPS_MAX);
    to->bytes = malloc(to->request.size_bytes);
    assert_non_null(to->bytes);
    memcpy(to->bytes, to->request.bytes, to->request.size_bytes);
    to->request.bytes = to->bytes;
}

/* Remembers the id of a session that was opened, in place of some other one. */
static void note_session(struct history *history, const struct op *op, struct op_result result)
{
    if (op->type == WIRE_OP_LIMITS)
        history->limits_number = (uint32_t)result.version;
    if (op->type != WIRE_OP_REGISTER || result.outcome != WIRE_OUTCOME_OK)
        return;
    uint32_t place = draw(history, 0, HISTORY_SESSIONS - 1);
    history->session[place] = result.version;
    history->seq[place] = 0;
}

/* Applies the record; the hash over its results. `history` NULL: nothing is noted. */
static uint64_t apply(struct history_record *record, struct history *history, uint64_t index,
                      struct world *world)
{
    struct machine *machine = &world->machine;
    uint64_t results = machine_begin_record(machine, index, record->log_time_ns);
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < record->request_count; i++) {
        const struct request *request = &record->requests[i].request;
        struct session *session = machine_begin_request(machine, request);
        for (uint16_t j = 0; j < request->op_count; j++) {
            struct op_result result =
                machine_execute(machine, &session, &request->ops[j], ordinal++);
            results = results * 31 + result.version * 7 + result.outcome * 2u + result.is_duplicate;
            if (history != NULL)
                note_session(history, &request->ops[j], result);
        }
    }
    return results;
}

/* Log time stands still often, so that many sessions are equally old, and sometimes jumps, so that
 * more expire than one record ends. */
static void pass_time(struct history *history)
{
    if (chance(history, 30))
        history->log_time_ns += draw(history, 1, 40);
    if (chance(history, 2))
        history->log_time_ns += HISTORY_TTL_NS + 1;
}

void history_go_on(struct history *history, struct world *world)
{
    assert_true(history->record_count < HISTORY_RECORDS_MAX);
    struct history_record *record = &history->records[history->record_count++];
    pass_time(history);
    record->log_time_ns = history->log_time_ns;
    record->request_count = draw(history, 1, HISTORY_REQUESTS_MAX);
    for (uint32_t i = 0; i < record->request_count; i++)
        fill_request(history, &record->requests[i]);
    record->results = apply(record, history, history->record_count, world);
}

void history_repeat(struct history *history, uint64_t index, struct world *world)
{
    assert_in_range(index, 1, history->record_count);
    struct history_record *record = &history->records[index - 1];
    assert_int_equal(apply(record, NULL, index, world), record->results);
}

static size_t stream_room(void *context)
{
    const struct stream *stream = context;
    return stream->room_bytes;
}

static void stream_write(void *context, struct span bytes)
{
    struct stream *stream = context;
    assert_true(bytes.size_bytes > 0 && bytes.size_bytes <= stream->room_bytes);
    stream->room_bytes -= bytes.size_bytes;
    if (stream->capacity_bytes - stream->size_bytes < bytes.size_bytes) {
        stream->capacity_bytes = 2 * (stream->capacity_bytes + bytes.size_bytes);
        stream->bytes = realloc(stream->bytes, stream->capacity_bytes);
        assert_non_null(stream->bytes);
    }
    memcpy(stream->bytes + stream->size_bytes, bytes.data, bytes.size_bytes);
    stream->size_bytes += bytes.size_bytes;
}

struct snapshot_sink stream_sink(struct stream *stream)
{
    *stream = (struct stream){0};
    return (struct snapshot_sink){
        .room_bytes = stream_room, .write = stream_write, .context = stream};
}

void stream_free(struct stream *stream)
{
    free(stream->bytes);
    stream->bytes = NULL;
}

void stream_take(struct stream *stream, struct world *world)
{
    struct snapshot_sink sink = stream_sink(stream);
    stream->room_bytes = SIZE_MAX;
    snapshot_begin(&world->machine, &sink);
    while (snapshot_step(&world->machine, 4096))
        assert_true(snapshot_is_running(&world->machine));
    assert_false(snapshot_is_running(&world->machine));
}

enum error stream_read(struct span stream, struct world *world, size_t chunk_bytes,
                       struct prng *prng)
{
    struct snapshot_reader reader;
    snapshot_read_begin(&reader, &world->machine);
    for (size_t at = 0; at < stream.size_bytes;) {
        size_t size = prng == NULL ? chunk_bytes : (size_t)prng_range(prng, 1, chunk_bytes);
        if (size > stream.size_bytes - at)
            size = stream.size_bytes - at;
        enum error error = snapshot_read(&reader, span_of(stream.data + at, size));
        if (error != OK)
            return error;
        at += size;
    }
    enum error error = snapshot_read_end(&reader, 7);
    while (error == ERR_NOT_YET)
        error = snapshot_read_end(&reader, 7);
    return error;
}

void world_clear(struct world *world)
{
    uint32_t calls = 0;
    while (install_clear_step(&world->machine, 5))
        assert_true(++calls < 100000);
    assert_int_equal(world->machine.keys, 0);
    assert_int_equal(world->machine.applied_index, 0);
    world_turn(world);
}
