/* `pollux sessions`: the sessions of a shard or of all, those first that were quiet for longest,
 * and the end of one. */
#include "base/address_text.h"
#include "base/limits.h"
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

struct row {
    struct plx_session session;
    uint16_t shard;
};

/* What is known of each shard. */
struct head {
    uint16_t node;
    uint64_t applied_index;
    uint32_t sessions_max;
};

struct table {
    struct row *rows;
    size_t capacity;
    size_t count;
    struct head heads[SHARDS_MAX];
    uint16_t shard_first;
    uint16_t shard_end;
    struct plx_sessions page; /* the last one */
};

static bool page_keep(struct table *table, uint16_t shard)
{
    if (table->count + table->page.entry_count > table->capacity) {
        size_t capacity = table->capacity * 2 + PLX_SESSIONS_PAGE_MAX;
        struct row *larger = realloc(table->rows, capacity * sizeof(*larger));
        if (larger == NULL)
            return false;
        table->rows = larger;
        table->capacity = capacity;
    }
    for (uint32_t i = 0; i < table->page.entry_count; i++)
        table->rows[table->count++] = (struct row){table->page.entries[i], shard};
    table->heads[shard] =
        (struct head){table->page.node, table->page.applied_index, table->page.sessions_max};
    return true;
}

/* The sessions of a shard, from the begin. */
static enum plx_outcome shard_take(struct plx_client *client, const struct cli_arguments *arguments,
                                   uint16_t shard, struct table *table)
{
    size_t count = table->count;
    enum plx_outcome outcome = PLX_MISMATCH;
    for (int i = 0; i < ROUNDS_MAX && outcome == PLX_MISMATCH; i++) {
        table->count = count;
        table->page.next = 0;
        do {
            outcome = plx_sessions_list(client, shard, &table->page, arguments->timeout_ns);
            if (outcome == PLX_OK && !page_keep(table, shard))
                outcome = PLX_E_NO_MEMORY;
        } while (outcome == PLX_OK && table->page.next != 0);
    }
    return outcome == PLX_MISMATCH ? PLX_TIMEOUT : outcome; /* leaders change all the time */
}

static int fail(const struct cli_arguments *arguments, uint16_t shard, enum plx_outcome outcome)
{
    if (outcome == PLX_E_ARGUMENT)
        return cli_usage_error(arguments, "there is no shard %u", shard);
    fprintf(stderr, "pollux: sessions: shard %u: %s: %s\n", shard, plx_outcome_name(outcome),
            plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome);
}

/* The sessions of the shard that was asked for, or of all. Returns an exit status. */
static int table_take(struct plx_client *client, const struct cli_arguments *arguments,
                      struct table *table)
{
    uint16_t end = arguments->has_shard ? arguments->shard + 1 : SHARDS_MAX;
    *table = (struct table){.shard_first = arguments->shard, .shard_end = arguments->shard};
    for (uint16_t shard = table->shard_first; shard < end; shard++) {
        enum plx_outcome outcome = shard_take(client, arguments, shard, table);
        if (outcome == PLX_E_ARGUMENT && !arguments->has_shard && shard > 0)
            break; /* there are no more */
        if (outcome != PLX_OK)
            return fail(arguments, shard, outcome);
        table->shard_end = shard + 1;
    }
    return 0;
}

