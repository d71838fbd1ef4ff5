/* See tools/cli/cli_config_render.h. */
#include "tools/cli/cli_config_render.h"

#include "tools/cli/cli_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_SIZE_BYTES 128
#define ASK_TIMEOUT_NS   (300u * 1000 * 1000)

static uint64_t counter_of(const struct plx_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->counter_count; i++) {
        if (strcmp(node->counters[i].name, name) == 0)
            return node->counters[i].value;
    }
    return 0;
}

static struct cli_limits limits_named(const struct plx_node *node, const char *const *counters)
{
    struct cli_limits limits;
    for (int i = 0; i < CLI_LIMIT_COUNT; i++)
        limits.values[i] =
            counter_of(node, counters[i]) * (i == CLI_STORE_SIZE ? BLOCK_SIZE_BYTES : 1);
    return limits;
}

static struct shard_limits limits_told(const struct plx_node *node)
{
    static const char *const max[] = {"engine_keys_max", "engine_blocks_max",
                                      "engine_sessions_max"};
    static const char *const used[] = {"engine_keys", "engine_blocks", "engine_sessions_open"};
    return (struct shard_limits){.number = counter_of(node, "engine_limits_number"),
                                 .max = limits_named(node, max),
                                 .used = limits_named(node, used)};
}

uint64_t limits_capacity(const struct plx_node *node, enum cli_limit limit)
{
    static const char *const names[] = {"engine_keys_capacity", "engine_blocks_capacity",
                                        "engine_sessions_capacity"};
    return limits_named(node, names).values[limit];
}

bool limits_ask(struct plx_client *client, uint16_t shard, struct shard_limits *ret_limits,
                uint16_t *ret_shard_count)
{
    static struct plx_node node;
    bool is_found = false;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        if (plx_status(client, i, shard, ASK_TIMEOUT_NS, &node) != PLX_OK)
            continue;
        struct shard_limits told = limits_told(&node);
        if (!is_found || told.number > ret_limits->number)
            *ret_limits = told;
        *ret_shard_count = node.shard_count;
        is_found = true;
    }
    return is_found;
}

/* Of the rows of a shard, the one with the newest limits; NULL: nobody answered for it. */
static const struct plx_node *newest_of(const struct survey *survey, uint16_t shard)
{
    const struct plx_node *newest = NULL;
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        if (row->outcome == PLX_OK && row->shard == shard &&
            (newest == NULL || limits_told(row->node).number > limits_told(newest).number ||
             (limits_told(row->node).number == limits_told(newest).number &&
              row->node->applied_index > newest->applied_index)))
            newest = row->node;
    }
    return newest;
}

static bool are_shards_equal(const struct survey *survey)
{
    const struct plx_node *first = newest_of(survey, 0);
    for (uint16_t shard = 1; shard < survey->shard_count; shard++) {
        const struct plx_node *node = newest_of(survey, shard);
        if (first == NULL || node == NULL)
            return false;
        struct shard_limits a = limits_told(first);
        struct shard_limits b = limits_told(node);
        if (memcmp(&a.max, &b.max, sizeof(a.max)) != 0)
            return false;
    }
    return first != NULL;
}

/* The shards' values as a node's: what the configuration would say. */
static void print_whole(const struct survey *survey)
{
    const struct plx_node *first = newest_of(survey, 0);
    if (!are_shards_equal(survey)) {
        printf("the shards differ: a change was not finished, or a shard did not answer; repeat "
               "the change\n");
        return;
    }
    struct shard_limits limits = limits_told(first);
    for (int i = 0; i < CLI_LIMIT_COUNT; i++) {
        enum cli_limit limit = (enum cli_limit)i;
        char text[UNITS_TEXT_BYTES];
        printf("%s%s=%s", i == 0 ? "" : " ", cli_limit_name(limit),
               cli_limit_text(limit,
                              cli_limit_of_node(limit, limits.max.values[i], survey->shard_count),
                              text));
    }
    printf("\n");
}

