/* `pollux member`: which storages count in each shard, as list; changes (cli_change.c), and the
 * replacement of a lost one (cli_replace.c). */
#include "base/units.h"
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_member_survey.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_NS (300u * 1000 * 1000)

static uint64_t ask_timeout_ns(const struct cli_arguments *arguments)
{
    return arguments->timeout_ns != 0 ? arguments->timeout_ns : ASK_TIMEOUT_NS;
}

static void survey_shard(struct plx_client *client, struct member_survey *survey, uint16_t shard)
{
    static struct plx_members answers[PLX_ENDPOINTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        if (survey->has_answered[i] &&
            plx_members(client, i, shard, ASK_TIMEOUT_NS, &answers[count]) == PLX_OK)
            count++;
    }
    members_view_make(answers, count, &survey->views[shard]);
    survey->views[shard].shard = shard;
}

void member_survey_take(struct plx_client *client, const struct cli_arguments *arguments,
                        struct member_survey *survey)
{
    static struct plx_node node;
    survey->answered = 0;
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        survey->has_answered[i] =
            plx_ping(client, i, 0, ask_timeout_ns(arguments), &node) == PLX_OK;
        survey->answered += survey->has_answered[i];
        if (survey->has_answered[i])
            survey->shard_count = node.shard_count;
    }
    for (uint16_t shard = 0; shard < survey->shard_count && shard < SHARDS_ASKED_MAX; shard++)
        survey_shard(client, survey, shard);
}

/* ---- list ---- */

static json_t *told_json(const struct members_row *row, uint64_t value)
{
    return row->is_told && value <= INT64_MAX ? json_integer((json_int_t)value) : json_null();
}

static json_t *row_json(uint16_t shard, const struct members_row *row)
{
    json_t *object = json_object();
    json_object_set_new(object, "shard", json_integer(shard));
    json_object_set_new(object, "node", json_integer(row->node));
    /* In hexadecimal, because it fills all 64 bits. */
    json_object_set_new(object, "storage", json_sprintf("%016" PRIx64, row->birth));
    json_object_set_new(object, "membership", json_string(membership_text(row->membership)));
    json_object_set_new(object, "stays_learner", json_boolean(row->stays_learner));
    json_object_set_new(object, "leaves", json_boolean(row->leaves));
    json_object_set_new(object, "is_here", json_boolean(row->is_here));
    json_object_set_new(object, "address",
                        row->address[0] != '\0' ? json_string(row->address) : json_null());
    json_object_set_new(object, "match_index", told_json(row, row->match_index));
    json_object_set_new(object, "behind", told_json(row, row->behind));
    json_object_set_new(object, "silent_ns", told_json(row, row->silent_ns));
    return object;
}

static void list_json(const struct member_survey *survey)
{
    json_t *array = json_array();
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        const struct members_view *view = &survey->views[shard];
        for (uint32_t i = 0; i < view->count; i++)
            json_array_append_new(array, row_json(shard, &view->rows[i]));
    }
    cli_json_print(array);
}

static void row_print(uint16_t shard, const struct members_row *row)
{
    char heard[UNITS_TEXT_BYTES];
    printf("%5u %4u %016" PRIx64 " %-10s %-4s %-22s", shard, row->node, row->birth,
           row->leaves ? "leaving" : membership_text(row->membership), row->is_here ? "yes" : "no",
           row->address[0] != '\0' ? row->address : "-");
    if (row->is_told)
        printf(" %10" PRIu64 " %8" PRIu64 " %8s\n", row->match_index, row->behind,
               units_duration(row->silent_ns, heard));
    else
        printf(" %10s %8s %8s\n", "-", "-", "-");
}

static void list_print(const struct member_survey *survey)
{
    printf("%5s %4s %-16s %-10s %-4s %-22s %10s %8s %8s\n", "SHARD", "NODE", "STORAGE",
           "MEMBERSHIP", "HERE", "ADDRESS", "MATCH", "BEHIND", "HEARD");
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        const struct members_view *view = &survey->views[shard];
        for (uint32_t i = 0; i < view->count; i++)
            row_print(shard, &view->rows[i]);
    }
}

