/* See log_view.h: reading the file, as often as it takes. */
#include "pmem/log_view_internal.h"

#include "base/le.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *belongs(enum error error)
{
    switch (error) {
    case ERR_CLUSTER:
        return "another cluster";
    case ERR_NODE:
        return "another node";
    default:
        return "another shard";
    }
}

static enum error owner_compare(const struct log_identity *found, const struct log_identity *wanted)
{
    if (wanted == NULL)
        return OK;
    if (found->cluster_id != wanted->cluster_id)
        return ERR_CLUSTER;
    if (found->node != wanted->node)
        return ERR_NODE;
    return found->shard != wanted->shard ? ERR_SHARD : OK;
}

/* Sizes that such a file usually has. */
static void header_assume(struct log_view *view)
{
    struct log_view_state *state = &view->state;
    size_t file_bytes = view->options.reader->size_bytes / 4096 * 4096;
    if (file_bytes < LOG_FILE_BYTES_MIN)
        file_bytes = LOG_FILE_BYTES_MIN;
    if (file_bytes > LOG_FILE_BYTES_MAX)
        file_bytes = LOG_FILE_BYTES_MAX;
    size_t segment_bytes = view->options.is_bank ? 0 : log_segment_size_bytes(file_bytes);
    state->is_header_lost = true;
    state->version = format_versions(FORMAT_KNOWN)->log;
    state->identity = *view->options.identity;
    state->file_bytes = file_bytes;
    state->segment_bytes = log_segments_fit(file_bytes, segment_bytes) ? segment_bytes : 0;
}

static void header_take(struct log_view *view, const struct log_header *header)
{
    view->state.version = header->version;
    view->state.identity = header->identity;
    view->state.file_bytes = header->file_bytes;
    view->state.segment_bytes = header->segment_bytes;
    view->state.birth = header->birth;
}

static enum error header_refuse(const struct log_view *view, enum error error,
                                const struct log_header *header, char *ret_note)
{
    const char *path = view->options.path;
    if (error == ERR_VERSION)
        snprintf(
            ret_note, VIEW_NOTE_BYTES,
            "%.200s: offset 8: format version %u, this program knows %u to %u; use the program "
            "that belongs to the file",
            path, header->version, format_versions(0)->log, format_versions(FORMAT_KNOWN)->log);
    else if (error == ERR_RANGE)
        snprintf(ret_note, VIEW_NOTE_BYTES,
                 "%.200s: offset 32: %zu bytes in segments of %zu: no log of this version has that "
                 "layout",
                 path, header->file_bytes, header->segment_bytes);
    else
        snprintf(ret_note, VIEW_NOTE_BYTES,
                 "%.200s: offsets 0 and %u: no copy of the header is whole, and nothing else says "
                 "whose the file is",
                 path, LOG_HEADER_COPY_OFFSET);
    return error;
}

/* Whose the file is and how it is laid out, from its first page. */
static enum error header_read(struct log_view *view, const uint8_t *page, char *ret_note)
{
    struct log_header header;
    enum error error = log_header_decode(page, &header);
    if (error == ERR_MAGIC || error == ERR_CHECKSUM)
        error = log_header_decode(page + LOG_HEADER_COPY_OFFSET, &header);
    if ((error == ERR_MAGIC || error == ERR_CHECKSUM) && view->options.identity != NULL) {
        header_assume(view);
        return OK;
    }
    if (error != OK)
        return header_refuse(view, error, &header, ret_note);
    header_take(view, &header);
    error = owner_compare(&header.identity, view->options.identity);
    if (error != OK)
        snprintf(ret_note, VIEW_NOTE_BYTES,
                 "%.200s: of cluster %016" PRIx64 ", node %u, shard %u: this is the file of %s",
                 view->options.path, header.identity.cluster_id, header.identity.node,
                 header.identity.shard, belongs(error));
    return error;
}

/* The first page, before the size of the copy is known. */
static enum error header_find(struct log_view *view, char *ret_note)
{
    struct file_copy head;
    enum error error = file_copy_init(view->options.reader, LOG_STATE_OFFSET, &head);
    if (error == OK) {
        (void)file_copy_read(&head, 0, LOG_STATE_OFFSET);
        error = view->options.reader->size_bytes < LOG_HEADER_SIZE_BYTES ? ERR_SHORT : OK;
        if (error == OK)
            error = header_read(view, head.data, ret_note);
        else
            snprintf(ret_note, VIEW_NOTE_BYTES, "%.200s: only %" PRIu64 " bytes, not even a header",
                     view->options.path, view->options.reader->size_bytes);
        file_copy_deinit(&head);
    }
    return error;
}

/* The log as it is before anything of it was read. */
static enum error log_begin(struct log_view *view)
{
    struct log *log = &view->log;
    enum error error = file_copy_init(view->options.reader, view->state.file_bytes, &view->copy);
    if (error != OK)
        return error;
    log->data = view->copy.data;
    log->seed = log_header_seed(&view->state.identity);
    log->birth = view->state.birth;
    segments_layout(log, view->state.file_bytes, view->state.segment_bytes);
    log->units = (uint32_t *)calloc(log->units_max + 1, sizeof(uint32_t));
    if (log->units == NULL) {
        file_copy_deinit(&view->copy);
        return ERR_NO_MEMORY;
    }
    view->state.segment_count = log->segment_count;
    return OK;
}

