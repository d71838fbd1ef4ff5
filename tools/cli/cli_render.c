/* What commands print: see tools/cli/cli_render.h. */
#include "tools/cli/cli_render.h"
#include "base/units.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_members.h"
#include "tools/cli/cli_words.h"
#include "tools/console/console.h"
#include "tools/console/escape.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli_json_entry(FILE *to, const struct plx_list_entry *entry, bool has_value)
{
    json_t *object = json_object();
    cli_json_add_bytes(object, "key", entry->key.data, entry->key.size_bytes);
    if (has_value)
        cli_json_add_bytes(object, "value", entry->value.data, entry->value.size_bytes);
    json_object_set_new(object, "value_size_bytes", cli_json_count(entry->value_size_bytes));
    json_object_set_new(object, "version", cli_json_count(entry->version));
    json_object_set_new(object, "is_pending", json_boolean(entry->is_pending));
    json_object_set_new(object, "shard", json_integer(entry->shard));
    json_object_set_new(object, "index", cli_json_count(entry->index));
    json_object_set_new(object, "node", json_integer(entry->node));
    char *text = cli_json_text(object, JSON_PRESERVE_ORDER);
    bool is_written = text != NULL && fputs(text, to) >= 0;
    free(text);
    json_decref(object);
    return is_written;
}

static void response_json(const struct cli_arguments *arguments, const struct plx_bytes *key,
                          const struct plx_response *response)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    json_t *object = json_object();
    json_object_set_new(object, "command", json_string(arguments->command));
    if (key != NULL)
        cli_json_add_bytes(object, "key", key->data, key->size_bytes);
    json_object_set_new(object, "outcome", json_string(plx_outcome_name(response->outcome)));
    json_object_set_new(object, "valid", json_boolean(response->valid));
    json_object_set_new(object, "timeout", json_boolean(response->timeout));
    json_object_set_new(object, "has_value", json_boolean(response->has_value));
    if (response->has_value) {
        cli_json_add_bytes(object, "value", response->value.data, response->value.size_bytes);
        json_object_set_new(object, "value_size_bytes", cli_json_count(response->value_size_bytes));
        json_object_set_new(object, "is_truncated", json_boolean(response->is_truncated));
    }
    json_object_set_new(object, "is_pending", json_boolean(response->is_pending));
    json_object_set_new(object, "version", cli_json_count(response->version));
    json_object_set_new(object, "applied_index", cli_json_count(response->applied_index));
    json_object_set_new(object, "contact_age_ns", cli_json_count(response->contact_age_ns));
    json_object_set_new(object, "node", json_integer(response->node));
    if (response->token.session != 0) {
        plx_token_format(&response->token, token);
        json_object_set_new(object, "token", json_string(token));
    }
    cli_json_print(object);
}

/* Any bytes, as one field. */
static void field_print(const char *before, const struct plx_bytes *bytes, const char *behind)
{
    printf("%s", before);
    escape_print(stdout, bytes->data, bytes->size_bytes);
    printf("%s", behind);
}

static void response_table(const struct plx_bytes *key, const struct plx_response *response)
{
    char age[UNITS_TEXT_BYTES];
    char token[PLX_TOKEN_TEXT_SIZE];
    units_duration(response->contact_age_ns, age);
    if (key != NULL)
        field_print("key            ", key, "\n");
    printf("outcome        %s\n", plx_outcome_name(response->outcome));
    if (response->has_value) {
        field_print("value          ", &response->value, response->is_truncated ? "...\n" : "\n");
        printf("size           %zuB\n", response->value_size_bytes);
    }
    if (response->node != 0) {
        printf("version        %" PRIu64 "\n", response->version);
        printf("answered by    node %u\n", response->node);
        printf("applied index  %" PRIu64 "\n", response->applied_index);
        printf("quorum contact %s%s\n", age, response->contact_age_ns == UINT64_MAX ? "" : " ago");
        printf("pending        %s\n", response->is_pending ? "yes" : "no");
    }
    if (response->token.session != 0) {
        plx_token_format(&response->token, token);
        printf("token          %s\n", token);
    }
}

