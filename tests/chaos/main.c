/*
 * pollux-chaos: draws an attack, loads a cluster while somebody carries it out, and judges what the
 * clients were told. tests/chaos/run is that somebody.
 */
#include "tests/chaos/history_file.h"
#include "tests/chaos/owner.h"
#include "tests/chaos/report.h"
#include "tests/chaos/schedule.h"
#include "tests/chaos/worker.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_USAGE        2
#define PATH_BYTES_MAX    512
#define CALMS_MAX         8192
#define LEADER_TIMEOUT_NS 60000000
#define SETTLE_LIMIT_NS   UINT64_C(30000000000)
#define RESOLVE_LIMIT_NS  UINT64_C(60000000000)
#define KEEP_ALIVE_NS     UINT64_C(1000000000)
#define LOOK_NS           20000000 /* between looks whether it is time to stop */
#define SPARE_OPS         50000    /* room in the record beyond what is expected */
#define OPS_PER_SWAP      2
#define OPTIONS_OF_OWNERS 100 /* seeds beyond those of the workers */
#define STOP_LATE_FACTOR  2   /* room for a run that takes so many times as long as planned */
#define NS_PER_SECOND     UINT64_C(1000000000)
#define NS_PER_MS         UINT64_C(1000000)

static const char usage[] =
    "usage: pollux-chaos schedule --seed=N --seconds=N --nodes=N [--losses]\n"
    "       pollux-chaos leader --servers=HOST:PORT,... --cluster=NAME\n"
    "       pollux-chaos load --servers=... --cluster=NAME --dir=DIR [OPTIONS]\n"
    "       pollux-chaos judge --history=FILE\n"
    "\n"
    "  schedule   prints what is to be done to the cluster, and when\n"
    "  leader     prints the number of the node that leads, as far as anybody says so\n"
    "  load       many clients until SIGTERM; then everything must be whole: resolves what is\n"
    "             unknown, waits for the nodes to agree, judges; DIR/events says what was done\n"
    "  judge      judges a history in a file, such as pollux-bench --history writes\n"
    "\n"
    "  --seconds=N  expected length (default 60)    --rate=N  operations a second (default 800)\n"
    "  --handles=N  threads of clients (default 6)  --clients=N  of each (default 8)\n"
    "  --seed=N     of the clients                  --fence-wait=MS  default: the library's\n"
    "  --swaps=N    swaps that do not block, and gets; ends DIR/done after so many\n"
    "\n"
    "exit status: 0 all rules held; 1 one was broken; 2 usage\n";

struct arguments {
    struct plx_options options;
    const char *folder;
    const char *history;
    uint64_t seed;
    uint64_t seconds;
    uint64_t node_count;
    bool has_losses;
    uint64_t rate;
    uint64_t handles;
    uint64_t clients;
    uint64_t swaps;
    uint64_t fence_wait_ms; /* 0: the library's */
};

static FILE *folder_open(const struct arguments *arguments, const char *name, const char *mode)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s", arguments->folder, name);
    return fopen(path, mode);
}

/* ---- schedule and leader ---- */

static int run_schedule(const struct arguments *arguments)
{
    static struct schedule schedule;
    struct schedule_options options = {.seed = arguments->seed,
                                       .duration_ms = arguments->seconds * 1000,
                                       .node_count = (uint32_t)arguments->node_count,
                                       .has_losses = arguments->has_losses};
    if (arguments->node_count < 3)
        return EXIT_USAGE;
    schedule_draw(&options, &schedule);
    for (uint32_t i = 0; i < schedule.count; i++)
        printf("%" PRIu64 " %s\n", schedule.events[i].at_ms, schedule.events[i].text);
    return EXIT_SUCCESS;
}

