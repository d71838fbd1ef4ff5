/* See cli_auth_pending.h. */
#include "tools/cli/cli_auth_pending.h"

#include "base/format.h"
#include "tools/cli/cli_findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_ROUNDS_MAX 50u
#define WAIT_ROUND_NS   UINT64_C(100000000)

static struct survey *take(struct plx_client *client, const struct cli_arguments *arguments)
{
    const struct survey_plan plan = {.ask = plx_status, .shards_max = SHARDS_ASKED_MAX};
    struct survey *survey = survey_take(client, arguments, plan);
    if (survey == NULL)
        fprintf(stderr, "pollux: auth: out of memory\n");
    else
        survey_add_members(survey, client, arguments, plan);
    return survey;
}

/* 0: it did not tell it. */
static uint64_t counter_of(const struct plx_node *node, const char *name)
{
    uint64_t value = 0;
    (void)findings_counter(node, name, &value);
    return value;
}

int auth_pending_look(struct plx_client *client, const struct cli_arguments *arguments,
                      struct survey **ret_before)
{
    struct survey *survey = take(client, arguments);
    int code = survey == NULL ? plx_outcome_exit_code(PLX_E_NO_MEMORY) : 0;
    if (survey != NULL && survey_is_denied(survey, arguments))
        code = plx_outcome_exit_code(PLX_E_DENIED);
    for (size_t row = 0; code == 0 && row < survey->count; row++) {
        if (survey->rows[row].outcome != PLX_OK ||
            counter_of(&survey->nodes[row], "format") >= FORMAT_PENDING_NAMES)
            continue;
        fprintf(stderr,
                "pollux: auth: --drop-pending: node %u shard %u: a journal of format 0 does not "
                "say whose its writes are. Nothing was changed; put format %u in force first: "
                "pollux upgrade finish\n",
                survey->nodes[row].node, survey->rows[row].shard, FORMAT_PENDING_NAMES);
        code = plx_outcome_exit_code(PLX_E_UNSUPPORTED);
    }
    if (code != 0)
        free(survey);
    else
        *ret_before = survey;
    return code;
}

/* Each node that answers. */
static bool have_dropped(const struct survey *survey, uint64_t drops)
{
    for (size_t row = 0; row < survey->count; row++) {
        if (survey->rows[row].outcome == PLX_OK &&
            counter_of(&survey->nodes[row], "rights_drops") < drops)
            return false;
    }
    return true;
}

/* Since the survey before, or since its start where that came later. */
static uint64_t dropped_since(const struct survey *before, const struct survey *after, size_t row)
{
    const struct plx_node *node = &after->nodes[row];
    uint64_t count = counter_of(node, "engine_relaxed_revoked");
    for (size_t i = 0; i < before->count; i++) {
        const struct plx_node *other = &before->nodes[i];
        uint64_t earlier = counter_of(other, "engine_relaxed_revoked");
        if (before->rows[i].outcome == PLX_OK && other->node == node->node &&
            before->rows[i].shard == after->rows[row].shard)
            return count >= earlier ? count - earlier : count;
    }
    return count;
}

static void tell_row(const struct survey *before, const struct survey *after, size_t row,
                     uint64_t drops)
{
    const struct plx_node *node = &after->nodes[row];
    unsigned shard = after->rows[row].shard;
    if (after->rows[row].outcome != PLX_OK) {
        fprintf(stderr,
                "pollux: auth: %s shard %u does not answer: what is pending there is dropped when "
                "that node hears of this\n",
                after->rows[row].endpoint, shard);
        return;
    }
    if (counter_of(node, "rights_drops") < drops)
        fprintf(
            stderr,
            "pollux: auth: node %u shard %u has not heard of this yet: what is pending there is "
            "dropped when it does\n",
            node->node, shard);
    uint64_t dropped = dropped_since(before, after, row);
    if (dropped > 0)
        fprintf(stderr, "pollux: auth: node %u shard %u: %" PRIu64 " relaxed writes were dropped\n",
                node->node, shard, dropped);
    uint64_t unnamed = counter_of(node, "engine_relaxed_unnamed");
    if (unnamed > 0)
        fprintf(stderr,
                "pollux: auth: node %u shard %u: %" PRIu64
                " relaxed writes without a client's name are pending, and are carried out\n",
                node->node, shard, unnamed);
}

void auth_pending_tell(struct plx_client *client, const struct cli_arguments *arguments,
                       const struct survey *before, uint64_t drops)
{
    struct survey *after = take(client, arguments);
    for (uint32_t i = 0; i < WAIT_ROUNDS_MAX && after != NULL && !have_dropped(after, drops); i++) {
        (void)plx_poll(client, WAIT_ROUND_NS);
        free(after);
        after = take(client, arguments);
    }
    for (size_t row = 0; after != NULL && row < after->count; row++)
        tell_row(before, after, row, drops);
    free(after);
}
