/* See storage.h. */
#include "tools/rescue/storage.h"

#include "pmem/identity.h"
#include "raft/raft.h"
#include "tools/rescue/look.h"

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

enum error rescue_renew(const struct log_options *options, const char *identity_path, uint64_t era,
                        uint64_t birth_before, char *ret_text)
{
    enum error error = OK;
    if (medium_file_size_bytes(options->path) != 0)
        error = put_aside(options->path, era, birth_before, ret_text);
    if (error == OK)
        error = create_log(options, ret_text);
    return error == OK ? identity_note(identity_path, &options->identity, options->birth, ret_text,
                                       RESCUE_TEXT_BYTES)
                       : error;
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

enum error rescue_begin_era(const struct log_options *options, const struct rescue_shard_plan *plan,
                            char *ret_text)
{
    struct arena arena;
    struct log *log;
    struct log_recovery recovery;
    enum error error = arena_init(&arena, log_arena_bytes(options->size_bytes));
    if (error != OK)
        return error;
    error = log_open(options, &arena, &log, &recovery);
    if (error != OK) {
        snprintf(ret_text, RESCUE_TEXT_BYTES, "%s", recovery.note);
    } else {
        error = write_era(log, plan);
        log_close(log);
        if (error != OK)
            snprintf(ret_text, RESCUE_TEXT_BYTES, "%.300s: the record that begins the era: %s",
                     options->path, error_text(error));
    }
    arena_deinit(&arena);
    return error;
}
