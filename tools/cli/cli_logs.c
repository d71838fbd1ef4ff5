/*
 * logs: the lines of a log file, each handed out once to whoever asks, on any host. Nothing is
 * printed before it is certain that the lines are this caller's.
 */
#include "base/units.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_logs_print.h"
#include "tools/console/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NANOSECONDS INT64_C(1000000000)

/* A line at fault, or where the rest of the lines begins, as FILE:LINE. */
static void place_print(const struct log_files *files, uint64_t stream_bytes)
{
    uint64_t offset_bytes;
    const struct log_file *file = log_files_locate(files, stream_bytes, &offset_bytes);
    fprintf(stderr, "pollux: %s:%" PRIu64 ": ",
            strcmp(file->path, "-") == 0 ? "standard input" : file->path,
            log_files_line(file, offset_bytes));
}

static void fault_explain(const struct cli_arguments *arguments, const struct log_files *files,
                          const struct plx_logs_result *result)
{
    const char *path = arguments->files[arguments->file_count - 1];
    uint64_t at = result->offset_bytes + (result->outcome == PLX_OK ? result->size_bytes : 0);
    switch (result->fault) {
    case PLX_LOGS_MALFORMED:
        place_print(files, at);
        fprintf(stderr,
                "the line does not begin with %s timestamp: --odd says what becomes of it\n",
                arguments->is_integer_format ? "an integer" : "an RFC 3339");
        break;
    case PLX_LOGS_BACKWARD:
        place_print(files, at);
        fprintf(stderr, "the timestamp is before that of the line above: --odd says what becomes "
                        "of it\n");
        break;
    case PLX_LOGS_FOREIGN:
        fprintf(stderr, "pollux: the key pollux/logs/%s holds something else than a cursor\n",
                arguments->server);
        break;
    case PLX_LOGS_MOVED_ON:
        fprintf(stderr,
                "pollux: %s: rotated or cut: the place where the last hand-out ended is not there, "
                "and lines may be in an older file. Nothing was taken. Give that file, too, oldest "
                "first, or --by-time to go on with what has a later timestamp\n",
                path);
        break;
    case PLX_LOGS_CHANGING:
        fprintf(stderr,
                "pollux: %s: cut or written anew while it was read, again and again. "
                "Nothing was taken\n",
                path);
        break;
    case PLX_LOGS_VALID:
    case PLX_LOGS_NAME:
    case PLX_LOGS_UNREAD: /* told already */
        break;
    }
}

int cli_logs_explain(const struct cli_arguments *arguments, const struct log_files *files,
                     const struct plx_logs_result *result)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    fault_explain(arguments, files, result);
    if (result->fault == PLX_LOGS_UNREAD)
        return CLI_EXIT_USAGE;
    if (result->fault == PLX_LOGS_VALID || result->fault == PLX_LOGS_NAME)
        fprintf(stderr, "pollux: logs: %s: %s\n", plx_outcome_name(result->outcome),
                plx_outcome_text(result->outcome));
    if (result->outcome == PLX_UNKNOWN) {
        plx_token_format(&result->token, token);
        place_print(files, result->offset_bytes);
        fprintf(stderr, "%zu lines are this caller's if this says OK: pollux resolve %s\n",
                result->count, token);
    }
    return plx_outcome_exit_code(result->outcome);
}

/* The lines are this caller's, and nobody can read them. */
static int unprinted_explain(const struct cli_arguments *arguments,
                             const struct plx_logs_result *result)
{
    fprintf(stderr,
            "pollux: logs take: %zu lines were taken and not all of them could be printed: %s\n",
            result->count,
            arguments->lease_ns > 0
                ? "the lease is not confirmed, and they come back when it is over"
                : "nobody gets them again (--lease lends them only)");
    return CLI_EXIT_UNWRITTEN;
}

static int take_render(const struct cli_arguments *arguments, struct log_files *files,
                       const struct plx_logs_result *result)
{
    char id[PLX_LOGS_ID_TEXT_SIZE];
    char left[UNITS_TEXT_BYTES];
    bool is_json = arguments->format == CLI_JSON;
    if (result->is_leased && !is_json)
        fprintf(stderr, "pollux: logs take: somebody else has a lease, for %s more\n",
                units_duration(result->lease_left_ns, left));
    /* A lease on lines that were not printed is not told: it must not be confirmed. */
    if (is_json ? !cli_logs_print_json(arguments, files, result) : !cli_logs_print(files, result))
        return unprinted_explain(arguments, result);
    if (!is_json && arguments->lease_ns > 0 && result->id.serial != 0) {
        plx_logs_id_format(&result->id, id);
        fprintf(stderr, "pollux: leased for %s; confirm with: pollux logs confirm %s\n",
                units_duration(result->lease_left_ns, left), id);
    }
    if (result->fault != PLX_LOGS_VALID) {
        fault_explain(arguments, files, result);
        return CLI_EXIT_USAGE;
    }
    return result->is_leased ? 1 : 0;
}

static int take_logs(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct log_files files;
    int code = plx_outcome_exit_code(PLX_E_NO_MEMORY);
    if (!console_can_print()) {
        fprintf(stderr, "pollux: logs take: standard output is closed, or nobody reads it: nothing "
                        "was taken\n");
        return plx_outcome_exit_code(PLX_E_PERMISSION);
    }
    if (log_files_init(&files, arguments)) {
        const struct plx_logs_how how = {.is_blocking = arguments->is_blocking,
                                         .timeout_ns = arguments->timeout_ns,
                                         .fence_wait_ns = arguments->fence_wait_ns,
                                         .lease_ns = arguments->lease_ns,
                                         .odd = arguments->odd};
        const struct logs_stream stream = log_files_stream(&files);
        cli_cancel_on_interrupt(client);
        struct plx_logs_result result = client_take_stream(
            client, arguments->server, &stream,
            arguments->is_integer_format ? PLX_LOGS_INTEGER : PLX_LOGS_RFC3339, &how);
        if (result.outcome == PLX_OK)
            code = take_render(arguments, &files, &result);
        else
            code = cli_logs_explain(arguments, &files, &result);
    }
    log_files_deinit(&files);
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
    char left[UNITS_TEXT_BYTES];
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
        printf("for %s more\n", units_duration(state.lease_left_ns, left));
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
