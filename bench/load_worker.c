/* Slots and the loop. Callbacks of the library run inside plx_poll and refill their own slot. */
#include "bench/load_worker.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/le.h"
#include "server/idle.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define EVENTS_MAX    64
#define FILL_NS_MAX   (120 * NS_PER_SECOND)
#define DRAIN_NS_MAX  (5 * NS_PER_SECOND)
#define SWEEP_NS_EACH 16000 /* handles are looked at in turn: retries need a clock, not a packet */
#define NEVER         UINT64_MAX

uint64_t load_clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

void load_slot_idle(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    uint32_t tail = (worker->idle_head + worker->idle_count) % worker->slot_count;
    CHECK(worker->idle_count < worker->slot_count);
    worker->idle[tail] = slot;
    worker->idle_count++;
}

static struct load_slot *slot_take(struct load_worker *worker)
{
    if (worker->idle_count == 0) {
        return NULL;
    }
    struct load_slot *slot = worker->idle[worker->idle_head];
    worker->idle_head = (worker->idle_head + 1) % worker->slot_count;
    worker->idle_count--;
    return slot;
}

static bool is_due_counted(const struct load_worker *worker, uint64_t due_ns)
{
    return worker->phase == PHASE_MEASURE && due_ns >= worker->begin_ns && due_ns < worker->end_ns;
}

static struct load_second *second_at(struct load_worker *worker, uint64_t at_ns)
{
    uint64_t second = (at_ns - worker->begin_ns) / NS_PER_SECOND;
    return second < worker->result->second_count ? &worker->result->seconds[second] : NULL;
}

static void count_success(struct load_worker *worker, uint64_t due_ns, uint64_t now_ns)
{
    struct load_result *result = worker->result;
    struct load_second *due = second_at(worker, due_ns);
    struct load_second *now = second_at(worker, now_ns);
    uint64_t latency_ns = now_ns - due_ns;
    histogram_record(&result->latencies, latency_ns);
    if (due != NULL && latency_ns > due->max_ns) {
        due->max_ns = latency_ns;
    }
    if (now != NULL) {
        result->finished++;
        now->finished++;
        result->own_second += now == due;
        now->own_second += now == due;
    }
}

static void count_offered(struct load_worker *worker, uint64_t due_ns)
{
    struct load_second *second = second_at(worker, due_ns);
    worker->result->offered++;
    if (second != NULL) {
        second->offered++;
    }
}

/* What the next swap has to expect. */
static void swap_learn(struct load_slot *slot, const struct plx_response *response)
{
    uint32_t value_size = slot->worker->options->value_size;
    if (response->outcome == PLX_OK) {
        memcpy(slot->old_value, slot->value, value_size);
        slot->old_size_bytes = value_size;
    } else if (response->outcome == PLX_MISMATCH && response->has_value &&
               response->value.size_bytes <= value_size) {
        memcpy(slot->old_value, response->value.data, response->value.size_bytes);
        slot->old_size_bytes = response->value.size_bytes;
    } else if (response->outcome == PLX_MISMATCH) {
        slot->old_size_bytes = 0;
    }
}

/* Each client has its own keys, so that of each key the order of the writes is known. False: none
 * is left. */
static bool key_choose_own(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    const struct load_options *options = worker->options;
    uint32_t share = options->keys / options->clients;
    uint64_t at = worker->keys_used[slot->client];
    if (!options->is_distinct) {
        at = prng_range(&worker->prng, 0, share - 1);
    } else if (at == share) {
        return false;
    } else {
        worker->keys_used[slot->client]++;
    }
    slot->key_number = worker->first_client + slot->client + at * options->clients;
    return true;
}

/* False: there is no key left for the slot's client. */
static bool key_choose(struct load_slot *slot)
{
    struct load_worker *worker = slot->worker;
    const struct load_options *options = worker->options;
    if (worker->phase == PHASE_MEASURE && options->op == LOAD_SWAP) {
        return true; /* each slot has its own key */
    }
    if (worker->phase == PHASE_MEASURE && options->op == LOAD_RELAXED_SET) {
        if (!key_choose_own(slot)) {
            return false;
        }
    } else if (worker->phase == PHASE_MEASURE) {
        slot->key_number = prng_range(&worker->prng, 0, options->keys - 1);
    }
    int size = load_record_key(options->prefix, slot->key_number, slot->key, sizeof(slot->key));
    slot->key_size_bytes = (size_t)size;
    return true;
}

