/* What commands print: see tools/cli/cli_render.h. */
#include "tools/cli/cli_render.h"
#include "tools/cli/cli_members.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE64_SIZE(size_bytes) (((size_bytes) + 2) / 3 * 4 + 1)

static void base64_encode(const uint8_t *from, size_t size_bytes, char *to)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size_bytes; i += 3) {
        size_t left = size_bytes - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= left > 2 ? from[i + 2] : 0;
        *to++ = alphabet[bits >> 18 & 63];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *to = '\0';
}

void cli_json_add_bytes(json_t *object, const char *name, const void *bytes, size_t size_bytes)
{
    json_t *text = json_stringn(bytes, size_bytes);
    if (text != NULL) {
        json_object_set_new(object, name, text);
        return;
    }
    char *encoded = malloc(BASE64_SIZE(size_bytes));
    char encoded_name[64];
    if (encoded == NULL)
        return;
    base64_encode(bytes, size_bytes, encoded);
    snprintf(encoded_name, sizeof(encoded_name), "%s_base64", name);
    json_object_set_new(object, encoded_name, json_string(encoded));
    free(encoded);
}

json_t *cli_json_line(const char *bytes, size_t size_bytes)
{
    json_t *object = json_object();
    cli_json_add_bytes(object, "line", bytes, size_bytes);
    json_t *text = json_object_get(object, "line");
    if (text == NULL)
        return object;
    json_incref(text);
    json_decref(object);
    return text;
}

/* JSON has no unsigned integers of 64 bits: what does not fit, "never" above all, is null. */
static json_t *json_count(uint64_t value)
{
    return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

bool cli_json_entry(FILE *to, const struct plx_list_entry *entry, bool has_value)
{
    json_t *object = json_object();
    json_add_bytes(object, "key", entry->key.data, entry->key.size_bytes);
    if (has_value)
        json_add_bytes(object, "value", entry->value.data, entry->value.size_bytes);
    json_object_set_new(object, "value_size_bytes", json_count(entry->value_size_bytes));
    json_object_set_new(object, "version", json_count(entry->version));
    json_object_set_new(object, "is_pending", json_boolean(entry->is_pending));
    json_object_set_new(object, "shard", json_integer(entry->shard));
    json_object_set_new(object, "index", json_count(entry->index));
    json_object_set_new(object, "node", json_integer(entry->node));
    bool is_written = json_dumpf(object, to, JSON_PRESERVE_ORDER) == 0;
    json_decref(object);
    return is_written;
}

static void json_print(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(value);
}

static void response_json(const struct cli_arguments *arguments, const char *key,
                          const struct plx_response *response)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    json_t *object = json_object();
    json_object_set_new(object, "command", json_string(arguments->command));
    if (key != NULL)
        cli_json_add_bytes(object, "key", key, strlen(key));
    json_object_set_new(object, "outcome", json_string(plx_outcome_name(response->outcome)));
    json_object_set_new(object, "valid", json_boolean(response->valid));
    json_object_set_new(object, "timeout", json_boolean(response->timeout));
    json_object_set_new(object, "has_value", json_boolean(response->has_value));
    if (response->has_value) {
        cli_json_add_bytes(object, "value", response->value.data, response->value.size_bytes);
        json_object_set_new(object, "value_size_bytes", json_count(response->value_size_bytes));
        json_object_set_new(object, "is_truncated", json_boolean(response->is_truncated));
    }
    json_object_set_new(object, "is_pending", json_boolean(response->is_pending));
    json_object_set_new(object, "version", json_count(response->version));
    json_object_set_new(object, "applied_index", json_count(response->applied_index));
    json_object_set_new(object, "contact_age_ns", json_count(response->contact_age_ns));
    json_object_set_new(object, "node", json_integer(response->node));
    if (response->token.session != 0) {
        plx_token_format(&response->token, token);
        json_object_set_new(object, "token", json_string(token));
    }
    json_print(object);
}

static void age_format(uint64_t age_ns, char *to, size_t size)
{
    if (age_ns == UINT64_MAX)
        snprintf(to, size, "never");
    else if (age_ns < 1000 * 1000)
        snprintf(to, size, "%" PRIu64 "us", age_ns / 1000);
    else if (age_ns < UINT64_C(10) * 1000 * 1000 * 1000)
        snprintf(to, size, "%" PRIu64 "ms", age_ns / (1000 * 1000));
    else
        snprintf(to, size, "%" PRIu64 "s", age_ns / (1000 * 1000 * 1000));
}

