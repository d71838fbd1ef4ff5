/*
 * Opening a log: whose it is, what it holds, what was lost; then everything found is made durable,
 * so that the node may build on it. Nothing is written before every check has passed.
 */
#include "pmem/log_internal.h"

#include <inttypes.h>
#include <stdio.h>

size_t log_arena_bytes(size_t file_size_bytes)
{
    return sizeof(struct log) + (file_size_bytes / RECORD_ALIGN_BYTES + 1) * sizeof(uint32_t) +
           LOG_HEAD_BYTES_MAX + 192;
}

size_t log_segment_size_bytes(size_t file_size_bytes)
{
    size_t largest_bytes =
        record_room_bytes(RECORD_PAYLOAD_SIZE_BYTES_MAX) + LOG_NOOP_TAIL_SIZE_BYTES;
    size_t wanted_bytes = file_size_bytes / (LOG_SEGMENTS_MAX / 2);
    size_t segment_bytes = wanted_bytes > largest_bytes ? wanted_bytes : largest_bytes;
    return (segment_bytes + 4095) / 4096 * 4096;
}

static enum error log_options_check(const struct log_options *options, char *note, size_t note_size)
{
    bool is_divided = options->segment_size_bytes == 0 ||
                      log_segments_fit(options->size_bytes, options->segment_size_bytes);
    if (options->path != NULL && options->path[0] != '\0' &&
        options->size_bytes >= LOG_FILE_BYTES_MIN && options->size_bytes <= LOG_FILE_BYTES_MAX &&
        options->size_bytes % 4096 == 0 && is_divided)
        return OK;
    snprintf(note, note_size,
             "log size %zu: must be a multiple of 4096 from %u on, and divide into segments of %zu",
             options->size_bytes, LOG_FILE_BYTES_MIN, options->segment_size_bytes);
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

/* Some record calls durable what has rotted. */
static bool is_damaged(const struct recovery_scan *scan)
{
    return scan->lost_position != 0 && scan->vouched_position > scan->lost_position;
}

/* Tells what the walk found. The damaged header copy or slot is told only when nothing worse is. */
static void recovery_describe(const struct log *log, const struct recovery_scan *scan,
                              const char *path, bool is_repaired, struct log_recovery *ret_recovery)
{
    uint64_t lost_end = log_position(log, log->row.current, log->append_offset);

    if (scan->lost_position == 0 && is_repaired) {
        snprintf(
            ret_recovery->note, sizeof(ret_recovery->note),
            "%.120s: offsets 0 to %zu: a damaged copy of header, hard state or table was repaired; "
            "check the medium",
            path, log->records_offset);
        ret_recovery->is_repaired = true;
    }
    if (scan->lost_position == 0)
        return;
    if (is_damaged(scan)) {
        ret_recovery->hole_first_index = log->last_index + 1;
        ret_recovery->torn_bytes = lost_end - scan->valid_end;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.100s: offset %zu: records from %" PRIu64
                 " on are damaged and are fetched from the peers; until then this node's vote "
                 "counts only where all nodes vote; check the medium",
                 path, scan->lost_offset, log->last_index + 1);
        return;
    }
    ret_recovery->torn_bytes = lost_end - scan->lost_position;
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

/* The row from a position on. */
static void rewrite_row(struct log *log, uint64_t position)
{
    for (uint64_t sequence = log->row.first; sequence <= log->row.current; sequence++) {
        size_t begin = log_slot_offset(log, log_slot_of(log, sequence));
        size_t end = sequence < log->row.current ? begin + log->segment_bytes : log->append_offset;
        uint64_t at = log_position(log, sequence, begin);
        if (position > at)
            begin = position - at < end - begin ? begin + (size_t)(position - at) : end;
        rewrite(log, begin, end);
    }
}

/* `found` is the header. A new file gets its hard state when the header is durable, for without it
 * a header that is not whole stands for a file that was never finished; and all the rest when the
 * hard state is durable, for then a file without one is damaged. */
static enum error recovered_persist(struct log *log, const struct log_identity *identity,
                                    const struct log_header_found *found, uint64_t vouched_position,
                                    uint64_t start)
{
    log_header_write(log->medium, identity, found);
    enum error error = found->is_begun ? OK : medium_persist_wait(log->medium);
    if (error != OK)
        return error;
    hard_state_store(log);
    births_rewrite(log);
    heard_rewrite(log);
    error = found->is_begun ? OK : medium_persist_wait(log->medium);
    if (error != OK)
        return error;
    starts_note(log, start);
    segments_store(log);
    segments_prepare(log);
    rewrite_row(log, vouched_position);
    error = medium_persist_wait(log->medium);
    if (error != OK)
        return error;
    segments_stamp(log, 0);
    log->durable_position = log_position(log, log->row.current, log->append_offset);
    log->durable_index = log->last_index;
    log->found_index = log->last_index;
    return OK;
}

/* Where the log does not go on from the snapshot, it begins anew behind it. */
static bool is_apart(const struct log *log, const struct log_options *options)
{
    uint64_t index = options->snapshot_index;
    struct log_record record;
    if (log->first_index > index + 1 || log->last_index < index)
        return true;
    if (index < log->first_index || index == 0)
        return false;
    log_read(log, index, &record);
    return record.term != options->snapshot_term;
}

/* Gives up what is in the row, waiting for the medium. What was lost with it is not forgotten. */
static enum error begin_anew(struct log *log, uint64_t index)
{
    if (log->first_index > index + 1) {
        log->is_suspect = true;
        log->lost_through_index = log->last_index;
    }
    enum error error = log_reset(log, index);
    for (uint64_t i = 0; error == ERR_NOT_YET && i < 4 * LOG_SEGMENTS_MAX; i++) {
        log->row.first = log->row.current; /* no room: at least that much is to be had */
        error = log_recycle(log, log->segment_bytes);
        if (error == OK)
            error = medium_persist_wait(log->medium);
        if (error == OK) {
            segments_stamp(log, 0);
            error = log_reset(log, index);
        }
    }
    return error == OK ? medium_persist_wait(log->medium) : error;
}

/* Nothing is damaged. The log is new, or something may be missing. */
static void doubt_describe(const struct log *log, const char *path,
                           struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);

