/*
 * pollux-sim: runs simulated clusters, seed after seed, until a rule breaks. The seed is all that a
 * run depends on: a failure is repeated by its number.
 */
#include "tests/sim/world.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define OVERRIDES_MAX 64

enum exit_code { EXIT_CLEAN = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2 };

struct arguments {
    uint64_t first;
    uint64_t count;
    const char *history_path;
    const char *seeds_path;
    const char *overrides[OVERRIDES_MAX];
    uint32_t overrides_count;
    bool is_verbose;
    bool is_twice;
    bool is_going_on;
    bool is_quiet;
    bool is_showing_hash;
};

static const char usage[] =
    "usage: pollux-sim [--seeds N] [--start S] [--nodes N] [--set name=value]... [--verbose]\n"
    "                  [--history FILE] [--seed-file FILE] [--twice] [--keep-going] [--quiet]\n"
    "Runs N seeds from S on. A seed draws its cluster, workload and faults; --set overrides one\n"
    "value of the draw. --twice runs each seed two times and compares the trace hashes. "
    "--seed-file\n"
    "runs the seeds of a file, one a line with its overrides. --history writes what clients saw as "
    "JSON lines.\n"
    "Exit: 0 clean, 1 a rule was broken, 2 wrong usage.\n";

static struct world world;
static struct tally tally;
/* The run in progress, for the last words of a failed CHECK. */
static volatile uint64_t current_seed;

static void last_words(int signal_number)
{
    printf("seed %llu: BROKEN: the product stopped itself (signal %d)\n",
           (unsigned long long)current_seed, signal_number);
    draw_print(&world.draw);
    printf("again: pollux-sim --start %llu --seeds 1 --verbose\n",
           (unsigned long long)current_seed);
    fflush(stdout);
    _exit(EXIT_BROKEN);
}

static void watch_signals(void)
{
    signal(SIGABRT, last_words);
    signal(SIGSEGV, last_words);
    signal(SIGBUS, last_words);
    signal(SIGFPE, last_words);
}

static void failure_print(uint64_t seed)
{
    printf("seed %llu: BROKEN %s: %s\n  at %.6f s: %s\n", (unsigned long long)seed,
           rule_name(world.verdict.rule), rule_text(world.verdict.rule),
           (double)world.verdict.at_ns / 1e9, world.verdict.text);
    draw_print(&world.draw);
    printf("again: pollux-sim --start %llu --seeds 1 --verbose\n", (unsigned long long)seed);
}

static bool history_save(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "pollux-sim: %s: %s\n", path, strerror(errno));
        return false;
    }
    history_write(&world.history, file);
    return fclose(file) == 0;
}

static bool draw_fill(const struct arguments *arguments, uint64_t seed, struct draw *ret_draw)
{
    draw_make(ret_draw, seed);
    for (uint32_t i = 0; i < arguments->overrides_count; i++) {
        enum error error = draw_override(ret_draw, arguments->overrides[i]);
        if (error != OK) {
            fprintf(stderr, "pollux-sim: --set %s: %s\n", arguments->overrides[i],
                    error_text(error));
            return false;
        }
    }
    draw_fit_shards(ret_draw);
    draw_fit_backup(ret_draw, CLIENTS_MAX);
    return true;
}

/* One run of one seed; returns its trace hash. */
static uint64_t seed_run_once(const struct arguments *arguments, uint64_t seed,
                              const struct draw *draw, bool *ret_is_clean)
{
    current_seed = seed;
    world.verdict.is_verbose = arguments->is_verbose;
    world_init(&world, seed, draw, &tally);
    world_run(&world);
    *ret_is_clean = !verdict_is_broken(&world.verdict);
    if (!*ret_is_clean)
        failure_print(seed);
    if (arguments->history_path != NULL && !history_save(arguments->history_path))
        *ret_is_clean = false;
    uint64_t hash = world.verdict.trace_hash;
    world_deinit(&world);
    return hash;
}

