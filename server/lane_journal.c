/*
 * The relaxed journal in a lane's life: opened beside the log, drained in the same turn, replayed
 * into the engine before the first packet, and forgotten as the log decides its entries: only when
 * a durable record says that the deciding ones are committed, so that a restart applies them before
 * it answers anybody.
 */
#include "base/check.h"
#include "server/lane_internal.h"

#include <stdio.h>
#include <sys/stat.h>

/* The smallest op of an entry: so many ops a journal can hold at most. */
#define JOURNAL_OP_SIZE_BYTES_MIN WIRE_OP_HEADER_SIZE_BYTES

static enum error append(void *context, uint64_t seq, struct span payload)
{
    struct lane *lane = context;
    enum error error = journal_append(lane->journal, seq, payload);
    if (error == OK)
        lane->counters.journal_appended++;
    return error;
}

static uint64_t next_needed(void *context, uint64_t seq)
{
    const struct lane *lane = context;
    return engine_next_pending(lane->engine, seq);
}

static size_t file_size_bytes(const char *path, const char *suffix)
{
    char name[4096];
    struct stat status;
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (size_t)status.st_size : 0;
}

/* An existing bank keeps its size, whatever the configuration says: the limits follow the file. */
static size_t bank_size_bytes(const struct journal_options *options)
{
    size_t size = options->size_bytes;
    size_t first = file_size_bytes(options->path, ".0");
    size_t second = file_size_bytes(options->path, ".1");
    size = first > size ? first : size;
    return second > size ? second : size;
}

void lane_fill_journal_options(struct lane *lane)
{
    struct engine_options *engine = &lane->options.engine;
    uint32_t pending_max = engine->pending_max;
    engine->journal = (struct engine_journal){0};
    engine->journal_first_seq = 0;
    engine->pending_max = 0;
    engine->pending_blocks_max = 0;
    lane->options.journal.identity = lane->options.log.identity;
    if (lane->options.journal.size_bytes == 0)
        return;
    size_t size = bank_size_bytes(&lane->options.journal);
    engine->journal = (struct engine_journal){.append = append, .context = lane};
    engine->journal_first_seq = lane->options.wall_ns > 0 ? lane->options.wall_ns : 1;
    engine->pending_max = (uint32_t)(size / JOURNAL_OP_SIZE_BYTES_MIN);
    if (pending_max > 0 && pending_max < engine->pending_max)
        engine->pending_max = pending_max;
    engine->pending_blocks_max = (uint32_t)(size / ENGINE_BLOCK_SIZE_BYTES);
}

size_t lane_journal_arena_bytes(const struct lane *lane)
{
    struct journal_options options = lane->options.journal;
    if (options.size_bytes == 0)
        return 0;
    options.size_bytes = bank_size_bytes(&options);
    return journal_arena_bytes(&options);
}

enum error lane_open_journal(struct lane *lane, struct lane_report *report)
{
    struct journal_options *options = &lane->options.journal;
    if (options->size_bytes == 0)
        return OK;
    options->next_needed = next_needed;
    options->context = lane;
    enum error error = journal_open(options, &lane->arena, &lane->journal, &report->journal);
    if (error != OK) {
        snprintf(report->reason, sizeof(report->reason), "%s", report->journal.note);
        return error;
    }
    struct engine_options *engine = &lane->options.engine;
    if (engine->journal_first_seq <= report->journal.last_seq)
        engine->journal_first_seq = report->journal.last_seq + 1;
    engine->has_lost_journal = report->journal.is_created || report->journal.is_damaged;
    return OK;
}

static void apply_log(struct lane *lane)
{
    for (uint64_t index = 1; index <= lane->commit_index; index++) {
        struct log_record record;
        log_read(lane->log, index, &record);
        engine_apply(lane->engine, index, record.term, record.kind, record.payload);
    }
    lane->durable_commit = lane->commit_index;
}

enum error lane_restore_pending(struct lane *lane, struct lane_report *report)
{
    if (lane->journal == NULL)
        return OK;
    apply_log(lane);
    uint64_t cursor = 0;
    uint64_t seq;
    struct span payload;
    while (journal_next(lane->journal, &cursor, &seq, &payload)) {
        enum error error = engine_journal_restore(lane->engine, seq, payload);
        if (error != OK) {
            snprintf(report->reason, sizeof(report->reason), "%s: entry %lu: %s",
                     lane->options.journal.path, (unsigned long)seq, error_text(error));
            return error;
        }
    }
    return OK;
}

void lane_forward_pending(struct lane *lane)
{
    struct span body;
    if (!engine_forward(lane->engine, &body))
        return;
    struct address *to = lane_peer_address(lane, lane->view.leader);
    if (to != NULL)
        lane_send(lane, to, WIRE_FORWARD, body);
}

void lane_note_commit(struct lane *lane, uint64_t index, uint64_t commit_index)
{
    /* One at a time: the next is chosen when this one is durable. */
    if (lane->vouched_commit > lane->durable_commit && lane->vouching_index <= index)
        return;
    lane->vouching_index = index;
    lane->vouched_commit = commit_index;
}

/* Forgets what a restart would not need, and marks what is decided by now as the next to go. */
static void forget_decided(struct lane *lane)
{
    if (lane->vouched_commit > lane->durable_commit && lane->vouching_index <= lane->durable_index)
        lane->durable_commit = lane->vouched_commit;
    if (lane->decided_index > lane->durable_commit)
        return;
    journal_forget(lane->journal, lane->decided_seq);
    lane->decided_seq = engine_journal_done(lane->engine);
    lane->decided_index = engine_applied_index(lane->engine);
}

enum error lane_follow_journal(struct lane *lane)
{
    uint64_t seq;
    if (lane->journal == NULL)
        return OK;
    enum error error = journal_persisted(lane->journal, &seq);
    if (error != OK)
        return error;
    engine_journal_durable(lane->engine, seq);
    forget_decided(lane);
    return OK;
}

const struct journal *lane_journal(const struct lane *lane)
{
    return lane->journal;
}
