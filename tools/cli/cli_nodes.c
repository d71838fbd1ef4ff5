/* The commands on nodes: status, counters, ping, transfer. */
#include "tools/cli/cli_commands.h"
#include "base/units.h"
#include "tools/cli/cli_findings.h"
#include "tools/cli/cli_lead.h"
#include "tools/cli/cli_render.h"
#include "tools/cli/cli_survey.h"

#include "client/include/pollux_leadership.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NANOSECONDS UINT64_C(1000000000)

static int survey_exit_code(const struct survey *survey)
{
    if (survey->answered == 0)
        return CLI_EXIT_UNREACHABLE;
    bool is_whole =
        survey_has_leaders(survey) && survey->outside == 0 && survey->answered == survey->count;
    return is_whole ? 0 : plx_outcome_exit_code(PLX_E_OVERLOADED);
}

/* Obstacles are of a node, whichever shard is asked: told once a node and kind. */
static size_t tell_obstacles(const struct survey *survey)
{
    size_t told = 0;
    for (size_t row = 0; row < survey->count; row++) {
        const struct plx_node *node = &survey->nodes[row];
        if (survey->rows[row].outcome != PLX_OK || survey->rows[row].shard != 0)
            continue;
        for (uint32_t i = 0; i < node->counter_count; i++) {
            const char *kind = findings_obstacle(&node->counters[i]);
            if (kind == NULL)
                continue;
            fprintf(stderr,
                    "pollux: status: node %u: obstacle %s, of %lu nodes: its log has both values "
                    "and the setting (event obstacle)\n",
                    node->node, kind, (unsigned long)node->counters[i].value);
            told++;
        }
    }
    return told;
}

/* It keeps nobody from taking part, and changes no exit code. */
static void tell_asides(const struct survey *survey)
{
    for (size_t row = 0; row < survey->count; row++) {
        const struct plx_node *node = &survey->nodes[row];
        struct aside found;
        if (survey->rows[row].outcome != PLX_OK || !findings_aside(node, &found))
            continue;
        fprintf(stderr,
                "pollux: status: node %u shard %u: %" PRIu64
                " relaxed writes of an earlier storage "
                "of the node are in its directory, in %" PRIu64 " journals (shard-%u.journal-*.of."
                "%016" PRIx64 ".*): see journal set aside in docs/operating.md\n",
                node->node, survey->rows[row].shard, found.writes, found.journals,
                survey->rows[row].shard, found.series);
    }
}

/* The same. */
static void tell_damages(const struct survey *survey)
{
    for (size_t row = 0; row < survey->count; row++) {
        const struct plx_node *node = &survey->nodes[row];
        struct damage found;
        char age[UNITS_TEXT_BYTES];
        char size[UNITS_TEXT_BYTES];
        if (survey->rows[row].outcome != PLX_OK || !findings_damage(node, &found))
            continue;
        fprintf(stderr,
                "pollux: status: node %u shard %u: %" PRIu64
                " damaged places in its files since its start; all was last looked at %s ago "
                "(%" PRIu64 " times, %s). Its log has the places (event damaged) and what was "
                "mended (event mended): check the medium\n",
                node->node, survey->rows[row].shard, found.found,
                units_duration(found.age_s * NANOSECONDS, age), found.passes,
                units_size(found.bytes >> 20 << 20, size));
    }
}

static void tell_lone(const struct survey *survey)
{
    for (size_t row = 0; row < survey->count; row++) {
        const struct plx_node *node = &survey->nodes[row];
        if (survey->rows[row].outcome == PLX_OK && survey->rows[row].shard == 0 &&
            findings_looks_for_cluster(node))
            fprintf(stderr,
                    "pollux: status: node %u: waits until a cluster takes it in, and founds none: "
                    "[node] join = true there, or it has belonged to one. To take it in: pollux "
                    "member add %u ADDRESS. A founder must not have join = true\n",
                    node->node, node->node);
    }
}

/* Every two nodes of a shard. */
static size_t tell_differences(const struct survey *survey)
{
    size_t told = 0;
    for (size_t i = 0; i < survey->count; i++) {
        for (size_t j = i + 1; j < survey->count; j++) {
            struct difference found;
            if (survey->rows[i].outcome != PLX_OK || survey->rows[j].outcome != PLX_OK ||
                survey->rows[i].shard != survey->rows[j].shard ||
                !findings_differ(&survey->nodes[i], &survey->nodes[j], &found))
                continue;
            fprintf(stderr,
                    "pollux: status: STATES DIFFER: shard %u: at record %lu node %u has state "
                    "%016lx and node %u has %016lx. They have different histories: stop writing, "
                    "keep all data directories, see docs/operating.md\n",
                    survey->rows[i].shard, (unsigned long)found.index, survey->nodes[i].node,
                    (unsigned long)found.one, survey->nodes[j].node, (unsigned long)found.other);
            told++;
        }
    }
    return told;
}