static bool seed_run(const struct arguments *arguments, uint64_t seed)
{
    struct draw draw;
    bool is_clean = false;
    if (!draw_fill(arguments, seed, &draw))
        return false;
    if (arguments->is_verbose)
        draw_print(&draw);
    uint64_t hash = seed_run_once(arguments, seed, &draw, &is_clean);
    if (arguments->is_showing_hash)
        printf("seed %llu trace %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
    if (!is_clean || !arguments->is_twice)
        return is_clean;
    uint64_t again = seed_run_once(arguments, seed, &draw, &is_clean);
    if (again != hash)
        printf("seed %llu: BROKEN DETERMINISM: trace %016llx, then %016llx\n",
               (unsigned long long)seed, (unsigned long long)hash, (unsigned long long)again);
    return is_clean && again == hash;
}

/* ---- arguments ---- */

static bool number_parse(const char *text, uint64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *ret_number = number;
    return true;
}

static bool override_add(struct arguments *arguments, const char *setting)
{
    if (arguments->overrides_count == OVERRIDES_MAX)
        return false;
    arguments->overrides[arguments->overrides_count++] = setting;
    return true;
}

static bool option_take(struct arguments *arguments, int option, const char *value)
{
    static char nodes[32];
    switch (option) {
    case 'n':
        return number_parse(value, &arguments->count);
    case 's':
        return number_parse(value, &arguments->first);
    case 'N':
        snprintf(nodes, sizeof(nodes), "nodes=%.20s", value);
        return override_add(arguments, nodes);
    case 'x':
        return override_add(arguments, value);
    case 'h':
        arguments->history_path = value;
        return true;
    case 'f':
        arguments->seeds_path = value;
        return true;
    case 'v':
        arguments->is_verbose = true;
        return true;
    case 't':
        arguments->is_twice = true;
        return true;
    case 'k':
        arguments->is_going_on = true;
        return true;
    case 'q':
        arguments->is_quiet = true;
        return true;
    case 'H':
        arguments->is_showing_hash = true;
        return true;
    default:
        return false;
    }
}

static bool arguments_parse(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},   {"start", required_argument, NULL, 's'},
        {"nodes", required_argument, NULL, 'N'},   {"set", required_argument, NULL, 'x'},
        {"history", required_argument, NULL, 'h'}, {"seed-file", required_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},       {"twice", no_argument, NULL, 't'},
        {"keep-going", no_argument, NULL, 'k'},    {"quiet", no_argument, NULL, 'q'},
        {"hash", no_argument, NULL, 'H'},          {NULL, 0, NULL, 0}};
    *arguments = (struct arguments){.first = 1, .count = 100};
    int option = getopt_long(argc, argv, "v", options, NULL);
    while (option != -1) {
        if (!option_take(arguments, option, optarg))
            return false;
        option = getopt_long(argc, argv, "v", options, NULL);
    }
    return optind == argc;
}

/* ---- runs ---- */

static uint64_t seeds_run_range(const struct arguments *arguments, uint64_t *ret_broken)
{
    uint64_t done = 0;
    for (uint64_t i = 0; i < arguments->count; i++) {
        *ret_broken += !seed_run(arguments, arguments->first + i);
        done++;
        fflush(stdout);
        if (*ret_broken > 0 && !arguments->is_going_on)
            break;
    }
    return done;
}

static bool seed_line_is_wrong(const struct arguments *arguments, const char *word)
{
    fprintf(stderr, "pollux-sim: %s: '%s' is no seed, or no override of a draw\n",
            arguments->seeds_path, word == NULL ? "" : word);
    return false;
}

/* Runs one line of a file of seeds: a number, overrides of the draw, and why it is there. */
static bool seed_line_run(const struct arguments *arguments, char *line)
{
    struct arguments of_line = *arguments;
    uint64_t seed;
    char *rest = NULL;
    char *word = strtok_r(line, " \t\n", &rest);
    if (word == NULL || !number_parse(word, &seed))
        return seed_line_is_wrong(arguments, word);
    for (word = strtok_r(NULL, " \t\n", &rest); word != NULL && strchr(word, '=') != NULL;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (!override_add(&of_line, word))
            return seed_line_is_wrong(arguments, word);
    }
    return seed_run(&of_line, seed);
}

/* Lines as seed_line_run takes them; # begins a comment. */
static uint64_t seeds_run_file(const struct arguments *arguments, uint64_t *ret_broken)
{
    FILE *file = fopen(arguments->seeds_path, "r");
    if (file == NULL) {
        fprintf(stderr, "pollux-sim: %s: %s\n", arguments->seeds_path, strerror(errno));
        *ret_broken = 1;
        return 0;
    }
    char *line = NULL;
    size_t line_size = 0;
    uint64_t done = 0;
    while (getline(&line, &line_size, file) >= 0) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        *ret_broken += !seed_line_run(arguments, line);
        done++;
    }
    free(line);
    fclose(file);
    return done;
}

static double wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (!arguments_parse(&arguments, argc, argv)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    watch_signals();
    /* Arenas and images are large and hardly touched: do not clear 2 MiB for a few bytes. */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    double begun = wall_seconds();
    uint64_t broken = 0;
    uint64_t done = arguments.seeds_path != NULL ? seeds_run_file(&arguments, &broken)
                                                 : seeds_run_range(&arguments, &broken);
    double wall = wall_seconds() - begun;
    if (!arguments.is_quiet)
        tally_print(&tally);
    double hours = (double)tally.virtual_ns / 3.6e12;
    printf("%llu seeds, %llu broken, %.2f simulated hours in %.1f s: %.1f seeds a second, %.4f "
           "simulated hours a second\n",
           (unsigned long long)done, (unsigned long long)broken, hours, wall, (double)done / wall,
           hours / wall);
    return broken > 0 ? EXIT_BROKEN : EXIT_CLEAN;
}
