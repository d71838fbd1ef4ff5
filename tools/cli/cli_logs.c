/*
 * logs: the lines of a log file, each handed out once to whoever asks, on any host. Nothing is
 * printed before it is certain that the lines are this caller's.
 */
#include "tools/cli/cli_commands.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_SIZE_BYTES_MAX ((size_t)1 << 30)
#define NANOSECONDS        INT64_C(1000000000)

/* Files of one log, read behind each other. */
struct log_text {
    char *bytes;
    size_t size_bytes;
    size_t lines_before[CLI_FILES_MAX]; /* in the files before this one */
};

static size_t newlines_count(const char *bytes, size_t size_bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < size_bytes; i++)
        count += bytes[i] == '\n';
    return count;
}

/* Appends a file. One that is followed by another is whole: its last line has ended. */
static bool log_text_add(struct log_text *text, const char *path, bool is_last)
{
    char *bytes;
    size_t size_bytes;
    if (!cli_read_file(path, LOG_SIZE_BYTES_MAX, &bytes, &size_bytes))
        return false;
    char *larger = realloc(text->bytes, text->size_bytes + size_bytes + 1);
    if (larger == NULL) {
        fprintf(stderr, "pollux: %s: out of memory\n", path);
        free(bytes);
        return false;
    }
    text->bytes = larger;
    memcpy(larger + text->size_bytes, bytes, size_bytes);
    text->size_bytes += size_bytes;
    if (!is_last && size_bytes > 0 && bytes[size_bytes - 1] != '\n')
        larger[text->size_bytes++] = '\n';
    free(bytes);
    return true;
}

static bool log_text_read(struct log_text *text, const struct cli_arguments *arguments)
{
    for (int i = 0; i < arguments->file_count; i++) {
        text->lines_before[i] = newlines_count(text->bytes, text->size_bytes);
        if (!log_text_add(text, arguments->files[i], i + 1 == arguments->file_count))
            return false;
    }
    return true;
}

int cli_logs_explain(const struct cli_arguments *arguments, const char *path,
                     const struct plx_logs_result *result)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    char token[PLX_TOKEN_TEXT_SIZE];
    if (result->fault == PLX_LOGS_MALFORMED)
        fprintf(stderr, "pollux: %s:%zu: the line does not begin with %s timestamp\n", name,
                result->line, arguments->is_integer_format ? "an integer" : "an RFC 3339");
    else if (result->fault == PLX_LOGS_BACKWARD)
        fprintf(stderr, "pollux: %s:%zu: the timestamp is before that of the line above\n", name,
                result->line);
    else if (result->fault == PLX_LOGS_FOREIGN)
        fprintf(stderr, "pollux: the key pollux/logs/%s holds something else than a cursor\n",
                arguments->server);
    else
        fprintf(stderr, "pollux: logs: %s: %s\n", plx_outcome_name(result->outcome),
                plx_outcome_text(result->outcome));
    if (result->outcome == PLX_UNKNOWN) {
        plx_token_format(&result->token, token);
        fprintf(stderr,
                "pollux: %zu lines from line %zu are this caller's if this says OK: pollux resolve "
                "%s\n",
                result->count, result->first + 1, token);
    }
    return plx_outcome_exit_code(result->outcome);
}

static void take_json(const char *lines, const struct plx_logs_result *result,
                      const struct cli_arguments *arguments)
{
    char id[PLX_LOGS_ID_TEXT_SIZE];
    json_t *object = json_object();
    json_t *array = json_array();
    json_object_set_new(object, "command", json_string("logs take"));
    json_object_set_new(object, "server", json_string(arguments->server));
    json_object_set_new(object, "outcome", json_string(plx_outcome_name(result->outcome)));
    json_object_set_new(object, "is_leased", json_boolean(result->is_leased));
    if (result->id.serial != 0) {
        plx_logs_id_format(&result->id, id);
        json_object_set_new(object, arguments->lease_ns > 0 ? "lease" : "id", json_string(id));
    }
    size_t at = 0;
    while (result->outcome == PLX_OK && at < result->size_bytes) {
        const char *newline = memchr(lines + at, '\n', result->size_bytes - at);
        size_t size_bytes = (size_t)(newline - lines) - at;
        json_t *line = json_stringn(lines + at, size_bytes);
        /* A line that is not UTF-8 has no place in JSON but as null; plain output has it. */
        json_array_append_new(array, line != NULL ? line : json_null());
        at += size_bytes + 1;
    }
    json_object_set_new(object, "count", json_integer((json_int_t)json_array_size(array)));
    json_object_set_new(object, "lines", array);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(object);
}

