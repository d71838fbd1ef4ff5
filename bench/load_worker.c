/* Handles and slots opened, and the loop. Callbacks of the library run inside plx_poll. */
#include "bench/load_worker.h"

#include "base/check.h"
#include "server/idle.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define EVENTS_MAX    64
#define FILL_STALL_NS (60 * NS_PER_SECOND) /* without a key stored: the fill is given up */
#define DRAIN_NS_MAX  (5 * NS_PER_SECOND)
#define REREAD_NS     (30 * NS_PER_SECOND) /* what was not found as expected is read again */
#define CHECK_NS_MAX  (60 * NS_PER_SECOND) /* behind that the check is given up */
#define SWEEP_NS_EACH 16000 /* handles are looked at in turn: retries need a clock, not a packet */
#define NEVER         UINT64_MAX

uint64_t load_clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

void load_worker_rest(struct load_worker *worker, struct load_slot *slot)
{
    uint32_t tail = (worker->idle_head + worker->idle_count) % worker->slot_count;
    CHECK(worker->idle_count < worker->slot_count);
    worker->idle[tail] = slot;
    worker->idle_count++;
}

void load_worker_touch(struct load_worker *worker, uint32_t client)
{
    if (!worker->is_dirty[client]) {
        worker->is_dirty[client] = true;
        worker->dirty[worker->dirty_count++] = client;
    }
}

uint32_t load_worker_in_flight(const struct load_worker *worker)
{
    return worker->slot_count - worker->idle_count;
}

uint32_t load_worker_unfinished(const struct load_worker *worker)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        const struct load_slot *slot = &worker->slots[i];
        count += slot->is_in_flight && load_result_is_measured(&worker->result, slot->due_ns);
    }
    return count;
}

static enum error client_open(struct load_worker *worker, uint32_t index, char *ret_reason,
                              size_t reason_size)
{
    const struct load_options *options = worker->options;
    struct plx_options client;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    plx_options_init(&client);
    client.endpoints = options->servers;
    client.cluster = options->cluster;
    client.key_file = options->key_file;
    client.timeout_ns = options->timeout_ns;
    client.window = options->outstanding;
    client.packet_ops_max = options->packet_ops;
    client.preferred_endpoint = (int32_t)options->preferred - 1;
    client.close_wait_ns = 0; /* thousands of handles, one after the other */
    if (op_mix_has(&options->mix, LOAD_RELAXED_SET)) {
        client.relaxed_keys_max = options->keys / options->clients;
    }
    enum plx_outcome outcome = plx_open(&client, &worker->clients[index], ret_reason, reason_size);
    if (outcome != PLX_OK) {
        return outcome == PLX_E_ARGUMENT ? ERR_ARGUMENT : ERR_IO;
    }
    worker->client_count = index + 1;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, plx_descriptor(worker->clients[index]),
                  &event) != 0) {
        snprintf(ret_reason, reason_size, "epoll refuses another client");
        return ERR_IO;
    }
    return OK;
}

static void slots_init(struct load_worker *worker, uint32_t index)
{
    uint32_t outstanding = worker->options->outstanding;
    uint32_t size = worker->options->value_size;
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct load_slot *slot = &worker->slots[i];
        /* Neighbours in the ring belong to different clients: the load spreads over all. */
        slot->client = i % (worker->slot_count / outstanding);
        slot->worker = worker;
        slot->value = worker->memory + (size_t)i * 2 * size;
        slot->old_value = slot->value + size;
        memset(slot->value, 'v', size);
        int key = snprintf(slot->swap_key, sizeof(slot->swap_key), "swap/%" PRIx64 "/%u/%u",
                           worker->run, index, i);
        slot->swap_key_size_bytes = (size_t)key;
        load_worker_rest(worker, slot);
    }
}

enum error load_worker_open(struct load_worker *worker, uint32_t index, uint32_t clients,
                            char *ret_reason, size_t reason_size)
{
    const struct load_options *options = worker->options;
    worker->slot_count = clients * options->outstanding;
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->clients = calloc(clients, sizeof(struct plx_client *));
    worker->is_dirty = calloc(clients, sizeof(bool));
    worker->dirty = calloc(clients, sizeof(uint32_t));
    worker->slots = calloc(worker->slot_count, sizeof(struct load_slot));
    worker->keys_used = calloc(clients, sizeof(uint32_t));
    worker->idle = calloc(worker->slot_count, sizeof(struct load_slot *));
    worker->memory = calloc(worker->slot_count, (size_t)2 * options->value_size);
    if (worker->epoll_fd < 0 || worker->clients == NULL || worker->is_dirty == NULL ||
        worker->dirty == NULL || worker->slots == NULL || worker->idle == NULL ||
        worker->memory == NULL || worker->keys_used == NULL ||
        load_result_init(&worker->result, load_options_is_fill(options) ? LOAD_SECONDS_MAX
                                                                        : options->seconds) != OK) {
        snprintf(ret_reason, reason_size, "out of memory");
        return ERR_NO_MEMORY;
    }
    prng_init(&worker->prng, options->seed + index);
    key_chooser_init(&worker->chooser, options->distribution, options->zipf_theta);
    slots_init(worker, index);
    enum error error = OK;
    for (uint32_t i = 0; i < clients && error == OK; i++) {
        error = client_open(worker, i, ret_reason, reason_size);
    }
    return error;
}

