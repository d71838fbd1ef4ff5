/*
 * `pollux config`: the limits in force, and their change. A change goes through the log of each
 * shard, one shard after the other. One that was interrupted is visible, and repeating it finishes
 * it: a shard that has the values already is left alone.
 */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_config_render.h"
#include "tools/cli/cli_limits.h"
#include "tools/cli/cli_survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looks at a shard, and attempts: each learns what the last one came to. */
#define ROUNDS_MAX 10

static struct survey *config_survey(struct plx_client *client,
                                    const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_status, .shards_max = SHARDS_ASKED_MAX});
    if (survey != NULL && survey->answered == 0)
        fprintf(stderr,
                "pollux: config: no endpoint answered: are the nodes up, and is '%s' their "
                "cluster's name?\n",
                arguments->cluster);
    return survey;
}

static int config_get(struct plx_client *client, const struct cli_arguments *arguments)
{
    if (arguments->operand_count > 1)
        return cli_usage_error(arguments, "'%s' is an operand too many", arguments->operands[1]);
    struct survey *survey = config_survey(client, arguments);
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = CLI_EXIT_UNREACHABLE;
    if (survey_is_denied(survey, arguments)) {
        code = plx_outcome_exit_code(PLX_E_DENIED);
    } else if (survey->answered > 0) {
        cli_render_limits(arguments, survey);
        code = 0;
    }
    free(survey);
    return code;
}

/* Distinct nodes that answered for shard 0. */
static uint32_t nodes_answering(const struct survey *survey, uint16_t *ret_node_count)
{
    bool has[256] = {false};
    uint32_t count = 0;
    for (size_t i = 0; i < survey->count; i++) {
        const struct plx_node *node = survey->rows[i].node;
        if (survey->rows[i].outcome != PLX_OK || node->node >= 256 || has[node->node])
            continue;
        has[node->node] = true;
        *ret_node_count = node->node_count;
        count++;
    }
    return count;
}

/* False: some node does not answer, so that nobody knows what its memory is made for. */
static bool all_answer(const struct cli_arguments *arguments, const struct survey *survey)
{
    uint16_t node_count = 0;
    bool is_whole = nodes_answering(survey, &node_count) >= node_count;
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        is_whole &= row->outcome == PLX_OK;
        if (row->outcome != PLX_OK)
            fprintf(stderr, "pollux: config: %s shard %u: %s\n", row->endpoint, row->shard,
                    plx_outcome_text(row->outcome));
    }
    if (!is_whole && !arguments->is_force)
        fprintf(stderr,
                "pollux: config: nothing changed: not all %u nodes answer, and one whose memory is "
                "too small would stop. Name all endpoints, or start the node; --force changes the "
                "limits without it\n",
                node_count);
    return is_whole || arguments->is_force;
}

/* False: some node's memory is not made for the limits. All such nodes are named. */
static bool all_can_hold(const struct survey *survey, const struct cli_limits *wanted)
{
    bool can = true;
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        for (int limit = 0; row->outcome == PLX_OK && limit < CLI_LIMIT_COUNT; limit++) {
            uint16_t shards = row->node->shard_count;
            uint64_t part =
                cli_limit_of_shard((enum cli_limit)limit, wanted->values[limit], shards);
            uint64_t capacity = limits_capacity(row->node, (enum cli_limit)limit);
            if (part <= capacity || row->shard != 0)
                continue;
            char made[UNITS_TEXT_BYTES];
            char least[UNITS_TEXT_BYTES];
            can = false;
            fprintf(stderr,
                    "pollux: config: nothing changed: the memory of node %u is made for %s = "
                    "%s: set [node] %s there to at least %s, start it again, and repeat this\n",
                    row->node->node, cli_limit_name((enum cli_limit)limit),
                    cli_limit_text((enum cli_limit)limit,
                                   cli_limit_of_node((enum cli_limit)limit, capacity, shards),
                                   made),
                    cli_limit_setting((enum cli_limit)limit),
                    cli_limit_text((enum cli_limit)limit, wanted->values[limit], least));
        }
    }
    return can;
}

/* The limits that a shard is to have: what is not given stays. */
static struct shard_limits limits_wanted(const struct shard_limits *now, uint16_t shard_count,
                                         const struct cli_limits *wanted)
{
    struct shard_limits next = *now;
    next.number++;
    for (int limit = 0; limit < CLI_LIMIT_COUNT; limit++) {
        if (wanted->values[limit] != 0)
            next.max.values[limit] =
                cli_limit_of_shard((enum cli_limit)limit, wanted->values[limit], shard_count);
    }
    return next;
}

static enum plx_outcome limits_send(struct plx_client *client,
                                    const struct cli_arguments *arguments, uint16_t shard,
                                    const struct shard_limits *next)
{
    const struct plx_limits limits = {.number = (uint32_t)next->number,
                                      .keys_max = (uint32_t)next->max.values[CLI_KEYS_MAX],
                                      .store_size_bytes = next->max.values[CLI_STORE_SIZE],
                                      .sessions_max = (uint32_t)next->max.values[CLI_SESSIONS_MAX]};
    return plx_limits_set(client, shard, &limits, arguments->timeout_ns);
}

