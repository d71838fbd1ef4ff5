/* See tools/cli/cli_survey.h. */
#include "tools/cli/cli_survey.h"

#include "client/include/pollux_members.h"

#include <stdlib.h>

#define NODE_TIMEOUT_NS (300u * 1000 * 1000)

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
    survey->outside += node->membership != PLX_VOTER;
    if (node->role == PLX_LEADER && node->has_fresh_quorum)
        survey->shards_led |= UINT64_C(1) << shard;
    return true;
}

struct survey *survey_take(struct plx_client *client, const struct cli_arguments *arguments,
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

bool survey_has_leaders(const struct survey *survey)
{
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        if ((survey->shards_led >> shard & 1) == 0)
            return false;
    }
    return survey->shard_count > 0;
}
