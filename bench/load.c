/* Handles opened, phases run on all threads, results added up. */
#include "bench/load.h"

#include "bench/load_worker.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define STATUS_NS     NS_PER_SECOND

static enum error client_open(struct load_worker *worker, uint32_t index, char *ret_reason,
                              size_t reason_size)
{
    const struct load_options *options = worker->options;
    struct plx_options client;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    plx_options_init(&client);
    client.endpoints = options->servers;
    client.cluster = options->cluster;
    client.timeout_ns = options->timeout_ns;
    client.window = options->outstanding;
    client.packet_ops_max = options->packet_ops;
    client.preferred_endpoint = (int32_t)options->preferred - 1;
    if (options->op == LOAD_RELAXED_SET) {
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
        int key =
            snprintf(slot->key, sizeof(slot->key), "swap/%" PRIx64 "/%u/%u", worker->run, index, i);
        slot->key_size_bytes = (size_t)key;
        load_slot_idle(slot);
    }
}

static enum error worker_open(struct load_worker *worker, uint32_t index, uint32_t clients,
                              char *ret_reason, size_t reason_size)
{
    const struct load_options *options = worker->options;
    worker->slot_count = clients * options->outstanding;
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->result = calloc(1, sizeof(*worker->result));
    worker->clients = calloc(clients, sizeof(struct plx_client *));
    worker->is_dirty = calloc(clients, sizeof(bool));
    worker->slots = calloc(worker->slot_count, sizeof(struct load_slot));
    worker->keys_used = calloc(clients, sizeof(uint32_t));
    worker->idle = calloc(worker->slot_count, sizeof(struct load_slot *));
    worker->memory = calloc(worker->slot_count, (size_t)2 * options->value_size);
    if (worker->epoll_fd < 0 || worker->result == NULL || worker->clients == NULL ||
        worker->is_dirty == NULL || worker->slots == NULL || worker->idle == NULL ||
        worker->memory == NULL || worker->keys_used == NULL) {
        snprintf(ret_reason, reason_size, "out of memory");
        return ERR_NO_MEMORY;
    }
    prng_init(&worker->prng, options->seed + index);
    histogram_init(&worker->result->latencies);
    worker->result->second_count = options->seconds;
    slots_init(worker, index);
    enum error error = OK;
    for (uint32_t i = 0; i < clients && error == OK; i++) {
        error = client_open(worker, i, ret_reason, reason_size);
    }
    return error;
}

static void statistics_add(struct plx_statistics *to, const struct plx_statistics *from)
{
#define X(name) to->name += from->name;
    PLX_STATISTICS_LIST(X)
#undef X
}

static void worker_close(struct load_worker *worker)
{
    for (uint32_t i = 0; i < worker->client_count; i++) {
        plx_close(worker->clients[i]);
    }
    if (worker->epoll_fd >= 0) {
        close(worker->epoll_fd);
    }
    free(worker->result);
    free(worker->clients);
    free(worker->is_dirty);
    free(worker->keys_used);
    free(worker->slots);
    free(worker->idle);
    free(worker->memory);
}

static void result_add(struct load_result *to, const struct load_worker *worker)
{
    const struct load_result *from = worker->result;
    histogram_merge(&to->latencies, &from->latencies);
    to->offered += from->offered;
    to->finished += from->finished;
    to->own_second += from->own_second;
    to->checksum += from->checksum;
    to->unfinished += worker->slot_count - worker->idle_count;
    for (uint32_t i = 0; i < PLX_OUTCOME_COUNT; i++) {
        to->outcomes[i] += from->outcomes[i];
    }
    for (uint32_t i = 0; i < to->second_count; i++) {
        to->seconds[i].offered += from->seconds[i].offered;
        to->seconds[i].finished += from->seconds[i].finished;
        to->seconds[i].own_second += from->seconds[i].own_second;
        if (from->seconds[i].max_ns > to->seconds[i].max_ns) {
            to->seconds[i].max_ns = from->seconds[i].max_ns;
        }
    }
    for (uint32_t i = 0; i < worker->client_count; i++) {
        struct plx_statistics statistics;
        plx_statistics(worker->clients[i], &statistics);
        statistics_add(&to->statistics, &statistics);
    }
}