static int run_leader(const struct arguments *arguments)
{
    struct plx_client *client;
    uint64_t term = 0;
    uint16_t leader = 0;
    if (plx_open(&arguments->options, &client, NULL, 0) != PLX_OK)
        return EXIT_USAGE;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        struct plx_node node;
        if (plx_ping(client, i, 0, LEADER_TIMEOUT_NS, &node) != PLX_OK || node.term < term ||
            node.leader == 0)
            continue;
        term = node.term;
        leader = node.leader;
    }
    plx_close(client);
    printf("%u\n", leader);
    return leader == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- load ---- */

struct crew {
    struct worker workers[WORKERS_MAX];
    struct plx_client *clients[WORKERS_MAX];
    struct plx_client *resolver_client;
    struct resolver resolver;
    struct record record;
    struct load load;
    uint32_t count;
    struct owner owners[OWNERS_MAX];
    uint32_t owner_count;
};

static bool crew_open(struct crew *crew, const struct arguments *arguments)
{
    struct plx_options options = arguments->options;
    char reason[128];
    for (uint32_t i = 0; i < arguments->handles; i++) {
        options.preferred_endpoint = (int32_t)(i % arguments->node_count);
        options.seed = arguments->seed * 1000 + i + 1;
        if (plx_open(&options, &crew->clients[i], reason, sizeof(reason)) != PLX_OK) {
            fprintf(stderr, "pollux-chaos: %s\n", reason);
            return false;
        }
    }
    options.seed = arguments->seed * 1000;
    return plx_open(&options, &crew->resolver_client, reason, sizeof(reason)) == PLX_OK;
}

static bool crew_begin(struct crew *crew, const struct arguments *arguments)
{
    uint64_t ops = arguments->rate * arguments->seconds * STOP_LATE_FACTOR;
    if (arguments->swaps > 0)
        ops = arguments->swaps * OPS_PER_SWAP;
    if (ops + SPARE_OPS > UINT32_MAX / 2 ||
        !record_init(&crew->record, (uint32_t)(ops + SPARE_OPS)) || !crew_open(crew, arguments))
        return false;
    crew->load = (struct load){.record = &crew->record,
                               .resolver = &crew->resolver,
                               .interval_ns = NS_PER_SECOND * arguments->clients *
                                              arguments->handles / arguments->rate,
                               .client_count = (uint32_t)arguments->clients,
                               .swaps_max = arguments->swaps};
    if (!resolver_begin(&crew->resolver, crew->resolver_client, &crew->record))
        return false;
    for (; crew->count < arguments->handles; crew->count++) {
        if (!worker_begin(&crew->workers[crew->count], &crew->load, crew->clients[crew->count],
                          arguments->seed * 7919 + crew->count))
            return false;
    }
    return true;
}

static bool owners_begin(struct crew *crew, const struct arguments *arguments)
{
    for (uint32_t i = 0; arguments->swaps == 0 && i < OWNERS_MAX; i++) {
        struct owner_options options = {.plx = arguments->options,
                                        .seed = arguments->seed * 104729 + i,
                                        .number = i,
                                        .has_losses = arguments->has_losses};
        options.plx.preferred_endpoint = (int32_t)(i % arguments->node_count);
        options.plx.seed = arguments->seed * 1000 + OPTIONS_OF_OWNERS + i;
        if (!owner_begin(&crew->owners[i], &options))
            return false;
        crew->owner_count++;
    }
    return true;
}

/* Says that the clients have asked all they wanted, then waits to be told that all is mended. */
static void wait_for_stop(struct crew *crew, const struct arguments *arguments)
{
    sigset_t mask;
    bool is_said = false;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    struct timespec look = {.tv_nsec = LOOK_NS};
    while (sigtimedwait(&mask, NULL, &look) < 0) {
        if (!is_said && atomic_load(&crew->load.is_stopping)) {
            FILE *file = folder_open(arguments, "done", "we");
            is_said = file != NULL && fclose(file) == 0;
        }
    }
    atomic_store(&crew->load.is_stopping, true);
}

