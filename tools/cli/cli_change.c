/*
 * `pollux member add|promote|remove|update`: which nodes are wanted as members. The leader of shard
 * 0 notes it, and all shards follow by themselves; the command shows how far they are. Repeating it
 * is safe, and goes on where an earlier run stopped.
 */
#include "tools/cli/cli_commands.h"
#include "tools/cli/cli_member_survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ROUND_NS    (200u * 1000 * 1000)
#define TIMEOUT_NS  (2000u * 1000 * 1000)
#define TOLD_ROUNDS 10
#define NOT_TOLD    UINT8_MAX

/* Rounds after which it is told again that nobody leads. */
#define LEADERLESS_ROUNDS 50

/* As long as the number of writes that a node has alone does not fall: then it is told, and not
 * waited for any more. */
#define DRAIN_ROUNDS_MAX 150

struct run {
    struct plx_client *client;
    const struct cli_arguments *arguments;
    struct member_survey *survey;
    struct plx_change change;
    bool is_in_doubt; /* an attempt may have been noted */
    bool is_refused;  /* here, before anybody was asked; why: */
    char refusal[256];
    const char *lack;  /* what an attempt lacks; NULL: it was made */
    uint64_t until_ns; /* 0: no end */
    uint64_t rounds;
    uint64_t undrained; /* as last seen, and in which round that was new */
    uint64_t undrained_round;
    uint8_t told[SHARDS_ASKED_MAX]; /* enum change_state, printed last */
};

static const struct cli_arguments look_arguments = {.timeout_ns = 0};

static const struct word {
    const char *text;
    enum plx_change_action action;
    int operand_count; /* the word itself, too */
} words[] = {{"add", PLX_CHANGE_ADD, 3},
             {"promote", PLX_CHANGE_PROMOTE, 2},
             {"remove", PLX_CHANGE_REMOVE, 2},
             {"update", PLX_CHANGE_UPDATE, 3}};

static const struct word *word_of(const char *what)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].text, what) == 0)
            return &words[i];
    }
    return NULL;
}

bool member_is_change(const char *what)
{
    return word_of(what) != NULL;
}

