/* See tools/restore/restore.h. */
#include "tools/restore/restore.h"

#include "base/le.h"
#include "server/data_directory.h"
#include "server/node_options.h"
#include "tools/restore/restore_fill.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static_assert(RESTORE_FILL_TEXT_BYTES <= DATA_DIRECTORY_TEXT_BYTES, "what a fill says fits");
static_assert(RESTORE_TEXT_BYTES >= DATA_DIRECTORY_TEXT_BYTES, "what a directory says fits");

#define RESTORE_BACKUP_BYTES 384 /* of a text that names a backup */

struct restore {
    const struct config *config;
    struct node_options *options;
    struct restore_summary *summary;
    char *text;
    const char *name; /* of the backup */
    int fd;
    struct backup_judge judge;                      /* of the first reading */
    uint8_t heads[SHARDS_MAX][SNAPSHOT_HEAD_BYTES]; /* of the streams */
};

/* ---- the first reading: is it whole, and does it fit? ---- */

static enum error keep_head(void *context, enum snapshot_item type, struct span body)
{
    struct restore *restore = context;
    if (type == SNAPSHOT_HEAD)
        memcpy(restore->heads[restore->judge.current], body.data, SNAPSHOT_HEAD_BYTES);
    return OK;
}

static enum error rewind_file(struct restore *restore)
{
    if (lseek(restore->fd, 0, SEEK_SET) == 0)
        return OK;
    snprintf(restore->text, RESTORE_TEXT_BYTES, "cannot seek: give a file, not a pipe");
    return ERR_ARGUMENT;
}

static enum error verify(struct restore *restore)
{
    struct backup_reader reader;
    struct backup_visitor visitor = {.visit = keep_head, .context = restore};
    enum error error = rewind_file(restore);
    if (error != OK)
        return error;
    error = backup_read_begin(&reader, restore->fd);
    if (error != OK)
        snprintf(restore->text, RESTORE_TEXT_BYTES, "offset 0: %s", error_text(error));
    else if (!backup_judge_init(&restore->judge, reader.head.shard_count, &visitor))
        error = ERR_NO_MEMORY;
    else
        error = backup_verify(&reader, &restore->judge, restore->text, RESTORE_TEXT_BYTES);
    restore->summary->head = reader.head;
    backup_judge_deinit(&restore->judge);
    backup_read_deinit(&reader);
    return error;
}

static enum error refuse_limit(struct restore *restore, uint16_t shard, const char *setting,
                               uint64_t wanted, uint64_t capacity)
{
    snprintf(restore->text, RESTORE_TEXT_BYTES,
             "shard %u needs %s for %" PRIu64 ", and the configuration gives each shard %" PRIu64
             ": raise %s",
             shard, setting, wanted, capacity, setting);
    return ERR_ARGUMENT;
}

/* What the first start would refuse. */
static enum error check_limits(struct restore *restore, const struct engine_options *engine)
{
    const uint8_t *head = restore->heads[engine->shard];
    bool has_limits = le32_load(head + 12) != 0;
    uint64_t keys = le64_load(head + 32);
    uint64_t blocks = le64_load(head + 40);
    if (has_limits && le32_load(head + 48) > keys)
        keys = le32_load(head + 48);
    if (has_limits && le32_load(head + 52) > blocks)
        blocks = le32_load(head + 52);
    uint32_t keys_capacity = engine->keys_capacity != 0 ? engine->keys_capacity : engine->keys_max;
    uint32_t blocks_capacity =
        engine->blocks_capacity != 0 ? engine->blocks_capacity : engine->blocks_max;
    uint32_t sessions_capacity =
        engine->sessions_capacity != 0 ? engine->sessions_capacity : engine->sessions_max;
    if (keys > keys_capacity)
        return refuse_limit(restore, engine->shard, "keys_capacity", keys, keys_capacity);
    if (blocks > blocks_capacity)
        return refuse_limit(restore, engine->shard, "store_capacity (blocks of 128 bytes)", blocks,
                            blocks_capacity);
    if (has_limits && le32_load(head + 56) > sessions_capacity)
        return refuse_limit(restore, engine->shard, "sessions_capacity", le32_load(head + 56),
                            sessions_capacity);
    return OK;
}

