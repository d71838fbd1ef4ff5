/* See server/node_files.h. */
#include "server/node_files.h"

#include <stdio.h>

static void name(const struct config *config, uint16_t shard, const char *suffix,
                 char ret_name[NODE_FILE_NAME_BYTES])
{
    snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s/" NODE_SHARD_PREFIX "%u.%s", config->directory,
             shard, suffix);
}

void node_log_name(const struct config *config, uint16_t shard, char ret_name[NODE_FILE_NAME_BYTES])
{
    name(config, shard, NODE_LOG_SUFFIX, ret_name);
}

void node_journal_name(const struct config *config, uint16_t shard,
                       char ret_name[NODE_FILE_NAME_BYTES])
{
    name(config, shard, NODE_JOURNAL_SUFFIX, ret_name);
}

void node_identity_name(const struct config *config, uint16_t shard,
                        char ret_name[NODE_FILE_NAME_BYTES])
{
    name(config, shard, NODE_IDENTITY_SUFFIX, ret_name);
}

void node_snapshot_name(const struct config *config, uint16_t shard,
                        char ret_name[NODE_FILE_NAME_BYTES])
{
    name(config, shard, NODE_SNAPSHOT_SUFFIX, ret_name);
}

void node_numbered_name(const char *name, uint32_t number, char ret_name[NODE_NUMBERED_NAME_BYTES])
{
    snprintf(ret_name, NODE_NUMBERED_NAME_BYTES, "%s-%u", name, number);
}
