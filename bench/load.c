/* Phases run on all threads, results added up. */
#include "bench/load.h"

#include "base/check.h"
#include "bench/load_worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define STATUS_NS     NS_PER_SECOND
#define NEVER         UINT64_MAX

#define VALUE_THREAD_SHIFT 58 /* a run begins below: nine years after the machine's start */

/* What the workers of one load share. */
struct crew {
    const struct load_options *options;
    struct load_worker *workers;
    struct load_record *records;
    struct load_check *checks;
    struct load_history *histories;
    struct key_growth growth;
    struct load_progress progress;
    char *reason;
};

static enum error crew_fail(struct crew *crew, enum error error, const char *reason)
{
    snprintf(crew->reason, LOAD_REASON_BYTES, "%s", reason);
    return error;
}

/* Runs the phase on all threads. */
static enum error phase_run(struct crew *crew)
{
    pthread_t threads[LOAD_THREADS_MAX];
    uint32_t count = crew->options->threads;
    uint32_t started = 0;
    load_progress_begin(&crew->progress);
    while (started < count &&
           pthread_create(&threads[started], NULL, load_worker_run, &crew->workers[started]) == 0) {
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return started == count ? OK
                            : crew_fail(crew, ERR_NO_MEMORY, "--threads: cannot start so many");
}

/* Divides the keys among the workers, for a phase that goes through all of them. */
static void keys_divide(struct crew *crew, enum load_phase phase)
{
    const struct load_options *options = crew->options;
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &crew->workers[i];
        worker->phase = phase;
        worker->key_next = (uint32_t)((uint64_t)options->keys * i / options->threads);
        worker->key_end = (uint32_t)((uint64_t)options->keys * (i + 1) / options->threads);
        worker->pulse_begin_ns = NEVER;
    }
}

/* Keys of the fill that are not stored. */
static uint64_t fill_left(const struct crew *crew)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < crew->options->threads; i++) {
        const struct load_worker *worker = &crew->workers[i];
        left += worker->key_end - worker->key_next + worker->missing_count;
        left += load_worker_in_flight(worker);
    }
    return left;
}

/* Stores the keys before the load reads them. */
static enum error fill_first(struct crew *crew)
{
    const struct load_options *options = crew->options;
    if (options->is_unfilled || !op_mix_has_reads(&options->mix)) {
        return OK;
    }
    keys_divide(crew, PHASE_FILL);
    enum error error = phase_run(crew);
    if (error == OK && fill_left(crew) > 0) {
        error = crew_fail(crew, ERR_TIMEOUT,
                          "the keys could not be stored before the load: see 'pollux status', or "
                          "leave the keys out with --no-fill");
    }
    return error;
}

/* The fill is the load. */
static enum error measure_fill(struct crew *crew)
{
    const struct load_options *options = crew->options;
    uint64_t begin_ns = load_clock_ns();
    keys_divide(crew, PHASE_FILL);
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &crew->workers[i];
        worker->result.begin_ns = begin_ns;
        worker->result.end_ns = NEVER;
        worker->pulse_begin_ns = begin_ns;
    }
    enum error error = phase_run(crew);
    uint64_t end_ns = begin_ns + 1;
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &crew->workers[i];
        uint64_t stored_ns = worker->stored_ns;
        worker->result.unfinished = worker->key_end - worker->key_next + worker->missing_count;
        worker->result.unfinished += load_worker_in_flight(worker);
        end_ns = stored_ns > end_ns ? stored_ns : end_ns;
    }
    uint64_t seconds = (end_ns - begin_ns + NS_PER_SECOND - 1) / NS_PER_SECOND;
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_result *result = &crew->workers[i].result;
        result->elapsed_ns = end_ns - begin_ns;
        result->second_count = seconds < LOAD_SECONDS_MAX ? (uint32_t)seconds : LOAD_SECONDS_MAX;
    }
    return error;
}

