/*
 * The limits of a cluster as an operator writes them: keys_max=2M store_size=1GiB
 * sessions_max=4096. They are of a whole node, as in its configuration; each shard has its part.
 */
#ifndef POLLUX_TOOLS_CLI_CLI_LIMITS_H
#define POLLUX_TOOLS_CLI_CLI_LIMITS_H

#include "base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_limit { CLI_KEYS_MAX, CLI_STORE_SIZE, CLI_SESSIONS_MAX, CLI_LIMIT_COUNT };

/* Of a node or of a shard. The store is in bytes. */
struct cli_limits {
    uint64_t values[CLI_LIMIT_COUNT]; /* 0: not given */
};

const char *cli_limit_name(enum cli_limit limit);
/* The setting that says what the node's memory is made for. */
const char *cli_limit_setting(enum cli_limit limit);

/* Takes NAME=VALUE. A number may end with K, M or G (thousands), a size has B, KiB, MiB or GiB.
 * False: ret_reason says why. A limit that is given twice is an error. */
bool cli_limits_parse(const char *text, struct cli_limits *limits, char *ret_reason,
                      size_t reason_size);

/* Each shard's part of a node's value, rounded up as the nodes do. */
uint64_t cli_limit_of_shard(enum cli_limit limit, uint64_t value, uint16_t shard_count);
/* The node's value of such parts. */
uint64_t cli_limit_of_node(enum cli_limit limit, uint64_t value, uint16_t shard_count);

/* The value as [cluster] and [node] take it, and config set: a number, or a size with its unit.
 * Returns ret_text. */
const char *cli_limit_text(enum cli_limit limit, uint64_t value, char ret_text[UNITS_TEXT_BYTES]);

#endif