/* A storage of a node that is a member has taken the place of one that was lost; another one was
 * removed, or joins. */
static const char *outsider_advice(const struct members_view *view, uint16_t node)
{
    switch (members_replace_step(view, node).state) {
    case REPLACE_NO_LEADER:
        return ": nobody can take it in without a leader that has a quorum";
    case REPLACE_NO_VOTER:
        return ": the node is no member: pollux member add makes it one; stop it if it was removed";
    default:
        return ": its leader takes it in by itself, unless the node's identity is lost or older, "
               "too; then see pollux member replace";
    }
}

/* What to do about a row that is not as it should be. */
static void row_explain(const struct members_view *view, const struct members_row *row)
{
    const char *advice = "";
    if (row->membership == PLX_VOTER || row->stays_learner)
        return;
    if (row->membership == PLX_NO_CLUSTER)
        advice = ": a cluster forms when all nodes of [peers] are there";
    else if (row->membership == PLX_NO_MEMBER)
        advice = outsider_advice(view, row->node);
    else if (row->membership == PLX_LEARNER)
        advice = ": it becomes a voter when it has the log";
    fprintf(stderr, "pollux: member: node %u shard %u: storage %016" PRIx64 " is %s%s%s\n",
            row->node, view->shard, row->birth, row->membership == PLX_LEARNER ? "a " : "",
            row->membership == PLX_NO_CLUSTER ? "of no cluster" : membership_text(row->membership),
            advice);
}

static void shard_explain(const struct members_view *view)
{
    if (view->leader == 0)
        fprintf(stderr,
                "pollux: member: shard %u: nobody leads with a fresh quorum; the members are those "
                "that the nodes last knew\n",
                view->shard);
    if (members_step_text(view->step)[0] != '\0')
        fprintf(stderr, "pollux: member: shard %u: change %u is under way: %s\n", view->shard,
                view->change, members_step_text(view->step));
    for (uint32_t i = 0; i < view->count; i++)
        row_explain(view, &view->rows[i]);
}

static int member_list(struct plx_client *client, const struct cli_arguments *arguments,
                       struct member_survey *survey)
{
    member_survey_take(client, arguments, survey);
    if (arguments->format == CLI_JSON)
        list_json(survey);
    else
        list_print(survey);
    for (size_t i = 0; i < plx_endpoint_count(client); i++) {
        if (!survey->has_answered[i])
            fprintf(stderr, "pollux: member: %s: %s\n", plx_endpoint_name(client, i),
                    plx_outcome_text(PLX_E_UNREACHABLE));
    }
    bool is_sound = true;
    for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
        const struct members_view *view = &survey->views[shard];
        is_sound &= view->leader != 0 && members_are_voters(view);
        shard_explain(view);
    }
    if (survey->answered > 0 && !is_sound)
        return plx_outcome_exit_code(PLX_E_OVERLOADED);
    return survey->answered == plx_endpoint_count(client) ? 0 : CLI_EXIT_UNREACHABLE;
}

int cli_member(struct plx_client *client, const struct cli_arguments *arguments)
{
    const char *what = arguments->operands[0];
    bool is_list = strcmp(what, "list") == 0;
    bool is_change = member_is_change(what);
    if (!is_list && !is_change && strcmp(what, "replace") != 0)
        return cli_usage_error(
            arguments, "'%s' is not one of list, add, promote, remove, update, replace", what);
    if (is_list && arguments->operand_count > 1)
        return cli_usage_error(arguments, "'%s' is an operand too many", arguments->operands[1]);
    struct member_survey *survey = calloc(1, sizeof(*survey));
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    int code = is_list     ? member_list(client, arguments, survey)
               : is_change ? member_change(client, arguments, survey)
                           : member_replace(client, arguments, survey);
    free(survey);
    return code;
}
