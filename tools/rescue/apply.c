/* See apply.h. */
#include "tools/rescue/apply.h"

#include "pmem/identity.h"
#include "raft/raft.h"
#include "server/data_directory.h"
#include "server/node_files.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUNDS_MAX    8u
#define WIPES_MAX     65536u
#define RECYCLE_BYTES (1024u * 1024)
#define ASIDE_BYTES   (NODE_FILE_NAME_BYTES + 64)

/* ---- a new storage for a node that follows ---- */

static enum error put_aside(const char *path, uint64_t era, uint64_t birth, char *ret_text)
{
    char aside[ASIDE_BYTES];
    snprintf(aside, sizeof(aside), "%s.before-era-%" PRIu64 ".%016" PRIx64, path, era, birth);
    return medium_move(path, aside, ret_text, RESCUE_TEXT_BYTES);
}

static enum error create_log(const struct log_options *options, char *ret_text)
{
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    enum error error = arena_init(&arena, log_arena_bytes(options->size_bytes));
    if (error != OK)
        return error;
    error = log_open(options, &arena, &log, &recovery);
    if (error == OK)
        log_close(log);
    else
        snprintf(ret_text, RESCUE_TEXT_BYTES, "%s", recovery.note);
    arena_deinit(&arena);
    return error;
}

static enum error renew(const struct rescue_directory *directory, uint16_t shard,
                        const struct raft_configuration *after, size_t size_bytes, char *ret_text)
{
    const struct rescue_find *find = &directory->shards[shard];
    char path[NODE_FILE_NAME_BYTES];
    char identity_path[NODE_FILE_NAME_BYTES];
    node_log_name(&directory->config, shard, path);
    node_identity_name(&directory->config, shard, identity_path);
    size_t own_bytes = medium_file_size_bytes(path);
    enum error error = OK;
    if (own_bytes != 0)
        error = put_aside(path, after->era, find->storage.storage.birth, ret_text);
    if (error != OK)
        return error;
    size_bytes = own_bytes != 0 ? own_bytes : size_bytes;
    const struct log_options options = {.path = path,
                                        .size_bytes = size_bytes,
                                        .segment_size_bytes = log_segment_size_bytes(size_bytes),
                                        .is_created = true,
                                        .birth = find->storage.new_birth,
                                        .format_max = FORMAT_KNOWN,
                                        .format = after->format,
                                        .identity = data_directory_owner(&directory->config, shard),
                                        .snapshot_index = find->snapshot.index,
                                        .snapshot_term = find->snapshot.term};
    error = create_log(&options, ret_text);
    if (error != OK)
        return error;
    return identity_note(identity_path, &options.identity, options.birth, ret_text,
                         RESCUE_TEXT_BYTES);
}

/* ---- the record that begins the era ---- */

/* Until everything is durable. What was suspect is settled by then, and so is the mark that says
 * it, which is stored only when what it rests on is durable. */
static enum error wait_durable(struct log *log)
{
    enum error error = OK;
    for (uint32_t i = 0; i < ROUNDS_MAX && error == OK; i++) {
        uint64_t ticket;
        uint64_t index;
        (void)log_persist(log);
        error = medium_persist_wait(log_medium(log));
        if (error == OK)
            error = log_persisted(log, &ticket, &index);
        if (error == OK && log_is_quiet(log))
            return medium_persist_wait(log_medium(log));
    }
    return error == OK ? ERR_IO : error;
}

/* The next segment may have to be wiped first. */
static enum error append(struct log *log, const struct log_record *record)
{
    enum error error = log_append(log, record);
    for (uint32_t i = 0; error == ERR_FULL && i < WIPES_MAX && !log_is_recycled(log); i++) {
        enum error recycled = log_recycle(log, RECYCLE_BYTES);
        if (recycled != OK)
            return recycled;
        recycled = wait_durable(log);
        if (recycled != OK)
            return recycled;
        error = log_append(log, record);
    }
    return error;
}

static enum error write_era(struct log *log, const struct rescue_shard_plan *plan)
{
    uint8_t bytes[RAFT_CONFIGURATION_BYTES_MAX];
    size_t size_bytes = raft_configuration_encode(&plan->after, bytes);
    const struct log_record record = {.index = log_last_index(log) + 1,
                                      .term = plan->term,
                                      .commit_index = plan->commit_index < log_last_index(log)
                                                          ? plan->commit_index
                                                          : log_last_index(log),
                                      .kind = RAFT_ENTRY_CONFIGURATION,
                                      .payload = span_of(bytes, size_bytes)};
    log_write_hard_state(log, plan->term, LOG_VOTE_UNKNOWN);
    log_settle(log);
    enum error error = wait_durable(log);
    if (error == OK)
        error = append(log, &record);
    return error == OK ? wait_durable(log) : error;
}

static enum error begin_era(const struct rescue_directory *directory, uint16_t shard,
                            const struct rescue_shard_plan *plan, char *ret_text)
{
    const struct rescue_find *find = &directory->shards[shard];
    char path[NODE_FILE_NAME_BYTES];
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    node_log_name(&directory->config, shard, path);
    const struct log_options options = {.path = path,
                                        .size_bytes = medium_file_size_bytes(path),
                                        .format_max = FORMAT_KNOWN,
                                        .identity = data_directory_owner(&directory->config, shard),
                                        .snapshot_index = find->snapshot.index,
                                        .snapshot_term = find->snapshot.term};
    enum error error = arena_init(&arena, log_arena_bytes(options.size_bytes));
    if (error != OK)
        return error;
    error = log_open(&options, &arena, &log, &recovery);
    if (error != OK) {
        snprintf(ret_text, RESCUE_TEXT_BYTES, "%s", recovery.note);
    } else {
        error = write_era(log, plan);
        log_close(log);
        if (error != OK)
            snprintf(ret_text, RESCUE_TEXT_BYTES, "%.300s: the record that begins the era: %s",
                     path, error_text(error));
    }
    arena_deinit(&arena);
    return error;
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
    return begin_era(chosen, shard, plan, ret_text);
}