static enum error measure(struct crew *crew, uint32_t rate)
{
    const struct load_options *options = crew->options;
    uint64_t start_ns = load_clock_ns();
    double interval_ns = rate == 0 ? 0 : (double)NS_PER_SECOND / rate;
    if (load_options_is_fill(options)) {
        return measure_fill(crew);
    }
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &crew->workers[i];
        worker->phase = PHASE_MEASURE;
        worker->result.begin_ns = start_ns + options->warmup_ms * NS_PER_MS;
        worker->result.elapsed_ns = options->seconds * NS_PER_SECOND;
        worker->result.end_ns = worker->result.begin_ns + worker->result.elapsed_ns;
        worker->pulse_begin_ns = worker->result.begin_ns;
        /* Threads take turns, so that together they offer evenly. */
        worker->interval_ns = interval_ns * options->threads;
        worker->is_open_loop = rate > 0;
        worker->first_ns = start_ns + (uint64_t)(interval_ns * i);
    }
    enum error error = phase_run(crew);
    for (uint32_t i = 0; i < options->threads; i++) {
        crew->workers[i].result.unfinished += load_worker_unfinished(&crew->workers[i]);
    }
    return error;
}

/* What is still in flight may take effect or not. */
static enum error record_write(struct crew *crew, struct load_result *result)
{
    const struct load_options *options = crew->options;
    if (crew->records == NULL) {
        return OK;
    }
    for (uint32_t i = 0; i < options->threads; i++) {
        for (uint32_t k = 0; k < crew->workers[i].slot_count; k++) {
            const struct load_slot *slot = &crew->workers[i].slots[k];
            crew->records[slot->key_number].is_open |= slot->is_in_flight;
        }
    }
    enum error error = load_record_write(crew->records, options, &result->recorded);
    return error == OK ? OK : crew_fail(crew, error, "--record: the file cannot be written");
}

static enum error history_write(struct crew *crew)
{
    const struct load_options *options = crew->options;
    if (crew->histories == NULL) {
        return OK;
    }
    enum error error = load_history_write(crew->histories, options->threads, options->history);
    if (error == OK) {
        return OK;
    }
    return crew_fail(crew, error,
                     error == ERR_IO ? "--history: the file cannot be written"
                                     : "--history: out of memory: shorten the load");
}

