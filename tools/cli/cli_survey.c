/* See tools/cli/cli_survey.h. */
#include "tools/cli/cli_survey.h"

#include "tools/cli/cli_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_TIMEOUT_NS (300u * 1000 * 1000)
#define HEARD_LATELY_NS (1000u * 1000 * 1000)

/* One row; true: the node answered. */
static bool survey_add(struct survey *survey, struct plx_client *client,
                       const struct survey_plan *plan, size_t endpoint, uint16_t shard)
{
    struct plx_node *node = &survey->nodes[survey->count];
    struct cli_node_row *row = &survey->rows[survey->count++];
    *row =
        (struct cli_node_row){.endpoint = plx_endpoint_name(client, endpoint),
                              .at = endpoint,
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

/* ---- members without an endpoint ---- */

/* Of shard 0: a leader with a fresh quorum, else anybody. NULL: nobody answered. */
static const struct cli_node_row *best_row(const struct survey *survey)
{
    const struct cli_node_row *best = NULL;
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        if (row->outcome != PLX_OK || row->shard != 0)
            continue;
        if (best == NULL || (row->node->role == PLX_LEADER && row->node->has_fresh_quorum))
            best = row;
    }
    return best;
}

/* It has answered, or was added already: a node may have two storages in a configuration. */
static bool has_row(const struct survey *survey, uint16_t node)
{
    for (size_t i = 0; i < survey->count; i++) {
        const struct cli_node_row *row = &survey->rows[i];
        if ((row->outcome == PLX_OK ? row->node->node : row->member) == node)
            return true;
    }
    return false;
}

/* An endpoint that did not answer, and has the member's address; NULL: there is none. */
static struct cli_node_row *row_at(struct survey *survey, const char *address)
{
    for (size_t i = 0; i < survey->count; i++) {
        if (survey->rows[i].outcome != PLX_OK && strcmp(survey->rows[i].endpoint, address) == 0)
            return &survey->rows[i];
    }
    return NULL;
}

/* Asks the member of every shard, at its own address. False: it does not answer there. */
static bool ask_member(struct survey *survey, const struct cli_arguments *arguments,
                       const struct survey_plan *plan, const char *address)
{
    struct plx_client *client;
    char reason[256];
    if (cli_open(arguments, address, &client, reason, sizeof(reason)) != PLX_OK)
        return false;
    size_t first = survey->count;
    bool answers = survey_add(survey, client, plan, 0, 0);
    for (uint16_t shard = 1; answers && shard < survey->shard_count && shard < plan->shards_max;
         shard++)
        (void)survey_add(survey, client, plan, 0, shard);
    for (size_t i = first; i < survey->count; i++)
        survey->rows[i].endpoint = address; /* the name goes with the client */
    if (!answers)
        survey->count = first;
    plx_close(client);
    return answers;
}

static void add_member(struct survey *survey, const struct cli_arguments *arguments,
                       const struct survey_plan *plan, const struct plx_member *member)
{
    char *address = survey->addresses[survey->address_count];
    members_address_format(member, address, MEMBERS_ADDRESS_SIZE);
    struct cli_node_row *row = row_at(survey, address);
    if (row == NULL && address[0] != '\0') {
        survey->address_count++;
        if (ask_member(survey, arguments, plan, address) ||
            (member->is_told && member->silent_ns < HEARD_LATELY_NS))
            return;
    }
    if (row == NULL) {
        row = &survey->rows[survey->count];
        *row = (struct cli_node_row){.endpoint = address[0] != '\0' ? address : "-",
                                     .outcome = PLX_E_UNREACHABLE,
                                     .node = &survey->nodes[survey->count++]};
    }
    row->member = member->node;
    row->is_silence_told = member->is_told;
    row->silent_ns = member->silent_ns;
}

void survey_add_members(struct survey *survey, struct plx_client *client,
                        const struct cli_arguments *arguments, struct survey_plan plan)
{
    static struct plx_members members;
    const struct cli_node_row *best = best_row(survey);
    plan.timeout_ns = arguments->timeout_ns != 0 ? arguments->timeout_ns : NODE_TIMEOUT_NS;
    if (best == NULL || plx_members(client, best->at, 0, plan.timeout_ns, &members) != PLX_OK)
        return;
    for (uint32_t i = 0; i < members.member_count; i++) {
        if (!has_row(survey, members.members[i].node))
            add_member(survey, arguments, &plan, &members.members[i]);
    }
}

bool survey_is_denied(const struct survey *survey, const struct cli_arguments *arguments)
{
    for (size_t i = 0; i < survey->count; i++) {
        if (survey->rows[i].outcome != PLX_OK || survey->rows[i].node->counter_count > 0)
            continue;
        fprintf(stderr,
                "pollux: %s: %s: what nodes count is told to administrators: pollux auth grant "
                "NAME admin\n",
                arguments->command, plx_outcome_name(PLX_E_DENIED));
        return true;
    }
    return false;
}

bool survey_has_leaders(const struct survey *survey)
{
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        if ((survey->shards_led >> shard & 1) == 0)
            return false;
    }
    return survey->shard_count > 0;
}
