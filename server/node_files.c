/* See server/node_files.h. */
#include "server/node_files.h"

#include <stdio.h>

void node_log_name(const struct config *config, uint16_t shard, char ret_name[NODE_FILE_NAME_BYTES])
{
    if (config->shard_count == 1)
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s", config->log_path);
    else
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s.%u", config->log_path, shard);
}

void node_journal_name(const struct config *config, uint16_t shard,
                       char ret_name[NODE_FILE_NAME_BYTES])
{
    if (config->shard_count == 1)
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s" NODE_JOURNAL_SUFFIX, config->log_path);
    else
        snprintf(ret_name, NODE_FILE_NAME_BYTES, "%s.%u" NODE_JOURNAL_SUFFIX, config->log_path,
                 shard);
}