static void value_choose(struct load_slot *slot)
{
    uint8_t number[8];
    uint32_t size = slot->worker->options->value_size;
    slot->value_number = ++slot->worker->number;
    if (slot->worker->options->op == LOAD_RELAXED_SET) {
        load_record_value(slot->value_number, slot->value);
        return;
    }
    le64_store(number, slot->value_number);
    memcpy(slot->value, number, size < sizeof(number) ? size : sizeof(number));
}

static void slot_done(void *context, const struct plx_response *response);

/* Hands the slot's next operation, due at `due_ns`, to the library; false: it was refused. */
static bool slot_submit(struct load_slot *slot, uint64_t due_ns)
{
    struct load_worker *worker = slot->worker;
    const struct load_options *options = worker->options;
    bool is_read = worker->phase == PHASE_MEASURE &&
                   (options->op == LOAD_GET || options->op == LOAD_RELAXED_GET);
    struct plx_op op = {
        .type = is_read ? PLX_OP_GET : PLX_OP_SET, .done = slot_done, .context = slot};
    if (!key_choose(slot)) {
        return false;
    }
    op.key = (struct plx_bytes){slot->key, slot->key_size_bytes};
    op.call.is_relaxed = worker->phase == PHASE_MEASURE &&
                         (options->op == LOAD_RELAXED_GET || options->op == LOAD_RELAXED_SET);
    if (!is_read) {
        value_choose(slot);
        op.value = (struct plx_bytes){slot->value, options->value_size};
    }
    if (worker->phase == PHASE_MEASURE && options->op == LOAD_SWAP) {
        op.type = PLX_OP_SWAP;
        op.old_value = slot->old_size_bytes == 0
                           ? PLX_ABSENT
                           : (struct plx_bytes){slot->old_value, slot->old_size_bytes};
    }
    slot->due_ns = due_ns;
    enum plx_outcome outcome = plx_submit(worker->clients[slot->client], &op);
    if (outcome != PLX_OK) {
        worker->result->outcomes[outcome] += is_due_counted(worker, due_ns);
        return false;
    }
    slot->is_in_flight = true;
    worker->is_dirty[slot->client] = true;
    return true;
}

/* Gives the slot its next operation if there is one, else it is idle. */
static void slot_continue(struct load_slot *slot, uint64_t now_ns)
{
    struct load_worker *worker = slot->worker;
    if (worker->phase == PHASE_FILL) {
        if (worker->fill_next < worker->fill_end) {
            slot->key_number = worker->fill_next++;
            if (slot_submit(slot, now_ns)) {
                return;
            }
            worker->fill_next--;
        }
    } else if (worker->interval_ns == 0 && now_ns < worker->end_ns) {
        if (slot_submit(slot, now_ns)) {
            if (is_due_counted(worker, now_ns)) {
                count_offered(worker, now_ns);
            }
            return;
        }
    }
    load_slot_idle(slot);
}

static void slot_done(void *context, const struct plx_response *response)
{
    struct load_slot *slot = context;
    struct load_worker *worker = slot->worker;
    uint64_t now_ns = load_clock_ns();
    slot->is_in_flight = false;
    if (worker->phase == PHASE_FILL && response->outcome != PLX_OK) {
        if (!slot_submit(slot, now_ns)) { /* the same key again */
            load_slot_idle(slot);
        }
        return;
    }
    if (worker->phase == PHASE_MEASURE && worker->options->op == LOAD_SWAP) {
        swap_learn(slot, response);
    }
    if (worker->records != NULL) {
        load_record_note(&worker->records[slot->key_number], slot->value_number, response);
    }
    if (is_due_counted(worker, slot->due_ns)) {
        worker->result->outcomes[response->outcome]++;
        worker->result->checksum +=
            response->has_value ? crc32c(0, response->value.data, response->value.size_bytes)
                                : response->outcome == PLX_OK;
        if (response->outcome == PLX_OK) {
            count_success(worker, slot->due_ns, now_ns);
        }
    }
    slot_continue(slot, now_ns);
}