/* Runs the phase on all threads. */
static enum error phase_run(struct load_worker *workers, uint32_t count, char *ret_reason,
                            size_t reason_size)
{
    pthread_t threads[LOAD_THREADS_MAX];
    uint32_t started = 0;
    while (started < count &&
           pthread_create(&threads[started], NULL, load_worker_run, &workers[started]) == 0) {
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (started < count) {
        snprintf(ret_reason, reason_size, "cannot start %u threads", count);
        return ERR_NO_MEMORY;
    }
    return OK;
}

static enum error fill(struct load_worker *workers, const struct load_options *options,
                       char *ret_reason, size_t reason_size)
{
    if (options->is_unfilled || (options->op != LOAD_GET && options->op != LOAD_RELAXED_GET)) {
        return OK;
    }
    for (uint32_t i = 0; i < options->threads; i++) {
        workers[i].phase = PHASE_FILL;
        workers[i].fill_next = (uint32_t)((uint64_t)options->keys * i / options->threads);
        workers[i].fill_end = (uint32_t)((uint64_t)options->keys * (i + 1) / options->threads);
    }
    enum error error = phase_run(workers, options->threads, ret_reason, reason_size);
    for (uint32_t i = 0; i < options->threads && error == OK; i++) {
        if (workers[i].fill_next != workers[i].fill_end ||
            workers[i].idle_count != workers[i].slot_count) {
            snprintf(ret_reason, reason_size, "the keys could not be stored in time");
            error = ERR_TIMEOUT;
        }
    }
    return error;
}

static enum error measure(struct load_worker *workers, const struct load_options *options,
                          uint32_t rate, char *ret_reason, size_t reason_size)
{
    uint64_t start_ns = load_clock_ns();
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &workers[i];
        double interval_ns = rate == 0 ? 0 : (double)NS_PER_SECOND / rate;
        worker->phase = PHASE_MEASURE;
        worker->begin_ns = start_ns + options->warmup_ms * NS_PER_MS;
        worker->end_ns = worker->begin_ns + options->seconds * NS_PER_SECOND;
        /* Threads take turns, so that together they offer evenly. */
        worker->interval_ns = interval_ns * options->threads;
        worker->first_ns = start_ns + (uint64_t)(interval_ns * i);
    }
    return phase_run(workers, options->threads, ret_reason, reason_size);
}

static void node_ask(const struct load_worker *worker, struct plx_node *ret_node)
{
    struct plx_client *client = worker->clients[0];
    uint32_t preferred = worker->options->preferred;
    size_t first = preferred == 0 ? 0 : preferred - 1;
    size_t end = preferred == 0 ? plx_endpoint_count(client) : preferred;
    memset(ret_node, 0, sizeof(*ret_node));
    for (size_t i = first; i < end; i++) {
        if (plx_status(client, i, 0, STATUS_NS, ret_node) == PLX_OK) {
            return;
        }
    }
}

/* What is still in flight may take effect or not. */
static enum error record_write(struct load_worker *workers, const struct load_options *options,
                               struct load_result *result, char *ret_reason, size_t reason_size)
{
    for (uint32_t i = 0; i < options->threads; i++) {
        for (uint32_t k = 0; k < workers[i].slot_count; k++) {
            const struct load_slot *slot = &workers[i].slots[k];
            workers[i].records[slot->key_number].is_open |= slot->is_in_flight;
        }
    }
    enum error error = load_record_write(workers[0].records, options, &result->recorded);
    if (error != OK) {
        snprintf(ret_reason, reason_size, "%s: cannot be written", options->record);
    }
    return error;
}

enum error load_run(const struct load_options *options, uint32_t rate,
                    struct load_result *ret_result, char *ret_reason, size_t reason_size)
{
    static struct load_worker workers[LOAD_THREADS_MAX];
    struct load_record *records = NULL;
    enum error error = OK;
    uint64_t run = load_clock_ns();
    memset(workers, 0, sizeof(workers));
    for (uint32_t i = 0; i < options->threads; i++) {
        workers[i].epoll_fd = -1;
    }
    if (options->record != NULL) {
        records = calloc(options->keys, sizeof(*records));
        error = records == NULL ? ERR_NO_MEMORY : OK;
    }
    for (uint32_t i = 0; i < options->threads && error == OK; i++) {
        uint32_t first = options->clients * i / options->threads;
        uint32_t end = options->clients * (i + 1) / options->threads;
        workers[i].options = options;
        workers[i].run = run;
        workers[i].number = run; /* no value is that of another run */
        workers[i].first_client = first;
        workers[i].records = records;
        error = worker_open(&workers[i], i, end - first, ret_reason, reason_size);
    }
    error = error == OK ? fill(workers, options, ret_reason, reason_size) : error;
    error = error == OK ? measure(workers, options, rate, ret_reason, reason_size) : error;
    if (error == OK) {
        memset(ret_result, 0, sizeof(*ret_result));
        ret_result->second_count = options->seconds;
        for (uint32_t i = 0; i < options->threads; i++) {
            result_add(ret_result, &workers[i]);
        }
        if (ret_result->unfinished == 0) {
            node_ask(&workers[0], &ret_result->node);
        }
    }
    if (error == OK && records != NULL) {
        error = record_write(workers, options, ret_result, ret_reason, reason_size);
    }
    for (uint32_t i = 0; i < options->threads; i++) {
        worker_close(&workers[i]);
    }
    free(records);
    return error;
}