static void response_table(const char *key, const struct plx_response *response)
{
    char age[32];
    char token[PLX_TOKEN_TEXT_SIZE];
    age_format(response->contact_age_ns, age, sizeof(age));
    if (key != NULL)
        printf("key            %s\n", key);
    printf("outcome        %s\n", plx_outcome_name(response->outcome));
    if (response->has_value) {
        printf("value          %.*s%s\n", (int)response->value.size_bytes,
               (const char *)response->value.data, response->is_truncated ? "..." : "");
        printf("size           %zu bytes\n", response->value_size_bytes);
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
static void response_explain(const struct cli_arguments *arguments, const char *key,
                             const struct plx_response *response)
{
    char token[PLX_TOKEN_TEXT_SIZE];
    fprintf(stderr, "pollux: %s%s%s: %s: %s\n", arguments->command, key == NULL ? "" : " ",
            key == NULL ? "" : key, plx_outcome_name(response->outcome),
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

int cli_render_response(const struct cli_arguments *arguments, const char *key,
                        const struct plx_response *response)
{
    if (arguments->format == CLI_JSON)
        response_json(arguments, key, response);
    else if (arguments->format == CLI_TABLE)
        response_table(key, response);
    else
        response_plain(arguments, response);
    if (response->outcome != PLX_OK && arguments->format != CLI_JSON)
        response_explain(arguments, key, response);
    return plx_outcome_exit_code(response->outcome);
}

static const char *role_text(const struct plx_node *node)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return node->role <= PLX_LEADER ? names[node->role] : "?";
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
                            row->is_silence_told ? json_count(row->silent_ns) : json_null());
    }
    if (row->outcome != PLX_OK)
        return object;
    json_object_set_new(object, "node", json_integer(node->node));
    json_object_set_new(object, "role", json_string(role_text(node)));
    json_object_set_new(object, "leader", json_integer(node->leader));
    json_object_set_new(object, "node_count", json_integer(node->node_count));
    json_object_set_new(object, "shard_count", json_integer(node->shard_count));
    json_object_set_new(object, "lane", json_integer(node->lane));
    json_object_set_new(object, "lane_count", json_integer(node->lane_count));
    json_object_set_new(object, "term", json_count(node->term));
    json_object_set_new(object, "has_fresh_quorum", json_boolean(node->has_fresh_quorum));
    json_object_set_new(object, "applied_index", json_count(node->applied_index));
    json_object_set_new(object, "commit_index", json_count(node->commit_index));
    json_object_set_new(object, "last_index", json_count(node->last_index));
    json_object_set_new(object, "contact_age_ns", json_count(node->contact_age_ns));
    json_object_set_new(object, "granularity", json_string(granularity_name(node)));
    json_object_set_new(object, "is_emulated", json_boolean(node->is_emulated));
    json_object_set_new(object, "is_suspect", json_boolean(node->is_suspect));
    json_object_set_new(object, "membership", json_string(membership_text(node->membership)));
    json_object_set_new(object, "round_trip_ns", json_count(node->round_trip_ns));
    /* In hexadecimal, because it fills all 64 bits. */
    json_object_set_new(object, "incarnation", json_sprintf("%016" PRIx64, node->incarnation));
    return object;
}

static void member_print(const struct cli_node_row *row)
{
    char age[32];
    age_format(row->silent_ns, age, sizeof(age));
    printf("%-22s %4u is a member, and does not answer; %s%s%s\n", row->endpoint, row->member,
           row->is_silence_told ? "last heard by the leader: " : "no leader says when it was heard",
           row->is_silence_told ? age : "",
           row->is_silence_told && row->silent_ns != UINT64_MAX ? " ago" : "");
}

static void node_print(const struct cli_node_row *row)
{
    const struct plx_node *node = row->node;
    char age[32];
    char medium[64];
    if (row->member != 0) {
        member_print(row);
        return;
    }
    if (row->outcome != PLX_OK) {
        printf("%-22s    - %s\n", row->endpoint, plx_outcome_text(row->outcome));
        return;
    }
    age_format(node->contact_age_ns, age, sizeof(age));
    snprintf(medium, sizeof(medium), "%s%s%s", granularity_name(node),
             node->is_emulated ? " (emulated)" : "", node->is_suspect ? " (suspect)" : "");
    printf("%-22s %4u %-13s %6u %6" PRIu64 " %-6s %10" PRIu64 " %10" PRIu64 " %10" PRIu64
           " %7s %6" PRIu64 "us %5u %-10s %s\n",
           row->endpoint, node->node, role_text(node), node->leader, node->term,
           node->has_fresh_quorum ? "yes" : "no", node->applied_index, node->commit_index,
           node->last_index, age, node->round_trip_ns / 1000, row->shard,
           membership_text(node->membership), medium);
}

void cli_render_nodes(const struct cli_arguments *arguments, const struct cli_node_row *rows,
                      size_t row_count)
{
    if (arguments->format == CLI_JSON) {
        json_t *array = json_array();
        for (size_t i = 0; i < row_count; i++)
            json_array_append_new(array, node_json(&rows[i]));
        json_print(array);
        return;
    }
    printf("%-22s %4s %-13s %6s %6s %-6s %10s %10s %10s %7s %8s %5s %-10s %s\n", "ENDPOINT", "NODE",
           "ROLE", "LEADER", "TERM", "QUORUM", "APPLIED", "COMMIT", "LAST", "CONTACT", "RTT",
           "SHARD", "MEMBER", "MEDIUM");
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
            json_object_set_new(counters, counter->name, json_count(counter->value));
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
        json_print(array);
    else
        json_decref(array);
}
