/*
 * pollux-drill: what the demonstration and the tests with real processes ask of a cluster. Each
 * command prints one line of NAME=VALUE words for scripts.
 */
#include "tools/drill/digest.h"
#include "tools/drill/journal.h"
#include "tools/drill/pairs.h"
#include "tools/drill/steady.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_USAGE      2
#define EXIT_SILENT     3
#define REASON_BYTES    256
#define PING_TIMEOUT_NS 200000000
#define NS_PER_MS       1e6
#define DIGEST_KEYS_MAX 10000000

static const char usage[] =
    "usage: pollux-drill --servers HOST:PORT,... --cluster NAME [OPTIONS] COMMAND\n"
    "\n"
    "  store FILE         set every pair of FILE (key, tab, value)\n"
    "  compare FILE       read every key of FILE back and compare\n"
    "  swaps PREFIX       win, lose, create if absent, delete if equal\n"
    "  set KEY VALUE      one set that is not blocking; prints its outcome\n"
    "  get KEY            one consistent get; prints its outcome and value\n"
    "  steady RUN JOURNAL write under RUN/ until SIGTERM; SIGUSR1 marks a fault\n"
    "  verify JOURNAL     prove that everything acknowledged is there, once\n"
    "  digest PREFIX N    a number for what the keys PREFIX00000000 and so on, N of them, have\n"
    "  leader             the node that a majority follows and that has a fresh quorum\n"
    "  nodes              one line for each node\n"
    "\n"
    "  --preferred=N      relaxed reads of compare, digest and verify, at the N-th server, from 1\n"
    "  --workers=N        of steady, 1 to 64 (default 16)\n"
    "  --rate=N           operations a second of steady (default 1000)\n"
    "  --timeout-ms=N     of set (default 500)\n"
    "\n"
    "exit status: 0 all as it should be; 1 not; 2 usage; 3 of leader: no node answers\n";

struct arguments {
    struct plx_options options;
    uint32_t preferred; /* 0: consistent */
    uint32_t workers;
    uint32_t rate;
    uint64_t timeout_ms;
    char **words; /* after the command */
};

struct command {
    const char *name;
    int word_count;
    int (*run)(const struct arguments *arguments, struct plx_client *client);
};

static uint64_t drill_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool parse_count(const char *text, uint64_t high, uint64_t *ret_number)
{
    char *end = NULL;
    unsigned long long number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    *ret_number = number;
    return number >= 1 && number <= high && *end == '\0';
}

