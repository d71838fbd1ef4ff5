/*
 * What the data directories that are left have, shard by shard. Reads only: nodes may run.
 *
 * Owner: the main thread. Asks the system for memory.
 */
#ifndef POLLUX_TOOLS_RESCUE_SURVEY_H
#define POLLUX_TOOLS_RESCUE_SURVEY_H

#include "pmem/node_identity.h"
#include "tools/rescue/look.h"

struct rescue_directory {
    struct config config; /* as far as the directory says it: id, directory, cluster, shards */
    struct node_identity identity;
    struct rescue_find *shards; /* config.shard_count of them */
};

struct rescue_survey {
    uint32_t count;
    uint16_t shard_count;
    struct rescue_directory directories[NODES_MAX];
};

/* Reads the directories at these paths, at most NODES_MAX. ERR_ARGUMENT: too many; they are not of
 * one cluster; two are of one node. Others as node_identity_decode, and ERR_IO, ERR_NOT_FOUND,
 * ERR_NO_MEMORY. `ret_text` (RESCUE_TEXT_BYTES) then explains. */
MUST_USE enum error rescue_survey_take(char **paths, uint32_t count,
                                       struct rescue_survey *ret_survey, char *ret_text);
void rescue_survey_release(struct rescue_survey *survey);

/* The storages of one shard, one for each directory. */
void rescue_survey_shard(const struct rescue_survey *survey, uint16_t shard,
                         struct rescue_storage ret_storages[NODES_MAX]);

#endif
