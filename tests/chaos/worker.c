/* Draws operations, submits them, writes down what became of them. */
#include "tests/chaos/worker.h"

#include <string.h>

#define MILLION       1000000
#define MS            UINT64_C(1000000)
#define POLL_NS_MAX   (5 * MS)
#define DRAIN_NS_MAX  (60000 * MS) /* all is mended: a call that still blocks then is stuck */
#define SWAP_IN_SWAPS 750000       /* share of swaps where swaps are counted; the rest looks on */

static bool chance(struct worker *worker, uint32_t percent)
{
    return prng_chance(&worker->prng, percent * (MILLION / 100)) != 0;
}

/* ---- the answer ---- */

static uint64_t value_of(struct record *record, const struct plx_response *response)
{
    const struct plx_bytes *value = &response->value;
    uint64_t number = value_read(value->data, value->size_bytes, response->value_size_bytes);
    if (number == VALUE_GARBLED)
        atomic_fetch_add_explicit(&record->garbled_count, 1, memory_order_relaxed);
    return number;
}

/* What was stored, as far as the answer tells; a version without a value: something unnamed. */
static uint64_t seen_value(struct record *record, const struct plx_response *response)
{
    if (response->has_value && response->value.data != NULL)
        return value_of(record, response);
    return response->has_value || response->version != 0 ? HISTORY_UNSEEN : HISTORY_ABSENT;
}

static enum history_outcome outcome_of(enum plx_outcome outcome)
{
    switch (outcome) {
    case PLX_OK:
        return HISTORY_OK;
    case PLX_MISMATCH:
        return HISTORY_MISMATCH;
    case PLX_NOT_FOUND:
        return HISTORY_NOT_FOUND;
    case PLX_TIMEOUT:
        return HISTORY_TIMEOUT;
    case PLX_UNKNOWN:
        return HISTORY_UNKNOWN;
    default:
        return HISTORY_REFUSED;
    }
}

static void remember_seen(struct record *record, const struct history_op *op)
{
    uint64_t value = op->seen;
    bool is_get = op->type == HISTORY_GET || op->type == HISTORY_RELAXED_GET;
    if (op->outcome == HISTORY_OK && !is_get)
        value = op->value;
    if (op->outcome > HISTORY_NOT_FOUND || value >= VALUE_GARBLED ||
        op->type == HISTORY_RELAXED_GET)
        return;
    /* Relaxed: a hint of what to expect, nothing rests on it. */
    atomic_store_explicit(&record->last_seen[op->key], value, memory_order_relaxed);
}

static void on_done(void *context, const struct plx_response *response)
{
    struct worker_client *client = context;
    struct load *load = client->worker->load;
    struct history_op *op = &load->record->ops[client->number];
    bool is_get = op->type == HISTORY_GET || op->type == HISTORY_RELAXED_GET;
    op->outcome = outcome_of(response->outcome);
    load->record->answers[client->number] = response->outcome;
    op->node = response->node;
    op->applied_index = response->applied_index;
    op->version = response->version;
    if (op->outcome == HISTORY_MISMATCH || (is_get && op->outcome == HISTORY_OK))
        op->seen = seen_value(load->record, response);
    op->return_ns = clock_now_ns();
    client->is_busy = false;
    remember_seen(load->record, op);
    if (op->outcome != HISTORY_UNKNOWN)
        return;
    client->process = atomic_fetch_add_explicit(&load->next_process, 1, memory_order_relaxed);
    struct worker *worker = client->worker;
    struct resolver_task task = {.op = client->number, .token = response->token};
    if (worker->token_count < WORKER_TOKENS)
        worker->tokens[worker->token_count++] = task;
    resolver_add(load->resolver, &task);
}