static int store_or_compare(const struct arguments *arguments, struct plx_client *client,
                            bool is_store)
{
    struct pairs *pairs = pairs_read(arguments->words[0]);
    if (pairs == NULL)
        return EXIT_USAGE;
    uint64_t begin_ns = drill_clock_ns();
    bool is_good = is_store ? pairs_store(pairs, client)
                            : pairs_compare(pairs, client, arguments->preferred != 0);
    double elapsed_ms = (double)(drill_clock_ns() - begin_ns) / NS_PER_MS;
    printf("pairs=%u wrong=%u ms=%.1f\n", pairs->count, pairs->wrong_count, elapsed_ms);
    is_good = is_good && pairs->wrong_count == 0;
    pairs_free(pairs);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_store(const struct arguments *arguments, struct plx_client *client)
{
    return store_or_compare(arguments, client, true);
}

static int run_compare(const struct arguments *arguments, struct plx_client *client)
{
    return store_or_compare(arguments, client, false);
}

/* NULL: no value. */
static struct plx_bytes value_or_absent(const char *text)
{
    return text == NULL ? PLX_ABSENT : plx_text(text);
}

static int run_swaps(const struct arguments *arguments, struct plx_client *client)
{
    static const struct {
        const char *what;
        const char *new_value;
        const char *old_value;
        enum plx_outcome expected;
    } steps[] = {
        {"create", "one", NULL, PLX_OK},
        {"create_again", "two", NULL, PLX_MISMATCH},
        {"won", "two", "one", PLX_OK},
        {"lost", "three", "one", PLX_MISMATCH},
        {"delete_lost", NULL, "one", PLX_MISMATCH},
        {"delete", NULL, "two", PLX_OK},
        {"delete_again", NULL, "two", PLX_MISMATCH},
        {"create_last", "end", NULL, PLX_OK},
    };
    struct plx_bytes key = plx_text(arguments->words[0]);
    struct plx_call call = {.is_blocking = true};
    int wrong_count = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct plx_response response = plx_swap(client, key, value_or_absent(steps[i].new_value),
                                                value_or_absent(steps[i].old_value), &call);
        printf("%s=%s ", steps[i].what, plx_outcome_name(response.outcome));
        wrong_count += response.outcome != steps[i].expected;
    }
    printf("wrong=%d\n", wrong_count);
    return wrong_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_set(const struct arguments *arguments, struct plx_client *client)
{
    struct plx_call call = {.timeout_ns = arguments->timeout_ms * 1000000};
    uint64_t begin_ns = drill_clock_ns();
    struct plx_response response =
        plx_set(client, plx_text(arguments->words[0]), plx_text(arguments->words[1]), &call);
    printf("outcome=%s ms=%.1f\n", plx_outcome_name(response.outcome),
           (double)(drill_clock_ns() - begin_ns) / NS_PER_MS);
    return response.outcome == PLX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_get(const struct arguments *arguments, struct plx_client *client)
{
    struct plx_call call = {.is_blocking = true};
    struct plx_response response = plx_get(client, plx_text(arguments->words[0]), &call);
    printf("outcome=%s value=%.*s\n", plx_outcome_name(response.outcome),
           response.has_value ? (int)response.value.size_bytes : 0,
           response.has_value ? (const char *)response.value.data : "");
    return response.outcome == PLX_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void print_steady(const struct steady_report *report)
{
    printf("acknowledged=%" PRIu64 " mismatches=%" PRIu64 " timeouts=%" PRIu64 " unknown=%" PRIu64
           " errors=%" PRIu64 " seconds=%.1f pause_max_ms=%.1f outages_ms=",
           report->acknowledged_count, report->mismatch_count, report->timeout_count,
           report->unknown_count, report->error_count, (double)report->elapsed_ns / 1e9,
           (double)report->pause_max_ns / NS_PER_MS);
    for (uint32_t i = 0; i < report->mark_count; i++)
        printf("%s%.1f", i > 0 ? "," : "", (double)report->outages_ns[i] / NS_PER_MS);
    printf("\n");
}

static int run_steady(const struct arguments *arguments, struct plx_client *client)
{
    static struct steady_report report;
    struct steady_options options = {
        .worker_count = arguments->workers, .rate = arguments->rate, .run = arguments->words[0]};
    steady_run(client, &options, &report);
    print_steady(&report);
    bool is_good = journal_write(&report.journal, arguments->words[1]);
    return is_good && report.mismatch_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_verify(const struct arguments *arguments, struct plx_client *client)
{
    static struct journal journal;
    struct journal_verdict verdict;
    if (!journal_read(&journal, arguments->words[0]))
        return EXIT_USAGE;
    bool is_good = journal_verify(&journal, client, arguments->preferred != 0, &verdict);
    printf("checked=%" PRIu64 " lost=%" PRIu64 " twice=%" PRIu64 " failed=%" PRIu64 "\n",
           verdict.checked_count, verdict.lost_count, verdict.twice_count, verdict.failed_count);
    is_good = is_good && verdict.checked_count > 0;
    return is_good && verdict.lost_count + verdict.twice_count + verdict.failed_count == 0
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

static int run_digest(const struct arguments *arguments, struct plx_client *client)
{
    struct digest digest = {.prefix = arguments->words[0], .is_relaxed = arguments->preferred != 0};
    if (strlen(digest.prefix) > DIGEST_PREFIX_BYTES_MAX ||
        !parse_count(arguments->words[1], DIGEST_KEYS_MAX, &digest.count))
        return EXIT_USAGE;
    bool is_good = digest_read(&digest, client);
    printf("node=%u stored=%" PRIu64 " failed=%" PRIu64 " digest=%016" PRIx64 "\n", digest.node,
           digest.stored_count, digest.failed_count, digest.sum);
    return is_good && digest.failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The node that a majority follows in a shard and that has a fresh quorum; 0: none. Sets how many
 * shards there are where a node tells; 0: no node answers. */
static uint16_t leader_of_shard(struct plx_client *client, uint16_t shard, uint16_t *shard_count)
{
    uint32_t votes[PLX_ENDPOINTS_MAX + 1] = {0};
    uint16_t serving = 0;
    uint32_t node_count = 1;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        struct plx_node node;
        if (plx_ping(client, i, shard, PING_TIMEOUT_NS, &node) != PLX_OK)
            continue;
        node_count = node.node_count;
        *shard_count = node.shard_count;
        if (node.leader <= PLX_ENDPOINTS_MAX)
            votes[node.leader]++;
        if (node.role == PLX_LEADER && node.has_fresh_quorum)
            serving = node.node;
    }
    bool is_followed = serving <= PLX_ENDPOINTS_MAX && votes[serving] * 2 > node_count;
    return is_followed ? serving : 0;
}

/* The leader of the first shard, where every shard has one. */
static int run_leader(const struct arguments *arguments, struct plx_client *client)
{
    uint16_t shard_count = 0;
    uint16_t first = leader_of_shard(client, 0, &shard_count);
    (void)arguments;
    if (shard_count == 0)
        return EXIT_SILENT;
    bool is_served = first != 0;
    for (uint16_t shard = 1; is_served && shard < shard_count; shard++)
        is_served = leader_of_shard(client, shard, &shard_count) != 0;
    if (!is_served)
        return EXIT_FAILURE;
    printf("%u\n", first);
    return EXIT_SUCCESS;
}

static int run_nodes(const struct arguments *arguments, struct plx_client *client)
{
    static const char *const roles[] = {"follower", "pre-candidate", "candidate", "leader"};
    static const char *const media[] = {"byte", "cache-line", "page"};
    (void)arguments;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        struct plx_node node;
        if (plx_ping(client, i, 0, PING_TIMEOUT_NS, &node) != PLX_OK) {
            printf("server=%s state=silent\n", plx_endpoint_name(client, i));
            continue;
        }
        printf("server=%s state=up node=%u role=%s leader=%u term=%" PRIu64 " commit=%" PRIu64
               " applied=%" PRIu64 " last=%" PRIu64 " medium=%s%s\n",
               plx_endpoint_name(client, i), node.node,
               node.role <= PLX_LEADER ? roles[node.role] : "?", node.leader, node.term,
               node.commit_index, node.applied_index, node.last_index,
               node.granularity <= PLX_PAGE ? media[node.granularity] : "?",
               node.is_emulated ? " (emulated)" : "");
    }
    return EXIT_SUCCESS;
}

static const struct command commands[] = {
    {"store", 1, run_store},   {"compare", 1, run_compare}, {"swaps", 1, run_swaps},
    {"set", 2, run_set},       {"steady", 2, run_steady},   {"verify", 1, run_verify},
    {"get", 1, run_get},       {"leader", 0, run_leader},   {"nodes", 0, run_nodes},
    {"digest", 2, run_digest},
};

static bool store_option(int id, const char *text, struct arguments *arguments)
{
    uint64_t number = 0;
    if (id == 's') {
        arguments->options.endpoints = text;
        return true;
    }
    if (id == 'c') {
        arguments->options.cluster = text;
        return true;
    }
    if (id == 'h' && parse_count(text, PLX_ENDPOINTS_MAX, &number)) {
        arguments->preferred = (uint32_t)number;
        arguments->options.preferred_endpoint = (int32_t)number - 1;
        return true;
    }
    if (id == 'w' && parse_count(text, JOURNAL_WORKERS_MAX, &number)) {
        arguments->workers = (uint32_t)number;
        return true;
    }
    if (id == 'r' && parse_count(text, 1000000, &number)) {
        arguments->rate = (uint32_t)number;
        return true;
    }
    return id == 't' && parse_count(text, 600000, &arguments->timeout_ms);
}

/* The command that the words name; NULL when there is none. */
static const struct command *parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {{"servers", required_argument, NULL, 's'},
                                            {"cluster", required_argument, NULL, 'c'},
                                            {"preferred", required_argument, NULL, 'h'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"rate", required_argument, NULL, 'r'},
                                            {"timeout-ms", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    int id;
    while ((id = getopt_long(argc, argv, "s:c:", options, NULL)) != -1) {
        if (!store_option(id, optarg, arguments))
            return NULL;
    }
    for (size_t i = 0; optind < argc && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, argv[optind]) != 0)
            continue;
        arguments->words = argv + optind + 1;
        return argc - optind - 1 == commands[i].word_count ? &commands[i] : NULL;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.workers = 16, .rate = 1000, .timeout_ms = 500};
    char reason[REASON_BYTES];
    plx_options_init(&arguments.options);
    arguments.options.key_file = getenv("POLLUX_KEY");
    const struct command *command = parse(argc, argv, &arguments);
    if (command == NULL) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct plx_client *client;
    if (plx_open(&arguments.options, &client, reason, sizeof(reason)) != PLX_OK) {
        fprintf(stderr, "pollux-drill: %s\n", reason);
        return EXIT_USAGE;
    }
    int status = command->run(&arguments, client);
    plx_close(client);
    return status;
}
