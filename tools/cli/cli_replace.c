/*
 * `pollux member replace NODE`: the storage that the node has now takes the place of the one that
 * it lost, in every shard. Needed only when the node's identity was lost as well. Repeating it is
 * safe, and goes on where an earlier run stopped.
 */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_member_survey.h"
#include "tools/console/console.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUND_NS (200u * 1000 * 1000)
/* So long a leader may think that it hears the lost storage before it is believed. */
#define HEARD_ROUNDS_MAX 15
#define LOSE_TIMEOUT_NS  (2000u * 1000 * 1000)

struct replacement {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    struct member_survey *survey;
    uint16_t node;
    uint32_t heard_rounds; /* in a row */
    uint64_t rounds;
    struct replace_step told[SHARDS_ASKED_MAX]; /* printed last */
};

static int refuse(const struct replacement *replacement, uint16_t shard,
                  const struct replace_step *step)
{
    uint16_t node = replacement->node;
    switch (step->state) {
    case REPLACE_NO_NODE:
        fprintf(stderr,
                "pollux: member: node %u does not answer for shard %u: start it, and name its "
                "endpoint\n",
                node, shard);
        return CLI_EXIT_UNREACHABLE;
    case REPLACE_NO_LEADER:
        fprintf(stderr,
                "pollux: member: nothing changed: nobody leads shard %u with a fresh quorum. A "
                "majority of the voters must have kept their storages\n",
                shard);
        break;
    case REPLACE_NO_VOTER:
        fprintf(stderr,
                "pollux: member: nothing changed: node %u has no voter in shard %u whose place its "
                "storage could take\n",
                node, shard);
        break;
    case REPLACE_DONE:
    case REPLACE_LEARNING:
    case REPLACE_JOINING:
    case REPLACE_WANTED:
        return 0;
    }
    return plx_outcome_exit_code(PLX_E_PERMISSION);
}

static struct replace_step step_of(const struct replacement *replacement, uint16_t shard)
{
    return members_replace_step(&replacement->survey->views[shard], replacement->node);
}

/* 0: it can be done, or the exit code. *ret_wanted: in so many shards there is something to say. */
static int check(const struct replacement *replacement, uint32_t *ret_wanted)
{
    int code = 0;
    *ret_wanted = 0;
    if (replacement->survey->answered == 0) {
        fprintf(stderr, "pollux: member: no endpoint answered\n");
        return CLI_EXIT_UNREACHABLE;
    }
    for (uint16_t shard = 0; shard < replacement->survey->shard_count && code == 0; shard++) {
        struct replace_step step = step_of(replacement, shard);
        *ret_wanted += step.state == REPLACE_WANTED;
        code = refuse(replacement, shard, &step);
    }
    return code;
}

/* Whether the operator wants it. False: *ret_code is the exit code. */
static bool is_confirmed(const struct replacement *replacement, int *ret_code)
{
    if (replacement->arguments->is_yes)
        return true;
    if (isatty(STDIN_FILENO) == 0) {
        *ret_code =
            cli_usage_error(replacement->arguments, "nobody is there to confirm it: give --yes");
        return false;
    }
    for (uint16_t shard = 0; shard < replacement->survey->shard_count; shard++) {
        struct replace_step step = step_of(replacement, shard);
        if (step.state == REPLACE_WANTED)
            printf("shard %u: storage %016" PRIx64 " of node %u is given up, %016" PRIx64
                   " takes its place\n",
                   shard, step.lost.birth, replacement->node, step.birth);
    }
    printf("A storage that was given up never counts again. Go on? [yes/no] ");
    char answer[16] = "";
    /* Nobody can agree to what could not be shown. */
    bool is_yes = console_is_whole() && fgets(answer, sizeof(answer), stdin) != NULL &&
                  strcmp(answer, "yes\n") == 0;
    if (!is_yes)
        fprintf(stderr, "pollux: member: nothing changed\n");
    *ret_code = plx_outcome_exit_code(PLX_E_PERMISSION);
    return is_yes;
}

