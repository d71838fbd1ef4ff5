/* See server/node_files.h. */
#include "server/node_files.h"

#include <stdio.h>

static void name(const struct config *config, uint16_t shard, const char *suffix,
                 char ret_name[NODE_FILE_NAME_BYTES])
{
    if (config->shard_count == 1)
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s%s", config->log_path, suffix);
    else
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s.%u%s", config->log_path, shard, suffix);
}

void node_log_name(const struct config *config, uint16_t shard, char ret_name[NODE_FILE_NAME_BYTES])
{
    name(config, shard, "", ret_name);
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