static int take_render(const struct cli_arguments *arguments, const char *lines,
                       const struct plx_logs_result *result)
{
    char id[PLX_LOGS_ID_TEXT_SIZE];
    if (arguments->format == CLI_JSON) {
        take_json(lines, result, arguments);
        return result->is_leased ? 1 : plx_outcome_exit_code(result->outcome);
    }
    if (result->is_leased) {
        fprintf(stderr, "pollux: logs take: somebody else has a lease, for %" PRIu64 " ms more\n",
                result->lease_left_ns / (1000 * 1000));
        return 1;
    }
    /* A lease on lines that were not printed is not told: it must not be confirmed. */
    if (!cli_print(lines, result->size_bytes))
        return plx_outcome_exit_code(PLX_E_IO);
    if (arguments->lease_ns > 0 && result->id.serial != 0) {
        plx_logs_id_format(&result->id, id);
        fprintf(stderr, "pollux: leased for %" PRIu64 " ms; confirm with: pollux logs confirm %s\n",
                result->lease_left_ns / (1000 * 1000), id);
    }
    return 0;
}

/* The line at fault, as a line of its file. */
static const char *fault_locate(const struct cli_arguments *arguments, const struct log_text *text,
                                struct plx_logs_result *result)
{
    int at = arguments->file_count - 1;
    while (at > 0 && text->lines_before[at] >= result->line)
        at--;
    if (result->line > 0)
        result->line -= text->lines_before[at];
    return arguments->files[at];
}

static int take_logs(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct log_text text = {.bytes = NULL};
    int code = CLI_EXIT_USAGE;
    if (log_text_read(&text, arguments)) {
        const struct plx_logs_how how = {.is_blocking = arguments->is_blocking,
                                         .timeout_ns = arguments->timeout_ns,
                                         .fence_wait_ns = arguments->fence_wait_ns,
                                         .lease_ns = arguments->lease_ns};
        cli_cancel_on_interrupt(client);
        struct plx_logs_result result = plx_logs_take_text(
            client, arguments->server, (struct plx_bytes){text.bytes, text.size_bytes},
            arguments->is_integer_format ? PLX_LOGS_INTEGER : PLX_LOGS_RFC3339, &how);
        const char *path = fault_locate(arguments, &text, &result);
        if (result.outcome == PLX_OK)
            code = take_render(arguments, text.bytes + result.offset_bytes, &result);
        else
            code = cli_logs_explain(arguments, path, &result);
    }
    free(text.bytes);
    return code;
}

static struct plx_call call_of_logs(const struct cli_arguments *arguments)
{
    return (struct plx_call){.is_blocking = arguments->is_blocking,
                             .timeout_ns = arguments->timeout_ns,
                             .fence_wait_ns = arguments->fence_wait_ns};
}

/* Why a lease could not be confirmed or released. */
static void lease_explain(const struct cli_arguments *arguments, const char *what,
                          const struct plx_response *response)
{
    if (response->outcome == PLX_E_ARGUMENT)
        fprintf(stderr, "pollux: the key pollux/logs/%s holds something else than a cursor\n",
                arguments->server);
    else if (response->outcome == PLX_UNKNOWN && response->token.session == 0)
        fprintf(stderr,
                "pollux: logs %s: too many others were handed out since: nobody knows any more\n",
                what);
    else
        fprintf(stderr, "pollux: logs %s: %s: %s\n", what, plx_outcome_name(response->outcome),
                response->outcome == PLX_UNKNOWN ? "ask again, with the same id"
                                                 : plx_outcome_text(response->outcome));
}

static int confirm_lease(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_logs_id id;
    struct plx_call call = call_of_logs(arguments);
    if (!plx_logs_id_parse(arguments->operands[1], &id))
        return cli_usage_error(arguments, "'%s' is not the id of a lease", arguments->operands[1]);
    struct plx_response response = plx_logs_confirm(client, arguments->server, &id, &call);
    if (response.outcome == PLX_OK)
        printf("OK\n");
    else if (response.outcome == PLX_MISMATCH)
        fprintf(stderr,
                "pollux: logs confirm: the lease was lost: its lines go to somebody else\n");
    else
        lease_explain(arguments, "confirm", &response);
    return plx_outcome_exit_code(response.outcome);
}

static int release_lease(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_logs_id id;
    struct plx_call call = call_of_logs(arguments);
    if (!plx_logs_id_parse(arguments->operands[1], &id))
        return cli_usage_error(arguments, "'%s' is not the id of a lease", arguments->operands[1]);
    struct plx_response response = plx_logs_release(client, arguments->server, &id, &call);
    if (response.outcome == PLX_OK)
        printf("OK\n");
    else if (response.outcome == PLX_MISMATCH)
        fprintf(stderr, "pollux: logs release: the lease was confirmed: its lines stay taken\n");
    else
        lease_explain(arguments, "release", &response);
    return plx_outcome_exit_code(response.outcome);
}