static int by_quiet(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    if (left->session.quiet_ns != right->session.quiet_ns)
        return left->session.quiet_ns > right->session.quiet_ns ? -1 : 1;
    if (left->shard != right->shard)
        return left->shard < right->shard ? -1 : 1;
    return left->session.id < right->session.id ? -1 : left->session.id > right->session.id;
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

static json_t *json_of_row(const struct row *row)
{
    char address[ADDRESS_BYTES];
    const struct plx_session *session = &row->session;
    json_t *object = json_object();
    json_object_set_new(object, "shard", json_integer(row->shard));
    json_object_set_new(object, "id", cli_json_count(session->id));
    json_object_set_new(object, "state", json_string(state_text(session->state)));
    json_object_set_new(object, "quiet_ns", cli_json_count(session->quiet_ns));
    json_object_set_new(object, "heard_ns", cli_json_count(session->heard_ns));
    json_object_set_new(object, "left_ns", cli_json_count(session->left_ns));
    json_object_set_new(object, "outcomes", json_integer(session->outcomes));
    json_object_set_new(object, "address",
                        session->port != 0 ? json_string(address_text_of(session, address))
                                           : json_null());
    return object;
}

static void print_json(const struct table *table)
{
    json_t *sessions = json_array();
    json_t *shards = json_array();
    for (size_t i = 0; i < table->count; i++)
        json_array_append_new(sessions, json_of_row(&table->rows[i]));
    for (uint16_t shard = table->shard_first; shard < table->shard_end; shard++) {
        const struct head *head = &table->heads[shard];
        json_t *object = json_object();
        json_object_set_new(object, "shard", json_integer(shard));
        json_object_set_new(object, "node", json_integer(head->node));
        json_object_set_new(object, "applied_index", cli_json_count(head->applied_index));
        json_object_set_new(object, "sessions_max", json_integer(head->sessions_max));
        json_array_append_new(shards, object);
    }
    json_t *object = json_object();
    json_object_set_new(object, "shards", shards);
    json_object_set_new(object, "sessions", sessions);
    cli_json_print(object);
}

static void print_lines(const struct table *table)
{
    char address[ADDRESS_BYTES];
    char quiet[UNITS_TEXT_BYTES];
    char left[UNITS_TEXT_BYTES];
    uint32_t counts[SHARDS_MAX] = {0};
    printf("%-5s %-20s %-7s %10s %10s %9s  %s\n", "SHARD", "SESSION", "STATE", "QUIET", "ENDS IN",
           "OUTCOMES", "ADDRESS");
    for (size_t i = 0; i < table->count; i++) {
        const struct row *row = &table->rows[i];
        const struct plx_session *session = &row->session;
        counts[row->shard]++;
        printf("%-5u %-20" PRIu64 " %-7s %10s %10s %9" PRIu32 "  %s\n", row->shard, session->id,
               state_text(session->state), units_duration(session->quiet_ns, quiet),
               units_duration(session->left_ns, left), session->outcomes,
               address_text_of(session, address));
    }
    for (uint16_t shard = table->shard_first; shard < table->shard_end; shard++)
        printf("shard %u: %" PRIu32 " of at most %" PRIu32 " sessions\n", shard, counts[shard],
               table->heads[shard].sessions_max);
}

static int list(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct table table;
    int code = table_take(client, arguments, &table);
    if (code == 0 && table.count > 0)
        qsort(table.rows, table.count, sizeof(*table.rows), by_quiet);
    if (code == 0 && arguments->format == CLI_JSON)
        print_json(&table);
    else if (code == 0)
        print_lines(&table);
    free(table.rows);
    return code;
}

static int fail_unknown(uint64_t id)
{
    fprintf(stderr,
            "pollux: sessions: there is no session %" PRIu64
            " (any more): see pollux sessions list\n",
            id);
    return plx_outcome_exit_code(PLX_NOT_FOUND);
}

/* The shard that has the session, for each counts for itself. Returns an exit status. */
static int find(struct plx_client *client, const struct cli_arguments *arguments, uint64_t id,
                uint16_t *ret_shard)
{
    struct table table;
    uint32_t found = 0;
    int code = table_take(client, arguments, &table);
    for (size_t i = 0; code == 0 && i < table.count; i++) {
        if (table.rows[i].session.id != id)
            continue;
        *ret_shard = table.rows[i].shard;
        found++;
    }
    free(table.rows);
    if (code == 0 && found > 1)
        return cli_usage_error(arguments,
                               "%" PRIu32 " shards have a session %" PRIu64 ": name one, --shard N",
                               found, id);
    if (code != 0 || found == 1)
        return code;
    return fail_unknown(id);
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
    uint16_t shard = arguments->shard;
    int code = arguments->has_shard ? 0 : find(client, arguments, id, &shard);
    if (code != 0)
        return code;
    enum plx_outcome outcome = plx_session_end(client, shard, id, arguments->timeout_ns);
    if (outcome == PLX_NOT_FOUND)
        return fail_unknown(id);
    if (outcome != PLX_OK)
        return fail(arguments, shard, outcome);
    if (arguments->format == CLI_JSON)
        cli_json_print(json_pack("{s:i, s:I, s:s}", "shard", shard, "id", (json_int_t)id, "outcome",
                                 "PLX_OK"));
    else
        printf("shard %u: session %" PRIu64 " has ended\n", shard, id);
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
