/* What every node says of every shard, or of the first one. */
#ifndef POLLUX_TOOLS_CLI_CLI_SURVEY_H
#define POLLUX_TOOLS_CLI_CLI_SURVEY_H

#include "tools/cli/cli_arguments.h"
#include "tools/cli/cli_members.h"
#include "tools/cli/cli_render.h"

#define SHARDS_ASKED_MAX 64 /* as many as a cluster can have */
#define SURVEY_ROWS_MAX  ((size_t)(PLX_ENDPOINTS_MAX + PLX_MEMBERS_MAX) * SHARDS_ASKED_MAX)

/* What every endpoint said, row by row: of one shard, or of each. */
struct survey {
    size_t count;
    size_t answered;
    size_t outside;      /* rows of storages that are no voters */
    uint64_t shards_led; /* a bit for each shard that has a leader with a fresh quorum */
    uint16_t shard_count;
    struct cli_node_row rows[SURVEY_ROWS_MAX];
    struct plx_node nodes[SURVEY_ROWS_MAX];
    uint32_t address_count; /* of members that were added */
    char addresses[PLX_MEMBERS_MAX][MEMBERS_ADDRESS_SIZE];
};

struct survey_plan {
    enum plx_outcome (*ask)(struct plx_client *client, size_t endpoint, uint16_t shard,
                            uint64_t timeout_ns, struct plx_node *ret_node);
    uint64_t timeout_ns;
    uint16_t shards_max; /* so many of each node, where it has them */
};

/* Asks every endpoint. NULL: no memory; the caller frees. */
struct survey *survey_take(struct plx_client *client, const struct cli_arguments *arguments,
                           struct survey_plan plan);
/*
 * Adds the members for which no endpoint has answered, by what the leader of shard 0 says, or else
 * whoever answers: they are asked at the addresses that the configuration has. One that does not
 * answer there, but is heard by the leader, is left out: nodes may reach one another where this
 * program does not.
 */
void survey_add_members(struct survey *survey, struct plx_client *client,
                        const struct cli_arguments *arguments, struct survey_plan plan);

/*
 * Of a survey by plx_status: whether some node has told no counters, because the client's key has
 * not the right `admin`. Then a message is on standard error.
 */
bool survey_is_denied(const struct survey *survey, const struct cli_arguments *arguments);

/* Whether each shard has a leader. */
bool survey_has_leaders(const struct survey *survey);

#endif
