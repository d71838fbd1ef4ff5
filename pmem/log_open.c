/*
 * Opening a log: whose it is, what it holds, what was lost; then everything found is made durable,
 * so that the node may build on it. Nothing is written before every check has passed.
 */
#include "pmem/log_internal.h"

#include <inttypes.h>
#include <stdio.h>

size_t log_arena_bytes(size_t file_size_bytes)
{
    return sizeof(struct log) + (file_size_bytes / RECORD_ALIGN_BYTES + 1) * sizeof(uint32_t) + 128;
}

static enum error log_options_check(const struct log_options *options, char *note, size_t note_size)
{
    if (options->path != NULL && options->path[0] != '\0' &&
        options->size_bytes >= LOG_FILE_BYTES_MIN && options->size_bytes <= LOG_FILE_BYTES_MAX &&
        options->size_bytes % 4096 == 0)
        return OK;
    snprintf(note, note_size, "log size %zu: must be a multiple of 4096 from %u on",
             options->size_bytes, LOG_FILE_BYTES_MIN);
    return ERR_ARGUMENT;
}

static enum error arena_check(const struct arena *arena, size_t file_bytes,
                              const struct log_options *options, char *note, size_t note_size)
{
    if (arena->capacity_bytes - arena->used_bytes >= log_arena_bytes(file_bytes) &&
        file_bytes <= LOG_FILE_BYTES_MAX)
        return OK;
    snprintf(
        note, note_size,
        "%.120s: the file has %zu bytes, the configuration says %zu; set the log size to that of "
        "the file",
        options->path, file_bytes, options->size_bytes);
    return ERR_NO_MEMORY;
}

/* Tells what the walk found. The damaged header copy or slot is told only when nothing worse is. */
static void recovery_describe(const struct log *log, const struct recovery_scan *scan,
                              const char *path, bool is_repaired, struct log_recovery *ret_recovery)
{
    size_t lost_end = log->append_offset;

    if (scan->lost_offset == 0 && is_repaired) {
        snprintf(
            ret_recovery->note, sizeof(ret_recovery->note),
            "%.120s: offsets 0 to %u: a damaged copy of header or hard state was repaired from "
            "the other; check the medium",
            path, LOG_RECORDS_OFFSET);
    }
    if (scan->lost_offset == 0)
        return;
    if (scan->vouched_offset > scan->lost_offset) {
        ret_recovery->hole_first_index = log->last_index + 1;
        ret_recovery->torn_bytes = lost_end - scan->valid_end;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.100s: offset %zu: records from %" PRIu64
                 " on are damaged and are fetched from the peers; until then this node's vote "
                 "counts only where all nodes vote; check the medium",
                 path, scan->lost_offset, log->last_index + 1);
        return;
    }
    ret_recovery->torn_bytes = lost_end - scan->lost_offset;
    snprintf(ret_recovery->note, sizeof(ret_recovery->note),
             "%.100s: offset %zu: %" PRIu64 " bytes behind record %" PRIu64
             " are torn, as power loss leaves them; until a quorum has settled the log, this "
             "node's vote counts only where all nodes vote; start the other nodes",
             path, scan->lost_offset, ret_recovery->torn_bytes, log->last_index);
}

/*
 * Stores of an earlier process may be visible and yet out of reach of any sync: still in a cache of
 * the processor, or in pages that the kernel took for clean after a failed sync. Storing the same
 * words again, and one persist, make durable what this start builds on.
 */
static void rewrite(struct log *log, size_t from, size_t to)
{
    uint8_t page[4096];
    for (size_t at = from; at < to; at += sizeof(page)) {
        size_t size_bytes = to - at < sizeof(page) ? to - at : sizeof(page);
        memcpy(page, log->data + at, size_bytes);
        medium_write(log->medium, at, page, size_bytes);
    }
}

static enum error recovered_persist(struct log *log, const struct log_identity *identity,
                                    size_t vouched_offset, uint64_t commit_index)
{
    log_header_write(log->medium, identity, log->end_offset);
    if (log->term != 0)
        hard_state_store(log);
    /* The node answers from this state at once, so that no later start may show an earlier one. */
    log_write_commit_hint(log, commit_index);
    rewrite(log, vouched_offset, log->append_offset);
    enum error error = medium_persist_wait(log->medium);
    if (error != OK)
        return error;
    log->durable_offset = log->append_offset;
    log->durable_index = log->last_index;
    return OK;
}