static void crew_end(struct crew *crew, struct report *report)
{
    for (uint32_t i = 0; i < crew->owner_count; i++)
        owner_stop(&crew->owners[i]);
    for (uint32_t i = 0; i < crew->count; i++) {
        struct plx_statistics statistics;
        worker_end(&crew->workers[i]);
        report->stuck_count += crew->workers[i].stuck_count;
        plx_statistics(crew->clients[i], &statistics);
        report->effort.fence_count += statistics.fences;
        report->effort.expired_count += statistics.unknowns_expired;
    }
    report->unresolved_count = resolver_end(&crew->resolver, RESOLVE_LIMIT_NS);
    report->resolved_early_count = crew->resolver.resolved_early_count;
    report->resolve_retry_count = crew->resolver.retry_count;
    report->expired_count = crew->resolver.expired_count;
    for (uint32_t i = 0; i < crew->count; i++)
        plx_close(crew->clients[i]);
    plx_close(crew->resolver_client);
}

/* The times of all "calm" events, turned from real time to the clock of the record. */
static uint32_t read_calms(const struct arguments *arguments, uint64_t *ret_calms_ns)
{
    char line[256];
    struct timespec now;
    uint32_t count = 0;
    FILE *file = folder_open(arguments, "events", "re");
    if (file == NULL)
        return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ahead_ns =
        (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec - clock_now_ns();
    while (count < CALMS_MAX && fgets(line, sizeof(line), file) != NULL) {
        uint64_t at_us = 0;
        char word[16] = "";
        if (sscanf(line, "%" SCNu64 " %15s", &at_us, word) == 2 && strcmp(word, "calm") == 0)
            ret_calms_ns[count++] = at_us * 1000 - ahead_ns;
    }
    fclose(file);
    return count;
}

static bool write_history(const struct arguments *arguments, const char *name,
                          const struct history *history)
{
    FILE *file = folder_open(arguments, name, "we");
    if (file == NULL) {
        perror(name);
        return false;
    }
    history_write(history, file);
    return fclose(file) == 0;
}

static bool conclude(struct crew *crew, const struct arguments *arguments, struct report *report)
{
    static uint64_t calms_ns[CALMS_MAX];
    struct history seen = record_seen(&crew->record);
    struct history resolved = record_resolved(&crew->record);
    bool is_written = write_history(arguments, "history.jsonl", &seen) &&
                      write_history(arguments, "history-resolved.jsonl", &resolved);
    uint32_t key_count = record_key_count(&crew->record);
    judge_history(&resolved, key_count, &report->judge);
    report->effort.fence_wait_ns = arguments->options.fence_wait_ns;
    report->is_of_swaps = arguments->swaps > 0;
    if (report->is_of_swaps)
        chain_check(&seen, &resolved, key_count, &report->chain);
    outage_measure(&seen, calms_ns, read_calms(arguments, calms_ns), &report->outage);
    history_deinit(&resolved);
    return report_print(report) && is_written;
}

static int run_load(const struct arguments *arguments)
{
    static struct crew crew;
    static struct report report;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    /* Blocked here and so in every thread: wait_for_stop asks for them. */
    sigprocmask(SIG_BLOCK, &mask, NULL);
    uint64_t begin_ns = clock_now_ns();
    if (!crew_begin(&crew, arguments) || !owners_begin(&crew, arguments)) {
        fprintf(stderr, "pollux-chaos: cannot start the clients\n");
        return EXIT_FAILURE;
    }
    wait_for_stop(&crew, arguments);
    report.record = &crew.record;
    report.elapsed_ns = clock_now_ns() - begin_ns;
    report.client_count = crew.count * crew.load.client_count;
    crew_end(&crew, &report);
    settle(&arguments->options, &crew.record, SETTLE_LIMIT_NS, &report.settle);
    for (uint32_t i = 0; i < crew.owner_count; i++)
        owner_end(&crew.owners[i]);
    report.owners = crew.owners;
    report.owner_count = crew.owner_count;
    bool is_good = conclude(&crew, arguments, &report);
    record_deinit(&crew.record);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- judge ---- */

static int run_judge(const char *path)
{
    char reason[128] = "";
    struct history history;
    struct judge judge;
    uint32_t key_count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        return EXIT_USAGE;
    }
    bool is_read = history_file_read(file, &history, &key_count, reason, sizeof(reason));
    fclose(file);
    if (!is_read) {
        fprintf(stderr, "pollux-chaos: '%s' is no history: %s\n", path, reason);
        return EXIT_USAGE;
    }
    judge_history(&history, key_count, &judge);
    bool is_good = report_history(&history, &judge);
    history_deinit(&history);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- arguments ---- */

static bool parse_number(const char *text, uint64_t high, uint64_t *ret_number)
{
    char *end = NULL;
    unsigned long long number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    *ret_number = number;
    return number >= 1 && number <= high && *end == '\0';
}

static bool store_option(int id, const char *text, struct arguments *arguments)
{
    switch (id) {
    case 's':
        arguments->options.endpoints = text;
        return true;
    case 'c':
        arguments->options.cluster = text;
        return true;
    case 'd':
        arguments->folder = text;
        return true;
    case 'H':
        arguments->history = text;
        return true;
    case 'S':
        return parse_number(text, UINT32_MAX, &arguments->seed);
    case 't':
        return parse_number(text, 86400, &arguments->seconds);
    case 'n':
        return parse_number(text, 9, &arguments->node_count);
    case 'r':
        return parse_number(text, 100000, &arguments->rate);
    case 'h':
        return parse_number(text, WORKERS_MAX, &arguments->handles);
    case 'C':
        return parse_number(text, WORKER_CLIENTS, &arguments->clients);
    case 'f':
        return parse_number(text, 600000, &arguments->fence_wait_ms);
    case 'l':
        arguments->has_losses = true;
        return true;
    case 'w':
        return parse_number(text, 100000000, &arguments->swaps);
    default:
        return false;
    }
}

static const char *parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"servers", required_argument, NULL, 's'},    {"cluster", required_argument, NULL, 'c'},
        {"dir", required_argument, NULL, 'd'},        {"seed", required_argument, NULL, 'S'},
        {"seconds", required_argument, NULL, 't'},    {"nodes", required_argument, NULL, 'n'},
        {"rate", required_argument, NULL, 'r'},       {"handles", required_argument, NULL, 'h'},
        {"fence-wait", required_argument, NULL, 'f'}, {"swaps", required_argument, NULL, 'w'},
        {"clients", required_argument, NULL, 'C'},    {"history", required_argument, NULL, 'H'},
        {"losses", no_argument, NULL, 'l'},           {NULL, 0, NULL, 0}};
    int id;
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!store_option(id, optarg, arguments))
            return NULL;
    }
    return optind + 1 == argc ? argv[optind] : NULL;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.folder = ".",
                                  .seed = 1,
                                  .seconds = 60,
                                  .node_count = 5,
                                  .rate = 800,
                                  .handles = 6,
                                  .clients = WORKER_CLIENTS};
    plx_options_init(&arguments.options);
    arguments.options.keep_alive_ns = KEEP_ALIVE_NS;
    arguments.options.spin_ns = 0;
    const char *command = parse(argc, argv, &arguments);
    if (arguments.fence_wait_ms > 0)
        arguments.options.fence_wait_ns = arguments.fence_wait_ms * NS_PER_MS;
    if (command != NULL && strcmp(command, "schedule") == 0)
        return run_schedule(&arguments);
    if (command != NULL && strcmp(command, "leader") == 0)
        return run_leader(&arguments);
    if (command != NULL && strcmp(command, "load") == 0)
        return run_load(&arguments);
    if (command != NULL && strcmp(command, "judge") == 0 && arguments.history != NULL)
        return run_judge(arguments.history);
    fputs(usage, stderr);
    return EXIT_USAGE;
}