/* Each shard that no leader with a fresh quorum has answered for. */
static void tell_leads(const struct survey *survey)
{
    char age[UNITS_TEXT_BYTES];
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        struct lead lead = lead_find(survey->rows, survey->count, shard);
        if (lead.kind == LEAD_SILENT)
            fprintf(stderr,
                    "pollux: status: shard %u: node %u leads, says node %u, which was in contact "
                    "with a quorum %s ago; node %u itself does not answer here: is it among the "
                    "endpoints?\n",
                    shard, lead.node, lead.witness, units_duration(lead.contact_age_ns, age),
                    lead.node);
        else if (lead.kind == LEAD_NO_QUORUM)
            fprintf(stderr,
                    "pollux: status: shard %u: node %u leads, but without a fresh quorum: "
                    "consistent operations wait\n",
                    shard, lead.node);
        else if (lead.kind == LEAD_NOBODY)
            fprintf(stderr, "pollux: status: shard %u: nobody leads: consistent operations wait\n",
                    shard);
    }
}

int cli_status(struct plx_client *client, const struct cli_arguments *arguments)
{
    const struct survey_plan plan = {.ask = plx_status, .shards_max = SHARDS_ASKED_MAX};
    struct survey *survey = survey_take(client, arguments, plan);
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    survey_add_members(survey, client, arguments, plan);
    cli_render_nodes(arguments, survey->rows, survey->count);
    if (survey->answered == 0)
        fprintf(stderr,
                "pollux: status: no endpoint answered: are the nodes up, and is '%s' their "
                "cluster's name?\n",
                arguments->cluster);
    else
        tell_leads(survey);
    if (survey->answered > 0 && survey->answered < survey->count)
        fprintf(stderr,
                "pollux: status: %zu of the rows: no answer from the node: start it; if it does "
                "not start, the end of its log says why\n",
                survey->count - survey->answered);
    if (survey->outside > 0)
        fprintf(
            stderr,
            "pollux: status: %zu of the rows: the node's storage is no voter (column MEMBERSHIP); "
            "see pollux member list\n",
            survey->outside);
    (void)survey_is_denied(survey, arguments); /* who leads is told all the same */
    tell_lone(survey);
    tell_asides(survey);
    tell_damages(survey);
    size_t findings = tell_obstacles(survey) + tell_differences(survey);
    int code = survey_exit_code(survey);
    if (code == 0 && findings > 0)
        code = plx_outcome_exit_code(PLX_E_OVERLOADED);
    free(survey);
    return code;
}

int cli_counters(struct plx_client *client, const struct cli_arguments *arguments)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_status, .shards_max = SHARDS_ASKED_MAX});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = survey->answered == 0 ? CLI_EXIT_UNREACHABLE : 0;
    if (survey_is_denied(survey, arguments))
        code = plx_outcome_exit_code(PLX_E_DENIED);
    else
        cli_render_counters(arguments, survey->rows, survey->count);
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
        char round_trip[UNITS_TEXT_BYTES];
        for (size_t i = 0; i < survey->count; i++) {
            if (survey->rows[i].outcome == PLX_OK)
                printf("%s: node %u answered in %s\n", survey->rows[i].endpoint,
                       survey->nodes[i].node,
                       units_duration(survey->nodes[i].round_trip_ns, round_trip));
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
    uint64_t retry_ns;
    char retry[UNITS_TEXT_BYTES];
    enum plx_outcome outcome =
        plx_transfer(client, arguments->shard, (uint16_t)target, arguments->timeout_ns, &retry_ns);
    if (outcome == PLX_E_TOO_SOON)
        fprintf(stderr, "pollux: transfer: try again in %s\n", units_duration(retry_ns, retry));
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
    struct plx_bytes key;
    if (!cli_operand_bytes(arguments, 0, &key))
        return CLI_EXIT_USAGE;
    struct survey *survey =
        survey_take(client, arguments, (struct survey_plan){.ask = plx_ping, .shards_max = 1});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = CLI_EXIT_UNREACHABLE;
    if (survey->answered > 0) {
        printf("%u\n", plx_shard_of_key(key, survey->shard_count));
        code = 0;
    } else {
        fprintf(stderr, "pollux: shard: no endpoint answered: the number of shards is not known\n");
    }
    free(survey);
    return code;
}