/* Prints where a shard is, when that is news. */
static void tell(struct replacement *replacement, uint16_t shard, const struct replace_step *step)
{
    struct replace_step *told = &replacement->told[shard];
    bool is_second_over = replacement->rounds % 5 == 0;
    bool is_news =
        replacement->rounds == 0 || told->state != step->state || told->birth != step->birth ||
        (step->state == REPLACE_LEARNING && told->behind != step->behind && is_second_over);
    if (!is_news)
        return;
    *told = *step;
    switch (step->state) {
    case REPLACE_DONE:
        printf("shard %u: storage %016" PRIx64 " is a voter\n", shard, step->birth);
        break;
    case REPLACE_LEARNING:
        printf("shard %u: storage %016" PRIx64 " is a learner, %" PRIu64 " records behind\n", shard,
               step->birth, step->behind);
        break;
    case REPLACE_JOINING:
        printf("shard %u: storage %016" PRIx64 " becomes a voter\n", shard, step->birth);
        break;
    case REPLACE_WANTED:
        printf("shard %u: storage %016" PRIx64 " is to take the place of %016" PRIx64 "\n", shard,
               step->birth, step->lost.birth);
        break;
    case REPLACE_NO_VOTER:
    case REPLACE_NO_LEADER:
    case REPLACE_NO_NODE:
        (void)refuse(replacement, shard, step);
        break;
    }
    fflush(stdout);
}

/* Tells the leader. 0: go on; else the exit code. */
static int lose(struct replacement *replacement, uint16_t shard, const struct replace_step *step)
{
    enum plx_outcome outcome =
        plx_replace(replacement->client, shard, &step->lost, LOSE_TIMEOUT_NS);
    if (outcome != PLX_E_PERMISSION)
        replacement->heard_rounds = 0;
    if (outcome == PLX_OK || outcome == PLX_E_UNREACHABLE || outcome == PLX_MISMATCH ||
        outcome == PLX_TIMEOUT)
        return 0; /* the next look tells */
    if (outcome == PLX_E_PERMISSION && ++replacement->heard_rounds < HEARD_ROUNDS_MAX)
        return 0;
    if (outcome == PLX_E_PERMISSION)
        fprintf(stderr,
                "pollux: member: nothing changed: the leader of shard %u hears storage %016" PRIx64
                " of node %u, so it is not lost. Do two machines run as node %u?\n",
                shard, step->lost.birth, replacement->node, replacement->node);
    else
        fprintf(stderr, "pollux: member: shard %u: %s: %s\n", shard, plx_outcome_name(outcome),
                plx_outcome_text(outcome));
    return plx_outcome_exit_code(outcome);
}

/* One round over all shards. 0: go on, unless *ret_is_done. */
static int advance(struct replacement *replacement, bool *ret_is_done)
{
    *ret_is_done = true;
    for (uint16_t shard = 0; shard < replacement->survey->shard_count; shard++) {
        struct replace_step step = step_of(replacement, shard);
        tell(replacement, shard, &step);
        *ret_is_done &= step.state == REPLACE_DONE;
        int code = step.state == REPLACE_WANTED ? lose(replacement, shard, &step) : 0;
        if (code != 0)
            return code;
    }
    replacement->rounds++;
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Until the storage is a voter everywhere, or the time is over. */
static int carry_through(struct replacement *replacement)
{
    static const struct cli_arguments ask = {.timeout_ns = 0};
    uint64_t timeout_ns = replacement->arguments->timeout_ns;
    uint64_t begun_ns = now_ns();
    for (;;) {
        bool is_done;
        int code = advance(replacement, &is_done);
        if (code != 0)
            return code;
        if (is_done)
            break;
        if (timeout_ns != 0 && now_ns() - begun_ns >= timeout_ns) {
            fprintf(stderr, "pollux: member: it is not finished: repeat the command\n");
            return plx_outcome_exit_code(PLX_UNKNOWN);
        }
        (void)plx_poll(replacement->client, ROUND_NS);
        member_survey_take(replacement->client, &ask, replacement->survey);
    }
    printf("node %u: its storage is a voter of every shard\n", replacement->node);
    return 0;
}

int member_replace(struct plx_client *client, const struct cli_arguments *arguments,
                   struct member_survey *survey)
{
    struct replacement replacement = {.client = client, .arguments = arguments, .survey = survey};
    static const struct cli_arguments ask = {.timeout_ns = 0};
    uint32_t wanted;
    if (arguments->operand_count != 2)
        return cli_usage_error(arguments, "which node? give its number");
    if (!members_node_parse(arguments->operands[1], &replacement.node))
        return cli_usage_error(arguments, "'%s' is not a node's number (1 to 255)",
                               arguments->operands[1]);
    member_survey_take(client, &ask, survey);
    int code = check(&replacement, &wanted);
    if (code != 0)
        return code;
    if (wanted > 0 && !is_confirmed(&replacement, &code))
        return code;
    return carry_through(&replacement);
}
