/*
 * load and check: a file of lines KEY<TAB>VALUE, stored or compared with many operations in flight.
 * Each line is judged by itself; a line that is not of that form is an error before anything is
 * sent.
 */
#include "base/units.h"
#include "tools/cli/cli_commands.h"
#include "tools/console/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_SIZE_BYTES_MAX ((size_t)1 << 30)
#define COMPLAINTS_MAX      20
#define POLL_NS             (10u * 1000 * 1000)

struct pairs_run;

struct pair {
    struct plx_bytes key;
    struct plx_bytes value;
    struct pairs_run *run;
};

struct pairs_run {
    const struct cli_arguments *arguments;
    bool is_check;
    struct pair *pairs;
    size_t count;
    size_t good;
    size_t bad;
    int exit_code; /* of the first line that was not good */
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t lines_count(const char *bytes, size_t size_bytes)
{
    size_t count = size_bytes > 0 && bytes[size_bytes - 1] != '\n';
    for (size_t i = 0; i < size_bytes; i++)
        count += bytes[i] == '\n';
    return count;
}

static bool line_fail(const char *path, size_t line, const char *fault)
{
    fprintf(stderr, "pollux: %s:%zu: %s\n", strcmp(path, "-") == 0 ? "standard input" : path, line,
            fault);
    return false;
}

/* Both are in memory of ours. */
static bool pair_take_back(struct pair *pair)
{
    size_t fault;
    return escape_parse((char *)(uintptr_t)pair->key.data, pair->key.size_bytes,
                        &pair->key.size_bytes, &fault) &&
           escape_parse((char *)(uintptr_t)pair->value.data, pair->value.size_bytes,
                        &pair->value.size_bytes, &fault);
}

/* False: a message names the line. */
static bool pairs_parse(struct pairs_run *run, const char *path, char *bytes, size_t size_bytes)
{
    const char *at = bytes;
    const char *end = bytes + size_bytes;
    run->pairs = calloc(lines_count(bytes, size_bytes) + 1, sizeof(struct pair));
    if (run->pairs == NULL) {
        fprintf(stderr, "pollux: %s: out of memory\n", path);
        return false;
    }
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        const char *tab = memchr(at, '\t', (size_t)(stop - at));
        struct pair *pair = &run->pairs[run->count++];
        if (tab == NULL)
            return line_fail(path, run->count, "no tab");
        *pair = (struct pair){.key = {at, (size_t)(tab - at)},
                              .value = {tab + 1, (size_t)(stop - tab - 1)},
                              .run = run};
        if (run->arguments->is_escaped && !pair_take_back(pair))
            return line_fail(path, run->count,
                             "no escape; --escaped takes \\xNN, \\n, \\t, \\r and \\\\");
        const char *fault = pair->key.size_bytes == 0                           ? "no key"
                            : pair->key.size_bytes > PLX_KEY_SIZE_BYTES_MAX     ? "key too large"
                            : pair->value.size_bytes > PLX_VALUE_SIZE_BYTES_MAX ? "value too large"
                                                                                : NULL;
        if (fault != NULL)
            return line_fail(path, run->count, fault);
        at = stop + 1;
    }
    return true;
}

static void pair_complain(struct pairs_run *run, const struct pair *pair, const char *what,
                          const struct plx_token *token)
{
    run->bad++;
    if (run->bad > COMPLAINTS_MAX)
        return;
    char text[PLX_TOKEN_TEXT_SIZE] = "";
    if (token->session != 0)
        plx_token_format(token, text);
    fprintf(stderr, "pollux: line %zu, key ", (size_t)(pair - run->pairs) + 1);
    escape_print(stderr, pair->key.data, pair->key.size_bytes);
    fprintf(stderr, ": %s%s%s\n", what, text[0] == '\0' ? "" : "; token ", text);
}

static void pair_done(void *context, const struct plx_response *response)
{
    const struct pair *pair = context;
    struct pairs_run *run = pair->run;
    int code = plx_outcome_exit_code(response->outcome);
    if (response->outcome != PLX_OK) {
        pair_complain(run, pair, plx_outcome_text(response->outcome), &response->token);
    } else if (run->is_check &&
               (response->value_size_bytes != pair->value.size_bytes ||
                memcmp(response->value.data, pair->value.data, pair->value.size_bytes) != 0)) {
        pair_complain(run, pair, "another value is stored", &response->token);
        code = plx_outcome_exit_code(PLX_MISMATCH);
    } else {
        run->good++;
        return;
    }
    if (run->exit_code == 0)
        run->exit_code = code;
}

static void pairs_send(struct pairs_run *run, struct plx_client *client)
{
    const struct cli_arguments *arguments = run->arguments;
    size_t next = 0;
    cli_cancel_on_interrupt(client);
    while ((next < run->count && !cli_is_interrupted()) || plx_in_flight(client) > 0) {
        enum plx_outcome outcome = PLX_OK;
        while (next < run->count && outcome == PLX_OK && !cli_is_interrupted()) {
            struct pair *pair = &run->pairs[next];
            struct plx_op op = {.type = run->is_check ? PLX_OP_GET : PLX_OP_SET,
                                .key = pair->key,
                                .value = run->is_check ? PLX_ABSENT : pair->value,
                                .call = {.is_relaxed = arguments->is_relaxed,
                                         .is_blocking = arguments->is_blocking,
                                         .timeout_ns = arguments->timeout_ns,
                                         .fence_wait_ns = arguments->fence_wait_ns},
                                .done = pair_done,
                                .context = pair};
            outcome = plx_submit(client, &op);
            if (outcome == PLX_OK)
                next++;
        }
        (void)plx_poll(client, POLL_NS);
    }
    if (next == run->count)
        return;
    fprintf(stderr, "pollux: %s: interrupted: line %zu and those after it were not sent\n",
            run->arguments->command, next + 1);
    if (run->exit_code == 0)
        run->exit_code = plx_outcome_exit_code(PLX_TIMEOUT);
}

static int pairs_run_file(struct plx_client *client, const struct cli_arguments *arguments,
                          bool is_check)
{
    const char *path = arguments->operands[0];
    struct pairs_run run = {.arguments = arguments, .is_check = is_check};
    char *bytes = NULL;
    size_t size_bytes;
    if (!cli_read_file(path, FILE_SIZE_BYTES_MAX, &bytes, &size_bytes))
        return CLI_EXIT_USAGE;
    if (!pairs_parse(&run, path, bytes, size_bytes)) {
        free(run.pairs);
        free(bytes);
        return CLI_EXIT_USAGE;
    }
    char duration[UNITS_TEXT_BYTES];
    double begin = seconds_now();
    pairs_send(&run, client);
    double seconds = seconds_now() - begin;
    if (arguments->format == CLI_JSON)
        printf("{\"command\": \"%s\", \"lines\": %zu, \"good\": %zu, \"bad\": %zu, "
               "\"seconds\": %.6f}\n",
               arguments->command, run.count, run.good, run.count - run.good, seconds);
    else
        printf("%zu lines: %zu %s, %zu not, in %s\n", run.count, run.good,
               is_check ? "as expected" : "stored", run.count - run.good,
               units_duration((uint64_t)(seconds * 1e9), duration));
    free(run.pairs);
    free(bytes);
    return run.exit_code;
}

int cli_load(struct plx_client *client, const struct cli_arguments *arguments)
{
    return pairs_run_file(client, arguments, false);
}

int cli_check(struct plx_client *client, const struct cli_arguments *arguments)
{
    return pairs_run_file(client, arguments, true);
}