    if (ret_recovery->is_created)
        snprintf(
            note, note_size,
            "%.100s: created; a cluster forms when all nodes of [peers] are there; where there "
            "is one, its leader takes this storage in place of the one that the node had",
            path);
    else if (log->lost_through_index == LOG_LOST_EVERYTHING)
        snprintf(
            note, note_size,
            "%.100s: offset %zu: no record is left in this log; until a leader has sent what it "
            "may lack, this node's vote counts only where all nodes vote; start the other nodes",
            path, log->append_offset);
    else
        snprintf(note, note_size,
                 "%.100s: offset %zu: records up to %" PRIu64 " may have been lost at an earlier "
                 "start; until a quorum has settled the log, this node's vote counts only where "
                 "all nodes vote; start the other nodes",
                 path, log->append_offset, log->lost_through_index);
}

/* Everything found becomes durable, and a log apart from its snapshot begins anew. */
static enum error log_found(struct log *log, const struct log_options *options,
                            const struct log_header_found *header, const struct recovery_scan *scan,
                            struct log_recovery *ret_recovery)
{
    uint64_t commit_index =
        scan->commit_index < log->last_index ? scan->commit_index : log->last_index;
    /* The node answers from this state at once, so that no later start may show an earlier one. */
    log_write_commit_hint(log, commit_index);
    enum error error =
        recovered_persist(log, &options->identity, header, scan->vouched_position, options->start);
    ret_recovery->is_reset = is_apart(log, options);
    if (error == OK && ret_recovery->is_reset)
        error = begin_anew(log, options->snapshot_index);
    ret_recovery->first_index = log->first_index;
    ret_recovery->last_index = log->last_index;
    ret_recovery->birth = log->birth;
    ret_recovery->format = log->format;
    ret_recovery->term = log->term;
    ret_recovery->vote = log->vote;
    if (ret_recovery->is_reset || commit_index < options->snapshot_index)
        commit_index = options->snapshot_index;
    ret_recovery->commit_index = commit_index;
    ret_recovery->is_suspect = log->is_suspect;
    ret_recovery->is_history_lost = log->is_suspect && options->snapshot_index == 0 &&
                                    log->last_index < log->first_index &&
                                    (log->row.first > 1 || is_damaged(scan));
    return error;
}

