/* `pollux auth`: who may do what. The table of rights is a value of the replicated state; each
 * change reads it, and swaps it for the next one, until nobody else was between. */
#include "tools/cli/cli_auth_pending.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_findings.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_render.h"
#include "tools/cli/cli_survey.h"
#include "tools/cli/rights_edit.h"
#include "tools/console/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIGHTS_TEXT_BYTES 64

static struct plx_bytes key_of_table(void)
{
    struct span key = rights_key();
    return (struct plx_bytes){(const char *)key.data, key.size_bytes};
}

static struct plx_call call_of(const struct cli_arguments *arguments)
{
    return (struct plx_call){.is_blocking = arguments->is_blocking,
                             .timeout_ns = arguments->timeout_ns,
                             .fence_wait_ns = arguments->fence_wait_ns};
}

/* ---- changes ---- */

struct change {
    struct rights_edit edit;
    uint8_t *next; /* VALUE_SIZE_BYTES_MAX */
    enum error error;
    uint32_t drops; /* of the next table */
    bool is_first;  /* there was no table */
};

static bool is_broken(struct span stored)
{
    struct rights_table table;
    enum error error = rights_table_decode(stored, &table);
    return error != OK && error != ERR_VERSION;
}

static void change_modify(void *context, struct plx_bytes stored, struct plx_bytes *ret_value)
{
    struct change *change = context;
    struct span after;
    struct span before = span_of(stored.data, stored.size_bytes);
    change->is_first = plx_is_absent(stored);
    /* What is no table is given up for a new one; that of a newer program is not. */
    if (!change->is_first && change->edit.action == RIGHTS_ADD && is_broken(before)) {
        change->is_first = true;
        before = (struct span){0};
    }
    change->error = rights_edit(before, &change->edit, change->next, &after);
    if (change->error != OK)
        return;
    struct rights_table table;
    if (rights_table_decode(after, &table) == OK) /* as it was just built */
        change->drops = table.drops;
    *ret_value = (struct plx_bytes){(const char *)after.data, after.size_bytes};
}

/* Why the change was not made, or could not be. */
static int change_fail(const struct change *change)
{
    int size = (int)change->edit.name.size_bytes;
    const char *name = (const char *)change->edit.name.data;
    const char *why = error_text(change->error);
    if (change->error == ERR_EXISTS && change->edit.action == RIGHTS_ADD)
        why = "is there already; pollux auth list shows its rights";
    else if (change->error == ERR_EXISTS)
        why = "has these rights already";
    else if (change->error == ERR_NOT_FOUND && change->edit.action == RIGHTS_REVOKE)
        why = "is not there, or has none of these rights to just that prefix; see pollux auth list";
    else if (change->error == ERR_NOT_FOUND)
        why = "is not there; see pollux auth list";
    else if (change->error == ERR_FULL)
        why = "has as many prefixes as there may be, or the table is full; a shorter prefix covers "
              "more keys";
    else if (change->error == ERR_OUTDATED)
        why = "has a higher --generation that counts already";
    fprintf(stderr, "pollux: auth: %.*s %s\n", size, name, why);
    return plx_outcome_exit_code(change->error == ERR_FULL ? PLX_E_OVERLOADED : PLX_MISMATCH);
}

/* What follows from the change, and cannot be seen in it. */
static void change_tell(const struct change *change)
{
    int size = (int)change->edit.name.size_bytes;
    const char *name = (const char *)change->edit.name.data;
    if (change->is_first)
        fprintf(stderr,
                "pollux: auth: rights are in force from now on: a client may do what pollux "
                "auth grant gives it, and nothing else\n");
    bool is_revoke =
        change->edit.action == RIGHTS_REVOKE || change->edit.action == RIGHTS_REVOKE_ALL;
    if (is_revoke && !change->edit.drops_pending)
        fprintf(stderr,
                "pollux: auth: what nodes have accepted from %.*s before is carried out, relaxed "
                "writes that are pending included\n",
                size, name);
    if (change->edit.action == RIGHTS_REMOVE && !change->edit.drops_pending)
        fprintf(stderr,
                "pollux: auth: before %.*s is added again, remember its old keys: give add a "
                "--generation above theirs\n",
                size, name);
}

/* Relaxed writes that wait at nodes for their place in the log, of all clients together. */
static void tell_pending(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_status, .shards_max = SHARDS_ASKED_MAX});
    for (size_t row = 0; survey != NULL && row < survey->count; row++) {
        const struct plx_node *node = &survey->nodes[row];
        uint64_t pending;
        if (survey->rows[row].outcome != PLX_OK) {
            fprintf(stderr,
                    "pollux: auth: %s shard %u does not answer: whether relaxed writes are pending "
                    "there is not known; they are carried out when it is back\n",
                    survey->rows[row].endpoint, survey->rows[row].shard);
            continue;
        }
        if (findings_pending(node, &pending) && pending > 0)
            fprintf(stderr,
                    "pollux: auth: node %u shard %u: %" PRIu64
                    " relaxed writes of all clients are pending\n",
                    node->node, survey->rows[row].shard, pending);
    }
    free(survey);
}