static void response_plain(const struct cli_arguments *arguments,
                           const struct plx_response *response)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    if (response->has_value) {
        if (arguments->is_escaped)
            escape_print(stdout, response->value.data, response->value.size_bytes);
        else
            fwrite(response->value.data, 1, response->value.size_bytes, stdout);
        if (!arguments->is_raw)
            putchar('\n');
    } else if (response->outcome == PLX_UNKNOWN && response->token.session != 0) {
        plx_token_format(&response->token, token);
        printf("%s\n", token);
    } else if (response->outcome == PLX_OK && strcmp(arguments->command, "get") != 0) {
        printf("OK\n");
    }
}

/* Standard error: what happened, and what to do about it. */
static void response_explain(const struct cli_arguments *arguments, const struct plx_bytes *key,
                             const struct plx_response *response)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    fprintf(stderr, "pollux: %s%s", arguments->command, key == NULL ? "" : " ");
    if (key != NULL)
        escape_print(stderr, key->data, key->size_bytes);
    fprintf(stderr, ": %s: %s\n", plx_outcome_name(response->outcome),
            plx_outcome_text(response->outcome));
    if (response->outcome == PLX_UNKNOWN && response->token.session != 0) {
        plx_token_format(&response->token, token);
        fprintf(stderr, "pollux: ask for its outcome with: pollux resolve %s\n", token);
    } else if (response->outcome == PLX_E_SESSION_EXPIRED) {
        fprintf(stderr,
                "pollux: it cannot take effect any more; the key's value says whether it had\n");
    } else if (response->outcome == PLX_TIMEOUT) {
        fprintf(stderr, "pollux: see who leads with: pollux status\n");
    }
}

int cli_render_response(const struct cli_arguments *arguments, const struct plx_bytes *key,
                        const struct plx_response *response)
{
    if (arguments->format == CLI_JSON)
        response_json(arguments, key, response);
    else if (arguments->format == CLI_TABLE)
        response_table(key, response);
    else
        response_plain(arguments, response);
    if (response->has_value && response->is_truncated && arguments->format != CLI_JSON)
        fprintf(stderr, "pollux: %s: of the value only the first %zuB of %zuB came: get the key\n",
                arguments->command, response->value.size_bytes, response->value_size_bytes);
    /* A token that was printed nowhere is lost. */
    if (response->outcome != PLX_OK && (arguments->format != CLI_JSON || !console_is_whole()))
        response_explain(arguments, key, response);
    return plx_outcome_exit_code(response->outcome);
}

static const char *granularity_name(const struct plx_node *node)
{
    static const char *const names[] = {"byte", "cache-line", "page"};
    return node->granularity <= PLX_PAGE ? names[node->granularity] : "?";
}

static json_t *node_json(const struct cli_node_row *row)
{
    const struct plx_node *node = row->node;
    json_t *object = json_object();
    json_object_set_new(object, "endpoint", json_string(row->endpoint));
    json_object_set_new(object, "shard", json_integer(row->shard));
    json_object_set_new(object, "outcome", json_string(plx_outcome_name(row->outcome)));
    if (row->member != 0) {
        json_object_set_new(object, "node", json_integer(row->member));
        json_object_set_new(object, "silent_ns",
                            row->is_silence_told ? cli_json_count(row->silent_ns) : json_null());
    }
    if (row->outcome != PLX_OK)
        return object;
    json_object_set_new(object, "node", json_integer(node->node));
    json_object_set_new(object, "role", json_string(words_role(node->role)));
    json_object_set_new(object, "leader", json_integer(node->leader));
    json_object_set_new(object, "node_count", json_integer(node->node_count));
    json_object_set_new(object, "shard_count", json_integer(node->shard_count));
    json_object_set_new(object, "lane", json_integer(node->lane));
    json_object_set_new(object, "lane_count", json_integer(node->lane_count));
    json_object_set_new(object, "term", cli_json_count(node->term));
    /* Only a leader can have one. */
    json_object_set_new(object, "has_fresh_quorum",
                        node->role == PLX_LEADER ? json_boolean(node->has_fresh_quorum)
                                                 : json_null());
    json_object_set_new(object, "applied_index", cli_json_count(node->applied_index));
    json_object_set_new(object, "commit_index", cli_json_count(node->commit_index));
    json_object_set_new(object, "last_index", cli_json_count(node->last_index));
    json_object_set_new(object, "contact_age_ns", cli_json_count(node->contact_age_ns));
    json_object_set_new(object, "medium", json_string(words_medium(node)));
    json_object_set_new(object, "granularity", json_string(granularity_name(node)));
    json_object_set_new(object, "is_emulated", json_boolean(node->is_emulated));
    json_object_set_new(object, "is_suspect", json_boolean(node->is_suspect));
    json_object_set_new(object, "membership", json_string(membership_text(node->membership)));
    json_object_set_new(object, "round_trip_ns", cli_json_count(node->round_trip_ns));
    /* In hexadecimal, because it fills all 64 bits. */
    json_object_set_new(object, "incarnation", json_sprintf("%016" PRIx64, node->incarnation));
    return object;
}

