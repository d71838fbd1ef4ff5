/* The commands on nodes: status, counters, ping, transfer. */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_render.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE_TIMEOUT_NS (300u * 1000 * 1000)

#define SHARDS_ASKED_MAX 64 /* as many as a cluster can have */
#define SURVEY_ROWS_MAX  ((size_t)PLX_ENDPOINTS_MAX * SHARDS_ASKED_MAX)

/* What every endpoint said, row by row: of one shard, or of each. */
struct survey {
    size_t count;
    size_t answered;
    uint64_t shards_led; /* a bit for each shard that has a leader with a fresh quorum */
    uint16_t shard_count;
    struct cli_node_row rows[SURVEY_ROWS_MAX];
    struct plx_node nodes[SURVEY_ROWS_MAX];
};

struct survey_plan {
    enum plx_outcome (*ask)(struct plx_client *client, size_t endpoint, uint16_t shard,
                            uint64_t timeout_ns, struct plx_node *ret_node);
    uint64_t timeout_ns;
    uint16_t shards_max; /* so many of each node, where it has them */
};

/* One row; true: the node answered. */
static bool survey_add(struct survey *survey, struct plx_client *client,
                       const struct survey_plan *plan, size_t endpoint, uint16_t shard)
{
    struct plx_node *node = &survey->nodes[survey->count];
    struct cli_node_row *row = &survey->rows[survey->count++];
    *row =
        (struct cli_node_row){.endpoint = plx_endpoint_name(client, endpoint),
                              .shard = shard,
                              .outcome = plan->ask(client, endpoint, shard, plan->timeout_ns, node),
                              .node = node};
    if (row->outcome != PLX_OK)
        return false;
    survey->answered++;
    survey->shard_count = node->shard_count;
    if (node->role == PLX_LEADER && node->has_fresh_quorum)
        survey->shards_led |= UINT64_C(1) << shard;
    return true;
}

/* Asks every endpoint. NULL: no memory; the caller frees. */
static struct survey *survey_take(struct plx_client *client, const struct cli_arguments *arguments,
                                  struct survey_plan plan)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    if (survey == NULL)
        return NULL;
    plan.timeout_ns = arguments->timeout_ns != 0 ? arguments->timeout_ns : NODE_TIMEOUT_NS;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        if (!survey_add(survey, client, &plan, i, 0))
            continue;
        for (uint16_t shard = 1; shard < survey->shard_count && shard < plan.shards_max; shard++)
            (void)survey_add(survey, client, &plan, i, shard);
    }
    return survey;
}

/* Whether each shard has a leader. */
static bool survey_has_leaders(const struct survey *survey)
{
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        if ((survey->shards_led >> shard & 1) == 0)
            return false;
    }
    return survey->shard_count > 0;
}

static int survey_exit_code(const struct survey *survey)
{
    if (survey->answered == 0)
        return CLI_EXIT_UNREACHABLE;
    return survey_has_leaders(survey) ? 0 : plx_outcome_exit_code(PLX_E_OVERLOADED);
}

int cli_status(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_ping, .shards_max = SHARDS_ASKED_MAX});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    cli_render_nodes(arguments, survey->rows, survey->count);
    if (survey->answered == 0)
        fprintf(stderr,
                "pollux: status: no endpoint answered: are the nodes up, and is '%s' their "
                "cluster's name?\n",
                arguments->cluster);
    else if (!survey_has_leaders(survey))
        fprintf(stderr,
                "pollux: status: nobody leads %s with a fresh quorum: consistent operations "
                "wait\n",
                survey->shard_count > 1 ? "some shard" : "the cluster");
    int code = survey_exit_code(survey);
    free(survey);
    return code;
}

int cli_counters(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_status, .shards_max = SHARDS_ASKED_MAX});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    cli_render_counters(arguments, survey->rows, survey->count);
    int code = survey->answered == 0 ? CLI_EXIT_UNREACHABLE : 0;
    free(survey);
    return code;
}

int cli_ping(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey =
        survey_take(client, arguments, (struct survey_plan){.ask = plx_ping, .shards_max = 1});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    if (arguments->format == CLI_PLAIN) {
        for (size_t i = 0; i < survey->count; i++) {
            if (survey->rows[i].outcome == PLX_OK)
                printf("%s: node %u answered in %.3f ms\n", survey->rows[i].endpoint,
                       survey->nodes[i].node, (double)survey->nodes[i].round_trip_ns / 1e6);
            else
                printf("%s: %s\n", survey->rows[i].endpoint,
                       plx_outcome_text(survey->rows[i].outcome));
        }
    } else {
        cli_render_nodes(arguments, survey->rows, survey->count);
    }
    int code = survey->answered == survey->count ? 0 : CLI_EXIT_UNREACHABLE;
    free(survey);
    return code;
}

int cli_transfer(struct plx_client *client, const struct cli_arguments *arguments)
{
    unsigned long target = 0;
    if (arguments->operand_count == 1) {
        const char *text = arguments->operands[0];
        char *end;
        target = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || target == 0 || target > 255)
            return cli_usage_error(arguments, "'%s' is not a node's number (1 to 255)", text);
    }
    enum plx_outcome outcome =
        plx_transfer(client, arguments->shard, (uint16_t)target, arguments->timeout_ns);
    if (outcome == PLX_E_ARGUMENT)
        return cli_usage_error(arguments,
                               "there is no shard %u, the leader knows no node %lu, or it leads "
                               "already",
                               arguments->shard, target);
    struct plx_response response = {.outcome = outcome, .valid = outcome == PLX_OK};
    return cli_render_response(arguments, NULL, &response);
}

int cli_shard(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey =
        survey_take(client, arguments, (struct survey_plan){.ask = plx_ping, .shards_max = 1});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = CLI_EXIT_UNREACHABLE;
    if (survey->answered > 0) {
        printf("%u\n", plx_shard_of_key(plx_text(arguments->operands[0]), survey->shard_count));
        code = 0;
    } else {
        fprintf(stderr, "pollux: shard: no endpoint answered: the number of shards is not known\n");
    }
    free(survey);
    return code;
}
