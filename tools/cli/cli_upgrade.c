/*
 * `pollux upgrade`: which formats the nodes know, and which is in force. `pollux upgrade finish`
 * puts the next one in force, when every member knows it; there is no way back then. What it looks
 * at first is for people: the leader asks the members itself before it raises anything.
 */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_formats.h"
#include "tools/cli/cli_json.h"
#include "tools/cli/cli_member_survey.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUND_NS   (200u * 1000 * 1000)
#define TIMEOUT_NS (2000u * 1000 * 1000)
/* Without --timeout. */
#define FINISH_NS (UINT64_C(60) * 1000 * 1000 * 1000)

static const struct cli_arguments look_arguments = {.timeout_ns = 0};

struct finish {
    struct plx_client *client;
    struct member_survey *members;
    struct formats_view view;
    uint64_t format; /* to be put in force */
    uint32_t after;  /* plx_change.after */
    uint64_t until_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0, or the exit code. */
static int look(struct plx_client *client, const struct cli_arguments *arguments,
                struct member_survey *members, struct formats_view *ret_view)
{
    struct survey *survey = survey_take(
        client, arguments, (struct survey_plan){.ask = plx_status, .shards_max = SHARDS_ASKED_MAX});
    if (survey == NULL)
        return plx_outcome_exit_code(PLX_E_NO_MEMORY);
    if (survey_is_denied(survey, arguments)) {
        free(survey);
        return plx_outcome_exit_code(PLX_E_DENIED);
    }
    member_survey_take(client, arguments, members);
    *ret_view = (struct formats_view){0};
    for (uint16_t shard = 0; shard < members->shard_count; shard++) {
        const struct members_view *view = &members->views[shard];
        for (uint32_t i = 0; i < view->count; i++) {
            if (view->rows[i].membership >= PLX_LEARNER && view->rows[i].membership <= PLX_OUTGOING)
                formats_note_member(ret_view, view->rows[i].node);
        }
    }
    for (size_t i = 0; i < survey->count; i++) {
        if (survey->rows[i].outcome == PLX_OK)
            formats_note(ret_view, &survey->nodes[i]);
    }
    free(survey);
    return 0;
}

/* ---- what is told ---- */

static void show_json(const struct formats_view *view)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < view->count; i++) {
        const struct formats_row *row = &view->rows[i];
        json_t *object = json_object();
        bool is_told = row->has_answered;
        json_object_set_new(object, "node", json_integer(row->node));
        json_object_set_new(object, "is_member", json_boolean(row->is_member));
        json_object_set_new(object, "has_answered", json_boolean(is_told));
        json_object_set_new(object, "known",
                            is_told ? json_integer((json_int_t)row->known) : json_null());
        json_object_set_new(object, "in_force",
                            is_told ? json_integer((json_int_t)row->in_force) : json_null());
        json_array_append_new(array, object);
    }
    cli_json_print(array);
}

static void show(const struct formats_view *view)
{
    printf("%4s %-6s %5s %8s\n", "NODE", "MEMBER", "KNOWS", "IN FORCE");
    for (uint32_t i = 0; i < view->count; i++) {
        const struct formats_row *row = &view->rows[i];
        printf("%4u %-6s", row->node, row->is_member ? "yes" : "no");
        if (row->has_answered)
            printf(" %5" PRIu64 " %8" PRIu64 "%s\n", row->known, row->in_force,
                   row->is_older ? "  (a program of before there were formats)" : "");
        else
            printf(" %5s %8s  (does not answer)\n", "-", "-");
    }
}

/* How many members lack something. */
static uint32_t tell_lacks(const struct formats_view *view, uint64_t format)
{
    uint32_t lacks = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const char *lack = formats_lack(&view->rows[i], format);
        if (lack == NULL)
            continue;
        fprintf(stderr, "pollux: upgrade: format %" PRIu64 ": node %u %s\n", format,
                view->rows[i].node, lack);
        lacks++;
    }
    return lacks;
}

/* The newest that anybody knows: what the upgrade is to. */
static uint64_t newest(const struct formats_view *view)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].has_answered && view->rows[i].known > found)
            found = view->rows[i].known;
    }
    return found;
}

static int tell_status(const struct formats_view *view)
{
    uint64_t in_force = formats_in_force(view);
    uint64_t next = in_force + 1;
    if (!formats_are_at(view, in_force)) {
        (void)tell_lacks(view, in_force);
        return CLI_EXIT_UNREACHABLE;
    }
    if (newest(view) <= in_force)
        return 0;
    if (formats_known(view) >= next)
        fprintf(stderr,
                "pollux: upgrade: every member knows format %" PRIu64
                ": pollux upgrade finish puts it in force, and then no older program can be "
                "started any more\n",
                next);
    else
        (void)tell_lacks(view, next);
    return 0;
}

/* ---- finish ---- */

