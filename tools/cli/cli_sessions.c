/* `pollux sessions`: the sessions of a shard, those first that were quiet for longest, and the end
 * of one. */
#include "base/address_text.h"
#include "base/units.h"
#include "client/include/pollux_sessions.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pages of a table that has changed hands are asked for anew. */
#define ROUNDS_MAX 8

#define ADDRESS_BYTES (ADDRESS_IP_TEXT_BYTES + 8) /* [ip]:port */

struct table {
    struct plx_session *entries;
    size_t capacity;
    size_t count;
    struct plx_sessions page; /* the last one */
};

static bool page_keep(struct table *table)
{
    if (table->count + table->page.entry_count > table->capacity) {
        size_t capacity = table->capacity * 2 + PLX_SESSIONS_PAGE_MAX;
        struct plx_session *larger = realloc(table->entries, capacity * sizeof(*larger));
        if (larger == NULL)
            return false;
        table->entries = larger;
        table->capacity = capacity;
    }
    memcpy(table->entries + table->count, table->page.entries,
           table->page.entry_count * sizeof(*table->entries));
    table->count += table->page.entry_count;
    return true;
}

/* The whole table, from its begin. */
static enum plx_outcome table_take(struct plx_client *client, const struct cli_arguments *arguments,
                                   struct table *table)
{
    table->count = 0;
    table->page.next = 0;
    do {
        enum plx_outcome outcome =
            plx_sessions_list(client, arguments->shard, &table->page, arguments->timeout_ns);
        if (outcome != PLX_OK)
            return outcome;
        if (!page_keep(table))
            return PLX_E_NO_MEMORY;
    } while (table->page.next != 0);
    return PLX_OK;
}

static int by_quiet(const void *a, const void *b)
{
    const struct plx_session *left = a;
    const struct plx_session *right = b;
    if (left->quiet_ns != right->quiet_ns)
        return left->quiet_ns > right->quiet_ns ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static const char *state_text(enum plx_session_state state)
{
    switch (state) {
    case PLX_SESSION_UNUSED:
        return "unused";
    case PLX_SESSION_OPEN:
        return "open";
    case PLX_SESSION_IDLE:
        return "idle";
    }
    return "?";
}

static const char *address_text_of(const struct plx_session *session, char ret_text[ADDRESS_BYTES])
{
    char ip[ADDRESS_IP_TEXT_BYTES];
    if (session->port == 0)
        return "-";
    (void)address_ip_text(session->ip, ip);
    snprintf(ret_text, ADDRESS_BYTES, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip,
             session->port);
    return ret_text;
}

static void print_json(const struct table *table, uint16_t shard)
{
    char address[ADDRESS_BYTES];
    json_t *array = json_array();
    for (size_t i = 0; i < table->count; i++) {
        const struct plx_session *session = &table->entries[i];
        json_t *object = json_object();
        json_object_set_new(object, "id", cli_json_count(session->id));
        json_object_set_new(object, "state", json_string(state_text(session->state)));
        json_object_set_new(object, "quiet_ns", cli_json_count(session->quiet_ns));
        json_object_set_new(object, "heard_ns", cli_json_count(session->heard_ns));
        json_object_set_new(object, "left_ns", cli_json_count(session->left_ns));
        json_object_set_new(object, "outcomes", json_integer(session->outcomes));
        json_object_set_new(object, "address",
                            session->port != 0 ? json_string(address_text_of(session, address))
                                               : json_null());
        json_array_append_new(array, object);
    }
    json_t *object = json_object();
    json_object_set_new(object, "shard", json_integer(shard));
    json_object_set_new(object, "node", json_integer(table->page.node));
    json_object_set_new(object, "applied_index", cli_json_count(table->page.applied_index));
    json_object_set_new(object, "sessions_max", json_integer(table->page.sessions_max));
    json_object_set_new(object, "sessions", array);
    cli_json_print(object);
}

static void print_lines(const struct table *table)
{
    char address[ADDRESS_BYTES];
    char quiet[UNITS_TEXT_BYTES];
    char left[UNITS_TEXT_BYTES];
    printf("%-20s %-7s %10s %10s %9s  %s\n", "SESSION", "STATE", "QUIET", "ENDS IN", "OUTCOMES",
           "ADDRESS");
    for (size_t i = 0; i < table->count; i++) {
        const struct plx_session *session = &table->entries[i];
        printf("%-20" PRIu64 " %-7s %10s %10s %9" PRIu32 "  %s\n", session->id,
               state_text(session->state), units_duration(session->quiet_ns, quiet),
               units_duration(session->left_ns, left), session->outcomes,
               address_text_of(session, address));
    }
    printf("%zu of at most %" PRIu32 " sessions\n", table->count, table->page.sessions_max);
}

static int fail(const struct cli_arguments *arguments, enum plx_outcome outcome)
{
    if (outcome == PLX_E_ARGUMENT)
        return cli_usage_error(arguments, "there is no shard %u", arguments->shard);
    fprintf(stderr, "pollux: sessions: shard %u: %s: %s\n", arguments->shard,
            plx_outcome_name(outcome), plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome);
}

static int list(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct table table = {.entries = NULL};
    enum plx_outcome outcome = PLX_MISMATCH;
    for (int i = 0; i < ROUNDS_MAX && outcome == PLX_MISMATCH; i++)
        outcome = table_take(client, arguments, &table);
    if (outcome == PLX_MISMATCH) /* leaders change all the time */
        outcome = PLX_TIMEOUT;
    if (outcome == PLX_OK && table.count > 0)
        qsort(table.entries, table.count, sizeof(*table.entries), by_quiet);
    if (outcome == PLX_OK && arguments->format == CLI_JSON)
        print_json(&table, arguments->shard);
    else if (outcome == PLX_OK)
        print_lines(&table);
    free(table.entries);
    return outcome == PLX_OK ? 0 : fail(arguments, outcome);
}

static int end(struct plx_client *client, const struct cli_arguments *arguments)
{
    const char *text = arguments->operands[1];
    char *rest;
    errno = 0;
    uint64_t id = strtoull(text, &rest, 10);
    if (text[0] < '0' || text[0] > '9' || *rest != '\0' || errno != 0 || id == 0 || id > INT64_MAX)
        return cli_usage_error(arguments, "'%s' is no session's number: see pollux sessions list",
                               text);
    enum plx_outcome outcome = plx_session_end(client, arguments->shard, id, arguments->timeout_ns);
    if (outcome == PLX_NOT_FOUND) {
        fprintf(stderr,
                "pollux: sessions: shard %u has no session %" PRIu64
                " (any more): see pollux sessions list\n",
                arguments->shard, id);
        return plx_outcome_exit_code(outcome);
    }
    if (outcome != PLX_OK)
        return fail(arguments, outcome);
    if (arguments->format == CLI_JSON)
        cli_json_print(json_pack("{s:i, s:I, s:s}", "shard", arguments->shard, "id", (json_int_t)id,
                                 "outcome", "PLX_OK"));
    else
        printf("shard %u: session %" PRIu64 " has ended\n", arguments->shard, id);
    return 0;
}

int cli_sessions(struct plx_client *client, const struct cli_arguments *arguments)
{
    const char *what = arguments->operand_count > 0 ? arguments->operands[0] : "list";
    if (strcmp(what, "list") == 0 && arguments->operand_count <= 1)
        return list(client, arguments);
    if (strcmp(what, "end") == 0 && arguments->operand_count == 2)
        return end(client, arguments);
    return cli_usage_error(arguments, "list, or end ID");
}