static void member_print(const struct cli_node_row *row)
{
    char age[UNITS_TEXT_BYTES];
    units_duration(row->silent_ns, age);
    printf("%-22s %4u is a member, and does not answer; %s%s%s\n", row->endpoint, row->member,
           row->is_silence_told ? "last heard by the leader: " : "no leader says when it was heard",
           row->is_silence_told ? age : "",
           row->is_silence_told && row->silent_ns != UINT64_MAX ? " ago" : "");
}

static void node_print(const struct cli_node_row *row)
{
    const struct plx_node *node = row->node;
    char age[UNITS_TEXT_BYTES];
    char round_trip[UNITS_TEXT_BYTES];
    char leader[8] = "-";
    if (row->member != 0) {
        member_print(row);
        return;
    }
    if (row->outcome != PLX_OK) {
        printf("%-22s    - %s\n", row->endpoint, plx_outcome_text(row->outcome));
        return;
    }
    if (node->leader != 0)
        snprintf(leader, sizeof(leader), "%u", node->leader);
    printf("%-22s %4u %-13s %6s %6" PRIu64 " %-6s %10" PRIu64 " %10" PRIu64 " %10" PRIu64
           " %7s %8s %5u %-10s %s%s\n",
           row->endpoint, node->node, words_role(node->role), leader, node->term,
           words_quorum(node), node->applied_index, node->commit_index, node->last_index,
           units_duration(node->contact_age_ns, age),
           units_duration(node->round_trip_ns, round_trip), row->shard,
           membership_text(node->membership), words_medium(node),
           node->is_suspect ? " (suspect)" : "");
}

void cli_render_nodes(const struct cli_arguments *arguments, const struct cli_node_row *rows,
                      size_t row_count)
{
    if (arguments->format == CLI_JSON) {
        json_t *array = json_array();
        for (size_t i = 0; i < row_count; i++)
            json_array_append_new(array, node_json(&rows[i]));
        cli_json_print(array);
        return;
    }
    printf("%-22s %4s %-13s %6s %6s %-6s %10s %10s %10s %7s %8s %5s %-10s %s\n", "ENDPOINT", "NODE",
           "ROLE", "LEADER", "TERM", "QUORUM", "APPLIED", "COMMIT", "LAST", "CONTACT", "RTT",
           "SHARD", "MEMBERSHIP", "MEDIUM");
    for (size_t i = 0; i < row_count; i++)
        node_print(&rows[i]);
}

static void counter_print(const struct cli_node_row *row, const struct plx_counter *counter)
{
    char place[32];
    snprintf(place, sizeof(place), row->node->shard_count > 1 ? "%u.%u" : "%u", row->node->node,
             row->shard);
    printf("%-4s %-40s %20" PRIu64 "\n", place, counter->name, counter->value);
}

void cli_render_counters(const struct cli_arguments *arguments, const struct cli_node_row *rows,
                         size_t row_count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < row_count; i++) {
        json_t *object = node_json(&rows[i]);
        json_t *counters = json_object();
        for (uint32_t k = 0; rows[i].outcome == PLX_OK && k < rows[i].node->counter_count; k++) {
            const struct plx_counter *counter = &rows[i].node->counters[k];
            json_object_set_new(counters, counter->name, cli_json_count(counter->value));
            if (arguments->format != CLI_JSON)
                counter_print(&rows[i], counter);
        }
        json_object_set_new(object, "counters", counters);
        json_array_append_new(array, object);
        if (rows[i].outcome != PLX_OK && arguments->format != CLI_JSON)
            fprintf(stderr, "pollux: %s: %s\n", rows[i].endpoint,
                    plx_outcome_text(rows[i].outcome));
    }
    if (arguments->format == CLI_JSON)
        cli_json_print(array);
    else
        json_decref(array);
}