static int change_make(struct plx_client *client, const struct cli_arguments *arguments,
                       struct change *change)
{
    struct plx_call call = call_of(arguments);
    struct survey *before = NULL;
    int code = change->edit.drops_pending ? auth_pending_look(client, arguments, &before) : 0;
    if (code != 0)
        return code;
    change->next = malloc(VALUE_SIZE_BYTES_MAX);
    if (change->next == NULL) {
        free(before);
        fprintf(stderr, "pollux: auth: out of memory\n");
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    }
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_update(client, key_of_table(), change_modify, change, &call);
    free(change->next);
    if (change->error != OK) {
        free(before);
        return change_fail(change);
    }
    response.has_value = false; /* bytes that nobody wants to see */
    if (response.outcome == PLX_OK)
        change_tell(change);
    if (response.outcome == PLX_OK && change->edit.drops_pending)
        auth_pending_tell(client, arguments, before, change->drops);
    else if (response.outcome == PLX_OK && change->edit.action == RIGHTS_REVOKE_ALL)
        tell_pending(client, arguments);
    free(before);
    return cli_render_response(arguments, NULL, &response);
}

static bool prefix_of(const char *text, struct span *ret_prefix)
{
    *ret_prefix = span_of(text, strlen(text));
    return ret_prefix->size_bytes <= KEY_SIZE_BYTES_MAX;
}

/* Operands: add|grant|revoke|remove, NAME, rights, prefix. 0, or the exit code. */
static int change_parse(const struct cli_arguments *arguments, struct change *change)
{
    char **operands = arguments->operands;
    int count = arguments->operand_count;
    struct rights_edit *edit = &change->edit;
    bool has_rights = edit->action == RIGHTS_GRANT || (edit->action == RIGHTS_REVOKE && count > 2);
    if (count < 2 || !rights_name_is_valid(span_of(operands[1], strlen(operands[1]))))
        return cli_usage_error(arguments, "give a NAME: 1 to %d letters, digits, '.', '_' and '-'",
                               KEY_NAME_BYTES_MAX);
    if (count > (has_rights ? 4 : 2) || (edit->action == RIGHTS_GRANT && count < 3))
        return cli_usage_error(arguments, "operands are: add NAME, grant NAME RIGHT,... [PREFIX], "
                                          "revoke NAME [RIGHT,... [PREFIX]], remove NAME, list");
    edit->name = span_of(operands[1], strlen(operands[1]));
    edit->generation = arguments->generation;
    if (edit->action == RIGHTS_REVOKE && !has_rights)
        edit->action = RIGHTS_REVOKE_ALL;
    if (arguments->generation != 0 && edit->action != RIGHTS_ADD &&
        edit->action != RIGHTS_REVOKE_ALL)
        return cli_usage_error(arguments, "--generation: of add NAME and revoke NAME only");
    edit->drops_pending = arguments->drops_pending;
    if (edit->drops_pending && edit->action != RIGHTS_REVOKE_ALL && edit->action != RIGHTS_REMOVE)
        return cli_usage_error(arguments,
                               "--drop-pending: of revoke NAME and remove NAME only, which take "
                               "every right: nodes drop a client's pending writes, not those to a "
                               "prefix");
    if (has_rights && !rights_parse(operands[2], &edit->rights))
        return cli_usage_error(arguments,
                               "'%s': rights are read, relaxed-read, write, relaxed-write, logs "
                               "and admin, with commas between",
                               operands[2]);
    if (count == 4 && !prefix_of(operands[3], &edit->prefix))
        return cli_usage_error(arguments, "the prefix is longer than a key may be, %d bytes",
                               KEY_SIZE_BYTES_MAX);
    if ((edit->rights & RIGHT_ADMIN) != 0 && edit->prefix.size_bytes > 0)
        return cli_usage_error(arguments, "admin is no right to keys: leave out the prefix");
    return 0;
}

/* ---- list ---- */

/* The names, with commas between. */
static const char *rights_text(uint8_t rights, char ret_text[RIGHTS_TEXT_BYTES])
{
    size_t size = 0;
    ret_text[0] = '\0';
    for (uint32_t bit = 1; bit <= RIGHTS_EVERY; bit <<= 1) {
        if ((rights & bit) != 0)
            size += (size_t)snprintf(ret_text + size, RIGHTS_TEXT_BYTES - size, "%s%s",
                                     size > 0 ? "," : "", right_name((uint8_t)bit));
    }
    return ret_text;
}