void load_worker_close(struct load_worker *worker)
{
    for (uint32_t i = 0; i < worker->client_count; i++) {
        plx_close(worker->clients[i]);
    }
    if (worker->epoll_fd >= 0) {
        close(worker->epoll_fd);
    }
    load_result_deinit(&worker->result);
    free(worker->clients);
    free(worker->is_dirty);
    free(worker->dirty);
    free(worker->keys_used);
    free(worker->slots);
    free(worker->idle);
    free(worker->memory);
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

void load_worker_pulse(struct load_worker *worker, uint64_t due_ns, uint64_t now_ns,
                       enum plx_outcome outcome)
{
    if (worker->progress == NULL || now_ns < worker->pulse_begin_ns) {
        return;
    }
    if (outcome == PLX_OK) {
        worker->pulse.finished++;
        histogram_record(&worker->pulse.latencies, now_ns - due_ns);
    } else {
        worker->pulse.errors++;
    }
}

/* In an open loop what was due in a second, whether or not it could be begun. */
static uint64_t due_in(const struct load_worker *worker, uint64_t from_ns, uint64_t to_ns)
{
    double from = (double)(from_ns - worker->first_ns) / worker->interval_ns;
    double to = (double)(to_ns - worker->first_ns) / worker->interval_ns;
    return (uint64_t)ceil(to) - (uint64_t)ceil(from);
}

/* Hands the pulse over when its second is over. */
static void pulse_turn(struct load_worker *worker, uint64_t now_ns)
{
    if (worker->progress == NULL) {
        return;
    }
    if (now_ns < worker->pulse_begin_ns) {
        worker->pulse.offered = 0; /* before the measured time */
        return;
    }
    uint64_t second = (now_ns - worker->pulse_begin_ns) / NS_PER_SECOND;
    bool is_measured = now_ns < worker->result.end_ns + NS_PER_SECOND;
    if (second != worker->pulse_second && is_measured) {
        if (worker->phase == PHASE_MEASURE && worker->is_open_loop) {
            uint64_t from_ns = worker->pulse_begin_ns + worker->pulse_second * NS_PER_SECOND;
            worker->pulse.offered = due_in(worker, from_ns, from_ns + NS_PER_SECOND);
        }
        load_progress_hand_over(worker->progress, worker->pulse_second, &worker->pulse);
        memset(&worker->pulse, 0, sizeof(worker->pulse));
    }
    worker->pulse_second = second;
}

static uint64_t next_due_ns(const struct load_worker *worker)
{
    if (worker->phase != PHASE_MEASURE || !worker->is_open_loop) {
        return NEVER;
    }
    uint64_t due_ns = worker->first_ns + (uint64_t)((double)worker->issued * worker->interval_ns);
    return due_ns < worker->result.end_ns ? due_ns : NEVER;
}

/* Starts what is due and has a slot. */
static void issue(struct load_worker *worker, uint64_t now_ns)
{
    if (worker->phase != PHASE_MEASURE || !worker->is_open_loop) {
        uint32_t count = worker->idle_count;
        for (uint32_t i = 0; i < count; i++) {
            load_slot_continue(slot_take(worker), now_ns);
        }
        return;
    }
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        uint64_t due_ns = next_due_ns(worker);
        struct load_slot *slot = due_ns <= now_ns ? slot_take(worker) : NULL;
        if (slot == NULL) {
            return;
        }
        if (!load_slot_submit(slot, due_ns)) {
            load_worker_rest(worker, slot);
            return; /* stays due */
        }
        worker->issued++;
    }
}

static void flush(struct load_worker *worker)
{
    /* A flush runs no callback, so that none is touched meanwhile. */
    for (uint32_t i = 0; i < worker->dirty_count; i++) {
        worker->is_dirty[worker->dirty[i]] = false;
        plx_flush(worker->clients[worker->dirty[i]]);
    }
    worker->dirty_count = 0;
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
    bool is_through = worker->key_next == worker->key_end;
    switch (worker->phase) {
    case PHASE_FILL:
        return (is_through && is_all_idle) || now_ns >= worker->stored_ns + FILL_STALL_NS;
    case PHASE_CHECK:
        return (is_through && worker->reading_count == 0) ||
               now_ns >= worker->reread_until_ns + CHECK_NS_MAX;
    case PHASE_MEASURE:
        break;
    }
    uint64_t end_ns = worker->result.end_ns;
    bool is_done = is_all_idle && next_due_ns(worker) == NEVER;
    return now_ns >= end_ns && (is_done || now_ns >= end_ns + DRAIN_NS_MAX);
}

/* One phase, until its work is done. */
static void worker_loop(struct load_worker *worker)
{
    uint64_t now_ns = load_clock_ns();
    uint64_t worked_ns = now_ns;
    while (!is_finished(worker, now_ns)) {
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
        pulse_turn(worker, now_ns);
    }
}

/* What was due and could not be begun before waiting was given up was offered all the same. */
static void count_undone(struct load_worker *worker)
{
    for (uint64_t due_ns = next_due_ns(worker); due_ns != NEVER; due_ns = next_due_ns(worker)) {
        load_result_offer(&worker->result, due_ns);
        worker->result.unfinished += load_result_is_measured(&worker->result, due_ns);
        worker->issued++;
    }
}

void *load_worker_run(void *context)
{
    struct load_worker *worker = context;
    idle_thread_begin();
    worker->stored_ns = load_clock_ns();
    worker->reread_until_ns = worker->stored_ns + REREAD_NS;
    worker_loop(worker);
    count_undone(worker);
    return NULL;
}