/* What a lowered limit means while more is in use. */
static void tell_excess(uint16_t shard, const struct shard_limits *limits)
{
    static const char *const what[] = {"keys", "bytes of keys and values", "sessions"};
    for (int limit = 0; limit < CLI_LIMIT_COUNT; limit++) {
        if (limits->used.values[limit] > limits->max.values[limit])
            fprintf(stderr,
                    "pollux: config: shard %u has %" PRIu64 " %s, more than %s allows: new ones "
                    "are refused until enough are gone\n",
                    shard, limits->used.values[limit], what[limit],
                    cli_limit_name((enum cli_limit)limit));
    }
}

static int shard_done(const struct cli_arguments *arguments, uint16_t shard, const char *how,
                      const struct shard_limits *limits)
{
    char size[UNITS_TEXT_BYTES];
    if (arguments->format != CLI_JSON)
        printf("shard %u: %s: keys_max=%" PRIu64 " store_size=%s sessions_max=%" PRIu64 "\n", shard,
               how, limits->max.values[CLI_KEYS_MAX],
               units_size(limits->max.values[CLI_STORE_SIZE], size),
               limits->max.values[CLI_SESSIONS_MAX]);
    tell_excess(shard, limits);
    return 0;
}

static int shard_failed(uint16_t shard, enum plx_outcome outcome)
{
    fprintf(stderr, "pollux: config: shard %u: %s: %s\n", shard, plx_outcome_name(outcome),
            outcome == PLX_E_UNSUPPORTED ? "the memory of the leader is not made for these limits"
                                         : plx_outcome_text(outcome));
    fprintf(stderr, "pollux: config: pollux config get shows what is in force; repeat the command "
                    "to finish it\n");
    return plx_outcome_exit_code(outcome);
}

/* Changes one shard's limits, unless they are so already. */
static int shard_set(struct plx_client *client, const struct cli_arguments *arguments,
                     uint16_t shard, const struct cli_limits *wanted)
{
    enum plx_outcome outcome = PLX_E_UNREACHABLE;
    const char *how = "unchanged";
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct shard_limits now;
        uint16_t shard_count;
        if (!limits_ask(client, shard, &now, &shard_count))
            return shard_failed(shard, PLX_E_UNREACHABLE);
        struct shard_limits next = limits_wanted(&now, shard_count, wanted);
        if (memcmp(&next.max, &now.max, sizeof(now.max)) == 0)
            return shard_done(arguments, shard, how, &now);
        outcome = limits_send(client, arguments, shard, &next);
        if (outcome == PLX_OK)
            return shard_done(arguments, shard, "set", &next);
        if (outcome != PLX_MISMATCH && outcome != PLX_UNKNOWN)
            break;
        how = "set";
    }
    return shard_failed(shard, outcome);
}

static int shards_set(struct plx_client *client, const struct cli_arguments *arguments,
                      uint16_t shard_count, const struct cli_limits *wanted)
{
    for (uint16_t shard = 0; shard < shard_count; shard++) {
        int code = shard_set(client, arguments, shard, wanted);
        if (code != 0)
            return code;
    }
    return 0;
}

static int config_set(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct cli_limits wanted = {0};
    char reason[128];
    if (arguments->operand_count < 2)
        return cli_usage_error(arguments, "set what? keys_max=NUMBER, store_size=SIZE or "
                                          "sessions_max=NUMBER");
    for (int i = 1; i < arguments->operand_count; i++) {
        if (!cli_limits_parse(arguments->operands[i], &wanted, reason, sizeof(reason)))
            return cli_usage_error(arguments, "%s", reason);
    }
    struct survey *survey = config_survey(client, arguments);
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = plx_outcome_exit_code(PLX_E_UNSUPPORTED);
    if (survey_is_denied(survey, arguments))
        code = plx_outcome_exit_code(PLX_E_DENIED);
    else if (survey->answered == 0 || !all_answer(arguments, survey))
        code = CLI_EXIT_UNREACHABLE;
    else if (all_can_hold(survey, &wanted))
        code = shards_set(client, arguments, survey->shard_count, &wanted);
    free(survey);
    if (code == 0 && arguments->format == CLI_JSON) {
        struct cli_arguments get = *arguments;
        get.operand_count = 1;
        return config_get(client, &get);
    }
    return code;
}

int cli_config(struct plx_client *client, const struct cli_arguments *arguments)
{
    if (strcmp(arguments->operands[0], "get") == 0)
        return config_get(client, arguments);
    if (strcmp(arguments->operands[0], "set") == 0)
        return config_set(client, arguments);
    return cli_usage_error(arguments, "'%s' is neither get nor set", arguments->operands[0]);
}
