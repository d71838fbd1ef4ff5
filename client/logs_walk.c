/*
 * The walk over logs that were given: each is checked, and those behind the cursor are found. A log
 * is behind the cursor when its timestamp is larger, or equal and its place among those with that
 * timestamp is beyond the cursor's count. As timestamps do not decrease, these are a suffix.
 *
 * Text comes in one piece or in many. A line counts when its end is there, so what lacks its end is
 * left for a later call.
 */
#include "client/logs_internal.h"

struct walk {
    const struct logs_source *source;
    struct plx_logs_position at; /* behind the log walked last */
    struct plx_logs_position cursor;
    size_t count;              /* walked */
    size_t first;              /* behind the cursor; SIZE_MAX: none yet */
    size_t size_bytes;         /* of text walked, and of the line that is under way */
    size_t end_bytes;          /* behind the last line walked */
    size_t first_bytes;        /* where the first line behind the cursor begins */
    bool is_in_line;           /* a line is under way, with this timestamp */
    int64_t timestamp;         /* as it counts */
    enum plx_logs_fault fault; /* of the line under way */
    bool is_over;              /* at a fault, with PLX_LOGS_ODD_STOP */
};

static bool is_behind(struct plx_logs_position place, struct plx_logs_position cursor)
{
    if (cursor.count == 0)
        return true;
    return place.timestamp != cursor.timestamp ? place.timestamp > cursor.timestamp
                                               : place.count > cursor.count;
}

/* The timestamp that a log counts with; `fault`: none is there, or PLX_LOGS_VALID. */
static enum plx_logs_fault timestamp_of(const struct walk *walk, enum plx_logs_fault fault,
                                        int64_t *timestamp)
{
    bool is_first = walk->at.count == 0;
    if (fault == PLX_LOGS_VALID && !is_first && *timestamp < walk->at.timestamp)
        fault = PLX_LOGS_BACKWARD;
    if (fault == PLX_LOGS_VALID || walk->source->odd != PLX_LOGS_ODD_ATTACH)
        return fault;
    *timestamp = is_first ? INT64_MIN : walk->at.timestamp;
    return PLX_LOGS_VALID;
}

static struct plx_logs_position walk_place(const struct walk *walk, int64_t timestamp)
{
    bool is_same = walk->at.count > 0 && timestamp == walk->at.timestamp;
    return (struct plx_logs_position){timestamp, is_same ? walk->at.count + 1 : 1};
}

static void walk_on(struct walk *walk, int64_t timestamp)
{
    walk->at = walk_place(walk, timestamp);
    if (walk->first == SIZE_MAX && is_behind(walk->at, walk->cursor))
        walk->first = walk->count;
    walk->count++;
}

/* False: at a fault. */
static bool walk_stands(struct walk *walk, enum plx_logs_fault fault)
{
    walk->fault = fault;
    walk->is_over = fault != PLX_LOGS_VALID;
    return fault == PLX_LOGS_VALID;
}

static void walk_array(struct walk *walk)
{
    const struct logs_source *source = walk->source;
    for (size_t i = 0; i < source->count; i++) {
        int64_t timestamp = source->logs[i].timestamp;
        if (!walk_stands(walk, timestamp_of(walk, PLX_LOGS_VALID, &timestamp)))
            return;
        walk_on(walk, timestamp);
    }
}

/* A line begins; `line` has its timestamp whole, unless the line is unfinished. */
static void line_begin(struct walk *walk, struct span line)
{
    int64_t timestamp = 0;
    bool has_one = logs_timestamp_parse(walk->source->format, line, &timestamp) > 0;
    walk->is_in_line = true;
    walk->fault = timestamp_of(walk, has_one ? PLX_LOGS_VALID : PLX_LOGS_MALFORMED, &timestamp);
    walk->timestamp = timestamp;
    if (walk->first == SIZE_MAX && walk->first_bytes == SIZE_MAX && walk->fault == PLX_LOGS_VALID &&
        is_behind(walk_place(walk, timestamp), walk->cursor))
        walk->first_bytes = walk->size_bytes;
}

