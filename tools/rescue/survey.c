/* See survey.h. */
#include "tools/rescue/survey.h"

#include "server/data_directory.h"
#include "server/node_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a directory ---- */

static void look_at_shard(const struct config *config, uint16_t shard, struct rescue_find *find)
{
    const struct log_identity owner = data_directory_owner(config, shard);
    struct rescue_files files;
    char name[NODE_FILE_NAME_BYTES];
    node_log_name(config, shard, files.log);
    node_identity_name(config, shard, files.identity);
    node_snapshot_name(config, shard, name);
    for (uint32_t file = 0; file < SNAPSHOT_FILES; file++)
        node_numbered_name(name, file, files.snapshots[file]);
    node_journal_name(config, shard, name);
    for (uint32_t bank = 0; bank < JOURNAL_BANKS; bank++)
        node_numbered_name(name, bank, files.journals[bank]);
    rescue_look(&files, &owner, find);
}

static enum error look_at_directory(const char *path, struct rescue_directory *directory,
                                    char *ret_text)
{
    enum error error = data_directory_recall(path, &directory->config, ret_text);
    if (error != OK)
        return error;
    directory->shards = calloc(directory->config.shard_count, sizeof(*directory->shards));
    if (directory->shards == NULL)
        return ERR_NO_MEMORY;
    for (uint16_t shard = 0; shard < directory->config.shard_count; shard++)
        look_at_shard(&directory->config, shard, &directory->shards[shard]);
    return OK;
}

/* ---- all of them ---- */

static enum error compare(const struct config *first, const struct config *other, char *ret_text)
{
    if (first->id == other->id) {
        snprintf(ret_text, RESCUE_TEXT_BYTES,
                 "%.200s and %.200s are both of node %u: which one is it?", first->directory,
                 other->directory, first->id);
        return ERR_ARGUMENT;
    }
    if (strcmp(first->cluster, other->cluster) != 0 || first->shard_count != other->shard_count) {
        snprintf(ret_text, RESCUE_TEXT_BYTES,
                 "%.200s is of the cluster %.100s with %u shards, %.200s of %.100s with %u",
                 first->directory, first->cluster, first->shard_count, other->directory,
                 other->cluster, other->shard_count);
        return ERR_ARGUMENT;
    }
    return OK;
}

enum error rescue_survey_take(char **paths, uint32_t count, struct rescue_survey *ret_survey,
                              char *ret_text)
{
    *ret_survey = (struct rescue_survey){0};
    if (count == 0 || count > NODES_MAX) {
        snprintf(ret_text, RESCUE_TEXT_BYTES, "name 1 to %u data directories", NODES_MAX);
        return ERR_ARGUMENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum error error = look_at_directory(paths[i], &ret_survey->directories[i], ret_text);
        ret_survey->count++;
        for (uint32_t j = 0; j < i && error == OK; j++)
            error = compare(&ret_survey->directories[j].config, &ret_survey->directories[i].config,
                            ret_text);
        if (error != OK)
            return error;
    }
    ret_survey->shard_count = ret_survey->directories[0].config.shard_count;
    return OK;
}

void rescue_survey_release(struct rescue_survey *survey)
{
    for (uint32_t i = 0; i < survey->count; i++)
        free(survey->directories[i].shards);
    survey->count = 0;
}

void rescue_survey_shard(const struct rescue_survey *survey, uint16_t shard,
                         struct rescue_storage ret_storages[NODES_MAX])
{
    for (uint32_t i = 0; i < survey->count; i++)
        ret_storages[i] = survey->directories[i].shards[shard].storage;
}