/* The row, from a segment on. Returns whether anything has changed. */
static bool row_read(struct log_view *view, uint64_t first_sequence)
{
    const struct log *log = &view->log;
    bool has_changed = false;
    for (uint64_t sequence = first_sequence; sequence <= log->row.last; sequence++) {
        size_t begin = log_slot_offset(log, log_slot_of(log, sequence));
        has_changed |= file_copy_read(&view->copy, begin, begin + log->segment_bytes);
    }
    return has_changed;
}

/* The first word of the records of a log of one segment: a wipe begins with it. */
static uint64_t first_word(const struct log_view *view)
{
    return le64_load(view->copy.data + view->log.records_offset);
}

/* Whether a segment of the row has left it, by the words as they are now. */
static bool has_row_left(struct log_view *view, uint64_t word_before)
{
    struct log *log = &view->log;
    if (log->segment_count == 1) {
        (void)file_copy_read(&view->copy, log->records_offset, log->records_offset + 8);
        return word_before != first_word(view);
    }
    const struct log before = *log;
    view_table_take(view);
    for (uint64_t sequence = before.row.first; sequence <= before.row.last; sequence++) {
        const struct log_segment *now = &log->segments[log_slot_of(log, sequence)];
        if (sequence != 0 && (now->state != LOG_SEGMENT_ROW || now->sequence != sequence))
            return true;
    }
    /* What was made ready meanwhile was not read. */
    memcpy(log->segments, before.segments, sizeof(log->segments));
    log->row = before.row;
    return false;
}

/* Reads table and row. False: a segment was dropped meanwhile. */
static bool row_take(struct log_view *view)
{
    struct log *log = &view->log;
    (void)file_copy_read(&view->copy, 0, log->records_offset);
    view_table_take(view);
    if (log->segment_count == 1)
        (void)file_copy_read(&view->copy, log->records_offset, log->records_offset + 8);
    uint64_t word = log->segment_count == 1 ? first_word(view) : 0;
    if (log->row.first != 0)
        (void)row_read(view, log->row.first);
    (void)file_copy_read(&view->copy, 0, log->records_offset);
    return !has_row_left(view, word);
}

/* A log without a row has no record: what its first segment holds is being wiped. */
static void row_begin(struct log *log)
{
    if (log->row.last > 0)
        return;
    log->row = (struct log_row){1, 1, 1, 1};
    log->segments[0] = (struct log_segment){.state = LOG_SEGMENT_ROW, .sequence = 1};
}

static void state_take(struct log_view *view)
{
    struct log *log = &view->log;
    struct log_view_state *state = &view->state;
    memset(log->heard, 0, sizeof(log->heard));
    log->birth_place = 0;
    log->birth_sequence = 0;
    state->is_hard_state_lost = hard_state_take(log) == LOG_SLOTS;
    heard_load(log);
    log->start = starts_at(log, 0);
}

/* Walks; again while what is no record turns out to be on its way, or has had no time to. False: it
 * still changes. */
static bool records_take(struct log_view *view)
{
    const struct file_reader *reader = view->options.reader;
    uint32_t waits = 0;
    for (uint32_t attempt = 0; attempt < LOG_VIEW_ATTEMPTS; attempt++) {
        recovery_run(&view->log, &view->scan);
        if (view->scan.lost_position == 0)
            return true;
        bool has_changed = row_read(view, view_sequence_of(&view->log, view->scan.lost_position));
        if (!has_changed && (reader->wait == NULL || !reader->wait(waits++)))
            return true;
        state_take(view);
    }
    recovery_run(&view->log, &view->scan);
    return false;
}

static void result_take(struct log_view *view)
{
    struct log_view_state *state = &view->state;
    const struct log *log = &view->log;
    uint64_t commit_index = view->scan.commit_index;
    state->term = log->term;
    state->vote = log->vote;
    state->first_index = log->first_index;
    state->last_index = log->last_index;
    state->commit_index = commit_index < log->last_index ? commit_index : log->last_index;
    state->is_suspect = log->is_suspect;
    state->lost_through_index = log->lost_through_index;
    state->ended = ended_reason(log->data, log->seed);
    state->is_begin_settled = begin_mark_is_settled(log);
    state->start_count = log_start_count(log);
    state->row_first = log->row.first;
    state->row_current = log->row.current;
    state->row_last = log->row.last;
    state->used_bytes =
        log_position(log, log->row.current, log->append_offset) -
        log_position(log, log->row.first, log_slot_offset(log, log_slot_of(log, log->row.first)));
}

static void contents_read(struct log_view *view)
{
    bool is_still = false;
    for (uint32_t attempt = 0; attempt < LOG_VIEW_ATTEMPTS && !is_still; attempt++)
        is_still = row_take(view);
    row_begin(&view->log);
    state_take(view);
    bool is_whole = records_take(view);
    if (view->options.is_all_read)
        file_copy_read_rest(&view->copy);
    view->state.is_changing = !is_still || !is_whole;
}

enum error log_view_open(const struct log_view_options *options, struct log_view **ret_view,
                         char *ret_note)
{
    struct log_view *view = (struct log_view *)calloc(1, sizeof(*view));
    enum error error = view == NULL ? ERR_NO_MEMORY : OK;
    ret_note[0] = '\0';
    if (error == OK) {
        view->options = *options;
        error = header_find(view, ret_note);
    }
    if (error == OK)
        error = log_begin(view);
    if (error == ERR_NO_MEMORY)
        snprintf(ret_note, VIEW_NOTE_BYTES, "%.200s: not enough memory to read it", options->path);
    if (error != OK) {
        free(view);
        return error;
    }
    contents_read(view);
    result_take(view);
    *ret_view = view;
    return OK;
}

void log_view_close(struct log_view *view)
{
    file_copy_deinit(&view->copy);
    free(view->log.units);
    free(view);
}