static void list_principal(const struct rights_principal *principal)
{
    char text[RIGHTS_TEXT_BYTES];
    struct rights_line line;
    size_t cursor = 0;
    if (principal->line_count == 0)
        printf("%.*s %" PRIu32 " %s\n", (int)principal->name.size_bytes,
               (const char *)principal->name.data, principal->generation,
               principal->is_removed ? "removed" : "-");
    while (rights_line_next(principal, &cursor, &line)) {
        printf("%.*s %" PRIu32 " %s ", (int)principal->name.size_bytes,
               (const char *)principal->name.data, principal->generation,
               rights_text(line.rights, text));
        escape_print(stdout, line.prefix.data, line.prefix.size_bytes);
        putchar('\n');
    }
}

static json_t *json_line(const struct rights_line *line)
{
    json_t *object = json_object();
    json_t *rights = json_array();
    for (uint32_t bit = 1; bit <= RIGHTS_EVERY; bit <<= 1) {
        if ((line->rights & bit) != 0)
            json_array_append_new(rights, json_string(right_name((uint8_t)bit)));
    }
    json_object_set_new(object, "rights", rights);
    cli_json_add_bytes(object, "prefix", line->prefix.data, line->prefix.size_bytes);
    return object;
}

static json_t *json_principal(const struct rights_principal *principal)
{
    json_t *object = json_object();
    json_t *lines = json_array();
    struct rights_line line;
    size_t cursor = 0;
    while (rights_line_next(principal, &cursor, &line))
        json_array_append_new(lines, json_line(&line));
    json_object_set_new(
        object, "name",
        json_stringn((const char *)principal->name.data, principal->name.size_bytes));
    json_object_set_new(object, "generation", json_integer(principal->generation));
    json_object_set_new(object, "rights", lines);
    json_object_set_new(object, "drop_below", json_integer(principal->drop_below));
    json_object_set_new(object, "is_removed", json_boolean(principal->is_removed));
    return object;
}

static void list_table(const struct cli_arguments *arguments, const struct rights_table *table)
{
    struct rights_principal principal;
    size_t cursor = 0;
    json_t *array = json_array();
    while (rights_table_next(table, &cursor, &principal)) {
        if (arguments->format == CLI_JSON)
            json_array_append_new(array, json_principal(&principal));
        else
            list_principal(&principal);
    }
    if (arguments->format == CLI_JSON)
        cli_json_print(array);
    else
        json_decref(array);
}

static int list(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct plx_call call = call_of(arguments);
    struct rights_table table;
    cli_cancel_on_interrupt(client);
    struct plx_response response = plx_get(client, key_of_table(), &call);
    if (response.outcome == PLX_NOT_FOUND) {
        fprintf(stderr, "pollux: auth: no rights are in force: each client with a key may do "
                        "everything; pollux auth add NAME puts them in force\n");
        return plx_outcome_exit_code(PLX_NOT_FOUND);
    }
    if (response.outcome != PLX_OK)
        return cli_render_response(arguments, NULL, &response);
    enum error error =
        rights_table_decode(span_of(response.value.data, response.value.size_bytes), &table);
    if (error == OK)
        list_table(arguments, &table);
    else
        fprintf(stderr, "pollux: auth: what is stored is no table of rights: %s\n",
                error_text(error));
    return error == OK ? 0 : plx_outcome_exit_code(PLX_E_UNSUPPORTED);
}

int cli_auth(struct plx_client *client, const struct cli_arguments *arguments)
{
    static const char *const names[] = {"add", "grant", "revoke", "remove"};
    static const enum rights_action actions[] = {RIGHTS_ADD, RIGHTS_GRANT, RIGHTS_REVOKE,
                                                 RIGHTS_REMOVE};
    if (arguments->key_file == NULL)
        return cli_usage_error(arguments,
                               "no key: give --key FILE, an administrator's or the root key of the "
                               "cluster; nodes with [security] clients = none tell no clients "
                               "apart, and hold nobody to rights");
    if (strcmp(arguments->operands[0], "list") == 0 && arguments->operand_count == 1)
        return arguments->drops_pending ? cli_usage_error(arguments, "--drop-pending: not of list")
                                        : list(client, arguments);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct change change = {.edit = {.action = actions[i]}};
        if (strcmp(arguments->operands[0], names[i]) != 0)
            continue;
        int code = change_parse(arguments, &change);
        return code != 0 ? code : change_make(client, arguments, &change);
    }
    return cli_usage_error(arguments, "'%s' is not one of add, grant, revoke, remove, list",
                           arguments->operands[0]);
}
