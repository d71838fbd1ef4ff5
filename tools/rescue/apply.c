/* See apply.h. */
#include "tools/rescue/apply.h"

#include "server/node_files.h"
#include "tools/rescue/storage.h"

/* Of the log as it is, or is to be. */
static struct log_options log_options_of(const struct rescue_directory *directory, uint16_t shard,
                                         const char *path, size_t size_bytes)
{
    const struct snapshot_label *snapshot = &directory->shards[shard].snapshot;
    return (struct log_options){.path = path,
                                .size_bytes = size_bytes,
                                .format_max = FORMAT_KNOWN,
                                .identity = data_directory_owner(&directory->config, shard),
                                .snapshot_index = snapshot->index,
                                .snapshot_term = snapshot->term};
}

static enum error renew(const struct rescue_directory *directory, uint16_t shard,
                        const struct raft_configuration *after, size_t size_bytes, char *ret_text)
{
    const struct rescue_storage *storage = &directory->shards[shard].storage;
    char path[NODE_FILE_NAME_BYTES];
    char identity_path[NODE_FILE_NAME_BYTES];
    node_log_name(&directory->config, shard, path);
    node_identity_name(&directory->config, shard, identity_path);
    size_t own_bytes = medium_file_size_bytes(path);
    size_bytes = own_bytes != 0 ? own_bytes : size_bytes;
    struct log_options options = log_options_of(directory, shard, path, size_bytes);
    options.segment_size_bytes = log_segment_size_bytes(size_bytes);
    options.is_created = true;
    options.birth = storage->new_birth;
    options.format = after->format;
    return rescue_renew(&options, identity_path, after->era, storage->storage.birth, ret_text);
}

enum error rescue_apply(const struct rescue_survey *survey, uint16_t shard,
                        const struct rescue_shard_plan *plan, char *ret_text)
{
    char path[NODE_FILE_NAME_BYTES];
    const struct rescue_directory *chosen = &survey->directories[plan->chosen];
    node_log_name(&chosen->config, shard, path);
    size_t size_bytes = medium_file_size_bytes(path);
    for (uint32_t i = 0; i < survey->count; i++) {
        if (i == plan->chosen)
            continue;
        enum error error =
            renew(&survey->directories[i], shard, &plan->after, size_bytes, ret_text);
        if (error != OK)
            return error;
    }
    const struct log_options options = log_options_of(chosen, shard, path, size_bytes);
    return rescue_begin_era(&options, plan, ret_text);
}
