/* The storages of every shard, asked of every endpoint. */
#ifndef POLLUX_TOOLS_CLI_CLI_MEMBER_SURVEY_H
#define POLLUX_TOOLS_CLI_CLI_MEMBER_SURVEY_H

#include "tools/cli/cli_arguments.h"
#include "tools/cli/cli_members.h"
#include "tools/cli/cli_survey.h"

struct member_survey {
    size_t answered; /* endpoints */
    bool has_answered[PLX_ENDPOINTS_MAX];
    uint16_t shard_count;
    struct members_view views[SHARDS_ASKED_MAX];
};

/* Asks every endpoint, and fills the survey anew. */
void member_survey_take(struct plx_client *client, const struct cli_arguments *arguments,
                        struct member_survey *survey);

/* cli_replace.c: `member replace NODE`. The exit code. */
int member_replace(struct plx_client *client, const struct cli_arguments *arguments,
                   struct member_survey *survey);

/* cli_change.c: `member add|promote|remove|update NODE [ADDRESS]`. The exit code. */
int member_change(struct plx_client *client, const struct cli_arguments *arguments,
                  struct member_survey *survey);

/* Whether that is one of its words. */
bool member_is_change(const char *what);

#endif
