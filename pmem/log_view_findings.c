/* What is wrong with a log that is only read. See log_view.h. */
#include "pmem/log_view_internal.h"

#include "base/le.h"

static void log_place_tell(const struct finding_sink *sink, enum finding_kind kind, uint64_t offset,
                           uint64_t size_bytes, const char *what)
{
    const struct finding finding = {
        .kind = kind, .offset = offset, .size_bytes = size_bytes, .what = what};
    finding_tell(sink, &finding);
}

static void header_tell(const struct log_view *view, const struct finding_sink *sink)
{
    const uint8_t *data = view->copy.data;
    struct log_header header;
    if (view->state.is_header_lost && recovery_is_zero(data, 0, view->copy.size_bytes)) {
        log_place_tell(sink, FINDING_DAMAGED, 0, LOG_STATE_OFFSET,
                       "header: zero, as of a file that was never finished");
        return;
    }
    if (log_header_decode(data, &header) != OK)
        log_place_tell(sink, FINDING_DAMAGED, 0, LOG_HEADER_SIZE_BYTES, "header, first copy");
    if (log_header_decode(data + LOG_HEADER_COPY_OFFSET, &header) != OK)
        log_place_tell(sink, FINDING_DAMAGED, LOG_HEADER_COPY_OFFSET, LOG_HEADER_SIZE_BYTES,
                       "header, second copy");
}

static void hard_state_tell(const struct log_view *view, const struct finding_sink *sink)
{
    static const char *const names[LOG_SLOTS] = {"term and vote, first copy",
                                                 "term and vote, second copy"};
    for (uint32_t slot = 0; slot < LOG_SLOTS; slot++) {
        uint64_t term;
        uint8_t vote_place;
        if (!hard_state_slot_load(&view->log, slot, &term, &vote_place))
            log_place_tell(sink, FINDING_DAMAGED, LOG_STATE_OFFSET + slot * LOG_SLOT_STEP_BYTES, 8,
                           names[slot]);
    }
}

/* Entries of tables. Power loss may leave half of one that nothing needed yet. */
static void tables_tell(const struct log_view *view, const struct finding_sink *sink)
{
    const struct log *log = &view->log;
    for (uint32_t place = 1; place <= LOG_BIRTHS_MAX; place++) {
        uint64_t birth;
        bool is_needed = place == log->vote_place;
        if (!hard_state_birth(log, place, &birth) &&
            (is_needed || !hard_state_birth_is_empty(log, place)))
            log_place_tell(sink, is_needed ? FINDING_DAMAGED : FINDING_LEFT_OVER,
                           LOG_BIRTHS_OFFSET + (place - 1) * 16, 16,
                           is_needed ? "the storage that the vote names"
                                     : "a storage that was voted for");
    }
    for (uint32_t place = 0; place < LOG_HEARD_PLACES; place++) {
        if (!heard_is_whole(log, place))
            log_place_tell(sink, FINDING_LEFT_OVER,
                           LOG_HEARD_OFFSET + place * LOG_HEARD_PLACE_BYTES, LOG_HEARD_PLACE_BYTES,
                           "a start that was heard of");
    }
}

/* Words that are zero or what one value makes them. */
static void marks_tell(const struct log_view *view, const struct finding_sink *sink)
{
    const struct log *log = &view->log;
    if (le64_load(log->data + LOG_STARTS_COUNT_OFFSET) != 0 && log_start_count(log) == 0)
        log_place_tell(sink, FINDING_DAMAGED, LOG_STARTS_COUNT_OFFSET, 8, "count of the starts");
    if (le64_load(log->data + LOG_BEGIN_OFFSET) != 0 && !begin_mark_is_settled(log))
        log_place_tell(sink, FINDING_DAMAGED, LOG_BEGIN_OFFSET, 8, "begin mark");
    if (le64_load(log->data + LOG_ENDED_OFFSET) != 0 && view->state.ended == LOG_END_NONE)
        log_place_tell(sink, FINDING_DAMAGED, LOG_ENDED_OFFSET, 8,
                       "mark of a storage that has ended");
}

/* Bytes that are no whole record: see recovery.c. */
static enum finding_kind kind_of(const struct log_view *view, const struct log_view_place *place)
{
    uint64_t position = log_position(&view->log, place->sequence, (size_t)place->offset);
    if (view->scan.lost_position == 0 || position < view->scan.lost_position)
        return FINDING_LEFT_OVER;
    return view->scan.vouched_position > position ? FINDING_DAMAGED : FINDING_TORN;
}

static void records_tell(const struct log_view *view, const struct finding_sink *sink)
{
    struct log_view_walk walk = {0};
    struct log_view_place place;
    if (view->options.is_bank && log_is_wiping(&view->log))
        return;
    while (log_view_next(view, &walk, &place)) { /* the places of the row */
        if (place.fate != LOG_VIEW_INVALID)
            continue;
        struct finding finding = {.kind = kind_of(view, &place),
                                  .offset = place.offset,
                                  .size_bytes = place.size_bytes,
                                  .what = "records"};
        if (finding_is_damage(finding.kind))
            finding.index = view->log.last_index + 1;
        finding_tell(sink, &finding);
    }
}

void log_view_findings(const struct log_view *view, const struct finding_sink *sink)
{
    uint64_t found_bytes = view->options.reader->size_bytes;
    if (view->state.is_changing)
        log_place_tell(sink, FINDING_CHANGING, 0, view->state.file_bytes, "log");
    file_copy_tell(&view->copy, "log", sink);
    if (found_bytes < view->state.file_bytes)
        log_place_tell(sink, FINDING_CUT_OFF, found_bytes, view->state.file_bytes - found_bytes,
                       "log");
    header_tell(view, sink);
    hard_state_tell(view, sink);
    tables_tell(view, sink);
    marks_tell(view, sink);
    view_table_tell(view, sink);
    records_tell(view, sink);
}
