/* Limits as nodes tell them, and as `pollux config` prints them. */
#ifndef POLLUX_TOOLS_CLI_CLI_CONFIG_RENDER_H
#define POLLUX_TOOLS_CLI_CLI_CONFIG_RENDER_H

#include "client/include/pollux_limits.h"
#include "tools/cli/cli_limits.h"
#include "tools/cli/cli_survey.h"

/* Of one shard, as of the number of its limits. */
struct shard_limits {
    uint64_t number;
    struct cli_limits max;
    struct cli_limits used;
};

/* What the node's memory of one of its shards is made for. */
uint64_t limits_capacity(const struct plx_node *node, enum cli_limit limit);

/* Asks every endpoint about a shard; the newest limits count. False: nobody answers. */
bool limits_ask(struct plx_client *client, uint16_t shard, struct shard_limits *ret_limits,
                uint16_t *ret_shard_count);

/* What is in force in each shard, and what each node's memory is made for. */
void cli_render_limits(const struct cli_arguments *arguments, const struct survey *survey);

#endif