static void print_shards(const struct survey *survey)
{
    printf("%5s %7s %12s %12s %15s %15s %12s %12s\n", "SHARD", "CHANGES", "KEYS_MAX", "KEYS",
           "STORE_SIZE", "STORE_USED", "SESSIONS_MAX", "SESSIONS");
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        const struct plx_node *node = newest_of(survey, shard);
        if (node == NULL) {
            printf("%5u nobody answers for it\n", shard);
            continue;
        }
        struct shard_limits limits = limits_told(node);
        char size[UNITS_TEXT_BYTES];
        char used[UNITS_TEXT_BYTES];
        printf(
            "%5u %7" PRIu64 " %12" PRIu64 " %12" PRIu64 " %15s %15s %12" PRIu64 " %12" PRIu64 "\n",
            shard, limits.number, limits.max.values[CLI_KEYS_MAX], limits.used.values[CLI_KEYS_MAX],
            units_size(limits.max.values[CLI_STORE_SIZE], size),
            units_size(limits.used.values[CLI_STORE_SIZE], used),
            limits.max.values[CLI_SESSIONS_MAX], limits.used.values[CLI_SESSIONS_MAX]);
    }
}

/* Each node once: its shards have equal memory. */
static void print_nodes(const struct survey *survey)
{
    printf("%-22s %4s %14s %15s %17s\n", "ENDPOINT", "NODE", "KEYS_CAPACITY", "STORE_CAPACITY",
           "SESSIONS_CAPACITY");
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        char size[UNITS_TEXT_BYTES];
        if (row->outcome != PLX_OK)
            printf("%-22s    - shard %u: %s\n", row->endpoint, row->shard,
                   plx_outcome_text(row->outcome));
        else if (row->shard == 0)
            printf("%-22s %4u %14" PRIu64 " %15s %17" PRIu64 "\n", row->endpoint, row->node->node,
                   cli_limit_of_node(CLI_KEYS_MAX, limits_capacity(row->node, CLI_KEYS_MAX),
                                     survey->shard_count),
                   units_size(cli_limit_of_node(CLI_STORE_SIZE,
                                                limits_capacity(row->node, CLI_STORE_SIZE),
                                                survey->shard_count),
                              size),
                   limits_capacity(row->node, CLI_SESSIONS_MAX));
    }
}

/* A node that stopped because its memory is too small says so of the shard. */
static void print_lacks(const struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        if (row->outcome == PLX_OK && counter_of(row->node, "lacks_capacity") != 0)
            printf("node %u applies nothing more of shard %u: a limit is above its capacity; see "
                   "its log\n",
                   row->node->node, row->shard);
    }
}

static json_t *row_json(const struct cli_node_row *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "endpoint", json_string(row->endpoint));
    json_object_set_new(object, "shard", json_integer(row->shard));
    json_object_set_new(object, "outcome", json_string(plx_outcome_name(row->outcome)));
    if (row->outcome != PLX_OK)
        return object;
    struct shard_limits limits = limits_told(row->node);
    json_object_set_new(object, "node", json_integer(row->node->node));
    json_object_set_new(object, "changes", json_integer((json_int_t)limits.number));
    json_object_set_new(object, "lacks_capacity",
                        json_boolean(counter_of(row->node, "lacks_capacity") != 0));
    for (int i = 0; i < CLI_LIMIT_COUNT; i++) {
        enum cli_limit limit = (enum cli_limit)i;
        json_object_set_new(object, cli_limit_name(limit),
                            json_integer((json_int_t)limits.max.values[i]));
        json_object_set_new(object, cli_limit_setting(limit),
                            json_integer((json_int_t)limits_capacity(row->node, limit)));
    }
    return object;
}

void cli_render_limits(const struct cli_arguments *arguments, const struct survey *survey)
{
    if (arguments->format == CLI_JSON) {
        json_t *array = json_array();
        for (size_t i = 0; i < survey->count; i++)
            json_array_append_new(array, row_json(&survey->rows[i]));
        cli_json_print(array);
        return;
    }
    print_whole(survey);
    print_shards(survey);
    print_nodes(survey);
    print_lacks(survey);
}