/* 0, or the exit code. */
static int read_operands(struct run *run)
{
    const struct cli_arguments *arguments = run->arguments;
    const struct word *word = word_of(arguments->operands[0]);
    struct plx_change *change = &run->change;
    *change = (struct plx_change){.action = word->action,
                                  .is_learner = arguments->is_learner,
                                  .is_forced = arguments->is_force};
    if (arguments->operand_count != word->operand_count)
        return cli_usage_error(arguments, word->operand_count == 3
                                              ? "which node, and where? give number and ip:port"
                                              : "which node? give its number alone");
    if (!members_node_parse(arguments->operands[1], &change->node))
        return cli_usage_error(arguments, "'%s' is not a node's number (1 to 255)",
                               arguments->operands[1]);
    if (word->operand_count == 3 && !members_address_parse(arguments->operands[2], change))
        return cli_usage_error(arguments, "'%s' is not ip:port, as in [peers]",
                               arguments->operands[2]);
    if (change->is_learner && change->action != PLX_CHANGE_ADD)
        return cli_usage_error(arguments, "--learner: only of member add");
    if (change->is_forced && change->action != PLX_CHANGE_REMOVE)
        return cli_usage_error(arguments, "--force: only of member remove");
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* False: the time is over. */
static bool wait_round(struct run *run)
{
    (void)plx_poll(run->client, ROUND_NS);
    run->rounds++;
    return run->until_ns == 0 || now_ns() < run->until_ns;
}

static const char *argument_text(enum plx_change_action action)
{
    switch (action) {
    case PLX_CHANGE_ADD:
        return "the node is a member already, at another address or in another role, or another "
               "member has the address: see member list, update and promote";
    case PLX_CHANGE_UPDATE:
        return "another member has the address: see member list";
    case PLX_CHANGE_PROMOTE:
    case PLX_CHANGE_REMOVE:
    case PLX_CHANGE_RAISE:
        break;
    }
    return "no voter would stay";
}

static const char *refusal_text(const struct run *run, enum plx_outcome outcome)
{
    if (run->is_refused)
        return run->refusal;
    switch (outcome) {
    case PLX_NOT_FOUND:
        return "there is no such node";
    case PLX_E_ARGUMENT:
        return argument_text(run->change.action);
    case PLX_E_PERMISSION:
        return "too few of those who would stay are heard, and the cluster would stand still. "
               "Start them, or give --force";
    case PLX_E_UNSUPPORTED:
        return "the node's storage belongs to another cluster: give the node an empty directory";
    case PLX_E_TOO_LARGE:
        return "there are as many nodes as there may be";
    case PLX_E_OVERLOADED:
        return "the log of the leader of shard 0 has no room for a change. The next snapshot makes "
               "room: repeat the command";
    default:
        return plx_outcome_text(outcome);
    }
}

static void tell_pending(const struct run *run)
{
    if (run->lack != NULL && run->rounds % LEADERLESS_ROUNDS == TOLD_ROUNDS)
        fprintf(stderr, "pollux: member: %s\n", run->lack);
    if (run->lack != NULL || run->rounds != TOLD_ROUNDS)
        return;
    if (run->change.action == PLX_CHANGE_ADD)
        printf(
            "node %u: does not say yet which storage it has; is it running at this address, with "
            "join = true?\n",
            run->change.node);
    else
        printf("node %u: an earlier change is under way\n", run->change.node);
    fflush(stdout);
}

/* Looks which change was the last one. False: nobody leads. */
static bool look(struct run *run)
{
    member_survey_take(run->client, &look_arguments, run->survey);
    const struct members_view *view = &run->survey->views[0];
    run->change.after = view->change;
    run->lack = NULL;
    if (run->survey->answered == 0 || run->survey->shard_count == 0)
        run->lack = "no endpoint answers, so nobody notes the change: are the nodes up, and is "
                    "that their cluster's name?";
    else if (view->leader == 0)
        run->lack = "nobody leads shard 0 with a fresh quorum, so nobody notes the change; it is "
                    "noted as soon as somebody leads. Start the nodes that pollux status shows as "
                    "down. If a majority is lost for good, see pollux rescue";
    return run->lack == NULL;
}

/* Whether some shard has a member of the node, or the node has a storage that is none. */
static bool is_known(const struct run *run)
{
    for (uint16_t shard = 0; shard < run->survey->shard_count; shard++) {
        if (members_has_node(&run->survey->views[shard], run->change.node))
            return true;
    }
    return false;
}

/* What nobody need be asked for, because it makes no sense. */
static bool is_senseless(struct run *run)
{
    const struct members_row *row =
        members_at(&run->survey->views[0], &run->change, run->survey->shard_count);
    run->is_refused = true;
    if (row != NULL) {
        snprintf(run->refusal, sizeof(run->refusal),
                 "node %u is at %s, and each node needs an address of its own (shard s has the "
                 "port plus s)",
                 row->node, row->address);
        return true;
    }
    if (run->change.action == PLX_CHANGE_REMOVE && !is_known(run)) {
        snprintf(run->refusal, sizeof(run->refusal),
                 "there is no such member: node %u never was one, or was removed already",
                 run->change.node);
        return true;
    }
    run->is_refused = false;
    return false;
}

/* One attempt. PLX_TIMEOUT: nothing changed, and it may be tried again. */
static enum plx_outcome attempt(struct run *run)
{
    if (!run->is_in_doubt) {
        if (!look(run))
            return PLX_TIMEOUT;
        if (is_senseless(run))
            return PLX_E_ARGUMENT;
    }
    enum plx_outcome outcome = plx_change(run->client, &run->change, TIMEOUT_NS);
    run->is_in_doubt |= outcome == PLX_UNKNOWN || outcome == PLX_E_UNREACHABLE;
    return outcome == PLX_MISMATCH && !run->is_in_doubt ? PLX_TIMEOUT : outcome;
}

static int refuse(const struct run *run, enum plx_outcome outcome)
{
    if (outcome == PLX_MISMATCH) {
        fprintf(stderr, "pollux: member: another change of members came between, and this one may "
                        "have been made before it: see member list, and repeat the command if need "
                        "be\n");
        return plx_outcome_exit_code(PLX_UNKNOWN);
    }
    fprintf(stderr, "pollux: member: nothing changed: %s\n", refusal_text(run, outcome));
    return plx_outcome_exit_code(
        outcome == PLX_NOT_FOUND || outcome == PLX_E_ARGUMENT ? PLX_E_PERMISSION : outcome);
}

/* The time is over. */
static int tell_late(const struct run *run)
{
    if (run->lack == NULL || run->is_in_doubt) {
        fprintf(stderr, "pollux: member: not noted in time: repeat the command\n");
        return plx_outcome_exit_code(PLX_UNKNOWN);
    }
    fprintf(stderr, "pollux: member: nothing changed: %s\n", run->lack);
    return plx_outcome_exit_code(PLX_TIMEOUT);
}

/* Until the cluster has noted it. 0, or the exit code. */
static int order(struct run *run)
{
    for (;;) {
        enum plx_outcome outcome = attempt(run);
        if (outcome == PLX_OK)
            return 0;
        if (outcome != PLX_UNKNOWN && outcome != PLX_E_UNREACHABLE && outcome != PLX_TIMEOUT)
            return refuse(run, outcome);
        tell_pending(run);
        if (!wait_round(run))
            return tell_late(run);
    }
}

static void tell(struct run *run, const struct members_view *view, enum change_state state)
{
    static const char *const texts[] = {[CHANGE_DONE] = "done",
                                        [CHANGE_WAITING] = "is to follow",
                                        [CHANGE_LEARNING] = "is a learner",
                                        [CHANGE_JOINING] = "becomes a voter",
                                        [CHANGE_LEAVING] = "is still a member",
                                        [CHANGE_NO_LEADER] = "nobody leads with a fresh quorum"};
    uint16_t shard = view->shard;
    if (run->told[shard] == state && (state == CHANGE_DONE || run->rounds % TOLD_ROUNDS != 0))
        return;
    run->told[shard] = (uint8_t)state;
    const char *step = members_step_text(view->step);
    uint64_t undrained = members_undrained(view, run->change.node);
    if (state == CHANGE_LEAVING && view->step == PLX_STEP_DRAIN && undrained > 0 &&
        undrained != UINT64_MAX)
        printf("shard %u: node %u drains %" PRIu64 " writes\n", shard, run->change.node,
               undrained - 1);
    else
        printf("shard %u: node %u %s%s%s\n", shard, run->change.node, texts[state],
               step[0] != '\0' ? ": " : "", step);
    fflush(stdout);
}

static bool is_draining(const struct run *run)
{
    return run->change.action == PLX_CHANGE_REMOVE && run->survey->views[0].step == PLX_STEP_DRAIN;
}

/* Whether the node has said for long that as many of its writes are not replicated, or nothing. */
static bool is_drain_stuck(struct run *run)
{
    const struct members_view *view = &run->survey->views[0];
    uint64_t undrained = members_undrained(view, run->change.node);
    if (!is_draining(run) || undrained != run->undrained) {
        run->undrained = undrained;
        run->undrained_round = run->rounds;
    }
    return run->rounds - run->undrained_round >= DRAIN_ROUNDS_MAX;
}

static int tell_stuck(const struct run *run)
{
    bool is_known = run->undrained != 0 && run->undrained != UINT64_MAX;
    if (is_known)
        fprintf(stderr,
                "pollux: member: node %u: %" PRIu64
                " relaxed writes are on it alone and are not replicated: is the node running, and "
                "has the store room? ",
                run->change.node, run->undrained - 1);
    else
        fprintf(stderr,
                "pollux: member: node %u: does not say whether relaxed writes are on it alone: is "
                "it running? ",
                run->change.node);
    fprintf(stderr, "It goes when they are replicated; --force: at once, and they are lost; member "
                    "add: it stays\n");
    return plx_outcome_exit_code(PLX_UNKNOWN);
}

/* Until every shard has followed. 0, or the exit code. */
static int follow(struct run *run)
{
    memset(run->told, NOT_TOLD, sizeof(run->told));
    for (;;) {
        const struct member_survey *survey = run->survey;
        bool is_done = true;
        member_survey_take(run->client, &look_arguments, run->survey);
        for (uint16_t shard = 0; shard < survey->shard_count; shard++) {
            const struct members_view *view = &survey->views[shard];
            enum change_state state =
                members_change_state(view, &run->change, survey->views[0].change);
            tell(run, view, state);
            is_done &= state == CHANGE_DONE;
        }
        if (is_done && survey->answered > 0)
            return 0;
        bool is_drain_over = is_drain_stuck(run);
        bool is_over = !wait_round(run);
        if (is_drain_over || (is_over && is_draining(run)))
            return tell_stuck(run);
        if (is_over) {
            fprintf(stderr, "pollux: member: it goes on by itself: see pollux member list\n");
            return plx_outcome_exit_code(PLX_UNKNOWN);
        }
    }
}

int member_change(struct plx_client *client, const struct cli_arguments *arguments,
                  struct member_survey *survey)
{
    struct run run = {.client = client, .arguments = arguments, .survey = survey};
    int code = read_operands(&run);
    if (code != 0)
        return code;
    if (arguments->timeout_ns != 0)
        run.until_ns = now_ns() + arguments->timeout_ns;
    code = order(&run);
    if (code != 0)
        return code;
    if (arguments->is_no_wait) {
        printf("node %u: noted; the shards follow by themselves\n", run.change.node);
        return 0;
    }
    code = follow(&run);
    if (code == 0)
        printf("node %u: done in every shard\n", run.change.node);
    return code;
}