static void rotten_describe(const char *path, uint32_t offset, const char *what, char *note,
                            size_t note_size)
{
    snprintf(note, note_size, "%.120s: offset %u: both copies of %s are damaged", path, offset,
             what);
}

/* Something in the file was written in a term. */
static bool is_of_a_term(const struct log *log)
{
    return log->term != 0 || hard_state_has_births(log) || log->row.first > 1 ||
           !recovery_is_zero(log->data, log->records_offset, log->end_offset);
}

/*
 * A journal whose header is lost in both copies: nothing is in it that this node does not know. Its
 * first record tells whether it is this node's.
 */
static bool is_own_journal(const struct log *log, const struct log_options *options,
                           struct log_header_found *ret_header)
{
    struct record_view view;
    struct log found = {.data = medium_data(log->medium),
                        .seed = log_header_seed(&options->identity)};
    size_t file_bytes = medium_size_bytes(log->medium);
    if (!options->is_journal || file_bytes < LOG_FILE_BYTES_MIN)
        return false;
    segments_layout(&found, file_bytes, 0);
    bool is_word_damaged; /* there is none */
    if (segments_load(&found, &is_word_damaged) != OK ||
        !record_load(&found, found.records_offset, &view) || view.record.index != 1)
        return false;
    *ret_header = (struct log_header_found){
        .state = LOG_HEADER_DAMAGED_COPY, .file_bytes = file_bytes, .birth = options->birth};
    return true;
}

/* Whose file it is, and how it is laid out. */
static enum error layout_check(const struct log_options *options, const struct arena *arena,
                               struct log *log, struct log_header_found *ret_header,
                               struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);
    enum error error = log_header_check(log->medium, options, ret_header, note, note_size);
    if ((error == ERR_MAGIC || error == ERR_CHECKSUM) && is_own_journal(log, options, ret_header)) {
        error = OK;
        note[0] = '\0';
    }
    ret_recovery->is_beyond_repair =
        error == ERR_MAGIC || error == ERR_CHECKSUM || error == ERR_SHORT;
    if (error == OK)
        error = arena_check(arena, ret_header->file_bytes, options, note, note_size);
    if (error != OK)
        return error;
    log->data = medium_data(log->medium);
    log->seed = log_header_seed(&options->identity);
    log->birth = ret_header->birth;
    if (ret_header->format < options->format)
        ret_header->format = options->format;
    log->format = ret_header->format;
    segments_layout(log, ret_header->file_bytes, ret_header->segment_bytes);
    return OK;
}

/* Everything that may fail before anything is taken or written. */
static enum error log_check(const struct log_options *options, const struct arena *arena,
                            struct log *log, struct log_header_found *ret_header,
                            struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);
    bool is_slot_damaged = false;
    bool is_word_damaged = false;

    enum error error = layout_check(options, arena, log, ret_header, ret_recovery);
    if (error != OK)
        return error;
    enum error state_error = hard_state_load(log, &is_slot_damaged);
    ret_header->is_begun = state_error == OK;
    error = segments_load(log, &is_word_damaged);
    bool has_terms = ret_header->state != LOG_HEADER_FRESH && is_of_a_term(log);
    if (state_error == ERR_NOT_FOUND && (!has_terms || options->is_journal)) {
        log->is_state_absent = has_terms;
        state_error = OK;
    }
    /* Once there is a term, some segment is in the row. */
    if (error == OK && has_terms && log->row.last == 0)
        error = ERR_CHECKSUM;
    if (error != OK)
        rotten_describe(options->path, LOG_RECORDS_OFFSET, "a segment's word", note, note_size);
    if (state_error != OK)
        rotten_describe(options->path, LOG_STATE_OFFSET, "term and vote", note, note_size);
    ret_recovery->is_beyond_repair = state_error != OK || error != OK;
    if (ret_recovery->is_beyond_repair)
        return ERR_CHECKSUM;
    ret_recovery->is_created = ret_header->state == LOG_HEADER_FRESH;
    if (ret_header->state == LOG_HEADER_GOOD && (is_slot_damaged || is_word_damaged))
        ret_header->state = LOG_HEADER_DAMAGED_COPY;
    return OK;
}