/* A timestamp as the lines have it. */
static void timestamp_print(const struct cli_arguments *arguments, const char *name,
                            struct plx_logs_position position)
{
    int64_t timestamp = position.timestamp;
    if (position.count == 0) {
        printf("%s none\n", name);
        return;
    }
    if (arguments->is_integer_format) {
        printf("%s %" PRIi64 ", %" PRIu64 " with it\n", name, timestamp, position.count);
        return;
    }
    /* Rounded down, so that the fraction is positive before 1970, too. */
    int64_t fraction_ns = timestamp % NANOSECONDS;
    fraction_ns += fraction_ns < 0 ? NANOSECONDS : 0;
    time_t seconds = (time_t)((timestamp - fraction_ns) / NANOSECONDS);
    struct tm date;
    char text[64];
    gmtime_r(&seconds, &date);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &date);
    printf("%s %s.%09" PRIi64 "Z, %" PRIu64 " with it\n", name, text, fraction_ns, position.count);
}

static void cursor_json(const struct plx_logs_state *state)
{
    char id[PLX_LOGS_ID_TEXT_SIZE];
    plx_logs_id_format(&state->lease, id);
    printf("{\"timestamp\": %" PRIi64 ", \"count\": %" PRIu64 ", \"handed_out\": %" PRIu64
           ", \"serial\": %" PRIu64 ", \"lease\": %s%s%s, \"leased\": %" PRIu64
           ", \"lease_left_ns\": %" PRIu64 "}\n",
           state->position.timestamp, state->position.count, state->handed_out, state->serial,
           state->lease.serial == 0 ? "" : "\"", state->lease.serial == 0 ? "null" : id,
           state->lease.serial == 0 ? "" : "\"", state->leased, state->lease_left_ns);
}

static int logs_cursor(struct plx_client *client, const struct cli_arguments *arguments)
{
    char id[PLX_LOGS_ID_TEXT_SIZE];
    struct plx_logs_state state;
    struct plx_call call = call_of_logs(arguments);
    struct plx_response response = plx_logs_cursor(client, arguments->server, &call, &state);
    if (response.outcome != PLX_OK) {
        fprintf(stderr, "pollux: logs cursor: %s\n",
                response.outcome == PLX_NOT_FOUND ? "nothing was ever handed out"
                : response.outcome == PLX_E_ARGUMENT
                    ? "the key of this name holds something else than a cursor"
                    : plx_outcome_text(response.outcome));
        return plx_outcome_exit_code(response.outcome);
    }
    if (arguments->format == CLI_JSON) {
        cursor_json(&state);
        return 0;
    }
    timestamp_print(arguments, "newest    ", state.position);
    printf("handed out %" PRIu64 "\n", state.handed_out);
    if (state.lease.serial == 0)
        return 0;
    plx_logs_id_format(&state.lease, id);
    printf("lease      %s, %" PRIu64 " lines, %s", id, state.leased,
           state.lease_left_ns == 0 ? "over\n" : "");
    if (state.lease_left_ns > 0)
        printf("for %" PRIu64 " ms more\n", state.lease_left_ns / (1000 * 1000));
    timestamp_print(arguments, "lease ends", state.lease_end);
    return 0;
}

int cli_logs(struct plx_client *client, const struct cli_arguments *arguments)
{
    const char *what = arguments->operands[0];
    bool is_confirm = strcmp(what, "confirm") == 0;
    bool has_lease = is_confirm || strcmp(what, "release") == 0;
    bool has_file = strcmp(what, "take") == 0 || strcmp(what, "follow") == 0;
    if (!has_lease && !has_file && strcmp(what, "cursor") != 0)
        return cli_usage_error(arguments,
                               "'%s' is not one of take, confirm, release, cursor, follow", what);
    if (arguments->server == NULL)
        return cli_usage_error(arguments, "no server: give --server NAME");
    size_t name_size = strlen(arguments->server);
    if (name_size == 0 || name_size > PLX_LOGS_SERVER_SIZE_BYTES_MAX)
        return cli_usage_error(arguments, "--server: empty, or longer than %d bytes",
                               PLX_LOGS_SERVER_SIZE_BYTES_MAX);
    if (has_file && arguments->file_count == 0)
        return cli_usage_error(arguments, "no file: give --file FILE");
    if (arguments->operand_count != (has_lease ? 2 : 1))
        return cli_usage_error(arguments, has_lease ? "the operand is the id of one lease"
                                                    : "there are no further operands");
    if (strcmp(what, "take") == 0)
        return take_logs(client, arguments);
    cli_cancel_on_interrupt(client);
    if (has_lease)
        return is_confirm ? confirm_lease(client, arguments) : release_lease(client, arguments);
    return has_file ? cli_logs_follow(client, arguments) : logs_cursor(client, arguments);
}