static enum error check_fit(struct restore *restore)
{
    enum error error = OK;
    if (restore->judge.shard_count != restore->config->shard_count) {
        snprintf(restore->text, RESTORE_TEXT_BYTES,
                 "the backup has %u shards, and [cluster] shards is %u: they must be equal",
                 restore->judge.shard_count, restore->config->shard_count);
        return ERR_ARGUMENT;
    }
    for (uint16_t i = 0; i < restore->config->shard_count && error == OK; i++) {
        const struct replica_options *options = &restore->options->replicas[i];
        uint16_t shard = options->shard;
        restore->summary->shards[shard] = restore->judge.shards[shard];
        restore->summary->versions[shard] = restore_version(restore->judge.shards[shard].index);
        error = check_limits(restore, &options->engine);
        if (error == OK && restore->summary->versions[shard] == 0) {
            snprintf(restore->text, RESTORE_TEXT_BYTES, "shard %u: no versions are left", shard);
            error = ERR_RANGE;
        }
    }
    restore->summary->pending = restore->judge.pending;
    restore->summary->silent_nodes = restore->judge.silent_nodes;
    return error;
}

/* ---- the second reading: into files ---- */

static const struct replica_options *options_of(const struct restore *restore, uint16_t shard)
{
    const struct replica_options *options = restore->options->replicas;
    while (options->shard != shard) /* each shard has its own */
        options++;
    return options;
}

/* Never 0. */
static enum error draw(uint64_t *ret_number)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return ERR_IO;
    *ret_number = number | 1;
    return OK;
}

static enum error fill(void *context, char *text)
{
    struct restore *restore = context;
    struct restore_target targets[SHARDS_MAX];
    enum error error = OK;
    for (uint16_t shard = 0; shard < restore->config->shard_count && error == OK; shard++) {
        struct restore_target *target = &targets[shard];
        *target = (struct restore_target){.options = options_of(restore, shard),
                                          .self = config_self(restore->config),
                                          .version = restore->summary->versions[shard]};
        error = draw(&target->birth);
        if (error == OK)
            error = draw(&target->cluster);
    }
    return error == OK ? restore_fill(restore->fd, targets, text) : error;
}

/* For whoever finds the directory of a restore that was cut short. */
static void name_backup(const struct restore *restore, char ret_backup[RESTORE_BACKUP_BYTES])
{
    const struct backup_head *head = &restore->summary->head;
    time_t begun = (time_t)head->created_s;
    struct tm parts;
    char time[32] = "";
    if (gmtime_r(&begun, &parts) != NULL)
        (void)strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &parts);
    snprintf(ret_backup, RESTORE_BACKUP_BYTES, "%.200s (a backup of cluster %.100s, begun %s)",
             restore->name, head->cluster, time);
}

static enum error run(struct restore *restore)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return ERR_IO;
    const struct node_start start = {.incarnation = 1, .seed = seed};
    node_options_fill(restore->config, &start, restore->options);
    enum error error = verify(restore);
    if (error == OK)
        error = check_fit(restore);
    if (error != OK)
        return error;
    char backup[RESTORE_BACKUP_BYTES];
    name_backup(restore, backup);
    const struct data_directory_filler filler = {
        .backup = backup, .fill = fill, .context = restore};
    return data_directory_make(restore->config, &filler, restore->text);
}

enum error restore_run(const struct config *config, const struct restore_source *source,
                       struct restore_summary *ret_summary, char ret_text[RESTORE_TEXT_BYTES])
{
    struct restore *restore = calloc(1, sizeof(*restore));
    struct node_options *options = calloc(1, sizeof(*options));
    enum error error = ERR_NO_MEMORY;
    if (restore != NULL && options != NULL) {
        *restore = (struct restore){.config = config,
                                    .options = options,
                                    .summary = ret_summary,
                                    .text = ret_text,
                                    .name = source->name,
                                    .fd = source->fd};
        error = run(restore);
    }
    free(options);
    free(restore);
    return error;
}
