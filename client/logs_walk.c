/*
 * The walk over logs that were given: each is checked, and those behind the cursor are found. A log
 * is behind the cursor when its timestamp is larger, or equal and its place among those with that
 * timestamp is beyond the cursor's count. As timestamps do not decrease, these are a suffix.
 */
#include "client/logs_internal.h"

struct walk {
    struct plx_logs_position at; /* behind the log walked last */
    struct plx_logs_position cursor;
    size_t count; /* walked */
    size_t first; /* behind the cursor; SIZE_MAX: none yet */
};

static bool is_behind(struct plx_logs_position place, struct plx_logs_position cursor)
{
    if (cursor.count == 0)
        return true;
    return place.timestamp != cursor.timestamp ? place.timestamp > cursor.timestamp
                                               : place.count > cursor.count;
}

static enum plx_logs_fault walk_on(struct walk *walk, int64_t timestamp)
{
    if (walk->at.count > 0 && timestamp < walk->at.timestamp)
        return PLX_LOGS_BACKWARD;
    bool is_same = walk->at.count > 0 && timestamp == walk->at.timestamp;
    walk->at = (struct plx_logs_position){timestamp, is_same ? walk->at.count + 1 : 1};
    if (walk->first == SIZE_MAX && is_behind(walk->at, walk->cursor))
        walk->first = walk->count;
    walk->count++;
    return PLX_LOGS_VALID;
}

static enum plx_logs_fault walk_array(struct walk *walk, const struct logs_source *source)
{
    enum plx_logs_fault fault = PLX_LOGS_VALID;
    for (size_t i = 0; i < source->count && fault == PLX_LOGS_VALID; i++)
        fault = walk_on(walk, source->logs[i].timestamp);
    return fault;
}

/* Ends at the last newline; `ret_offset_bytes`: where the first line behind the cursor begins. */
static enum plx_logs_fault walk_text(struct walk *walk, const struct logs_source *source,
                                     size_t *ret_offset_bytes, size_t *ret_end_bytes)
{
    const char *begin = source->text.data;
    size_t at = 0;
    while (at < source->text.size_bytes) {
        const char *newline = memchr(begin + at, '\n', source->text.size_bytes - at);
        int64_t timestamp;
        if (newline == NULL)
            break;
        struct span line = span_of(begin + at, (size_t)(newline - begin) - at);
        if (logs_timestamp_parse(source->format, line, &timestamp) == 0)
            return PLX_LOGS_MALFORMED;
        bool was_found = walk->first != SIZE_MAX;
        if (walk_on(walk, timestamp) != PLX_LOGS_VALID)
            return PLX_LOGS_BACKWARD;
        if (!was_found && walk->first != SIZE_MAX)
            *ret_offset_bytes = at;
        at += line.size_bytes + 1;
    }
    *ret_end_bytes = at;
    return PLX_LOGS_VALID;
}

enum plx_logs_fault logs_walk(const struct logs_source *source, struct plx_logs_position before,
                              struct plx_logs_position cursor, struct plx_logs_result *ret_result)
{
    struct walk walk = {.at = before, .cursor = cursor, .first = SIZE_MAX};
    size_t offset_bytes = 0;
    size_t end_bytes = 0;
    enum plx_logs_fault fault = source->is_text
                                    ? walk_text(&walk, source, &offset_bytes, &end_bytes)
                                    : walk_array(&walk, source);
    *ret_result = (struct plx_logs_result){.fault = fault, .end = walk.at};
    if (fault != PLX_LOGS_VALID) {
        ret_result->line = walk.count + 1;
        return fault;
    }
    bool is_found = walk.first != SIZE_MAX;
    ret_result->first = is_found ? walk.first : walk.count;
    ret_result->count = walk.count - ret_result->first;
    ret_result->offset_bytes = is_found ? offset_bytes : end_bytes;
    ret_result->size_bytes = end_bytes - ret_result->offset_bytes;
    return fault;
}