/* Why what was found could not be made durable. */
static void failure_describe(const struct log *log, const char *path,
                             struct log_recovery *ret_recovery)
{
    char *note = ret_recovery->note;
    size_t note_size = sizeof(ret_recovery->note);
    size_t offset;
    ret_recovery->is_beyond_repair = medium_is_unreadable(log->medium, &offset);
    if (ret_recovery->is_beyond_repair)
        snprintf(note, note_size, "%.120s: offset %zu: the device cannot read this page", path,
                 offset);
    else
        snprintf(note, note_size, "%.120s: the sync after recovery failed; check the medium", path);
}

/* What the operator should know. */
static void log_describe(const struct log *log, const char *path, bool is_repaired,
                         const struct recovery_scan *scan, struct log_recovery *ret_recovery)
{
    recovery_describe(log, scan, path, is_repaired, ret_recovery);
    if (log->is_state_absent && ret_recovery->note[0] == '\0') {
        ret_recovery->is_repaired = true;
        snprintf(ret_recovery->note, sizeof(ret_recovery->note),
                 "%.120s: offset %u: this page was empty, and is written again: nothing in it is "
                 "needed; a journal of an earlier release has none at first, else check the medium",
                 path, LOG_STATE_OFFSET);
    }
    if ((log->is_suspect || ret_recovery->is_created) && ret_recovery->note[0] == '\0')
        doubt_describe(log, path, ret_recovery);
}

bool log_is_unused(const struct log_recovery *recovery)
{
    return recovery->term == 0 && recovery->last_index < recovery->first_index;
}

enum error log_open(const struct log_options *options, struct arena *arena, struct log **ret_log,
                    struct log_recovery *ret_recovery)
{
    struct log found = {0};
    struct log_header_found header = {0};
    struct recovery_scan scan;
    size_t offset;

    memset(ret_recovery, 0, sizeof(*ret_recovery));
    enum error error = log_options_check(options, ret_recovery->note, sizeof(ret_recovery->note));
    if (error != OK)
        return error;
    const struct medium_options medium_options = {.path = options->path,
                                                  .size_bytes = options->size_bytes,
                                                  .is_created = options->is_created};
    error =
        medium_open(&medium_options, &found.medium, ret_recovery->note, sizeof(ret_recovery->note));
    ret_recovery->is_beyond_repair = error == ERR_SHORT;
    if (error != OK)
        return error;
    error = log_check(options, arena, &found, &header, ret_recovery);
    if (error != OK) {
        medium_close(found.medium);
        return error;
    }
    struct log *log = arena_take(arena, sizeof(*log), 64);
    found.units = arena_take(arena, (found.units_max + 1) * sizeof(uint32_t), 64);
    found.head = arena_take(arena, LOG_HEAD_BYTES_MAX, 64);
    *log = found;
    heard_load(log);
    if (header.state == LOG_HEADER_FRESH)
        segments_fresh(log);
    segments_begin(log);
    segments_count(log);
    recovery_run(log, &scan);
    log_describe(log, options->path, header.state == LOG_HEADER_DAMAGED_COPY, &scan, ret_recovery);
    if (!medium_is_unreadable(log->medium, &offset))
        error = log_found(log, options, &header, &scan, ret_recovery);
    else
        error = ERR_IO;
    if (error != OK) {
        failure_describe(log, options->path, ret_recovery);
        medium_close(log->medium);
        return error;
    }
    log_head_note(log);
    *ret_log = log;
    return OK;
}