/* Reads back what was acknowledged. */
static enum error check_all(struct crew *crew)
{
    const struct load_options *options = crew->options;
    if (crew->checks == NULL) {
        return OK;
    }
    for (uint32_t i = 0; i < options->keys; i++) {
        load_check_close(&crew->checks[i]);
    }
    keys_divide(crew, PHASE_CHECK);
    enum error error = phase_run(crew);
    for (uint32_t i = 0; i < options->threads; i++) {
        struct load_worker *worker = &crew->workers[i];
        struct load_verdict *verdict = &worker->result.verdict;
        verdict->unread += worker->reading_count;
        for (; worker->key_next < worker->key_end; worker->key_next++) {
            bool is_due = load_check_is_due(&crew->checks[worker->key_next]);
            verdict->checked += is_due;
            verdict->unread += is_due;
        }
    }
    return error;
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

static void statistics_add(struct plx_statistics *to, const struct load_worker *worker)
{
    for (uint32_t i = 0; i < worker->client_count; i++) {
        struct plx_statistics from;
        plx_statistics(worker->clients[i], &from);
#define X(name) to->name += from.name;
        PLX_STATISTICS_LIST(X)
#undef X
    }
}

static enum error result_collect(struct crew *crew, struct load_result *result)
{
    const struct load_result *first = &crew->workers[0].result;
    uint32_t in_flight_count = 0;
    if (load_result_init(result, first->second_count) != OK) {
        return crew_fail(crew, ERR_NO_MEMORY, "out of memory");
    }
    result->begin_ns = first->begin_ns;
    result->end_ns = first->end_ns;
    result->elapsed_ns = first->elapsed_ns;
    for (uint32_t i = 0; i < crew->options->threads; i++) {
        load_result_add(result, &crew->workers[i].result);
        statistics_add(&result->statistics, &crew->workers[i]);
        in_flight_count += load_worker_in_flight(&crew->workers[i]);
    }
    if (in_flight_count == 0) {
        node_ask(&crew->workers[0], &result->node);
    }
    return OK;
}

static enum error histories_open(struct crew *crew)
{
    const struct load_options *options = crew->options;
    if (options->history == NULL) {
        return OK;
    }
    crew->histories = calloc(options->threads, sizeof(*crew->histories));
    bool is_open = crew->histories != NULL;
    for (uint32_t i = 0; i < options->threads && is_open; i++) {
        is_open = load_history_init(&crew->histories[i]) == OK;
    }
    return is_open ? OK : crew_fail(crew, ERR_NO_MEMORY, "--history: out of memory");
}

static enum error crew_open(struct crew *crew, bool has_progress)
{
    const struct load_options *options = crew->options;
    uint64_t run = load_clock_ns();
    bool is_inserting = op_mix_has(&options->mix, LOAD_INSERT);
    crew->records = options->record != NULL ? calloc(options->keys, sizeof(*crew->records)) : NULL;
    crew->checks = options->is_checked ? calloc(options->keys, sizeof(*crew->checks)) : NULL;
    if ((options->record != NULL && crew->records == NULL) ||
        (options->is_checked && crew->checks == NULL) ||
        (is_inserting && key_growth_init(&crew->growth, options->keys) != OK)) {
        return crew_fail(crew, ERR_NO_MEMORY, "out of memory: lower --keys");
    }
    enum error error = histories_open(crew);
    for (uint32_t i = 0; i < options->threads && error == OK; i++) {
        struct load_worker *worker = &crew->workers[i];
        uint32_t first = options->clients * i / options->threads;
        uint32_t end = options->clients * (i + 1) / options->threads;
        worker->options = options;
        worker->run = run;
        /* No value is that of another run or thread. */
        worker->number = run + ((uint64_t)i << VALUE_THREAD_SHIFT);
        worker->first_client = first;
        worker->records = crew->records;
        worker->checks = crew->checks;
        worker->history = crew->histories == NULL ? NULL : &crew->histories[i];
        worker->growth = is_inserting ? &crew->growth : NULL;
        worker->progress = has_progress ? &crew->progress : NULL;
        error = load_worker_open(worker, i, end - first, crew->reason, LOAD_REASON_BYTES);
    }
    return error;
}

static void crew_close(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->options->threads; i++) {
        load_worker_close(&crew->workers[i]);
        if (crew->histories != NULL) {
            load_history_deinit(&crew->histories[i]);
        }
    }
    free(crew->histories);
    key_growth_deinit(&crew->growth);
    load_progress_deinit(&crew->progress);
    free(crew->records);
    free(crew->checks);
}

enum error load_run(const struct load_options *options, uint32_t rate, FILE *progress,
                    struct load_result *ret_result, char *ret_reason)
{
    static struct load_worker workers[LOAD_THREADS_MAX];
    static struct crew crew;
    memset(workers, 0, sizeof(workers));
    crew = (struct crew){.options = options, .workers = workers, .reason = ret_reason};
    load_progress_init(&crew.progress, progress, options->threads);
    for (uint32_t i = 0; i < options->threads; i++) {
        workers[i].epoll_fd = -1;
    }
    enum error error = crew_open(&crew, progress != NULL);
    error = error == OK ? fill_first(&crew) : error;
    error = error == OK ? measure(&crew, rate) : error;
    error = error == OK ? check_all(&crew) : error;
    error = error == OK ? result_collect(&crew, ret_result) : error;
    if (error == OK) {
        error = record_write(&crew, ret_result);
        error = error == OK ? history_write(&crew) : error;
        if (error != OK) {
            load_result_deinit(ret_result);
        }
    }
    crew_close(&crew);
    return error;
}
