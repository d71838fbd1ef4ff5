/* The commands on nodes: status, counters, ping, transfer. */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_render.h"

#include <stdio.h>
#include <stdlib.h>

#define NODE_TIMEOUT_NS (300u * 1000 * 1000)

struct survey {
    size_t count;
    size_t answered;
    bool has_leader; /* with a fresh quorum */
    struct cli_node_row rows[PLX_ENDPOINTS_MAX];
    struct plx_node nodes[PLX_ENDPOINTS_MAX];
};

/* Asks every endpoint. NULL: no memory; the caller frees. */
static struct survey *survey_take(struct plx_client *client, const struct cli_arguments *arguments,
                                  enum plx_outcome (*ask)(struct plx_client *, size_t, uint64_t,
                                                          struct plx_node *))
{
    struct survey *survey = calloc(1, sizeof(*survey));
    if (survey == NULL)
        return NULL;
    uint64_t timeout_ns = arguments->timeout_ns != 0 ? arguments->timeout_ns : NODE_TIMEOUT_NS;
    survey->count = plx_endpoint_count(client);
    for (size_t i = 0; i < survey->count; i++) {
        struct plx_node *node = &survey->nodes[i];
        survey->rows[i] = (struct cli_node_row){.endpoint = plx_endpoint_name(client, i),
                                                .outcome = ask(client, i, timeout_ns, node),
                                                .node = node};
        if (survey->rows[i].outcome != PLX_OK)
            continue;
        survey->answered++;
        if (node->role == PLX_LEADER && node->has_fresh_quorum)
            survey->has_leader = true;
    }
    return survey;
}

static int survey_exit_code(const struct survey *survey)
{
    if (survey->answered == 0)
        return CLI_EXIT_UNREACHABLE;
    return survey->has_leader ? 0 : plx_outcome_exit_code(PLX_E_OVERLOADED);
}

int cli_status(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(client, arguments, plx_ping);
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    cli_render_nodes(arguments, survey->rows, survey->count);
    if (survey->answered == 0)
        fprintf(stderr,
                "pollux: status: no endpoint answered: are the nodes up, and is '%s' their "
                "cluster's name?\n",
                arguments->cluster);
    else if (!survey->has_leader)
        fprintf(stderr, "pollux: status: nobody leads with a fresh quorum: consistent operations "
                        "wait\n");
    int code = survey_exit_code(survey);
    free(survey);
    return code;
}

int cli_counters(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(client, arguments, plx_status);
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    cli_render_counters(arguments, survey->rows, survey->count);
    int code = survey->answered == 0 ? CLI_EXIT_UNREACHABLE : 0;
    free(survey);
    return code;
}

int cli_ping(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(client, arguments, plx_ping);
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
    enum plx_outcome outcome = plx_transfer(client, (uint16_t)target, arguments->timeout_ns);
    if (outcome == PLX_E_ARGUMENT)
        return cli_usage_error(arguments,
                               "the leader knows no such node, or node %lu leads already", target);
    struct plx_response response = {.outcome = outcome, .valid = outcome == PLX_OK};
    return cli_render_response(arguments, NULL, &response);
}