/* False: the time is over. */
static bool wait_round(const struct finish *finish)
{
    (void)plx_poll(finish->client, ROUND_NS);
    return now_ns() < finish->until_ns;
}

static int refuse(enum plx_outcome outcome)
{
    bool is_old = outcome == PLX_E_UNREACHABLE;
    fprintf(stderr, "pollux: upgrade: %s: %s\n",
            is_old ? "the leader of shard 0 did not answer" : "nothing changed",
            is_old ? "is its program an older one? See pollux upgrade, and repeat the command"
                   : plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome == PLX_E_ARGUMENT ? PLX_E_PERMISSION : outcome);
}

/* Which change was the last one. An attempt that is repeated names the same, so that it is the same
 * change. */
static void look_change(struct finish *finish)
{
    member_survey_take(finish->client, &look_arguments, finish->members);
    finish->after = finish->members->views[0].change;
}

static enum plx_outcome attempt(const struct finish *finish)
{
    const struct plx_change change = {
        .action = PLX_CHANGE_RAISE, .after = finish->after, .format = (uint16_t)finish->format};
    return plx_change(finish->client, &change, TIMEOUT_NS);
}

/* The leader asks the members meanwhile; it keeps saying "not yet" while one of them is silent. */
static int order(struct finish *finish)
{
    enum plx_outcome outcome = attempt(finish);
    while (outcome != PLX_OK) {
        if (outcome != PLX_UNKNOWN && outcome != PLX_MISMATCH && outcome != PLX_TIMEOUT &&
            outcome != PLX_E_UNREACHABLE && outcome != PLX_E_OVERLOADED)
            return refuse(outcome);
        if (!wait_round(finish))
            break;
        if (outcome == PLX_MISMATCH) /* another change came between */
            look_change(finish);
        outcome = attempt(finish);
    }
    if (outcome == PLX_OK)
        return 0;
    if (outcome != PLX_UNKNOWN)
        return refuse(outcome);
    fprintf(stderr,
            "pollux: upgrade: the leader has not heard from every member that it knows format "
            "%" PRIu64 ": see pollux upgrade\n",
            finish->format);
    (void)tell_lacks(&finish->view, finish->format);
    return plx_outcome_exit_code(outcome);
}

static int follow(struct finish *finish)
{
    do {
        if (look(finish->client, &look_arguments, finish->members, &finish->view) != 0)
            return plx_outcome_exit_code(PLX_E_NO_MEMORY);
        if (formats_are_at(&finish->view, finish->format)) {
            printf("format %" PRIu64 " is in force on every node\n", finish->format);
            return 0;
        }
    } while (wait_round(finish));
    fprintf(stderr,
            "pollux: upgrade: format %" PRIu64
            " is noted; a node that is away takes it over when it is back: see pollux upgrade\n",
            finish->format);
    return plx_outcome_exit_code(PLX_UNKNOWN);
}

static int run_finish(struct finish *finish)
{
    finish->format = formats_in_force(&finish->view) + 1;
    if (newest(&finish->view) < finish->format &&
        formats_are_at(&finish->view, finish->format - 1)) {
        printf("format %" PRIu64 " is in force on every node, and no node knows a newer one\n",
               finish->format - 1);
        return 0;
    }
    if (tell_lacks(&finish->view, finish->format) > 0) {
        fprintf(stderr, "pollux: upgrade: nothing changed\n");
        return plx_outcome_exit_code(PLX_E_PERMISSION);
    }
    look_change(finish);
    int code = order(finish);
    return code == 0 ? follow(finish) : code;
}

int cli_upgrade(struct plx_client *client, const struct cli_arguments *arguments)
{
    bool is_finish = arguments->operand_count > 0;
    if (is_finish && strcmp(arguments->operands[0], "finish") != 0)
        return cli_usage_error(arguments, "'%s' is not finish", arguments->operands[0]);
    struct finish *finish = calloc(1, sizeof(*finish));
    struct member_survey *members = calloc(1, sizeof(*members));
    int code = plx_outcome_exit_code(PLX_E_NO_MEMORY);
    if (finish != NULL && members != NULL)
        code = look(client, arguments, members, &finish->view);
    if (code == 0) {
        finish->client = client;
        finish->members = members;
        finish->until_ns =
            now_ns() + (arguments->timeout_ns != 0 ? arguments->timeout_ns : FINISH_NS);
        if (!is_finish && arguments->format == CLI_JSON)
            show_json(&finish->view);
        else if (!is_finish)
            show(&finish->view);
        if (members->answered == 0)
            fprintf(stderr, "pollux: upgrade: no endpoint answered\n");
        code = members->answered == 0 ? CLI_EXIT_UNREACHABLE
               : is_finish            ? run_finish(finish)
                                      : tell_status(&finish->view);
    }
    free(members);
    free(finish);
    return code;
}