/* The resolver's word, told to the handle by its own thread: nobody else gets at its mutex soon. */
static void forget_resolved(struct worker *worker)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < worker->token_count; i++) {
        const struct resolver_task *task = &worker->tokens[i];
        struct resolution *resolution = &worker->load->record->resolutions[task->op];
        if (atomic_load_explicit(&resolution->is_resolved, memory_order_acquire))
            plx_forget(worker->client, &task->token);
        else
            worker->tokens[kept++] = *task;
    }
    worker->token_count = kept;
}

/* ---- the question ---- */

static enum history_type draw_type(struct worker *worker)
{
    if (worker->load->swaps_max > 0) {
        if (prng_chance(&worker->prng, SWAP_IN_SWAPS))
            return HISTORY_SWAP;
        return chance(worker, 50) ? HISTORY_GET : HISTORY_RELAXED_GET;
    }
    if (worker->is_reader)
        return chance(worker, 90) ? HISTORY_GET : HISTORY_RELAXED_GET;
    static const enum history_type types[] = {
        HISTORY_GET, HISTORY_GET, HISTORY_GET,  HISTORY_RELAXED_GET, HISTORY_SET,  HISTORY_SET,
        HISTORY_SET, HISTORY_DEL, HISTORY_SWAP, HISTORY_SWAP,        HISTORY_SWAP, HISTORY_SWAP,
    };
    return types[prng_range(&worker->prng, 0, sizeof(types) / sizeof(types[0]) - 1)];
}

/* Swaps that are counted are asked as any program would: with the handle's own times. */
static void draw_call(struct worker_client *client, struct plx_call *call)
{
    static const uint64_t timeouts_ms[] = {3, 10, 25, 50, 100, 300};
    static const uint64_t waits_ms[] = {2, 50, 200, 500, 500, 500};
    struct worker *worker = client->worker;
    if (worker->load->swaps_max > 0)
        return;
    call->is_blocking = client->is_patient && chance(worker, 60);
    call->timeout_ns = MS * timeouts_ms[prng_range(&worker->prng, 0, 5)];
    call->fence_wait_ns = MS * waits_ms[prng_range(&worker->prng, 0, 5)];
}

static struct plx_bytes bytes_of(uint64_t value, uint8_t *buffer)
{
    if (value == HISTORY_ABSENT)
        return PLX_ABSENT;
    return (struct plx_bytes){buffer, value_fill(value, buffer)};
}

/* What a swap expects: mostly what was seen last, so that it may win. */
static uint64_t draw_old(struct worker *worker, uint32_t key, uint64_t own)
{
    uint64_t seen =
        atomic_load_explicit(&worker->load->record->last_seen[key], memory_order_relaxed);
    if (chance(worker, 80))
        return seen;
    return chance(worker, 70) || own == 1 ? HISTORY_ABSENT : own - 1;
}

static void draw_op(struct worker_client *client, struct history_op *op, struct plx_op *ret_op)
{
    struct worker *worker = client->worker;
    enum plx_op_type type = PLX_OP_GET;
    op->type = draw_type(worker);
    op->key = record_key(client->number, (uint32_t)prng_range(&worker->prng, 0, RECORD_KEYS - 1));
    op->process = client->process;
    *ret_op = (struct plx_op){.done = on_done, .context = client};
    draw_call(client, &ret_op->call);
    ret_op->call.is_relaxed = op->type == HISTORY_RELAXED_GET;
    if (op->type == HISTORY_SET || op->type == HISTORY_SWAP || op->type == HISTORY_DEL) {
        bool is_delete = op->type == HISTORY_DEL || (op->type == HISTORY_SWAP && chance(worker, 8));
        type = op->type == HISTORY_SWAP ? PLX_OP_SWAP : PLX_OP_SET;
        op->value = is_delete ? HISTORY_ABSENT : (uint64_t)client->number + 1;
        ret_op->value = bytes_of(op->value, client->value);
    }
    if (op->type == HISTORY_SWAP) {
        op->old = draw_old(worker, op->key, (uint64_t)client->number + 1);
        ret_op->old_value = bytes_of(op->old, client->old_value);
    }
    ret_op->type = type;
    ret_op->key.data = client->key;
    ret_op->key.size_bytes = record_key_text(op->key, client->key);
    op->is_blocking = ret_op->call.is_blocking;
}