/* Nothing is damaged, and yet something may be missing. */
static void doubt_describe(const struct log *log, const char *path,
                           struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);

    if (ret_recovery->is_created)
        snprintf(note, note_size,
                 "%.100s: created; the cluster's first election needs every node; a node whose log "
                 "was lost rejoins by itself",
                 path);
    else if (log->lost_through_index == LOG_LOST_EVERYTHING)
        snprintf(note, note_size,
                 "%.100s: offset %zu: no quorum has settled this log since it was created; until "
                 "then this node's vote counts only where all nodes vote; start the other nodes",
                 path, log->append_offset);
    else
        snprintf(note, note_size,
                 "%.100s: offset %zu: records up to %" PRIu64 " may have been lost at an earlier "
                 "start; until a quorum has settled the log, this node's vote counts only where "
                 "all nodes vote; start the other nodes",
                 path, log->append_offset, log->lost_through_index);
}

/* The walk, and what it means for the hard state: a vote for a term is durable before anything of
 * that term is answered, so a record of a later term shows that nothing of it was. */
static void log_recover(struct log *log, const char *path, bool is_repaired,
                        struct recovery_scan *ret_scan, struct log_recovery *ret_recovery)
{
    recovery_scan(log, ret_scan);
    if (log->last_index > 0) {
        struct log_record last;
        log_read(log, log->last_index, &last);
        if (last.term > log->term) {
            log->term = last.term;
            log->vote = 0;
        }
    }
    uint64_t hint = commit_hint_load(log);
    uint64_t commit_index = hint > ret_scan->commit_index ? hint : ret_scan->commit_index;
    log->is_suspect = ret_scan->lost_offset != 0 || log->last_index < log->lost_through_index;
    ret_recovery->last_index = log->last_index;
    ret_recovery->term = log->term;
    ret_recovery->vote = log->vote;
    ret_recovery->commit_index = commit_index < log->last_index ? commit_index : log->last_index;
    ret_recovery->is_suspect = log->is_suspect;
    recovery_describe(log, ret_scan, path, is_repaired, ret_recovery);
    if (log->is_suspect && ret_recovery->note[0] == '\0')
        doubt_describe(log, path, ret_recovery);
}

/* Everything that may fail before anything is taken or written. */
static enum error log_check(const struct log_options *options, const struct arena *arena,
                            struct log *log, bool *ret_is_repaired,
                            struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);
    struct log_header_found found = {0};
    bool is_slot_damaged = false;

    enum error error = log_header_check(log->medium, options, &found, note, note_size);
    if (error == OK)
        error = arena_check(arena, found.file_bytes, options, note, note_size);
    if (error != OK)
        return error;
    log->data = medium_data(log->medium);
    log->seed = log_header_seed(&options->identity);
    log->end_offset = found.file_bytes;
    log->units_max = (found.file_bytes - LOG_RECORDS_OFFSET) / RECORD_ALIGN_BYTES;
    error = hard_state_load(log, &is_slot_damaged);
    if (error != OK) {
        snprintf(
            note, note_size,
            "%.120s: offset %u: both copies of term and vote are damaged; move the file away and "
            "let the node copy the log from its peers",
            options->path, LOG_STATE_OFFSET);
        return error;
    }
    ret_recovery->is_created = found.state == LOG_HEADER_FRESH;
    *ret_is_repaired = found.state == LOG_HEADER_DAMAGED_COPY || is_slot_damaged;
    return OK;
}

enum error log_open(const struct log_options *options, struct arena *arena, struct log **ret_log,
                    struct log_recovery *ret_recovery)
{
    struct log found = {0};
    struct recovery_scan scan;
    bool is_repaired = false;

    memset(ret_recovery, 0, sizeof(*ret_recovery));
    enum error error = log_options_check(options, ret_recovery->note, sizeof(ret_recovery->note));
    if (error != OK)
        return error;
    const struct medium_options medium_options = {.path = options->path,
                                                  .size_bytes = options->size_bytes,
                                                  .is_created = options->is_created};
    error =
        medium_open(&medium_options, &found.medium, ret_recovery->note, sizeof(ret_recovery->note));
    if (error != OK)
        return error;
    error = log_check(options, arena, &found, &is_repaired, ret_recovery);
    if (error != OK) {
        medium_close(found.medium);
        return error;
    }
    struct log *log = arena_take(arena, sizeof(*log), 64);
    found.units = arena_take(arena, (found.units_max + 1) * sizeof(uint32_t), 64);
    *log = found;
    log_recover(log, options->path, is_repaired, &scan, ret_recovery);
    error =
        recovered_persist(log, &options->identity, scan.vouched_offset, ret_recovery->commit_index);
    if (error != OK) {
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.120s: the sync after recovery failed; check the medium", options->path);
        medium_close(log->medium);
        return error;
    }
    *ret_log = log;
    return OK;
}
