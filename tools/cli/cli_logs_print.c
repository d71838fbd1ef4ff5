/* Lines of logs that are the caller's, printed: see tools/cli/log_files.h. */
#include "tools/cli/cli_logs_print.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool print_piece(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    return cli_print(bytes, size_bytes);
}

bool cli_logs_print(struct log_files *files, const struct plx_logs_result *result)
{
    return log_spool_each(&files->spool, result->size_bytes, print_piece, NULL);
}

/* ---- JSON ---- */

/* Lines as they come: one at a time is in memory. */
struct json_lines {
    char *bytes; /* of the line under way */
    size_t size_bytes;
    size_t capacity_bytes;
    bool is_first;
};

static bool line_grow(struct json_lines *lines, const char *bytes, size_t size_bytes)
{
    if (lines->size_bytes + size_bytes > lines->capacity_bytes) {
        size_t capacity = 2 * (lines->size_bytes + size_bytes);
        char *larger = realloc(lines->bytes, capacity);
        if (larger == NULL) {
            fprintf(stderr,
                    "pollux: logs take: out of memory for a line; take it without -o json\n");
            return false;
        }
        lines->bytes = larger;
        lines->capacity_bytes = capacity;
    }
    memcpy(lines->bytes + lines->size_bytes, bytes, size_bytes);
    lines->size_bytes += size_bytes;
    return true;
}

static bool print_json(const char *before, json_t *value)
{
    char *text = cli_json_text(value, JSON_ENCODE_ANY | JSON_PRESERVE_ORDER);
    bool is_printed =
        text != NULL && cli_print(before, strlen(before)) && cli_print(text, strlen(text));
    free(text);
    json_decref(value);
    return is_printed;
}

static bool json_piece(void *context, const char *bytes, size_t size_bytes)
{
    struct json_lines *lines = context;
    while (size_bytes > 0) {
        const char *newline = memchr(bytes, '\n', size_bytes);
        size_t size = newline != NULL ? (size_t)(newline - bytes) : size_bytes;
        if (!line_grow(lines, bytes, size))
            return false;
        if (newline == NULL)
            return true;
        if (!print_json(lines->is_first ? "\n    " : ",\n    ",
                        cli_json_line(lines->bytes, lines->size_bytes)))
            return false;
        lines->is_first = false;
        lines->size_bytes = 0;
        bytes += size + 1;
        size_bytes -= size + 1;
    }
    return true;
}

/* Up to where the lines begin. */
static bool print_head(const struct cli_arguments *arguments, const struct plx_logs_result *result)
{
    static const char begin[] = ",\n  \"lines\": [";
    char id[PLX_LOGS_ID_TEXT_SIZE];
    json_t *head = json_object();
    json_object_set_new(head, "command", json_string("logs take"));
    cli_json_add_bytes(head, "server", arguments->server, strlen(arguments->server));
    json_object_set_new(head, "outcome", json_string(plx_outcome_name(result->outcome)));
    json_object_set_new(head, "is_leased", json_boolean(result->is_leased));
    if (result->id.serial != 0) {
        plx_logs_id_format(&result->id, id);
        json_object_set_new(head, arguments->lease_ns > 0 ? "lease" : "id", json_string(id));
    }
    json_object_set_new(head, "count", json_integer((json_int_t)result->count));
    char *text = cli_json_text(head, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    /* Without the newline and the brace at its end. */
    bool is_printed =
        text != NULL && cli_print(text, strlen(text) - 2) && cli_print(begin, sizeof(begin) - 1);
    free(text);
    json_decref(head);
    return is_printed;
}

bool cli_logs_print_json(const struct cli_arguments *arguments, struct log_files *files,
                         const struct plx_logs_result *result)
{
    struct json_lines lines = {.is_first = true};
    bool is_printed = print_head(arguments, result) &&
                      log_spool_each(&files->spool, result->size_bytes, json_piece, &lines) &&
                      (lines.is_first ? cli_print("]\n}\n", 4) : cli_print("\n  ]\n}\n", 7));
    free(lines.bytes);
    return is_printed;
}