/* More text. What of it lies behind the cursor, or may: from ret_kept on. */
static void walk_text(struct walk *walk, struct plx_bytes text, size_t *ret_kept)
{
    const char *begin = text.data;
    size_t at = 0;
    *ret_kept = walk->first_bytes != SIZE_MAX ? 0 : text.size_bytes;
    while (at < text.size_bytes && !walk->is_over) {
        const char *newline = memchr(begin + at, '\n', text.size_bytes - at);
        size_t size_bytes = newline != NULL ? (size_t)(newline - begin) - at : text.size_bytes - at;
        bool was_found = walk->first_bytes != SIZE_MAX;
        if (!walk->is_in_line)
            line_begin(walk, span_of(begin + at, size_bytes));
        if (!was_found && walk->first_bytes != SIZE_MAX)
            *ret_kept = at;
        if (newline == NULL) {
            walk->size_bytes += size_bytes;
            return;
        }
        walk->is_in_line = false;
        if (!walk_stands(walk, walk->fault))
            return;
        walk_on(walk, walk->timestamp);
        walk->size_bytes += size_bytes + 1;
        walk->end_bytes = walk->size_bytes;
        at += size_bytes + 1;
    }
}

/* Pieces of a stream, until its end. */
static enum plx_logs_fault walk_stream(struct walk *walk, const struct logs_stream *stream)
{
    struct plx_bytes piece = {.size_bytes = 1};
    while (piece.size_bytes > 0 && !walk->is_over) {
        size_t kept;
        enum plx_logs_fault fault = stream->read(stream->context, &piece);
        if (fault != PLX_LOGS_VALID)
            return fault;
        walk_text(walk, piece, &kept);
        if (kept < piece.size_bytes)
            fault =
                stream->keep(stream->context, (struct plx_bytes){(const char *)piece.data + kept,
                                                                 piece.size_bytes - kept});
        if (fault != PLX_LOGS_VALID)
            return fault;
    }
    return PLX_LOGS_VALID;
}

static void walk_result(const struct walk *walk, struct plx_logs_result *ret_result)
{
    bool is_found = walk->first != SIZE_MAX;
    *ret_result = (struct plx_logs_result){.end = walk->at};
    ret_result->first = is_found ? walk->first : walk->count;
    ret_result->count = walk->count - ret_result->first;
    ret_result->offset_bytes = is_found ? walk->first_bytes : walk->end_bytes;
    ret_result->size_bytes = walk->end_bytes - ret_result->offset_bytes;
    if (walk->source->stream == NULL && !walk->source->is_text)
        ret_result->offset_bytes = ret_result->size_bytes = 0;
    if (walk->is_over) {
        ret_result->fault = walk->fault;
        ret_result->line = walk->count + 1;
    }
}

uint64_t logs_mark_check(const void *bytes, size_t size_bytes)
{
    /* FNV-1a, and the size, so that fewer bytes are others. */
    const uint8_t *from = bytes;
    uint64_t check = UINT64_C(0xcbf29ce484222325) ^ size_bytes;
    for (size_t i = 0; i < size_bytes; i++)
        check = (check ^ from[i]) * UINT64_C(0x100000001b3);
    return check;
}

enum plx_logs_fault logs_walk(const struct logs_source *source,
                              const struct logs_walk_options *options,
                              struct plx_logs_result *ret_result, struct logs_mark *ret_mark)
{
    struct walk walk = {.source = source,
                        .at = options->before,
                        .cursor = options->cursor,
                        .first = SIZE_MAX,
                        .first_bytes = SIZE_MAX};
    const struct logs_stream *stream = source->stream;
    enum plx_logs_fault fault = PLX_LOGS_VALID;
    bool is_marked = false;
    size_t kept;
    *ret_mark = (struct logs_mark){.file = 0};
    if (stream != NULL) {
        fault = stream->begin(stream->context, &options->mark, &is_marked);
        if (is_marked)
            walk.at = options->cursor;
        if (fault == PLX_LOGS_VALID)
            fault = walk_stream(&walk, stream);
    } else if (source->is_text) {
        walk_text(&walk, source->text, &kept);
    } else {
        walk_array(&walk);
    }
    walk_result(&walk, ret_result);
    bool is_stop = walk.is_over && source->odd == PLX_LOGS_ODD_STOP && ret_result->count > 0;
    if (fault == PLX_LOGS_VALID && walk.is_over && !is_stop) {
        fault = walk.fault;
        ret_result->offset_bytes = walk.size_bytes;
    }
    if (fault == PLX_LOGS_VALID && stream != NULL)
        fault = stream->end(stream->context, walk.end_bytes, ret_mark);
    if (fault != PLX_LOGS_VALID)
        ret_result->fault = fault;
    return fault;
}