static uint64_t next_due_ns(const struct load_worker *worker)
{
    if (worker->phase == PHASE_FILL || worker->interval_ns == 0) {
        return NEVER;
    }
    uint64_t due_ns = worker->first_ns + (uint64_t)((double)worker->issued * worker->interval_ns);
    return due_ns < worker->end_ns ? due_ns : NEVER;
}

/* Starts what is due and has a slot. */
static void issue(struct load_worker *worker, uint64_t now_ns)
{
    if (worker->phase == PHASE_FILL || worker->interval_ns == 0) {
        uint32_t count = worker->idle_count;
        for (uint32_t i = 0; i < count; i++) {
            slot_continue(slot_take(worker), now_ns);
        }
        return;
    }
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        uint64_t due_ns = next_due_ns(worker);
        struct load_slot *slot = due_ns <= now_ns ? slot_take(worker) : NULL;
        if (slot == NULL) {
            return;
        }
        if (!slot_submit(slot, due_ns)) {
            load_slot_idle(slot);
            return; /* stays due */
        }
        if (is_due_counted(worker, due_ns)) {
            count_offered(worker, due_ns);
        }
        worker->issued++;
    }
}

static void flush(struct load_worker *worker)
{
    for (uint32_t i = 0; i < worker->client_count; i++) {
        if (worker->is_dirty[i]) {
            worker->is_dirty[i] = false;
            plx_flush(worker->clients[i]);
        }
    }
}

/* Receives where something arrived, waiting for it at most `wait_ns`; true if anything did. */
static bool receive(struct load_worker *worker, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / NS_PER_SECOND),
                               .tv_nsec = (long)(wait_ns % NS_PER_SECOND)};
    int count = epoll_pwait2(worker->epoll_fd, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        (void)plx_poll(worker->clients[events[i].data.u32], 0);
    }
    return count > 0;
}

/* Retries and timeouts are due by the clock: every handle is polled now and then. */
static void sweep(struct load_worker *worker, uint64_t now_ns)
{
    uint64_t interval_ns = (uint64_t)worker->client_count * SWEEP_NS_EACH;
    interval_ns = interval_ns > NS_PER_MS ? interval_ns : NS_PER_MS;
    if (now_ns - worker->swept_ns < interval_ns) {
        return;
    }
    worker->swept_ns = now_ns;
    for (uint32_t i = 0; i < worker->client_count; i++) {
        (void)plx_poll(worker->clients[i], 0);
    }
}

static bool is_finished(const struct load_worker *worker, uint64_t now_ns)
{
    bool is_all_idle = worker->idle_count == worker->slot_count;
    if (worker->phase == PHASE_FILL) {
        return is_all_idle && worker->fill_next == worker->fill_end;
    }
    return now_ns >= worker->end_ns && (is_all_idle || now_ns >= worker->end_ns + DRAIN_NS_MAX);
}

/* One phase, until its work is done or `limit_ns`. */
static void worker_loop(struct load_worker *worker, uint64_t limit_ns)
{
    uint64_t now_ns = load_clock_ns();
    uint64_t worked_ns = now_ns;
    while (now_ns < limit_ns && !is_finished(worker, now_ns)) {
        uint64_t wait_ns = 0;
        issue(worker, now_ns);
        flush(worker);
        if (now_ns - worked_ns > worker->options->spin_ns) {
            uint64_t due_ns = next_due_ns(worker);
            wait_ns = NS_PER_MS;
            if (due_ns < now_ns + wait_ns + worker->options->spin_ns) {
                /* A sleep ends late: the last stretch to a due time is spun. */
                uint64_t from_ns = now_ns + worker->options->spin_ns;
                wait_ns = due_ns > from_ns ? due_ns - from_ns : 0;
            }
        }
        if (receive(worker, wait_ns)) {
            worked_ns = load_clock_ns();
            flush(worker);
        } else if (wait_ns == 0) {
            sched_yield();
        }
        now_ns = load_clock_ns();
        sweep(worker, now_ns);
    }
}

void *load_worker_run(void *context)
{
    struct load_worker *worker = context;
    idle_thread_begin();
    worker_loop(worker, worker->phase == PHASE_FILL ? load_clock_ns() + FILL_NS_MAX : NEVER);
    return NULL;
}
