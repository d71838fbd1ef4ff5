/* Workers driven by callbacks of one handle. */
#include "tools/drill/steady.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_WAIT_NS_MAX 2000000
#define DRAIN_WAIT_NS    UINT64_C(20000000000)
#define NS_PER_SECOND    UINT64_C(1000000000)

struct load;

struct worker {
    struct load *load;
    uint32_t number;
    uint32_t kind; /* of the operation outstanding or to be begun: enum journal_kind */
    uint64_t due_ns;
    bool is_outstanding;
    bool is_ended; /* its last operation has no known outcome: it begins no more */
    char key[PLX_KEY_SIZE_BYTES_MAX];
    char value[24];
    char old_value[24];
};

struct load {
    struct plx_client *client;
    const struct steady_options *options;
    struct steady_report *report;
    uint64_t acknowledged_ns; /* when the last acknowledgement came */
    uint64_t pause_max_ns;    /* since the last mark */
    struct worker workers[JOURNAL_WORKERS_MAX];
};

static volatile sig_atomic_t is_stopping;
static volatile sig_atomic_t marks_count;

static void on_stop(int number)
{
    (void)number;
    is_stopping = 1;
}

static void on_mark(int number)
{
    (void)number;
    marks_count = marks_count + 1;
}

static uint64_t steady_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void steady_acknowledge(struct load *load, struct journal_worker *record,
                               enum journal_kind kind)
{
    uint64_t now_ns = steady_clock_ns();
    uint64_t pause_ns = now_ns - load->acknowledged_ns;
    if (pause_ns > load->pause_max_ns)
        load->pause_max_ns = pause_ns;
    load->acknowledged_ns = now_ns;
    load->report->acknowledged_count++;
    record->done[kind]++;
}

static void on_steady_done(void *context, const struct plx_response *response)
{
    struct worker *worker = context;
    struct load *load = worker->load;
    struct journal_worker *record = &load->report->journal.workers[worker->number];
    enum journal_kind kind = (enum journal_kind)worker->kind;
    worker->is_outstanding = false;
    record->open = -1;
    if (response->outcome == PLX_OK) {
        steady_acknowledge(load, record, kind);
        worker->kind = (worker->kind + 1) % JOURNAL_KINDS;
    } else if (response->outcome == PLX_UNKNOWN) {
        load->report->unknown_count++;
        record->open = (int)kind;
        worker->is_ended = true;
    } else if (response->outcome == PLX_TIMEOUT) {
        load->report->timeout_count++; /* it never happened: the same operation again */
    } else if (response->outcome == PLX_MISMATCH) {
        load->report->mismatch_count++;
        worker->is_ended = true;
    } else {
        load->report->error_count++;
    }
}

static void begin(struct load *load, struct worker *worker, uint64_t now_ns)
{
    struct journal *journal = &load->report->journal;
    struct journal_worker *record = &journal->workers[worker->number];
    enum journal_kind kind = (enum journal_kind)worker->kind;
    uint64_t done = record->done[kind];
    struct plx_op op = {.type = kind == JOURNAL_COUNTER ? PLX_OP_SWAP : PLX_OP_SET,
                        .call = {.is_blocking = true},
                        .done = on_steady_done,
                        .context = worker};
    op.key.data = worker->key;
    op.key.size_bytes = journal_key(journal, worker->number, kind, done, worker->key);
    snprintf(worker->value, sizeof(worker->value), "%" PRIu64, done + 1);
    op.value = plx_text(worker->value);
    op.old_value = PLX_ABSENT;
    if (kind == JOURNAL_COUNTER && done > 0) {
        snprintf(worker->old_value, sizeof(worker->old_value), "%" PRIu64, done);
        op.old_value = plx_text(worker->old_value);
    }
    if (plx_submit(load->client, &op) != PLX_OK)
        return; /* the window is full: at the next turn */
    worker->is_outstanding = true;
    record->open = (int)kind;
    uint64_t interval_ns = NS_PER_SECOND * load->options->worker_count / load->options->rate;
    worker->due_ns += interval_ns;
    if (worker->due_ns < now_ns)
        worker->due_ns = now_ns;
}

/* Begins what is due; returns the time by which the next operation is. */
static uint64_t begin_due(struct load *load, uint64_t now_ns)
{
    uint64_t next_ns = now_ns + POLL_WAIT_NS_MAX;
    for (uint32_t i = 0; i < load->options->worker_count; i++) {
        struct worker *worker = &load->workers[i];
        if (worker->is_outstanding || worker->is_ended)
            continue;
        if (worker->due_ns <= now_ns)
            begin(load, worker, now_ns);
        else if (worker->due_ns < next_ns)
            next_ns = worker->due_ns;
    }
    return next_ns;
}

/* Closes the outage of the mark before, if there was one, and begins the next. */
static void next_outage(struct load *load)
{
    struct steady_report *report = load->report;
    if (report->mark_count > 0)
        report->outages_ns[report->mark_count - 1] = load->pause_max_ns;
    if (load->pause_max_ns > report->pause_max_ns)
        report->pause_max_ns = load->pause_max_ns;
    load->pause_max_ns = 0;
}

static void take_marks(struct load *load)
{
    while (load->report->mark_count < (uint32_t)marks_count &&
           load->report->mark_count < STEADY_MARKS_MAX) {
        next_outage(load);
        load->report->mark_count++;
    }
}

/* Lets what is outstanding end; cancels it when that takes too long. */
static void drain(struct load *load)
{
    uint64_t limit_ns = steady_clock_ns() + DRAIN_WAIT_NS;
    while (plx_in_flight(load->client) > 0 && steady_clock_ns() < limit_ns)
        plx_poll(load->client, POLL_WAIT_NS_MAX);
    if (plx_in_flight(load->client) > 0)
        plx_cancel(load->client);
    while (plx_in_flight(load->client) > 0)
        plx_poll(load->client, POLL_WAIT_NS_MAX);
}

static void prepare_steady(struct load *load, uint64_t now_ns)
{
    struct journal *journal = &load->report->journal;
    snprintf(journal->run, sizeof(journal->run), "%s", load->options->run);
    journal->worker_count = load->options->worker_count;
    for (uint32_t i = 0; i < journal->worker_count; i++) {
        load->workers[i] = (struct worker){.load = load, .number = i, .due_ns = now_ns};
        journal->workers[i].open = -1;
    }
    load->acknowledged_ns = now_ns;
}

void steady_run(struct plx_client *client, const struct steady_options *options,
                struct steady_report *ret_report)
{
    static struct load load;
    struct sigaction stop = {.sa_handler = on_stop};
    struct sigaction mark = {.sa_handler = on_mark};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGUSR1, &mark, NULL);
    *ret_report = (struct steady_report){0};
    load = (struct load){.client = client, .options = options, .report = ret_report};
    uint64_t begin_ns = steady_clock_ns();
    prepare_steady(&load, begin_ns);
    uint64_t now_ns = begin_ns;
    while (!is_stopping &&
           (options->duration_ns == 0 || now_ns < begin_ns + options->duration_ns)) {
        uint64_t next_ns = begin_due(&load, now_ns);
        take_marks(&load);
        plx_poll(client, next_ns - now_ns);
        now_ns = steady_clock_ns();
    }
    drain(&load);
    take_marks(&load);
    next_outage(&load);
    ret_report->elapsed_ns = steady_clock_ns() - begin_ns;
}