static void begin(struct worker_client *client, uint64_t now_ns)
{
    struct worker *worker = client->worker;
    struct load *load = worker->load;
    struct plx_op request;
    client->due_ns = now_ns + prng_range(&worker->prng, 0, 2 * load->interval_ns);
    uint32_t number = record_number(load->record);
    if (number == RECORD_FULL) {
        atomic_store_explicit(&load->is_stopping, true, memory_order_relaxed);
        return;
    }
    client->number = number;
    struct history_op *op = &load->record->ops[number];
    draw_op(client, op, &request);
    op->invoke_ns = clock_now_ns();
    op->return_ns = UINT64_MAX;
    load->record->answers[number] = plx_submit(worker->client, &request);
    if (load->record->answers[number] != PLX_OK) {
        op->outcome = HISTORY_REFUSED;
        op->return_ns = clock_now_ns();
        return;
    }
    client->is_busy = true;
    client->ops_count++;
    if (load->swaps_max > 0 && op->type == HISTORY_SWAP &&
        atomic_fetch_add_explicit(&load->swap_count, 1, memory_order_relaxed) + 1 >=
            load->swaps_max)
        atomic_store_explicit(&load->is_stopping, true, memory_order_relaxed);
}

/* ---- the thread ---- */

static void turn(struct worker *worker)
{
    const struct load *load = worker->load;
    uint64_t now_ns = clock_now_ns();
    uint64_t next_ns = now_ns + POLL_NS_MAX;
    for (uint32_t i = 0; i < load->client_count; i++) {
        struct worker_client *client = &worker->clients[i];
        if (!client->is_busy && client->due_ns <= now_ns)
            begin(client, now_ns);
        if (!client->is_busy && client->due_ns < next_ns)
            next_ns = client->due_ns;
    }
    plx_poll(worker->client, next_ns > now_ns ? next_ns - now_ns : 0);
    forget_resolved(worker);
}

static void drain(struct worker *worker)
{
    uint64_t limit_ns = clock_now_ns() + DRAIN_NS_MAX;
    while (plx_in_flight(worker->client) > 0 && clock_now_ns() < limit_ns)
        plx_poll(worker->client, POLL_NS_MAX);
    worker->stuck_count = (uint32_t)plx_in_flight(worker->client);
    if (worker->stuck_count > 0)
        plx_cancel(worker->client);
    while (plx_in_flight(worker->client) > 0)
        plx_poll(worker->client, POLL_NS_MAX);
}

static void *run(void *context)
{
    struct worker *worker = context;
    while (!atomic_load_explicit(&worker->load->is_stopping, memory_order_relaxed))
        turn(worker);
    drain(worker);
    return NULL;
}

bool worker_begin(struct worker *worker, struct load *load, struct plx_client *client,
                  uint64_t seed)
{
    memset(worker, 0, sizeof(*worker));
    worker->load = load;
    worker->client = client;
    prng_init(&worker->prng, seed);
    uint64_t now_ns = clock_now_ns();
    /* Processes are numbered handle by handle. */
    uint32_t number = atomic_load_explicit(&load->next_process, memory_order_relaxed);
    worker->is_reader =
        load->swaps_max == 0 && number / load->client_count % WORKER_READERS == WORKER_READERS - 1;
    for (uint32_t i = 0; i < load->client_count; i++) {
        worker->clients[i].worker = worker;
        worker->clients[i].process =
            atomic_fetch_add_explicit(&load->next_process, 1, memory_order_relaxed);
        worker->clients[i].is_patient = load->swaps_max == 0 && i < WORKER_PATIENT;
        worker->clients[i].due_ns = now_ns + prng_range(&worker->prng, 0, load->interval_ns);
    }
    return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

void worker_end(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}
